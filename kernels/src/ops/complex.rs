//! Complex numbers and their parts.
//!
//! Only what needs both parts at once is an op. Functions such as the exponential of a complex number
//! are expressions of real functions of its parts.

use super::record::{self, EXACT, Wgsl};
use super::strip::{Map, map, select};
use super::{OpDef, infer};
use crate::{Complex, DType, Element, math, math::double};

/// The number of two parts.
struct Join;

impl<T: Element> Map<(T, T)> for Join
where
    Complex<T>: Element,
{
    type Out = Complex<T>;
    #[inline(always)]
    fn at((re, im): (T, T)) -> Complex<T> {
        Complex { re, im }
    }
}

pub(super) static OPS: &[OpDef] = &[
    OpDef {
        name: "complex",
        aliases: &[],
        arity: 2,
        infer: infer::parts,
        kernel: |args, isa| match args {
            [DType::F32, DType::F32] => Some(select::<Join, (f32, f32)>(isa)),
            [DType::F64, DType::F64] => Some(select::<Join, (f64, f64)>(isa)),
            _ => None,
        },
        wgsl: |args| {
            Wgsl {
                f32: Some("vec2<f32>($0, $1)"),
                f64: Some("vec2<f64>($0, $1)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The complex number x1 + x2 i.",
        example: "complex(x, y)",
    },
    OpDef {
        name: "real",
        aliases: &[],
        arity: 1,
        infer: infer::magnitude,
        kernel: |args, isa| {
            map!(args, isa;
                bits: (a) = a;
                c64: (z) -> f32 = z.re;
                c128: (z) -> f64 = z.re;
            )
        },
        wgsl: |args| {
            Wgsl {
                c64: Some("$0.x"),
                c128: Some("$0.x"),
                ..Wgsl::any("$0")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The real part; of a real number the number itself.",
        example: "real(x)",
    },
    OpDef {
        name: "imag",
        aliases: &[],
        arity: 1,
        infer: infer::magnitude,
        kernel: |args, isa| {
            map!(args, isa;
                bits: (_a) = 0;
                c64: (z) -> f32 = z.im;
                c128: (z) -> f64 = z.im;
            )
        },
        wgsl: |args| {
            Wgsl {
                bool: Some("false"),
                i32: Some("0i"),
                u32: Some("0u"),
                i64: Some("0li"),
                u64: Some("0lu"),
                f32: Some("bitcast<f32>(tw_zero)"),
                f64: Some("bitcast<f64>(u64(tw_zero))"),
                c64: Some("$0.y"),
                c128: Some("$0.y"),
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The imaginary part; of a real number 0.",
        example: "imag(x)",
    },
    OpDef {
        name: "conj",
        aliases: &["conjugate"],
        arity: 1,
        infer: infer::any,
        kernel: |args, isa| {
            map!(args, isa;
                bits: (a) = a;
                complex: (z) = z.conj();
            )
        },
        wgsl: |args| {
            Wgsl {
                c64: Some("vec2<f32>($0.x, tw_negate($0.y))"),
                c128: Some("vec2<f64>($0.x, tw_negate_f64($0.y))"),
                ..Wgsl::any("$0")
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "The complex conjugate; of a real number the number itself.",
        example: "conj(x)",
    },
    OpDef {
        name: "angle",
        aliases: &[],
        arity: 1,
        infer: infer::phase,
        kernel: |args, isa| {
            map!(args, isa;
                f32: (a) = math::atan2(0.0, a);
                f64: (a) = double::atan2(0.0, a);
                c64: (z) -> f32 = math::atan2(z.im, z.re);
                c128: (z) -> f64 = double::atan2(z.im, z.re);
            )
        },
        wgsl: |args| {
            Wgsl {
                f32: Some("tw_atan2(bitcast<f32>(tw_zero), $0)"),
                c64: Some("tw_atan2($0.y, $0.x)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: record::stated("atan2"),
        doc: "The angle of the number from the positive real axis in radians, from -pi to pi.",
        example: "angle(x)",
    },
];
