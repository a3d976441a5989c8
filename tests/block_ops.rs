//! The engine's way with block operations, by three small ones: a reversal (whole axes), a sum of
//! neighbours (halo), and a running sum (carry), on every way that operands and results can lie.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use tilewise::expr::{BlockCall, BlockOp, Expr, along};
use tilewise::geometry::Region;
use tilewise::session::{ChunkSpec, Config, Session};
use tilewise::{Array, DType, Result};

/// The elements along an axis in reverse order.
#[derive(Debug)]
struct Reversed {
    axis: usize,
}

impl BlockOp for Reversed {
    fn name(&self) -> &str {
        "reversed"
    }
    fn needs(&self, _: usize, block: &Region) -> Region {
        block.clone()
    }
    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        block.to_vec()
    }
    fn spans(&self, axis: usize) -> bool {
        axis == self.axis
    }
    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        along::<f32, f32>(&call.operands[0], call.out, self.axis, |from, mut to| {
            for o in 0..from.outer() {
                for i in 0..from.len() {
                    to.row(o, i).copy_from_slice(from.row(o, from.len() - 1 - i));
                }
            }
            Ok(())
        })
    }
}

/// Each element with its neighbours within `reach` along an axis, those outside left out.
#[derive(Debug)]
struct Neighbours {
    axis: usize,
    reach: usize,
    len: usize,
}

impl BlockOp for Neighbours {
    fn name(&self) -> &str {
        "neighbours"
    }
    fn needs(&self, _: usize, block: &Region) -> Region {
        let mut region = block.clone();
        let (start, stop) = (block.start[self.axis], block.stop(self.axis));
        region.start[self.axis] = start.saturating_sub(self.reach);
        region.shape[self.axis] = (stop + self.reach).min(self.len) - region.start[self.axis];
        region
    }
    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        let mut bound = block.to_vec();
        bound[self.axis] = (bound[self.axis] + 2 * self.reach).min(self.len);
        bound
    }
    fn halo(&self, axis: usize) -> usize {
        if axis == self.axis { 2 * self.reach } else { 0 }
    }
    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let part = &call.operands[0];
        let rank = part.region.rank();
        let first = call.block.start[self.axis] - part.region.start[self.axis];
        let others: Vec<usize> = (0..rank)
            .filter(|&a| a != self.axis && a + 1 < rank.max(1))
            .collect();
        let inner_from = if self.axis + 1 == rank { rank } else { rank - 1 };
        let mut at = vec![0; rank];
        loop {
            let from = part.columns::<f32>(self.axis, None, inner_from, &at);
            let mut to = call.out.columns::<f32>(self.axis, None, inner_from, &at);
            for i in 0..to.len() {
                let low = (first + i).saturating_sub(self.reach);
                let high = (first + i + self.reach + 1).min(from.len());
                let row = to.row(0, i);
                row.fill(0.0);
                for j in low..high {
                    row.iter_mut().zip(from.row(0, j)).for_each(|(sum, x)| *sum += x);
                }
            }
            let Some(&turn) = others.iter().rev().find(|&&a| at[a] + 1 < part.region.shape[a]) else {
                return Ok(());
            };
            at[turn] += 1;
            others.iter().filter(|&&a| a > turn).for_each(|&a| at[a] = 0);
        }
    }
}

/// The running sum along the first axis.
#[derive(Debug)]
struct Running;

impl BlockOp for Running {
    fn name(&self) -> &str {
        "running"
    }
    fn needs(&self, _: usize, block: &Region) -> Region {
        block.clone()
    }
    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        block.to_vec()
    }
    fn carry_axis(&self) -> Option<usize> {
        Some(0)
    }
    fn carry_words(&self, block: &[usize]) -> usize {
        block[1..].iter().product()
    }
    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let mut column = 0;
        along::<f32, f32>(&call.operands[0], call.out, 0, |from, mut to| {
            for o in 0..from.outer() {
                let carry = &mut call.carry[column..column + from.inner()];
                column += from.inner();
                for i in 0..from.len() {
                    for ((sum, x), y) in carry.iter_mut().zip(from.row(o, i)).zip(to.row(o, i)) {
                        let next = f64::from_bits(*sum) + f64::from(*x);
                        *sum = next.to_bits();
                        *y = next as f32;
                    }
                }
            }
            Ok(())
        })
    }
}

