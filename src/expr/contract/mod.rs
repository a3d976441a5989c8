//! Contractions: sums of products over axes that arrays share.
//!
//! Each axis of each array has a label. Axes of one label run together; labels that the result
//! lacks are summed over. Products of matrices, tensor products and Einstein sums are spellings of
//! this. Two arrays meet in a block operation over their tiles, or, where one of them brings no
//! axis of its own, in a product and a sum, which read each element once.

mod einsum;
mod extents;
mod matmul;
mod op;

use super::{Expr, NodeKind, complex, named};
use crate::geometry::{AxisMap, IndexMap, checked_bytes};
use crate::{Error, Result};
use op::Contraction;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tilewise_kernels::{DType, ReduceKind, Reduction, promote};

/// What axes are known by.
type Label = u32;

/// An array with a label per axis, each once.
#[derive(Clone, Debug)]
struct Term {
    expr: Expr,
    labels: Vec<Label>,
}

/// The extent of each label.
type Extents = BTreeMap<Label, usize>;

impl Term {
    /// An array whose axes may share labels: those that do become their diagonal, and an axis of
    /// extent 1 under a longer label is dropped, for it is the same at all its indices.
    fn new(expr: &Expr, labels: &[Label], extents: &Extents) -> Term {
        let mut kept: Vec<Label> = Vec::new();
        for (label, &extent) in labels.iter().zip(&expr.shape) {
            if extent == extents[label] && !kept.contains(label) {
                kept.push(*label);
            }
        }
        let axes = labels.iter().zip(&expr.shape).map(|(label, &extent)| {
            match kept.iter().position(|k| k == label) {
                Some(axis) if extent == extents[label] => AxisMap::Affine {
                    axis,
                    start: 0,
                    step: 1,
                },
                _ => AxisMap::Fixed(0),
            }
        });
        let map = IndexMap {
            shape: kept.iter().map(|label| extents[label]).collect(),
            axes: axes.collect(),
        };
        Term {
            expr: expr.view(map),
            labels: kept,
        }
    }

    fn has(&self, label: Label) -> bool {
        self.labels.contains(&label)
    }

    /// The term with its axes in that order; labels it lacks are repeated along.
    fn aligned(&self, labels: &[Label], extents: &Extents) -> Expr {
        let axes = self.labels.iter().map(|label| {
            let axis = labels.iter().position(|l| l == label);
            axis.map_or(AxisMap::Fixed(0), |axis| AxisMap::Affine {
                axis,
                start: 0,
                step: 1,
            })
        });
        self.expr.view(IndexMap {
            shape: labels.iter().map(|label| extents[label]).collect(),
            axes: axes.collect(),
        })
    }

    /// The sum over the labels that are not kept.
    fn summed(self, keep: &BTreeSet<Label>) -> Result<Term> {
        let axes: Vec<isize> = (0..self.labels.len())
            .filter(|&axis| !keep.contains(&self.labels[axis]))
            .map(|axis| axis as isize)
            .collect();
        if axes.is_empty() {
            return Ok(self);
        }
        let dtype = self.expr.dtype;
        let kind = if dtype == DType::Bool {
            ReduceKind::Any
        } else {
            ReduceKind::Sum
        };
        Ok(Term {
            expr: self
                .expr
                .reduce(Reduction::new(kind), Some(&axes), false)?
                .cast(dtype),
            labels: self.labels.into_iter().filter(|l| keep.contains(l)).collect(),
        })
    }

    /// The array below transpositions and repetitions along kept labels, which a contraction does
    /// not need.
    fn below(self, keep: &BTreeSet<Label>) -> Term {
        let NodeKind::View(map) = &self.expr.kind else {
            return self;
        };
        let input = &self.expr.inputs[0];
        let whole = map.axes.iter().zip(&input.shape).map(|(m, &extent)| match m {
            AxisMap::Affine {
                axis,
                start: 0,
                step: 1,
            } if map.shape[*axis] == extent => Some(*axis),
            _ => None,
        });
        let Some(axes) = whole.collect::<Option<Vec<usize>>>() else {
            return self;
        };
        let distinct = axes.iter().collect::<BTreeSet<_>>().len() == axes.len();
        let repeated = (0..map.shape.len()).filter(|axis| !axes.contains(axis));
        if !distinct || !repeated.into_iter().all(|axis| keep.contains(&self.labels[axis])) {
            return self;
        }
        let labels = axes.iter().map(|&axis| self.labels[axis]).collect();
        let expr = input.clone();
        Term { expr, labels }.below(keep)
    }
}

impl Expr {
    /// The sum of products of arrays, in the dtype that all promote to. Each axis has a label; axes
    /// of one label run together, those whose label the result lacks are summed over. An axis of
    /// extent 1 is the same at all indices of a longer label.
    ///
    /// # Errors
    /// No array; not one label per axis; extents of one label that differ; a label of the result
    /// that is twice there or in no operand; a size that does not fit 64 bits.
    pub fn contract(operands: &[(&Expr, &[u32])], out: &[u32]) -> Result<Expr> {
        let Some((first, _)) = operands.first() else {
            return Err(Error::invalid("a contraction needs an array"));
        };
        let mut extents = Extents::new();
        for (expr, labels) in operands {
            if labels.len() != expr.rank() {
                let (count, shape) = (labels.len(), &expr.shape);
                return Err(Error::invalid(format!(
                    "{count} labels for the axes of {shape:?}"
                )));
            }
            for (at, (&label, &extent)) in labels.iter().zip(&expr.shape).enumerate() {
                let known = extents.entry(label).or_insert(extent);
                if *known == 1 {
                    *known = extent;
                }
                let mut own = labels[..at].iter().zip(&expr.shape);
                let diagonal = own.find(|(l, n)| **l == label && **n != extent);
                if (extent != 1 && *known != extent) || diagonal.is_some() {
                    let known = diagonal.map_or(*known, |(_, &n)| n);
                    return Err(Error::invalid(format!(
                        "extents {known} and {extent} of axes that run together"
                    )));
                }
            }
        }
        for (at, label) in out.iter().enumerate() {
            if out[..at].contains(label) || !extents.contains_key(label) {
                return Err(Error::invalid(format!(
                    "label {label} of the result is twice there or in no array"
                )));
            }
        }
        if let Some(made) = complex::contracted(operands, |parts| Expr::contract(parts, out))? {
            return Ok(made);
        }
        let shape: Vec<usize> = out.iter().map(|label| extents[label]).collect();
        checked_bytes(&shape, 8)?;
        let dtype = operands
            .iter()
            .fold(first.dtype, |dtype, (e, _)| promote(dtype, e.dtype));
        let terms = operands
            .iter()
            .map(|(expr, labels)| Term::new(&expr.cast(dtype), labels, &extents));
        all(terms.collect(), out, &extents)
    }
}

