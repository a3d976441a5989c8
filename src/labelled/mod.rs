//! Named dimensions, coordinates and attributes: what climate users see of an array.
//!
//! Everything here is a composition of array operations; nothing computes on its own.

pub mod cftime;
pub mod lang;
