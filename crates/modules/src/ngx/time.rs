//! Times of `ngx`, and dates as HTTP writes them.
//!
//! ```lua
//! ngx.time(), ngx.now()           --> seconds since 1970, whole or with milliseconds
//! ngx.today(), ngx.localtime()    --> "2024-05-17", "2024-05-17 20:56:31", where os.date says we are
//! ngx.utctime()                   --> the same in UTC
//! ngx.http_time(seconds)          --> "Fri, 17 May 2024 20:56:31 GMT"
//! ngx.cookie_time(seconds)        --> "Fri, 17-May-24 20:56:31 GMT"; the year has four digits from 2038 on
//! ngx.parse_http_time(text)       --> seconds since 1970, or nil
//! ngx.update_time()               --> nothing: the time here is never an old one
//! ```
//!
//! **Invariant:** [`parse_http`] reads what [`http`] writes, for every second from 1970 to 9999.

use rille_lua::{Error, Function, Lua, LuaString, Result, Table, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// The last second that is written: the end of the year 9999.
const LAST: i64 = 253_402_300_799;

/// A time in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The year.
    pub year: i64,
    /// From 0.
    pub month: usize,
    /// From 1.
    pub day: i64,
    /// Sunday is 0.
    pub weekday: usize,
    /// From 0 to 23.
    pub hour: i64,
    /// From 0 to 59.
    pub minute: i64,
    /// From 0 to 59.
    pub second: i64,
}

impl Civil {
    /// The first three letters of the month.
    pub fn month_name(&self) -> &'static str {
        MONTHS[self.month]
    }
}

/// The time so many seconds after 1970 began; what is before it or after 9999 is the nearest.
///
/// By Howard Hinnant's algorithm for days: years begin in March, so that leap days are at their end.
pub fn civil(unix_s: i64) -> Civil {
    let unix_s = unix_s.clamp(0, LAST);
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = (from_march + 2) % 12;
    Civil {
        year: era * 400 + year_of_era + i64::from(month < 2),
        month: month as usize,
        day: day_of_year - (153 * from_march + 2) / 5 + 1,
        weekday: ((days + 4) % 7) as usize,
        hour: second / 3600,
        minute: second / 60 % 60,
        second: second % 60,
    }
}