/// The contraction of two terms of one dtype to the labels in `keep`; axes of the result that are
/// in `order` come in its order.
fn pair(a: Term, b: Term, keep: &BTreeSet<Label>, order: &[Label], extents: &Extents) -> Result<Term> {
    let in_b: BTreeSet<Label> = b.labels.iter().chain(keep).copied().collect();
    let a = a.summed(&in_b)?;
    let in_a: BTreeSet<Label> = a.labels.iter().chain(keep).copied().collect();
    let b = b.summed(&in_a)?;

    let mut labels: Vec<Label> = a.labels.clone();
    labels.extend(b.labels.iter().filter(|&&l| !a.has(l)));
    labels.retain(|label| keep.contains(label));
    labels.sort_by_key(|label| order.iter().position(|l| l == label).unwrap_or(usize::MAX));
    let summed: Vec<Label> = (a.labels.iter().copied())
        .filter(|&label| b.has(label) && !keep.contains(&label))
        .collect();
    let own = |x: &Term, y: &Term| -> usize {
        let own = x.labels.iter().filter(|&&label| !y.has(label));
        own.map(|label| extents[label]).product()
    };
    if summed.is_empty() || own(&a, &b) == 1 || own(&b, &a) == 1 {
        let all: Vec<Label> = labels.iter().chain(&summed).copied().collect();
        let multiply = match a.expr.dtype {
            DType::Bool => "logical_and",
            _ => "multiply",
        };
        // Neither is repeated before the other asks for it.
        let spread = |term: &Term| {
            let own: Vec<Label> = all.iter().copied().filter(|&l| term.has(l)).collect();
            let mut expr = term.aligned(&own, extents);
            for (axis, &label) in all.iter().enumerate() {
                if !term.has(label) {
                    expr = expr.expand_dims(axis as isize)?;
                }
            }
            Ok(expr)
        };
        let product = Term {
            expr: Expr::op(named(multiply)?, &[spread(&a)?, spread(&b)?])?,
            labels: all,
        };
        return product.summed(keep);
    }
    let (a, b) = (a.below(keep), b.below(keep));
    // What a repetition hid belongs to the other factor, or to neither.
    labels.retain(|&label| a.has(label) || b.has(label));
    let shape: Vec<usize> = labels.iter().map(|label| extents[label]).collect();
    let dtype = a.expr.dtype;
    let op = Contraction::new([&a.labels, &b.labels], &labels, extents, dtype);
    let chunks = op.chunks(&shape, [&a.expr, &b.expr]);
    Ok(Term {
        expr: Expr::block_op(Arc::new(op), vec![a.expr, b.expr], &shape, dtype, chunks)?,
        labels,
    })
}

/// The contraction of all terms to these labels, two at a time: the pair first whose result is
/// smallest beside what it replaces.
fn all(mut terms: Vec<Term>, out: &[Label], extents: &Extents) -> Result<Expr> {
    while terms.len() > 1 {
        let (first, second) = cheapest(&terms, out, extents);
        let b = terms.remove(second);
        let a = terms.remove(first);
        let keep = kept_beside(&terms, out);
        terms.push(pair(a, b, &keep, out, extents)?);
    }
    let Some(last) = terms.pop() else {
        return Err(Error::invalid("a contraction of no array"));
    };
    let last = last.summed(&out.iter().copied().collect())?;
    Ok(last.aligned(out, extents))
}

/// Labels that the result or another term asks for.
fn kept_beside(others: &[Term], out: &[Label]) -> BTreeSet<Label> {
    let others = others.iter().flat_map(|t| t.labels.iter());
    others.chain(out).copied().collect()
}

/// The numbers of the two terms to take next.
fn cheapest(terms: &[Term], out: &[Label], extents: &Extents) -> (usize, usize) {
    let size = |labels: &BTreeSet<Label>| -> f64 { labels.iter().map(|l| extents[l] as f64).product() };
    let mut best = (f64::INFINITY, (0, 1));
    for second in 1..terms.len() {
        for first in 0..second {
            let others: Vec<Term> = (0..terms.len())
                .filter(|&n| n != first && n != second)
                .map(|n| terms[n].clone())
                .collect();
            let keep = kept_beside(&others, out);
            let a: BTreeSet<Label> = terms[first].labels.iter().copied().collect();
            let b: BTreeSet<Label> = terms[second].labels.iter().copied().collect();
            let made: BTreeSet<Label> = a.union(&b).copied().filter(|l| keep.contains(l)).collect();
            let cost = size(&made) - size(&a) - size(&b);
            if cost < best.0 {
                best = (cost, (first, second));
            }
        }
    }
    best.1
}
