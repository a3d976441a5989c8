//! Which rule serves a reduction of a dtype: the one place where a kind becomes loops.

use super::elements::{Flag, Narrow, Real, Stored, Truthy, Unread, Whole};
use super::extremes::Extreme;
use super::indexed::{Best, End, Indexed};
use super::moments::Moments;
use super::order::Keyed;
use super::rule::Rule;
use super::state::{Canonical, Cells, Means, Moments as MomentCells, Sums, Tagged};
use super::sums::{Mean, Prod, Sum};
use super::truth::{Count, Truth};
use super::whole::{WholeMean, WholeMoments, Wrapping};
use super::{ReduceKind, Reduction};
use crate::{DType, bf16, f16};

/// The type in which planes hold elements of a dtype.
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
            DType::C64 | DType::C128 => DType::complex_is_refused(),
        }
    }

    /// The dtype that planes hold.
    pub(super) fn widest(self) -> DType {
        match self {
            Class::Signed => DType::I64,
            Class::Unsigned => DType::U64,
            Class::Single => DType::F32,
            Class::Double => DType::F64,
        }
    }
}

/// Planes of one form, found in the cells of a state.
pub(super) trait Found: Sized {
    /// The planes of that form.
    fn of(cells: &Cells) -> Option<&Self>;
    /// The same, to be changed.
    fn of_mut(cells: &mut Cells) -> Option<&mut Self>;
}

/// Implements [`Found`] by the patterns under which a form lies in [`Cells`].
macro_rules! planes {
    ($($store:ty: $pattern:pat => $found:ident;)*) => {$(
        impl Found for $store {
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
        R::Store: Found,
        R::Elem: Stored;
}

/// Does `work` by the rule of a reduction.
pub(super) fn with_rule(reduction: Reduction, dtype: DType, cells: &mut Cells, work: &mut impl Work) {
    let (kind, skip) = (reduction.kind, reduction.skipna);
    match (dtype, skip) {
        (DType::Bool, _) => by_narrow::<Flag>(kind, cells, work),
        (DType::I8, _) => by_narrow::<i8>(kind, cells, work),
        (DType::I16, _) => by_narrow::<i16>(kind, cells, work),
        (DType::U8, _) => by_narrow::<u8>(kind, cells, work),
        (DType::U16, _) => by_narrow::<u16>(kind, cells, work),
        (DType::I32, _) => by_wide::<i32>(kind, cells, work),
        (DType::U32, _) => by_wide::<u32>(kind, cells, work),
        (DType::I64, _) => by_long::<i64>(kind, cells, work),
        (DType::U64, _) => by_long::<u64>(kind, cells, work),
        (DType::F16, false) => by_float::<f16, false>(kind, cells, work),
        (DType::F16, true) => by_float::<f16, true>(kind, cells, work),
        (DType::BF16, false) => by_float::<bf16, false>(kind, cells, work),
        (DType::BF16, true) => by_float::<bf16, true>(kind, cells, work),
        (DType::F32, false) => by_float::<f32, false>(kind, cells, work),
        (DType::F32, true) => by_float::<f32, true>(kind, cells, work),
        (DType::F64, false) => by_float::<f64, false>(kind, cells, work),
        (DType::F64, true) => by_float::<f64, true>(kind, cells, work),
        (DType::C64 | DType::C128, _) => DType::complex_is_refused(),
    }
}

/// Integers whose squares have exact sums.
fn by_narrow<E: Narrow + Truthy + Keyed>(kind: ReduceKind, cells: &mut Cells, work: &mut impl Work)
where
    Tagged<E::Plane, u8>: Found,
    Tagged<E::Plane, i64>: Found,
{
    match kind {
        ReduceKind::Mean => work.run::<WholeMean<E>>(cells),
        ReduceKind::Var | ReduceKind::Std => work.run::<WholeMoments<E>>(cells),
        _ => by_whole::<E>(kind, cells, work),
    }
}

/// Integers that have exact sums.
fn by_wide<E: Whole + Real + Truthy + Keyed>(kind: ReduceKind, cells: &mut Cells, work: &mut impl Work)
where
    Tagged<E::Plane, u8>: Found,
    Tagged<E::Plane, i64>: Found,
{
    match kind {
        ReduceKind::Mean => work.run::<WholeMean<E>>(cells),
        ReduceKind::Var | ReduceKind::Std => work.run::<Moments<E, false>>(cells),
        _ => by_whole::<E>(kind, cells, work),
    }
}

/// Integers whose sums may not be exact.
fn by_long<E: Whole + Real + Truthy + Keyed>(kind: ReduceKind, cells: &mut Cells, work: &mut impl Work)
where
    Tagged<E::Plane, u8>: Found,
    Tagged<E::Plane, i64>: Found,
{
    match kind {
        ReduceKind::Mean => work.run::<Mean<E, false>>(cells),
        ReduceKind::Var | ReduceKind::Std => work.run::<Moments<E, false>>(cells),
        _ => by_whole::<E>(kind, cells, work),
    }
}

/// What is the same for all integers.
fn by_whole<E: Whole + Truthy + Keyed>(kind: ReduceKind, cells: &mut Cells, work: &mut impl Work)
where
    Tagged<E::Plane, u8>: Found,
    Tagged<E::Plane, i64>: Found,
{
    match kind {
        ReduceKind::Sum => work.run::<Wrapping<E, false>>(cells),
        ReduceKind::Prod => work.run::<Wrapping<E, true>>(cells),
        ReduceKind::Count => work.run::<Count<Unread>>(cells),
        _ => by_order::<E, false>(kind, cells, work),
    }
}

fn by_float<E: Real + Truthy + Keyed, const SKIP: bool>(
    kind: ReduceKind,
    cells: &mut Cells,
    work: &mut impl Work,
) where
    Tagged<E::Plane, u8>: Found,
    Tagged<E::Plane, i64>: Found,
{
    match kind {
        ReduceKind::Sum => work.run::<Sum<E, SKIP>>(cells),
        ReduceKind::Prod => work.run::<Prod<E, SKIP>>(cells),
        ReduceKind::Mean => work.run::<Mean<E, SKIP>>(cells),
        ReduceKind::Var | ReduceKind::Std => work.run::<Moments<E, SKIP>>(cells),
        ReduceKind::Count if SKIP => work.run::<Count<E>>(cells),
        ReduceKind::Count => work.run::<Count<Unread>>(cells),
        _ => by_order::<E, SKIP>(kind, cells, work),
    }
}

fn by_order<E: Truthy + Keyed, const SKIP: bool>(kind: ReduceKind, cells: &mut Cells, work: &mut impl Work)
where
    Tagged<E::Plane, u8>: Found,
    Tagged<E::Plane, i64>: Found,
{
    match kind {
        ReduceKind::Any => work.run::<Truth<E, false>>(cells),
        ReduceKind::All => work.run::<Truth<E, true>>(cells),
        ReduceKind::Min => work.run::<Extreme<E, false, SKIP>>(cells),
        ReduceKind::Max => work.run::<Extreme<E, true, SKIP>>(cells),
        ReduceKind::ArgMin => work.run::<Indexed<E, Best<false, SKIP>>>(cells),
        ReduceKind::ArgMax => work.run::<Indexed<E, Best<true, SKIP>>>(cells),
        ReduceKind::First => work.run::<Indexed<E, End<false, SKIP>>>(cells),
        _ => work.run::<Indexed<E, End<true, SKIP>>>(cells),
    }
}
