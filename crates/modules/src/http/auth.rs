//! `auth`: what a request says of who asks.
//!
//! ```lua
//! auth = {type = "basic", user = "u", password = "p"}        -- or {"u", "p"}, or "https://u:p@host/"
//! auth = {type = "bearer", token = "..."}
//! auth = {type = "oauth1", consumer_key = "...", consumer_secret = "...", token = "...", token_secret = "..."}
//! ```
//! OAuth 1.0 (RFC 5849) signs with HMAC-SHA1 (or `method = "HMAC-SHA256"`, `"PLAINTEXT"`) over the method, the URL, and the parameters of query and form. lua-sngin's
//! `{oauth = {consumerkey =, consumersecret =, accesstoken =, tokensecret =}}` is the same.
//!
//! **Invariant:** credentials are for the server of the request's own URL: a redirect to another has none.

use super::url::Url;
use crate::ngx::args::{Pair, decode};
use crate::ngx::base64;
use crate::ngx::hash::hmac_sha1;
use crate::text::hex;
use hmac::{Hmac, KeyInit, Mac};
use rille_lua::{Error, Lua, LuaString, Result, Table, Value};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest of the texts.
const MAX_CREDENTIAL: usize = 16 << 10;

/// Who asks.
pub enum Auth {
    /// A user and a password.
    Basic(Vec<u8>, Vec<u8>),
    /// A token.
    Bearer(Vec<u8>),
    /// OAuth 1.0.
    OAuth1(Box<OAuth1>),
}

/// What OAuth 1.0 signs with.
pub struct OAuth1 {
    method: Method,
    consumer_key: Vec<u8>,
    consumer_secret: Vec<u8>,
    token: Option<Vec<u8>>,
    token_secret: Vec<u8>,
    callback: Option<Vec<u8>>,
    verifier: Option<Vec<u8>>,
    realm: Option<Vec<u8>>,
    timestamp: Option<Vec<u8>>,
    nonce: Option<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Method {
    HmacSha1,
    HmacSha256,
    Plaintext,
}

impl Auth {
    /// From the option.
    pub fn read(lua: &Lua, table: &Table) -> Result<Auth> {
        if let Value::Table(oauth) = table.raw_get("oauth")? {
            return OAuth1::read(lua, &oauth).map(|oauth| Auth::OAuth1(Box::new(oauth)));
        }
        let kind = optional(lua, table, &["type"])?.unwrap_or_else(|| b"basic".to_vec());
        match kind.as_slice() {
            b"basic" => {
                let user = (optional(lua, table, &["user", "username"])?)
                    .or(indexed(lua, table, 1)?)
                    .ok_or_else(|| Error::runtime("auth: no user"))?;
                let password = optional(lua, table, &["password", "pass"])?;
                let password = password.or(indexed(lua, table, 2)?).unwrap_or_default();
                if user.contains(&b':') {
                    return Err(Error::runtime("auth: a user with a colon"));
                }
                Ok(Auth::Basic(user, password))
            }
            b"bearer" => {
                let token = required(lua, table, &["token"])?;
                let plain = token.iter().all(u8::is_ascii_graphic) && !token.is_empty();
                match plain {
                    true => Ok(Auth::Bearer(token)),
                    false => Err(Error::runtime(
                        "auth: a token with blanks, control characters or none at all",
                    )),
                }
            }
            b"oauth1" => OAuth1::read(lua, table).map(|oauth| Auth::OAuth1(Box::new(oauth))),
            _ => Err(Error::runtime(
                "auth: the type is 'basic', 'bearer' or 'oauth1'",
            )),
        }
    }

    /// How many bytes it takes at most, about.
    pub fn size(&self) -> usize {
        match self {
            Auth::Basic(user, password) => user.len() + password.len(),
            Auth::Bearer(token) => token.len(),
            Auth::OAuth1(oauth) => oauth.size(),
        }
    }

