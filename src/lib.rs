//! tilewise: a GPU-accelerated, blocked-array computing engine.
//!
//! A lazy array far larger than memory is tiled into chunks; whole expressions are fused into
//! kernels that run on CPU threads or, as WGSL, on any GPU; tiles live under a memory bound that
//! is proved before the run and kept during it.

mod error;

pub mod device;
pub mod expr;
pub mod geometry;
pub mod io;
pub mod labelled;
pub mod measure;
pub mod plan;
pub mod session;
pub mod store;

pub use error::{Error, Result, human_bytes};
pub use expr::{Boundary, Norm};
pub use session::{Array, Session};
pub use tilewise_kernels as kernels;
pub use tilewise_kernels::fft::Transform;
pub use tilewise_kernels::{Complex32, Complex64, DType, Op, ReduceKind, Reduction, Scalar, bf16, f16};

/// The examples of the README, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
