//! The promise to scientists, on values whose exact answer integers give: long sums in f32,
//! spreads far from zero, weights, groups, wrapping, missing values and ties.
//!
//! Elements are integers divided by a power of two, so every exact sum is an integer of `i128`
//! and the only error left is the one rounding that is allowed. Each case runs in one chunk, in
//! ragged chunks on several threads, and on an adapter where there is one.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

use tilewise::kernels::Element;
use tilewise::session::{ChunkSpec, Config, DeviceChoice, Session};
use tilewise::{Array, DType, ReduceKind, Reduction};

/// The sessions under test. Under CI there has to be an adapter.
fn sessions() -> Vec<(&'static str, Session)> {
    let config = |device| Config {
        memory: Some(256 << 20),
        threads: Some(3),
        device,
        ..Config::default()
    };
    let mut all = vec![("cpu", Session::new(config(DeviceChoice::Cpu)).unwrap())];
    match Session::new(config(DeviceChoice::Gpu(None))) {
        Ok(session) => all.push(("gpu", session)),
        Err(error) if std::env::var_os("CI").is_none() => println!("no adapter: {error}"),
        Err(error) => panic!("{error}"),
    }
    all
}

/// The value of `of(x)` for each session and two cuttings of `x`, all of which agree with `check`.
fn each<T: Element>(x: &Array, of: impl Fn(&Array) -> Array, check: impl Fn(&str, &[T])) {
    for (name, session) in sessions() {
        for size in [usize::MAX, x.shape()[0] / 7 + 1] {
            let mut chunks = vec![ChunkSpec::Keep; x.rank()];
            chunks[0] = ChunkSpec::Size(size);
            let cut = x.rechunk(&chunks).unwrap();
            let got = session.compute::<T>(&of(&cut)).unwrap();
            check(
                &format!("{name}, chunks of {size}"),
                &got.into_raw_vec_and_offset().0,
            );
        }
    }
}

fn reduce(x: &Array, kind: ReduceKind, skipna: bool, ddof: u32) -> Array {
    let reduction = Reduction { kind, skipna, ddof };
    x.reduce(reduction, None, false).unwrap()
}

/// Distance in units in the last place of an f32.
fn ulps(got: f32, exact: f64) -> f64 {
    let near = exact as f32;
    let place = f64::from(f32::from_bits(near.abs().to_bits() + 1)) - f64::from(near.abs());
    (f64::from(got) - exact).abs() / place
}

#[test]
fn sums_and_means_of_ten_million_singles_are_rounded_once() {
    // 24 bits of a Weyl sequence over 2^8: sums in f32 would lose the last digits.
    let bits = |i: u64| (i.wrapping_mul(2_654_435_761) >> 3) & 0xff_ffff;
    let n = 10_000_000u64;
    let values: Vec<f32> = (0..n).map(|i| bits(i) as f32 / 256.0).collect();
    let exact = (0..n).map(|i| u128::from(bits(i))).sum::<u128>() as f64 / 256.0;
    let x = Array::from_vec(&[n as usize], values).unwrap();
    for (kind, exact) in [(ReduceKind::Sum, exact), (ReduceKind::Mean, exact / n as f64)] {
        each::<f32>(
            &x,
            |x| reduce(x, kind, false, 0),
            |case, got| {
                let off = ulps(got[0], exact);
                assert!(off <= 0.51, "{kind:?}, {case}: {} for {exact}, {off} ULP", got[0]);
            },
        );
    }
}

#[test]
fn spreads_far_from_zero_keep_their_digits() {
    // 10^6 + k/16 with |k| <= 100: the spread is in the last bits of an f32.
    let k = |i: i64| (i * 7919) % 201 - 100;
    let n = 100_003i64;
    let (sum, squares) = (0..n).fold((0i128, 0i128), |(s, q), i| {
        (s + i128::from(k(i)), q + i128::from(k(i) * k(i)))
    });
    let numerator = (i128::from(n) * squares - sum * sum) as f64 / 256.0;
    let single: Vec<f32> = (0..n).map(|i| 1e6 + k(i) as f32 / 16.0).collect();
    let double: Vec<f64> = (0..n).map(|i| 1e6 + k(i) as f64 / 16.0).collect();
    let single = Array::from_vec(&[n as usize], single).unwrap();
    let double = Array::from_vec(&[n as usize], double).unwrap();
    for ddof in [0u32, 1, 7] {
        let variance = numerator / n as f64 / (n - i64::from(ddof)) as f64;
        for (kind, exact) in [(ReduceKind::Var, variance), (ReduceKind::Std, variance.sqrt())] {
            each::<f32>(
                &single,
                |x| reduce(x, kind, false, ddof),
                |case, got| {
                    let off = ulps(got[0], exact);
                    assert!(off <= 1.0, "{kind:?} ddof {ddof}, {case}: {} for {exact}", got[0]);
                },
            );
            each::<f64>(
                &double,
                |x| reduce(x, kind, true, ddof),
                |case, got| {
                    let off = (got[0] / exact - 1.0).abs();
                    assert!(
                        off < 1e-12,
                        "{kind:?} ddof {ddof}, {case}: {} for {exact}",
                        got[0]
                    );
                },
            );
        }
    }
}

