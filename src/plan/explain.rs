//! `explain`: a plan as text, with what each stage moves and computes.

use super::program::{Action, AxisRole};
use super::stage::{Feed, Stage, StageKind};
use super::{Destination, Plan};
use crate::human_bytes;
use std::fmt::Write;

/// Bytes and operations of one stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StageCost {
    /// Tasks.
    pub tasks: u64,
    /// Bytes read from sources, as stored.
    pub source_bytes: u64,
    /// Bytes read from arrays of earlier stages.
    pub array_bytes: u64,
    /// Bytes written to arrays, sinks and results.
    pub written_bytes: u64,
    /// Elementwise operations.
    pub flops: u64,
}

impl Plan {
    /// What a stage moves and computes.
    pub fn cost(&self, stage: &Stage) -> StageCost {
        let mut cost = StageCost {
            tasks: stage.grid.count() as u64,
            ..StageCost::default()
        };
        let steps = steps(stage);
        let mut seen: Vec<&Feed> = Vec::new();
        let inputs = stage.variants.iter().enumerate();
        let inputs = inputs.flat_map(|(n, v)| v.inputs.iter().map(move |i| (n, i)));
        for (number, input) in inputs {
            let base = input.feed.base();
            if seen.iter().any(|f| f.same(base)) {
                continue;
            }
            seen.push(base);
            let used: usize = input
                .map
                .bound(&stage.reach(number, &stage.shape), &input.shape)
                .iter()
                .product();
            // Steps take it piece by piece.
            let used = used * steps;
            let all = input.shape.iter().product::<usize>().max(1);
            match base {
                Feed::Source(source) => {
                    cost.source_bytes += (source.stored_bytes() as f64 * used as f64 / all as f64) as u64;
                }
                _ => cost.array_bytes += (used * input.dtype.size()) as u64,
            }
        }
        for &id in &stage.arrays {
            let array = &self.arrays[id];
            cost.written_bytes += (array.shape.iter().product::<usize>() * array.dtype.size()) as u64;
        }
        let points = stage.shape.iter().product::<usize>() as u64;
        let insts = stage.variants.first().map_or(&[][..], |v| &v.program.insts);
        let ops = insts.iter().filter(|i| matches!(i.action, Action::Op(_))).count();
        let folds = if stage.folded().contains(&true) {
            stage.arrays.len()
        } else {
            0
        };
        cost.flops = points * (ops + folds) as u64;
        cost
    }

    /// The plan as text: per stage the fused program, its inputs, blocks, what it moves, and
    /// `device(stage)`, which names the device and why.
    pub fn explain(&self, device: &dyn Fn(&Stage) -> String) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "plan: {} stages", self.stages.len());
        if !self.rewrites.is_empty() {
            let list: Vec<String> = self.rewrites.iter().map(|(n, c)| format!("{n} ×{c}")).collect();
            let _ = writeln!(out, "rewrites: {}", list.join(", "));
        }
        for stage in &self.stages {
            self.explain_stage(&mut out, stage, &device(stage));
        }
        let _ = write!(out, "{}", self.memory);
        out
    }

    fn explain_stage(&self, out: &mut String, stage: &Stage, device: &str) {
        let cost = self.cost(stage);
        let _ = writeln!(out, "\nstage {} · {} · {:?}", stage.id, stage.reason, stage.shape);
        let _ = writeln!(out, "  device: {device}");
        let _ = writeln!(
            out,
            "  blocks: {:?}, {} tasks{}{}",
            stage.grid,
            cost.tasks,
            roles(stage),
            match steps(stage) {
                1 => String::new(),
                n => format!(", each in {n} steps along what is summed over"),
            }
        );
        for (number, variant) in stage.variants.iter().enumerate() {
            if let StageKind::Block(op) = &stage.kind {
                let _ = writeln!(out, "  {} of operand {number}:", op.name());
            } else if stage.variants.len() > 1 {
                let _ = writeln!(out, "  part {number}:");
            }
            for (n, input) in variant.inputs.iter().enumerate() {
                let place = if super::lies_in_memory(input, &self.arrays) {
                    ", read in place"
                } else {
                    ""
                };
                let together = variant.reads.iter().find(|r| r.inputs[1..].contains(&n));
                let block = stage.reach(number, &stage.grid.largest());
                let together = together
                    .filter(|r| r.together(&variant.inputs, &self.arrays, &block).is_some())
                    .map_or(String::new(), |r| format!(", read with in{}", r.inputs[0]));
                let view = if input.map.is_identity(&input.shape) {
                    ""
                } else {
                    ", viewed"
                };
                let _ = writeln!(
                    out,
                    "  in{n}: {} {:?} {}{view}{place}{together}",
                    input.feed.name(),
                    input.shape,
                    input.dtype.info().short
                );
            }
            for line in variant.program.to_string().lines() {
                let _ = writeln!(out, "    {line}");
            }
        }
        for &id in &stage.arrays {
            let array = &self.arrays[id];
            let mut uses = Vec::new();
            for &root in &array.roots {
                uses.push(match &self.destinations[root] {
                    Destination::Result => "result".to_string(),
                    Destination::Keep => "kept".to_string(),
                    Destination::Sink(sink) => format!("to {}", sink.name()),
                });
            }
            if array.last_use > stage.id {
                uses.push(format!("read until stage {}", array.last_use));
            }
            let dtype = array.dtype.info().short;
            let _ = writeln!(
                out,
                "  array {id}: {:?} {dtype}, tiles {:?}, {}",
                array.shape,
                array.grid,
                uses.join(", ")
            );
        }
        let _ = writeln!(
            out,
            "  moves: {} from sources, {} from arrays, {} written; {} flops",
            human_bytes(cost.source_bytes),
            human_bytes(cost.array_bytes),
            human_bytes(cost.written_bytes),
            cost.flops
        );
    }
}

/// In how many steps a block is computed.
fn steps(stage: &Stage) -> usize {
    match &stage.kind {
        StageKind::Block(op) => op.steps(&stage.grid.largest()),
        _ => 1,
    }
}

/// What a reduction stage does with its blocks.
fn roles(stage: &Stage) -> String {
    let StageKind::Reduce { roles, segments, .. } = &stage.kind else {
        return String::new();
    };
    let folded: Vec<String> = roles
        .iter()
        .enumerate()
        .filter_map(|(axis, role)| match role {
            AxisRole::Keep => None,
            AxisRole::Reduce => Some(format!("axis {axis} reduced")),
            AxisRole::Group { groups } => Some(format!("axis {axis} into {groups} groups")),
        })
        .collect();
    format!(", {} in {segments} runs", folded.join(", "))
}
