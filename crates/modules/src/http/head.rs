//! The head of a response: bytes to status, fields and what frames the body (RFC 9112).
//!
//! **Invariant:** a head that two readers could take for different responses is refused, not mended: bare line feeds, folded lines, a length
//! twice or beside a transfer coding, a coding other than `chunked`.

use std::mem::MaybeUninit;

/// The longest head, in bytes.
pub const MAX_HEAD: usize = 64 << 10;
/// The most fields of a head.
pub const MAX_FIELDS: usize = 200;
/// The longest status line.
pub const MAX_STATUS_LINE: usize = 4 << 10;
/// How many interim responses (1xx) may come before the response.
pub const MAX_INTERIM: u32 = 16;

/// Why something is no response.
pub type Refusal = &'static str;

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes; often none.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Everything up to the end of the connection.
    Close,
}

/// The fields of a head, names in lower case, in the order they came.
pub type Fields = Vec<(String, Vec<u8>)>;

/// The head of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status, 100 to 999.
    pub status: u16,
    /// What the status line says besides.
    pub reason: Vec<u8>,
    /// Its fields.
    pub fields: Fields,
    /// How the body is framed.
    pub framing: Framing,
    /// Whether the connection can be used again.
    pub keep_alive: bool,
}

impl Head {
    /// The value of a field that comes once; `None` if it does not.
    pub fn only(&self, name: &str) -> Option<&[u8]> {
        let mut all = (self.fields.iter()).filter(|(known, _)| known == name);
        match (all.next(), all.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// Whether there is such a field.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }
}

/// Reads a whole head: `bytes` end where it ends. `to_head`: the request was HEAD.
pub fn parse(bytes: &[u8], to_head: bool) -> Result<Head, Refusal> {
    if bytes.len() > MAX_HEAD {
        return Err("a head longer than 64 KiB");
    }
    let bare = |at: usize| at.checked_sub(1).and_then(|at| bytes.get(at)) != Some(&b'\r');
    if memchr::memchr_iter(b'\n', bytes).any(bare) {
        return Err("a line that does not end in CR LF");
    }
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut slots,
    );
    match parsed {
        Ok(httparse::Status::Complete(used)) if used == bytes.len() => {}
        Ok(_) => return Err("a head that is cut short"),
        Err(error) => return Err(refusal(error)),
    }
    let (Some(version), Some(status)) = (response.version, response.code) else {
        return Err("a head that is cut short");
    };
    if status < 100 {
        return Err("a malformed status line");
    }
    let is_1_1 = version == 1;
    let facts = Facts::of(response.headers, is_1_1)?;
    let framing = match (status, &facts) {
        _ if to_head => Framing::Length(0),
        (100..=199 | 204 | 304, _) => Framing::Length(0),
        (_, Facts { chunked: true, .. }) => Framing::Chunked,
        (
            _,
            Facts {
                length: Some(length),
                ..
            },
        ) => Framing::Length(*length),
        _ => Framing::Close,
    };
    let fields = (response.headers.iter())
        .map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec()));
    Ok(Head {
        status,
        reason: response.reason.unwrap_or_default().as_bytes().to_vec(),
        fields: fields.collect(),
        framing,
        keep_alive: is_1_1 && !facts.closes && framing != Framing::Close,
    })
}

fn refusal(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => "more than 200 fields",
        httparse::Error::HeaderName => "a malformed name of a field",
        httparse::Error::HeaderValue => "a malformed value of a field",
        httparse::Error::Version => "another version than HTTP/1.1 or HTTP/1.0",
        _ => "a malformed status line",
    }
}

/// What the fields say of the message itself.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
}

