//! Lowering: from expressions to one fused program.
//!
//! Elementwise ops and views vanish into a program over the stage's iteration space: a view only
//! changes the index map under which its input is lowered, so the loads at the bottom carry the
//! merged maps and nothing is materialised in between. A concatenation picks the part that the
//! block lies in; blocks never straddle parts because the stage is cut there.

use super::program::{Action, Inst, Output, Program, Reg};
use super::shared::Read;
use super::stage::{Feed, Input, Variant};
use crate::expr::{Expr, NodeKind};
use crate::geometry::{AxisMap, IndexMap};
use crate::store::MemorySource;
use crate::{Error, Result};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tilewise_kernels::{DType, Op, Scalar};

/// Builds the program of one part of a stage.
pub(crate) struct Lowering<'a> {
    feeds: &'a HashMap<u128, Feed>,
    /// First index of the part per axis, which decides the branch of concatenations.
    part: &'a [usize],
    insts: Vec<Inst>,
    inputs: Vec<Input>,
    values: HashMap<Inst, Reg>,
    memo: HashMap<(u128, IndexMap), Reg>,
}

impl<'a> Lowering<'a> {
    /// A builder; `feeds` are the expressions that exist as arrays.
    pub fn new(feeds: &'a HashMap<u128, Feed>, part: &'a [usize]) -> Lowering<'a> {
        let (insts, inputs) = (Vec::new(), Vec::new());
        Lowering {
            feeds,
            part,
            insts,
            inputs,
            values: HashMap::new(),
            memo: HashMap::new(),
        }
    }

    /// The program with these outputs.
    ///
    /// # Errors
    /// When it breaks a rule of programs, which is a defect of the planner.
    pub fn finish(self, outputs: Vec<Output>) -> Result<Variant> {
        let inputs: Vec<DType> = self.inputs.iter().map(|i| i.dtype).collect();
        let program = Program {
            rank: self.part.len(),
            inputs,
            insts: self.insts,
            outputs,
        };
        program
            .verify()
            .map_err(|why| Error::invalid(format!("the planner made a bad program: {why}")))?;
        Ok(Variant {
            program: Arc::new(program),
            reads: Read::of(&self.inputs),
            inputs: self.inputs,
        })
    }

    /// The value of `expr` at each point of the iteration space under `map`.
    pub fn value(&mut self, expr: &Expr, map: &IndexMap) -> Result<Reg> {
        let key = (expr.id(), map.clone());
        if let Some(&reg) = self.memo.get(&key) {
            return Ok(reg);
        }
        let reg = self.lower(expr, map)?;
        self.memo.insert(key, reg);
        Ok(reg)
    }

    fn lower(&mut self, expr: &Expr, map: &IndexMap) -> Result<Reg> {
        if let Some(feed) = self.feeds.get(&expr.id()) {
            let feed = feed.clone();
            return Ok(self.load(feed, &expr.shape, expr.dtype, map));
        }
        match &expr.kind {
            NodeKind::Scalar(value) => Ok(self.constant(*value)),
            NodeKind::View(view) => self.value(&expr.inputs[0], &view.then(map)),
            NodeKind::Rechunk => self.value(&expr.inputs[0], map),
            NodeKind::Index { axis } => self.index(&map.axes[*axis]),
            NodeKind::Cast => {
                let arg = self.value(&expr.inputs[0], map)?;
                Ok(self.push(Action::Cast, vec![arg], expr.dtype))
            }
            NodeKind::Op(op) => {
                let args: Vec<Reg> = expr
                    .inputs
                    .iter()
                    .map(|i| self.value(i, map))
                    .collect::<Result<_>>()?;
                Ok(self.push(Action::Op(*op), args, expr.dtype))
            }
            NodeKind::Concat { axis } => {
                let at = map.axes[*axis].apply(self.part);
                let mut offset = 0;
                let part = expr
                    .inputs
                    .iter()
                    .find(|part| {
                        let inside = at < offset + part.shape[*axis];
                        if !inside {
                            offset += part.shape[*axis];
                        }
                        inside
                    })
                    .or(expr.inputs.last())
                    .ok_or_else(|| Error::invalid("concat of nothing"))?;
                self.value(part, &shifted(map, *axis, offset))
            }
            NodeKind::Source(_)
            | NodeKind::Reduce { .. }
            | NodeKind::Reshape
            | NodeKind::Custom(_)
            | NodeKind::Block(_) => Err(Error::invalid(format!("the planner lost {expr:?}"))),
        }
    }

    /// A load; two loads of one element are one.
    fn load(&mut self, feed: Feed, shape: &[usize], dtype: DType, map: &IndexMap) -> Reg {
        let known = self
            .inputs
            .iter()
            .position(|i| i.map == *map && i.feed.same(&feed));
        let number = known.unwrap_or_else(|| {
            self.inputs.push(Input {
                feed,
                shape: shape.to_vec(),
                dtype,
                map: map.clone(),
            });
            self.inputs.len() - 1
        });
        self.push(Action::Load(number), vec![], dtype)
    }

    fn constant(&mut self, value: Scalar) -> Reg {
        self.push(Action::Const(value), vec![], value.dtype())
    }

    /// The index along an axis of an array as it is seen from the iteration space.
    fn index(&mut self, map: &AxisMap) -> Result<Reg> {
        match map {
            AxisMap::Fixed(i) => Ok(self.constant(Scalar::new(*i as i64))),
            AxisMap::Affine { axis, start, step } => {
                let mut reg = self.push(Action::Index { axis: *axis }, vec![], DType::I64);
                if *step != 1 {
                    let step = self.constant(Scalar::new(*step as i64));
                    reg = self.op("multiply", vec![reg, step])?;
                }
                if *start != 0 {
                    let start = self.constant(Scalar::new(*start as i64));
                    reg = self.op("add", vec![reg, start])?;
                }
                Ok(reg)
            }
            AxisMap::Table { axis, indices } => {
                let values: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
                let shape = vec![values.len()];
                let source = MemorySource::from_vec::<i64>(&shape, values)?;
                let mut extents = vec![1; self.part.len()];
                extents[*axis] = indices.len();
                let along = AxisMap::Affine {
                    axis: *axis,
                    start: 0,
                    step: 1,
                };
                let map = IndexMap {
                    shape: extents,
                    axes: vec![along],
                };
                Ok(self.load(Feed::Source(Arc::new(source)), &shape, DType::I64, &map))
            }
        }
    }

    fn op(&mut self, name: &str, args: Vec<Reg>) -> Result<Reg> {
        let op = Op::find(name).ok_or_else(|| Error::invalid(format!("the op table has no {name}")))?;
        Ok(self.push(Action::Op(op), args, DType::I64))
    }

    /// An instruction; equal ones are one.
    fn push(&mut self, action: Action, args: Vec<Reg>, dtype: DType) -> Reg {
        let inst = Inst { action, args, dtype };
        if let Some(&reg) = self.values.get(&inst) {
            return reg;
        }
        self.insts.push(inst.clone());
        self.values.insert(inst, self.insts.len() - 1);
        self.insts.len() - 1
    }
}

