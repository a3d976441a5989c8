//! Operations along one axis: scans, windows, differences and derivatives.

mod differences;
mod rolling;
mod scan;

pub use differences::Spacing;
