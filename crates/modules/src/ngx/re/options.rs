//! The letters of the options.

/// What they ask for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Options {
    /// `a`: at the first place only
    pub anchored: bool,
    /// `d`: the longest match, no captures
    pub longest: bool,
    /// `D`: a name may be given to several groups
    pub duplicate_names: bool,
    /// `i`
    pub caseless: bool,
    /// `J`
    pub javascript: bool,
    /// `m`
    pub multi_line: bool,
    /// `s`
    pub dot_all: bool,
    /// `u` and `U`
    pub utf8: bool,
    /// `U`: the subject is not looked through for what is no UTF-8
    pub unchecked: bool,
    /// `x`
    pub extended: bool,
}

impl Options {
    /// Reads the letters; the error is one that there is not. `o` and `j` change nothing here: what is compiled is kept in any case,
    /// and made into no machine code.
    pub fn parse(letters: &[u8]) -> Result<Options, u8> {
        let mut options = Options::default();
        for letter in letters {
            match letter {
                b'a' => options.anchored = true,
                b'd' => options.longest = true,
                b'D' => options.duplicate_names = true,
                b'i' => options.caseless = true,
                b'j' | b'o' => {}
                b'J' => options.javascript = true,
                b'm' => options.multi_line = true,
                b's' => options.dot_all = true,
                b'u' => options.utf8 = true,
                b'U' => {
                    options.utf8 = true;
                    options.unchecked = true;
                }
                b'x' => options.extended = true,
                other => return Err(*other),
            }
        }
        Ok(options)
    }

    /// Two bytes that say the same.
    pub fn key(self) -> [u8; 2] {
        let bits = [
            self.anchored,
            self.longest,
            self.duplicate_names,
            self.caseless,
            self.javascript,
            self.multi_line,
            self.dot_all,
            self.utf8,
            self.unchecked,
            self.extended,
        ];
        let number = bits.iter().fold(0u16, |n, bit| n << 1 | u16::from(*bit));
        number.to_be_bytes()
    }
}
