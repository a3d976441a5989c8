//! Sorting, selecting and quantiles on the GPU: NumPy's values, and the sort of Rust's library.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/gpu_session.rs"]
mod gpu_session;
#[path = "common/order.rs"]
mod order;

use gpu_session::{assert_on_gpu, cpu_session, session, session_of};
use order::bytes;
use std::cmp::Ordering;
use tilewise::kernels::order::Method;
use tilewise::kernels::{Element, dispatch_real};
use tilewise::session::{ChunkSpec, Session, s};
use tilewise::{Array, DType, Scalar};

/// How the elements of an array are made.
#[derive(Clone, Copy, Debug)]
enum Pattern {
    /// Any bits: every NaN, infinities, extremes.
    Bits,
    /// Few values, many of them equal, both zeros and several NaN.
    Few,
    Equal,
    Rising,
    Falling,
}

const PATTERNS: [Pattern; 5] = [
    Pattern::Bits,
    Pattern::Few,
    Pattern::Equal,
    Pattern::Rising,
    Pattern::Falling,
];

/// The bits of a small whole number.
fn whole(dtype: DType, n: i64) -> u64 {
    match dtype {
        DType::F16 => u64::from(half::f16::from_f64(n as f64).to_bits()),
        DType::BF16 => u64::from(half::bf16::from_f64(n as f64).to_bits()),
        DType::F32 => u64::from((n as f32).to_bits()),
        DType::F64 => (n as f64).to_bits(),
        DType::Bool => (n & 1) as u64,
        _ => n as u64,
    }
}

fn elements<T: Element>(count: usize, pattern: Pattern) -> Vec<T> {
    let dtype = T::DTYPE;
    let sign = 1u64 << (8 * dtype.size() - 1);
    let (nan, infinity) = match dtype {
        DType::F16 => (0x7e01, 0x7c00),
        DType::BF16 => (0x7fc1, 0x7f80),
        DType::F32 => (0x7fc0_1234, 0x7f80_0000),
        DType::F64 => (0x7ff8_0000_0000_1234, 0x7ff0_0000_0000_0000),
        _ => (0, 1),
    };
    let value = |i: usize| {
        let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let random = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 7;
        let bits = match pattern {
            Pattern::Bits if dtype == DType::Bool => random & 1,
            Pattern::Bits => random << 7 ^ random,
            Pattern::Few if dtype.is_float() => match random % 9 {
                0 => nan,
                1 => nan | sign,
                2 => infinity,
                3 => infinity | sign,
                4 => 0,
                5 => sign,
                n => whole(dtype, n as i64),
            },
            Pattern::Few => whole(dtype, (random % 5) as i64),
            Pattern::Equal => whole(dtype, 1),
            Pattern::Rising => whole(dtype, i as i64 % 120),
            Pattern::Falling => whole(dtype, 119 - i as i64 % 120),
        };
        T::load(bytemuck::pod_read_unaligned(&bits.to_le_bytes()[..dtype.size()]))
    };
    (0..count).map(value).collect()
}

/// The order of numbers: −0 equals 0, and NaN, all of them equal, is behind all.
fn rising<T: Element>(a: &T, b: &T) -> Ordering {
    let (x, y) = (Scalar::new(*a), Scalar::new(*b));
    let places = 64 - 8 * T::DTYPE.size() as u32;
    match T::DTYPE {
        d if d.is_float() => {
            let (x, y) = (x.to_f64(), y.to_f64());
            x.partial_cmp(&y).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()))
        }
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => {
            ((x.bits() << places) as i64).cmp(&((y.bits() << places) as i64))
        }
        _ => x.bits().cmp(&y.bits()),
    }
}

/// The places of the elements along the middle axis of a shape, lane by lane.
fn lanes(shape: [usize; 3]) -> Vec<Vec<usize>> {
    let [outer, len, inner] = shape;
    let lane = |o: usize, k: usize| (0..len).map(|i| (o * len + i) * inner + k).collect();
    (0..outer)
        .flat_map(|o| (0..inner).map(move |k| (o, k)))
        .map(|(o, k)| lane(o, k))
        .collect()
}

/// The elements of one result.
fn computed<T: Element>(session: &Session, array: &Array) -> Vec<T> {
    assert_eq!(array.dtype(), T::DTYPE);
    let bytes = bytes(session, &[array]).unwrap().remove(0);
    assert_on_gpu(session);
    let size = T::DTYPE.size();
    bytes
        .chunks(size)
        .map(|b| T::load(bytemuck::pod_read_unaligned(b)))
        .collect()
}

