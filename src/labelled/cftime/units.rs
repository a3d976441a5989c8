//! CF time units: `days since 1850-01-01 00:00:00 +01:00`, numbers to exact microseconds and back.
//!
//! The whole part of a number is scaled in integers and only the rest in floating point, so that
//! 674 885.5 days are as exact as 0.5 days.

use super::calendar::Calendar;
use super::moment::{DAY, HOUR, MINUTE, Moment, SECOND};
use crate::{Error, Result};

/// A unit of elapsed time and the moment it counts from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimeUnits {
    /// Microseconds of one unit.
    step: i64,
    /// The name of the unit as written.
    unit: String,
    /// What is counted from.
    reference: Moment,
}

/// Unit names by their length in microseconds.
const UNITS: [(&[&str], i64); 7] = [
    (&["microseconds", "microsecond", "microsec", "microsecs", "us"], 1),
    (
        &[
            "milliseconds",
            "millisecond",
            "millisec",
            "millisecs",
            "msec",
            "msecs",
            "ms",
        ],
        1000,
    ),
    (&["seconds", "second", "sec", "secs", "s"], SECOND),
    (&["minutes", "minute", "min", "mins"], MINUTE),
    (&["hours", "hour", "hr", "hrs", "h"], HOUR),
    (&["days", "day", "d"], DAY),
    (&["weeks", "week"], 7 * DAY),
];

impl TimeUnits {
    /// Parses a `units` attribute; `None` when it is not of the form `<unit> since <date>`.
    ///
    /// # Errors
    /// When it is of that form, but the unit is no fixed length of time (`years`; `months`, except
    /// in the 360_day calendar) or the reference is no date of the calendar.
    pub fn parse(units: &str, calendar: Calendar) -> Result<Option<TimeUnits>> {
        let mut words = units.split_whitespace();
        let (Some(unit), Some(since)) = (words.next(), words.next()) else {
            return Ok(None);
        };
        if !since.eq_ignore_ascii_case("since") {
            return Ok(None);
        }
        let rest: Vec<&str> = words.collect();
        let lower = unit.to_ascii_lowercase();
        let varies = ["month", "year", "common_year"].contains(&lower.trim_end_matches('s'));
        if varies && !(calendar == Calendar::Day360 && lower.starts_with("month")) {
            return Err(Error::invalid(format!(
                "time units {units:?}: {unit} have no fixed length; convert the axis to days"
            )));
        }
        let step = UNITS
            .iter()
            .find(|(names, _)| names.contains(&lower.as_str()))
            .map(|(_, step)| *step)
            .or_else(|| lower.starts_with("month").then_some(30 * DAY))
            .ok_or_else(|| {
                Error::invalid(format!(
                    "time units {units:?}: {unit:?} is no unit of time; use days, hours, minutes or seconds"
                ))
            })?;
        let reference = Moment::parse(&rest.join(" "), calendar)
            .map_err(|e| Error::invalid(format!("time units {units:?}: {e}")))?;
        Ok(Some(TimeUnits {
            step,
            unit: unit.to_string(),
            reference,
        }))
    }

    /// The calendar counted in.
    pub fn calendar(&self) -> Calendar {
        self.reference.calendar
    }

    /// Microseconds of one unit.
    pub fn microseconds(&self) -> f64 {
        self.step as f64
    }

    /// The moment of a number, to the nearest microsecond; `None` for NaN and for what lies
    /// further than 290 000 years away.
    pub fn decode(&self, value: f64) -> Option<Moment> {
        if !value.is_finite() {
            return None;
        }
        let whole = value.trunc();
        let part = ((value - whole) * self.step as f64).round_ties_even();
        let whole = (whole as i128).checked_mul(i128::from(self.step))?;
        self.moment(
            whole
                .checked_add(part as i128)?
                .checked_add(i128::from(self.reference.micros))?,
        )
    }

    /// The moment of an integer number.
    pub fn decode_integer(&self, value: i64) -> Option<Moment> {
        self.moment(i128::from(self.reference.micros) + i128::from(value) * i128::from(self.step))
    }

    fn moment(&self, micros: i128) -> Option<Moment> {
        let micros = i64::try_from(micros).ok()?;
        Some(Moment {
            micros,
            calendar: self.reference.calendar,
        })
    }

