//! Calendar time: conversion from and to seconds since 1970 in UTC, and the formatting that `os.date` does.
//!
//! **Invariant:** arithmetic is on `i64` with years limited to what fits an `i32`, so nothing here overflows; the local
//! time zone is the host's business (`Host::local_time`).
//!
//! Days are counted in the proleptic Gregorian calendar with years that begin in March, so that the leap day comes
//! last (Howard Hinnant, "chrono-compatible low-level date algorithms").

/// A date and time of day somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CivilTime {
    /// The year, as written.
    pub year: i64,
    /// The month, from 1 (more or less before normalisation).
    pub month: i64,
    /// The day of the month, from 1.
    pub day: i64,
    /// Hours since midnight.
    pub hour: i64,
    /// Minutes of the hour.
    pub minute: i64,
    /// Seconds of the minute.
    pub second: i64,
    /// Days since Sunday.
    pub weekday: i64,
    /// Days since the first of January.
    pub year_day: i64,
    /// Whether summer time is in force; `None`: not known.
    pub summer_time: Option<bool>,
    /// Seconds east of UTC.
    pub utc_offset_s: i64,
    /// The time zone's abbreviation.
    pub zone: String,
}

const DAY_S: i64 = 86_400;
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Days since 1970 of a date; the month must be from 1 to 12.
fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970.
fn date_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + (month <= 2) as i64;
    (year, month, day)
}

/// The UTC time at a number of seconds since 1970; `None` if the year is out of range.
pub fn utc_from_unix(unix_s: i64) -> Option<CivilTime> {
    let days = unix_s.div_euclid(DAY_S);
    let rest = unix_s.rem_euclid(DAY_S);
    let (year, month, day) = date_from_days(days);
    // The reference keeps years since 1900 in a C int.
    i32::try_from(year - 1900).ok()?;
    Some(CivilTime {
        year,
        month,
        day,
        hour: rest / 3600,
        minute: rest / 60 % 60,
        second: rest % 60,
        weekday: (days + 4).rem_euclid(7),
        year_day: days - days_from_date(year, 1, 1),
        summer_time: Some(false),
        utc_offset_s: 0,
        zone: "GMT".to_owned(),
    })
}

/// Seconds since 1970 of a UTC time whose fields may be out of their ranges (each at most an `i32`, the year a little
/// more).
pub fn unix_from_utc(t: &CivilTime) -> i64 {
    let months = t.year * 12 + (t.month - 1);
    let days = days_from_date(months.div_euclid(12), months.rem_euclid(12) + 1, 1) + (t.day - 1);
    days * DAY_S + t.hour * 3600 + t.minute * 60 + t.second
}

/// Conversions that may follow a plain `%`, those that may follow `%E`, and those that may follow `%O` (C99).
const PLAIN: &[u8] = b"aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%";
const ALTERNATIVE: &[u8] = b"cCxXyY";
const DIGITS: &[u8] = b"deHImMSuUVwWy";

/// Appends `t` formatted as `strftime` does in the C locale. `Err`: where in `format` an invalid conversion starts
/// (behind its `%`).
#[cfg(test)]
pub(crate) fn format(t: &CivilTime, format: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let mut at = 0;
    while at < format.len() {
        at = format_some(t, format, at, out)?;
    }
    Ok(())
}

/// As `format`, from offset `from` of the format on and for about [`PIECE`] bytes more; the result is where to go on.
pub(crate) fn format_some(
    t: &CivilTime,
    format: &[u8],
    from: usize,
    out: &mut Vec<u8>,
) -> Result<usize, usize> {
    let mut i = from;
    let end = out.len() + PIECE;
    while i < format.len() && out.len() < end {
        if format[i] != b'%' {
            out.push(format[i]);
            i += 1;
            continue;
        }
        let start = i + 1;
        let (set, at) = match format.get(start) {
            Some(b'E') => (ALTERNATIVE, start + 1),
            Some(b'O') => (DIGITS, start + 1),
            _ => (PLAIN, start),
        };
        match format.get(at) {
            Some(c) if set.contains(c) => convert(t, *c, out),
            _ => return Err(start),
        }
        i = at + 1;
    }
    Ok(i)
}

/// Bytes made at once of a long format.
const PIECE: usize = 512;