/// Checks sorts along the middle axis of a shape against the stable sort of Rust's library.
fn check_sorts<T: Element>(session: &Session, shape: [usize; 3], pattern: Pattern) {
    let values: Vec<T> = elements(shape.iter().product(), pattern);
    let array = Array::from_vec(&shape, values.clone()).unwrap();
    let what = |op: &str| format!("{op} of {} {pattern:?} {shape:?}", T::DTYPE);
    let places: Vec<i64> = computed(session, &array.argsort(1).unwrap());
    let sorted: Vec<T> = computed(session, &array.sort(1).unwrap());
    for lane in lanes(shape) {
        let mut want: Vec<usize> = (0..lane.len()).collect();
        want.sort_by(|&a, &b| rising(&values[lane[a]], &values[lane[b]]));
        let got: Vec<usize> = lane.iter().map(|&at| places[at] as usize).collect();
        assert_eq!(got, want, "{}", what("argsort"));
        // Bits too: of equal elements only zeros and NaN have several, and −0 comes first.
        let mut want: Vec<T> = lane.iter().map(|&at| values[at]).collect();
        want.sort_by(|a, b| {
            let zeros = |a: &T, b: &T| a.to_f64() == 0.0 && b.to_f64() == 0.0;
            let bits = |x: &T| Scalar::new(*x).bits();
            let order = rising(a, b);
            if order.is_eq() && zeros(a, b) {
                bits(b).cmp(&bits(a))
            } else {
                order
            }
        });
        for (&at, want) in lane.iter().zip(want) {
            let (got, want) = (Scalar::new(sorted[at]), Scalar::new(want));
            let nan = T::DTYPE.is_float() && want.to_f64().is_nan();
            assert!(
                got.bits() == want.bits() || (nan && got.to_f64().is_nan()),
                "{}: {got:?} for {want:?}",
                what("sort")
            );
        }
    }
}

#[test]
fn sorting_is_numpys() {
    let Some(session) = session() else { return };
    let look = |_: &_| assert_on_gpu(&session);
    let ops = ["sort", "argsort", "topk"];
    assert!(order::check(&session, &ops, |_| true, look) > 500);
}

#[test]
fn quantiles_are_numpys() {
    let Some(session) = session() else { return };
    let look = |_: &_| assert_on_gpu(&session);
    assert!(order::check(&session, &["quantile", "median"], |_| true, look) > 500);
}

#[test]
fn lanes_of_any_length_are_sorted() {
    let Some(session) = session() else { return };
    let lengths = [
        1, 2, 3, 31, 32, 33, 255, 256, 257, 1000, 2047, 2048, 2049, 4096, 4097, 9000,
    ];
    for (number, len) in lengths.into_iter().enumerate() {
        let pattern = PATTERNS[number % PATTERNS.len()];
        check_sorts::<f32>(&session, [1, len, 1], pattern);
        check_sorts::<f32>(&session, [2, len, 3], Pattern::Bits);
        check_sorts::<i32>(&session, [3, len, 1], Pattern::Few);
    }
}

#[test]
fn every_dtype_and_pattern_is_sorted() {
    let Some(session) = session() else { return };
    for dtype in DType::real() {
        for pattern in PATTERNS {
            for shape in [[3, 50, 1], [2, 40, 35], [1, 2500, 2]] {
                dispatch_real!(dtype, T => check_sorts::<T>(&session, shape, pattern));
            }
        }
    }
}

#[test]
fn many_short_lanes_and_one_long_lane_are_sorted() {
    let Some(session) = session() else { return };
    check_sorts::<f32>(&session, [100_000, 1, 1], Pattern::Bits);
    check_sorts::<u8>(&session, [20_001, 5, 1], Pattern::Bits);
    check_sorts::<f32>(&session, [1, 1_000_000, 1], Pattern::Bits);
    check_sorts::<f64>(&session, [1, 300_001, 1], Pattern::Few);
}

