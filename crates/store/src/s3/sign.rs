//! Signatures of requests for S3 (AWS Signature Version 4), for requests without a body.
//!
//! Source: the documentation of S3's API, "Authenticating Requests: Using the Authorization Header"; its examples are tests here.
//!
//! **Invariant:** a function of its arguments alone, time included.

use super::Credentials;
use crate::index::hex;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The hash of no body.
pub(super) const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What is signed.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub region: &'a str,
    /// As the `Host` field has it.
    pub host: &'a str,
    /// Encoded ([`encode`]).
    pub path: &'a str,
    /// Names and values, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// Other fields to sign, in lower case.
    pub headers: &'a [(&'a str, &'a str)],
    /// Seconds since 1970.
    pub time: u64,
}

/// A text in a URL: everything but letters, digits and `-._~` as `%XX`; a `/` stays if it is between names of a path.
pub(super) fn encode(text: &str, is_path: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            b'/' if is_path => encoded.push('/'),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

/// The query of a request, sorted and encoded, as it is signed and sent.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

/// A time as it is signed: `YYYYMMDDTHHMMSSZ`.
pub(super) fn timestamp(time: u64) -> String {
    let (days, seconds) = (time / 86_400, time % 86_400);
    // Days to a date, with years that begin in March (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// The value of the `Authorization` field.
pub(super) fn authorization(request: &Request<'_>, credentials: &Credentials) -> String {
    let now = timestamp(request.time);
    let date = now.get(..8).unwrap_or_default();
    let mut headers = vec![
        ("host", request.host),
        ("x-amz-content-sha256", EMPTY),
        ("x-amz-date", now.as_str()),
    ];
    headers.extend(request.headers);
    if let Some(token) = &credentials.session_token {
        headers.push(("x-amz-security-token", token.reveal()));
    }
    headers.sort();
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let signed = headers
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(";");
    let canonical = format!(
        "GET\n{}\n{}\n{lines}\n{signed}\n{EMPTY}",
        request.path,
        query(request.query)
    );
    let scope = format!("{date}/{}/s3/aws4_request", request.region);
    let text = format!(
        "AWS4-HMAC-SHA256\n{now}\n{scope}\n{}",
        hex(&Sha256::digest(canonical))
    );
    let secret = format!("AWS4{}", credentials.secret_access_key.reveal());
    let key = [date, request.region, "s3", "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| hmac(&key, part));
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={signed},Signature={}",
        credentials.access_key_id,
        hex(&hmac(&key, &text))
    )
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    /// The examples of the documentation: GET Object, GET Bucket Lifecycle, and List Objects.
    #[test]
    fn examples_of_the_documentation() {
        let credentials = Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            session_token: None,
        };
        type Pairs = &'static [(&'static str, &'static str)];
        let cases: [(&str, Pairs, Pairs, &str); 3] = [
            (
                "/test.txt",
                &[],
                &[("range", "bytes=0-9")],
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "/",
                &[("lifecycle", "")],
                &[],
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "/",
                &[("max-keys", "2"), ("prefix", "J")],
                &[],
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ];
        for (path, query, headers, signature) in cases {
            let request = Request {
                region: "us-east-1",
                host: "examplebucket.s3.amazonaws.com",
                path,
                query,
                headers,
                time: 1_369_353_600,
            };
            let value = authorization(&request, &credentials);
            assert!(value.starts_with("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;"));
            assert!(
                value.ends_with(&format!("Signature={signature}")),
                "{value}"
            );
        }
    }

    #[test]
    fn times() {
        for (time, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_369_353_600, "20130524T000000Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(timestamp(time), text);
        }
    }

    #[test]
    fn texts_in_urls() {
        assert_eq!(encode("a/b c+ä~", true), "a/b%20c%2B%C3%A4~");
        assert_eq!(encode("a/b", false), "a%2Fb");
        assert_eq!(
            query(&[("prefix", "a b"), ("list-type", "2")]),
            "list-type=2&prefix=a%20b"
        );
    }
}
