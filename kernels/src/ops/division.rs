//! Division into a whole quotient and a remainder.
//!
//! For integers, division by zero gives 0. For floats the remainder is exact before it takes the
//! divisor's sign, and the quotient is rounded from it, as in NumPy. In WGSL only f32 has them:
//! an exact f64 remainder is a long loop, so it runs on the CPU.

use super::record::{Wgsl, stated};
use super::strip::map;
use super::{OpDef, infer};
use crate::math::{self, double};

pub(super) static OPS: &[OpDef] = &[
    OpDef {
        name: "floor_divide",
        aliases: &[],
        arity: 2,
        infer: infer::numbers_from_bool,
        kernel: |args, isa| {
            map!(args, isa;
                signed: (a, b) = if b == 0 {
                    0
                } else {
                    let (q, r) = (a.wrapping_div(b), a.wrapping_rem(b));
                    if r != 0 && (r < 0) != (b < 0) { q - 1 } else { q }
                };
                unsigned: (a, b) = a.checked_div(b).unwrap_or(0);
                f32: (a, b) = math::floor_divide(a, b), if math::quotient_is_small(a, b) => math::floor_divide_small(a, b);
                f64: (a, b) = double::floor_divide(a, b), if double::quotient_is_small(a, b) => double::floor_divide_small(a, b);
            )
        },
        wgsl: |args| {
            Wgsl {
                i32: Some("tw_floor_divide_i32($0, $1)"),
                u32: Some("tw_floor_divide_u32($0, $1)"),
                i64: Some("tw_floor_divide_i64($0, $1)"),
                u64: Some("tw_floor_divide_u64($0, $1)"),
                f32: Some("tw_floor_divide($0, $1)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: stated("floor_divide"),
        doc: "Quotient rounded down; integers divided by zero give 0.",
        example: "x // y",
    },
    OpDef {
        name: "remainder",
        aliases: &["mod"],
        arity: 2,
        infer: infer::numbers_from_bool,
        kernel: |args, isa| {
            map!(args, isa;
                signed: (a, b) = if b == 0 {
                    0
                } else {
                    let r = a.wrapping_rem(b);
                    if r != 0 && (r < 0) != (b < 0) { r + b } else { r }
                };
                unsigned: (a, b) = a.checked_rem(b).unwrap_or(0);
                f32: (a, b) = math::remainder(a, b), if math::quotient_is_small(a, b) => math::remainder_small(a, b);
                f64: (a, b) = double::remainder(a, b), if double::quotient_is_small(a, b) => double::remainder_small(a, b);
            )
        },
        wgsl: |args| {
            Wgsl {
                i32: Some("tw_remainder_i32($0, $1)"),
                u32: Some("tw_fmod_u32($0, $1)"),
                i64: Some("tw_remainder_i64($0, $1)"),
                u64: Some("tw_fmod_u64($0, $1)"),
                f32: Some("tw_remainder($0, $1)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: stated("remainder"),
        doc: "Remainder of floor_divide, with the sign of the divisor.",
        example: "x % y",
    },
    OpDef {
        name: "fmod",
        aliases: &[],
        arity: 2,
        infer: infer::numbers_from_bool,
        kernel: |args, isa| {
            map!(args, isa;
                ints: (a, b) = if b == 0 { 0 } else { a.wrapping_rem(b) };
                f32: (a, b) = math::fmod(a, b), if math::quotient_is_small(a, b) => math::fmod_small(a, b);
                f64: (a, b) = double::fmod(a, b), if double::quotient_is_small(a, b) => double::fmod_small(a, b);
            )
        },
        wgsl: |args| {
            Wgsl {
                i32: Some("tw_fmod_i32($0, $1)"),
                u32: Some("tw_fmod_u32($0, $1)"),
                i64: Some("tw_fmod_i64($0, $1)"),
                u64: Some("tw_fmod_u64($0, $1)"),
                f32: Some("tw_fmod($0, $1)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: stated("fmod"),
        doc: "Remainder of the quotient rounded to zero, with the sign of the dividend.",
        example: "fmod(x, y)",
    },
];
