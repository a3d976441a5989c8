//! The op table: one record per elementwise op, the only hand-written place of that op.
//!
//! A record holds the op's names, its typing rule, its scalar meaning (as strip loops), its WGSL
//! snippet, its stated error and its documentation. Inference, CPU kernels, generated shaders,
//! constant folding, method and CLI names, the docs page and the test matrix all follow from it.

mod arithmetic;
mod bitwise;
mod chain;
mod comparison;
mod complex;
mod division;
mod exponential;
mod fused;
mod hyperbolic;
mod infer;
mod logical;
mod power;
mod predicates;
mod random;
mod record;
mod rounding;
mod selection;
mod sign;
pub(crate) mod strip;
mod trigonometric;

pub use chain::{Chain, MOST_TERMS};
pub use fused::{mask_kernel, pair_kernel};

use crate::DType;
use std::fmt;

/// A resolved loop: `args` and `out` are strips of equal element count, in the dtypes of the
/// op's [`Signature`], aligned to their element size. Bools are bytes of 0 or 1.
pub type StripFn = fn(args: &[&[u8]], out: &mut [u8]);

/// An instruction set that a loop was compiled for; chosen once at run time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Isa {
    /// What every machine of this architecture has (SSE2 on x86-64, NEON on AArch64).
    Baseline,
    /// AVX2 (x86-64-v3 without relying on FMA contraction, so the bits stay the same).
    Avx2,
    /// AVX-512 F, DQ, BW and VL.
    Avx512,
}

impl Isa {
    /// The best instruction set this machine has.
    pub fn detect() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            let avx512 = std::is_x86_feature_detected!("avx512f")
                && std::is_x86_feature_detected!("avx512dq")
                && std::is_x86_feature_detected!("avx512bw")
                && std::is_x86_feature_detected!("avx512vl");
            if avx512 {
                return Isa::Avx512;
            }
            if std::is_x86_feature_detected!("avx2") {
                return Isa::Avx2;
            }
        }
        Isa::Baseline
    }

    /// Whether this machine can run it.
    pub fn available(self) -> bool {
        self <= Isa::detect()
    }
}

/// The dtypes an op computes in: arguments are cast to `args` first, the result has `result`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// The dtype of each argument, after casting.
    pub args: Vec<DType>,
    /// The dtype of the result.
    pub result: DType,
}

/// Largest error against the exact result, in units in the last place of the result.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ulp {
    /// Of f32 on the CPU, and of half floats before they are rounded.
    pub f32: f32,
    /// Of f64 on the CPU.
    pub f64: f32,
    /// On a GPU.
    pub gpu: f32,
}

/// One record of the op table.
pub struct OpDef {
    /// The Array API name.
    pub name: &'static str,
    /// NumPy's other names for it.
    pub aliases: &'static [&'static str],
    /// Number of arguments.
    pub arity: usize,
    /// The dtypes it computes in for arguments of the given dtypes, as NumPy 2; the error names
    /// the op, the dtypes and what it accepts.
    pub infer: fn(&OpDef, &[DType]) -> Result<Signature, String>,
    /// The loop for arguments of a signature's `args`. `None` where they are `F16` or `BF16`
    /// means: compute in `F32` and round.
    pub kernel: fn(&[DType], Isa) -> Option<StripFn>,
    /// A WGSL expression over `$0`, `$1`, `$2` for arguments of a signature's `args`, held in
    /// registers (narrow integers sign- or zero-extended to 32 bits, half floats in f32); a narrow
    /// result is still to be wrapped or rounded. It may call functions of `shaders/`. `None`: this
    /// op runs on the CPU for these dtypes.
    pub wgsl: fn(&[DType]) -> Option<&'static str>,
    /// Stated error.
    pub ulp: Ulp,
    /// One line of documentation.
    pub doc: &'static str,
    /// An example in the expression language.
    pub example: &'static str,
}

/// A handle of a record, compared and hashed by name.
#[derive(Clone, Copy)]
pub struct Op(&'static OpDef);

impl Op {
    /// The op called `name` (or an alias of it).
    pub fn find(name: &str) -> Option<Op> {
        Op::all().find(|op| op.name == name || op.aliases.contains(&name))
    }

    /// Every op of the table.
    pub fn all() -> impl Iterator<Item = Op> {
        TABLE.iter().flat_map(|group| group.iter()).map(Op)
    }

    /// The dtypes it computes in for arguments of the given dtypes.
    ///
    /// # Errors
    /// Names the op and the dtypes when they are not accepted or their number is wrong.
    pub fn infer(self, args: &[DType]) -> Result<Signature, String> {
        if args.len() != self.0.arity {
            return Err(format!(
                "{} takes {} arguments, not {}",
                self.0.name,
                self.0.arity,
                args.len()
            ));
        }
        let signature = (self.0.infer)(self.0, args)?;
        let complex = signature.args.iter().any(|dtype| dtype.is_complex());
        if complex && (self.0.kernel)(&signature.args, Isa::Baseline).is_none() {
            return Err(format!(
                "{} is not defined for complex numbers; take abs, angle, real or imag first",
                self.0.name
            ));
        }
        Ok(signature)
    }
}

/// The records, grouped by file.
static TABLE: &[&[OpDef]] = &[
    arithmetic::OPS,
    division::OPS,
    power::OPS,
    sign::OPS,
    rounding::OPS,
    exponential::OPS,
    trigonometric::OPS,
    hyperbolic::OPS,
    comparison::OPS,
    logical::OPS,
    bitwise::OPS,
    predicates::OPS,
    complex::OPS,
    selection::OPS,
    random::OPS,
];

impl std::ops::Deref for Op {
    type Target = OpDef;
    fn deref(&self) -> &OpDef {
        self.0
    }
}

impl PartialEq for Op {
    fn eq(&self, other: &Op) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Op {}

impl std::hash::Hash for Op {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}
