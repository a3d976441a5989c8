//! What the header of a message says of its field.

use super::grid::Grid;
use std::sync::Arc;

/// Bytes of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    /// Where they begin.
    pub at: u64,
    /// How many they are.
    pub len: u64,
}

/// The quantity of a field by its numbers in the code tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Parameter {
    /// Edition 1: centre, table version, number.
    One(u8, u8, u8),
    /// Edition 2: discipline, category, number, and the centre where a number is its own, else 0.
    Two(u8, u8, u8, u16),
}

/// Where a field holds: the kind of its level by ecCodes' name.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Level {
    /// `isobaricInhPa`, `surface`, ….
    pub kind: String,
    /// Its value, of a layer that of its top.
    pub value: f64,
}

/// Where the values of a field are and how they are packed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Packed {
    /// What describes the packing: section 5 of edition 2; of edition 1 the head of the data.
    pub describes: Span,
    /// The packed values.
    pub values: Span,
    /// One bit for each point that has a value; `None` where all have.
    pub bitmap: Option<Span>,
    /// Points of the grid.
    pub points: usize,
    /// The decimal scale of edition 1.
    pub decimal: i16,
    /// The edition.
    pub edition: u8,
}

/// One field.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// What it is.
    pub parameter: Parameter,
    /// Where it holds.
    pub level: Level,
    /// How it was taken over time: `instant`, `accum`, `avg`, ….
    pub step_type: &'static str,
    /// The member of an ensemble; `None` where it says nothing of one.
    pub number: Option<i64>,
    /// Seconds from 1970 to the reference time.
    pub time: i64,
    /// Seconds from the reference time on.
    pub step: i64,
    /// Its points.
    pub grid: Arc<Grid>,
    /// Its values.
    pub packed: Packed,
}

/// Units of time in seconds by their number in the tables of both editions; `None` for those of no
/// fixed length.
pub(super) fn unit_seconds(unit: u8) -> Option<i64> {
    Some(match unit {
        0 => 60,
        1 => 3600,
        2 => 86_400,
        10 => 3 * 3600,
        11 => 6 * 3600,
        12 => 12 * 3600,
        13 | 254 => 1,
        _ => return None,
    })
}

/// Seconds from 1970 to a date of the Gregorian calendar; `None` where it is none.
pub(super) fn seconds(date: [i64; 6]) -> Option<i64> {
    let [year, month, day, hour, minute, second] = date;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month - 1).ok()?)?;
    let valid = (1..=length).contains(&day) && (0..=24).contains(&hour);
    if !valid || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return None;
    }
    // Days since 1970 by years that begin in March.
    let (y, m) = match month > 2 {
        true => (year, month - 3),
        false => (year - 1, month + 9),
    };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let days =
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_counted() {
        assert_eq!(seconds([1970, 1, 1, 0, 0, 0]), Some(0));
        assert_eq!(seconds([2017, 1, 2, 12, 0, 0]), Some(1_483_358_400));
        assert_eq!(seconds([2000, 2, 29, 23, 59, 59]), Some(951_868_799));
        assert_eq!(seconds([1969, 12, 31, 23, 0, 0]), Some(-3600));
        assert_eq!(seconds([2001, 2, 29, 0, 0, 0]), None);
        assert_eq!(seconds([2001, 0, 1, 0, 0, 0]), None);
        assert_eq!(seconds([2001, 13, 1, 0, 0, 0]), None);
    }
}