/// Days from 1970 to a day of the Gregorian calendar; months are counted from 0.
fn days_to(year: i64, month: usize, day: i64) -> i64 {
    let year = year - i64::from(month < 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = (month as i64 + 10) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A date of HTTP: `Fri, 17 May 2024 20:56:31 GMT`.
pub fn http(unix_s: i64) -> String {
    let t = civil(unix_s);
    format!(
        "{}, {:02} {} {:4} {:02}:{:02}:{:02} GMT",
        DAYS[t.weekday], t.day, MONTHS[t.month], t.year, t.hour, t.minute, t.second
    )
}

/// The end of a cookie: `Fri, 17-May-24 20:56:31 GMT`, with the whole year from 2038 on.
pub fn cookie(unix_s: i64) -> String {
    let t = civil(unix_s);
    let year = match t.year {
        ..2038 => format!("{:02}", t.year % 100),
        year => year.to_string(),
    };
    format!(
        "{}, {:02}-{}-{year} {:02}:{:02}:{:02} GMT",
        DAYS[t.weekday], t.day, MONTHS[t.month], t.hour, t.minute, t.second
    )
}

/// `2024-05-17 20:56:31`, in UTC.
pub fn utc(unix_s: i64) -> String {
    let t = civil(unix_s);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        t.year,
        t.month + 1,
        t.day,
        t.hour,
        t.minute,
        t.second
    )
}

/// Seconds since 1970 of a date as HTTP has them, in one of its three forms; leniently, as nginx does: names of days are not looked
/// at, those of months by the letters in which they differ, and what is behind the time not at all. (In January and February of the
/// year 0 nginx is some hours off.)
///
/// ```text
/// Sun, 06 Nov 1994 08:49:37 GMT
/// Sunday, 06-Nov-94 08:49:37 GMT
/// Sun Nov  6 08:49:37 1994
/// ```
pub fn parse_http(text: &[u8]) -> Option<i64> {
    let at = text.iter().position(|byte| matches!(byte, b',' | b' '))?;
    let is_asctime = text[at] == b' ';
    let rest = &text[at + 1..];
    let mut date = Reader(&rest[rest.iter().position(|byte| *byte != b' ')?..]);
    if date.0.len() < 18 {
        return None;
    }
    let read = match is_asctime {
        true => date.asctime(),
        false => date.rfc(),
    }?;
    // One second before 1970 is what nginx says for an error.
    read.seconds().filter(|seconds| *seconds != -1)
}

/// A date as it was read.
struct Date {
    year: i64,
    month: usize,
    day: i64,
    time: [i64; 3],
}

impl Date {
    fn seconds(&self) -> Option<i64> {
        const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let year = self.year;
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let longest = LENGTHS.get(self.month)? + i64::from(self.month == 1 && is_leap);
        let [hour, minute, second] = self.time;
        if self.day > longest || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_to(year, self.month, self.day);
        Some(days * 86_400 + hour * 3600 + minute * 60 + second)
    }
}

/// What is left of a date.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// `06 Nov 1994 08:49:37` or `06-Nov-94 08:49:37`
    fn rfc(&mut self) -> Option<Date> {
        let day = self.number(2)?;
        let separator = self.byte()?;
        if !matches!(separator, b' ' | b'-') {
            return None;
        }
        let month = self.month()?;
        self.exactly(separator)?;
        let year = match separator {
            b' ' => self.number(4)?,
            _ => match self.number(2)? {
                year @ ..70 => year + 2000,
                year => year + 1900,
            },
        };
        let time = self.time()?;
        Some(Date {
            year,
            month,
            day,
            time,
        })
    }

    /// `Nov  6 08:49:37 1994`
    fn asctime(&mut self) -> Option<Date> {
        let month = self.month()?;
        self.byte()?;
        if self.0.first() == Some(&b' ') {
            self.byte()?;
        }
        let digits = match self.0.get(1)? {
            b' ' => 1,
            _ => 2,
        };
        let day = self.number(digits)?;
        let time = self.time()?;
        self.exactly(b' ')?;
        let year = self.number(4)?;
        Some(Date {
            year,
            month,
            day,
            time,
        })
    }

    /// ` 08:49:37`
    fn time(&mut self) -> Option<[i64; 3]> {
        self.exactly(b' ')?;
        let hour = self.number(2)?;
        self.exactly(b':')?;
        let minute = self.number(2)?;
        self.exactly(b':')?;
        Some([hour, minute, self.number(2)?])
    }

    /// A month, from 0.
    fn month(&mut self) -> Option<usize> {
        let (name, rest) = self.0.split_at_checked(3)?;
        self.0 = rest;
        Some(match *name {
            [b'J', b'a', _] => 0,
            [b'F', ..] => 1,
            [b'M', _, b'r'] => 2,
            [b'A', b'p', _] => 3,
            [b'M', ..] => 4,
            [b'J', _, b'n'] => 5,
            [b'J', ..] => 6,
            [b'A', ..] => 7,
            [b'S', ..] => 8,
            [b'O', ..] => 9,
            [b'N', ..] => 10,
            [b'D', ..] => 11,
            _ => return None,
        })
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |number, digit| match digit {
            b'0'..=b'9' => Some(number * 10 + i64::from(digit - b'0')),
            _ => None,
        })
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn exactly(&mut self, expected: u8) -> Option<()> {
        (self.byte()? == expected).then_some(())
    }
}

/// Time since 1970.
fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn now_s() -> i64 {
    since_epoch().as_secs() as i64
}

