//! Characters in a subject that may be any bytes.
//!
//! **Invariant:** whatever the bytes are, a character has at least one and there is a next and a previous place; a byte that is no part of a character
//! is one of its own, of no set but negated ones.

/// The length of the character at a place, at least 1.
pub(super) fn character_length(utf8: bool, subject: &[u8], at: usize) -> usize {
    if !utf8 {
        return 1;
    }
    decode(subject, at).map_or(1, |(_, length)| length)
}

/// The character at a place and its length. A byte that begins none is one of its own, above all characters.
pub(super) fn decode(subject: &[u8], at: usize) -> Option<(u32, usize)> {
    let rest = subject.get(at..)?;
    let first = *rest.first()?;
    if first < 0x80 {
        return Some((first.into(), 1));
    }
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 0,
    };
    let c = rest
        .get(..length)
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .and_then(|text| text.chars().next());
    match c {
        Some(c) => Some((c.into(), length)),
        None => Some((0x11_0000 + u32::from(first), 1)),
    }
}

/// The place of the character before a place, not before `least`.
pub(super) fn previous(utf8: bool, subject: &[u8], at: usize, least: usize) -> usize {
    let mut before = at.saturating_sub(1);
    if utf8 {
        let limit = at.saturating_sub(4).max(least);
        while before > limit && subject.get(before).is_some_and(|byte| byte & 0xc0 == 0x80) {
            before -= 1;
        }
    }
    before.max(least)
}

/// The length of what begins `rest` and is `text` but for case.
pub(super) fn same_but_case(text: &[u8], rest: &[u8]) -> Option<usize> {
    let (mut of_text, mut of_rest) = (0, 0);
    while let Some((wanted, length)) = decode(text, of_text) {
        let (found, its) = decode(rest, of_rest)?;
        if wanted != found && fold(wanted) != fold(found) {
            return None;
        }
        of_text += length;
        of_rest += its;
    }
    Some(of_rest)
}

fn fold(c: u32) -> u32 {
    let Some(c) = char::from_u32(c) else {
        return c;
    };
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) => lower.into(),
        _ => c.into(),
    }
}
