//! Boolean selection: what plain loops pick, on arrays of every form, within memory that holds a part of
//! them, on the CPU and on an adapter.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/gpu_session.rs"]
mod gpu_session;
#[path = "common/synthetic.rs"]
mod synthetic;

use gpu_session::session_on;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use synthetic::Synthetic;
use tilewise::kernels::Element;
use tilewise::session::{ChunkSpec, DeviceChoice, s};
use tilewise::{Array, Session};

const MIB: u64 = 1 << 20;

fn sessions() -> Vec<Session> {
    [DeviceChoice::Cpu, DeviceChoice::Gpu(None)]
        .into_iter()
        .filter_map(|device| session_on(device, 256 * MIB))
        .collect()
}

fn all<T: Element>(session: &Session, array: &Array) -> Vec<T> {
    session.compute::<T>(array).unwrap().into_raw_vec_and_offset().0
}

fn value(place: usize) -> f32 {
    match place % 11 {
        3 => f32::NAN,
        5 => -0.0,
        7 => f32::INFINITY,
        _ => (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54) as f32 - 512.0,
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Shapes and chunks: none, ragged last ones, one, many, cut rows, extents of one and none.
const FORMS: [(&[usize], Option<&[usize]>); 9] = [
    (&[1000], Some(&[64])),
    (&[7, 11, 13], Some(&[2, 5, 4])),
    (&[7, 11, 13], None),
    (&[1, 40, 1], Some(&[1, 9, 1])),
    (&[30, 20], Some(&[30, 20])),
    (&[0, 5], None),
    (&[5, 0], None),
    (&[64, 3, 2], Some(&[1, 3, 2])),
    (&[1], None),
];

#[test]
fn elements_come_in_row_major_order() {
    for session in sessions() {
        for (shape, chunk) in FORMS {
            let x = Synthetic::<f32>::new("x", shape, chunk, value).array();
            let picked = session.extract(&x.apply("greater", &[&Array::scalar(0.0f32)]).unwrap(), &x);
            let picked = picked.unwrap();
            let want: Vec<f32> = (0..x.len()).map(value).filter(|v| *v > 0.0).collect();
            assert_eq!(picked.shape(), [want.len()], "{shape:?}");
            assert_eq!(
                bits(&all::<f32>(&session, &picked)),
                bits(&want),
                "{shape:?} {chunk:?}"
            );

            // A number is a condition: NaN is true, both zeros are not.
            let places: Vec<i64> = (0..x.len() as i64)
                .filter(|&i| value(i as usize) != 0.0)
                .collect();
            let found = session.flatnonzero(&x).unwrap();
            assert_eq!(all::<i64>(&session, &found), places, "{shape:?}");
            let along = session.nonzero(&x).unwrap();
            assert_eq!(along.len(), shape.len());
            let rows = all::<i64>(&session, &session.argwhere(&x).unwrap());
            for (axis, index) in along.iter().enumerate() {
                let step: usize = shape[axis + 1..].iter().product();
                let want: Vec<i64> = places
                    .iter()
                    .map(|&i| i / step as i64 % shape[axis] as i64)
                    .collect();
                assert_eq!(all::<i64>(&session, index), want, "{shape:?} axis {axis}");
                let column: Vec<i64> = rows.iter().skip(axis).step_by(shape.len()).copied().collect();
                assert_eq!(column, want, "{shape:?} axis {axis}");
            }
        }
    }
}

#[test]
fn conditions_of_fewer_axes_pick_rows() {
    for session in sessions() {
        let shape = [9, 4, 5];
        for chunk in [None, Some(&[2, 3, 2][..])] {
            let x = Synthetic::<f32>::new("x", &shape, chunk, value).array();
            let on = |i: usize| i % 3 == 1;
            let times = Array::from_vec(&[9], (0..9).map(on).collect()).unwrap();
            let picked = session.extract(&times, &x).unwrap();
            let want: Vec<f32> = (0..180).filter(|i| on(i / 20)).map(value).collect();
            assert_eq!(picked.shape(), [3, 4, 5]);
            assert_eq!(bits(&all(&session, &picked)), bits(&want));

            let rows = Array::from_vec(&[9, 4], (0..36).map(on).collect()).unwrap();
            let picked = session.extract(&rows, &x).unwrap();
            let want: Vec<f32> = (0..180).filter(|i| on(i / 5)).map(value).collect();
            assert_eq!(picked.shape(), [12, 5]);
            assert_eq!(bits(&all(&session, &picked)), bits(&want));
            // It goes on as any array does.
            let sum = picked
                .slice(&[s(None, None, Some(-1))])
                .unwrap()
                .rechunk(&[ChunkSpec::Size(5), ChunkSpec::Size(5)]);
            assert_eq!(sum.unwrap().shape(), [12, 5]);

            let picked = session.extract(&Array::scalar(true), &x).unwrap();
            assert_eq!(picked.shape(), [1, 9, 4, 5]);
            assert_eq!(
                session.extract(&Array::scalar(false), &x).unwrap().shape(),
                [0, 9, 4, 5]
            );
        }
    }
}

#[test]
fn rows_may_be_empty() {
    for session in sessions() {
        let x = Array::full(&[4, 0, 3], 1.0f32).unwrap();
        let on = Array::from_vec(&[4], vec![true, false, true, true]).unwrap();
        let picked = session.extract(&on, &x).unwrap();
        assert_eq!(
            (picked.shape(), all::<f32>(&session, &picked).len()),
            (&[3, 0, 3][..], 0)
        );
    }
}

#[test]
fn views_reductions_and_closures_are_conditions_too() {
    for session in sessions() {
        let x = Synthetic::<f32>::new("x", &[12, 10], Some(&[5, 4]), |i| (i % 17) as f32).array();
        let at = |i: usize, j: usize| ((i * 10 + j) % 17) as f32;
        let back = x
            .slice(&[s(None, None, Some(-2)), s(Some(1), None, Some(3))])
            .unwrap();
        let over = back.apply("greater", &[&back.mean(&[0]).unwrap()]).unwrap();
        let picked = session.extract(&over, &back).unwrap();
        let (rows, columns): (Vec<usize>, Vec<usize>) = ((0..6).map(|i| 11 - 2 * i).collect(), vec![1, 4, 7]);
        let mean = |j: usize| rows.iter().map(|&i| at(i, j)).sum::<f32>() / 6.0;
        let mut want = Vec::new();
        for &i in &rows {
            want.extend(columns.iter().filter(|&&j| at(i, j) > mean(j)).map(|&j| at(i, j)));
        }
        assert_eq!(all::<f32>(&session, &picked), want);
        let negated = over.map_blocks::<bool, bool>("not", |block, _, _, out| {
            block.iter().zip(out).for_each(|(b, o)| *o = 1 - *b);
            Ok(())
        });
        let rest = session.extract(&negated.unwrap(), &back).unwrap();
        assert_eq!(rest.len() + want.len(), back.len());
    }
}

#[test]
fn a_cached_condition_is_computed_once() {
    for session in sessions() {
        let calls = Arc::new(AtomicUsize::new(0));
        let x = Synthetic::<f32>::new("x", &[12, 10], Some(&[5, 4]), |i| (i % 17) as f32).array();
        let seen = calls.clone();
        let costly = x.map_blocks::<f32, f32>("costly", move |block, _, _, out| {
            seen.fetch_add(1, Ordering::Relaxed);
            block.iter().zip(out).for_each(|(b, o)| *o = b * 2.0);
            Ok(())
        });
        let condition = costly.unwrap().apply("greater", &[&20.0]).unwrap();
        session.cache(&condition);
        let picked = session.extract(&condition, &x).unwrap();
        assert!(session.is_cached(&condition));
        let once = calls.load(Ordering::Relaxed);
        let want: Vec<f32> = (0..120)
            .map(|i| (i % 17) as f32)
            .filter(|x| x * 2.0 > 20.0)
            .collect();
        assert_eq!(all::<f32>(&session, &picked), want);
        assert_eq!(
            all::<i64>(&session, &session.flatnonzero(&condition).unwrap()).len(),
            want.len()
        );
        assert_eq!(calls.load(Ordering::Relaxed), once, "computed again");
    }
}

#[test]
fn every_size_of_element_is_moved() {
    fn check<T: Element + PartialEq + std::fmt::Debug>(values: &[T]) {
        let session = session_on(DeviceChoice::Cpu, 64 * MIB).unwrap();
        let x = Array::from_vec(&[values.len()], values.to_vec()).unwrap();
        let odd: Vec<bool> = (0..values.len()).map(|i| i % 2 == 1).collect();
        let picked = session
            .extract(&Array::from_vec(&[odd.len()], odd).unwrap(), &x)
            .unwrap();
        let want: Vec<T> = values.iter().skip(1).step_by(2).copied().collect();
        assert_eq!(all::<T>(&session, &picked), want);
    }
    check(&[true, false, false]);
    check(&[1u8, 2, 255, 4, 5]);
    check(&[i16::MIN, 2, i16::MAX, -4]);
    check(&[half::f16::from_f32(0.5), half::f16::from_f32(-2.0)]);
    check(&[u64::MAX, 1 << 63, 3]);
    check(&[
        num_complex::Complex::new(1.0f64, -0.5),
        num_complex::Complex::new(2.0, 3.0),
    ]);
}

#[test]
fn none_and_all_are_picked() {
    for session in sessions() {
        let x = Synthetic::<f32>::new("x", &[40, 25], Some(&[7, 25]), |i| i as f32).array();
        let none = session
            .extract(&x.apply("less", &[&Array::scalar(0.0f32)]).unwrap(), &x)
            .unwrap();
        assert_eq!((none.shape(), all::<f32>(&session, &none)), (&[0][..], vec![]));
        assert!(session.argwhere(&(&x * 0.0).unwrap()).unwrap().is_empty());
        let every = session.extract(&x.apply("isfinite", &[]).unwrap(), &x).unwrap();
        assert_eq!(
            all::<f32>(&session, &every),
            (0..1000).map(|i| i as f32).collect::<Vec<_>>()
        );
    }
}

#[test]
fn slices_are_compressed() {
    for session in sessions() {
        // The example of NumPy's documentation.
        let a = Array::from_vec(&[3, 2], vec![1, 2, 3, 4, 5, 6]).unwrap();
        let bools = |values: &[bool]| Array::from_vec(&[values.len()], values.to_vec()).unwrap();
        let compress = |condition: &[bool], axis| {
            let picked = session.compress(&bools(condition), &a, axis).unwrap();
            (picked.shape().to_vec(), all::<i32>(&session, &picked))
        };
        assert_eq!(compress(&[false, true], 0), (vec![1, 2], vec![3, 4]));
        assert_eq!(compress(&[false, true, true], 0), (vec![2, 2], vec![3, 4, 5, 6]));
        assert_eq!(compress(&[false, true], 1), (vec![3, 1], vec![2, 4, 6]));
        assert_eq!(compress(&[], -1), (vec![3, 0], vec![]));
    }
}

#[test]
fn what_does_not_agree_is_refused_by_name() {
    let session = session_on(DeviceChoice::Cpu, 64 * MIB).unwrap();
    let x = Array::full(&[4, 5], 1.0f32).unwrap();
    let text = |result: tilewise::Result<Array>| result.unwrap_err().to_string();
    let wrong = Array::full(&[5], true).unwrap();
    let message = text(session.extract(&wrong, &x));
    assert!(message.contains("[5]") && message.contains("[4, 5]"), "{message}");
    assert!(text(session.compress(&wrong, &x, 0)).contains("compress"));
    assert!(text(session.compress(&x, &x, 0)).contains("compress"));
    assert!(session.compress(&wrong, &x, 2).is_err());
    let message = session.nonzero(&Array::scalar(1)).unwrap_err().to_string();
    assert!(message.contains("reshape"), "{message}");
    assert_eq!(session.argwhere(&Array::scalar(1)).unwrap().shape(), [1, 0]);
    assert_eq!(session.argwhere(&Array::scalar(0)).unwrap().shape(), [0, 0]);
}

#[test]
fn large_arrays_pass_through_little_memory() {
    // 32 MiB in rows that chunks cut and in rows that they do not, within 3 MiB.
    for chunk in [[32, 64, 64], [2, 128, 512]] {
        let shape = [64, 128, 512];
        let value = |i: usize| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44) as i64 - (1 << 19);
        let source = Synthetic::<i64>::new("large", &shape, Some(&chunk), value);
        let session = session_on(DeviceChoice::Cpu, 3 * MIB).unwrap();
        let x = source.array();
        let seldom = x.apply("greater", &[&Array::scalar((1i64 << 19) - 200)]).unwrap();
        let picked = session.extract(&seldom, &x).unwrap();
        let first = source.bytes();
        let want: Vec<i64> = (0..x.len()).map(value).filter(|v| *v > (1 << 19) - 200).collect();
        assert!(want.len() > 100 && want.len() < 2000);
        assert_eq!(all::<i64>(&session, &picked), want);
        let report = session.last_report().unwrap();
        assert!(report.host_peak <= report.host_proved && report.host_proved <= 3 * MIB);
        let size = (x.len() * 8) as u64;
        assert!(
            first <= 2 * size && source.bytes() <= 4 * size,
            "{first} {} of {size}",
            source.bytes()
        );

        // Half of all: the result itself does not fit.
        let often = x.apply("greater", &[&Array::scalar(0i64)]).unwrap();
        let picked = session.extract(&often, &x).unwrap();
        let sum = all::<i64>(&session, &picked.sum(&[0]).unwrap());
        assert_eq!(sum, [(0..x.len()).map(value).filter(|v| *v > 0).sum::<i64>()]);
        let found = session.flatnonzero(&often).unwrap();
        assert_eq!(found.len(), picked.len());
        assert_eq!(
            all::<i64>(&session, &found.max(&[0]).unwrap())[0],
            (0..x.len()).rfind(|&i| value(i) > 0).unwrap() as i64
        );
    }
}
