//! Choice between values: by a condition, by order, by bounds.

use super::record::{EXACT, Wgsl};
use super::strip::{Map, map, select};
use super::{OpDef, infer};
use crate::{Complex64, Element};

/// The second argument where the first is true, else the third; bits are only moved.
struct Choose;

impl<T: Element> Map<(bool, T, T)> for Choose {
    type Out = T;
    #[inline(always)]
    fn at((condition, a, b): (bool, T, T)) -> T {
        if condition { a } else { b }
    }
}

/// The larger of two floats, NaN where either is.
macro_rules! larger {
    ($a:expr, $b:expr) => {
        if ($a >= $b) | $a.is_nan() { $a } else { $b }
    };
}

/// The smaller of two floats, NaN where either is.
macro_rules! smaller {
    ($a:expr, $b:expr) => {
        if ($a <= $b) | $a.is_nan() { $a } else { $b }
    };
}

pub(super) static OPS: &[OpDef] = &[
    OpDef {
        name: "where",
        aliases: &[],
        arity: 3,
        infer: infer::choice,
        kernel: |args, isa| {
            Some(match args.last()?.size() {
                1 => select::<Choose, (bool, u8, u8)>(isa),
                2 => select::<Choose, (bool, u16, u16)>(isa),
                4 => select::<Choose, (bool, u32, u32)>(isa),
                8 => select::<Choose, (bool, u64, u64)>(isa),
                _ => select::<Choose, (bool, Complex64, Complex64)>(isa),
            })
        },
        wgsl: |args| Wgsl::any("select($2, $1, $0)").of(args),
        ulp: EXACT,
        doc: "x1 where the condition is true, else x2.",
        example: "where(x > 0, x, 0)",
    },
    OpDef {
        name: "maximum",
        aliases: &[],
        arity: 2,
        infer: infer::any,
        kernel: |args, isa| {
            map!(args, isa;
                bool: (a, b) = a | b;
                ints: (a, b) = if a > b { a } else { b };
                floats: (a, b) = larger!(a, b);
            )
        },
        wgsl: |args| {
            Wgsl {
                bool: Some("$0 | $1"),
                f32: Some("tw_maximum($0, $1)"),
                f64: Some("tw_f64_maximum($0, $1)"),
                ..Wgsl::integers("select($1, $0, $0 > $1)")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The larger; NaN where either is NaN.",
        example: "maximum(x, y)",
    },
    OpDef {
        name: "minimum",
        aliases: &[],
        arity: 2,
        infer: infer::any,
        kernel: |args, isa| {
            map!(args, isa;
                bool: (a, b) = a & b;
                ints: (a, b) = if a < b { a } else { b };
                floats: (a, b) = smaller!(a, b);
            )
        },
        wgsl: |args| {
            Wgsl {
                bool: Some("$0 & $1"),
                f32: Some("tw_minimum($0, $1)"),
                f64: Some("tw_f64_minimum($0, $1)"),
                ..Wgsl::integers("select($1, $0, $0 < $1)")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The smaller; NaN where either is NaN.",
        example: "minimum(x, y)",
    },
    OpDef {
        name: "fmax",
        aliases: &[],
        arity: 2,
        infer: infer::any,
        kernel: |args, isa| {
            map!(args, isa;
                bool: (a, b) = a | b;
                ints: (a, b) = if a > b { a } else { b };
                floats: (a, b) = if (a >= b) | b.is_nan() { a } else { b };
            )
        },
        wgsl: |args| {
            Wgsl {
                bool: Some("$0 | $1"),
                f32: Some("tw_fmax($0, $1)"),
                f64: Some("tw_f64_fmax($0, $1)"),
                ..Wgsl::integers("select($1, $0, $0 > $1)")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The larger; the other where one is NaN.",
        example: "fmax(x, y)",
    },
    OpDef {
        name: "fmin",
        aliases: &[],
        arity: 2,
        infer: infer::any,
        kernel: |args, isa| {
            map!(args, isa;
                bool: (a, b) = a & b;
                ints: (a, b) = if a < b { a } else { b };
                floats: (a, b) = if (a <= b) | b.is_nan() { a } else { b };
            )
        },
        wgsl: |args| {
            Wgsl {
                bool: Some("$0 & $1"),
                f32: Some("tw_fmin($0, $1)"),
                f64: Some("tw_f64_fmin($0, $1)"),
                ..Wgsl::integers("select($1, $0, $0 < $1)")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The smaller; the other where one is NaN.",
        example: "fmin(x, y)",
    },
    OpDef {
        name: "clip",
        aliases: &[],
        arity: 3,
        infer: infer::any,
        kernel: |args, isa| {
            map!(args, isa;
                bool: (a, low, high) = (a | low) & high;
                ints: (a, low, high) = {
                    let a = if a > low { a } else { low };
                    if a < high { a } else { high }
                };
                floats: (a, low, high) = {
                    let a = larger!(a, low);
                    smaller!(a, high)
                };
            )
        },
        wgsl: |args| {
            Wgsl {
                bool: Some("($0 | $1) & $2"),
                f32: Some("tw_minimum(tw_maximum($0, $1), $2)"),
                f64: Some("tw_f64_minimum(tw_f64_maximum($0, $1), $2)"),
                ..Wgsl::integers("select($2, select($1, $0, $0 > $1), select($1, $0, $0 > $1) < $2)")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "x limited to low..high: minimum(maximum(x, low), high); NaN where any is NaN.",
        example: "clip(x, 0, 1)",
    },
];
