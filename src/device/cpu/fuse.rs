//! Fusing ops of a program that have a loop in common: a masked value, a chain of terms, a pair.

use crate::plan::program::{Action, Inst, Output, Program, Reg};
use std::sync::Arc;
use tilewise_kernels::ops::{Chain, MOST_TERMS, mask_kernel, pair_kernel};
use tilewise_kernels::{DType, Isa, Scalar, StripFn};

/// A loop over the values of a node's arguments.
#[derive(Clone)]
pub(super) struct Loop {
    strip: StripFn,
    /// A last argument that is the same for every strip.
    factors: Option<Arc<[u8]>>,
}

/// Most arguments of a loop, the factors not counted.
pub(super) const MOST_ARGS: usize = MOST_TERMS;

impl From<StripFn> for Loop {
    fn from(strip: StripFn) -> Loop {
        Loop { strip, factors: None }
    }
}

impl Loop {
    /// Computes `out` from the arguments, [`MOST_ARGS`] at most.
    pub(super) fn run(&self, args: &[&[u8]], out: &mut [u8]) {
        let Some(factors) = &self.factors else {
            return (self.strip)(args, out);
        };
        let mut all: [&[u8]; MOST_ARGS + 1] = [&[]; MOST_ARGS + 1];
        all[..args.len()].copy_from_slice(args);
        all[args.len()] = factors;
        (self.strip)(&all[..=args.len()], out);
    }
}

/// An instruction's loop together with ops that only it reads, and what that loop reads.
pub(super) type Fused = Option<(Loop, Vec<Reg>)>;

/// For each instruction, the loop that it shares with its arguments, if there is one.
pub(super) fn fused(program: &Program, isa: Isa) -> Vec<Fused> {
    let mut readers = vec![0; program.insts.len()];
    let args = program.insts.iter().flat_map(|inst| &inst.args);
    args.copied()
        .chain(program.outputs.iter().map(Output::value))
        .for_each(|reg| readers[reg] += 1);
    let mut fused: Vec<Fused> = Vec::with_capacity(program.insts.len());
    for at in 0..program.insts.len() {
        let found = mask(program, at, isa)
            .or_else(|| chain(program, at, isa, &readers))
            .or_else(|| pair(program, at, isa, &readers, &fused));
        fused.push(found);
    }
    fused
}

/// The loop of an instruction that is `where(x == fill, nan, x)` in a float dtype.
fn mask(program: &Program, at: Reg, isa: Isa) -> Fused {
    let inst = &program.insts[at];
    if name(inst) != Some("where") {
        return None;
    }
    let (condition, nan, x) = (
        &program.insts[inst.args[0]],
        &program.insts[inst.args[1]],
        inst.args[2],
    );
    let is_nan = match nan.action {
        Action::Const(scalar) => scalar == Scalar::new(f32::NAN) || scalar == Scalar::new(f64::NAN),
        _ => false,
    };
    if !is_nan || name(condition) != Some("equal") {
        return None;
    }
    let fill = match condition.args[..] {
        [a, fill] if a == x => fill,
        [fill, a] if a == x => fill,
        _ => return None,
    };
    Some((mask_kernel(inst.dtype, isa)?.into(), vec![x, fill]))
}

/// The loop of an instruction and of an op before it that nothing else reads and that is not
/// fused itself.
fn pair(program: &Program, at: Reg, isa: Isa, readers: &[usize], before: &[Fused]) -> Fused {
    let inst = &program.insts[at];
    let second = name(inst).filter(|_| inst.args.len() == 2)?;
    [(0, 1), (1, 0)].into_iter().find_map(|(chain, other)| {
        let (chain, flipped) = (inst.args[chain], chain == 1);
        let inner = &program.insts[chain];
        if readers[chain] != 1 || before[chain].is_some() || inner.args.len() != 2 {
            return None;
        }
        let kernel = pair_kernel(name(inner)?, second, flipped, inst.dtype, isa)?;
        Some((
            kernel.into(),
            vec![inner.args[0], inner.args[1], inst.args[other]],
        ))
    })
}

/// Ops that a chain must replace to be worth its loop.
const LEAST_OPS: usize = 3;