    /// The value of the `Authorization` field; `form` is a body that is a form.
    pub fn header(&self, method: &str, url: &Url, form: Option<&[u8]>) -> Result<String> {
        match self {
            Auth::Basic(user, password) => {
                let both = [&user[..], b":", password].concat();
                Ok(format!("Basic {}", base64::encode(&both, true)))
            }
            Auth::Bearer(token) => Ok(format!("Bearer {}", String::from_utf8_lossy(token))),
            Auth::OAuth1(oauth) => oauth.header(method, url, form),
        }
    }
}

impl OAuth1 {
    fn read(lua: &Lua, table: &Table) -> Result<OAuth1> {
        let method = optional(lua, table, &["method", "signature_method"])?;
        let method = match method.as_deref() {
            None | Some(b"HMAC-SHA1") => Method::HmacSha1,
            Some(b"HMAC-SHA256") => Method::HmacSha256,
            Some(b"PLAINTEXT") => Method::Plaintext,
            _ => {
                return Err(Error::runtime(
                    "auth: the method is 'HMAC-SHA1', 'HMAC-SHA256' or 'PLAINTEXT'",
                ));
            }
        };
        Ok(OAuth1 {
            method,
            consumer_key: required(
                lua,
                table,
                &["consumer_key", "consumerkey", "consumertoken"],
            )?,
            consumer_secret: required(lua, table, &["consumer_secret", "consumersecret"])?,
            token: optional(lua, table, &["token", "accesstoken"])?,
            token_secret: optional(lua, table, &["token_secret", "tokensecret"])?
                .unwrap_or_default(),
            callback: optional(lua, table, &["callback"])?,
            verifier: optional(lua, table, &["verifier"])?,
            realm: optional(lua, table, &["realm"])?,
            timestamp: optional(lua, table, &["timestamp"])?,
            nonce: optional(lua, table, &["nonce"])?,
        })
    }

    fn size(&self) -> usize {
        let optional = [
            &self.token,
            &self.callback,
            &self.verifier,
            &self.realm,
            &self.timestamp,
            &self.nonce,
        ];
        let all = optional.into_iter().flatten();
        let all = all.chain([
            &self.consumer_key,
            &self.consumer_secret,
            &self.token_secret,
        ]);
        512 + all.map(Vec::len).sum::<usize>()
    }

    fn header(&self, method: &str, url: &Url, form: Option<&[u8]>) -> Result<String> {
        let mut own = self.parameters()?;
        let signature = self.signature(method, url, form, &own);
        own.push(("oauth_signature", signature));
        let mut parts: Vec<String> = Vec::new();
        if let Some(realm) = &self.realm {
            parts.push(format!("realm=\"{}\"", strict(realm)));
        }
        parts.extend(
            own.iter()
                .map(|(name, value)| format!("{name}=\"{}\"", strict(value))),
        );
        Ok(format!("OAuth {}", parts.join(", ")))
    }

    fn parameters(&self) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let timestamp = match &self.timestamp {
            Some(timestamp) => timestamp.clone(),
            None => {
                let now = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                now.as_secs().to_string().into_bytes()
            }
        };
        let nonce = match &self.nonce {
            Some(nonce) => nonce.clone(),
            None => {
                let mut bytes = [0; 16];
                getrandom::fill(&mut bytes).map_err(|_| Error::runtime("no random numbers"))?;
                hex(&bytes)
            }
        };
        let mut own = vec![
            ("oauth_consumer_key", self.consumer_key.clone()),
            ("oauth_nonce", nonce),
            (
                "oauth_signature_method",
                self.method.name().as_bytes().to_vec(),
            ),
            ("oauth_timestamp", timestamp),
            ("oauth_version", b"1.0".to_vec()),
        ];
        let more = [
            ("oauth_token", &self.token),
            ("oauth_callback", &self.callback),
            ("oauth_verifier", &self.verifier),
        ];
        own.extend(
            more.into_iter()
                .filter_map(|(name, value)| Some((name, value.clone()?))),
        );
        Ok(own)
    }

    fn signature(
        &self,
        method: &str,
        url: &Url,
        form: Option<&[u8]>,
        own: &[(&str, Vec<u8>)],
    ) -> Vec<u8> {
        let key = format!(
            "{}&{}",
            strict(&self.consumer_secret),
            strict(&self.token_secret)
        );
        let base = base_string(method, url, form, own);
        let code = match self.method {
            Method::Plaintext => return key.into_bytes(),
            Method::HmacSha1 => hmac_sha1(key.as_bytes(), base.as_bytes()),
            // A key of any length is one.
            Method::HmacSha256 => match Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
                Ok(mac) => mac
                    .chain_update(base.as_bytes())
                    .finalize()
                    .into_bytes()
                    .to_vec(),
                Err(_) => Vec::new(),
            },
        };
        base64::encode(&code, true).into_bytes()
    }
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::HmacSha1 => "HMAC-SHA1",
            Method::HmacSha256 => "HMAC-SHA256",
            Method::Plaintext => "PLAINTEXT",
        }
    }
}

