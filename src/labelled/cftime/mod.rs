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
