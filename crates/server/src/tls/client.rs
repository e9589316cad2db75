//! What scripts see of a client's certificate: `ngx.var.ssl_client_*`.
//!
//! **Invariant:** the certificate is read as DER, part by part and without recursion; what is not as it should be gives no value.

use super::der::{self, Reader};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rille_modules::ngx::escape::{Kind, escape};
use sha1::{Digest, Sha1};
use std::time::{SystemTime, UNIX_EPOCH};

/// The value of `ssl_client_NAME` for a certificate; `None` for what there is not.
pub fn variable(certificate: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    match name {
        b"raw_cert" => Some(pem(certificate)),
        b"cert" => Some(with_tabs(&pem(certificate))),
        b"escaped_cert" => Some(escape(&pem(certificate), Kind::Component)),
        b"fingerprint" => Some(hex(&Sha1::digest(certificate), b"0123456789abcdef")),
        b"serial" => Parts::of(certificate).map(|parts| serial(parts.serial)),
        b"s_dn" => der::name(Parts::of(certificate)?.subject),
        b"i_dn" => der::name(Parts::of(certificate)?.issuer),
        b"v_start" => Some(
            der::Time::of(Parts::of(certificate)?.from)?
                .text()
                .into_bytes(),
        ),
        b"v_end" => Some(
            der::Time::of(Parts::of(certificate)?.to)?
                .text()
                .into_bytes(),
        ),
        b"v_remain" => {
            let end = der::Time::of(Parts::of(certificate)?.to)?.unix_s();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs() as i64;
            Some(
                (end.saturating_sub(now).max(0) / 86_400)
                    .to_string()
                    .into_bytes(),
            )
        }
        _ => None,
    }
}

/// Lines of 64 characters, with a line feed behind the last.
fn pem(certificate: &[u8]) -> Vec<u8> {
    let mut text = b"-----BEGIN CERTIFICATE-----\n".to_vec();
    for line in STANDARD.encode(certificate).as_bytes().chunks(64) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.extend_from_slice(b"-----END CERTIFICATE-----\n");
    text
}

/// As a header's value that goes over lines: a tab before each but the first.
fn with_tabs(pem: &[u8]) -> Vec<u8> {
    let pem = pem.trim_ascii_end();
    let lines: Vec<&[u8]> = pem.split(|byte| *byte == b'\n').collect();
    lines.join(&b"\n\t"[..])
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    let digit = |half: u8| digits[usize::from(half & 15)];
    (bytes.iter())
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

/// A whole number, in capital digits.
fn serial(mut number: &[u8]) -> Vec<u8> {
    while let [0, rest @ ..] = number
        && !rest.is_empty()
    {
        number = rest;
    }
    hex(number, b"0123456789ABCDEF")
}

/// Places in a certificate (RFC 5280, section 4.1).
struct Parts<'a> {
    serial: &'a [u8],
    issuer: &'a [u8],
    from: (u8, &'a [u8]),
    to: (u8, &'a [u8]),
    subject: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(certificate: &'a [u8]) -> Option<Parts<'a>> {
        let mut outer = Reader::new(certificate).within(der::SEQUENCE)?;
        let mut inner = outer.within(der::SEQUENCE)?;
        let first = inner.next()?;
        let (_, serial) = match first {
            // The version comes first where it is not 1.
            (0xa0, _) => inner.next()?,
            serial => serial,
        };
        inner.within(der::SEQUENCE)?;
        let issuer = inner.expect(der::SEQUENCE)?;
        let mut validity = inner.within(der::SEQUENCE)?;
        Some(Parts {
            serial,
            issuer,
            from: validity.next()?,
            to: validity.next()?,
            subject: inner.expect(der::SEQUENCE)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        CertificateParams, DistinguishedName, DnType, KeyPair, SerialNumber, date_time_ymd,
    };

    fn certificate() -> Vec<u8> {
        let mut params = CertificateParams::new(vec![]).unwrap();
        let mut name = DistinguishedName::new();
        name.push(DnType::CountryName, "NL");
        name.push(DnType::OrganizationName, "A, B + \"C\"");
        name.push(DnType::CommonName, " Zo\u{eb}#1 ");
        params.distinguished_name = name;
        params.serial_number = Some(SerialNumber::from(vec![0x0a, 0xbc, 0xde]));
        params.not_before = date_time_ymd(2024, 2, 9);
        params.not_after = date_time_ymd(2051, 12, 31);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    /// The words are those of `openssl x509 -nameopt RFC2253`.
    #[test]
    fn what_nginx_tells_of_a_certificate() {
        let certificate = certificate();
        let get = |name: &str| {
            variable(&certificate, name.as_bytes()).map(|value| String::from_utf8(value).unwrap())
        };
        assert_eq!(get("serial").as_deref(), Some("0ABCDE"));
        let dn = "CN=\\ Zo\\C3\\AB#1\\ ,O=A\\, B \\+ \\\"C\\\",C=NL";
        assert_eq!(get("s_dn").as_deref(), Some(dn));
        assert_eq!(get("i_dn").as_deref(), Some(dn));
        assert_eq!(get("v_start").as_deref(), Some("Feb  9 00:00:00 2024 GMT"));
        assert_eq!(get("v_end").as_deref(), Some("Dec 31 00:00:00 2051 GMT"));
        let days: u64 = get("v_remain").unwrap().parse().unwrap();
        assert!((1000..20_000).contains(&days), "{days}");
        assert_eq!(get("fingerprint").unwrap().len(), 40);
        let pem = get("raw_cert").unwrap();
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\nMII"), "{pem}");
        assert!(pem.ends_with("\n-----END CERTIFICATE-----\n"));
        assert_eq!(get("cert").unwrap().replace("\n\t", "\n"), pem.trim_end());
        assert!(
            get("escaped_cert")
                .unwrap()
                .starts_with("-----BEGIN%20CERTIFICATE-----%0AMII")
        );
        assert_eq!(get("nothing"), None);
        for end in 0..certificate.len() {
            for name in [
                &b"s_dn"[..],
                b"i_dn",
                b"serial",
                b"v_start",
                b"v_end",
                b"v_remain",
            ] {
                let _ = variable(&certificate[..end], name);
            }
        }
    }
}
