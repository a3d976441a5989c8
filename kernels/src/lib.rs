//! The kernels of tilewise: dtypes, the op table, and the loops over strips.
//!
//! A *strip* is a few thousand elements in cache. This crate gives each op its scalar meaning
//! once and derives from it typed loops over strips for every instruction set, the WGSL snippet,
//! inference and documentation. It never starts threads, touches files or a GPU, or allocates tiles.

mod cast;
mod columns;
mod dtype;
mod element;
pub mod fft;
pub mod gemm;
pub mod limits;
pub mod math;
pub mod ops;
pub mod order;
mod promote;
pub mod reduce;
pub mod scan;
mod stencil;
pub mod stream;
mod strided;
mod transpose;
mod turned;
pub mod window;

pub use cast::{cast_kernel, cast_wgsl};
pub use columns::{Columns, ColumnsMut};
pub use dtype::{DType, DTypeInfo, Kind};
pub use element::{Element, Scalar};
pub use half::{bf16, f16};
pub use num_complex::{Complex, Complex32, Complex64};
pub use ops::{Isa, Op, OpDef, Signature, StripFn};
pub use promote::{Literal, float_of, promote, promote_weak};
pub use reduce::{ReduceKind, Reduction};
pub use stencil::weighted_sum;
pub use strided::{Strided, StridedMut};
pub use transpose::transpose;
