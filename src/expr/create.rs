//! Leaves of the graph: sources, scalars, ranges, and user closures.

use super::{Expr, NodeKind};
use crate::geometry::{Chunks, IndexMap, checked_bytes};
use crate::store::Source;
use crate::{Error, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tilewise_kernels::{DType, Op, Scalar};

/// The function of a [`Custom`] node: the dense bytes of each input's block, the block's extents,
/// its origin in the array, and the dense bytes of the result to fill.
pub type BlockFn = dyn Fn(&[&[u8]], &[usize], &[usize], &mut [u8]) -> Result<()> + Send + Sync;

/// A user's closure that is run on each block.
#[derive(Clone)]
pub struct Custom {
    name: String,
    identity: u64,
    run: Arc<BlockFn>,
}

impl Custom {
    /// A closure under a name for plans and messages.
    pub fn new(name: impl Into<String>, run: Arc<BlockFn>) -> Custom {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Custom {
            name: name.into(),
            identity: NEXT.fetch_add(1, Ordering::Relaxed),
            run,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Two closures are never taken for the same.
    pub(crate) fn identity(&self) -> u64 {
        self.identity
    }

    /// Runs it on a block.
    ///
    /// # Errors
    /// What the closure returns.
    pub fn run(&self, inputs: &[&[u8]], shape: &[usize], origin: &[usize], out: &mut [u8]) -> Result<()> {
        (self.run)(inputs, shape, origin, out)
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name, self.identity)
    }
}

impl Expr {
    /// An outside array, under its stored chunks or, stored in one piece, one chunk.
    ///
    /// # Errors
    /// When its size does not fit 64 bits.
    pub fn source(source: Arc<dyn Source>) -> Result<Expr> {
        let shape = source.shape().to_vec();
        let dtype = source.dtype();
        checked_bytes(&shape, dtype.size())?;
        let chunks = match source.chunks() {
            Some(chunk) => Chunks::regular(&shape, chunk),
            None => Chunks::single(&shape),
        };
        Ok(Expr::node(NodeKind::Source(source), vec![], shape, dtype, chunks))
    }

    /// One value, shape `[]`.
    pub fn scalar(value: Scalar) -> Expr {
        Expr::node(
            NodeKind::Scalar(value),
            vec![],
            vec![],
            value.dtype(),
            Chunks::single(&[]),
        )
    }

    /// An array that holds `value` everywhere.
    ///
    /// # Errors
    /// When its size does not fit 64 bits.
    pub fn full(shape: &[usize], value: Scalar) -> Result<Expr> {
        Expr::scalar(value).broadcast_to(shape)
    }

    /// The index along `axis` of an array of that shape, `I64`.
    ///
    /// # Errors
    /// When the axis is out of range or the size does not fit 64 bits.
    pub fn index(shape: &[usize], axis: usize) -> Result<Expr> {
        checked_bytes(shape, 8)?;
        if axis >= shape.len() {
            return Err(Error::invalid(format!(
                "axis {axis} is out of range for shape {shape:?}"
            )));
        }
        let kind = NodeKind::Index { axis };
        Ok(Expr::node(
            kind,
            vec![],
            shape.to_vec(),
            DType::I64,
            Chunks::single(shape),
        ))
    }

    /// `start, start + step, …`: `count` values in `dtype`, computed in f64 for floats and in
    /// wrapping i64 for integers, as NumPy's `arange`.
    ///
    /// # Errors
    /// When the dtype is bool.
    pub fn arange(start: Scalar, step: Scalar, count: usize, dtype: DType) -> Result<Expr> {
        let wide = if dtype.is_float() { DType::F64 } else { DType::I64 };
        if dtype == DType::Bool {
            return Err(Error::invalid(
                "arange has no bool; use astype(\"bool\") on its result",
            ));
        }
        let index = Expr::index(&[count], 0)?.cast(wide);
        let scaled = Expr::op(named("multiply")?, &[index, Expr::scalar(step).cast(wide)])?;
        Ok(Expr::op(named("add")?, &[scaled, Expr::scalar(start).cast(wide)])?.cast(dtype))
    }

    /// A user's closure on each block of inputs of one shape; the result has that shape.
    ///
    /// # Errors
    /// When there is no input or shapes differ.
    pub fn custom(custom: Custom, inputs: &[Expr], dtype: DType) -> Result<Expr> {
        let Some(first) = inputs.first() else {
            return Err(Error::invalid(format!(
                "{}: map_blocks needs an array",
                custom.name()
            )));
        };
        if let Some(other) = inputs.iter().find(|i| i.shape != first.shape) {
            return Err(Error::invalid(format!(
                "{}: map_blocks needs arrays of one shape, got {:?} and {:?}; use broadcast_to",
                custom.name(),
                first.shape,
                other.shape
            )));
        }
        checked_bytes(&first.shape, dtype.size())?;
        let (shape, chunks) = (first.shape.clone(), first.chunks.clone());
        Ok(Expr::node(
            NodeKind::Custom(custom),
            inputs.to_vec(),
            shape,
            dtype,
            chunks,
        ))
    }

    /// A view by an index map; callers guarantee that every index it gives is in range.
    pub(crate) fn view(&self, map: IndexMap) -> Expr {
        if map.is_identity(&self.shape) {
            return self.clone();
        }
        let chunks = super::infer_chunks::through_view(&self.chunks, &map);
        let shape = map.shape.clone();
        Expr::node(NodeKind::View(map), vec![self.clone()], shape, self.dtype, chunks)
    }
}

/// An op of the table by its name.
pub(crate) fn named(name: &str) -> Result<Op> {
    Op::find(name).ok_or_else(|| Error::invalid(format!("there is no elementwise function {name}")))
}
