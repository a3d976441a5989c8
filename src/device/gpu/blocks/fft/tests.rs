//! Every kind of pass against sums in f64, on any adapter, a software one too; texts and plans without.

use super::super::valid::validate;
use super::Form;
use super::codelet::Real;
use super::plan::{Limits, Plan, Problem};
use super::run::{join_text, run};
use super::tables::unit;
use crate::DType;
use crate::device::gpu::{Gpu, Options, adapters};
use crate::device::{Bytes, Operand, OutMut};
use crate::geometry::{Region, row_major_strides};
use std::sync::OnceLock;
use tilewise_kernels::fft::Transform;

const SMALL: Limits = Limits {
    memory: 16 << 10,
    threads: 256,
    narrow: false,
};
const LARGE: Limits = Limits {
    memory: 32 << 10,
    threads: 1024,
    narrow: false,
};
/// As on a device whose workgroups hold so few points that short lengths take several passes.
const TINY: Limits = Limits {
    memory: 1 << 10,
    threads: 64,
    narrow: true,
};
const ALL: [Transform; 4] = [
    Transform::Forward,
    Transform::Inverse,
    Transform::RealForward,
    Transform::RealInverse,
];

fn gpu() -> Option<&'static Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    let open = || {
        adapters()
            .into_iter()
            .find_map(|info| Gpu::open(info.index, Options::default()).ok())
    };
    let gpu = GPU.get_or_init(open).as_ref();
    if gpu.is_none() {
        assert!(std::env::var_os("CI").is_none(), "no adapter to test on");
        eprintln!("skipped: no adapter to test on; tools/setup.sh installs a driver");
    }
    gpu
}

fn problem(transform: Transform, len: usize) -> Problem {
    Problem {
        transform,
        real: Real::F32,
        len,
        inner: 1,
        outer: 1 << 12,
        across: false,
        viewed: false,
    }
}

#[test]
fn plans_are_as_short_as_promised() {
    let of = |transform, len| {
        let problem = problem(transform, len);
        let plan = Plan::new(&problem, LARGE);
        (plan.dispatches(), plan.padded, plan.traffic(&problem))
    };
    use Transform::{Forward, RealForward, RealInverse};
    assert_eq!(of(Forward, 1), (1, 1, 16));
    assert_eq!(of(Forward, 4096), (1, 4096, 2 * 4096 * 8));
    assert_eq!(of(Forward, 1 << 20), (2, 1 << 20, 32 << 20));
    assert_eq!(of(Forward, 1 << 23).0, 3);
    // A prime in one workgroup, and by three passes.
    assert_eq!(of(Forward, 97), (1, 196, 2 * 97 * 8));
    let (dispatches, padded, traffic) = of(Forward, 10007);
    assert_eq!((dispatches, padded), (3, 20160));
    assert_eq!(traffic, 2 * 10007 * 8 + 4 * 20160 * 8);
    assert_eq!(of(RealForward, 4096), (1, 2048, 4096 * 4 + 2049 * 8));
    assert_eq!(of(RealInverse, 4096), (1, 2048, 4096 * 4 + 2049 * 8));
    assert_eq!(of(RealForward, 1 << 20).0, 3);
    assert_eq!(of(RealInverse, 1 << 20).0, 2);
    let small = Plan::new(&problem(Forward, 4096), SMALL);
    assert_eq!(small.dispatches(), 1);
}

#[test]
fn passes_fit_their_workgroups_and_are_valid() {
    let mut texts = std::collections::BTreeSet::new();
    for real in [Real::F32, Real::F64] {
        validate(&join_text(real), real == Real::F64);
        for (limits, transform) in [SMALL, LARGE, TINY].iter().flat_map(|l| ALL.map(|t| (*l, t))) {
            for len in [
                1,
                2,
                3,
                12,
                13,
                17,
                34,
                100,
                2187,
                4096,
                5040,
                8192,
                10007,
                20014,
                1 << 17,
                1 << 25,
            ] {
                for (inner, outer, across) in [(1, 1000, false), (1, 3, true), (3, 7, false), (64, 1, true)] {
                    let problem = Problem {
                        transform,
                        real,
                        len,
                        inner,
                        outer,
                        across,
                        viewed: inner == 1 && len % 3 == 0,
                    };
                    for pass in Plan::new(&problem, limits).passes {
                        let kernel = &pass.kernel;
                        assert!(kernel.memory() <= limits.memory, "{len} {kernel:?}");
                        assert!(kernel.threads() <= limits.threads, "{len} {kernel:?}");
                        if kernel.len() < 300 || len > 1 << 20 {
                            texts.insert((kernel.text(), real == Real::F64));
                        }
                    }
                }
            }
        }
    }
    assert!(texts.len() > 100);
    for (text, wide) in texts {
        validate(&text, wide);
    }
}

