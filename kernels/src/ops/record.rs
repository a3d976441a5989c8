//! What records are written with: stated errors, WGSL by register type, and the shape that all
//! functions of the `math` module share.

use super::Ulp;
use crate::DType;
use crate::math::{self, double};

/// The result is the right one to the last bit on every device.
pub(super) const EXACT: Ulp = Ulp {
    f32: 0.0,
    f64: 0.0,
    gpu: 0.0,
};

/// Right to the last bit on the CPU. Vulkan permits devices 2.5 ULP for a division and 3 for a
/// square root.
pub(super) const EXACT_ON_CPU: Ulp = Ulp { gpu: 3.0, ..EXACT };

/// The expression of an op for each register type of a generated kernel.
///
/// 8- and 16-bit integers are held in `i32` and `u32`, half floats in `f32`. `i64`, `u64` and
/// `f64` are used only where the adapter has them.
#[derive(Clone, Copy)]
pub(super) struct Wgsl {
    pub bool: Option<&'static str>,
    pub i32: Option<&'static str>,
    pub u32: Option<&'static str>,
    pub i64: Option<&'static str>,
    pub u64: Option<&'static str>,
    pub f32: Option<&'static str>,
    pub f64: Option<&'static str>,
    pub c64: Option<&'static str>,
    pub c128: Option<&'static str>,
}

impl Wgsl {
    /// No expression for any type.
    pub const NONE: Wgsl = Wgsl {
        bool: None,
        i32: None,
        u32: None,
        i64: None,
        u64: None,
        f32: None,
        f64: None,
        c64: None,
        c128: None,
    };

    /// One text for integers of every width.
    pub const fn integers(text: &'static str) -> Wgsl {
        Wgsl {
            i32: Some(text),
            u32: Some(text),
            i64: Some(text),
            u64: Some(text),
            ..Wgsl::NONE
        }
    }

    /// One text for every type.
    pub const fn any(text: &'static str) -> Wgsl {
        Wgsl {
            bool: Some(text),
            f32: Some(text),
            f64: Some(text),
            c64: Some(text),
            c128: Some(text),
            ..Wgsl::integers(text)
        }
    }

    /// The text for arguments of which the last has the dtype that decides.
    pub fn of(self, args: &[DType]) -> Option<&'static str> {
        match args.last()?.info().wgsl {
            "bool" => self.bool,
            "i32" => self.i32,
            "u32" => self.u32,
            "i64" => self.i64,
            "u64" => self.u64,
            "f32" => self.f32,
            "f64" => self.f64,
            "vec2<f32>" => self.c64,
            "vec2<f64>" => self.c128,
            _ => None,
        }
    }
}

/// The errors that the `math` module states for the function `name`. Devices round some quotients
/// and subnormals otherwise, hence more there: 3 at least unless the function is exact or rounded
/// once.
pub(super) const fn stated(name: &str) -> Ulp {
    let (mut f32, mut f64) = (-1.0, -1.0);
    let mut i = 0;
    while i < math::FUNCTIONS.len() {
        if same(math::FUNCTIONS[i].0, name) {
            f32 = math::FUNCTIONS[i].1;
        }
        i += 1;
    }
    let mut i = 0;
    while i < double::FUNCTIONS.len() {
        if same(double::FUNCTIONS[i].0, name) {
            f64 = double::FUNCTIONS[i].1;
        }
        i += 1;
    }
    assert!(
        f32 >= 0.0 && f64 >= 0.0,
        "the math module states no error for this function"
    );
    let gpu = if f32 > 0.5 && f32 < 2.0 { 3.0 } else { f32 + 1.0 };
    Ulp { f32, f64, gpu }
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// The record of a function that `math` has for f32, `math::double` for f64 and
/// `shaders/math.wgsl` as `tw_` and the name: `function!(exp(x) ["alias"], "doc", "example")`.
/// `if test => easy` after the aliases names a function for strips that pass the test, `f64 if` one
/// of f64 alone.
macro_rules! function {
    (@arity (x)) => { 1 };
    (@arity (x, y)) => { 2 };
    (@call (x)) => { "($0)" };
    (@call (x, y)) => { "($0, $1)" };
    ($name:ident $args:tt [$($alias:literal),*] $(if $test:ident => $easy:ident)? $(f64 if $test64:ident => $easy64:ident)?, $doc:literal, $example:literal) => {
        $crate::ops::OpDef {
            name: stringify!($name),
            aliases: &[$($alias),*],
            arity: $crate::ops::record::function!(@arity $args),
            infer: $crate::ops::infer::floating,
            kernel: |args, isa| $crate::ops::strip::map!(args, isa;
                f32: $args = $crate::math::$name $args
                    $(, if $crate::math::$test $args => $crate::math::$easy $args)?;
                f64: $args = $crate::math::double::$name $args
                    $(, if $crate::math::double::$test $args => $crate::math::double::$easy $args)?
                    $(, if $crate::math::double::$test64 $args => $crate::math::double::$easy64 $args)?;
            ),
            wgsl: |args| $crate::ops::record::Wgsl {
                f32: Some(concat!("tw_", stringify!($name), $crate::ops::record::function!(@call $args))),
                ..$crate::ops::record::Wgsl::NONE
            }
            .of(args),
            ulp: $crate::ops::record::stated(stringify!($name)),
            doc: $doc,
            example: $example,
        }
    };
}
pub(super) use function;
