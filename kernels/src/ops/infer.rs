//! The typing rules of the op table, each a function that records share.
//!
//! They follow NumPy 2, which contains the Array API: the dtypes an op computes in and yields
//! depend on the dtypes of its arguments only. A rule that refuses names the op, what it got and
//! what would do.

use super::{OpDef, Signature};
use crate::promote::{float_of, promote};
use crate::{DType, Kind};

type Inferred = Result<Signature, String>;

/// The dtype that all arguments are promoted to.
fn common(args: &[DType]) -> DType {
    args.iter().copied().reduce(promote).unwrap_or(DType::Bool)
}

fn signature(args: Vec<DType>, result: DType) -> Inferred {
    Ok(Signature { args, result })
}

/// All arguments in `dtype`, as is the result.
fn all(args: &[DType], dtype: DType) -> Inferred {
    signature(vec![dtype; args.len()], dtype)
}

fn refuse(op: &OpDef, args: &[DType], accepted: &str) -> Inferred {
    let names: Vec<&str> = args.iter().map(|d| d.name()).collect();
    Err(format!(
        "{} does not take {}; it takes {accepted}",
        op.name,
        names.join(", ")
    ))
}

/// Any dtype; the result is of the common one.
pub(super) fn any(_: &OpDef, args: &[DType]) -> Inferred {
    all(args, common(args))
}

/// Integers and floats, not bool.
pub(super) fn numbers(op: &OpDef, args: &[DType]) -> Inferred {
    match common(args) {
        DType::Bool => refuse(op, args, "integers and floats; cast bool with astype first"),
        dtype => all(args, dtype),
    }
}

/// Integers and floats; bool becomes int8, as in NumPy.
pub(super) fn numbers_from_bool(_: &OpDef, args: &[DType]) -> Inferred {
    match common(args) {
        DType::Bool => all(args, DType::I8),
        dtype => all(args, dtype),
    }
}

/// `subtract`: as [`numbers`], with the way out that NumPy names.
pub(super) fn subtract(op: &OpDef, args: &[DType]) -> Inferred {
    match common(args) {
        DType::Bool => refuse(
            op,
            args,
            "integers and floats; bitwise_xor or logical_xor is the difference of bools",
        ),
        dtype => all(args, dtype),
    }
}

/// Computed in the least float that holds each argument: float16 for bool and 8-bit integers,
/// float32 for 16-bit ones, else float64; floats stay.
pub(super) fn floating(_: &OpDef, args: &[DType]) -> Inferred {
    let floats: Vec<DType> = args.iter().map(|&d| float_of(d)).collect();
    all(args, common(&floats))
}

/// `divide`: floats and complex numbers stay, integers and bool give float64.
pub(super) fn divide(_: &OpDef, args: &[DType]) -> Inferred {
    let dtype = common(args);
    let inexact = dtype.is_float() || dtype.is_complex();
    all(args, if inexact { dtype } else { DType::F64 })
}

/// Any dtypes to bool, compared in the common one. Signed with unsigned 64-bit integers are
/// compared as they are, exactly, since no dtype holds both.
pub(super) fn comparison(_: &OpDef, args: &[DType]) -> Inferred {
    let wide = |d: DType| if d == DType::U64 { d } else { DType::I64 };
    let mixed = args.contains(&DType::U64) && args.iter().any(|d| d.kind() == Kind::Signed);
    if mixed && args.iter().all(|d| d.is_integer()) {
        return signature(args.iter().map(|&d| wide(d)).collect(), DType::Bool);
    }
    signature(vec![common(args); args.len()], DType::Bool)
}

/// Any dtypes, by truthiness.
pub(super) fn logical(_: &OpDef, args: &[DType]) -> Inferred {
    all(args, DType::Bool)
}

/// Bool and integers.
pub(super) fn bits(op: &OpDef, args: &[DType]) -> Inferred {
    let dtype = common(args);
    if dtype.is_float() || dtype.is_complex() {
        return refuse(
            op,
            args,
            "bool and integers of dtypes with a common integer dtype",
        );
    }
    all(args, dtype)
}

/// Integers; bool becomes int8.
pub(super) fn shift(op: &OpDef, args: &[DType]) -> Inferred {
    match common(args) {
        dtype if dtype.is_float() || dtype.is_complex() => {
            refuse(op, args, "integers of dtypes with a common integer dtype")
        }
        DType::Bool => all(args, DType::I8),
        dtype => all(args, dtype),
    }
}

/// Integers, taken as 64-bit words.
pub(super) fn words(op: &OpDef, args: &[DType]) -> Inferred {
    match args.iter().all(|d| d.is_integer()) {
        true => all(args, DType::U64),
        false => refuse(op, args, "integers; cast with astype first"),
    }
}

/// One argument of any dtype to its own, of a complex one to that of its parts.
pub(super) fn magnitude(_: &OpDef, args: &[DType]) -> Inferred {
    signature(args.to_vec(), args[0].part())
}

/// As [`magnitude`], computed in the least float that holds the argument.
pub(super) fn phase(op: &OpDef, args: &[DType]) -> Inferred {
    magnitude(op, &[float_of(args[0])])
}

/// Two parts to the complex number that has them.
pub(super) fn parts(op: &OpDef, args: &[DType]) -> Inferred {
    match common(args) {
        dtype if dtype.is_complex() => refuse(op, args, "a real and an imaginary part, both real numbers"),
        dtype => {
            let whole = float_of(dtype).with_imaginary();
            signature(vec![whole.part(); 2], whole)
        }
    }
}

/// One argument of any dtype, to bool.
pub(super) fn predicate(_: &OpDef, args: &[DType]) -> Inferred {
    signature(args.to_vec(), DType::Bool)
}

/// `where`: a condition by truthiness and two values of any dtypes.
pub(super) fn choice(_: &OpDef, args: &[DType]) -> Inferred {
    let value = common(&args[1..]);
    signature(vec![DType::Bool, value, value], value)
}
