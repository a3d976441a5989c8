//! Fourier transforms on the GPU against those of a wider type on the CPU: lengths, axes, layouts, real
//! and complex numbers, and blocks that the device's memory does not hold at once.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/gpu_session.rs"]
mod gpu_session;

use gpu_session::{assert_on_gpu, cpu_session, session};
use tilewise::device::gpu::adapters;
use tilewise::session::{Config, DeviceChoice, Session, s};
use tilewise::{Array, Complex32, Complex64, DType, Norm, Transform};

/// Numbers without a pattern.
fn noise(count: usize, seed: u64) -> Vec<f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f64 / (1u64 << 23) as f64 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// An array of noise. The first half of the transform of real numbers is not one here, so that the
/// imaginary parts that are to be left out show.
fn array(dtype: DType, shape: &[usize]) -> Array {
    let count: usize = shape.iter().product();
    let (re, im) = (noise(count, 1), noise(count, 2));
    let parts = re.iter().zip(&im);
    match dtype {
        DType::F32 => Array::from_vec(shape, re.iter().map(|&x| x as f32).collect()),
        DType::F64 => Array::from_vec(shape, re),
        DType::C64 => {
            let values = parts.map(|(&re, &im)| Complex32::new(re as f32, im as f32));
            Array::from_vec(shape, values.collect())
        }
        _ => Array::from_vec(shape, parts.map(|(&re, &im)| Complex64::new(re, im)).collect()),
    }
    .unwrap()
}

/// The transform of an array along an axis.
fn transform(x: &Array, kind: Transform, len: usize, axis: isize) -> Array {
    let (n, norm) = (Some(len), Norm::Ortho);
    match kind {
        Transform::Forward => x.fft(n, axis, norm),
        Transform::Inverse => x.ifft(n, axis, norm),
        Transform::RealForward => x.rfft(n, axis, norm),
        Transform::RealInverse => x.irfft(n, axis, norm),
    }
    .unwrap()
}

/// What is transformed: parts of that dtype.
fn taken(kind: Transform, part: DType) -> DType {
    kind.dtypes(part)[0]
}

/// All values as pairs of f64.
fn values(session: &Session, x: &Array) -> Vec<Complex64> {
    let wide = x.astype(DType::C128);
    session
        .compute::<Complex64>(&wide)
        .unwrap()
        .iter()
        .copied()
        .collect()
}

/// Compares with the same on the CPU of numbers of 64 bits, column by column of `len` points all
/// together: errors are of the size of roundings of the parts.
fn compare(gpu: &Session, x: &Array, make: &dyn Fn(&Array) -> Array, len: usize, what: &str) {
    let (part, wide) = match x.dtype() {
        DType::F32 => (DType::F32, DType::F64),
        DType::C64 => (DType::F32, DType::C128),
        other => (DType::F64, other),
    };
    let want = values(&cpu_session(), &make(&x.astype(wide)));
    let made = make(x);
    let persisted = gpu.persist(&made).unwrap();
    assert_on_gpu(gpu);
    let found = values(gpu, &persisted);
    assert_eq!(found.len(), want.len(), "{what}");
    let norm = |z: &mut dyn Iterator<Item = Complex64>| z.map(|z| z.norm_sqr()).sum::<f64>().sqrt();
    let error = norm(&mut found.iter().zip(&want).map(|(a, b)| a - b));
    let error = error / norm(&mut want.iter().copied()).max(1e-300);
    let unit = if part == DType::F32 { 1e-7 } else { 4e-16 };
    let bound = unit * (2.0 + (len as f64).log2());
    assert!(error <= bound, "{what}: error {error:e}, of {bound:e}");
}

/// Transforms noise of that shape along an axis and compares.
fn check(gpu: &Session, kind: Transform, part: DType, shape: &[usize], axis: usize) {
    let len = shape[axis];
    let mut own = shape.to_vec();
    own[axis] = kind.extents(len)[0];
    let x = array(taken(kind, part), &own);
    let what = format!("{kind:?} {part} {shape:?} along {axis}");
    compare(gpu, &x, &|x| transform(x, kind, len, axis as isize), len, &what);
}

