//! Tiles under a budget, and the doors to outside data.

mod source;

pub use source::{Sink, Source};
