//! Many files as one: arrays whose parts lie in different files, opened only while they are read.
//!
//! This is the mechanical side: parts along an axis, a bounded pool of open files, and a catalog
//! that somebody put together. What belongs together is decided by `labelled::combine`.

mod contents;
mod pool;
mod source;

pub use contents::{Joined, JoinedText};
pub use pool::{FilePool, KEPT_OPEN};
pub use source::{Convert, JoinedPart, JoinedSource};
