//! Logic by truthiness: arguments of any dtype are cast to bool first (NaN is true).

use super::record::{EXACT, Wgsl};
use super::strip::map;
use super::{OpDef, infer};

/// A record from the scalar meaning on bools and the same in WGSL.
macro_rules! logical {
    ($name:literal ($($x:ident),+) $body:expr, $wgsl:literal, $doc:literal, $example:literal) => {
        OpDef {
            name: $name,
            aliases: &[],
            arity: [$(stringify!($x)),+].len(),
            infer: infer::logical,
            kernel: |args, isa| map!(args, isa; bool: ($($x),+) = $body;),
            wgsl: |args| Wgsl { bool: Some($wgsl), ..Wgsl::NONE }.of(args),
            ulp: EXACT,
            doc: $doc,
            example: $example,
        }
    };
}

pub(super) static OPS: &[OpDef] = &[
    logical!("logical_and" (a, b) a & b, "$0 & $1", "Whether both are true.", "logical_and(x > 0, y > 0)"),
    logical!("logical_or" (a, b) a | b, "$0 | $1", "Whether one or both are true.", "logical_or(x > 0, y > 0)"),
    logical!("logical_xor" (a, b) a ^ b, "$0 != $1", "Whether just one is true.", "logical_xor(x > 0, y > 0)"),
    logical!("logical_not" (a) !a, "!$0", "Whether it is false.", "logical_not(x > 0)"),
];
