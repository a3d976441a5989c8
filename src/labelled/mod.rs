//! Named dimensions, coordinates and attributes: what climate users see of an array.
//!
//! Everything here is a composition of array operations; nothing computes on its own.

mod align;
mod along;
mod append;
mod attributes;
pub mod cftime;
mod combine;
mod convert;
mod coord;
mod data_array;
mod dataset;
mod datasets;
mod decode;
mod dot;
mod encode;
mod eval;
mod fft;
mod group;
mod index;
pub mod lang;
mod operators;
mod order;
mod pack;
mod pick;
mod reduce;
mod region;
mod structure;

pub use align::{Operand, apply};
pub use along::Rolling;
pub use append::append;
pub use convert::{Conversion, convert};
pub use coord::{Coord, CoordData};
pub use data_array::{Coords, DataArray};
pub use dataset::Dataset;
pub use datasets::{Datasets, MOST_APART};
pub use dot::dot;
pub use encode::{Encoding, Nowhere, write, write_netcdf};
pub use eval::{evaluate, function_names};
pub use fft::FftOptions;
pub use group::GroupBy;
pub use index::{GroupKey, Index, Label, Values};
pub use order::{Probability, QuantileOptions};
pub use pick::Pick;
pub use reduce::ReduceOptions;
pub use region::write_region;
