//! Inputs without a fuzzer: a generator of pseudo-random numbers, and mutations of what the corpus holds.
//!
//! **Invariant:** the same seed gives the same input on every machine, so a seed in a report is a reproduction.

/// SplitMix64 (Steele, Lea, Flood 2014): any seed is as good as any other.
pub struct Rng(u64);

impl Rng {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n` (which is at least 1).
    pub fn below(&mut self, n: usize) -> usize {
        (self.next_u64() % n as u64) as usize
    }
}

/// Words that mutations insert: what lexers, patterns and readers of texts decide on.
const WORDS: [&str; 72] = [
    "and",
    "break",
    "do",
    "else",
    "elseif",
    "end",
    "false",
    "for",
    "function",
    "goto",
    "if",
    "in",
    "local",
    "nil",
    "not",
    "or",
    "repeat",
    "return",
    "then",
    "true",
    "until",
    "while",
    "<close>",
    "<const>",
    "::a::",
    "goto a",
    "...",
    "..",
    "==",
    "~=",
    "<=",
    ">=",
    "//",
    "<<",
    ">>",
    "[[",
    "]]",
    "[==[",
    "--[[",
    "--",
    "0x",
    "0x1p4",
    "1e308",
    "3.",
    ".5",
    "9223372036854775807",
    "'",
    "\"",
    "\\u{7fffffff}",
    "\\z",
    "\\x41",
    "\\255",
    "\0",
    "\r\n",
    "x",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "=",
    ",",
    ";",
    "#",
    "%",
    "\\u0000",
    "\"\"",
    "null",
    "/:id",
    "*rest",
    "[limits]",
];

/// An input for a seed: random bytes, or (where there is a corpus, mostly) a corpus file with a few changes.
pub fn input(seed: u64, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    if corpus.is_empty() || rng.below(4) == 0 {
        let length = 1 << (3 + rng.below(8));
        let length = length + rng.below(length);
        return (0..length).map(|_| rng.next_u64() as u8).collect();
    }
    let mut data = corpus[rng.below(corpus.len())].clone();
    for _ in 0..1 + rng.below(8) {
        mutate(&mut data, &mut rng, corpus);
    }
    data
}

fn mutate(data: &mut Vec<u8>, rng: &mut Rng, corpus: &[Vec<u8>]) {
    let at = rng.below(data.len() + 1);
    let length = rng.below(16).min(data.len() - at);
    match rng.below(7) {
        0 if at < data.len() => data[at] = rng.next_u64() as u8,
        1 if at < data.len() => data[at] ^= 1 << rng.below(8),
        2 => {
            data.drain(at..at + length);
        }
        3 => {
            let piece = data[at..at + length].to_vec();
            let to = rng.below(data.len() + 1);
            data.splice(to..to, piece);
        }
        4 => {
            let other = &corpus[rng.below(corpus.len())];
            let from = rng.below(other.len() + 1);
            let to = (from + rng.below(40)).min(other.len());
            data.splice(at..at + length, other[from..to].iter().copied());
        }
        _ => {
            let word = WORDS[rng.below(WORDS.len())];
            let spaced = [" ", word, " "].concat();
            let text = if rng.below(2) == 0 { word } else { &spaced };
            data.splice(at..at, text.bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_input_every_time() {
        let corpus = vec![b"return 1".to_vec(), b"local x <close> = nil".to_vec()];
        let inputs: Vec<_> = (0..50).map(|seed| input(seed, &corpus)).collect();
        assert_eq!(
            inputs,
            (0..50).map(|seed| input(seed, &corpus)).collect::<Vec<_>>()
        );
        assert_ne!(inputs[0], inputs[1]);
        assert_eq!(Rng::new(0).next_u64(), 0xe220_a839_7b1d_cdaf);
    }
}
