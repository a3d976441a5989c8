//! The calendars of CF: day numbers to dates and back, exactly.
//!
//! Every calendar counts days from its own 1970-01-01, so that times are plain integers and two
//! times of one calendar compare and subtract without knowing anything of months. The standard and
//! the Julian calendar have no year 0, as in CF: the year before 1 is -1.

use crate::{Error, Result};

/// A CF calendar.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Calendar {
    /// `standard` or `gregorian`: Julian up to 1582-10-04, Gregorian from 1582-10-15.
    Standard,
    /// Gregorian extended backwards.
    ProlepticGregorian,
    /// `noleap` or `365_day`.
    NoLeap,
    /// `all_leap` or `366_day`.
    AllLeap,
    /// Twelve months of 30 days.
    Day360,
    /// Every fourth year is a leap year.
    Julian,
}

/// A calendar date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Date {
    /// The year; negative before year 1.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

/// Names accepted in a `calendar` attribute; the first of a calendar is the one written.
const NAMES: [(&str, Calendar); 10] = [
    ("standard", Calendar::Standard),
    ("gregorian", Calendar::Standard),
    ("proleptic_gregorian", Calendar::ProlepticGregorian),
    ("noleap", Calendar::NoLeap),
    ("365_day", Calendar::NoLeap),
    ("all_leap", Calendar::AllLeap),
    ("366_day", Calendar::AllLeap),
    ("360_day", Calendar::Day360),
    ("julian", Calendar::Julian),
    ("none", Calendar::Standard),
];

/// The first Julian day number of the Gregorian calendar: 1582-10-15.
const GREGORIAN_START: i64 = 2_299_161;

/// Days before each month of a common year, and the length of the year.
const CUMULATIVE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/// The same for a leap year.
const CUMULATIVE_LEAP: [i64; 13] = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366];

impl Calendar {
    /// The calendar of a CF `calendar` attribute, letter case ignored.
    ///
    /// # Errors
    /// Lists the calendars when the name is not one of them (or is `none`, which has no dates).
    pub fn parse(name: &str) -> Result<Calendar> {
        let lower = name.trim().to_ascii_lowercase();
        let known = NAMES.iter().find(|(n, _)| *n == lower && lower != "none");
        known.map(|(_, calendar)| *calendar).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(n, _)| *n).filter(|n| *n != "none").collect();
            Error::invalid(format!(
                "calendar {name:?} is not supported; the calendars are {}",
                names.join(", ")
            ))
        })
    }

    /// Its CF name.
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, c)| *c == self)
            .map_or("standard", |(n, _)| n)
    }

    /// Whether a year 0 precedes year 1.
    fn has_year_zero(self) -> bool {
        !matches!(self, Calendar::Standard | Calendar::Julian)
    }

    /// Years counted without a gap.
    fn gapless(self, year: i64) -> i64 {
        year + i64::from(year < 0 && !self.has_year_zero())
    }

    /// The year after.
    pub fn next_year(self, year: i64) -> i64 {
        year + if year == -1 && !self.has_year_zero() { 2 } else { 1 }
    }

    /// Whether `year` has a 29 February.
    pub fn is_leap(self, year: i64) -> bool {
        let year = self.gapless(year);
        let gregorian = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        match self {
            Calendar::NoLeap | Calendar::Day360 => false,
            Calendar::AllLeap => true,
            Calendar::Julian => year % 4 == 0,
            Calendar::ProlepticGregorian => gregorian,
            Calendar::Standard if year > 1582 => gregorian,
            Calendar::Standard => year % 4 == 0,
        }
    }

    /// Days of a month.
    pub fn month_length(self, year: i64, month: u32) -> u32 {
        let table = self.cumulative(year);
        let at = (month.clamp(1, 12) - 1) as usize;
        (table[at + 1] - table[at]) as u32
    }

    /// Days before each month of `year`, and its length.
    fn cumulative(self, year: i64) -> [i64; 13] {
        match self {
            Calendar::Day360 => std::array::from_fn(|month| 30 * month as i64),
            _ if self.is_leap(year) => CUMULATIVE_LEAP,
            _ => CUMULATIVE,
        }
    }

    /// The day number of a date; 1970-01-01 is 0.
    ///
    /// # Errors
    /// When the calendar has no such date (30 February, or 1582-10-10 in `standard`).
    pub fn day_number(self, date: Date) -> Result<i64> {
        let Date { year, month, day } = date;
        let exists = (1..=12).contains(&month)
            && day >= 1
            && day <= self.month_length(year, month)
            && (year != 0 || self.has_year_zero())
            && !(self == Calendar::Standard && year == 1582 && month == 10 && (5..=14).contains(&day));
        if !exists || year.abs() > 250_000 {
            return Err(Error::invalid(format!(
                "the {} calendar has no date {date}",
                self.name()
            )));
        }
        let gapless = Date {
            year: self.gapless(year),
            ..date
        };
        Ok(match self {
            Calendar::NoLeap | Calendar::AllLeap | Calendar::Day360 => {
                let table = self.cumulative(year);
                (year - 1970) * table[12] + table[(month - 1) as usize] + i64::from(day) - 1
            }
            Calendar::ProlepticGregorian => gregorian_number(date) - gregorian_number(EPOCH),
            Calendar::Julian => julian_number(gapless) - julian_number(EPOCH),
            Calendar::Standard => {
                let gregorian = gregorian_number(gapless);
                let number = if gregorian >= GREGORIAN_START {
                    gregorian
                } else {
                    julian_number(gapless)
                };
                number - gregorian_number(EPOCH)
            }
        })
    }

    /// The date of a day number.
    pub fn date(self, number: i64) -> Date {
        let mut date = self.gapless_date(number);
        if date.year <= 0 && !self.has_year_zero() {
            date.year -= 1;
        }
        date
    }

    fn gapless_date(self, number: i64) -> Date {
        match self {
            Calendar::NoLeap | Calendar::AllLeap | Calendar::Day360 => {
                let table = self.cumulative(1970);
                let year = 1970 + number.div_euclid(table[12]);
                let rest = number.rem_euclid(table[12]);
                let month = table.partition_point(|&before| before <= rest);
                Date {
                    year,
                    month: month as u32,
                    day: (rest - table[month - 1] + 1) as u32,
                }
            }
            Calendar::ProlepticGregorian => gregorian_date(number + gregorian_number(EPOCH)),
            Calendar::Julian => julian_date(number + julian_number(EPOCH)),
            Calendar::Standard => {
                let julian_day = number + gregorian_number(EPOCH);
                if julian_day >= GREGORIAN_START {
                    gregorian_date(julian_day)
                } else {
                    julian_date(julian_day)
                }
            }
        }
    }

    /// The day of the year from 1, as cftime counts it (the ten days of 1582 are counted).
    pub fn day_of_year(self, date: Date) -> u32 {
        let before = self.cumulative(date.year)[(date.month - 1) as usize];
        before as u32 + date.day
    }
}

