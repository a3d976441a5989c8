//! Products against sums written out one by one, in wider types, for every dtype, layout and
//! instruction set.

use super::*;
use crate::{DType, bf16, dispatch_real, f16};

/// A small generator of numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % below
    }
}

/// What elements of a dtype are made of, and the exact sum of products in it.
trait Check: Factor {
    fn of(number: i64) -> Self;
    /// The sum of products, each pair a row and a column of numbers.
    fn sum(pairs: &[(i64, i64)]) -> Self;
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Check for $t {
            fn of(number: i64) -> $t { number as $t }
            fn sum(pairs: &[(i64, i64)]) -> $t {
                // Modulo 2^128, of which all others are parts.
                let sum = pairs.iter().fold(0i128, |sum, &(x, y)| {
                    i128::from(x as $t).wrapping_mul(i128::from(y as $t)).wrapping_add(sum)
                });
                sum as $t
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 u8 u16 u32 u64);

/// Numbers small enough that all sums are exact in the dtype that they are summed in.
macro_rules! floats {
    ($($t:ty, $from:expr, $round:expr;)*) => {$(
        impl Check for $t {
            fn of(number: i64) -> $t { ($from)((number % 8) as f32) }
            fn sum(pairs: &[(i64, i64)]) -> $t {
                ($round)(pairs.iter().map(|&(x, y)| ((x % 8) * (y % 8)) as f64).sum::<f64>())
            }
        }
    )*};
}
floats! {
    f32, |x| x, |x| x as f32;
    f64, f64::from, |x| x;
    f16, f16::from_f32, f16::from_f64;
    bf16, bf16::from_f32, bf16::from_f64;
}

impl Check for bool {
    fn of(number: i64) -> bool {
        number % 3 == 0
    }
    fn sum(pairs: &[(i64, i64)]) -> bool {
        pairs.iter().any(|&(x, y)| bool::of(x) && bool::of(y))
    }
}

/// Row-major strides of extents, laid out in that order of axes.
fn layout(shape: &[usize], order: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; shape.len()];
    let mut next = 1;
    for &axis in order.iter().rev() {
        strides[axis] = next;
        next *= shape[axis].max(1);
    }
    strides
}

/// One product of two batches, in a layout of each, with gaps around the result that stay.
fn product<T: Check>(isa: Isa, [b, m, n, k]: [usize; 4], orders: [[usize; 3]; 3], dice: &mut Dice) {
    let shapes = [[b, m, k], [k, b, n], [m, b, n]];
    let mut numbers = |shape: &[usize]| -> Vec<i64> {
        (0..shape.iter().product())
            .map(|_| dice.roll(1 << 31) as i64 - (1 << 30))
            .collect()
    };
    let (x, y) = (numbers(&shapes[0]), numbers(&shapes[1]));
    let stored = |numbers: &[i64]| -> Vec<T::Stored> { numbers.iter().map(|&v| T::of(v).store()).collect() };
    let (xs, ys) = (stored(&x), stored(&y));
    let strides: Vec<Vec<usize>> = (0..3).map(|i| layout(&shapes[i], &orders[i])).collect();
    let mut out = vec![T::of(5).store(); m * b * n + 2];
    let last = out.len() - 1;
    // SAFETY: the layout is that of a dense array one element behind the start of `out`.
    let mut block = unsafe { StridedMut::from_raw(out[1..last].as_mut_ptr(), &shapes[2], &strides[2]) };
    let axes = Axes {
        batch: vec![(0, 1, 1)],
        rows: vec![(1, 0)],
        cols: vec![(2, 2)],
        summed: vec![(2, 0)],
    };
    contract::<T>(
        isa,
        &Strided::new(&xs, 0, &shapes[0], &strides[0]),
        &Strided::new(&ys, 0, &shapes[1], &strides[1]),
        &mut block,
        &axes,
    );
    assert!(out[0] == T::of(5).store() && out[last] == T::of(5).store());
    let at = |strides: &[usize], index: [usize; 3]| -> usize {
        index.iter().zip(strides).map(|(i, s)| i * s).sum()
    };
    for (b, i, j) in (0..b).flat_map(|b| (0..m).flat_map(move |i| (0..n).map(move |j| (b, i, j)))) {
        let pairs: Vec<(i64, i64)> = (0..k)
            .map(|p| (x[at(&strides[0], [b, i, p])], y[at(&strides[1], [p, b, j])]))
            .collect();
        let got = out[1 + at(&strides[2], [i, b, j])];
        assert!(
            got == T::sum(&pairs).store(),
            "{} {isa:?} at {b}, {i}, {j} of {m}×{n}×{k}: {:?}, not {:?}",
            T::DTYPE,
            T::load(got),
            T::sum(&pairs)
        );
    }
}

#[test]
fn every_dtype_in_every_layout() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 1, 0]];
    let mut dice = Dice(7);
    for isa in [Isa::Baseline, Isa::Avx2, Isa::Avx512]
        .into_iter()
        .filter(|i| i.available())
    {
        for dtype in DType::real() {
            for extents in [
                [2, 3, 5, 4],
                [1, 25, 70, 9],
                [3, 1, 1, 1],
                [1, 13, 33, 0],
                [2, 0, 3, 2],
                [0, 2, 2, 2],
            ] {
                let picks = [(); 3].map(|()| orders[dice.roll(4)]);
                dispatch_real!(dtype, T => product::<T>(isa, extents, picks, &mut dice));
            }
        }
    }
}

