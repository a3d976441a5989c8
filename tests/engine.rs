//! Whole expressions through the engine against a naive interpreter over `ndarray`: the same
//! values whatever the chunks, the memory and the number of threads.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

mod common;

use common::FileLike;
use ndarray::{ArrayD, Axis, IxDyn, SliceInfoElem};
use proptest::prelude::*;

use tilewise::device::gpu::Fault;
use tilewise::session::{Array, ChunkSpec, Config, DeviceChoice, Session, s};
use tilewise::{ReduceKind, Reduction};

/// One step of a random expression; numbers are taken modulo what is possible.
#[derive(Clone, Debug)]
enum Step {
    Binary(&'static str, Operand),
    Unary(&'static str),
    Slice(usize, i64, i64, i64),
    Permute(usize),
    Flip(usize),
    Take(usize, Vec<usize>),
    Broadcast(usize),
    Concat(usize),
    Roll(usize, i64),
    Repeat(usize, usize),
    Reshape(usize),
    Rechunk(usize),
    Reduce(ReduceKind, usize, bool),
    Group(usize, usize),
}

#[derive(Clone, Debug)]
enum Operand {
    Number(i32),
    Itself,
    MeanOfItself(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let axis = 0..4usize;
    let operand = prop_oneof![
        (-3..9i32).prop_map(Operand::Number),
        Just(Operand::Itself),
        axis.clone().prop_map(Operand::MeanOfItself),
    ];
    let binary = prop::sample::select(vec!["add", "subtract", "multiply", "maximum", "minimum"]);
    let unary = prop::sample::select(vec!["negative", "abs", "square", "floor"]);
    let kind = prop::sample::select(vec![
        ReduceKind::Sum,
        ReduceKind::Min,
        ReduceKind::Max,
        ReduceKind::Mean,
        ReduceKind::Var,
        ReduceKind::ArgMax,
        ReduceKind::Count,
    ]);
    prop_oneof![
        3 => (binary, operand).prop_map(|(op, o)| Step::Binary(op, o)),
        1 => unary.prop_map(Step::Unary),
        2 => (axis.clone(), -8..8i64, -8..12i64, prop::sample::select(vec![-7, -2, -1, 1, 2, 3, 6]))
            .prop_map(|(a, b, e, k)| Step::Slice(a, b, e, k)),
        1 => (0..24usize).prop_map(Step::Permute),
        1 => axis.clone().prop_map(Step::Flip),
        1 => (axis.clone(), prop::collection::vec(0..100usize, 1..9)).prop_map(|(a, i)| Step::Take(a, i)),
        1 => (1..4usize).prop_map(Step::Broadcast),
        1 => axis.clone().prop_map(Step::Concat),
        1 => (axis.clone(), -20..20i64).prop_map(|(a, n)| Step::Roll(a, n)),
        1 => (axis.clone(), 1..4usize).prop_map(|(a, n)| Step::Repeat(a, n)),
        1 => (0..6usize).prop_map(Step::Reshape),
        1 => (1..6usize).prop_map(Step::Rechunk),
        2 => (kind, axis.clone(), any::<bool>()).prop_map(|(k, a, keep)| Step::Reduce(k, a, keep)),
        1 => (axis, 1..5usize).prop_map(|(a, g)| Step::Group(a, g)),
    ]
}

fn labels(extent: usize, groups: usize) -> Vec<u32> {
    (0..extent).map(|i| ((i * 7 + i / 3) % groups) as u32).collect()
}

fn reduce_lane(kind: ReduceKind, lane: &[f64]) -> f64 {
    let n = lane.len() as f64;
    let mean = lane.iter().sum::<f64>() / n;
    match kind {
        ReduceKind::Sum => lane.iter().sum(),
        ReduceKind::Min => lane.iter().copied().fold(f64::INFINITY, f64::min),
        ReduceKind::Max => lane.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        ReduceKind::Mean => mean,
        ReduceKind::Var => lane.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n,
        ReduceKind::Count => n,
        ReduceKind::ArgMax => {
            let best = lane.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            lane.iter().position(|v| *v == best).unwrap() as f64
        }
        other => unreachable!("{other:?} is not drawn"),
    }
}

/// A step on both sides; `None` where it does not apply.
fn apply(step: &Step, x: &Array, v: &ArrayD<f64>) -> Option<(Array, ArrayD<f64>)> {
    let rank = v.ndim();
    let shape = v.shape().to_vec();
    let pick = |axis: usize| (rank > 0).then(|| axis % rank);
    Some(match step {
        Step::Binary(op, operand) => {
            let f = |a: f64, b: f64| match *op {
                "add" => a + b,
                "subtract" => a - b,
                "multiply" => a * b,
                "maximum" => a.max(b),
                _ => a.min(b),
            };
            match operand {
                Operand::Number(n) => (x.apply(op, &[n]).unwrap(), v.mapv(|a| f(a, f64::from(*n)))),
                Operand::Itself => (x.apply(op, &[x]).unwrap(), v.mapv(|a| f(a, a))),
                Operand::MeanOfItself(axis) => {
                    let axis = pick(*axis).filter(|&a| shape[a] > 0)?;
                    let mean = Reduction::new(ReduceKind::Mean);
                    let m = x.reduce(mean, Some(&[axis as isize]), true).unwrap();
                    let n = v.map_axis(Axis(axis), |l| reduce_lane(ReduceKind::Mean, &l.to_vec()));
                    let n = n
                        .insert_axis(Axis(axis))
                        .broadcast(IxDyn(&shape))
                        .unwrap()
                        .to_owned();
                    let mut out = v.clone();
                    out.zip_mut_with(&n, |a, b| *a = f(*a, *b));
                    (x.apply(op, &[&m]).unwrap(), out)
                }
            }
        }
        Step::Unary(op) => {
            let f = |a: f64| match *op {
                "negative" => -a,
                "abs" => a.abs(),
                "square" => a * a,
                _ => a.floor(),
            };
            (x.apply(op, &[]).unwrap(), v.mapv(f))
        }
        Step::Slice(axis, start, stop, step) => {
            let axis = pick(*axis)?;
            let mut items = vec![s(None, None, None); axis];
            items.push(s(
                Some(*start as isize),
                Some(*stop as isize),
                Some(*step as isize),
            ));
            let n = shape[axis] as i64;
            let wrap = |i: i64| if i < 0 { i + n } else { i };
            let mut picks = Vec::new();
            let (lo, hi) = if *step > 0 { (0, n) } else { (-1, n - 1) };
            let (mut at, end) = (wrap(*start).clamp(lo, hi), wrap(*stop).clamp(lo, hi));
            while (*step > 0 && at < end) || (*step < 0 && at > end) {
                picks.push(at as usize);
                at += step;
            }
            (x.slice(&items).unwrap(), v.select(Axis(axis), &picks))
        }
        Step::Permute(number) => {
            let mut order: Vec<usize> = (0..rank).collect();
            let mut rest = *number;
            for i in (1..rank).rev() {
                order.swap(i, rest % (i + 1));
                rest /= i + 1;
            }
            let axes: Vec<isize> = order.iter().map(|&a| a as isize).collect();
            (x.permute_dims(&axes).unwrap(), v.clone().permuted_axes(order))
        }
        Step::Flip(axis) => {
            let axis = pick(*axis)?;
            let flipped = v.slice_each_axis(|ax| {
                if ax.axis == Axis(axis) {
                    ndarray::Slice::new(0, None, -1)
                } else {
                    ndarray::Slice::from(..)
                }
            });
            (x.flip(&[axis as isize]).unwrap(), flipped.to_owned())
        }
        Step::Take(axis, picks) => {
            let axis = pick(*axis).filter(|&a| shape[a] > 0)?;
            let picks: Vec<usize> = picks.iter().map(|p| p % shape[axis]).collect();
            let indices: Vec<i64> = picks.iter().map(|&p| p as i64).collect();
            (
                x.take(&indices, axis as isize).unwrap(),
                v.select(Axis(axis), &picks),
            )
        }
        Step::Broadcast(n) => {
            let to: Vec<usize> = [*n].iter().chain(&shape).copied().collect();
            (
                x.broadcast_to(&to).unwrap(),
                v.broadcast(IxDyn(&to)).unwrap().to_owned(),
            )
        }
        Step::Concat(axis) => {
            let axis = pick(*axis)?;
            let twice = (x * 2).unwrap();
            let doubled = v.mapv(|a| a * 2.0);
            let want = ndarray::concatenate(Axis(axis), &[v.view(), doubled.view()]).unwrap();
            (Array::concat(&[x, &twice], axis as isize).unwrap(), want)
        }
        Step::Roll(axis, shift) => {
            let axis = pick(*axis)?;
            let n = shape[axis] as i64;
            let picks: Vec<usize> = (0..n).map(|i| (i - shift).rem_euclid(n) as usize).collect();
            (
                x.roll(*shift, axis as isize).unwrap(),
                v.select(Axis(axis), &picks),
            )
        }
        Step::Repeat(axis, count) => {
            let axis = pick(*axis)?;
            let picks: Vec<usize> = (0..shape[axis] * count).map(|i| i / count).collect();
            (
                x.repeat(*count, axis as isize).unwrap(),
                v.select(Axis(axis), &picks),
            )
        }
        Step::Reshape(way) => {
            let total = v.len();
            let to: Vec<usize> = match way % 3 {
                0 => vec![total],
                1 if total.is_multiple_of(2) => vec![2, total / 2],
                1 => vec![1, total],
                _ => (1..=4)
                    .rev()
                    .find(|d| total.is_multiple_of(*d))
                    .map(|d| vec![total / d, d])?,
            };
            let signed: Vec<isize> = to.iter().map(|&n| n as isize).collect();
            let flat: Vec<f64> = v.iter().copied().collect();
            (
                x.reshape(&signed).unwrap(),
                ArrayD::from_shape_vec(to, flat).unwrap(),
            )
        }
        Step::Rechunk(n) => (x.rechunk(&vec![ChunkSpec::Size(*n); rank]).unwrap(), v.clone()),
        Step::Reduce(kind, axis, keepdims) => {
            let axis = pick(*axis).filter(|&a| shape[a] > 0)?;
            let got = x
                .reduce(Reduction::new(*kind), Some(&[axis as isize]), *keepdims)
                .unwrap();
            let mut want = v.map_axis(Axis(axis), |lane| reduce_lane(*kind, &lane.to_vec()));
            if *keepdims {
                want = want.insert_axis(Axis(axis));
            }
            (got.astype(tilewise::DType::F64), want)
        }
        Step::Group(axis, groups) => {
            let axis = pick(*axis)?;
            let labels = labels(shape[axis], *groups);
            let sum = Reduction::new(ReduceKind::Sum);
            let got = x
                .group_reduce(sum, axis as isize, labels.clone(), *groups)
                .unwrap();
            let mut to = shape.clone();
            to[axis] = *groups;
            let mut want = ArrayD::zeros(to);
            for (i, &label) in labels.iter().enumerate() {
                let mut into = want.index_axis_mut(Axis(axis), label as usize);
                into += &v.index_axis(Axis(axis), i);
            }
            (got, want)
        }
    })
}

/// Values that are exact in f64 under a few sums and products.
fn leaf(shape: &[usize], seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    (0..shape.iter().product::<usize>())
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) % 64) as f64 / 4.0 - 8.0
        })
        .collect()
}

