//! The instructions of a program as WGSL statements for one point.
//!
//! One `let` per instruction that is used. Registers are those of the op table (narrow integers
//! in 32 bits, half floats in f32); what a narrow dtype cannot hold is wrapped or rounded after
//! each instruction, so a kernel gives what a chain of stored arrays would.

use crate::plan::program::{Action, Inst, Program, Reg};
use crate::{DType, Scalar};
use std::fmt::Write;

/// What an adapter can compute with; a failed self-test takes an ability away.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Abilities {
    /// `f64`, which also needs 64-bit integers here.
    pub f64: bool,
    /// `i64` and `u64`.
    pub i64: bool,
}

/// Writes the statements of one program.
pub(super) struct Expression<'a> {
    program: &'a Program,
    /// Whether each instruction is used by the outputs of the kernel.
    used: Vec<bool>,
    /// The instruction that stands for it: the first of equal loads.
    same: Vec<Reg>,
}

impl<'a> Expression<'a> {
    /// For some of a program's outputs.
    pub fn new(program: &'a Program, outputs: &[usize]) -> Expression<'a> {
        let mut used = vec![false; program.insts.len()];
        for &output in outputs {
            used[program.outputs[output].value()] = true;
        }
        for reg in (0..used.len()).rev() {
            if used[reg] {
                for &arg in &program.insts[reg].args {
                    used[arg] = true;
                }
            }
        }
        let same = (0..used.len())
            .map(|reg| {
                let inst = &program.insts[reg];
                let twin = |other: &&Inst| matches!(inst.action, Action::Load(_)) && **other == *inst;
                let first = program.insts[..reg].iter().find(twin);
                first.map_or(reg, |f| {
                    program
                        .insts
                        .iter()
                        .position(|i| std::ptr::eq(i, f))
                        .unwrap_or(reg)
                })
            })
            .collect();
        let mut this = Expression { program, used, same };
        for reg in 0..this.used.len() {
            let first = this.same[reg];
            this.used[first] |= this.used[reg];
        }
        this
    }

    /// Whether an adapter has the dtypes that the used instructions compute in.
    ///
    /// # Errors
    /// Names the dtype and the instruction.
    pub fn check(&self, can: Abilities) -> Result<(), String> {
        for (reg, inst) in self.program.insts.iter().enumerate() {
            let lacks = match inst.dtype {
                DType::F64 | DType::C128 => !can.f64,
                DType::I64 | DType::U64 => !can.i64,
                _ => false,
            };
            if self.used[reg] && lacks {
                return Err(format!(
                    "{:?} of {} needs 64-bit numbers in shaders, which this adapter lacks",
                    inst.action, inst.dtype
                ));
            }
        }
        Ok(())
    }

    /// The name of a register.
    pub fn name(&self, reg: Reg) -> String {
        format!("r{}", self.same[reg])
    }

    /// The inputs that are loaded, in order.
    pub fn inputs(&self) -> Vec<usize> {
        (0..self.program.inputs.len())
            .filter(|&n| {
                let loads = |(reg, inst): (usize, &Inst)| self.used[reg] && inst.action == Action::Load(n);
                self.program.insts.iter().enumerate().any(loads)
            })
            .collect()
    }

    /// The axes whose index is asked for.
    pub fn indexed(&self, axis: usize) -> bool {
        let asks = |(reg, inst): (usize, &Inst)| self.used[reg] && inst.action == Action::Index { axis };
        self.program.insts.iter().enumerate().any(asks)
    }

    /// How many instructions are computed.
    pub fn len(&self) -> usize {
        let computed = |reg: &usize| self.used[*reg] && self.same[*reg] == *reg;
        (0..self.used.len()).filter(computed).count()
    }

    /// The statements, which see the index along axis `a` as `index{a}`; `load` gives the register
    /// of an input.
    pub fn statements(&self, indent: &str, load: &dyn Fn(usize) -> String) -> Result<String, String> {
        let mut text = String::new();
        for (reg, inst) in self.program.insts.iter().enumerate() {
            if self.used[reg] && self.same[reg] == reg {
                let value = self.value(inst, load)?;
                let _ = writeln!(text, "{indent}let r{reg} = {value};");
            }
        }
        Ok(text)
    }

    fn value(&self, inst: &Inst, load: &dyn Fn(usize) -> String) -> Result<String, String> {
        Ok(match &inst.action {
            Action::Load(n) => load(*n),
            Action::Const(scalar) => constant(*scalar),
            Action::Index { axis } => format!("index{axis}"),
            Action::Cast => {
                let from = self.program.insts[inst.args[0]].dtype;
                let snippet = tilewise_kernels::cast_wgsl(from, inst.dtype)
                    .ok_or_else(|| format!("cast from {from} to {} has no shader", inst.dtype))?;
                fit(inst.dtype, &snippet.replace("$0", &self.name(inst.args[0])))
            }
            Action::Op(op) => {
                let dtypes: Vec<DType> = inst.args.iter().map(|&a| self.program.insts[a].dtype).collect();
                let snippet = (op.wgsl)(&dtypes)
                    .ok_or_else(|| format!("{} of {} has no shader", op.name, listed(&dtypes)))?;
                let mut text = snippet.to_string();
                for (place, &arg) in inst.args.iter().enumerate() {
                    // `x - x` folds to 0, which is wrong for NaN and infinities: the second
                    // mention of a value is hidden.
                    let again = inst.args[..place].iter().any(|&a| self.same[a] == self.same[arg]);
                    let name = self.name(arg);
                    let shown = if again { opaque(dtypes[place], &name) } else { name };
                    text = text.replace(&format!("${place}"), &shown);
                }
                fit(inst.dtype, &text)
            }
        })
    }
}

fn listed(dtypes: &[DType]) -> String {
    let names: Vec<&str> = dtypes.iter().map(|d| d.name()).collect();
    names.join(", ")
}

/// A float hidden from the optimiser; other dtypes need no hiding.
fn opaque(dtype: DType, value: &str) -> String {
    match dtype {
        DType::F16 | DType::BF16 | DType::F32 => format!("tw_opaque({value})"),
        DType::F64 => format!("tw_opaque_f64({value})"),
        _ => value.to_string(),
    }
}

/// The type of a buffer's elements in WGSL: 32-bit words unless the dtype has more.
pub(super) fn word(dtype: DType) -> &'static str {
    match dtype.size() {
        8 | 16 => dtype.info().wgsl,
        _ => "u32",
    }
}

