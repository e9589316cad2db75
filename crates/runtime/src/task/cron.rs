//! Cron expressions: `minute hour day month weekday`, in UTC.
//!
//! Each field is `*`, a number, a range `a-b`, any of these with a step `/n`, or a list of them with commas. Months and weekdays have
//! names (`jan`, `mon`); 0 and 7 are Sunday. As everywhere, a day fits if it fits either of day and weekday where neither begins with `*`.
//! `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly` stand for the usual ones.
//!
//! **Invariant:** a [`Cron`] has a next time, whatever the time is: what never comes (30 February) is refused.

use std::fmt;

/// A set of times.
#[derive(Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    /// Bit `n` of each: whether `n` fits.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day has to fit both day and weekday.
    both_days: bool,
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({})", self.text)
    }
}

/// What a field may hold.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// The first is `least`.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        least: 0,
        most: 59,
        names: &[],
    },
    Field {
        name: "hour",
        least: 0,
        most: 23,
        names: &[],
    },
    Field {
        name: "day",
        least: 1,
        most: 31,
        names: &[],
    },
    Field {
        name: "month",
        least: 1,
        most: 12,
        names: &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    },
    Field {
        name: "weekday",
        least: 0,
        most: 7,
        names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    },
];

const DAY: u64 = 86_400;
/// A leap year and any weekday come together within so many days (1 March 2072 to 29 February 2104, and the next of that weekday).
const MAX_DAYS: u64 = 366 * 40;

impl Cron {
    /// The times that an expression means.
    pub fn parse(text: &str) -> Result<Cron, String> {
        let text = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other => other,
        };
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let count = fields.len();
        let Ok(fields) = <[&str; 5]>::try_from(fields) else {
            return Err(format!(
                "a cron expression has five fields (minute hour day month weekday), not {count}"
            ));
        };
        let mut sets = [0; 5];
        for ((set, field), text) in sets.iter_mut().zip(&FIELDS).zip(fields) {
            *set = field.parse(text)?;
        }
        let [minutes, hours, days, months, weekdays] = sets;
        let cron = Cron {
            text: text.to_owned(),
            minutes,
            hours,
            days,
            months,
            // 7 is 0.
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            both_days: fields[2].starts_with('*') || fields[4].starts_with('*'),
        };
        match cron.search(0) {
            Some(_) => Ok(cron),
            None => Err(format!("'{text}' never comes")),
        }
    }

    /// The first time after `after`, both in seconds since 1970.
    pub fn next(&self, after: u64) -> u64 {
        self.search(after).unwrap_or(after + MAX_DAYS * DAY)
    }

    fn search(&self, after: u64) -> Option<u64> {
        let first = (after / 60 + 1) * 60;
        let today = first / DAY;
        for day in today..=today + MAX_DAYS {
            if !self.has_day(day) {
                continue;
            }
            let from = if day == today { first % DAY / 60 } else { 0 };
            let time = (from..1440).find(|minute| {
                self.hours >> (minute / 60) & 1 != 0 && self.minutes >> (minute % 60) & 1 != 0
            });
            if let Some(minute) = time {
                return Some(day * DAY + minute * 60);
            }
        }
        None
    }

    /// Whether a day since 1970 fits.
    fn has_day(&self, day: u64) -> bool {
        let (month, of_month) = civil(day);
        // 1 January 1970 was a Thursday.
        let (by_day, by_weekday) = (
            self.days >> of_month & 1 != 0,
            self.weekdays >> ((day + 4) % 7) & 1 != 0,
        );
        let fits = match self.both_days {
            true => by_day && by_weekday,
            false => by_day || by_weekday,
        };
        fits && self.months >> month & 1 != 0
    }
}

impl Field {
    /// The numbers of a field, as bits.
    fn parse(&self, text: &str) -> Result<u64, String> {
        let mut set = 0;
        for item in text.split(',') {
            let (range, step) = match item.split_once('/') {
                Some((range, step)) => (range, Some(step)),
                None => (item, None),
            };
            let (from, to) = match range.split_once('-') {
                _ if range == "*" => (self.least, self.most),
                Some((from, to)) => (self.number(from, item)?, self.number(to, item)?),
                None => {
                    let from = self.number(range, item)?;
                    (from, if step.is_some() { self.most } else { from })
                }
            };
            let step = match step.map(str::parse::<usize>) {
                None => 1,
                Some(Ok(step)) if (1..=60).contains(&step) => step,
                Some(_) => return Err(self.wrong(item, "a step is a number from 1 to 60")),
            };
            if from > to {
                return Err(self.wrong(item, "a range goes from the lower to the higher"));
            }
            for number in (from..=to).step_by(step) {
                set |= 1 << number;
            }
        }
        Ok(set)
    }