const SHAPE: [usize; 3] = [13, 7, 9];

/// Small whole numbers, so that every order of sums gives the same bits.
fn values() -> Vec<f32> {
    (0..SHAPE.iter().product())
        .map(|i| ((i * 37) % 23) as f32 - 11.0)
        .collect()
}

fn at(i: usize, j: usize, k: usize) -> usize {
    (i * SHAPE[1] + j) * SHAPE[2] + k
}

/// `f(i, j, k)` at every point.
fn table(f: impl Fn(usize, usize, usize) -> f32) -> Vec<f32> {
    let [a, b, c] = SHAPE;
    let points = (0..a * b * c).map(|n| (n / (b * c), n / c % b, n % c));
    points.map(|(i, j, k)| f(i, j, k)).collect()
}

fn apply(op: impl BlockOp + 'static, x: &Array) -> Array {
    let expr = x.expr();
    let made = Expr::block_op(
        Arc::new(op),
        vec![expr.clone()],
        &expr.shape,
        DType::F32,
        expr.chunks.clone(),
    );
    Array::from_expr(made.unwrap())
}

/// The array in memory, in ragged chunks, computed, turned twice, and in two parts.
fn forms() -> Vec<(&'static str, Array)> {
    let x = Array::from_vec(&SHAPE, values()).unwrap();
    let chunked = x
        .rechunk(&[ChunkSpec::Size(4), ChunkSpec::Size(3), ChunkSpec::Size(5)])
        .unwrap();
    let computed = (&(&x + 1).unwrap() - 1).unwrap();
    let turned = x.transpose().unwrap();
    let turned = (&turned * 1).unwrap().transpose().unwrap();
    let head = x.slice(&[tilewise::session::s(None, Some(6), None)]).unwrap();
    let tail = x.slice(&[tilewise::session::s(Some(6), None, None)]).unwrap();
    let parts = Array::concat(&[&head, &tail], 0).unwrap();
    vec![
        ("memory", x),
        ("chunks", chunked),
        ("computed", computed),
        ("turned", turned),
        ("parts", parts),
    ]
}

fn sessions() -> Vec<Session> {
    let session = |memory, threads| {
        let config = Config {
            memory: Some(memory),
            threads: Some(threads),
            device: tilewise::session::DeviceChoice::Cpu,
            ..Config::default()
        };
        Session::new(config).unwrap()
    };
    vec![session(256 << 20, 1), session(256 << 20, 3), session(5 << 20, 2)]
}

/// Checks an op on every form, alone, beside other uses of its result, and kept.
fn check(make: impl Fn(&Array) -> Array, want: &[f32]) {
    for session in sessions() {
        for (name, x) in forms() {
            let y = make(&x);
            let alone = session.compute::<f32>(&y).unwrap();
            assert_eq!(alone.as_slice().unwrap(), want, "{name}");
            let doubled = (&(&y * 2).unwrap() + &y.sum(&[0]).unwrap()).unwrap();
            let both = session.compute_many::<f32>(&[&y, &doubled]).unwrap();
            assert_eq!(both[0].as_slice().unwrap(), want, "{name} with another use");
            let columns = SHAPE[1] * SHAPE[2];
            for (n, got) in both[1].iter().enumerate() {
                let sum: f32 = (0..SHAPE[0]).map(|i| want[i * columns + n % columns]).sum();
                assert_eq!(*got, want[n] * 2.0 + sum, "{name} used twice");
            }
            let kept = session.persist(&y).unwrap();
            let back = session.compute::<f32>(&make(&make(&kept))).unwrap();
            let again = session.compute::<f32>(&make(&make(&y))).unwrap();
            assert_eq!(back, again, "{name} kept");
        }
    }
}

#[test]
fn whole_axes_are_not_cut() {
    let x = values();
    check(
        |a| apply(Reversed { axis: 0 }, a),
        &table(|i, j, k| x[at(12 - i, j, k)]),
    );
    check(
        |a| apply(Reversed { axis: 1 }, a),
        &table(|i, j, k| x[at(i, 6 - j, k)]),
    );
    check(
        |a| apply(Reversed { axis: 2 }, a),
        &table(|i, j, k| x[at(i, j, 8 - k)]),
    );
}

