//! Comparisons, to bool.
//!
//! NaN is unequal to and not ordered with anything. Signed with unsigned 64-bit integers, which
//! no dtype holds together, have loops of their own and compare by value, as in NumPy 2. In WGSL
//! floats are compared by their bits: `x != x` is false for NaN there, and some drivers take
//! subnormals for 0.

use super::record::{EXACT, Wgsl};
use super::strip::{Map, map, select};
use super::{OpDef, infer};
use crate::DType;

/// A record from the operator, WGSL for bool, the f32 function (f64 has the same with a suffix),
/// WGSL for `i64` with `u64` and for `u64` with `i64`, and for what complex numbers are asked too.
macro_rules! comparison {
    ($name:literal $op:tt, bool: $bool:literal, float: $float:literal, mixed: $iu:literal, $ui:literal,
        $($family:ident: $c64:literal, $c128:literal,)? $doc:literal) => {
        OpDef {
            name: $name,
            aliases: &[],
            arity: 2,
            infer: infer::comparison,
            kernel: |args, isa| {
                struct Mixed;
                impl Map<(i64, u64)> for Mixed {
                    type Out = bool;
                    #[inline(always)]
                    fn at((a, b): (i64, u64)) -> bool {
                        i128::from(a) $op i128::from(b)
                    }
                }
                impl Map<(u64, i64)> for Mixed {
                    type Out = bool;
                    #[inline(always)]
                    fn at((a, b): (u64, i64)) -> bool {
                        i128::from(a) $op i128::from(b)
                    }
                }
                match args {
                    [DType::I64, DType::U64] => Some(select::<Mixed, (i64, u64)>(isa)),
                    [DType::U64, DType::I64] => Some(select::<Mixed, (u64, i64)>(isa)),
                    _ => map!(args, isa;
                        bool: (a, b) -> bool = a $op b;
                        ints: (a, b) -> bool = a $op b;
                        floats: (a, b) -> bool = a $op b;
                        $($family: (a, b) -> bool = a $op b;)?
                    ),
                }
            },
            wgsl: |args| match args {
                [DType::I64, DType::U64] => Some($iu),
                [DType::U64, DType::I64] => Some($ui),
                _ => Wgsl {
                    bool: Some($bool),
                    f32: Some(concat!("tw_", $float)),
                    f64: Some(concat!("tw_f64_", $float)),
                    c64: None$(.or(Some($c64)))?,
                    c128: None$(.or(Some($c128)))?,
                    ..Wgsl::integers(concat!("$0 ", stringify!($op), " $1"))
                }
                .of(args),
            },
            ulp: EXACT,
            doc: $doc,
            example: concat!("x ", stringify!($op), " y"),
        }
    };
}

pub(super) static OPS: &[OpDef] = &[
    comparison!("equal" ==, bool: "$0 == $1", float: "equal($0, $1)",
        mixed: "tw_equal_i64_u64($0, $1)", "tw_equal_i64_u64($1, $0)",
        complex: "tw_equal_c64($0, $1)", "tw_equal_c128($0, $1)",
        "Whether x1 == x2; NaN equals nothing."),
    comparison!("not_equal" !=, bool: "$0 != $1", float: "not_equal($0, $1)",
        mixed: "!tw_equal_i64_u64($0, $1)", "!tw_equal_i64_u64($1, $0)",
        complex: "!tw_equal_c64($0, $1)", "!tw_equal_c128($0, $1)",
        "Whether x1 != x2; NaN differs from everything."),
    comparison!("less" <, bool: "!$0 & $1", float: "less_than($0, $1)",
        mixed: "tw_less_i64_u64($0, $1)", "tw_less_u64_i64($0, $1)",
        "Whether x1 < x2."),
    comparison!("less_equal" <=, bool: "!$0 | $1", float: "less_equal($0, $1)",
        mixed: "!tw_less_u64_i64($1, $0)", "!tw_less_i64_u64($1, $0)",
        "Whether x1 <= x2."),
    comparison!("greater" >, bool: "$0 & !$1", float: "less_than($1, $0)",
        mixed: "tw_less_u64_i64($1, $0)", "tw_less_i64_u64($1, $0)",
        "Whether x1 > x2."),
    comparison!("greater_equal" >=, bool: "$0 | !$1", float: "less_equal($1, $0)",
        mixed: "!tw_less_i64_u64($0, $1)", "!tw_less_u64_i64($0, $1)",
        "Whether x1 >= x2."),
];
