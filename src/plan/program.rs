//! The program of a stage: a short SSA list that both machines run.
//!
//! A program says what one element of the stage's iteration space costs and yields; where its
//! inputs lie for a given block is told by the task. The CPU walks it over strips, the GPU gets
//! it as one generated kernel.

use std::fmt;
use tilewise_kernels::{DType, Op, Reduction, Scalar};

/// The index of an instruction; its value is the instruction's result.
pub type Reg = usize;

/// What an instruction does.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// The element of input number `n` that this point of the iteration space sees.
    Load(usize),
    /// The same value everywhere.
    Const(Scalar),
    /// The global index along an axis of the iteration space, as `start + step * i`; dtype `I64`.
    Index {
        /// The axis.
        axis: usize,
    },
    /// The argument in the instruction's dtype. Float to integer truncates towards zero; out of
    /// range saturates, NaN gives 0. Anything to bool is `!= 0`.
    Cast,
    /// An op of the table; the arguments have the dtypes of its signature.
    Op(Op),
}

/// One instruction: arguments are earlier instructions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Inst {
    /// What it does.
    pub action: Action,
    /// Its arguments.
    pub args: Vec<Reg>,
    /// The dtype of its result.
    pub dtype: DType,
}

/// What becomes of a value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Every point is stored, in the dtype of the instruction.
    Store(Reg),
    /// Points are reduced into a state.
    Reduce {
        /// The reduced value.
        value: Reg,
        /// The reduction.
        reduction: Reduction,
        /// Per axis of the iteration space: what happens along it.
        roles: Vec<AxisRole>,
        /// Per axis: what one step adds to the element index that `argmin`, `first`, … speak of.
        index_steps: Vec<i64>,
    },
}

/// What a reduction does along an axis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AxisRole {
    /// Kept: one state element per index.
    Keep,
    /// Reduced: extent 1 in the state.
    Reduce,
    /// Grouped by the task's labels: `groups` state elements. At most one axis of a program is.
    Group {
        /// Number of groups.
        groups: usize,
    },
}

/// The dtype of each input and the instructions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Program {
    /// Number of axes of the iteration space.
    pub rank: usize,
    /// The stored dtype of each input.
    pub inputs: Vec<DType>,
    /// The instructions; arguments come before their users.
    pub insts: Vec<Inst>,
    /// What is kept of it; at least one.
    pub outputs: Vec<Output>,
}

impl Output {
    /// The instruction whose value it takes.
    pub fn value(&self) -> Reg {
        match self {
            Output::Store(reg) => *reg,
            Output::Reduce { value, .. } => *value,
        }
    }
}

impl Program {
    /// Whether it stores the elements of its one input as they are.
    pub fn is_load(&self) -> bool {
        matches!(
            self.insts[..],
            [Inst {
                action: Action::Load(0),
                ..
            }]
        ) && self.outputs == [Output::Store(0)]
    }

    /// Checks what every user of a program relies on: arguments come first, dtypes are those of
    /// the signatures, axes are in range. A failure is a defect of the planner.
    ///
    /// # Errors
    /// Says which instruction breaks which rule.
    pub fn verify(&self) -> Result<(), String> {
        for (at, inst) in self.insts.iter().enumerate() {
            let fail = |why: String| Err(format!("instruction {at} ({:?}): {why}", inst.action));
            if let Some(late) = inst.args.iter().find(|&&a| a >= at) {
                return fail(format!("argument %{late} is not computed yet"));
            }
            let args: Vec<DType> = inst.args.iter().map(|&a| self.insts[a].dtype).collect();
            match &inst.action {
                Action::Load(n) if self.inputs.get(*n) != Some(&inst.dtype) => {
                    return fail(format!(
                        "input {n} is {:?}, not {}",
                        self.inputs.get(*n),
                        inst.dtype
                    ));
                }
                Action::Const(scalar) if scalar.dtype() != inst.dtype => {
                    return fail(format!("constant of {}", scalar.dtype()));
                }
                Action::Index { axis } if *axis >= self.rank || inst.dtype != DType::I64 => {
                    return fail(format!("axis {axis} of {}", self.rank));
                }
                Action::Cast if args.len() != 1 => {
                    return fail(format!("{} arguments", args.len()));
                }
                Action::Op(op) => {
                    let signature = op.infer(&args)?;
                    if signature.args != args || signature.result != inst.dtype {
                        return fail(format!(
                            "arguments {args:?} give {signature:?}, not {}",
                            inst.dtype
                        ));
                    }
                }
                _ => {}
            }
        }
        for output in &self.outputs {
            if output.value() >= self.insts.len() {
                return Err(format!("output of %{}, which does not exist", output.value()));
            }
            if let Output::Reduce {
                roles, index_steps, ..
            } = output
                && (roles.len() != self.rank || index_steps.len() != self.rank)
            {
                return Err(format!(
                    "reduction with {} roles over {} axes",
                    roles.len(),
                    self.rank
                ));
            }
        }
        if self.outputs.is_empty() {
            return Err("a program without outputs".into());
        }
        Ok(())
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, inst) in self.insts.iter().enumerate() {
            let args: Vec<String> = inst.args.iter().map(|a| format!("%{a}")).collect();
            let text = match &inst.action {
                Action::Load(n) => format!("load in{n}"),
                Action::Const(scalar) => format!("const {scalar}"),
                Action::Index { axis } => format!("index {axis}"),
                Action::Cast => format!("cast {}", args[0]),
                Action::Op(op) => format!("{} {}", op.name, args.join(", ")),
            };
            writeln!(f, "%{at}: {} = {text}", inst.dtype.info().short)?;
        }
        for output in &self.outputs {
            match output {
                Output::Store(reg) => writeln!(f, "store %{reg}")?,
                Output::Reduce {
                    value,
                    reduction,
                    roles,
                    ..
                } => {
                    let nan = if reduction.skipna { "nan" } else { "" };
                    let roles: Vec<String> = roles
                        .iter()
                        .map(|role| match role {
                            AxisRole::Keep => "keep".to_string(),
                            AxisRole::Reduce => "reduce".to_string(),
                            AxisRole::Group { groups } => format!("group/{groups}"),
                        })
                        .collect();
                    writeln!(
                        f,
                        "{nan}{} %{value} [{}]",
                        reduction.kind.name(),
                        roles.join(", ")
                    )?;
                }
            }
        }
        Ok(())
    }
}
