//! One moment of a calendar: its fields, its text, and text with less than a moment in it.
//!
//! `sel(time="1990-03")` means all of that month, so text parses to a range; a reference date is
//! the range's start.

use super::calendar::{Calendar, Date};
use crate::{Error, Result};

/// Microseconds of a second.
pub(super) const SECOND: i64 = 1_000_000;
/// Microseconds of a minute.
pub(super) const MINUTE: i64 = 60 * SECOND;
/// Microseconds of an hour.
pub(super) const HOUR: i64 = 60 * MINUTE;
/// Microseconds of a day.
pub(super) const DAY: i64 = 24 * HOUR;

/// A moment: microseconds since 1970-01-01 00:00 of its calendar.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Moment {
    /// Microseconds since 1970-01-01 00:00.
    pub micros: i64,
    /// The calendar counted in.
    pub calendar: Calendar,
}

/// A field of a moment, as in `time.month`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Field {
    /// The year.
    Year,
    /// 1 to 12.
    Month,
    /// Day of the month from 1.
    Day,
    /// 0 to 23.
    Hour,
    /// 0 to 59.
    Minute,
    /// 0 to 59.
    Second,
    /// Day of the year from 1.
    DayOfYear,
    /// 0 DJF, 1 MAM, 2 JJA, 3 SON.
    Season,
    /// 1 to 4.
    Quarter,
}

/// Names of the seasons by [`Field::Season`].
pub const SEASONS: [&str; 4] = ["DJF", "MAM", "JJA", "SON"];

impl Field {
    /// Every field with xarray's name.
    pub const ALL: [(Field, &'static str); 9] = [
        (Field::Year, "year"),
        (Field::Month, "month"),
        (Field::Day, "day"),
        (Field::Hour, "hour"),
        (Field::Minute, "minute"),
        (Field::Second, "second"),
        (Field::DayOfYear, "dayofyear"),
        (Field::Season, "season"),
        (Field::Quarter, "quarter"),
    ];

    /// The field of that name.
    pub fn parse(name: &str) -> Option<Field> {
        Field::ALL.iter().find(|(_, n)| *n == name).map(|(f, _)| *f)
    }

    /// xarray's name.
    pub fn name(self) -> &'static str {
        Field::ALL
            .iter()
            .find(|(f, _)| *f == self)
            .map_or("?", |(_, n)| n)
    }
}

impl Moment {
    /// The start of a date.
    ///
    /// # Errors
    /// When the calendar has no such date.
    pub fn from_date(date: Date, calendar: Calendar) -> Result<Moment> {
        let micros = calendar.day_number(date)? * DAY;
        Ok(Moment { micros, calendar })
    }

    /// Its date.
    pub fn date(self) -> Date {
        self.calendar.date(self.micros.div_euclid(DAY))
    }

    /// A field of it.
    pub fn field(self, field: Field) -> i64 {
        let date = self.date();
        let of_day = self.micros.rem_euclid(DAY);
        let month = i64::from(date.month);
        match field {
            Field::Year => date.year,
            Field::Month => month,
            Field::Day => i64::from(date.day),
            Field::Hour => of_day / HOUR,
            Field::Minute => of_day % HOUR / MINUTE,
            Field::Second => of_day % MINUTE / SECOND,
            Field::DayOfYear => i64::from(self.calendar.day_of_year(date)),
            Field::Season => month % 12 / 3,
            Field::Quarter => (month - 1) / 3 + 1,
        }
    }

    /// The moment that a text names: the start of the range when it is a partial date.
    ///
    /// # Errors
    /// As [`Moment::parse_range`].
    pub fn parse(text: &str, calendar: Calendar) -> Result<Moment> {
        let (micros, _) = Moment::parse_range(text, calendar)?;
        Ok(Moment { micros, calendar })
    }

