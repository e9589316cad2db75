//! Query strings, cookies and forms as bytes.
//!
//! **Invariant:** nothing here allocates more than the input's size and [`MAX_FIELDS`] entries, and
//! nothing recurses. What is malformed is taken as literally as possible, never refused: a browser
//! sends what its page says.

use rille_runtime::route::percent_decode;

/// The most fields of a query, a form or a cookie header; the rest are ignored.
pub const MAX_FIELDS: usize = 1000;

/// Name and value.
pub type Field = (Vec<u8>, Vec<u8>);

/// The fields of `a=1&b=two+words`, decoded.
pub fn urlencoded(text: &[u8]) -> Vec<Field> {
    text.split(|byte| *byte == b'&')
        .filter(|part| !part.is_empty())
        .take(MAX_FIELDS)
        .map(|part| {
            let (name, value) = split_at_byte(part, b'=');
            (unescape(name), unescape(value))
        })
        .collect()
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).into_owned()
}

/// Splits at the first `byte`; the second part is empty if there is none.
fn split_at_byte(text: &[u8], byte: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|other| *other == byte) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}

/// The cookies of a `Cookie` header; quotes around a value are taken off.
pub fn cookies(header: &[u8]) -> Vec<Field> {
    header
        .split(|byte| *byte == b';')
        .map(<[u8]>::trim_ascii)
        .filter(|part| part.contains(&b'='))
        .take(MAX_FIELDS)
        .map(|part| {
            let (name, value) = split_at_byte(part, b'=');
            let value = value
                .strip_prefix(b"\"")
                .and_then(|value| value.strip_suffix(b"\""))
                .unwrap_or(value);
            (name.to_vec(), value.to_vec())
        })
        .collect()
}

/// One part of a multipart form.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The field's name.
    pub name: Vec<u8>,
    /// The file's name, if the part is a file.
    pub filename: Option<Vec<u8>>,
    /// The part's own content type, if it has one.
    pub content_type: Option<&'a [u8]>,
    /// What is in it.
    pub content: &'a [u8],
}

/// What a body is, by its content type.
pub enum Form<'a> {
    /// Urlencoded fields.
    Fields(Vec<Field>),
    /// The parts of a multipart form.
    Parts(Vec<Part<'a>>),
    /// No form.
    None,
}

/// The form in a body of this content type.
pub fn of<'a>(content_type: &[u8], body: &'a [u8]) -> Form<'a> {
    let (kind, _) = split_at_byte(content_type, b';');
    let kind = kind.trim_ascii();
    if kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        return Form::Fields(urlencoded(body));
    }
    match parameter(content_type, "boundary") {
        Some(boundary) if kind.eq_ignore_ascii_case(b"multipart/form-data") => {
            Form::Parts(multipart(body, &boundary))
        }
        _ => Form::None,
    }
}

/// The value of a parameter in a header such as `form-data; name="a"`.
pub fn parameter(header: &[u8], wanted: &str) -> Option<Vec<u8>> {
    let mut rest = header;
    loop {
        let (_, after) = split_at_byte(rest, b';');
        let after = after.trim_ascii_start();
        if after.is_empty() {
            return None;
        }
        let (name, value) = split_at_byte(after, b'=');
        let (value, next) = quoted_or_token(value);
        if name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()) {
            return Some(value);
        }
        rest = next;
    }
}

/// A parameter's value and what follows it.
fn quoted_or_token(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(inner) = text.strip_prefix(b"\"") else {
        let end = text
            .iter()
            .position(|byte| *byte == b';')
            .unwrap_or(text.len());
        return (text[..end].trim_ascii().to_vec(), &text[end..]);
    };
    let mut value = Vec::new();
    let mut at = 0;
    while let Some(byte) = inner.get(at) {
        match byte {
            b'"' => return (value, &inner[at + 1..]),
            b'\\' if matches!(inner.get(at + 1), Some(b'"' | b'\\')) => {
                value.push(inner[at + 1]);
                at += 2;
                continue;
            }
            byte => value.push(*byte),
        }
        at += 1;
    }
    (value, b"")
}