#[test]
fn weighted_means_leave_out_what_is_missing_with_its_weight() {
    let (rows, columns) = (40usize, 30usize);
    let value = |i: usize| (i * 37 % 101) as i64 - 50;
    let weight = |row: usize| (row % 5) as i64; // some are 0
    let missing = |i: usize| i % 7 == 3 || i % columns == 4; // all of column 4
    let values: Vec<f32> = (0..rows * columns)
        .map(|i| if missing(i) { f32::NAN } else { value(i) as f32 })
        .collect();
    let x = Array::from_vec(&[rows, columns], values).unwrap();
    let weights = (0..rows).map(|r| weight(r) as f32).collect();
    let weights = Array::from_vec(&[rows, 1], weights).unwrap();
    each::<f32>(
        &x,
        |x| x.weighted_mean(&weights, Some(&[0]), false, true).unwrap(),
        |case, got| {
            for (column, got) in got.iter().enumerate() {
                let here = (0..rows).filter(|r| !missing(r * columns + column));
                let (sum, total) = here.fold((0, 0), |(s, t), r| {
                    (s + value(r * columns + column) * weight(r), t + weight(r))
                });
                if total == 0 {
                    assert!(got.is_nan(), "{case}: column {column} is {got}");
                } else {
                    let off = ulps(*got, sum as f64 / total as f64);
                    assert!(off <= 1.0, "{case}: column {column} is {got}, {off} ULP");
                }
            }
        },
    );
    each::<f32>(
        &x,
        |x| x.weighted_mean(&weights, None, false, false).unwrap(),
        |case, got| assert!(got[0].is_nan(), "{case}: NaN is not skipped unasked"),
    );
}

#[test]
fn group_means_are_those_of_the_members() {
    let n = 1000usize;
    let label = |i: usize| {
        if i.is_multiple_of(13) {
            u32::MAX
        } else {
            (i * i % 5) as u32
        }
    }; // 2 and 3 are empty
    let value = |i: usize| (i * 61 % 997) as i64;
    let x = Array::from_vec(&[n], (0..n).map(|i| value(i) as f32).collect()).unwrap();
    let labels: Vec<u32> = (0..n).map(label).collect();
    let mean = Reduction::new(ReduceKind::Mean);
    each::<f32>(
        &x,
        |x| x.group_reduce(mean, 0, labels.clone(), 5).unwrap(),
        |case, got| {
            assert_eq!(got.len(), 5);
            for (group, got) in got.iter().enumerate() {
                let members: Vec<i64> = (0..n).filter(|&i| label(i) == group as u32).map(value).collect();
                if members.is_empty() {
                    assert!(got.is_nan(), "{case}: group {group} is {got}");
                } else {
                    let exact = members.iter().sum::<i64>() as f64 / members.len() as f64;
                    assert!(
                        ulps(*got, exact) <= 0.51,
                        "{case}: group {group} is {got} for {exact}"
                    );
                }
            }
        },
    );
}

