//! Powers and roots.

use super::record::{EXACT_ON_CPU, Wgsl, function, stated};
use super::strip::map;
use super::{OpDef, infer};
use crate::math::{self, double};

/// `$a` to the power `$b >= 0` by squaring, wrapping on overflow, for any integer type.
macro_rules! whole_power {
    ($a:ident, $b:ident) => {{
        let (mut base, mut left, mut power) = ($a, $b, 1);
        while left > 0 {
            if left & 1 == 1 {
                power = base.wrapping_mul(power);
            }
            base = base.wrapping_mul(base);
            left >>= 1;
        }
        power
    }};
}

pub(super) static OPS: &[OpDef] = &[
    OpDef {
        name: "pow",
        aliases: &["power"],
        arity: 2,
        infer: infer::numbers_from_bool,
        kernel: |args, isa| {
            map!(args, isa;
                signed: (a, b) = match (a, b) {
                    (1, _) => 1,
                    (-1, _) => if b & 1 == 0 { 1 } else { -1 },
                    _ if b < 0 => 0,
                    _ => whole_power!(a, b),
                };
                unsigned: (a, b) = whole_power!(a, b);
                f32: (a, b) = math::pow(a, b);
                f64: (a, b) = double::pow(a, b), if double::power_is_small(a, b) => double::pow_small(a, b);
            )
        },
        wgsl: |args| {
            Wgsl {
                i32: Some("tw_pow_i32($0, $1)"),
                u32: Some("tw_pow_u32($0, $1)"),
                i64: Some("tw_pow_i64($0, $1)"),
                u64: Some("tw_pow_u64($0, $1)"),
                f32: Some("tw_pow($0, $1)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: stated("pow"),
        doc: "x to the power y. Integers wrap; to a negative power they give 0, but for the bases 1 and \
              -1 (NumPy refuses).",
        example: "x ** 2",
    },
    OpDef {
        name: "sqrt",
        aliases: &[],
        arity: 1,
        infer: infer::floating,
        kernel: |args, isa| map!(args, isa; floats: (a) = a.sqrt();),
        wgsl: |args| {
            Wgsl {
                f32: Some("sqrt(tw_opaque($0))"),
                f64: Some("sqrt(tw_opaque_f64($0))"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: EXACT_ON_CPU,
        doc: "Square root; NaN below zero.",
        example: "sqrt(x)",
    },
    function!(cbrt(x) [], "Cube root, also of negative numbers.", "cbrt(x)"),
    function!(hypot(x, y) [], "sqrt(x1**2 + x2**2) without overflow.", "hypot(u, v)"),
];
