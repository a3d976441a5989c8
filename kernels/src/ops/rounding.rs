//! Rounding to whole numbers. Integers and bool are whole already and keep their dtype.

use super::record::{EXACT, Wgsl};
use super::strip::map;
use super::{Isa, OpDef, infer};
use crate::math::{self, double};

/// The kernel of a rounding that `std` and the `math` modules have by these names. Without SSE4.1
/// that of `std` is a call per element.
macro_rules! whole {
    ($std:ident, $own:ident) => {
        |args, isa| {
            if cfg!(target_arch = "x86_64") && isa == Isa::Baseline {
                return map!(args, isa;
                    f32: (a) = math::$own(a);
                    f64: (a) = double::$own(a);
                    bool: (a) = a;
                    words: (a) = a;
                );
            }
            map!(args, isa;
                floats: (a) = a.$std();
                bool: (a) = a;
                words: (a) = a;
            )
        }
    };
}

pub(super) static OPS: &[OpDef] = &[
    OpDef {
        name: "floor",
        aliases: &[],
        arity: 1,
        infer: infer::any,
        kernel: whole!(floor, floor),
        wgsl: |args| {
            Wgsl {
                f32: Some("tw_floor($0)"),
                f64: Some("tw_copysign_f64(floor($0), $0)"),
                ..Wgsl::any("$0")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The largest whole number not above.",
        example: "floor(x)",
    },
    OpDef {
        name: "ceil",
        aliases: &[],
        arity: 1,
        infer: infer::any,
        kernel: whole!(ceil, ceil),
        wgsl: |args| {
            Wgsl {
                f32: Some("tw_ceil($0)"),
                f64: Some("tw_copysign_f64(ceil($0), $0)"),
                ..Wgsl::any("$0")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The smallest whole number not below.",
        example: "ceil(x)",
    },
    OpDef {
        name: "trunc",
        aliases: &["fix"],
        arity: 1,
        infer: infer::any,
        kernel: whole!(trunc, trunc),
        wgsl: |args| {
            Wgsl {
                f32: Some("tw_trunc($0)"),
                f64: Some("tw_copysign_f64(trunc($0), $0)"),
                ..Wgsl::any("$0")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The whole part.",
        example: "trunc(x)",
    },
    OpDef {
        name: "round",
        aliases: &["rint"],
        arity: 1,
        infer: infer::any,
        kernel: whole!(round_ties_even, rint),
        wgsl: |args| {
            Wgsl {
                f32: Some("tw_rint($0)"),
                f64: Some("tw_round_f64($0)"),
                ..Wgsl::any("$0")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The nearest whole number, halves to even.",
        example: "round(x)",
    },
];