    /// The microseconds that `1990`, `1990-03`, `1990-03-05`, `1990-03-05T12`, `…T12:30` or
    /// `…T12:30:15.5` names, first and last, with an optional time zone after a time of day.
    ///
    /// # Errors
    /// When the text has another form or names what the calendar lacks.
    pub fn parse_range(text: &str, calendar: Calendar) -> Result<(i64, i64)> {
        let bad = |what: &str| {
            Error::invalid(format!(
                "{text:?} is no date: {what}; write it as 1990, 1990-03, 1990-03-05 or 1990-03-05T12:00"
            ))
        };
        let trimmed = text.trim();
        let (sign, body) = match trimmed.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, trimmed),
        };
        let date_end = body.find(['T', 't', ' ']).unwrap_or(body.len());
        let (date_text, clock) = (
            &body[..date_end],
            body[date_end..].trim_start_matches(['T', 't']).trim(),
        );
        let mut parts = Vec::new();
        for part in date_text.split('-') {
            let digits = !part.is_empty() && part.len() <= 6 && part.bytes().all(|b| b.is_ascii_digit());
            let number: i64 = part
                .parse()
                .ok()
                .filter(|_| digits)
                .ok_or_else(|| bad("the date is not made of numbers"))?;
            parts.push(number);
        }
        if parts.len() > 3 {
            return Err(bad("it has more than year, month and day"));
        }
        let year = sign * parts[0];
        let month = parts.get(1).copied().unwrap_or(1);
        let day = parts.get(2).copied().unwrap_or(1);
        let date = Date {
            year,
            month: u32::try_from(month).unwrap_or(0),
            day: u32::try_from(day).unwrap_or(0),
        };
        let start = Moment::from_date(date, calendar)?.micros;
        if !clock.is_empty() {
            if parts.len() < 3 {
                return Err(bad("a time of day needs a whole date"));
            }
            let (offset, length) =
                time_of_day(clock).ok_or_else(|| bad("the time of day is not hour:minute:second"))?;
            return Ok((start + offset, start + offset + length - 1));
        }
        let next = match parts.len() {
            3 => start + DAY,
            2 if month < 12 => {
                Moment::from_date(
                    Date {
                        year,
                        month: month as u32 + 1,
                        day: 1,
                    },
                    calendar,
                )?
                .micros
            }
            _ => {
                Moment::from_date(
                    Date {
                        year: calendar.next_year(year),
                        month: 1,
                        day: 1,
                    },
                    calendar,
                )?
                .micros
            }
        };
        Ok((start, next - 1))
    }
}

/// The offset into the day and the length of what is named: `12` an hour, `12:30` a minute,
/// `12:30:15` a second, `12:30:15.5` a microsecond. A time zone is subtracted.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let (clock, zone) = split_zone(text)?;
    let mut fields = clock.split(':');
    let mut offset = 0;
    let mut length = HOUR;
    for (unit, below) in [(HOUR, 24), (MINUTE, 60), (SECOND, 60)] {
        let Some(field) = fields.next() else { break };
        let (whole, fraction) = field.split_once('.').unwrap_or((field, ""));
        let number: i64 = whole
            .parse()
            .ok()
            .filter(|_| whole.bytes().all(|b| b.is_ascii_digit()))?;
        if number >= below || (unit != SECOND && !fraction.is_empty()) {
            return None;
        }
        offset += number * unit;
        length = unit;
        if unit == SECOND && field.contains('.') {
            let digits: String = fraction.chars().take(6).collect();
            let scale = 10i64.pow(6 - digits.len() as u32);
            let nonzero = digits.bytes().any(|b| b != b'0');
            let value: i64 = if digits.is_empty() {
                0
            } else {
                digits.parse().ok()?
            };
            offset += value * scale;
            length = if nonzero { 1 } else { SECOND };
        }
    }
    fields.next().is_none().then_some((offset - zone, length))
}

