//! Folding of constants: an op on single values is a single value.

use super::Rule;
use crate::Result;
use crate::expr::{Expr, NodeKind};
use tilewise_kernels::{DType, Isa, Op, Scalar};

/// Replaces `op(c, d)` by its value, also under a broadcast, and `cast(c)` likewise.
pub(crate) struct FoldConstants;

/// The value that an expression repeats everywhere.
fn constant(expr: &Expr) -> Option<Scalar> {
    match &expr.kind {
        NodeKind::Scalar(value) => Some(*value),
        NodeKind::View(_) => constant(&expr.inputs[0]),
        _ => None,
    }
}

/// A dtype's bytes widened to a dtype that has kernels.
fn computes_in(dtype: DType) -> DType {
    if matches!(dtype, DType::F16 | DType::BF16) {
        DType::F32
    } else {
        dtype
    }
}

/// The value of a cast.
pub(crate) fn cast_scalar(value: Scalar, to: DType) -> Scalar {
    let mut out = Lane::default();
    let mut input = Lane::default();
    input.set(&value.bytes());
    let run = tilewise_kernels::cast_kernel(value.dtype(), to, Isa::detect());
    run(
        &[&input.bytes()[..value.dtype().size()]],
        &mut out.bytes_mut()[..to.size()],
    );
    Scalar::from_bytes(to, out.bytes())
}

/// Sixteen bytes aligned for every element type.
#[derive(Default)]
struct Lane([u64; 2]);

impl Lane {
    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
    fn set(&mut self, bytes: &[u8]) {
        self.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
    }
}

/// The value of an op on constants of its signature's dtypes.
fn evaluate(op: Op, args: &[Scalar], result: DType) -> Option<Scalar> {
    let dtypes: Vec<DType> = args.iter().map(|a| a.dtype()).collect();
    let (args, kernel, kernel_result) = match (op.kernel)(&dtypes, Isa::detect()) {
        Some(kernel) => (args.to_vec(), kernel, result),
        None => {
            let dtypes: Vec<DType> = dtypes.into_iter().map(computes_in).collect();
            let wide: Vec<Scalar> = args
                .iter()
                .zip(&dtypes)
                .map(|(a, &d)| cast_scalar(*a, d))
                .collect();
            (wide, (op.kernel)(&dtypes, Isa::detect())?, computes_in(result))
        }
    };
    let mut lanes: Vec<Lane> = Vec::with_capacity(args.len());
    for arg in &args {
        let mut lane = Lane::default();
        lane.set(&arg.bytes());
        lanes.push(lane);
    }
    let inputs: Vec<&[u8]> = lanes
        .iter()
        .zip(&args)
        .map(|(l, a)| &l.bytes()[..a.dtype().size()])
        .collect();
    let mut out = Lane::default();
    kernel(&inputs, &mut out.bytes_mut()[..kernel_result.size()]);
    Some(cast_scalar(
        Scalar::from_bytes(kernel_result, out.bytes()),
        result,
    ))
}

impl Rule for FoldConstants {
    fn name(&self) -> &'static str {
        "fold constants"
    }

    fn apply(&self, expr: &Expr) -> Result<Option<Expr>> {
        let args: Option<Vec<Scalar>> = expr.inputs.iter().map(constant).collect();
        let value = match (&expr.kind, args) {
            (NodeKind::Cast, Some(args)) => Some(cast_scalar(args[0], expr.dtype)),
            (NodeKind::Op(op), Some(args)) => evaluate(*op, &args, expr.dtype),
            _ => None,
        };
        value
            .map(|v| Expr::scalar(v).broadcast_to(&expr.shape))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_on_values_are_values() {
        let two = Expr::scalar(Scalar::new(2.0f32));
        let add = Op::find("add").unwrap();
        let sum = Expr::op(add, &[two.clone(), two.broadcast_to(&[3]).unwrap()]).unwrap();
        let folded = FoldConstants.apply(&sum).unwrap().unwrap();
        assert_eq!(folded, Expr::full(&[3], Scalar::new(4.0f32)).unwrap());
        let half = Expr::scalar(cast_scalar(Scalar::new(1.5f64), DType::F16));
        let folded = FoldConstants
            .apply(&Expr::op(add, &[half.clone(), half]).unwrap())
            .unwrap()
            .unwrap();
        assert_eq!(format!("{folded:?}"), "3");
        assert_eq!(cast_scalar(Scalar::new(f64::NAN), DType::I32), Scalar::new(0i32));
        let x = Expr::index(&[3], 0).unwrap();
        assert!(FoldConstants.apply(&x.cast(DType::F32)).unwrap().is_none());
    }
}