fn convert(t: &CivilTime, conversion: u8, out: &mut Vec<u8>) {
    let day_name = DAYS[t.weekday.rem_euclid(7) as usize];
    let month_name = MONTHS[(t.month - 1).rem_euclid(12) as usize];
    let hour12 = if t.hour % 12 == 0 { 12 } else { t.hour % 12 };
    let half = if t.hour < 12 { "AM" } else { "PM" };
    let clock = format!("{:02}:{:02}:{:02}", t.hour, t.minute, t.second);
    let american = || {
        let year = t.year.rem_euclid(100);
        format!("{:02}/{:02}/{year:02}", t.month, t.day)
    };
    let text = match conversion {
        b'a' => day_name[..3].to_owned(),
        b'A' => day_name.to_owned(),
        b'b' | b'h' => month_name[..3].to_owned(),
        b'B' => month_name.to_owned(),
        b'c' => {
            let (day, month) = (&day_name[..3], &month_name[..3]);
            format!("{day} {month} {:2} {clock} {}", t.day, t.year)
        }
        b'C' => format!("{:02}", t.year.div_euclid(100)),
        b'd' => format!("{:02}", t.day),
        b'D' | b'x' => american(),
        b'e' => format!("{:2}", t.day),
        b'F' => format!("{}-{:02}-{:02}", t.year, t.month, t.day),
        b'g' => format!("{:02}", iso_week(t).0.rem_euclid(100)),
        b'G' => iso_week(t).0.to_string(),
        b'H' => format!("{:02}", t.hour),
        b'I' => format!("{hour12:02}"),
        b'j' => format!("{:03}", t.year_day + 1),
        b'm' => format!("{:02}", t.month),
        b'M' => format!("{:02}", t.minute),
        b'n' => "\n".to_owned(),
        b'p' => half.to_owned(),
        b'r' => format!("{hour12:02}:{:02}:{:02} {half}", t.minute, t.second),
        b'R' => format!("{:02}:{:02}", t.hour, t.minute),
        b'S' => format!("{:02}", t.second),
        b't' => "\t".to_owned(),
        b'T' | b'X' => clock,
        b'u' => if t.weekday == 0 { 7 } else { t.weekday }.to_string(),
        b'U' => format!("{:02}", (t.year_day + 7 - t.weekday) / 7),
        b'V' => format!("{:02}", iso_week(t).1),
        b'w' => t.weekday.to_string(),
        b'W' => format!("{:02}", (t.year_day + 7 - (t.weekday + 6) % 7) / 7),
        b'y' => format!("{:02}", t.year.rem_euclid(100)),
        b'Y' => t.year.to_string(),
        b'z' => {
            let minutes = t.utc_offset_s.abs() / 60;
            let sign = if t.utc_offset_s < 0 { '-' } else { '+' };
            format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
        }
        b'Z' => t.zone.clone(),
        _ => "%".to_owned(),
    };
    out.extend_from_slice(text.as_bytes());
}

/// The ISO 8601 year and week: weeks begin on Monday, and week 1 has the year's first Thursday.
fn iso_week(t: &CivilTime) -> (i64, i64) {
    let day = days_from_date(t.year, t.month, t.day);
    let thursday = day - (t.weekday + 6) % 7 + 3;
    let (year, _, _) = date_from_days(thursday);
    (year, (thursday - days_from_date(year, 1, 1)) / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(unix_s: i64, f: &str) -> String {
        let mut out = Vec::new();
        let t = utc_from_unix(unix_s).expect("in range");
        format(&t, f.as_bytes(), &mut out).expect("a valid format");
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn days_and_dates_are_inverse() {
        for days in (-1_000_000..1_000_000).step_by(997) {
            let (y, m, d) = date_from_days(days);
            assert_eq!(days_from_date(y, m, d), days);
        }
        assert_eq!(date_from_days(0), (1970, 1, 1));
        assert_eq!(date_from_days(11_016), (2000, 2, 29));
    }

    // Expectations printed by `date -u` and the reference's os.date.
    #[test]
    fn formats_as_strftime() {
        assert_eq!(
            show(0, "%c|%x|%X|%p|%j"),
            "Thu Jan  1 00:00:00 1970|01/01/70|00:00:00|AM|001"
        );
        assert_eq!(
            show(1_000_000_000, "%U %V %W %G %g %u %w"),
            "36 36 36 2001 01 7 0"
        );
        assert_eq!(
            show(1_000_000_000, "%r %R %e %h %C %Z %z %%"),
            "01:46:40 AM 01:46  9 Sep 20 GMT +0000 %"
        );
        assert_eq!(
            show(-62_201_779_200, "%Y %C %y %G %g %V"),
            "-2 -1 98 -2 98 48"
        );
        assert_eq!(show(253_402_300_800, "%F"), "10000-01-01");
        assert_eq!(show(1_136_073_600, "%G-W%V-%u"), "2005-W52-7");
        assert_eq!(show(1_104_537_600, "%G-W%V-%u"), "2004-W53-6");
        assert_eq!(show(0, "%Ex %EY %Od %OV"), "01/01/70 1970 01 01");
    }

    #[test]
    fn refuses_what_c99_does_not_have() {
        let t = utc_from_unix(0).expect("in range");
        for (f, at) in [
            ("%Q hello", 1),
            ("x%", 2),
            ("%Ez", 1),
            ("%OY", 1),
            ("%E", 1),
            ("%i", 1),
        ] {
            assert_eq!(format(&t, f.as_bytes(), &mut Vec::new()), Err(at), "{f}");
        }
    }

    #[test]
    fn fields_out_of_range_are_normalised() {
        let t = CivilTime {
            year: 2000,
            month: 14,
            day: -3,
            hour: 40,
            minute: 90,
            second: 90,
            ..utc_from_unix(0).expect("in range")
        };
        assert_eq!(unix_from_utc(&t), 980_789_490);
        assert_eq!(utc_from_unix(1 << 62), None);
        assert_eq!(utc_from_unix(i64::MIN), None);
        assert_eq!(utc_from_unix(1 << 55).map(|t| t.year), Some(1_141_709_097));
        let far = CivilTime {
            year: i32::MAX as i64 + 1900,
            month: i32::MAX as i64,
            ..t
        };
        assert!(unix_from_utc(&far) > 0);
    }
}