/// Values without a pattern.
fn noise(count: usize) -> Vec<f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f64 / (1u64 << 23) as f64 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Coefficients `ks` of the transform of a column, from the numbers that it has: parts of complex ones
/// are neighbours.
fn expected(form: &Form, given: &[f64], ks: &[usize]) -> Vec<f64> {
    let n = form.len;
    let complex = |at: usize| (given[2 * at], given[2 * at + 1]);
    let points: Vec<(f64, f64)> = (0..n)
        .map(|at| match form.transform {
            Transform::RealForward => (given[at], 0.0),
            Transform::RealInverse if 2 * at > n => {
                let (re, im) = complex(n - at);
                (re, -im)
            }
            Transform::RealInverse if at == 0 || 2 * at == n => (complex(at).0, 0.0),
            _ => complex(at),
        })
        .collect();
    let inverse = matches!(form.transform, Transform::Inverse | Transform::RealInverse);
    let roots: Vec<(f64, f64)> = (0..n).map(|at| unit(at as u64, n as u64)).collect();
    let mut out = Vec::new();
    for k in ks {
        let mut sum = (0.0, 0.0);
        for (at, &(re, im)) in points.iter().enumerate() {
            let (c, s) = roots[at * k % n];
            let s = if inverse { -s } else { s };
            sum = (sum.0 + re * c - im * s, sum.1 + re * s + im * c);
        }
        out.push(sum.0 * form.scale);
        if form.transform != Transform::RealInverse {
            out.push(sum.1 * form.scale);
        }
    }
    out
}

fn to_bytes(real: Real, values: &[f64]) -> Vec<u8> {
    match real {
        Real::F32 => values.iter().flat_map(|&x| (x as f32).to_ne_bytes()).collect(),
        Real::F64 => values.iter().flat_map(|x| x.to_ne_bytes()).collect(),
    }
}

fn from_bytes(real: Real, bytes: &[u8]) -> Vec<f64> {
    match real {
        Real::F32 => {
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(bytes);
            values.into_iter().map(f64::from).collect()
        }
        Real::F64 => bytemuck::pod_collect_to_vec(bytes),
    }
}

/// A transform of noise, whose operand lies dense or, turned, with the axes in the opposite order,
/// spread and from within.
#[derive(Clone, Copy, Debug)]
struct Case<'a> {
    real: Real,
    limits: Limits,
    transform: Transform,
    shape: &'a [usize],
    axis: usize,
    turned: bool,
}

/// A case's numbers in memory, and what the device made of them.
struct Made<'a> {
    case: Case<'a>,
    form: Form,
    given: Vec<f64>,
    offset: usize,
    strides: [Vec<usize>; 2],
    /// Extents along the axis and numbers of an element, of operand and result.
    extents: [usize; 2],
    parts: [usize; 2],
    made: Vec<f64>,
}

impl<'a> Case<'a> {
    /// Runs it, `change` applied to its numbers first.
    fn run(self, gpu: &Gpu, change: impl FnOnce(&mut [f64])) -> Made<'a> {
        let len = self.shape[self.axis];
        let (half, scale) = (len / 2 + 1, 0.75);
        let (extents, parts) = match self.transform {
            Transform::RealForward => ([len, half], [1, 2]),
            Transform::RealInverse => ([half, len], [2, 1]),
            _ => ([len, len], [2, 2]),
        };
        let [from, to] = extents.map(|extent| {
            let mut shape = self.shape.to_vec();
            shape[self.axis] = extent;
            shape
        });
        let (strides, offset) = match self.turned {
            false => (row_major_strides(&from), 0),
            true => {
                let reversed: Vec<usize> = from.iter().rev().copied().collect();
                let strides = row_major_strides(&reversed).into_iter().rev().map(|s| 2 * s);
                (strides.collect(), 5)
            }
        };
        let reach: usize = from.iter().zip(&strides).map(|(n, s)| (n - 1) * s).sum();
        let mut given = noise((offset + reach + 1) * parts[0]);
        change(&mut given);
        let bytes = to_bytes(self.real, &given);
        let operand = Operand {
            bytes: Bytes::Host(&bytes),
            offset,
            strides: strides.clone(),
            region: Region::whole(&from),
            dtype: DType::U8,
        };
        let form = Form {
            transform: self.transform,
            axis: self.axis,
            len,
            scale,
        };
        let mut made = vec![0xA5; to.iter().product::<usize>() * parts[1] * self.real.size()];
        run(
            gpu,
            &form,
            &operand,
            self.real,
            OutMut::Store(&mut made),
            self.limits,
        )
        .unwrap();
        Made {
            case: self,
            form,
            given: from_bytes(self.real, &bytes),
            offset,
            strides: [strides, row_major_strides(&to)],
            extents,
            parts,
            made: from_bytes(self.real, &made),
        }
    }

    fn check(self, gpu: &Gpu) {
        let made = self.run(gpu, |_| {});
        let columns = made.columns();
        let some = (4_000_000 / self.shape[self.axis].pow(2)).clamp(2, 40);
        for number in 0..columns.min(some) {
            let number = if columns > some {
                (number * 7919 + columns - 1) % columns
            } else {
                number
            };
            made.compare(number);
        }
    }
}

