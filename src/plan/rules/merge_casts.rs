//! Merging of casts: a cast from a dtype that holds every value of the one before loses nothing,
//! so the first of the two can go.

use super::Rule;
use crate::Result;
use crate::expr::{Expr, NodeKind};
use tilewise_kernels::{DType, Kind};

/// Replaces `cast(cast(x, wide), any)` by `cast(x, any)`.
pub(crate) struct MergeCasts;

/// Whether every value of `from` is a value of `to`.
fn holds(to: DType, from: DType) -> bool {
    match (from.is_complex(), to.is_complex()) {
        (true, false) => return false,
        (_, true) => return holds(to.part(), from.part()),
        _ => {}
    }
    let digits = |d: DType| match d {
        DType::BF16 => 8,
        DType::F16 => 11,
        DType::F32 => 24,
        DType::F64 => 53,
        _ => d.size() * 8 - usize::from(d.kind() == Kind::Signed),
    };
    match (from.kind(), to.kind()) {
        (Kind::Bool, _) => true,
        (_, Kind::Bool) | (Kind::Float | Kind::Signed, Kind::Unsigned) | (Kind::Float, Kind::Signed) => false,
        (Kind::Float, Kind::Float) => digits(to) >= digits(from) && (to.size() > from.size() || to == from),
        // Every float dtype but f16 reaches beyond the range of the integers whose digits it holds.
        _ => digits(to) >= digits(from) && (to != DType::F16 || from.size() == 1),
    }
}

impl Rule for MergeCasts {
    fn name(&self) -> &'static str {
        "merge casts"
    }

    fn apply(&self, expr: &Expr) -> Result<Option<Expr>> {
        if !matches!(expr.kind, NodeKind::Cast) || !matches!(expr.inputs[0].kind, NodeKind::Cast) {
            return Ok(None);
        }
        let first = &expr.inputs[0].inputs[0];
        Ok(holds(expr.inputs[0].dtype, first.dtype).then(|| first.cast(expr.dtype)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lossless_casts_vanish() {
        let x = Expr::index(&[3], 0).unwrap().cast(DType::I32);
        let through = |middle: DType, last: DType| MergeCasts.apply(&x.cast(middle).cast(last)).unwrap();
        assert_eq!(through(DType::F64, DType::I16), Some(x.cast(DType::I16)));
        assert_eq!(through(DType::I64, DType::I32), Some(x.clone()));
        assert_eq!(through(DType::F32, DType::F64), None);
        assert_eq!(through(DType::U64, DType::F64), None);
        assert_eq!(through(DType::Bool, DType::I8), None);
        assert!(holds(DType::C64, DType::F32) && !holds(DType::C64, DType::F64));
        assert!(!holds(DType::F64, DType::C64) && holds(DType::C128, DType::I32));
        assert!(!holds(DType::F16, DType::U16) && holds(DType::F16, DType::U8));
    }
}
