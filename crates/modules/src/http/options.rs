//! The options of a request: a script's table to a [`Spec`].
//!
//! **Invariants.** Nothing of a script reaches the wire unchecked: methods and names of fields are tokens, values of fields have no line ends. The fields that frame a message
//! or are of a connection are the client's own. An option that there is not is an error, not a silence.

use super::auth::Auth;
use super::client::{Client, Route, Version};
use super::error::Timeouts;
use super::fields::{self, is_a_form, is_token, take_connection, take_length};
use super::head::Fields;
use super::hop::has;
use super::inflate;
use super::link::Keep;
use super::request::{Body, Spec};
use super::url::Url;
use crate::answer::type_name;
use crate::ngx::{args, ssl};
use crate::text::MAX_TEXT;
use rille_lua::{Error, Lua, LuaString, Result, Table, Value};
use rille_runtime::net::Target;
use std::fmt::Display;
use std::time::Duration;

/// Every option, in the order of the documentation.
const KNOWN: &[&str] = &[
    "url",
    "method",
    "headers",
    "query",
    "params",
    "body",
    "data",
    "json",
    "auth",
    "timeout",
    "redirects",
    "max_body",
    "stream",
    "decompress",
    "version",
    "socket",
    "verify",
    "server_name",
    "cert",
    "key",
    "keepalive",
    "pool_size",
];

/// The most redirects that can be asked for.
const MAX_REDIRECTS: i64 = 50;
/// Without the option.
const REDIRECTS: u32 = 10;
/// Without the option, idle connections of a server.
const POOL_SIZE: usize = 30;
/// Without the option.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// The longest time of an option.
const MAX_SECONDS: f64 = 1e6;
/// The longest method.
const MAX_METHOD: usize = 32;

/// An error that is raised where the script is.
pub fn wrong(why: impl Display) -> Error {
    Error::runtime(why)
}

/// The options of one request.
pub struct Options<'a> {
    /// The VM.
    pub lua: &'a Lua,
    /// Its client.
    pub client: &'a Client,
    /// What a script gave.
    pub table: &'a Table,
    /// The most bytes of a body without the option.
    pub max_body: usize,
}

