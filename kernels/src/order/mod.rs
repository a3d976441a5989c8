//! Ordering along an axis: sorting, selecting, searching and counting.
//!
//! Elements are ordered as NumPy orders them: NaN after everything, −0 equal to 0. Each is mapped
//! to an unsigned integer in that order ([`Ordered`]), so one sort and one selection serve every
//! dtype. Columns are copied a cache line of neighbours at a time, into lanes for a radix sort or a
//! selection, or into rows for a sorting network.

mod count;
mod key;
mod lanes;
mod network;
mod quantile;
mod radix;
mod rows;
mod search;
mod sort;
#[cfg(test)]
mod tests;
mod top;
mod unique;

pub use count::{BinError, Bins, bincount, histogram, weighted_bincount, weighted_histogram};
pub use key::{Ordered, Word};
pub use lanes::Lanes;
pub use quantile::{Blend, Method, Place, QuantileRoom, QuantileRule, Quantiles, pick, quantile};
pub use radix::Record;
pub use search::{KEYED_TABLE, Side, Table, digitize};
pub use sort::{IndexRoom, LONGEST, SortRoom, argpartition, argsort, partition, sort};
pub use top::{argtop, top};
pub use unique::{Found, Uniques};
