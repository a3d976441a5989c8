//! Functions of the sign, and the neighbour of a float.
//!
//! On floats they act on bits, so NaN keeps its payload and −0 its sign, and half floats need no
//! detour through float32.

use super::record::{EXACT, Wgsl, stated};
use super::strip::map;
use super::{OpDef, Ulp, infer};
use crate::{DType, math, math::double};

/// The next number after `$a` towards `$b`, for any float type, whose bits count magnitudes;
/// `$equal` where they are equal.
macro_rules! next_after {
    ($a:ident, $b:ident, $T:ty, $equal:ident) => {{
        let (bits, toward) = ($a.to_bits(), $b.to_bits());
        let top = 1 << (8 * size_of::<$T>() - 1);
        let zero = <$T>::from_bits(0);
        if $a.is_nan() {
            $a
        } else if $b.is_nan() {
            $b
        } else if $a == $b {
            $equal
        } else if $a == zero {
            <$T>::from_bits((toward & top) | 1)
        } else if ($a < $b) == ($a > zero) {
            <$T>::from_bits(bits + 1)
        } else {
            <$T>::from_bits(bits - 1)
        }
    }};
}

/// Exact but for complex numbers.
const ABS: Ulp = stated("hypot");

pub(super) static OPS: &[OpDef] = &[
    OpDef {
        name: "abs",
        aliases: &["absolute", "fabs"],
        arity: 1,
        infer: infer::magnitude,
        kernel: |args, isa| {
            map!(args, isa;
                bool: (a) = a;
                unsigned: (a) = a;
                signed: (a) = a.wrapping_abs();
                floats: (a) = a.abs();
                halves: (a) = Self::Out::from_bits(a.to_bits() & 0x7fff);
                c64: (a) -> f32 = math::hypot(a.re, a.im);
                c128: (a) -> f64 = double::hypot(a.re, a.im);
            )
        },
        wgsl: |args| {
            Wgsl {
                bool: Some("$0"),
                i32: Some("select($0, -$0, $0 < 0i)"),
                u32: Some("$0"),
                i64: Some("select($0, -$0, $0 < 0li)"),
                u64: Some("$0"),
                f32: Some("tw_abs($0)"),
                f64: Some("tw_abs_f64($0)"),
                c64: Some("tw_hypot($0.x, $0.y)"),
                c128: None,
            }
            .of(args)
        },
        ulp: ABS,
        doc: "Absolute value, of a complex number its length; the least signed integer has none and stays.",
        example: "abs(x)",
    },
    OpDef {
        name: "negative",
        aliases: &[],
        arity: 1,
        infer: infer::numbers,
        kernel: |args, isa| {
            map!(args, isa;
                words: (a) = a.wrapping_neg();
                floats: (a) = -a;
                halves: (a) = Self::Out::from_bits(a.to_bits() ^ 0x8000);
                complex: (a) = -a;
            )
        },
        wgsl: |args| {
            Wgsl {
                i32: Some("-$0"),
                u32: Some("0u - $0"),
                i64: Some("-$0"),
                u64: Some("0lu - $0"),
                f32: Some("tw_negate($0)"),
                f64: Some("tw_negate_f64($0)"),
                c64: Some("vec2<f32>(tw_negate($0.x), tw_negate($0.y))"),
                c128: Some("vec2<f64>(tw_negate_f64($0.x), tw_negate_f64($0.y))"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The number of opposite sign; integers wrap.",
        example: "-x",
    },
    OpDef {
        name: "positive",
        aliases: &[],
        arity: 1,
        infer: infer::numbers,
        kernel: |args, isa| map!(args, isa; bits: (a) = a; complex: (a) = a;),
        wgsl: |args| Wgsl::any("$0").of(args),
        ulp: EXACT,
        doc: "The number itself.",
        example: "+x",
    },
    OpDef {
        name: "sign",
        aliases: &[],
        arity: 1,
        infer: infer::numbers,
        kernel: |args, isa| {
            map!(args, isa;
                signed: (a) = (a > 0) as Self::Out - (a < 0) as Self::Out;
                unsigned: (a) = if a == 0 { 0 } else { 1 };
                floats: (a) = if a > 0.0 {
                    1.0
                } else if a < 0.0 {
                    -1.0
                } else if a == 0.0 {
                    0.0
                } else {
                    a
                };
            )
        },
        wgsl: |args| {
            Wgsl {
                i32: Some("select(select(0i, 1i, $0 > 0i), -1i, $0 < 0i)"),
                u32: Some("select(0u, 1u, $0 != 0u)"),
                i64: Some("select(select(0li, 1li, $0 > 0li), -1li, $0 < 0li)"),
                u64: Some("select(0lu, 1lu, $0 != 0lu)"),
                f32: Some("tw_sign($0)"),
                f64: Some("tw_sign_f64($0)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "-1, 0 or 1; NaN of NaN, 0 of -0.",
        example: "sign(x)",
    },
    OpDef {
        name: "signbit",
        aliases: &[],
        arity: 1,
        infer: infer::predicate,
        kernel: |args, isa| {
            map!(args, isa;
                signed: (a) -> bool = a < 0;
                floats: (a) -> bool = a.is_sign_negative();
                halves: (a) -> bool = a.to_bits() >= 0x8000;
                bits: (_a) -> bool = false;
            )
        },
        wgsl: |args| {
            Wgsl {
                bool: Some("false"),
                i32: Some("$0 < 0i"),
                u32: Some("false"),
                i64: Some("$0 < 0li"),
                u64: Some("false"),
                f32: Some("tw_signbit($0)"),
                f64: Some("tw_signbit_f64($0)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "Whether the sign is minus, also of -0 and NaN.",
        example: "signbit(x)",
    },
    OpDef {
        name: "copysign",
        aliases: &[],
        arity: 2,
        infer: infer::floating,
        kernel: |args, isa| {
            map!(args, isa;
                floats: (a, b) = a.copysign(b);
                halves: (a, b) = Self::Out::from_bits((a.to_bits() & 0x7fff) | (b.to_bits() & 0x8000));
            )
        },
        wgsl: |args| {
            Wgsl {
                f32: Some("tw_copysign($0, $1)"),
                f64: Some("tw_copysign_f64($0, $1)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The magnitude of x1 with the sign of x2.",
        example: "copysign(x, y)",
    },
    OpDef {
        name: "nextafter",
        aliases: &[],
        arity: 2,
        infer: infer::floating,
        kernel: |args, isa| {
            map!(args, isa;
                floats: (a, b) = next_after!(a, b, Self::Out, b);
                halves: (a, b) = next_after!(a, b, Self::Out, a);
            )
        },
        wgsl: |args| {
            let f32 = match args {
                [DType::F16, _] => "tw_nextafter_f16($0, $1)",
                [DType::BF16, _] => "tw_nextafter_bf16($0, $1)",
                _ => "tw_nextafter($0, $1)",
            };
            Wgsl {
                f32: Some(f32),
                f64: Some("tw_nextafter_f64($0, $1)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The next number of the dtype after x1 in the direction of x2.",
        example: "nextafter(x, y)",
    },
];