impl Facts {
    fn of(fields: &[httparse::Header<'_>], is_1_1: bool) -> Result<Facts, Refusal> {
        let mut facts = Facts::default();
        for field in fields {
            if field.name.eq_ignore_ascii_case("content-length") {
                if facts.length.is_some() {
                    return Err("a Content-Length twice");
                }
                facts.length = Some(read_length(field.value)?);
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                if facts.chunked || !is_1_1 || !field.value.eq_ignore_ascii_case(b"chunked") {
                    return Err("a Transfer-Encoding that is not 'chunked'");
                }
                facts.chunked = true;
            } else if field.name.eq_ignore_ascii_case("connection") {
                facts.closes |= (field.value.split(|byte| *byte == b','))
                    .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
            }
        }
        match facts.length.is_some() && facts.chunked {
            true => Err("both a Content-Length and a Transfer-Encoding"),
            false => Ok(facts),
        }
    }
}

fn read_length(value: &[u8]) -> Result<u64, Refusal> {
    let digits = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
    match digits {
        true => Ok(value
            .iter()
            .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))),
        false => Err("a malformed Content-Length"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Head, Refusal> {
        parse(text.replace('\n', "\r\n").as_bytes(), false)
    }

    #[test]
    fn framing() {
        for (text, framing, keep_alive) in [
            (
                "HTTP/1.1 200 OK\nContent-Length: 5\n\n",
                Framing::Length(5),
                true,
            ),
            ("HTTP/1.1 200\n\n", Framing::Close, false),
            (
                "HTTP/1.1 200 \nTRANSFER-ENCODING: Chunked\n\n",
                Framing::Chunked,
                true,
            ),
            (
                "HTTP/1.1 204 No\nContent-Length: 5\n\n",
                Framing::Length(0),
                true,
            ),
            ("HTTP/1.1 304 No\n\n", Framing::Length(0), true),
            (
                "HTTP/1.0 200 OK\nContent-Length: 5\n\n",
                Framing::Length(5),
                false,
            ),
            (
                "HTTP/1.1 200 OK\nContent-Length: 5\nConnection: x, Close\n\n",
                Framing::Length(5),
                false,
            ),
        ] {
            let head = read(text).unwrap();
            assert_eq!(
                (head.framing, head.keep_alive),
                (framing, keep_alive),
                "{text}"
            );
        }
        let head = read("HTTP/1.1 404 Not Found\nA: 1\nB:2\nA: 3\n\n").unwrap();
        assert_eq!((head.status, &*head.reason), (404, &b"Not Found"[..]));
        assert_eq!((head.only("b"), head.only("a")), (Some(&b"2"[..]), None));
        let to_head = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true).unwrap();
        assert_eq!(to_head.framing, Framing::Length(0));
    }

    #[test]
    fn what_two_readers_could_differ_about_is_refused() {
        for text in [
            "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5\n\n",
            "HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked\n\n",
            "HTTP/1.1 204 OK\nTransfer-Encoding: chunked\nContent-Length: 5\n\n",
            "HTTP/1.1 200 OK\nContent-Length: +5\n\n",
            "HTTP/1.1 200 OK\nContent-Length: 5, 5\n\n",
            "HTTP/1.1 200 OK\nContent-Length: \n\n",
            "HTTP/1.1 200 OK\nContent-Length: 9999999999999999999\n\n",
            "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n",
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n",
            "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n",
            "HTTP/1.1 200 OK\nA: 1\n b\n\n",
            "HTTP/1.1 200 OK\nA : 1\n\n",
            "HTTP/1.1 200 OK\nA\n\n",
            "HTTP/1.1 200 OK\nA: \0\n\n",
            "HTTP/2.0 200 OK\n\n",
            "HTTP/1.1 20 OK\n\n",
            "HTTP/1.1 099 OK\n\n",
            "ICY 200 OK\n\n",
            "HTTP/1.1 200 OK\nA: 1\n\nmore",
            "",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\nA: 1\nB: 2\r\n\r\n", false).is_err());
        let many = |count| format!("HTTP/1.1 200 OK\n{}\n", "a: b\n".repeat(count));
        assert!(read(&many(MAX_FIELDS)).is_ok());
        assert_eq!(read(&many(MAX_FIELDS + 1)), Err("more than 200 fields"));
        let long = |count| format!("HTTP/1.1 200 OK\na: {}\n\n", "b".repeat(count));
        assert!(read(&long(MAX_HEAD - 26)).is_ok());
        assert!(read(&long(MAX_HEAD)).is_err());
    }
}