const ALL: [Transform; 4] = [
    Transform::Forward,
    Transform::Inverse,
    Transform::RealForward,
    Transform::RealInverse,
];

#[test]
fn every_short_length() {
    let Some(session) = session() else { return };
    for len in (1..=64).chain([97, 100, 128]) {
        check(&session, Transform::Forward, DType::F32, &[3, len], 1);
    }
    for kind in ALL {
        for len in [1, 2, 5, 8, 9, 26, 33, 38] {
            check(&session, kind, DType::F32, &[3, len], 1);
        }
    }
}

#[test]
fn long_lengths() {
    let Some(session) = session() else { return };
    for len in [
        243,
        343,
        1000,
        1024,
        1155,
        2187,
        4096,
        5040,
        8192,
        10007,
        65536,
        1 << 17,
    ] {
        check(&session, Transform::Forward, DType::F32, &[1, len], 1);
    }
    for kind in [Transform::RealForward, Transform::RealInverse] {
        for len in [4096, 5005, 20014, 1 << 17] {
            check(&session, kind, DType::F32, &[2, len], 1);
        }
    }
}

#[test]
fn any_axis_of_any_layout() {
    let Some(session) = session() else { return };
    for (shape, axis) in [
        (&[60, 33][..], 0),
        (&[4, 15, 21], 1),
        (&[1000, 24], 1),
        (&[5, 1, 6], 1),
    ] {
        for kind in ALL {
            check(&session, kind, DType::F32, shape, axis);
        }
    }
    // Axes in another order, and every second element.
    let x = array(DType::C64, &[12, 30, 10]);
    let turned = |x: &Array| {
        let x = x.permute_dims(&[2, 0, 1]).unwrap();
        transform(&x, Transform::Forward, 30, 2)
    };
    compare(&session, &x, &turned, 30, "turned");
    let sliced = |x: &Array| {
        let x = x
            .slice(&[s(None, None, None), s(Some(1), Some(29), Some(2))])
            .unwrap();
        transform(&x, Transform::Inverse, 14, 1)
    };
    compare(&session, &x, &sliced, 14, "every second");
}

#[test]
fn doubles() {
    let Some(session) = session() else { return };
    if !adapters().iter().any(|info| info.f64) {
        return;
    }
    for kind in ALL {
        check(&session, kind, DType::F64, &[3, 60], 1);
        check(&session, kind, DType::F64, &[45, 9], 0);
    }
    check(&session, Transform::Forward, DType::F64, &[2, 4096], 1);
    check(&session, Transform::Forward, DType::F64, &[2, 97], 1);
}

#[test]
fn several_axes() {
    let Some(session) = session() else { return };
    let x = array(DType::C64, &[64, 48]);
    let both = |x: &Array| x.fftn(Transform::Forward, None, &[0, 1], Norm::Ortho).unwrap();
    compare(&session, &x, &both, 64 * 48, "two axes");
    let x = array(DType::F32, &[6, 20, 36]);
    let all = |x: &Array| {
        x.fftn(Transform::RealForward, None, &[0, 1, 2], Norm::Ortho)
            .unwrap()
    };
    compare(&session, &x, &all, 6 * 20 * 36, "three axes of real numbers");
}

#[test]
fn large_batches_under_a_small_budget() {
    let open = |index| {
        Session::new(Config {
            gpu_memory: Some(6 << 20),
            memory: Some(256 << 20),
            threads: Some(2),
            device: DeviceChoice::Gpu(Some(index)),
            ..Config::default()
        })
    };
    let Some(session) = adapters().into_iter().find_map(|info| open(info.index).ok()) else {
        return;
    };
    let x = array(DType::C64, &[1 << 14, 128]);
    compare(
        &session,
        &x,
        &|x| transform(x, Transform::Forward, 128, 1),
        128,
        "rows",
    );
    let x = array(DType::C64, &[64, 1 << 15]);
    compare(
        &session,
        &x,
        &|x| transform(x, Transform::Forward, 64, 0),
        64,
        "columns",
    );
}
