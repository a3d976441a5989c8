//! Which rule serves a reduction of a dtype: the one place where a kind becomes loops.

use super::extremes::{Best, End, Extreme, Indexed, Ordered};
use super::lanes::Rule;
use super::moments::Moments;
use super::state::{Canonical, Cells, Means, Moments as MomentCells, Sums, Tagged};
use super::sums::{Mean, Prod, Real, Sum, Wrapping};
use super::truth::{Count, Truth};
use super::widen::Element;
use super::{ReduceKind, Reduction};
use crate::DType;

/// The type that elements of a dtype are reduced in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// Bools and signed integers, in i64.
    Signed,
    /// Unsigned integers, in u64.
    Unsigned,
    /// Floats of up to 32 bits, in f32.
    Single,
    /// f64.
    Double,
}

impl Class {
    /// The class of a dtype.
    pub(super) fn of(dtype: DType) -> Class {
        match dtype {
            DType::Bool | DType::I8 | DType::I16 | DType::I32 | DType::I64 => Class::Signed,
            DType::U8 | DType::U16 | DType::U32 | DType::U64 => Class::Unsigned,
            DType::F16 | DType::BF16 | DType::F32 => Class::Single,
            DType::F64 => Class::Double,
        }
    }
}

/// Planes of one form, found in the cells of a state.
pub(super) trait Planes: Sized {
    /// The planes of that form.
    fn of(cells: &Cells) -> Option<&Self>;
    /// The same, to be changed.
    fn of_mut(cells: &mut Cells) -> Option<&mut Self>;
}

/// Implements [`Planes`] by the patterns under which a form lies in [`Cells`].
macro_rules! planes {
    ($($store:ty: $pattern:pat => $found:ident;)*) => {$(
        impl Planes for $store {
            fn of(cells: &Cells) -> Option<&Self> {
                match cells { $pattern => Some($found), _ => None }
            }
            fn of_mut(cells: &mut Cells) -> Option<&mut Self> {
                match cells { $pattern => Some($found), _ => None }
            }
        }
    )*};
}
planes! {
    Vec<u64>: Cells::Wrapping(p) | Cells::Count(p) => p;
    Vec<f64>: Cells::Prod(p) => p;
    Vec<u8>: Cells::Truth(p) => p;
    Sums: Cells::Sum(p) => p;
    Means: Cells::Mean(p) => p;
    MomentCells: Cells::Moments(p) => p;
    Tagged<i64, u8>: Cells::Extreme(Canonical::I64(p)) => p;
    Tagged<u64, u8>: Cells::Extreme(Canonical::U64(p)) => p;
    Tagged<f32, u8>: Cells::Extreme(Canonical::F32(p)) => p;
    Tagged<f64, u8>: Cells::Extreme(Canonical::F64(p)) => p;
    Tagged<i64, i64>: Cells::Indexed(Canonical::I64(p)) => p;
    Tagged<u64, i64>: Cells::Indexed(Canonical::U64(p)) => p;
    Tagged<f32, i64>: Cells::Indexed(Canonical::F32(p)) => p;
    Tagged<f64, i64>: Cells::Indexed(Canonical::F64(p)) => p;
}

/// Something done to the cells of a state once its rule is known.
pub(super) trait Work {
    /// Does it.
    fn run<R: Rule>(&mut self, cells: &mut Cells)
    where
        R::Store: Planes,
        R::Elem: Element;
}

/// Does `work` by the rule of a reduction.
pub(super) fn with_rule(reduction: Reduction, dtype: DType, cells: &mut Cells, work: &mut impl Work) {
    if reduction.skipna && dtype.is_float() {
        by_kind::<true>(reduction.kind, dtype, cells, work);
    } else {
        by_kind::<false>(reduction.kind, dtype, cells, work);
    }
}

fn by_kind<const SKIP: bool>(kind: ReduceKind, dtype: DType, cells: &mut Cells, work: &mut impl Work) {
    let class = Class::of(dtype);
    match (kind, class) {
        (ReduceKind::Any, _) => work.run::<Truth<false>>(cells),
        (ReduceKind::All, _) => work.run::<Truth<true>>(cells),
        (ReduceKind::Count, _) => work.run::<Count<SKIP>>(cells),
        (ReduceKind::Sum, Class::Signed | Class::Unsigned) => work.run::<Wrapping<false>>(cells),
        (ReduceKind::Prod, Class::Signed | Class::Unsigned) => work.run::<Wrapping<true>>(cells),
        (ReduceKind::Mean | ReduceKind::Var | ReduceKind::Std, Class::Signed | Class::Unsigned) => {
            by_real::<f64, false>(kind, cells, work);
        }
        (
            ReduceKind::Sum | ReduceKind::Prod | ReduceKind::Mean | ReduceKind::Var | ReduceKind::Std,
            Class::Single,
        ) => by_real::<f32, SKIP>(kind, cells, work),
        (
            ReduceKind::Sum | ReduceKind::Prod | ReduceKind::Mean | ReduceKind::Var | ReduceKind::Std,
            Class::Double,
        ) => by_real::<f64, SKIP>(kind, cells, work),
        (_, Class::Signed) => by_order::<i64, false>(kind, cells, work),
        (_, Class::Unsigned) => by_order::<u64, false>(kind, cells, work),
        (_, Class::Single) => by_order::<f32, SKIP>(kind, cells, work),
        (_, Class::Double) => by_order::<f64, SKIP>(kind, cells, work),
    }
}

fn by_real<K: Real + Element, const SKIP: bool>(kind: ReduceKind, cells: &mut Cells, work: &mut impl Work) {
    match kind {
        ReduceKind::Sum => work.run::<Sum<K, SKIP>>(cells),
        ReduceKind::Prod => work.run::<Prod<K, SKIP>>(cells),
        ReduceKind::Mean => work.run::<Mean<K, SKIP>>(cells),
        _ => work.run::<Moments<K, SKIP>>(cells),
    }
}

fn by_order<K: Ordered + Element, const SKIP: bool>(kind: ReduceKind, cells: &mut Cells, work: &mut impl Work)
where
    Tagged<K, u8>: Planes,
    Tagged<K, i64>: Planes,
{
    match kind {
        ReduceKind::Min => work.run::<Extreme<K, false, SKIP>>(cells),
        ReduceKind::Max => work.run::<Extreme<K, true, SKIP>>(cells),
        ReduceKind::ArgMin => work.run::<Indexed<K, Best<false, SKIP>>>(cells),
        ReduceKind::ArgMax => work.run::<Indexed<K, Best<true, SKIP>>>(cells),
        ReduceKind::First => work.run::<Indexed<K, End<false, SKIP>>>(cells),
        _ => work.run::<Indexed<K, End<true, SKIP>>>(cells),
    }
}
