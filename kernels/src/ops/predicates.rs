//! Classes of numbers. Integers and bool are finite; a complex number is if both parts are, and else is
//! what either part is.

use super::record::{EXACT, Wgsl};
use super::strip::map;
use super::{OpDef, infer};

/// A record from the method that floats have, the answer for all else, and WGSL's function
/// (`_f64` appended for f64).
macro_rules! predicate {
    ($name:literal $method:ident $join:tt, else $other:literal, $wgsl:literal, $doc:literal) => {
        OpDef {
            name: $name,
            aliases: &[],
            arity: 1,
            infer: infer::predicate,
            kernel: |args, isa| {
                map!(args, isa;
                    floats: (a) -> bool = a.$method();
                    halves: (a) -> bool = a.$method();
                    complex: (a) -> bool = a.re.$method() $join a.im.$method();
                    bits: (_a) -> bool = $other;
                )
            },
            wgsl: |args| {
                Wgsl {
                    f32: Some(concat!($wgsl, "($0)")),
                    f64: Some(concat!($wgsl, "_f64($0)")),
                    c64: Some(concat!("(", $wgsl, "($0.x) ", stringify!($join), " ", $wgsl, "($0.y))")),
                    c128: Some(concat!("(", $wgsl, "_f64($0.x) ", stringify!($join), " ", $wgsl, "_f64($0.y))")),
                    ..Wgsl::any(stringify!($other))
                }
                .of(args)
            },
            ulp: EXACT,
            doc: $doc,
            example: concat!($name, "(x)"),
        }
    };
}

pub(super) static OPS: &[OpDef] = &[
    predicate!("isfinite" is_finite &, else true, "tw_is_finite", "Whether it is neither infinite nor NaN."),
    predicate!("isinf" is_infinite |, else false, "tw_is_inf", "Whether it is infinite."),
    predicate!("isnan" is_nan |, else false, "tw_is_nan", "Whether it is NaN."),
];