#[test]
fn integers_wrap_as_in_numpy() {
    let x = Array::from_vec(&[3], vec![i8::MAX, i8::MIN, -1]).unwrap();
    each::<i8>(
        &x,
        |x| (x + 1).unwrap(),
        |case, got| {
            assert_eq!(got, [i8::MIN, -127, 0], "{case}");
        },
    );
    each::<i8>(
        &x,
        |x| x.apply("abs", &[]).unwrap(),
        |case, got| {
            assert_eq!(got, [127, i8::MIN, 1], "{case}");
        },
    );
    // Sums widen to 64 bits, where they wrap.
    each::<i64>(
        &x,
        |x| reduce(x, ReduceKind::Sum, false, 0),
        |case, got| {
            assert_eq!(got, [-2], "{case}");
        },
    );
    let x = Array::from_vec(&[2], vec![i32::MAX, 65_536]).unwrap();
    each::<i32>(
        &x,
        |x| (x * x).unwrap(),
        |case, got| {
            assert_eq!(got, [1, 0], "{case}");
        },
    );
    let x = Array::from_vec(&[2], vec![0u8, 200]).unwrap();
    each::<u8>(
        &x,
        |x| (x - 1).unwrap(),
        |case, got| {
            assert_eq!(got, [255, 199], "{case}");
        },
    );
    let x = Array::from_vec(&[3], vec![i64::MAX, 1, 1]).unwrap();
    for (kind, want) in [(ReduceKind::Sum, i64::MIN + 1), (ReduceKind::Prod, i64::MAX)] {
        each::<i64>(
            &x,
            |x| reduce(x, kind, false, 0),
            |case, got| {
                assert_eq!(got, [want], "{case}");
            },
        );
    }
}

#[test]
fn nothing_but_missing_values_gives_numpys_answers() {
    let x = Array::from_vec(&[9], vec![f32::NAN; 9]).unwrap();
    // numpy.nanmean, nanmin, nanvar and nanstd of all-NaN: NaN; nansum 0; nanprod 1.
    for kind in [
        ReduceKind::Mean,
        ReduceKind::Min,
        ReduceKind::Max,
        ReduceKind::Var,
        ReduceKind::Std,
        ReduceKind::First,
        ReduceKind::Last,
    ] {
        each::<f32>(
            &x,
            |x| reduce(x, kind, true, 0),
            |case, got| {
                assert!(got[0].is_nan(), "{kind:?}, {case}: {}", got[0]);
            },
        );
    }
    for (kind, want) in [(ReduceKind::Sum, 0.0), (ReduceKind::Prod, 1.0)] {
        each::<f32>(
            &x,
            |x| reduce(x, kind, true, 0),
            |case, got| {
                assert_eq!(got, [want], "{kind:?}, {case}");
            },
        );
    }
    each::<i64>(
        &x,
        |x| reduce(x, ReduceKind::Count, true, 0),
        |case, got| {
            assert_eq!(got, [0], "{case}");
        },
    );
    each::<bool>(
        &x,
        |x| reduce(x, ReduceKind::Any, false, 0),
        |case, got| {
            assert_eq!(got, [true], "NaN is true, {case}");
        },
    );
}

#[test]
fn the_first_of_equals_wins_wherever_chunks_are_cut() {
    let n = 1000usize;
    let values: Vec<f32> = (0..n).map(|i| ((i * 7) % 50) as f32).collect();
    let zeros = [5usize, 6, 700]; // -0 and 0 are equal
    let mut signed = vec![1.0f32; n];
    for at in zeros {
        signed[at] = if at == 6 { 0.0 } else { -0.0 };
    }
    let mut with_nan = values.clone();
    for at in [123, 124, 900] {
        with_nan[at] = f32::NAN;
    }
    let first = |f: &dyn Fn(f32) -> bool, v: &[f32]| v.iter().position(|&x| f(x)).unwrap() as i64;
    let greatest = first(&|x| x == 49.0, &values);
    let greatest_but_nan = first(&|x| x == 49.0, &with_nan);
    let cases = [
        (values.clone(), ReduceKind::ArgMin, false, 0),
        (values, ReduceKind::ArgMax, false, greatest),
        (signed, ReduceKind::ArgMin, false, 5),
        (with_nan.clone(), ReduceKind::ArgMax, false, 123), // the first NaN
        (with_nan.clone(), ReduceKind::ArgMin, false, 123),
        (with_nan, ReduceKind::ArgMax, true, greatest_but_nan),
    ];
    for (values, kind, skipna, want) in cases {
        let x = Array::from_vec(&[n], values).unwrap();
        assert_eq!(x.dtype(), DType::F32);
        each::<i64>(
            &x,
            |x| reduce(x, kind, skipna, 0),
            |case, got| {
                assert_eq!(got, [want], "{kind:?} skipna {skipna}, {case}");
            },
        );
    }
}