const EPOCH: Date = Date {
    year: 1970,
    month: 1,
    day: 1,
};

/// Julian day number of a Gregorian date. Years run from March so that 29 February comes last.
fn gregorian_number(date: Date) -> i64 {
    let (year, day_of_year) = march_year(date);
    day_of_year + 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + 1_721_120
}

/// Julian day number of a Julian date.
fn julian_number(date: Date) -> i64 {
    let (year, day_of_year) = march_year(date);
    day_of_year + 365 * year + year.div_euclid(4) + 1_721_118
}

/// The year that began in March and the day in it, from 0.
fn march_year(date: Date) -> (i64, i64) {
    let month = i64::from((date.month + 9) % 12);
    let year = date.year - i64::from(date.month <= 2);
    (year, (153 * month + 2) / 5 + i64::from(date.day) - 1)
}

fn from_march_year(year: i64, day_of_year: i64) -> Date {
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = (month + 2) % 12 + 1;
    Date {
        year: year + i64::from(month <= 2),
        month: month as u32,
        day: day as u32,
    }
}

fn gregorian_date(julian_day: i64) -> Date {
    let days = julian_day - 1_721_120;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    from_march_year(era * 400 + year, of_era - (365 * year + year / 4 - year / 100))
}

fn julian_date(julian_day: i64) -> Date {
    let days = julian_day - 1_721_118;
    let era = days.div_euclid(1461);
    let of_era = days.rem_euclid(1461);
    let year = (of_era - of_era / 1460) / 365;
    from_march_year(era * 4 + year, of_era - 365 * year)
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Calendar; 6] = [
        Calendar::Standard,
        Calendar::ProlepticGregorian,
        Calendar::NoLeap,
        Calendar::AllLeap,
        Calendar::Day360,
        Calendar::Julian,
    ];

    #[test]
    fn every_day_of_2500_years_goes_there_and_back() {
        for calendar in ALL {
            let mut last = calendar.date(-720_000);
            for number in -719_999..190_000 {
                let date = calendar.date(number);
                assert!(date > last, "{calendar:?}: {date} after {last}");
                assert_eq!(calendar.day_number(date).unwrap(), number, "{calendar:?} {date}");
                last = date;
            }
        }
    }

    #[test]
    fn the_gregorian_reform_skips_ten_days() {
        let date = |year, month, day| Date { year, month, day };
        let before = Calendar::Standard.day_number(date(1582, 10, 4)).unwrap();
        assert_eq!(
            Calendar::Standard.day_number(date(1582, 10, 15)).unwrap(),
            before + 1
        );
        let text = Calendar::Standard
            .day_number(date(1582, 10, 10))
            .unwrap_err()
            .to_string();
        assert_eq!(text, "the standard calendar has no date 1582-10-10");
        assert!(Calendar::NoLeap.day_number(date(2000, 2, 29)).is_err());
        assert!(Calendar::Day360.day_number(date(2000, 2, 30)).is_ok());
        // 1970-01-01 is Julian day 2440588; Julian 1970-01-01 falls 13 days later.
        assert_eq!(gregorian_number(EPOCH), 2_440_588);
        assert_eq!(julian_number(EPOCH), 2_440_601);
    }

    #[test]
    fn names_are_cfs() {
        for (name, calendar) in NAMES.iter().filter(|(n, _)| *n != "none") {
            assert_eq!(Calendar::parse(&name.to_uppercase()).unwrap(), *calendar);
        }
        assert!(
            Calendar::parse("none")
                .unwrap_err()
                .to_string()
                .contains("360_day")
        );
        assert_eq!(Calendar::Day360.name(), "360_day");
    }
}
