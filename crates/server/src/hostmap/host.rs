//! From a `Host` header to the name of a folder.
//!
//! **Invariant:** what comes out is the name of a host in its one spelling: lower case, no port, no dot at the end, labels of letters, digits, `-`
//! and `_`. So it is one name in a path, and never `.` or `..`.

use crate::hosts::strip_port;

/// The longest name of a host.
const MAX_HOST: usize = 253;
/// The longest label of one.
const MAX_LABEL: usize = 63;

/// The host that an authority names; none if it can be nobody's folder. Addresses of IPv6 are not names.
pub fn name(authority: &str) -> Option<Box<str>> {
    let host = strip_port(authority);
    let host = host.strip_suffix('.').unwrap_or(host);
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(byte);
    let fits = host.len() <= MAX_HOST && host.split('.').all(label);
    fits.then(|| host.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_of_folders() {
        for (authority, host) in [
            ("a.example", Some("a.example")),
            ("A.Example:8080", Some("a.example")),
            ("a.example.", Some("a.example")),
            ("127.0.0.1:80", Some("127.0.0.1")),
            ("localhost", Some("localhost")),
            ("x_y-z.b", Some("x_y-z.b")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("", None),
            (".", None),
            ("..", None),
            ("...", None),
            ("a..b", None),
            (".a", None),
            ("a/b", None),
            ("../a", None),
            ("a%2fb", None),
            ("a\\b", None),
            ("a\0b", None),
            ("a b", None),
            ("[::1]:80", None),
            ("[::1]", None),
            ("::1", None),
            (":80", None),
            ("b\u{fc}cher.example", None),
        ] {
            assert_eq!(name(authority).as_deref(), host, "{authority:?}");
        }
        assert_eq!(name(&"a".repeat(64)), None);
        assert_eq!(name(&["a"; 128].join(".")), None);
        assert!(name(&["a"; 127].join(".")).is_some());
    }
}
