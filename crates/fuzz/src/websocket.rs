//! Targets for what a WebSocket's peer sends: `websocket`, `handshake`.

use rille_modules::websocket::handshake::{Origins, accept, check};
use rille_runtime::net::websocket::frame::{
    Head, MAX_CONTROL, Masking, Parser, Part, Rules, Violation, close_of, encode, encoded_len,
};

type Frames = Vec<(Head, Vec<u8>)>;

/// The frames of an input that are whole, what is left, and what ended them.
fn parse<'a>(input: &'a [u8], rules: &Rules) -> (Frames, &'a [u8], Option<Violation>) {
    let (mut parser, mut rest, mut frames) = (Parser::default(), input, Vec::new());
    let mut whole = input;
    loop {
        let (part, size) = parser.next();
        assert!(size as u64 <= rules.max_payload.max(8), "room for too much");
        let Some((bytes, behind)) = rest.split_at_checked(size) else {
            return (frames, whole, None);
        };
        rest = behind;
        if part == Part::Payload {
            let mut payload = bytes.to_vec();
            let head = parser.payload(&mut payload);
            frames.push((head, payload));
            whole = rest;
        } else if let Err(violation) = parser.head(bytes, rules) {
            return (frames, whole, Some(violation));
        }
    }
}

/// Target `websocket`: what is accepted is by the rules, and written out again it is the same; what is refused is refused with nothing behind it.
pub fn websocket(data: &[u8]) {
    let Some((first, input)) = data.split_first() else {
        return;
    };
    let rules = Rules {
        masking: match first & 3 {
            0 => Masking::Required,
            1 => Masking::Forbidden,
            _ => Masking::Either,
        },
        max_payload: u64::from(first >> 2) * 8,
    };
    let (frames, rest, violation) = parse(input, &rules);
    let mut again = Vec::new();
    for (head, payload) in &frames {
        assert_eq!(head.length, payload.len() as u64);
        assert!(head.length <= rules.max_payload);
        assert!(!head.opcode.is_control() || (head.fin && head.length <= MAX_CONTROL));
        match rules.masking {
            Masking::Required => assert!(head.key.is_some()),
            Masking::Forbidden => assert!(head.key.is_none()),
            Masking::Either => {}
        }
        let before = again.len();
        encode(&mut again, head.fin, head.opcode as u8, payload, head.key);
        let length = encoded_len(payload.len(), head.key.is_some());
        assert_eq!(again.len() - before, length);
        let _ = close_of(payload);
    }
    // Lengths may have been written longer than they need to be.
    assert!(again.len() + rest.len() <= input.len());
    let (same, nothing, none) = parse(&again, &rules);
    assert_eq!((same, nothing.len(), none), (frames, 0, None));
    if violation.is_some() {
        let cut = input.len() - rest.len();
        let (same, _, none) = parse(&input[..cut], &rules);
        assert_eq!((same.len(), none), (parse(&again, &rules).0.len(), None));
    }
}

/// Target `handshake`: no panic; what is accepted has one key of 16 bytes, and the page is allowed.
pub fn handshake(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let host = lines.next().unwrap_or_default();
    let fields: Vec<(&[u8], &[u8])> = lines
        .filter_map(|line| {
            let at = line.iter().position(|byte| *byte == b':')?;
            Some((&line[..at], line[at + 1..].trim_ascii()))
        })
        .collect();
    let values = |name: &[u8]| -> Vec<&[u8]> {
        (fields.iter())
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
            .collect()
    };
    let checked = |origins| check(true, true, host, fields.iter().copied(), origins);
    let any = checked(&Origins::Any);
    if let Ok(accepted) = checked(&Origins::Same) {
        assert!(any.is_ok());
        let keys = values(b"sec-websocket-key");
        assert_eq!((keys.len(), keys[0].len()), (1, 24));
        assert_eq!(accepted.accept, accept(keys[0]));
        assert_eq!(values(b"sec-websocket-version"), [b"13"]);
        for origin in values(b"origin") {
            assert!(
                origin
                    .to_ascii_lowercase()
                    .ends_with(&host.to_ascii_lowercase())
            );
        }
    }
    assert!(check(false, true, host, fields.iter().copied(), &Origins::Any).is_err());
}
