//! Sums, products, quotients and squares.
//!
//! Integers wrap on overflow. In WGSL the operands of floats are hidden from the optimiser, which
//! would otherwise turn `x - x` and `x * 0` into 0 for NaN, drop `+ 0`, or fuse a product into a
//! sum and round once less than the CPU does.

use super::record::{EXACT, EXACT_ON_CPU, Wgsl};
use super::strip::map;
use super::{OpDef, infer};

/// A quotient of complex numbers without overflow of squares (R. L. Smith, CACM 5, 1962), step by step
/// as NumPy's.
macro_rules! quotient {
    ($a:ident, $b:ident) => {{
        let (a, b) = ($a, $b);
        if b.re.abs() >= b.im.abs() {
            if b.re == 0.0 && b.im == 0.0 {
                Self::Out::new(a.re / b.re.abs(), a.im / b.re.abs())
            } else {
                let ratio = b.im / b.re;
                let scale = 1.0 / (b.re + b.im * ratio);
                Self::Out::new((a.re + a.im * ratio) * scale, (a.im - a.re * ratio) * scale)
            }
        } else {
            let ratio = b.re / b.im;
            let scale = 1.0 / (b.im + b.re * ratio);
            Self::Out::new((a.re * ratio + a.im) * scale, (a.im * ratio - a.re) * scale)
        }
    }};
}

/// One divided by a complex number, in the same way.
macro_rules! inverse {
    ($a:ident) => {{
        let a = $a;
        if a.im.abs() <= a.re.abs() {
            let ratio = a.im / a.re;
            let divisor = a.re + a.im * ratio;
            Self::Out::new(1.0 / divisor, -ratio / divisor)
        } else {
            let ratio = a.re / a.im;
            let divisor = a.re * ratio + a.im;
            Self::Out::new(ratio / divisor, -1.0 / divisor)
        }
    }};
}

pub(super) static OPS: &[OpDef] = &[
    OpDef {
        name: "add",
        aliases: &[],
        arity: 2,
        infer: infer::any,
        kernel: |args, isa| {
            map!(args, isa;
                bool: (a, b) = a | b;
                words: (a, b) = a.wrapping_add(b);
                floats: (a, b) = a + b;
                complex: (a, b) = a + b;
            )
        },
        wgsl: |args| {
            Wgsl {
                bool: Some("$0 | $1"),
                f32: Some("tw_opaque($0) + tw_opaque($1)"),
                f64: Some("tw_opaque_f64($0) + tw_opaque_f64($1)"),
                c64: Some("tw_add_c64($0, $1)"),
                c128: Some("tw_add_c128($0, $1)"),
                ..Wgsl::integers("$0 + $1")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "Sum; of bools their disjunction.",
        example: "x + y",
    },
    OpDef {
        name: "subtract",
        aliases: &[],
        arity: 2,
        infer: infer::subtract,
        kernel: |args, isa| {
            map!(args, isa;
                words: (a, b) = a.wrapping_sub(b);
                floats: (a, b) = a - b;
                complex: (a, b) = a - b;
            )
        },
        wgsl: |args| {
            Wgsl {
                f32: Some("tw_opaque($0) - tw_opaque($1)"),
                f64: Some("tw_opaque_f64($0) - tw_opaque_f64($1)"),
                c64: Some("tw_subtract_c64($0, $1)"),
                c128: Some("tw_subtract_c128($0, $1)"),
                ..Wgsl::integers("$0 - $1")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "Difference.",
        example: "x - y",
    },
    OpDef {
        name: "multiply",
        aliases: &[],
        arity: 2,
        infer: infer::any,
        kernel: |args, isa| {
            map!(args, isa;
                bool: (a, b) = a & b;
                words: (a, b) = a.wrapping_mul(b);
                floats: (a, b) = a * b;
                complex: (a, b) = a * b;
            )
        },
        wgsl: |args| {
            Wgsl {
                bool: Some("$0 & $1"),
                f32: Some("tw_opaque($0) * tw_opaque($1)"),
                f64: Some("tw_opaque_f64($0) * tw_opaque_f64($1)"),
                c64: Some("tw_multiply_c64($0, $1)"),
                c128: Some("tw_multiply_c128($0, $1)"),
                ..Wgsl::integers("$0 * $1")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "Product; of bools their conjunction.",
        example: "x * y",
    },
    OpDef {
        name: "divide",
        aliases: &["true_divide"],
        arity: 2,
        infer: infer::divide,
        kernel: |args, isa| {
            map!(args, isa;
                floats: (a, b) = a / b;
                c64: (a, b) = quotient!(a, b);
                c128: (a, b) = quotient!(a, b);
            )
        },
        wgsl: |args| {
            Wgsl {
                f32: Some("tw_opaque($0) / tw_opaque($1)"),
                f64: Some("tw_opaque_f64($0) / tw_opaque_f64($1)"),
                c64: Some("tw_divide_c64($0, $1)"),
                c128: Some("tw_divide_c128($0, $1)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: EXACT_ON_CPU,
        doc: "Quotient; of integers in float64. Division by zero gives an infinity or NaN.",
        example: "x / y",
    },
    OpDef {
        name: "reciprocal",
        aliases: &[],
        arity: 1,
        infer: infer::numbers_from_bool,
        kernel: |args, isa| {
            map!(args, isa;
                ints: (a) = if a == 0 { 0 } else { (1 as Self::Out).wrapping_div(a) };
                floats: (a) = 1.0 / a;
                c64: (a) = inverse!(a);
                c128: (a) = inverse!(a);
            )
        },
        wgsl: |args| {
            Wgsl {
                i32: Some("select(0i, $0, $0 == 1i || $0 == -1i)"),
                u32: Some("select(0u, 1u, $0 == 1u)"),
                i64: Some("select(0li, $0, $0 == 1li || $0 == -1li)"),
                u64: Some("select(0lu, 1lu, $0 == 1lu)"),
                f32: Some("1.0f / tw_opaque($0)"),
                f64: Some("1.0lf / tw_opaque_f64($0)"),
                c64: Some("tw_reciprocal_c64($0)"),
                c128: Some("tw_reciprocal_c128($0)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: EXACT_ON_CPU,
        doc: "1 / x; of integers in their dtype, truncated, and 0 for 0.",
        example: "reciprocal(x)",
    },
    OpDef {
        name: "square",
        aliases: &[],
        arity: 1,
        infer: infer::numbers_from_bool,
        kernel: |args, isa| {
            map!(args, isa;
                words: (a) = a.wrapping_mul(a);
                floats: (a) = a * a;
                complex: (a) = a * a;
            )
        },
        wgsl: |args| {
            Wgsl {
                f32: Some("tw_opaque($0) * tw_opaque($0)"),
                f64: Some("tw_opaque_f64($0) * tw_opaque_f64($0)"),
                c64: Some("tw_multiply_c64($0, $0)"),
                c128: Some("tw_multiply_c128($0, $0)"),
                ..Wgsl::integers("$0 * $0")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "x * x.",
        example: "square(x)",
    },
];
