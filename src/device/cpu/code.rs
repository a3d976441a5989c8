//! Code: a program with its kernels looked up, done once per program.
//!
//! Dead instructions are dropped, ops that have a loop in common become one node (`fuse`), ops on
//! half floats become `widen, compute in f32, round`, and each value gets a slot of the worker's
//! scratch. A slot is used again as soon as nothing reads its value any more, so a long chain of
//! ops stays within a few strips of cache.

use super::fuse::{Loop, fused, live};
use crate::plan::program::{Action, Output, Program};
use tilewise_kernels::{DType, Isa, Scalar, cast_kernel};

/// What a node computes.
pub(super) enum What {
    /// The elements of an input.
    Load(usize),
    /// The same value everywhere.
    Const(Scalar),
    /// The global index along an axis of the program.
    Index(usize),
    /// A loop over the values of the arguments.
    Kernel(Loop),
}

/// One value of the code.
pub(super) struct Node {
    /// How it is computed.
    pub what: What,
    /// The nodes it reads, all earlier.
    pub args: Vec<usize>,
    /// The dtype of its elements.
    pub dtype: DType,
    /// Where its strip is kept.
    pub slot: usize,
    /// Outputs that take it.
    pub outputs: Vec<usize>,
    /// Whether nothing but reductions reads it.
    pub only_reduced: bool,
    /// Whether an output stores it.
    pub stored: bool,
}

/// A program ready to run.
pub(super) struct Code {
    /// The program.
    pub program: Program,
    /// The values in an order in which arguments come first.
    pub nodes: Vec<Node>,
    /// Number of slots.
    pub slots: usize,
    /// Bytes of the largest element that any slot holds.
    pub widest: usize,
}

impl Code {
    /// Looks up the kernels of a program.
    ///
    /// # Errors
    /// Names the op and dtypes for which there is no kernel, or the defect of the program.
    pub(super) fn new(program: &Program, isa: Isa) -> Result<Code, String> {
        program.verify()?;
        let fused = fused(program, isa);
        let live = live(program, &fused);
        let mut nodes: Vec<Node> = Vec::new();
        let mut node_of = vec![usize::MAX; program.insts.len()];
        let mut widened = vec![None; program.insts.len()];
        for (at, inst) in program.insts.iter().enumerate() {
            if !live[at] {
                continue;
            }
            if let Some((kernel, args)) = &fused[at] {
                let args = args.iter().map(|&a| node_of[a]).collect();
                node_of[at] = push(&mut nodes, What::Kernel(kernel.clone()), args, inst.dtype);
                continue;
            }
            let args: Vec<usize> = inst.args.iter().map(|&a| node_of[a]).collect();
            let what = match &inst.action {
                Action::Load(input) => What::Load(*input),
                Action::Const(scalar) => What::Const(*scalar),
                Action::Index { axis } => What::Index(*axis),
                Action::Cast => {
                    let from = program.insts[inst.args[0]].dtype;
                    What::Kernel(cast_kernel(from, inst.dtype, isa).into())
                }
                Action::Op(op) => {
                    let dtypes: Vec<DType> = inst.args.iter().map(|&a| program.insts[a].dtype).collect();
                    match (op.kernel)(&dtypes, isa) {
                        Some(kernel) => What::Kernel(kernel.into()),
                        None => {
                            let wide: Vec<DType> = dtypes.iter().map(|&d| without_halves(d)).collect();
                            let kernel = (wide != dtypes).then(|| (op.kernel)(&wide, isa)).flatten();
                            let Some(kernel) = kernel else {
                                return Err(format!("{} has no kernel for {dtypes:?}", op.name));
                            };
                            let mut arguments = Vec::with_capacity(args.len());
                            for (&reg, &node) in inst.args.iter().zip(&args) {
                                let from = program.insts[reg].dtype;
                                arguments.push(if is_half(from) {
                                    *widened[reg].get_or_insert_with(|| {
                                        let cast = What::Kernel(cast_kernel(from, DType::F32, isa).into());
                                        push(&mut nodes, cast, vec![node], DType::F32)
                                    })
                                } else {
                                    node
                                });
                            }
                            let result = without_halves(inst.dtype);
                            let node = push(&mut nodes, What::Kernel(kernel.into()), arguments, result);
                            node_of[at] = if is_half(inst.dtype) {
                                let round = What::Kernel(cast_kernel(DType::F32, inst.dtype, isa).into());
                                push(&mut nodes, round, vec![node], inst.dtype)
                            } else {
                                node
                            };
                            continue;
                        }
                    }
                }
            };
            node_of[at] = push(&mut nodes, what, args, inst.dtype);
        }
        for (number, output) in program.outputs.iter().enumerate() {
            nodes[node_of[output.value()]].outputs.push(number);
        }
        let mut code = Code {
            program: program.clone(),
            widest: nodes.iter().map(|n| n.dtype.size()).max().unwrap_or(1),
            nodes,
            slots: 0,
        };
        code.note_readers(program);
        code.assign_slots();
        Ok(code)
    }

    /// Finds the values that only reductions read.
    fn note_readers(&mut self, program: &Program) {
        let mut read = vec![false; self.nodes.len()];
        for node in &self.nodes {
            for &arg in &node.args {
                read[arg] = true;
            }
        }
        for (node, read) in self.nodes.iter_mut().zip(read) {
            let mut outputs = node.outputs.iter().map(|&o| &program.outputs[o]);
            node.stored = outputs.any(|o| matches!(o, Output::Store(_)));
            node.only_reduced = !read && !node.stored;
        }
    }

    /// Gives each value a slot that no value alive beside it has. Constants keep theirs, because
    /// they are written once per task.
    fn assign_slots(&mut self) {
        let mut last_read: Vec<usize> = (0..self.nodes.len()).collect();
        for (at, node) in self.nodes.iter().enumerate() {
            for &arg in &node.args {
                last_read[arg] = at;
            }
        }
        let mut free: Vec<usize> = Vec::new();
        for at in 0..self.nodes.len() {
            let constant = matches!(self.nodes[at].what, What::Const(_));
            self.nodes[at].slot = match free.pop() {
                Some(slot) if !constant => slot,
                other => {
                    free.extend(other);
                    self.slots += 1;
                    self.slots - 1
                }
            };
            for (node, &last) in self.nodes[..=at].iter().zip(&last_read) {
                if last == at && !matches!(node.what, What::Const(_)) {
                    free.push(node.slot);
                }
            }
        }
    }
}

/// Appends a node and returns its number.
fn push(nodes: &mut Vec<Node>, what: What, args: Vec<usize>, dtype: DType) -> usize {
    nodes.push(Node {
        what,
        args,
        dtype,
        slot: 0,
        outputs: Vec::new(),
        only_reduced: false,
        stored: false,
    });
    nodes.len() - 1
}

fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

fn without_halves(dtype: DType) -> DType {
    if is_half(dtype) { DType::F32 } else { dtype }
}
