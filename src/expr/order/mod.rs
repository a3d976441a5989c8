//! Sorting, selecting, searching and counting, as block operations.

pub(super) mod axis;
mod count;
mod quantile;
mod search;
mod sort;

pub use count::{BinSpec, Bincount, Histogram};
pub use quantile::Quantile;
pub use search::{Digitize, Searchsorted};
pub use sort::{Order, Ordering};