/// What is signed (RFC 5849, section 3.4.1).
fn base_string(method: &str, url: &Url, form: Option<&[u8]>, own: &[(&str, Vec<u8>)]) -> String {
    let (path, query) = url.target.split_once('?').unwrap_or((&url.target, ""));
    let mut all: Vec<(String, String)> = (own.iter())
        .map(|(name, value)| (strict(name.as_bytes()), strict(value)))
        .collect();
    for text in [query.as_bytes(), form.unwrap_or_default()] {
        let pairs = decode(text, 0).pairs;
        all.extend(
            (pairs.into_iter())
                .map(|(name, value): Pair| (strict(&name), strict(&value.unwrap_or_default()))),
        );
    }
    all.sort();
    let joined: Vec<String> = (all.iter())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let base = format!("{}://{}{path}", url.scheme(), url.authority());
    format!(
        "{method}&{}&{}",
        strict(base.as_bytes()),
        strict(joined.join("&").as_bytes())
    )
}

/// Escapes all but what RFC 3986 calls unreserved.
fn strict(text: &[u8]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte))
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn bytes(lua: &Lua, name: &str, value: Value) -> Result<Option<Vec<u8>>> {
    if value.is_nil() {
        return Ok(None);
    }
    let text: Option<LuaString> = lua.coerce_string(value)?;
    match text.filter(|text| text.len() <= MAX_CREDENTIAL) {
        Some(text) => Ok(Some(text.as_bytes().to_vec())),
        None => Err(Error::runtime(format!(
            "auth: '{name}' is a string of up to 16 KiB"
        ))),
    }
}

fn optional(lua: &Lua, table: &Table, names: &[&str]) -> Result<Option<Vec<u8>>> {
    for name in names {
        if let Some(text) = bytes(lua, name, table.raw_get(*name)?)? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

fn indexed(lua: &Lua, table: &Table, at: i64) -> Result<Option<Vec<u8>>> {
    bytes(lua, &at.to_string(), table.raw_get(at)?)
}

fn required(lua: &Lua, table: &Table, names: &[&str]) -> Result<Vec<u8>> {
    let name = names.first().copied().unwrap_or_default();
    optional(lua, table, names)?.ok_or_else(|| Error::runtime(format!("auth: no '{name}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oauth(timestamp: &str, nonce: &str, secrets: [&str; 2], keys: [&str; 2]) -> OAuth1 {
        OAuth1 {
            method: Method::HmacSha1,
            consumer_key: keys[0].into(),
            consumer_secret: secrets[0].into(),
            token: Some(keys[1].into()),
            token_secret: secrets[1].into(),
            callback: None,
            verifier: None,
            realm: None,
            timestamp: Some(timestamp.into()),
            nonce: Some(nonce.into()),
        }
    }

    /// The example of RFC 5849, section 3.4.1.1, without its version, which that leaves out.
    #[test]
    fn base_string_of_the_rfc() {
        let url =
            Url::parse(b"http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b").unwrap();
        let own = [
            ("oauth_consumer_key", b"9djdj82h48djs9d2".to_vec()),
            ("oauth_token", b"kkk9d7dh3k39sjv7".to_vec()),
            ("oauth_signature_method", b"HMAC-SHA1".to_vec()),
            ("oauth_timestamp", b"137131201".to_vec()),
            ("oauth_nonce", b"7d8f3e4a".to_vec()),
        ];
        assert_eq!(
            base_string("POST", &url, Some(b"c2&a3=2+q"), &own),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26\
             oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp\
             %3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    /// The example of OAuth Core 1.0, appendix A.5.
    #[test]
    fn signature_of_the_photos() {
        let oauth = oauth(
            "1191242096",
            "kllo9940pd9333jh",
            ["kd94hf93k423kf44", "pfkkdhi9sl3r4s00"],
            ["dpf43f3p2l4k3l03", "nnch734d00sl2jdk"],
        );
        let url = Url::parse(b"http://photos.example.net/photos?file=vacation.jpg&size=original")
            .unwrap();
        let header = oauth.header("GET", &url, None).unwrap();
        assert!(
            header.contains("oauth_signature=\"tR3%2BTy81lMeYAr%2FFid0kMTYa%2FWM%3D\""),
            "{header}"
        );
        assert!(header.starts_with("OAuth oauth_consumer_key=\"dpf43f3p2l4k3l03\", oauth_nonce="));
    }
}