/// The word of input `n` that holds the element at an offset.
pub(super) fn fetched(n: usize, dtype: DType, at: &str) -> String {
    match dtype.size() {
        1 => format!("in{n}[{at} >> 2u]"),
        2 => format!("in{n}[{at} >> 1u]"),
        _ => format!("in{n}[{at}]"),
    }
}

/// Where in that word the element begins, in bits; nothing where it is the whole word.
pub(super) fn shift(dtype: DType, at: &str) -> Option<String> {
    match dtype.size() {
        1 => Some(format!("(({at} & 3u) * 8u)")),
        2 => Some(format!("(({at} & 1u) * 16u)")),
        _ => None,
    }
}

/// The register of an element in a word.
pub(super) fn loaded(dtype: DType, word: &str, shift: Option<&str>) -> String {
    let low = match shift {
        Some(shift) => format!("({word} >> {shift})"),
        None => word.to_string(),
    };
    match dtype {
        DType::Bool => format!("({low} & 0xffu) != 0u"),
        DType::U8 => format!("{low} & 0xffu"),
        DType::I8 => format!("bitcast<i32>({low} << 24u) >> 24u"),
        DType::U16 => format!("{low} & 0xffffu"),
        DType::I16 => format!("bitcast<i32>({low} << 16u) >> 16u"),
        DType::F16 => format!("tw_f16_load({low} & 0xffffu)"),
        DType::BF16 => format!("bitcast<f32>({low} << 16u)"),
        DType::I32 => format!("bitcast<i32>({low})"),
        DType::F32 => format!("bitcast<f32>({low})"),
        DType::U32 | DType::I64 | DType::U64 | DType::F64 | DType::C64 | DType::C128 => low,
    }
}

