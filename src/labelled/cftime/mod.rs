//! CF time: numbers with units and a calendar to moments, their fields, and text to ranges.
//!
//! Climate models count time in six calendars. Times stay numbers in arrays and files, and only
//! labels, groups and selections look at them as dates.

mod calendar;
mod moment;
mod units;

pub use calendar::{Calendar, Date};
pub use moment::{Field, Moment, SEASONS};
pub use units::TimeUnits;

/// The present moment as `2026-11-20T13:36:43Z`, for a file's history.
pub fn now() -> String {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let moment = Moment {
        micros: since.as_secs() as i64 * moment::SECOND,
        calendar: Calendar::ProlepticGregorian,
    };
    format!("{}Z", moment.to_string().replace(' ', "T"))
}