    fn number(&self, text: &str, item: &str) -> Result<u32, String> {
        let lower = text.to_ascii_lowercase();
        if let Some(at) = self.names.iter().position(|name| *name == lower) {
            return Ok(self.least + at as u32);
        }
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<u32>() {
            Ok(number) if is_number && (self.least..=self.most).contains(&number) => Ok(number),
            _ => Err(self.wrong(
                item,
                &format!("{} goes from {} to {}", self.name, self.least, self.most),
            )),
        }
    }

    fn wrong(&self, item: &str, why: &str) -> String {
        format!("'{item}' is no {} of a cron expression: {why}", self.name)
    }
}

/// Month and day of the month of a day since 1970 (Howard Hinnant's `civil_from_days`).
fn civil(day: u64) -> (u64, u64) {
    let day = day + 719_468;
    let of_era = day % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    (if month < 10 { month + 3 } else { month - 9 }, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of a time, by counting days: independent of what is tested.
    fn at(year: u64, month: u64, day: u64, hour: u64, minute: u64) -> u64 {
        let leap =
            |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
        let mut days = (1970..year)
            .map(|y| if leap(y) { 366 } else { 365 })
            .sum::<u64>();
        let lengths = [
            31,
            if leap(year) { 29 } else { 28 },
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ];
        days += lengths[..month as usize - 1].iter().sum::<u64>() + day - 1;
        days * DAY + hour * 3600 + minute * 60
    }

    fn check(text: &str, after: u64, expected: &[u64]) {
        let cron = Cron::parse(text).unwrap();
        let mut time = after;
        for expected in expected {
            time = cron.next(time);
            assert_eq!(time, *expected, "{text}");
        }
    }

    #[test]
    fn the_next_time() {
        let noon = at(2026, 11, 27, 12, 0); // a Friday
        check("* * * * *", noon, &[noon + 60, noon + 120]);
        check("* * * * *", noon + 59, &[noon + 60]);
        check("*/15 * * * *", noon, &[noon + 900, noon + 1800]);
        check(
            "5/20 * * * *",
            noon,
            &[noon + 300, noon + 1500, noon + 2700, noon + 3900],
        );
        check(
            "30 9,17 * * *",
            noon,
            &[at(2026, 11, 27, 17, 30), at(2026, 11, 28, 9, 30)],
        );
        check(
            "0 0 * * mon-fri",
            noon,
            &[at(2026, 11, 30, 0, 0), at(2026, 12, 1, 0, 0)],
        );
        check("0 0 * * 7", noon, &[at(2026, 11, 29, 0, 0)]);
        check("0 0 * * 0", noon, &[at(2026, 11, 29, 0, 0)]);
        check(
            "0 0 1 * *",
            noon,
            &[at(2026, 12, 1, 0, 0), at(2027, 1, 1, 0, 0)],
        );
        check(
            "0 0 31 * *",
            noon,
            &[
                at(2026, 12, 31, 0, 0),
                at(2027, 1, 31, 0, 0),
                at(2027, 3, 31, 0, 0),
            ],
        );
        check(
            "0 12 29 feb *",
            noon,
            &[at(2028, 2, 29, 12, 0), at(2032, 2, 29, 12, 0)],
        );
        check("0 0 29 2 *", at(2096, 3, 1, 0, 0), &[at(2104, 2, 29, 0, 0)]);
        check("@daily", noon, &[at(2026, 11, 28, 0, 0)]);
        check("0 0 1 JAN *", noon, &[at(2027, 1, 1, 0, 0)]);
    }

    #[test]
    fn day_or_weekday() {
        let noon = at(2026, 11, 27, 12, 0);
        // The 13th, or any Friday.
        check(
            "0 0 13 * fri",
            noon,
            &[
                at(2026, 12, 4, 0, 0),
                at(2026, 12, 11, 0, 0),
                at(2026, 12, 13, 0, 0),
            ],
        );
        // Both, where one begins with a star.
        check(
            "0 0 */2 * fri",
            noon,
            &[at(2026, 12, 11, 0, 0), at(2026, 12, 25, 0, 0)],
        );
    }

    #[test]
    fn what_is_refused() {
        for (text, why) in [
            ("* * * *", "five fields"),
            ("60 * * * *", "minute goes from 0 to 59"),
            ("* 24 * * *", "hour goes from 0 to 23"),
            ("* * 0 * *", "day goes from 1 to 31"),
            ("* * * 13 *", "month goes from 1 to 12"),
            ("* * * * 8", "weekday goes from 0 to 7"),
            ("* * * * someday", "weekday goes from 0 to 7"),
            ("*/0 * * * *", "a step is"),
            ("9-5 * * * *", "from the lower to the higher"),
            ("+5 * * * *", "minute goes"),
            (", * * * *", "minute goes"),
            ("0 0 30 feb *", "never comes"),
        ] {
            let error = Cron::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