#[test]
fn extents_beyond_the_packed_blocks() {
    let mut dice = Dice(3);
    let plain = [[0, 1, 2]; 3];
    // Longer than one run of steps; sums of bf16 beyond what bf16 holds exactly on the way.
    for isa in [Isa::Baseline, Isa::detect()] {
        product::<f32>(isa, [1, 5, 9, 2 * steps::<f32>() + 1], plain, &mut dice);
        product::<bf16>(isa, [2, 5, 9, steps::<f32>() + 3], plain, &mut dice);
        product::<u8>(isa, [1, 14, 70, steps::<u32>() + 1], plain, &mut dice);
    }
    // More rows and more columns than are packed at once.
    let fits = packed_extents(
        &micro::select::<f64>(Isa::detect()),
        usize::MAX >> 8,
        usize::MAX >> 8,
    );
    product::<f64>(Isa::detect(), [1, fits.0 + 5, 3, 2], plain, &mut dice);
    product::<f64>(Isa::detect(), [1, 3, fits.1 + 5, 2], plain, &mut dice);
}

#[test]
fn several_axes_of_each_kind() {
    // out[i, j, l, h] = Σ a[p, i, q, h] · b[l, q, j, p], all of extents 2 to 4.
    let (i, j, l, h, p, q) = (3, 2, 4, 2, 3, 2);
    let a: Vec<f64> = (0..p * i * q * h).map(|v| (v % 11) as f64).collect();
    let b: Vec<f64> = (0..l * q * j * p).map(|v| (v % 7) as f64).collect();
    let mut out = vec![f64::NAN; i * j * l * h];
    let axes = Axes {
        batch: vec![],
        rows: vec![(1, 0), (3, 3)],
        cols: vec![(0, 2), (2, 1)],
        summed: vec![(0, 3), (2, 1)],
    };
    contract::<f64>(
        Isa::detect(),
        &Strided::new(&a, 0, &[p, i, q, h], &layout(&[p, i, q, h], &[0, 1, 2, 3])),
        &Strided::new(&b, 0, &[l, q, j, p], &layout(&[l, q, j, p], &[0, 1, 2, 3])),
        &mut StridedMut::dense(&mut out, &[i, j, l, h]),
        &axes,
    );
    for (at, &got) in out.iter().enumerate() {
        let (vi, vj, vl, vh) = (at / (j * l * h), at / (l * h) % j, at / h % l, at % h);
        let mut want = 0.0;
        for (vp, vq) in (0..p).flat_map(|p| (0..q).map(move |q| (p, q))) {
            want += a[((vp * i + vi) * q + vq) * h + vh] * b[((vl * q + vq) * j + vj) * p + vp];
        }
        assert_eq!(got, want);
    }
}

#[test]
fn special_values_are_summed_plainly() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let a = [inf, 0.0, nan, 1.0, inf, -1.0, -0.0, -0.0];
    let b = [0.0, 1.0, inf, 2.0];
    let mut out = [9.0f32; 8];
    let axes = Axes {
        rows: vec![(0, 0)],
        cols: vec![(1, 1)],
        summed: vec![(1, 0)],
        ..Axes::default()
    };
    for isa in [Isa::Baseline, Isa::detect()] {
        let x = Strided::new(&a, 0, &[4, 2], &[2, 1]);
        let y = Strided::new(&b, 0, &[2, 2], &[2, 1]);
        contract::<f32>(isa, &x, &y, &mut StridedMut::dense(&mut out, &[4, 2]), &axes);
        // inf·0 + 0·inf, inf·1 + 0·2; NaN; inf·0 − inf, inf − 2; −0·0 − 0·inf, −0.
        assert!([0, 2, 3, 4, 6].iter().all(|&i| out[i].is_nan()), "{out:?}");
        assert_eq!([out[1], out[5], out[7]], [inf, inf, 0.0]);
    }
}

#[test]
#[should_panic(expected = "not once")]
fn forgotten_axes_are_refused() {
    let x = Strided::new(&[0.0f64; 4], 0, &[2, 2], &[2, 1]);
    contract::<f64>(
        Isa::Baseline,
        &x,
        &x.clone(),
        &mut StridedMut::dense(&mut [0.0; 2], &[2]),
        &Axes {
            rows: vec![(0, 0)],
            summed: vec![(1, 0)],
            ..Axes::default()
        },
    );
}