/// Adds the functions.
pub(super) fn install(lua: &Lua, ngx: &Table) -> Result<()> {
    let time = |_: &Lua, ()| Ok(now_s());
    ngx.raw_set("time", lua.create_function(time)?)?;
    let now = |_: &Lua, ()| Ok(since_epoch().as_millis() as f64 / 1000.0);
    ngx.raw_set("now", lua.create_function(now)?)?;
    ngx.raw_set("update_time", lua.create_function(|_, ()| Ok(()))?)?;
    let utctime = |_: &Lua, ()| Ok(utc(now_s()));
    ngx.raw_set("utctime", lua.create_function(utctime)?)?;
    for (name, format) in [("today", "%Y-%m-%d"), ("localtime", "%Y-%m-%d %H:%M:%S")] {
        // Where we are is known to the library.
        let os: Table = lua.globals().raw_get("os")?;
        let date: Function = os.raw_get("date")?;
        let local = move |_: &Lua, ()| date.call::<LuaString>((format, now_s()));
        ngx.raw_set(name, lua.create_function(local)?)?;
    }
    for (name, write) in [
        ("http_time", http as fn(i64) -> String),
        ("cookie_time", cookie),
    ] {
        let write = move |_: &Lua, seconds: Value| match seconds {
            Value::Integer(seconds) => Ok(write(seconds)),
            Value::Number(seconds) => Ok(write(seconds as i64)),
            _ => Err(Error::runtime("number argument only")),
        };
        ngx.raw_set(name, lua.create_function(write)?)?;
    }
    let parse = |_: &Lua, text: Value| match text {
        Value::String(text) => Ok(parse_http(&text.as_bytes())),
        _ => Err(Error::runtime("string argument only")),
    };
    ngx.raw_set("parse_http_time", lua.create_function(parse)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn the_three_forms_of_http() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_http(text.as_bytes()), Some(784_111_777), "{text}");
        }
        assert_eq!(http(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(cookie(784_111_777), "Sun, 06-Nov-94 08:49:37 GMT");
        assert_eq!(cookie(2_145_916_800), "Fri, 01-Jan-2038 00:00:00 GMT");
        assert_eq!(utc(784_111_777), "1994-11-06 08:49:37");
    }

    #[test]
    fn what_is_outside_is_the_nearest() {
        assert_eq!(http(-1), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http(i64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(http(LAST), http(i64::MAX));
    }

    #[test]
    fn dates_that_are_none() {
        for text in [
            "",
            " ",
            ",",
            "Sun, 06 Nov 1994 08:49:3",
            "Sun, 31 Apr 1994 08:49:37 GMT",
            "Sun, 29 Feb 1900 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Sun, 06 Xov 1994 08:49:37 GMT",
            "Sun, 06-Nov 1994 08:49:37 GMT",
            "Sun, 06/Nov/1994 08:49:37 GMT",
            "Sun Nov  6 08:49:37 94  ",
            "Wed, 31 Dec 1969 23:59:59 GMT",
        ] {
            assert_eq!(parse_http(text.as_bytes()), None, "{text}");
        }
        assert!(parse_http(b"Sun, 29 Feb 2000 08:49:37 GMT").is_some());
        assert_eq!(parse_http(b"Wed, 31 Dec 1969 23:59:58 GMT"), Some(-2));
        assert_eq!(parse_http(b"x,   01 Jxx 1970 00:00:00"), Some(181 * 86_400));
    }

    #[test]
    fn every_day_comes_back() {
        for day in 0..=LAST / 86_400 {
            let seconds = day * 86_400 + (day * 7919) % 86_400;
            assert_eq!(parse_http(http(seconds).as_bytes()), Some(seconds));
            let t = civil(seconds);
            let asctime = format!(
                "{} {} {:2} {:02}:{:02}:{:02} {}",
                DAYS[t.weekday], MONTHS[t.month], t.day, t.hour, t.minute, t.second, t.year
            );
            if day % 97 == 0 {
                assert_eq!(parse_http(asctime.as_bytes()), Some(seconds), "{asctime}");
            }
        }
    }

    #[test]
    fn random_text_is_a_date_or_none() {
        let mut random = Random::new(6);
        let mut dates = 0;
        for _ in 0..20_000 {
            let mut text = b"Sun, 06 Nov 1994 08:49:37 GMT".to_vec();
            for _ in 0..random.below(4) {
                let at = random.below(text.len());
                text[at] = b"0129 :,-JunFebOct"[random.below(17)];
            }
            text.truncate(random.below(text.len() + 8).max(16));
            dates += usize::from(parse_http(&text).is_some());
            parse_http(&random.text(40, b"09 :,-JunFeb"));
        }
        assert!(dates > 1000);
    }
}