#[test]
fn neighbours_are_read_over_the_edges_of_blocks() {
    let x = values();
    for axis in 0..3 {
        let op = |a: &Array| {
            let (reach, len) = (2, SHAPE[axis]);
            apply(Neighbours { axis, reach, len }, a)
        };
        let sum = |i: usize, j: usize, k: usize| {
            let here = [i, j, k];
            let places = here[axis].saturating_sub(2)..(here[axis] + 3).min(SHAPE[axis]);
            places
                .map(|p| {
                    let mut there = here;
                    there[axis] = p;
                    x[at(there[0], there[1], there[2])]
                })
                .sum()
        };
        check(op, &table(sum));
    }
}

#[test]
fn carries_go_from_block_to_block() {
    let x = values();
    check(
        |a| apply(Running, a),
        &table(|i, j, k| (0..=i).map(|p| x[at(p, j, k)]).sum()),
    );
}

#[test]
fn large_operands_stream_under_the_bound() {
    let shape = [600, 64, 64];
    let x = Array::arange(600 * 64 * 64)
        .unwrap()
        .astype(DType::F32)
        .reshape(&shape)
        .unwrap();
    let config = Config {
        memory: Some(8 << 20),
        threads: Some(2),
        device: tilewise::session::DeviceChoice::Cpu,
        ..Config::default()
    };
    let session = Session::new(config).unwrap();
    for (op, first, last) in [
        (apply(Reversed { axis: 0 }, &x), 4096.0 * 599.0, 0.0),
        (apply(Running, &x), 0.0, 4096.0 * 599.0 * 300.0),
    ] {
        let ends = op.slice(&[tilewise::session::s(None, None, Some(599))]).unwrap();
        let got = session.compute::<f32>(&ends).unwrap();
        assert_eq!((got[[0, 0, 0]], got[[1, 0, 0]]), (first, last));
        let report = session.last_report().unwrap();
        assert!(report.host_peak <= report.host_proved);
    }
}

/// A copy that says it allocates three megabytes for a block.
#[derive(Debug)]
struct Heavy;

impl BlockOp for Heavy {
    fn name(&self) -> &str {
        "heavy"
    }
    fn needs(&self, _: usize, block: &Region) -> Region {
        block.clone()
    }
    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        block.to_vec()
    }
    fn scratch_bytes(&self, _: &[usize]) -> usize {
        3 << 20
    }
    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        Reversed { axis: 0 }.run(call)
    }
}

#[test]
fn what_an_operation_allocates_is_reserved() {
    let session = &sessions()[0];
    let x = Array::from_vec(&SHAPE, values()).unwrap();
    session.compute::<f32>(&apply(Heavy, &x)).unwrap();
    let report = session.last_report().unwrap();
    assert!(report.host_peak >= 3 << 20, "{}", report.host_peak);
    assert!(report.host_peak <= report.host_proved);
}

#[test]
fn empty_arrays_and_single_points() {
    let session = &sessions()[0];
    let none = Array::from_vec::<f32>(&[3, 0, 2], vec![]).unwrap();
    assert_eq!(
        session
            .compute::<f32>(&apply(Reversed { axis: 0 }, &none))
            .unwrap()
            .len(),
        0
    );
    let one = Array::from_vec(&[1], vec![5.0f32]).unwrap();
    let got = session
        .compute::<f32>(&apply(Running, &apply(Reversed { axis: 0 }, &one)))
        .unwrap();
    assert_eq!(got.as_slice().unwrap(), [5.0]);
}

#[test]
fn a_plan_names_its_block_operations() {
    let x = Array::from_vec(&SHAPE, values()).unwrap();
    let session = &sessions()[0];
    let plan = session.plan(&[&apply(Running, &(&x + 1).unwrap())]).unwrap();
    let text = session.explain(&plan);
    assert!(
        text.contains("running of operand 0") && text.contains("whole blocks"),
        "{text}"
    );
}