/// The loop of an instruction that ends a chain of terms.
fn chain(program: &Program, at: Reg, isa: Isa, readers: &[usize]) -> Fused {
    if !matches!(program.insts[at].dtype, DType::F32 | DType::F64) {
        return None;
    }
    let sums = Sums { program, readers };
    let (outer, root) = match sums.scaled(at) {
        Some((factor, sum)) if sums.continues(sum) => (factor, sum),
        _ => (1.0, at),
    };
    let (rest, sign, last) = sums.split(root)?;
    let mut ops = 1 + usize::from(root != at);
    let (inner, mut rest) = match sums.scaled(rest) {
        Some((factor, sum)) if readers[rest] == 1 && sums.continues(sum) => {
            ops += 1;
            (factor * sign, sum)
        }
        _ => (sign, rest),
    };
    let mut terms = vec![last];
    while terms.len() + 1 < MOST_TERMS && sums.continues(rest) {
        let Some((next, _, term)) = sums.split(rest).filter(|&(_, sign, _)| sign > 0.0) else {
            break;
        };
        terms.push(term);
        ops += 1;
        rest = next;
    }
    terms.push((1.0, rest));
    let mut regs = Vec::with_capacity(terms.len());
    let mut weights = Vec::with_capacity(terms.len());
    for (sign, reg) in terms.into_iter().rev() {
        let (factor, reg) = match sums.scaled(reg) {
            Some((factor, inner)) if readers[reg] == 1 => {
                ops += 1;
                (factor, inner)
            }
            _ => (1.0, reg),
        };
        weights.push(sign * factor);
        regs.push(reg);
    }
    let chain = Chain {
        weights,
        inner,
        outer,
    };
    let dtype = program.insts[at].dtype;
    let strip = chain.kernel(dtype, isa).filter(|_| ops >= LEAST_OPS)?;
    let factors = Some(chain.factors(dtype).into());
    Some((Loop { strip, factors }, regs))
}

/// Looks for sums in a program.
struct Sums<'a> {
    program: &'a Program,
    readers: &'a [usize],
}

impl Sums<'_> {
    /// The arguments of a value that is made by the op of that name.
    fn made_by(&self, reg: Reg, op: &str) -> Option<(Reg, Reg)> {
        let inst = &self.program.insts[reg];
        match inst.args[..] {
            [a, b] if name(inst) == Some(op) => Some((a, b)),
            _ => None,
        }
    }

    /// Whether a value is a sum that nothing else reads.
    fn continues(&self, reg: Reg) -> bool {
        let sum = self.made_by(reg, "add").or_else(|| self.made_by(reg, "subtract"));
        sum.is_some() && self.readers[reg] == 1
    }

    /// A factor and what it multiplies.
    fn scaled(&self, reg: Reg) -> Option<(f64, Reg)> {
        let constant = |reg: Reg| match self.program.insts[reg].action {
            Action::Const(scalar) => Some(scalar.to_f64()),
            _ => None,
        };
        let (a, b) = self.made_by(reg, "multiply")?;
        match (constant(a), constant(b)) {
            (Some(factor), None) => Some((factor, b)),
            (None, Some(factor)) => Some((factor, a)),
            _ => None,
        }
    }

    /// A sum as `sign * rest + sign * term`: the rest, which goes on if either argument does, its
    /// sign, and the term with its own.
    fn split(&self, reg: Reg) -> Option<(Reg, f64, (f64, Reg))> {
        let goes_on = |reg: Reg| {
            let scaled = self.scaled(reg).filter(|_| self.readers[reg] == 1);
            self.continues(reg) || scaled.is_some_and(|(_, sum)| self.continues(sum))
        };
        let (a, b, sign) = match self.made_by(reg, "add") {
            Some((a, b)) => (a, b, 1.0),
            None => self.made_by(reg, "subtract").map(|(a, b)| (a, b, -1.0))?,
        };
        if goes_on(b) && !goes_on(a) {
            return Some((b, sign, (1.0, a)));
        }
        Some((a, 1.0, (sign, b)))
    }
}

/// The name of an instruction that is an op.
fn name(inst: &Inst) -> Option<&'static str> {
    match &inst.action {
        Action::Op(op) => Some(op.name),
        _ => None,
    }
}

/// The instructions that some output needs.
pub(super) fn live(program: &Program, fused: &[Fused]) -> Vec<bool> {
    let mut live = vec![false; program.insts.len()];
    for output in &program.outputs {
        live[output.value()] = true;
    }
    for at in (0..program.insts.len()).rev() {
        if live[at] {
            let args = fused[at]
                .as_ref()
                .map_or(&program.insts[at].args, |(_, args)| args);
            args.iter().for_each(|&arg| live[arg] = true);
        }
    }
    live
}