fn sessions() -> Vec<(&'static str, Session)> {
    let spill = std::env::temp_dir();
    let config = |memory: u64, threads: usize| Config {
        memory: Some(memory),
        threads: Some(threads),
        spill_dir: Some(spill.clone()),
        device: DeviceChoice::Cpu,
        ..Config::default()
    };
    vec![
        ("64 MiB, 2 threads", Session::new(config(64 << 20, 2)).unwrap()),
        ("64 MiB, 5 threads", Session::new(config(64 << 20, 5)).unwrap()),
        ("6 MiB, 1 thread", Session::new(config(6 << 20, 1)).unwrap()),
    ]
}

/// A session on a Vulkan adapter, software or not. Under CI there has to be one.
fn gpu_session() -> Option<Session> {
    let config = Config {
        memory: Some(256 << 20),
        device: DeviceChoice::Gpu(None),
        ..Config::default()
    };
    match Session::new(config) {
        Ok(session) => Some(session),
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("skipped, no adapter: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn close(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a == b || (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_expression_gives_the_naive_values(
        shape in prop::collection::vec(0..9usize, 0..4),
        chunk in prop::collection::vec(1..5usize, 4),
        steps in prop::collection::vec(step(), 1..7),
        seed in any::<u64>(),
    ) {
        let values = leaf(&shape, seed);
        let naive = ArrayD::from_shape_vec(shape.clone(), values.clone()).unwrap();
        let whole = Array::from_vec(&shape, values.clone()).unwrap();
        let chunk: Vec<usize> = chunk[..shape.len()].to_vec();
        let file = Array::from_source(FileLike::of("f", &shape, Some(&chunk), &values)).unwrap();
        let stored = (values.len() * 4) as u64;
        let packed = Array::from_source(
            FileLike::of("z", &shape, Some(&chunk), &values).compressed(stored)).unwrap();
        let mut tracks = vec![("whole", whole, naive.clone()), ("file", file, naive.clone()),
            ("compressed", packed, naive)];
        for step in &steps {
            for track in &mut tracks {
                if let Some((x, v)) = apply(step, &track.1, &track.2)
                    && v.len() < 20_000 && v.ndim() < 6
                    && v.iter().all(|a| a.abs() < 1e12)
                {
                    track.1 = x;
                    track.2 = v;
                }
            }
        }
        for (name, array, want) in &tracks {
            prop_assert_eq!(array.shape(), want.shape());
            let mut first: Option<Vec<u64>> = None;
            for (session_name, session) in sessions() {
                let got = session.compute::<f64>(array).map_err(|e| {
                    TestCaseError::fail(format!("{name}, {session_name}: {e}"))
                })?;
                for (a, b) in got.iter().zip(want.iter()) {
                    prop_assert!(close(*a, *b), "{}, {}: {} for {}\n{:?}", name, session_name, a, b, array.expr());
                }
                let bits: Vec<u64> = got.iter().map(|v| v.to_bits()).collect();
                if session_name.starts_with("64 MiB") {
                    prop_assert_eq!(first.get_or_insert_with(|| bits.clone()), &bits);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_expression_gives_the_naive_values_on_a_gpu(
        shape in prop::collection::vec(1..9usize, 1..4),
        chunk in prop::collection::vec(2..6usize, 4),
        steps in prop::collection::vec(step(), 1..5),
        seed in any::<u64>(),
    ) {
        let Some(session) = gpu_session() else { return Ok(()) };
        let values = leaf(&shape, seed);
        let mut want = ArrayD::from_shape_vec(shape.clone(), values.clone()).unwrap();
        let source = FileLike::of("f", &shape, Some(&chunk[..shape.len()]), &values);
        let mut array = Array::from_source(source).unwrap();
        for step in &steps {
            if let Some((x, v)) = apply(step, &array, &want)
                && v.len() < 5_000 && v.ndim() < 6 && v.iter().all(|a| a.abs() < 1e12)
            {
                (array, want) = (x, v);
            }
        }
        let got = session.compute::<f64>(&array).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for (a, b) in got.iter().zip(want.iter()) {
            prop_assert!(close(*a, *b), "{} for {}\n{:?}", a, b, array.expr());
        }
        let report = session.last_report().unwrap();
        for stage in &report.stages {
            prop_assert_eq!(stage.fallbacks, 0, "{}", &report);
        }
    }
}

#[test]
fn a_gpu_that_fails_is_replaced_tile_by_tile() {
    let Some(session) = gpu_session() else { return };
    let values: Vec<f32> = (0..6000).map(|i| i as f32).collect();
    let source = FileLike::of("f", &[60, 100], Some(&[20, 100]), &values);
    let x = Array::from_source(source).unwrap();
    let want: Vec<f32> = values.iter().map(|v| v * 2.0).collect();
    for fault in [Fault::OutOfMemory, Fault::Submit, Fault::Lost] {
        session.inject_fault(fault);
        let got = session.compute::<f32>(&(&x * 2).unwrap()).unwrap();
        assert_eq!(got.into_raw_vec_and_offset().0, want);
        let stage = session.last_report().unwrap().stages.remove(0);
        // A lost device gets no task at all.
        let told = match fault {
            Fault::Lost => stage.device.contains("device lost") && stage.fallbacks == 0,
            _ => stage.fallbacks == 1 && stage.fallback_reason.is_some(),
        };
        assert!(told, "{fault:?} {stage:?}");
    }
}

#[test]
fn several_outputs_share_one_read_and_keep_their_order() {
    let shape = [40, 6, 5];
    let values = leaf(&shape, 5);
    let x = Array::from_source(FileLike::of("f", &shape, Some(&[4, 6, 5]), &values)).unwrap();
    let session = sessions().remove(0).1;
    let (sum, max) = (x.sum(&[0]).unwrap(), x.max(&[0]).unwrap());
    let both = session.compute_many::<f64>(&[&max, &sum]).unwrap();
    let naive = ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap();
    assert_eq!(both[1], naive.sum_axis(Axis(0)));
    assert_eq!(
        both[0],
        naive.map_axis(Axis(0), |l| reduce_lane(ReduceKind::Max, &l.to_vec()))
    );
    let report = session.last_report().unwrap();
    assert_eq!(report.stages.len(), 1);
    assert_eq!(report.stages[0].source_bytes, 40 * 6 * 5 * 8);
}

#[test]
fn a_rechunk_larger_than_memory_spills_and_comes_back() {
    let shape = [512, 64, 64];
    let values: Vec<f32> = (0..512 * 64 * 64).map(|i| (i % 65_521) as f32).collect();
    let source = FileLike::of("z", &shape, Some(&[4, 64, 64]), &values).compressed(1 << 20);
    let x = Array::from_source(source).unwrap();
    let columns = x
        .rechunk(&[ChunkSpec::Whole, ChunkSpec::Size(8), ChunkSpec::Size(64)])
        .unwrap();
    let last = columns
        .map_blocks::<f32, f32>("column maximum", |block, shape, _, out| {
            let inner = shape[1] * shape[2];
            for (i, slot) in out.iter_mut().enumerate() {
                *slot = block[(shape[0] - 1) * inner + i % inner];
            }
            Ok(())
        })
        .unwrap();
    let total = last.sum(&[0]).unwrap();
    let config = Config {
        memory: Some(7 << 20),
        threads: Some(2),
        device: DeviceChoice::Cpu,
        ..Config::default()
    };
    let session = Session::new(config).unwrap();
    let got = session.compute::<f32>(&total).unwrap();
    for (i, value) in got.iter().enumerate() {
        assert_eq!(*value, 512.0 * values[511 * 4096 + i]);
    }
    let report = session.last_report().unwrap();
    assert!(report.spilled_bytes > 0, "{report}");
    assert!(
        report.host_peak <= report.host_proved && report.host_proved <= 7 << 20,
        "{report}"
    );
}

#[test]
fn persisted_arrays_are_read_from_the_store() {
    let values = leaf(&[30, 20], 3);
    let x = Array::from_source(FileLike::of("f", &[30, 20], Some(&[7, 20]), &values)).unwrap();
    let session = sessions().remove(0).1;
    let kept = session.persist(&(&x * 3).unwrap()).unwrap();
    let again = session
        .compute::<f64>(&kept.slice(&[s(Some(3), Some(29), Some(5))]).unwrap())
        .unwrap();
    let naive = ArrayD::from_shape_vec(IxDyn(&[30, 20]), values)
        .unwrap()
        .mapv(|v| v * 3.0);
    let info: Vec<SliceInfoElem> = vec![(3..29).into(), (..).into()];
    let want = naive
        .slice(&info[..])
        .slice_each_axis(|ax| {
            if ax.axis == Axis(0) {
                ndarray::Slice::new(0, None, 5)
            } else {
                ndarray::Slice::from(..)
            }
        })
        .to_owned();
    assert_eq!(again, want);
}

#[test]
fn errors_of_closures_and_dtypes_name_the_thing() {
    let x = Array::from_vec(&[4], vec![1i32, 2, 3, 4]).unwrap();
    let session = sessions().remove(0).1;
    let text = session.compute::<f32>(&x).unwrap_err().to_string();
    assert!(text.contains("int32") && text.contains("float32"), "{text}");
    let fails = x
        .map_blocks::<i32, i32>("doomed", |_, _, _, _| {
            Err(tilewise::Error::invalid("no such luck"))
        })
        .unwrap();
    assert_eq!(
        session.compute::<i32>(&fails).unwrap_err().to_string(),
        "no such luck"
    );
    let text = format!(
        "{}",
        (&x + &Array::from_vec(&[3], vec![1i32; 3]).unwrap()).unwrap_err()
    );
    assert!(text.contains("[4]") && text.contains("[3]"), "{text}");
}

#[test]
fn missing_values_are_masked_in_rows_of_every_length() {
    let session = sessions().remove(0).1;
    for inner in [3, 255, 256, 5000] {
        let value = |t: usize, i: usize| {
            if (t * 7 + i).is_multiple_of(5) {
                1e20f32
            } else {
                (t * 3 + i % 11) as f32
            }
        };
        let values: Vec<f32> = (0..9 * inner).map(|n| value(n / inner, n % inner)).collect();
        let x = Array::from_source(FileLike::of("f", &[9, inner], Some(&[2, inner]), &values)).unwrap();
        let missing = x.apply("equal", &[&1e20]).unwrap();
        let masked = Array::scalar(f32::NAN).where_(&missing, &x).unwrap();
        let mean = Reduction::new(ReduceKind::Mean).skipna(true);
        let got = session
            .compute::<f32>(&masked.reduce(mean, Some(&[0]), false).unwrap())
            .unwrap();
        let doubled = session.compute::<f32>(&(&masked * 2).unwrap()).unwrap();
        for i in 0..inner {
            let lane: Vec<f64> = (0..9)
                .map(|t| value(t, i))
                .filter(|v| *v < 1e20)
                .map(f64::from)
                .collect();
            assert_eq!(
                got[[i]],
                (lane.iter().sum::<f64>() / lane.len() as f64) as f32,
                "{inner}, {i}"
            );
            let (stored, given) = (doubled[[4, i]], value(4, i));
            assert!(
                if given == 1e20 {
                    stored.is_nan()
                } else {
                    stored == given * 2.0
                },
                "{inner}, {i}"
            );
        }
    }
}
