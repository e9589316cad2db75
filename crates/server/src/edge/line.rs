//! Lines of the access log.
//!
//! ```text
//!  combined  192.0.2.1 - - [28/Nov/2026:01:34:57 +0000] "GET /a?b HTTP/1.1" 200 12 "https://from.test/" "agent"
//!  json      {"time":"2026-11-28T01:34:57.123Z","id":"...","remote_addr":"192.0.2.1","host":"shop.test","app":"shop","method":"GET",
//!             "target":"/a?b","protocol":"HTTP/1.1","scheme":"https","status":200,"bytes":12,"duration_us":345,"cpu_us":120,
//!             "upstream":"HTTP/1.1","referer":"...","user_agent":"..."}
//! ```
//!
//! **Invariant.** A line has one line feed, its last byte, and nothing in it that ends a field before its time: what came from a client is escaped (`\x0A` in
//! combined, as nginx has it; JSON's own in the other, bytes beyond ASCII as the replacement of each that is not UTF-8).

use rille_modules::ngx::time::{Civil, civil};
use std::fmt::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As Apache and nginx do.
    Combined,
    /// An object in a line.
    Json,
}

/// What is known of a request that has ended.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When its head had been read.
    pub time: SystemTime,
    /// As `request.id`.
    pub id: String,
    /// The client.
    pub remote: IpAddr,
    /// The host it asked for.
    pub host: Box<[u8]>,
    /// The app that answered; empty if none did.
    pub app: Box<str>,
    /// The method; empty for what was no request.
    pub method: Box<str>,
    /// Path and query.
    pub target: Box<[u8]>,
    /// `HTTP/1.1`.
    pub protocol: &'static str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The status; 499 if the client went before there was one.
    pub status: u16,
    /// Bytes of the response's body that were sent.
    pub bytes: u64,
    /// From its head to the last byte of its response.
    pub duration: Duration,
    /// Processor time of its scripts.
    pub cpu: Duration,
    /// The protocol over which another server answered it.
    pub upstream: Option<&'static str>,
    /// `Referer`.
    pub referer: Option<Box<[u8]>>,
    /// `User-Agent`.
    pub agent: Option<Box<[u8]>>,
}

/// Adds the line of an entry.
pub fn write(out: &mut String, format: Format, entry: &Entry) {
    match format {
        Format::Combined => combined(out, entry),
        Format::Json => json(out, entry),
    }
    out.push('\n');
}

/// The time of an entry, and its milliseconds.
fn date(time: SystemTime) -> (Civil, u32) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    (civil(seconds), since.subsec_millis())
}

fn combined(out: &mut String, entry: &Entry) {
    let (t, _) = date(entry.time);
    let _ = write!(
        out,
        "{} - - [{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000] \"",
        entry.remote,
        t.day,
        t.month_name(),
        t.year,
        t.hour,
        t.minute,
        t.second
    );
    if !entry.method.is_empty() {
        escape(out, entry.method.as_bytes());
        out.push(' ');
        escape(out, &entry.target);
        out.push(' ');
        out.push_str(entry.protocol);
    }
    let _ = write!(out, "\" {} {}", entry.status, entry.bytes);
    for field in [&entry.referer, &entry.agent] {
        out.push_str(" \"");
        escape(out, field.as_deref().unwrap_or(b"-"));
        out.push('"');
    }
}

/// As nginx does: quotes, backslashes, and all that is not printable ASCII.
fn escape(out: &mut String, text: &[u8]) {
    for byte in text {
        match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f.. => {
                let _ = write!(out, "\\x{byte:02X}");
            }
            byte => out.push(char::from(*byte)),
        }
    }
}

fn json(out: &mut String, entry: &Entry) {
    let (t, millis) = date(entry.time);
    let _ = write!(
        out,
        "{{\"time\":\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{millis:03}Z\",\"id\":\"{}\",\"remote_addr\":\"{}\"",
        t.year,
        t.month + 1,
        t.day,
        t.hour,
        t.minute,
        t.second,
        entry.id,
        entry.remote
    );
    for (name, value) in [
        ("host", &*entry.host),
        ("app", entry.app.as_bytes()),
        ("method", entry.method.as_bytes()),
        ("target", &entry.target),
        ("protocol", entry.protocol.as_bytes()),
        ("scheme", entry.scheme.as_bytes()),
    ] {
        text(out, name, value);
    }
    let _ = write!(
        out,
        ",\"status\":{},\"bytes\":{},\"duration_us\":{},\"cpu_us\":{}",
        entry.status,
        entry.bytes,
        entry.duration.as_micros(),
        entry.cpu.as_micros()
    );
    for (name, value) in [
        ("upstream", entry.upstream.map(str::as_bytes)),
        ("referer", entry.referer.as_deref()),
        ("user_agent", entry.agent.as_deref()),
    ] {
        if let Some(value) = value {
            text(out, name, value);
        }
    }
    out.push('}');
}

