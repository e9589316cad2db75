//! Who may use the admin API: whoever has the token.
//!
//! **Invariants.** The token in the state folder is readable for its owner only, and is there as a whole or not at all. How long a comparison takes does not
//! depend on how much of a guess is right. The secret of an app's webhook is derived from the token and does not tell it.

use hmac::{Hmac, KeyInit, Mac};
use rille_store::Secret;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use subtle::ConstantTimeEq;

/// Its name in the state folder.
pub const FILE: &str = "admin-token";
/// The shortest token that somebody may choose.
pub const MIN_TOKEN: usize = 16;
/// The longest one.
const MAX_TOKEN: u64 = 1024;

type HmacSha256 = Hmac<Sha256>;

/// The token.
#[derive(Debug, Clone)]
pub struct Token(Secret);

impl Token {
    /// A token that somebody has chosen. The error says what is wrong with it.
    pub fn chosen(text: &str) -> Result<Token, String> {
        let text = text.trim();
        let is_good = text.len() >= MIN_TOKEN
            && text.len() as u64 <= MAX_TOKEN
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        match is_good {
            true => Ok(Token(Secret::new(text))),
            false => Err(format!(
                "a token has {MIN_TOKEN} to {MAX_TOKEN} printable characters without spaces"
            )),
        }
    }

    /// The token of a state folder, which is made if there is none.
    pub fn of_folder(state: &Path) -> Result<Token, String> {
        let path = state.join(FILE);
        match Token::read(state) {
            Ok(Some(token)) => Ok(token),
            Ok(None) => match make(state) {
                // Another process may have been faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Token::read(state)?.ok_or_else(|| format!("cannot read {}", path.display()))
                }
                Err(error) => Err(format!("cannot write {}: {error}", path.display())),
                Ok(token) => Ok(token),
            },
            Err(why) => Err(why),
        }
    }

    /// The same, unless there is none.
    pub fn read(state: &Path) -> Result<Option<Token>, String> {
        let path = state.join(FILE);
        let failed = |error: &io::Error| format!("cannot read {}: {error}", path.display());
        let file = match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
            Ok(file) => file,
        };
        let about = file.metadata().map_err(|error| failed(&error))?;
        if about.mode() & 0o077 != 0 {
            return Err(format!(
                "{} can be read by others: chmod 600 it, or remove it for a new one",
                path.display()
            ));
        }
        let mut text = String::new();
        file.take(MAX_TOKEN + 1)
            .read_to_string(&mut text)
            .map_err(|error| failed(&error))?;
        let token = Token::chosen(&text);
        token
            .map(Some)
            .map_err(|why| format!("{}: {why}; remove it for a new one", path.display()))
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// Whether an `Authorization` header has it.
    pub fn is_in(&self, authorization: &[u8]) -> bool {
        let Some((scheme, rest)) = authorization.split_at_checked("bearer ".len()) else {
            return false;
        };
        // Hashes have one length.
        let given = Sha256::digest(rest.trim_ascii());
        let ours = Sha256::digest(self.reveal().as_bytes());
        let is_same: bool = given.as_slice().ct_eq(ours.as_slice()).into();
        is_same && scheme.eq_ignore_ascii_case(b"bearer ")
    }

    /// The secret that a forge signs its calls of an app's webhook with.
    pub fn hook_secret(&self, app: &str) -> String {
        hex(&sign(
            self.reveal().as_bytes(),
            &[b"rille webhook of ", app.as_bytes()],
        ))
    }

    /// Whether a body was signed so: `sha256=` and the hexadecimal digits of its HMAC, as GitHub says it.
    pub fn has_signed(&self, app: &str, body: &[u8], signature: &[u8]) -> bool {
        let expected = format!(
            "sha256={}",
            hex(&sign(self.hook_secret(app).as_bytes(), &[body]))
        );
        expected.as_bytes().ct_eq(signature).into()
    }
}

fn sign(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of every length.
    let Ok(mut mac) = HmacSha256::new_from_slice(key) else {
        return Vec::new();
    };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes what is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Makes a token. It is written aside first, so that nobody reads half of one.
fn make(state: &Path) -> io::Result<Token> {
    let (mut random, mut name) = ([0; 32], [0; 8]);
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    getrandom::fill(&mut name).map_err(io::Error::other)?;
    let token = hex(&random);
    fs::create_dir_all(state)?;
    let aside = state.join(format!("{FILE}.{}", hex(&name)));
    let written = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)
        .and_then(|mut file| {
            file.write_all(token.as_bytes())?;
            file.sync_all()
        })
        // A link, unlike a rename, takes nobody's place.
        .and_then(|()| fs::hard_link(&aside, state.join(FILE)));
    let removed = fs::remove_file(&aside);
    written.and(removed)?;
    Ok(Token(Secret::new(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_kept_to_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        assert!(Token::read(&state).unwrap().is_none());
        let token = Token::of_folder(&state).unwrap();
        assert_eq!(token.reveal().len(), 64);
        let again = Token::of_folder(&state).unwrap();
        assert_eq!(again.reveal(), token.reveal());
        let about = fs::metadata(state.join(FILE)).unwrap();
        assert_eq!(about.mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(state.join(FILE), mode).unwrap();
        assert!(Token::of_folder(&state).unwrap_err().contains("chmod 600"));
        fs::remove_file(state.join(FILE)).unwrap();
        assert_ne!(Token::of_folder(&state).unwrap().reveal(), token.reveal());
    }

    #[test]
    fn who_has_it_gets_in() {
        let token = Token::chosen("0123456789abcdef\n").unwrap();
        for (header, expected) in [
            ("Bearer 0123456789abcdef", true),
            ("bearer  0123456789abcdef ", true),
            ("Bearer 0123456789abcde", false),
            ("Bearer 0123456789abcdef0", false),
            ("Bearer ", false),
            ("Basic  0123456789abcdef", false),
            ("0123456789abcdef", false),
            ("", false),
        ] {
            assert_eq!(token.is_in(header.as_bytes()), expected, "{header}");
        }
        assert!(
            Token::chosen("short").is_err()
                && Token::chosen("with spaces in it, it is none").is_err()
        );
    }

    #[test]
    fn signatures_are_an_apps_own() {
        let token = Token::chosen("0123456789abcdef").unwrap();
        // printf 'rille webhook of a' | openssl dgst -sha256 -hmac 0123456789abcdef
        let secret = "16b16e434bf0c3b4a5f230fea62e3734c7ead3f0c255c66c0fa63cf5d6be6dff";
        assert_eq!(token.hook_secret("a"), secret);
        // printf '{}' | openssl dgst -sha256 -hmac SECRET
        let signature = "sha256=d0c8f5d36d146d6177c9de0d897cc07b1fa0c5f4908860db08e5d7651428de31";
        assert!(token.has_signed("a", b"{}", signature.as_bytes()));
        assert!(!token.has_signed("a", b"{ }", signature.as_bytes()));
        assert!(!token.has_signed("b", b"{}", signature.as_bytes()));
        assert!(!token.has_signed("a", b"{}", &signature.as_bytes()[..70]));
        assert!(!token.has_signed("a", b"{}", b""));
    }
}
