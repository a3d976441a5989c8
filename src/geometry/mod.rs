//! Geometry: shapes, chunk grids, regions, index maps; pure and exact, overflow-checked.
//!
//! Which bytes a task needs is computed here, never stored per tile.

mod chunks;
mod index_map;
mod region;
mod shape;

pub use chunks::{AxisChunks, Chunks};
pub use index_map::{Access, AxisMap, AxisStep, IndexMap, Selection};
pub use region::Region;
pub use shape::{broadcast_shapes, checked_bytes, element_count, normalize_axis, row_major_strides};