#[test]
fn views_and_chunks_are_sorted() {
    let Some(session) = session() else { return };
    let shape = [6, 70, 8];
    let values: Vec<i16> = elements(shape.iter().product(), Pattern::Bits);
    let whole = Array::from_vec(&shape, values.clone()).unwrap();
    let cut = whole
        .rechunk(&[ChunkSpec::Size(4), ChunkSpec::Size(7), ChunkSpec::Size(3)])
        .unwrap();
    let back = whole.flip(&[1]).unwrap();
    let odd = whole
        .slice(&[
            s(Some(1), None, Some(2)),
            s(Some(3), None, None),
            s(None, None, Some(3)),
        ])
        .unwrap();
    for (name, view) in [("chunks", cut), ("flipped", back), ("slice", odd)] {
        let plain: Vec<i16> = bytes_of(&view);
        let same = Array::from_vec(view.shape(), plain).unwrap();
        for axis in 0..3 {
            let got: Vec<i16> = computed(&session, &view.sort(axis).unwrap());
            assert_eq!(
                got,
                computed::<i16>(&session, &same.sort(axis).unwrap()),
                "{name}"
            );
            let got: Vec<i64> = computed(&session, &view.argsort(axis).unwrap());
            assert_eq!(
                got,
                computed::<i64>(&session, &same.argsort(axis).unwrap()),
                "{name}"
            );
        }
    }
    // An axis of no element, and results of none.
    let empty = Array::from_vec::<f32>(&[3, 0], vec![]).unwrap();
    assert!(
        session
            .compute::<f32>(&empty.sort(1).unwrap())
            .unwrap()
            .is_empty()
    );
    assert!(
        session
            .compute::<i16>(&whole.topk(0, 1).unwrap())
            .unwrap()
            .is_empty()
    );
}

/// The elements of a view, without a GPU.
fn bytes_of(view: &Array) -> Vec<i16> {
    let (values, _) = view.compute::<i16>().unwrap().into_raw_vec_and_offset();
    values
}

#[test]
fn partitions_put_places_right() {
    let Some(session) = session() else { return };
    for (shape, kth) in [([4, 90, 3], vec![0, 17, 89]), ([2, 3000, 1], vec![1, 1500])] {
        let values: Vec<f32> = elements(shape.iter().product(), Pattern::Bits);
        let array = Array::from_vec(&shape, values.clone()).unwrap();
        let places: Vec<isize> = kth.iter().map(|&k| k as isize).collect();
        let parted: Vec<f32> = computed(&session, &array.partition(&places, 1).unwrap());
        let indices: Vec<i64> = computed(&session, &array.argpartition(&places, 1).unwrap());
        for lane in lanes(shape) {
            let by_index: Vec<f32> = lane
                .iter()
                .map(|&at| values[lane[indices[at] as usize]])
                .collect();
            let by_value: Vec<f32> = lane.iter().map(|&at| parted[at]).collect();
            let mut sorted: Vec<f32> = lane.iter().map(|&at| values[at]).collect();
            sorted.sort_by(rising);
            for found in [by_index, by_value] {
                for &k in &kth {
                    assert_eq!(rising(&found[k], &sorted[k]), Ordering::Equal);
                    assert!(found[..k].iter().all(|x| rising(x, &found[k]).is_le()));
                    assert!(found[k..].iter().all(|x| rising(x, &found[k]).is_ge()));
                }
                let mut all = found;
                all.sort_by(rising);
                assert!(all.iter().zip(&sorted).all(|(a, b)| rising(a, b).is_eq()));
            }
        }
    }
}

#[test]
fn largest_and_smallest_of_long_lanes_are_found() {
    let Some(session) = session() else { return };
    for (shape, ks) in [
        ([3, 5000, 1], vec![1, 7, 512, 600]),
        ([1, 70_000, 2], vec![-3, 100]),
    ] {
        for pattern in [Pattern::Bits, Pattern::Few] {
            let values: Vec<f32> = elements(shape.iter().product(), pattern);
            let array = Array::from_vec(&shape, values.clone()).unwrap();
            for &k in &ks {
                let count = k as isize;
                let k = count.unsigned_abs();
                let places: Vec<i64> = computed(&session, &array.argtopk(count, 1).unwrap());
                let found: Vec<f32> = computed(&session, &array.topk(count, 1).unwrap());
                for (lane, out) in lanes(shape).iter().zip(lanes([shape[0], k, shape[2]])) {
                    let mut want: Vec<usize> = (0..lane.len()).collect();
                    want.sort_by(|&a, &b| {
                        let order = rising(&values[lane[a]], &values[lane[b]]);
                        if count < 0 { order } else { order.reverse() }
                    });
                    for (&at, &place) in out.iter().zip(&want) {
                        assert_eq!(places[at], place as i64, "{k} of {pattern:?} {shape:?}");
                        assert!(rising(&found[at], &values[lane[place]]).is_eq());
                    }
                }
            }
        }
    }
}