impl Made<'_> {
    fn columns(&self) -> usize {
        let others = self
            .case
            .shape
            .iter()
            .enumerate()
            .filter(|(a, _)| *a != self.case.axis);
        others.map(|(_, n)| n).product()
    }

    /// The numbers of a column of the operand (0) or of the result (1).
    fn column(&self, number: usize, side: usize) -> Vec<f64> {
        let (strides, parts) = (&self.strides[side], self.parts[side]);
        let (mut rest, mut start) = (number, if side == 0 { self.offset } else { 0 });
        for a in (0..strides.len()).rev().filter(|&a| a != self.case.axis) {
            start += rest % self.case.shape[a] * strides[a];
            rest /= self.case.shape[a];
        }
        let memory = if side == 0 { &self.given } else { &self.made };
        let step = strides[self.case.axis];
        let at =
            (0..self.extents[side]).flat_map(|j| (0..parts).map(move |p| (start + j * step) * parts + p));
        at.map(|at| memory[at]).collect()
    }

    /// Compares a column with sums in f64: all of its coefficients, or some of many.
    fn compare(&self, number: usize) {
        let (len, kept, parts) = (self.form.len, self.extents[1], self.parts[1]);
        let ks: Vec<usize> = match kept <= 600 {
            true => (0..kept).collect(),
            false => (0..30)
                .map(|i| (i * 7919 + kept - 1) % kept)
                .chain([0, 1])
                .collect(),
        };
        let want = expected(&self.form, &self.column(number, 0), &ks);
        let found = self.column(number, 1);
        let found: Vec<f64> = ks
            .iter()
            .flat_map(|&k| found[k * parts..][..parts].to_vec())
            .collect();
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
        let error = norm(&mut found.iter().zip(&want).map(|(a, b)| a - b));
        let error = error / norm(&mut want.iter().copied()).max(1e-30);
        let unit = match self.case.real {
            Real::F32 => 1e-7,
            Real::F64 => 4e-16,
        };
        let bound = unit * (2.0 + (len as f64).log2());
        assert!(
            error <= bound,
            "{:?}, column {number}: error {error:e}, of {bound:e}",
            self.case
        );
    }
}

/// A case of rows, as the adapter would be asked for it.
fn rows<'a>(gpu: &Gpu, transform: Transform, shape: &'a [usize]) -> Case<'a> {
    Case {
        real: Real::F32,
        limits: super::run::limits(gpu),
        transform,
        shape,
        axis: shape.len() - 1,
        turned: false,
    }
}

#[test]
fn short_lengths() {
    let Some(gpu) = gpu() else { return };
    for shape in [[3, 1], [3, 2], [3, 3], [3, 7], [3, 22], [3, 17], [3, 34], [3, 36]] {
        for transform in ALL {
            rows(gpu, transform, &shape).check(gpu);
        }
    }
}

#[test]
fn any_axis_in_any_order() {
    let Some(gpu) = gpu() else { return };
    for (shape, axis, turned) in [
        (&[12, 40][..], 0, false),
        (&[12, 40], 0, true),
        (&[5, 12, 3], 1, true),
        (&[5, 20, 9], 1, false),
        (&[19, 1, 9], 0, true),
        (&[34, 2, 9], 0, false),
    ] {
        for transform in ALL {
            let case = rows(gpu, transform, shape);
            Case { axis, turned, ..case }.check(gpu);
        }
    }
}