    /// The whole number of a moment of the same calendar, where it is one.
    pub fn encode_integer(&self, moment: Moment) -> Option<i64> {
        let micros = i128::from(moment.micros) - i128::from(self.reference.micros);
        let step = i128::from(self.step);
        (micros % step == 0).then_some(())?;
        i64::try_from(micros / step).ok()
    }

    /// The same moment to count from in another unit.
    ///
    /// # Errors
    /// When it is no unit of time.
    pub fn in_unit(&self, unit: &str) -> Result<TimeUnits> {
        let found = UNITS.iter().find(|(names, _)| names.contains(&unit));
        let (_, step) = found.ok_or_else(|| Error::invalid(format!("{unit:?} is no unit of time")))?;
        Ok(TimeUnits {
            step: *step,
            unit: unit.to_string(),
            reference: self.reference,
        })
    }

    /// The number of a moment of the same calendar.
    pub fn encode(&self, moment: Moment) -> f64 {
        let micros = i128::from(moment.micros) - i128::from(self.reference.micros);
        let step = i128::from(self.step);
        micros.div_euclid(step) as f64 + micros.rem_euclid(step) as f64 / step as f64
    }
}

impl std::fmt::Display for TimeUnits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} since {}", self.unit, self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> TimeUnits {
        TimeUnits::parse(text, Calendar::ProlepticGregorian)
            .unwrap()
            .unwrap()
    }

    #[test]
    fn references_are_read_as_written_by_models() {
        for (text, want) in [
            ("days since 1850-01-01", "1850-01-01 00:00:00"),
            ("days since 1850-1-1", "1850-01-01 00:00:00"),
            ("days since 1-1-1 0:0:0", "0001-01-01 00:00:00"),
            ("hours since 1900-01-01 00:00:0.0", "1900-01-01 00:00:00"),
            ("Seconds since 2019-07-15T11:23:31", "2019-07-15 11:23:31"),
            ("days since 1949-12-01T00:00:00Z", "1949-12-01 00:00:00"),
            ("hours since 2000-01-01 06:00:00 +01:00", "2000-01-01 05:00:00"),
            ("hours since 2000-01-01 06:00 -6", "2000-01-01 12:00:00"),
            (
                "minutes since 2000-01-01 06:30:00.250000 UTC",
                "2000-01-01 06:30:00.250000",
            ),
            ("days since 0000-01-01", "0000-01-01 00:00:00"),
        ] {
            assert_eq!(units(text).reference.to_string(), want, "{text}");
        }
    }

    #[test]
    fn what_has_no_fixed_length_is_refused() {
        for unit in ["months", "years", "year", "common_years"] {
            let text = TimeUnits::parse(&format!("{unit} since 2000-01-01"), Calendar::Standard)
                .unwrap_err()
                .to_string();
            assert!(text.contains(unit) && text.contains("no fixed length"), "{text}");
        }
        assert!(TimeUnits::parse("fortnights since 2000-01-01", Calendar::Standard).is_err());
        assert!(TimeUnits::parse("days since 2000-13-01", Calendar::Standard).is_err());
        assert!(TimeUnits::parse("days since yesterday", Calendar::Standard).is_err());
        assert_eq!(TimeUnits::parse("K", Calendar::Standard).unwrap(), None);
        assert_eq!(
            TimeUnits::parse("days per year", Calendar::Standard).unwrap(),
            None
        );
    }

    #[test]
    fn large_numbers_lose_no_microsecond() {
        let days = units("days since 0001-01-01");
        let noon = days.decode(730_119.5).unwrap();
        assert_eq!(noon.to_string(), "2000-01-01 12:00:00");
        assert_eq!(days.encode(noon), 730_119.5);
        let odd = days.decode(730_119.0 + 0.5f64.powi(20)).unwrap();
        assert_eq!(odd.micros.rem_euclid(DAY), 82_397, "2^-20 days are 82397.46 µs");
        assert_eq!(days.decode(f64::NAN), None);
        assert_eq!(days.decode(1e300), None);
        assert_eq!(days.decode_integer(i64::MAX), None);
        assert_eq!(days.encode_integer(noon), None);
        let hours = days.in_unit("hours").unwrap();
        assert_eq!(hours.encode_integer(noon), Some(730_119 * 24 + 12));
        assert_eq!(hours.to_string(), "hours since 0001-01-01 00:00:00");
        assert!(days.in_unit("fortnights").is_err());
        assert_eq!(days.decode(-1.25).unwrap().to_string(), "0000-12-30 18:00:00");
    }
}
