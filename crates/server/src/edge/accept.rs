//! `Accept-Encoding`: which codings a client takes (RFC 9110, section 12.5.3).
//!
//! **Invariant.** What is malformed is passed over, element by element: nothing a client writes here makes a request fail. The work is linear in the
//! field and allocates nothing.

use rille_runtime::manifest::Coding;

/// The most that a weight may be: it is kept in thousandths.
const MOST: u16 = 1000;

/// Which codings a client takes, each with its weight in thousandths; 0: it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepts {
    gzip: u16,
    br: u16,
    zstd: u16,
    /// As it is, if that was named.
    identity: u16,
}

impl Accepts {
    /// Of all values of the field.
    pub fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Accepts {
        let mut named = [None; 4];
        let mut others = None;
        for element in values.flat_map(|value| value.split(|byte| *byte == b',')) {
            let Some((name, weight)) = element_of(element) else {
                continue;
            };
            let place = match () {
                () if name.eq_ignore_ascii_case(b"gzip")
                    || name.eq_ignore_ascii_case(b"x-gzip") =>
                {
                    &mut named[0]
                }
                () if name.eq_ignore_ascii_case(b"br") => &mut named[1],
                () if name.eq_ignore_ascii_case(b"zstd") => &mut named[2],
                () if name.eq_ignore_ascii_case(b"identity") => &mut named[3],
                () if name == b"*" => &mut others,
                () => continue,
            };
            *place = Some(weight);
        }
        let weight = |at: usize| named[at].or(others).unwrap_or(0);
        Accepts {
            gzip: weight(0),
            br: weight(1),
            zstd: weight(2),
            // The star is about what else there is; it is no wish for the text as it is.
            identity: named[3].unwrap_or(0),
        }
    }

    /// Whether any coding would do.
    pub fn any(self) -> bool {
        self.gzip | self.br | self.zstd != 0
    }

    /// The weight of a coding.
    pub fn weight(self, coding: Coding) -> u16 {
        match coding {
            Coding::Gzip => self.gzip,
            Coding::Br => self.br,
            Coding::Zstd => self.zstd,
        }
    }

    /// The coding that the client likes best; of several, the first of `ours`. `None`: the text goes as it is.
    pub fn choose(self, ours: &[Coding]) -> Option<Coding> {
        let mut best: Option<Coding> = None;
        for coding in ours {
            let weight = self.weight(*coding);
            if weight > best.map_or(0, |best| self.weight(best)) {
                best = Some(*coding);
            }
        }
        best.filter(|best| self.weight(*best) >= self.identity)
    }
}

/// `gzip;q=0.5`: a name and its weight. `None` if it is neither.
fn element_of(element: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = match parts.next() {
        None => MOST,
        Some(parameter) => {
            let (key, value) = parameter.split_at(parameter.iter().position(|byte| *byte == b'=')?);
            if !key.trim_ascii().eq_ignore_ascii_case(b"q") {
                return None;
            }
            weight_of(value.get(1..)?.trim_ascii())?
        }
    };
    parts.next().is_none().then_some((name, weight))
}

/// `0.25` in thousandths: from 0 to 1, with three digits behind the point at most.
fn weight_of(text: &[u8]) -> Option<u16> {
    let (whole, rest) = text.split_first()?;
    let mut weight = match whole {
        b'0' => 0,
        b'1' => MOST,
        _ => return None,
    };
    let digits = match rest {
        [] => rest,
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut unit = MOST / 10;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        weight += u16::from(digit - b'0') * unit;
        unit /= 10;
    }
    (weight <= MOST).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Coding] = &[Coding::Zstd, Coding::Br, Coding::Gzip];

    fn choose(values: &[&str]) -> Option<Coding> {
        Accepts::of(values.iter().map(|value| value.as_bytes())).choose(ALL)
    }

    #[test]
    fn the_heaviest_wins_and_ours_decides_between_equals() {
        for (field, expected) in [
            ("gzip", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("GZip, Deflate", Some(Coding::Gzip)),
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip, deflate, br", Some(Coding::Br)),
            ("gzip;q=1.0, br;q=0.9", Some(Coding::Gzip)),
            ("br;q=0.001", Some(Coding::Br)),
            (" gzip ; q=0.5 ,\tbr ; Q=0.7 ", Some(Coding::Br)),
            ("*", Some(Coding::Zstd)),
            ("*;q=0.5, gzip;q=0.8", Some(Coding::Gzip)),
            ("*, zstd;q=0", Some(Coding::Br)),
            ("gzip, identity;q=0", Some(Coding::Gzip)),
            ("identity;q=0, *;q=0", None),
            ("gzip;q=0.5, identity", None),
            ("gzip;q=0.5, identity;q=0.5", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("identity", None),
            ("deflate, compress", None),
            ("", None),
        ] {
            assert_eq!(choose(&[field]), expected, "{field}");
        }
        assert_eq!(choose(&["gzip", "br"]), Some(Coding::Br));
        assert_eq!(choose(&[]), None);
        let only_gzip = Accepts::of([&b"br, gzip;q=0.1"[..]].into_iter());
        assert_eq!(only_gzip.choose(&[Coding::Gzip]), Some(Coding::Gzip));
    }

    #[test]
    fn what_is_malformed_is_passed_over() {
        for field in [
            "gzip;q=2",
            "gzip;q=1.001",
            "gzip;q=0.1234",
            "gzip;q=-1",
            "gzip;q=",
            "gzip;q",
            "gzip;q=.5",
            "gzip;q=1;q=1",
            "gzip;level=9",
            "gz ip",
            ";q=1",
            ",,,;;;===",
        ] {
            assert_eq!(choose(&[field]), None, "{field}");
            assert_eq!(
                choose(&[&format!("{field}, br")]),
                Some(Coding::Br),
                "{field}"
            );
        }
    }
}
