//! Fourier transforms along an axis, of any length, complex or real.

mod codelet;
mod factor;
mod kernel;
mod plan;
mod run;
mod tables;
#[cfg(test)]
mod tests;

pub(in crate::device::gpu) use self::tables::Transforms;

/// What is computed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Transform {
    Forward,
    Inverse,
    RealForward,
    RealInverse,
}

/// A transform along an axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub transform: Transform,
    pub axis: usize,
    pub len: usize,
    pub scale: f64,
}
