//! Bit operations and shifts of integers; on bool the former are logic.
//!
//! A shift by the width or more, or by a negative count, moves every bit out: it gives 0, and -1
//! for a negative number shifted right.

use super::record::{EXACT, Wgsl};
use super::strip::map;
use super::{OpDef, infer};

/// A record whose operator means the same on integers and bools.
macro_rules! bitwise {
    ($name:literal ($($x:ident),+) $body:expr, $int:literal, $bool:literal, $doc:literal, $example:literal,
        [$($alias:literal),*]) => {
        OpDef {
            name: $name,
            aliases: &[$($alias),*],
            arity: [$(stringify!($x)),+].len(),
            infer: infer::bits,
            kernel: |args, isa| map!(args, isa;
                bool: ($($x),+) = $body;
                words: ($($x),+) = $body;
            ),
            wgsl: |args| Wgsl { bool: Some($bool), ..Wgsl::integers($int) }.of(args),
            ulp: EXACT,
            doc: $doc,
            example: $example,
        }
    };
}

pub(super) static OPS: &[OpDef] = &[
    bitwise!("bitwise_and" (a, b) a & b, "$0 & $1", "$0 & $1", "Bits set in both.", "x & y", []),
    bitwise!("bitwise_or" (a, b) a | b, "$0 | $1", "$0 | $1", "Bits set in one or both.", "x | y", []),
    bitwise!("bitwise_xor" (a, b) a ^ b, "$0 ^ $1", "$0 != $1", "Bits set in just one.", "x ^ y", []),
    bitwise!("bitwise_invert" (a) !a, "~$0", "!$0", "Bits not set.", "~x", ["bitwise_not", "invert"]),
    OpDef {
        name: "bitwise_left_shift",
        aliases: &["left_shift"],
        arity: 2,
        infer: infer::shift,
        kernel: |args, isa| {
            map!(args, isa;
                words: (a, b) = if b < <Self::Out>::BITS as Self::Out { a << b } else { 0 };
            )
        },
        wgsl: |args| {
            Wgsl {
                i32: Some("select(0i, $0 << (u32($1) & 31u), u32($1) < 32u)"),
                u32: Some("select(0u, $0 << ($1 & 31u), $1 < 32u)"),
                i64: Some("select(0li, $0 << (u32($1) & 63u), u64($1) < 64lu)"),
                u64: Some("select(0lu, $0 << (u32($1) & 63u), $1 < 64lu)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "Bits moved up by x2; 0 if x2 is negative or not below the width.",
        example: "x << 3",
    },
    OpDef {
        name: "bitwise_right_shift",
        aliases: &["right_shift"],
        arity: 2,
        infer: infer::shift,
        kernel: |args, isa| {
            map!(args, isa;
                signed: (a, b) = {
                    let last = <Self::Out>::BITS as Self::Out - 1;
                    a >> (if (0..last).contains(&b) { b } else { last })
                };
                unsigned: (a, b) = if b < <Self::Out>::BITS as Self::Out { a >> b } else { 0 };
            )
        },
        wgsl: |args| {
            Wgsl {
                i32: Some("$0 >> select(31u, u32($1), u32($1) < 32u)"),
                u32: Some("select(0u, $0 >> ($1 & 31u), $1 < 32u)"),
                i64: Some("$0 >> select(63u, u32($1), u64($1) < 64lu)"),
                u64: Some("select(0lu, $0 >> (u32($1) & 63u), $1 < 64lu)"),
                ..Wgsl::NONE
            }
            .of(args)
        },
        ulp: EXACT,
        doc: "Bits moved down by x2, copying the sign; 0 or -1 if x2 is negative or not below the width.",
        example: "x >> 3",
    },
];