/// The map into a part of a concatenation that starts `offset` along `axis`.
fn shifted(map: &IndexMap, axis: usize, offset: usize) -> IndexMap {
    let mut map = map.clone();
    map.axes[axis] = match &map.axes[axis] {
        AxisMap::Fixed(i) => AxisMap::Fixed(i.wrapping_sub(offset)),
        AxisMap::Affine { axis, start, step } => AxisMap::Affine {
            axis: *axis,
            start: start.wrapping_sub(offset),
            step: *step,
        },
        AxisMap::Table { axis, indices } => AxisMap::Table {
            axis: *axis,
            indices: indices.iter().map(|i| i.wrapping_sub(offset)).collect(),
        },
    };
    map
}

/// Finds where blocks must be cut so that none straddles the parts of a concatenation.
pub(crate) struct Cuts<'a> {
    feeds: &'a HashMap<u128, Feed>,
    seen: HashSet<(u128, IndexMap)>,
    /// Per axis of the iteration space, the starts of parts beside 0.
    pub starts: Vec<BTreeSet<usize>>,
}

impl<'a> Cuts<'a> {
    /// A search over an iteration space of `rank` axes.
    pub fn new(feeds: &'a HashMap<u128, Feed>, rank: usize) -> Cuts<'a> {
        Cuts {
            feeds,
            seen: HashSet::new(),
            starts: vec![BTreeSet::new(); rank],
        }
    }

    /// Adds the cuts that `expr` under `map` asks for.
    pub fn collect(&mut self, expr: &Expr, map: &IndexMap) {
        if self.feeds.contains_key(&expr.id()) || !self.seen.insert((expr.id(), map.clone())) {
            return;
        }
        match &expr.kind {
            NodeKind::View(view) => self.collect(&expr.inputs[0], &view.then(map)),
            NodeKind::Concat { axis } => {
                let mut offset = 0;
                for part in &expr.inputs {
                    if offset > 0 {
                        self.cut(&map.axes[*axis], offset, map);
                    }
                    self.collect(part, &shifted(map, *axis, offset));
                    offset += part.shape[*axis];
                }
            }
            _ => expr.inputs.iter().for_each(|input| self.collect(input, map)),
        }
    }

    /// The first iteration index on the other side of `boundary`.
    fn cut(&mut self, axis_map: &AxisMap, boundary: usize, map: &IndexMap) {
        let AxisMap::Affine { axis, start, step } = axis_map else {
            return;
        };
        let (start, step, boundary) = (*start as isize as i128, *step as i128, boundary as i128);
        let first = if step > 0 {
            (boundary - start).div_euclid(step) + i128::from((boundary - start).rem_euclid(step) != 0)
        } else {
            (start - boundary).div_euclid(-step) + 1
        };
        if first > 0 && first < map.shape[*axis] as i128 {
            self.starts[*axis].insert(first as usize);
        }
    }
}