#[test]
fn several_passes() {
    let Some(gpu) = gpu() else { return };
    use Transform::{Forward, RealForward, RealInverse};
    for (shape, axis, transforms) in [
        (&[3, 4096][..], 1, &ALL[..]),
        (&[2, 343], 1, &[RealInverse]),
        (&[2, 540, 3], 1, &ALL),
        (&[3, 398], 1, &ALL),
        (&[251, 9], 0, &[Forward, RealForward]),
        (&[2, 10007], 1, &[Forward]),
    ] {
        for &transform in transforms {
            let case = rows(gpu, transform, shape);
            let limits = TINY;
            Case { axis, limits, ..case }.check(gpu);
        }
    }
    let case = rows(gpu, RealForward, &[1200, 10]);
    Case {
        axis: 0,
        turned: true,
        limits: TINY,
        ..case
    }
    .check(gpu);
}

#[test]
fn wide_radices() {
    let Some(gpu) = gpu() else { return };
    for (shape, transform) in [
        ([3, 256], Transform::Forward),
        ([3, 1000], Transform::Inverse),
        ([3, 243], Transform::Forward),
        ([3, 512], Transform::RealForward),
    ] {
        let case = rows(gpu, transform, &shape);
        Case {
            limits: LARGE,
            ..case
        }
        .check(gpu);
    }
}

#[test]
fn long_lengths() {
    let Some(gpu) = gpu() else { return };
    rows(gpu, Transform::Forward, &[2, 4096]).check(gpu);
    rows(gpu, Transform::Inverse, &[1, 65536]).check(gpu);
    rows(gpu, Transform::RealForward, &[1, 1 << 18]).check(gpu);
    rows(gpu, Transform::Forward, &[1, 10007]).check(gpu);
}

#[test]
fn doubles() {
    let Some(gpu) = gpu().filter(|gpu| gpu.abilities.f64) else {
        return;
    };
    let case = |transform, shape| Case {
        real: Real::F64,
        ..rows(gpu, transform, shape)
    };
    for transform in ALL {
        case(transform, &[3, 60]).check(gpu);
    }
    case(Transform::Forward, &[3, 97]).check(gpu);
    for (shape, limits) in [(&[2, 1024], TINY), (&[3, 128], LARGE)] {
        let case = case(Transform::RealForward, shape);
        Case { limits, ..case }.check(gpu);
    }
}

#[test]
fn what_is_no_number_stays_in_its_column() {
    let Some(gpu) = gpu() else { return };
    for (shape, axis, limits) in [
        (&[9, 34], 1, None),
        (&[24, 9], 0, None),
        (&[9, 4096], 1, Some(TINY)),
        (&[251, 9], 0, Some(TINY)),
    ] {
        let kinds = [Transform::Forward, Transform::RealForward, Transform::RealInverse];
        for (transform, bad) in kinds
            .iter()
            .flat_map(|t| [f64::NAN, f64::INFINITY].map(|b| (*t, b)))
        {
            let case = rows(gpu, transform, shape);
            let limits = limits.unwrap_or(case.limits);
            let case = Case { axis, limits, ..case };
            // The fourth element of the fifth column.
            let others = shape[1 - axis];
            let made = case.run(gpu, |numbers| {
                let parts = if transform == Transform::RealForward { 1 } else { 2 };
                let extent = numbers.len() / parts / others;
                let at = if axis == 1 { 4 * extent + 3 } else { 3 * others + 4 };
                numbers[at * parts] = bad;
            });
            for number in 0..others {
                match number {
                    4 => assert!(made.column(4, 1).iter().any(|x| !x.is_finite()), "{case:?}"),
                    _ => assert!(made.column(number, 1).iter().all(|x| x.is_finite()), "{case:?}"),
                }
            }
            made.compare(3);
            made.compare(5);
        }
    }
}

#[test]
fn rounds_and_parts_fit_small_budgets() {
    let of = |budget, staging, binding_bytes, staged| Options {
        budget,
        staging,
        binding_bytes,
        staged,
        ..Options::default()
    };
    for options in [
        of(1 << 20, 1 << 20, 1 << 30, false),
        of(1 << 19, 1 << 18, 1 << 30, true),
        of(1 << 30, 1 << 30, 1 << 18, false),
    ] {
        let opened = adapters()
            .into_iter()
            .find_map(|info| Gpu::open(info.index, options).ok());
        let Some(gpu) = opened else { continue };
        for (shape, axis) in [(&[4, 20, 1024], 2), (&[20, 540, 3], 1), (&[16, 4, 398], 2)] {
            for transform in [Transform::Forward, Transform::RealForward] {
                let case = rows(&gpu, transform, shape);
                let limits = TINY;
                Case { axis, limits, ..case }.check(&gpu);
            }
        }
        assert!(gpu.peak_bytes() <= options.budget);
    }
}
