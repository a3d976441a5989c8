//! Elementwise ops and casts: broadcasting and promotion at the call.

use super::{Expr, NodeKind, complex, infer_chunks};
use crate::geometry::{broadcast_shapes, checked_bytes};
use crate::{Error, Result};
use tilewise_kernels::{DType, Op};

impl Expr {
    /// An op of the table on arrays that broadcast to one shape; arguments are cast to the dtypes
    /// the op computes in.
    ///
    /// # Errors
    /// When the dtypes are not accepted or the shapes do not broadcast; names the op and both sides.
    pub fn op(op: Op, args: &[Expr]) -> Result<Expr> {
        if let Some(made) = complex::function(op, args)? {
            return Ok(made);
        }
        let dtypes: Vec<DType> = args.iter().map(|a| a.dtype).collect();
        let signature = op.infer(&dtypes).map_err(Error::Invalid)?;
        let shapes: Vec<&[usize]> = args.iter().map(|a| &*a.shape).collect();
        let shape = broadcast_shapes(&shapes).map_err(|e| Error::invalid(format!("{}: {e}", op.name)))?;
        checked_bytes(&shape, 16)?;
        let inputs: Vec<Expr> = args
            .iter()
            .zip(&signature.args)
            .map(|(arg, &dtype)| arg.cast(dtype).broadcast_to(&shape))
            .collect::<Result<_>>()?;
        let chunks = infer_chunks::elementwise(&shape, &inputs);
        Ok(Expr::node(
            NodeKind::Op(op),
            inputs,
            shape,
            signature.result,
            chunks,
        ))
    }

    /// The array in another dtype. Floats truncate towards zero to integers, out of range
    /// saturates, NaN gives 0; anything to bool is `!= 0`; integers wrap to narrower ones; complex
    /// numbers become real ones by their real part.
    pub fn cast(&self, dtype: DType) -> Expr {
        if dtype == self.dtype {
            return self.clone();
        }
        let (shape, chunks) = (self.shape.clone(), self.chunks.clone());
        Expr::node(NodeKind::Cast, vec![self.clone()], shape, dtype, chunks)
    }
}