impl Options<'_> {
    /// A request: `method` and `body` come before those of the table. With it, the function that gives the body, if there is one.
    pub fn spec(&self, method: Option<&str>, body: Value) -> Result<(Spec, Value)> {
        self.check_names()?;
        let mut url = self.url()?;
        let method = match method {
            Some(method) => method.to_owned(),
            None => self.method()?,
        };
        let body = match body {
            Value::Nil => self.given_body()?,
            body => body,
        };
        let mut fields = fields::read(self.lua, self.get("headers")?)?;
        let is_form = matches!(body, Value::Table(_));
        let (body, source) = self.body(body, &mut fields)?;
        let stream = self.flag("stream", false)?;
        let decompress = self.flag("decompress", true)? && !has(&fields, "accept-encoding");
        let mut defaults = vec![
            ("user-agent", concat!("rille/", env!("CARGO_PKG_VERSION"))),
            ("accept", "*/*"),
        ];
        if decompress {
            defaults.push(("accept-encoding", inflate::ACCEPTED));
        }
        for (name, value) in defaults {
            if !has(&fields, name) {
                fields.push((name.to_owned(), value.as_bytes().to_vec()));
            }
        }
        let auth = match self.get("auth")? {
            Value::Nil => (url.user.take()).map(|(user, password)| Auth::Basic(user, password)),
            Value::Table(auth) => Some(Auth::read(self.lua, &auth)?),
            other => return Err(self.expected("auth", "a table", &other)),
        };
        url.user = None;
        Ok((
            Spec {
                route: self.route(&mut fields)?,
                is_form: is_form || is_a_form(&fields),
                redirects: self.redirects()?,
                times: self.timeouts()?,
                max_body: self.most(stream)?,
                method,
                url,
                fields,
                body,
                auth,
                stream,
                decompress,
            },
            source,
        ))
    }

    fn get(&self, name: &str) -> Result<Value> {
        self.table.raw_get(name)
    }

    fn expected(&self, name: &str, what: &str, value: &Value) -> Error {
        wrong(format!("'{name}' is {what}, not a {}", type_name(value)))
    }

    fn check_names(&self) -> Result<()> {
        let mut key = Value::Nil;
        while let Some((name, _)) = self.table.next_entry(&key)? {
            let known = match &name {
                Value::String(text) => KNOWN
                    .iter()
                    .any(|known| known.as_bytes() == &*text.as_bytes()),
                _ => false,
            };
            if !known {
                let shown: String = match &name {
                    Value::String(text) => text.to_string_lossy().chars().take(40).collect(),
                    other => type_name(other).to_owned(),
                };
                return Err(wrong(format!(
                    "there is no option '{shown}'; there are {}",
                    KNOWN.join(", ")
                )));
            }
            key = name;
        }
        Ok(())
    }

    fn text(&self, name: &str) -> Result<Option<LuaString>> {
        let value = self.get(name)?;
        if value.is_nil() {
            return Ok(None);
        }
        match self.lua.coerce_string(value.clone())? {
            Some(text) => Ok(Some(text)),
            None => Err(self.expected(name, "a string", &value)),
        }
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool> {
        match self.get(name)? {
            Value::Nil => Ok(default),
            Value::Boolean(on) => Ok(on),
            other => Err(self.expected(name, "true or false", &other)),
        }
    }

    fn url(&self) -> Result<Url> {
        let Some(text) = self.text("url")? else {
            return Err(wrong("there is no url"));
        };
        let mut url = Url::parse(&text.as_bytes()).map_err(wrong)?;
        for name in ["query", "params"] {
            match self.get(name)? {
                Value::Nil => {}
                Value::Table(query) => url.add_query(&encode_form(self.lua, &query)?),
                other => return Err(self.expected(name, "a table", &other)),
            }
        }
        match url.target.len() <= super::url::MAX_URL * 3 {
            true => Ok(url),
            false => Err(wrong("the URL is too long")),
        }
    }

    fn method(&self) -> Result<String> {
        let Some(text) = self.text("method")? else {
            let with_body = !self.given_body()?.is_nil() || !self.get("json")?.is_nil();
            return Ok(if with_body { "POST" } else { "GET" }.to_owned());
        };
        let method = text.to_string_lossy().to_ascii_uppercase();
        if method.len() > MAX_METHOD || !is_token(method.as_bytes()) {
            return Err(wrong("the method is malformed"));
        }
        match &*method {
            "CONNECT" => Err(wrong("CONNECT is not for requests")),
            _ => Ok(method),
        }
    }

    fn given_body(&self) -> Result<Value> {
        match self.get("body")? {
            Value::Nil => self.get("data"),
            body => Ok(body),
        }
    }

    // ---- fields and body ----

    /// The body, and the function that gives it if one does. Checks the fields that frame it and takes them away.
    fn body(&self, value: Value, fields: &mut Fields) -> Result<(Body, Value)> {
        let declared = take_length(fields)?;
        for (name, _) in fields.iter() {
            let own = [
                "transfer-encoding",
                "te",
                "trailer",
                "upgrade",
                "keep-alive",
                "proxy-connection",
                "expect",
            ];
            if own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                return Err(wrong(format!("the header '{name}' is the client's own")));
            }
        }
        let (body, kind) = match value {
            Value::Nil => (Body::None, None),
            Value::Function(function) => {
                return Ok((Body::Source(declared), Value::Function(function)));
            }
            Value::Table(form) => {
                let text = self.lua.create_string(encode_form(self.lua, &form)?)?;
                (Body::Text(text), Some("application/x-www-form-urlencoded"))
            }
            other => match self.lua.coerce_string(other.clone())? {
                Some(text) => (Body::Text(text), None),
                None => {
                    return Err(self.expected("body", "a string, a table or a function", &other));
                }
            },
        };
        let length = match &body {
            Body::Text(text) => text.len() as u64,
            _ => 0,
        };
        if declared.is_some_and(|declared| declared != length) {
            return Err(wrong(format!(
                "the Content-Length is not that of the body, {length} bytes"
            )));
        }
        if let Some(kind) = kind.filter(|_| !has(fields, "content-type")) {
            fields.push(("content-type".to_owned(), kind.as_bytes().to_vec()));
        }
        Ok((body, Value::Nil))
    }

    // ---- how long, how far, how much ----

    fn seconds(&self, name: &str, value: Value) -> Result<Option<Duration>> {
        if value.is_nil() {
            return Ok(None);
        }
        match self.lua.coerce_number(value.clone())? {
            Some(seconds) if seconds > 0.0 && seconds <= MAX_SECONDS => {
                Ok(Some(Duration::from_secs_f64(seconds)))
            }
            Some(_) => Err(wrong(format!(
                "'{name}' is a time in seconds above 0 and up to {MAX_SECONDS}"
            ))),
            None => Err(self.expected(name, "a number of seconds", &value)),
        }
    }

    fn timeouts(&self) -> Result<Timeouts> {
        let mut times = Timeouts::default();
        match self.get("timeout")? {
            Value::Nil => {}
            Value::Table(table) => {
                let part =
                    |name: &str| self.seconds(&format!("timeout.{name}"), table.raw_get(name)?);
                times.connect = part("connect")?.unwrap_or(times.connect);
                times.send = part("send")?.unwrap_or(times.send);
                times.read = part("read")?.unwrap_or(times.read);
                times.total = part("total")?.or(times.total);
            }
            value => {
                if let Some(all) = self.seconds("timeout", value)? {
                    times = Timeouts {
                        connect: all,
                        send: all,
                        read: all,
                        total: Some(all),
                    };
                }
            }
        }
        Ok(times)
    }

    fn redirects(&self) -> Result<u32> {
        let value = self.get("redirects")?;
        let number = match value {
            Value::Nil | Value::Boolean(true) => return Ok(REDIRECTS),
            Value::Boolean(false) => return Ok(0),
            value => self.lua.coerce_integer(value)?,
        };
        (number.filter(|number| (0..=MAX_REDIRECTS).contains(number)))
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| {
                wrong(format!(
                    "'redirects' is false or a number from 0 to {MAX_REDIRECTS}"
                ))
            })
    }

    fn count(&self, name: &str, most: usize) -> Result<Option<usize>> {
        let value = self.get(name)?;
        if value.is_nil() {
            return Ok(None);
        }
        let number =
            (self.lua.coerce_integer(value)?).and_then(|number| usize::try_from(number).ok());
        (number.filter(|number| *number <= most).map(Some))
            .ok_or_else(|| wrong(format!("'{name}' is a whole number from 0 to {most}")))
    }

    fn most(&self, stream: bool) -> Result<Option<usize>> {
        match (self.count("max_body", 4 << 30)?, stream) {
            (Some(most), _) => Ok(Some(most)),
            (None, true) => Ok(None),
            (None, false) => Ok(Some(self.max_body)),
        }
    }

    // ---- how to connect ----

    fn route(&self, fields: &mut Fields) -> Result<Route> {
        let version = match self
            .text("version")?
            .as_ref()
            .map(LuaString::to_string_lossy)
            .as_deref()
        {
            None => Version::Any,
            Some("1" | "1.1" | "1.0") => Version::One,
            Some("2" | "2.0") => Version::Two,
            Some(_) => return Err(wrong("'version' is \"1.1\" or \"2\"")),
        };
        let time = match self.get("keepalive")? {
            Value::Boolean(true) => KEEPALIVE,
            Value::Boolean(false) => Duration::ZERO,
            value => self.seconds("keepalive", value)?.unwrap_or(KEEPALIVE),
        };
        let closes = take_connection(fields)?;
        let keep = Keep {
            size: self.count("pool_size", 10_000)?.unwrap_or(POOL_SIZE).max(1),
            time: if closes { Duration::ZERO } else { time },
        };
        Ok(Route {
            socket: self.socket()?,
            verify: self.flag("verify", true)?,
            server_name: self.text("server_name")?.map(|name| name.to_string_lossy()),
            identity: self.identity()?,
            version,
            keep,
        })
    }

    fn socket(&self) -> Result<Option<std::path::PathBuf>> {
        let Some(path) = self.text("socket")? else {
            return Ok(None);
        };
        let path = path.as_bytes();
        let path = path.strip_prefix(b"unix:").unwrap_or(&path);
        match Target::parse(&[b"unix:", path].concat(), 0) {
            Ok(Target::Unix(path)) => Ok(Some(path)),
            Ok(Target::Tcp(..)) => Err(wrong("'socket' is the path of a unix socket")),
            Err(why) => Err(wrong(why)),
        }
    }

    fn identity(
        &self,
    ) -> Result<Option<(std::rc::Rc<rille_runtime::net::tls::Identity>, [u8; 32])>> {
        let (cert, key) = (self.get("cert")?, self.get("key")?);
        match (cert.is_nil(), key.is_nil()) {
            (true, true) => Ok(None),
            (false, false) => {
                let (chain, key) = (
                    ssl::chain_of(&cert).map_err(wrong)?,
                    ssl::key_of(&key).map_err(wrong)?,
                );
                self.lua
                    .charge_fuel(1000 + (chain.len() + key.len()) as u64);
                self.client.identity(&chain, &key).map(Some).map_err(wrong)
            }
            _ => Err(wrong("'cert' and 'key' go together")),
        }
    }
}

/// A table as a form: as `ngx.encode_args` has it, in the order of the names.
pub fn encode_form(lua: &Lua, table: &Table) -> Result<String> {
    let text = args::encode(lua, table)?;
    if text.len() > MAX_TEXT {
        return Err(crate::text::too_long());
    }
    let text = String::from_utf8_lossy(&text);
    let mut pairs: Vec<&str> = text.split('&').collect();
    pairs.sort_by_key(|pair| pair.split('=').next());
    Ok(pairs.join("&"))
}