/// The bits that a store of a narrow dtype puts into its word; for others the word itself.
pub(super) fn stored(dtype: DType, value: &str) -> String {
    match dtype {
        DType::Bool => format!("select(0u, 1u, {value})"),
        DType::U8 | DType::U16 | DType::U32 | DType::I64 | DType::U64 => value.to_string(),
        DType::F64 | DType::C64 | DType::C128 => value.to_string(),
        DType::I8 => format!("bitcast<u32>({value}) & 0xffu"),
        DType::I16 => format!("bitcast<u32>({value}) & 0xffffu"),
        DType::F16 => format!("tw_f16_store({value})"),
        DType::BF16 => format!("tw_bf16_store({value})"),
        DType::I32 | DType::F32 => format!("bitcast<u32>({value})"),
    }
}

/// A value of a 32-bit register brought into what the dtype can hold.
fn fit(dtype: DType, value: &str) -> String {
    match dtype {
        DType::I8 => format!("(({value}) << 24u) >> 24u"),
        DType::I16 => format!("(({value}) << 16u) >> 16u"),
        DType::U8 => format!("({value}) & 0xffu"),
        DType::U16 => format!("({value}) & 0xffffu"),
        DType::F16 => format!("tw_f16_round({value})"),
        DType::BF16 => format!("tw_bf16_round({value})"),
        _ => value.to_string(),
    }
}

/// A constant. Zeros, NaN and infinities are hidden behind the kernel's parameter `zero`: an
/// optimiser would take `x * 0` for 0, and naga refuses the others.
fn constant(scalar: Scalar) -> String {
    let bits = scalar.bits();
    match scalar.dtype() {
        DType::Bool => (bits != 0).to_string(),
        DType::I8 => format!("{}i", bits as i8),
        DType::I16 => format!("{}i", bits as i16),
        DType::I32 => match bits as i32 {
            i32::MIN => "-2147483647i - 1i".to_string(),
            value => format!("{value}i"),
        },
        DType::I64 => match bits as i64 {
            i64::MIN => "-9223372036854775807li - 1li".to_string(),
            value => format!("{value}li"),
        },
        DType::U8 | DType::U16 | DType::U32 => format!("{bits}u"),
        DType::U64 => format!("{bits}lu"),
        DType::F16 | DType::BF16 | DType::F32 => {
            let value = scalar.to_f64() as f32;
            if value.is_normal() {
                format!("{value:?}f")
            } else {
                format!("bitcast<f32>({:#010x}u ^ zero)", value.to_bits())
            }
        }
        DType::C64 | DType::C128 => {
            let (re, im) = scalar.parts();
            format!(
                "{}({}, {})",
                scalar.dtype().info().wgsl,
                constant(re),
                constant(im)
            )
        }
        DType::F64 => {
            let value = scalar.to_f64();
            if value.is_normal() {
                format!("{value:?}lf")
            } else {
                format!("bitcast<f64>({bits:#x}lu ^ u64(zero))")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_that_compilers_fold_are_hidden() {
        assert_eq!(constant(Scalar::new(1.5f32)), "1.5f");
        assert_eq!(constant(Scalar::new(-0.0f32)), "bitcast<f32>(0x80000000u ^ zero)");
        assert_eq!(constant(Scalar::new(i32::MIN)), "-2147483647i - 1i");
        assert_eq!(constant(Scalar::new(-3i8)), "-3i");
        assert_eq!(
            constant(Scalar::new(f64::INFINITY)),
            "bitcast<f64>(0x7ff0000000000000lu ^ u64(zero))"
        );
        assert_eq!(constant(Scalar::new(1e300f64)), "1e300lf");
        assert_eq!(
            constant(Scalar::new(tilewise_kernels::Complex32::new(1.5, 0.0))),
            "vec2<f32>(1.5f, bitcast<f32>(0x00000000u ^ zero))"
        );
    }
}