/// The median by sorting, of the numbers alone or of all.
fn median(mut lane: Vec<f32>, skipna: bool) -> f32 {
    if skipna {
        lane.retain(|x| !x.is_nan());
    }
    lane.sort_by(rising);
    match lane.len() {
        0 => f32::NAN,
        _ if lane.last().is_some_and(|x| x.is_nan()) => f32::NAN,
        n => (lane[(n - 1) / 2] + lane[n / 2]) / 2.0,
    }
}

#[test]
fn quantiles_of_long_lanes_are_selected() {
    let Some(session) = session() else { return };
    for shape in [[3, 4001, 1], [2, 2500, 3], [1, 40_000, 1]] {
        let mut values: Vec<f32> = elements(shape.iter().product(), Pattern::Bits);
        values
            .iter_mut()
            .step_by(3)
            .for_each(|x| *x = x.rem_euclid(1000.0));
        for nan in [true, false] {
            if !nan {
                values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = -7.5);
            }
            let array = Array::from_vec(&shape, values.clone()).unwrap();
            for skipna in [true, false] {
                let found: Vec<f32> = computed(&session, &array.median(Some(&[1]), skipna, false).unwrap());
                let qs: Vec<f64> = (0..9).map(|i| f64::from(i) / 8.0).collect();
                let many = array
                    .quantile(&qs, Some(&[1]), Method::Lower, skipna, false)
                    .unwrap();
                let many: Vec<f32> = computed(&session, &many);
                for (number, lane) in lanes(shape).into_iter().enumerate() {
                    let mut lane: Vec<f32> = lane.into_iter().map(|at| values[at]).collect();
                    let want = median(lane.clone(), skipna);
                    let got = found[number];
                    assert!(
                        got == want || (got.is_nan() && want.is_nan()),
                        "{got} for {want}, {shape:?}"
                    );
                    lane.sort_by(rising);
                    let numbers = lane.iter().take_while(|x| !x.is_nan()).count();
                    for (q, &quantile) in qs.iter().enumerate() {
                        let got = many[q * found.len() + number];
                        if numbers < lane.len() && !skipna {
                            assert!(got.is_nan());
                        } else {
                            let want = lane[((numbers - 1) as f64 * quantile) as usize];
                            assert!(
                                rising(&got, &want).is_eq(),
                                "{got} for {want}, {quantile} {shape:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn what_follows_reads_results_where_they_are() {
    for apart in [false, true] {
        let Some(session) = session_of(apart) else { return };
        let values: Vec<f32> = elements(300 * 70, Pattern::Few);
        let array = Array::from_vec(&[300, 70], values).unwrap();
        let cut = array
            .rechunk(&[ChunkSpec::Size(130), ChunkSpec::Size(70)])
            .unwrap();
        let sorted = cut.sort(1).unwrap();
        let places = sorted.argsort(0).unwrap();
        let largest = (&sorted + &sorted).unwrap().topk(5, 0).unwrap();
        let median = largest.median(Some(&[0]), true, false).unwrap();
        let kept = session.persist(&sorted).unwrap();
        let part = kept
            .slice(&[s(Some(7), None, None), s(Some(1), None, Some(3))])
            .unwrap();
        let wanted = [
            (&sorted, &sorted),
            (&places, &places),
            (&largest, &largest),
            (&median, &median),
            (&kept.argsort(0).unwrap(), &places),
            (&part.sort(0).unwrap(), &part.sort(0).unwrap()),
        ];
        let asked: Vec<&Array> = wanted.iter().map(|(a, _)| *a).collect();
        let found = bytes(&session, &asked).unwrap();
        assert_on_gpu(&session);
        for ((_, array), found) in wanted.into_iter().zip(found) {
            assert_eq!(bytes(&cpu_session(), &[array]).unwrap(), [found]);
        }
    }
}

#[test]
fn the_same_plan_gives_the_same_bits() {
    let Some(session) = session() else { return };
    let array = Array::from_vec(&[2, 30_000], elements::<f32>(60_000, Pattern::Few)).unwrap();
    let sort = array.sort(1).unwrap();
    let median = array.median(None, true, false).unwrap();
    let first = bytes(&session, &[&sort, &median]).unwrap();
    for _ in 0..3 {
        assert_eq!(bytes(&session, &[&sort, &median]).unwrap(), first);
    }
}
