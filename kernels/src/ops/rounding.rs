//! Rounding to whole numbers. Integers and bool are whole already and keep their dtype.

use super::record::{EXACT, Wgsl};
use super::strip::map;
use super::{OpDef, infer};

pub(super) static OPS: &[OpDef] = &[
    OpDef {
        name: "floor",
        aliases: &[],
        arity: 1,
        infer: infer::any,
        kernel: |args, isa| {
            map!(args, isa;
                floats: (a) = a.floor();
                bool: (a) = a;
                words: (a) = a;
            )
        },
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
        kernel: |args, isa| {
            map!(args, isa;
                floats: (a) = a.ceil();
                bool: (a) = a;
                words: (a) = a;
            )
        },
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
        kernel: |args, isa| {
            map!(args, isa;
                floats: (a) = a.trunc();
                bool: (a) = a;
                words: (a) = a;
            )
        },
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
        kernel: |args, isa| {
            map!(args, isa;
                floats: (a) = a.round_ties_even();
                bool: (a) = a;
                words: (a) = a;
            )
        },
        wgsl: |args| {
            Wgsl {
                f32: Some("tw_rint($0)"),
                f64: Some("tw_copysign_f64(round($0), $0)"),
                ..Wgsl::any("$0")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The nearest whole number, halves to even.",
        example: "round(x)",
    },
];
