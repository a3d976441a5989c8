//! Work on blocks and what lies around them: stencils, closures over overlapping blocks, padding.
//!
//! A [`Boundary`] says what lies beyond the ends of an axis. Elements beyond an end stand for
//! elements near it, so that a block is read with its neighbours and nothing else; only periodic
//! axes are read at both ends, through a view that is longer than the array.

mod boundary;
mod mapped;
mod pad;
mod reach;
mod stencil;

pub use boundary::Boundary;
pub use mapped::Overlap;
pub use stencil::StencilForm;