/// Splits `12:30+01:00`, `12:30 -6`, `12:30Z` or `12:30 UTC` into clock and zone in microseconds.
fn split_zone(text: &str) -> Option<(&str, i64)> {
    let upper = text.to_ascii_uppercase();
    for name in ["UTC", "GMT", "Z"] {
        if upper.ends_with(name) {
            return Some((text[..text.len() - name.len()].trim_end(), 0));
        }
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, 0));
    };
    let sign = if text.as_bytes()[at] == b'-' { -1 } else { 1 };
    let digits = text[at + 1..].replace(':', "");
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    let (hours, minutes) = if digits.len() > 2 {
        (number / 100, number % 100)
    } else {
        (number, 0)
    };
    (hours < 24 && minutes < 60).then_some((text[..at].trim_end(), sign * (hours * HOUR + minutes * MINUTE)))
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of_day = self.micros.rem_euclid(DAY);
        write!(
            f,
            "{} {:02}:{:02}:{:02}",
            self.date(),
            of_day / HOUR,
            of_day % HOUR / MINUTE,
            of_day % MINUTE / SECOND
        )?;
        match of_day % SECOND {
            0 => Ok(()),
            fraction => write!(f, ".{fraction:06}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str, calendar: Calendar) -> (String, String) {
        let (first, last) = Moment::parse_range(text, calendar).unwrap();
        let show = |micros| Moment { micros, calendar }.to_string();
        (show(first), show(last + 1))
    }

    #[test]
    fn partial_dates_are_ranges() {
        for (text, first, after) in [
            ("1990", "1990-01-01 00:00:00", "1991-01-01 00:00:00"),
            ("1990-12", "1990-12-01 00:00:00", "1991-01-01 00:00:00"),
            ("1990-02", "1990-02-01 00:00:00", "1990-03-01 00:00:00"),
            ("1990-03-05", "1990-03-05 00:00:00", "1990-03-06 00:00:00"),
            ("1990-03-05T12", "1990-03-05 12:00:00", "1990-03-05 13:00:00"),
            ("1990-03-05 12:30", "1990-03-05 12:30:00", "1990-03-05 12:31:00"),
            (
                "1990-03-05T12:30:15",
                "1990-03-05 12:30:15",
                "1990-03-05 12:30:16",
            ),
            (
                "1990-03-05T12:30:15.5",
                "1990-03-05 12:30:15.500000",
                "1990-03-05 12:30:15.500001",
            ),
        ] {
            assert_eq!(
                range(text, Calendar::NoLeap),
                (first.into(), after.into()),
                "{text}"
            );
        }
        assert_eq!(range("2000-02", Calendar::Day360).1, "2000-03-01 00:00:00");
        assert_eq!(range("1582-10", Calendar::Standard).1, "1582-11-01 00:00:00");
    }

    #[test]
    fn what_is_no_date_says_what_is() {
        for text in [
            "",
            "-",
            "19x0",
            "1990-13",
            "1990-02-30",
            "1990-1-1-1",
            "1990 12:00",
            "1990-01-01T25",
            "1990-01-01T1:60",
            "1990-01-01T1:2:3:4",
            "1990-01-01T+",
            "1990-01-01T1.5:3",
        ] {
            assert!(Moment::parse_range(text, Calendar::Standard).is_err(), "{text:?}");
        }
        let text = Moment::parse_range("soon", Calendar::Standard)
            .unwrap_err()
            .to_string();
        assert!(text.contains("write it as 1990"), "{text}");
    }

    #[test]
    fn seasons_begin_in_december() {
        let season = |month| {
            let date = Date {
                year: 2001,
                month,
                day: 15,
            };
            SEASONS[Moment::from_date(date, Calendar::Julian)
                .unwrap()
                .field(Field::Season) as usize]
        };
        let all: Vec<&str> = (1..=12).map(season).collect();
        assert_eq!(
            all,
            [
                "DJF", "DJF", "MAM", "MAM", "MAM", "JJA", "JJA", "JJA", "SON", "SON", "SON", "DJF"
            ]
        );
        assert_eq!(Field::parse("dayofyear"), Some(Field::DayOfYear));
        assert_eq!(Field::parse("fortnight"), None);
    }
}