fn text(out: &mut String, name: &str, value: &[u8]) {
    let _ = write!(out, ",\"{name}\":\"");
    for c in String::from_utf8_lossy(value).chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            // Those that some take for the end of a line are among them.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn entry() -> Entry {
        Entry {
            time: UNIX_EPOCH + Duration::from_millis(1_795_829_697_123),
            id: "0a1b".into(),
            remote: "192.0.2.1".parse().unwrap(),
            host: (*b"shop.test").into(),
            app: "shop".into(),
            method: "GET".into(),
            target: (*b"/a?b").into(),
            protocol: "HTTP/1.1",
            scheme: "https",
            status: 200,
            bytes: 12,
            duration: Duration::from_micros(345),
            cpu: Duration::from_micros(120),
            upstream: None,
            referer: None,
            agent: Some((*b"agent/1").into()),
        }
    }

    fn line(format: Format, entry: &Entry) -> String {
        let mut out = String::new();
        write(&mut out, format, entry);
        out
    }

    #[test]
    fn lines() {
        assert_eq!(
            line(Format::Combined, &entry()),
            "192.0.2.1 - - [28/Nov/2026:01:34:57 +0000] \"GET /a?b HTTP/1.1\" 200 12 \"-\" \"agent/1\"\n"
        );
        let upstream = Entry {
            upstream: Some("HTTP/2.0"),
            ..entry()
        };
        assert_eq!(
            line(Format::Json, &upstream),
            "{\"time\":\"2026-11-28T01:34:57.123Z\",\"id\":\"0a1b\",\"remote_addr\":\"192.0.2.1\",\"host\":\"shop.test\",\"app\":\"shop\",\"method\":\"GET\",\
             \"target\":\"/a?b\",\"protocol\":\"HTTP/1.1\",\"scheme\":\"https\",\"status\":200,\"bytes\":12,\"duration_us\":345,\"cpu_us\":120,\
             \"upstream\":\"HTTP/2.0\",\"user_agent\":\"agent/1\"}\n"
        );
    }

    #[test]
    fn nobody_forges_a_line() {
        let forged = Entry {
            target: (*b"/\" 200 1\n10.0.0.1 - -\r\x1b[2J\\").into(),
            agent: Some("\u{2028}\u{85}\"\n\u{fc}".as_bytes().into()),
            referer: Some((*b"\xff\n").into()),
            host: (*b"a\"b").into(),
            ..entry()
        };
        let combined = line(Format::Combined, &forged);
        assert!(combined.contains(
            "\"GET /\\x22 200 1\\x0A10.0.0.1 - -\\x0D\\x1B[2J\\x5C HTTP/1.1\" 200 12 \"\\xFF\\x0A\""
        ));
        let json = line(Format::Json, &forged);
        assert!(
            json.contains("\"target\":\"/\\\" 200 1\\u000a10.0.0.1 - -\\u000d\\u001b[2J\\\\\"")
        );
        assert!(json.contains("\"user_agent\":\"\\u2028\\u0085\\\"\\u000a\u{fc}\""));
        assert!(json.contains("\"host\":\"a\\\"b\""));
        for line in [combined, json] {
            assert_eq!(line.chars().filter(|c| c.is_control()).count(), 1);
        }
    }

    #[test]
    fn dates() {
        let at = |seconds| {
            let (t, millis) = date(UNIX_EPOCH + Duration::from_secs(seconds));
            let second = (t.hour * 60 + t.minute) * 60 + t.second;
            (t.year, t.month + 1, t.day, second, millis)
        };
        assert_eq!(at(0), (1970, 1, 1, 0, 0));
        assert_eq!(at(951_782_399), (2000, 2, 28, 86_399, 0));
        assert_eq!(at(951_782_400), (2000, 2, 29, 0, 0));
        assert_eq!(at(1_735_689_599), (2024, 12, 31, 86_399, 0));
    }
}
