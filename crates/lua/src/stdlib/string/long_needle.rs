//! Plain search for a long text: by the hash of a window that slides over the subject (Karp and Rabin, "Efficient randomized
//! pattern-matching algorithms", 1987), modulo a prime and to a base that depends on the VM's secret key.
//!
//! The usual searchers prepare the text they look for in one go, which for megabytes takes milliseconds. Here the state
//! is a few numbers, so the search pauses anywhere. Where hashes agree the bytes are compared, so the answer is exact.

use crate::native::{Ctx, NativeResult};
use crate::value::Val;

/// Steps between two looks at whether to pause.
const CHUNK: usize = 1 << 15;
/// The prime 2^61 - 1.
const PRIME: u64 = (1 << 61) - 1;

/// Argument slots; 0 and 1 are the subject and the text to find.
mod slot {
    /// Where the window starts in the subject.
    pub const START: usize = 2;
    /// Bytes of the first window and of the text that are hashed.
    pub const HASHED: usize = 3;
    pub const WANTED: usize = 4;
    pub const WINDOW: usize = 5;
    /// The weight of a window's first byte.
    pub const WEIGHT: usize = 6;
    pub const COUNT: usize = 7;
}

fn multiply(a: u64, b: u64) -> u64 {
    let wide = a as u128 * b as u128;
    reduce((wide as u64 & PRIME) + (wide >> 61) as u64)
}

fn reduce(n: u64) -> u64 {
    if n >= PRIME { n - PRIME } else { n }
}

fn append(hash: u64, base: u64, byte: u8) -> u64 {
    reduce(multiply(hash, base) + u64::from(byte))
}

/// Searches from offset `init` on.
pub(super) fn find(ctx: &mut Ctx<'_>, init: usize) -> NativeResult {
    ctx.resize_args(slot::COUNT)?;
    ctx.set_arg(slot::START, Val::int(init as i64));
    for i in slot::HASHED..slot::WEIGHT {
        ctx.set_arg(i, Val::int(0));
    }
    ctx.set_arg(slot::WEIGHT, Val::int(1));
    go_on(ctx)
}

fn go_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let (subject, needle) = (ctx.check_str(0)?.as_bytes(), ctx.check_str(1)?.as_bytes());
    let base = ctx.vm.heap.hash_key % (PRIME - 512) + 256;
    let int = |i: usize| ctx.arg(i).as_int().unwrap_or(0) as u64;
    let (mut start, mut hashed) = (int(slot::START) as usize, int(slot::HASHED) as usize);
    let (mut wanted, mut window) = (int(slot::WANTED), int(slot::WINDOW));
    let mut weight = int(slot::WEIGHT);
    if subject.len() - start < needle.len() {
        return ctx.ret(Val::NIL);
    }
    loop {
        ctx.charge(CHUNK / 2);
        let end = needle.len().min(hashed + CHUNK);
        for i in hashed..end {
            wanted = append(wanted, base, needle[i]);
            window = append(window, base, subject[start + i]);
            if i > 0 {
                weight = multiply(weight, base);
            }
        }
        let first_window = hashed < needle.len();
        hashed = end;
        for _ in 0..if first_window { 0 } else { CHUNK } {
            let behind = start + needle.len();
            if wanted == window {
                ctx.charge(needle.len() / 16);
                if subject[start..].starts_with(needle) {
                    return ctx.ret2(Val::int(start as i64 + 1), Val::int(behind as i64));
                }
            }
            let Some(next) = subject.get(behind) else {
                return ctx.ret(Val::NIL);
            };
            let without = window + PRIME - multiply(u64::from(subject[start]), weight);
            window = append(reduce(without), base, *next);
            start += 1;
        }
        if ctx.should_pause() {
            let state = [start as u64, hashed as u64, wanted, window, weight];
            for (i, n) in state.into_iter().enumerate() {
                ctx.set_arg(slot::START + i, Val::int(n as i64));
            }
            return ctx.pause(go_on);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::stdlib::string::tests::check;

    #[test]
    fn long_texts_are_found_where_they_are() {
        const SETUP: &str = "local n = ('ab'):rep(20000) local a = ('x'):rep(50000) ";
        let cases = [
            ("(a .. n .. a):find(n, 1, true)", "50001 90000"),
            ("n:find(n, 1, true)", "1 40000"),
            ("(a .. n):find(n, 1, true)", "50001 90000"),
            ("(n .. n):find(n, 2, true)", "3 40002"),
            ("(n .. a .. n):find(n, 2, true)", "90001 130000"),
            ("(a .. n:sub(1, -2)):find(n, 1, true)", "nil"),
            ("a:find(n, 1, true)", "nil"),
            ("(a .. a):find(a .. 'y', 1, true)", "nil"),
            ("(a .. a .. 'y'):find(a .. 'y', 1, true)", "50001 100001"),
        ];
        for (call, expected) in cases {
            check(&format!("{SETUP} return {call}"), expected);
        }
    }
}