/// The parts of a multipart form.
pub fn multipart<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    if boundary.is_empty() || boundary.len() > 200 {
        return parts;
    }
    let delimiter = [b"--", boundary].concat();
    let mut rest = match find(body, &delimiter) {
        Some(at) if at == 0 || body[..at].ends_with(b"\n") => &body[at + delimiter.len()..],
        _ => return parts,
    };
    let separator = [b"\r\n--", boundary].concat();
    while parts.len() < MAX_FIELDS && !rest.starts_with(b"--") {
        let Some(start) = find(rest, b"\r\n") else {
            break;
        };
        let part = &rest[start + 2..];
        let Some(end) = find(part, &separator) else {
            break;
        };
        parts.extend(part_of(&part[..end]));
        rest = &part[end + separator.len()..];
    }
    parts
}

fn part_of(text: &[u8]) -> Option<Part<'_>> {
    let (head, content) = match text.strip_prefix(b"\r\n") {
        Some(content) => (&b""[..], content),
        None => {
            let end = find(text, b"\r\n\r\n")?;
            (&text[..end], &text[end + 4..])
        }
    };
    let header = |wanted: &str| {
        head.split(|byte| *byte == b'\n').find_map(|line| {
            let (name, value) = split_at_byte(line, b':');
            name.trim_ascii()
                .eq_ignore_ascii_case(wanted.as_bytes())
                .then(|| value.trim_ascii())
        })
    };
    let disposition = header("content-disposition")?;
    Some(Part {
        name: parameter(disposition, "name")?,
        filename: parameter(disposition, "filename"),
        content_type: header("content-type"),
        content,
    })
}

/// Where `needle` first is in `text`. The first byte is searched for, then compared: boundaries
/// start with rare bytes, and the body is bounded by `limits.body`.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, rest) = needle.split_first()?;
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.iter().position(|byte| byte == first)?;
        if text[at + 1..].starts_with(rest) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> Field {
        (name.into(), value.into())
    }

    #[test]
    fn queries() {
        assert_eq!(
            urlencoded(b"a=1&b=two+words&c&&d=%26%3d&=x&e=a=b"),
            [
                field("a", "1"),
                field("b", "two words"),
                field("c", ""),
                field("d", "&="),
                field("", "x"),
                field("e", "a=b")
            ]
        );
        assert_eq!(urlencoded(&b"a&".repeat(5000)).len(), MAX_FIELDS);
    }

    #[test]
    fn cookie_headers() {
        assert_eq!(
            cookies(b"a=1; b=\"two\";c ; d=x=y"),
            [field("a", "1"), field("b", "two"), field("d", "x=y")]
        );
    }

    #[test]
    fn forms_with_files() {
        let body = b"preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--XX\r\n\
            content-disposition: form-data; name=\"f\"; filename=\"a \\\"b\\\".txt\"\r\nContent-Type: text/plain\r\n\r\n\
            line\r\n--X\r\n\r\n--XX--\r\n";
        let parts = multipart(body, b"XX");
        assert_eq!(parts.len(), 2);
        assert_eq!(
            (&parts[0].name[..], parts[0].content),
            (&b"a"[..], &b"one"[..])
        );
        assert_eq!(parts[1].filename.as_deref(), Some(&b"a \"b\".txt"[..]));
        assert_eq!(parts[1].content_type, Some(&b"text/plain"[..]));
        assert_eq!(parts[1].content, b"line\r\n--X\r\n");
    }

    #[test]
    fn broken_forms_give_what_is_whole() {
        for body in [
            &b""[..],
            b"--XX",
            b"--XX\r\n",
            b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nno end",
            b"x--XX\r\n\r\n",
        ] {
            assert_eq!(multipart(body, b"XX"), []);
        }
        assert_eq!(multipart(b"--", b""), []);
    }

    #[test]
    fn header_parameters() {
        assert_eq!(
            parameter(
                b"multipart/form-data; charset=x; boundary=\"a;b\"",
                "Boundary"
            ),
            Some(b"a;b".to_vec())
        );
        assert_eq!(
            parameter(b"a; b=\"unfinished", "b"),
            Some(b"unfinished".to_vec())
        );
        assert_eq!(parameter(b"a", "b"), None);
    }
}
