//! Sorting and choosing for every dtype, layout and instruction set, against plain sorts of columns.

use super::*;
use crate::{Columns, ColumnsMut, DType, Element, Isa, dispatch_real};

/// `outer`, `len` and `inner`: wide and narrow rows, single lanes, one element, none.
const EXTENTS: [(usize, usize, usize); 8] = [
    (1, 37, 16),
    (2, 5, 3),
    (3, 64, 1),
    (1, 300, 35),
    (2, 0, 4),
    (1, 1, 7),
    (1, 700, 2),
    (20, 11, 1),
];

/// Elements of any bits, many of them equal.
fn elements<T: Element>(count: usize) -> Vec<T::Stored> {
    let bits = |i: usize| {
        let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        match i % 3 {
            0 => mixed,
            1 => mixed & 0xff00_ff00_ff00_ff00,
            _ => mixed & 0x8000_8000_8000_8000,
        }
    };
    let stored = |i| bytemuck::pod_read_unaligned(&u64::to_le_bytes(bits(i))[..size_of::<T::Stored>()]);
    let truth = |i| bytemuck::pod_read_unaligned(&[(bits(i) >> 32) as u8 & 1][..size_of::<T::Stored>()]);
    let any = |i| {
        if T::DTYPE == DType::Bool {
            truth(i)
        } else {
            stored(i)
        }
    };
    (0..count).map(any).collect()
}

/// The column `(o, k)` of dense values.
fn column<S: Copy>(values: &[S], (len, inner): (usize, usize), o: usize, k: usize) -> Vec<S> {
    (0..len).map(|i| values[(o * len + i) * inner + k]).collect()
}

/// Calls `check` with each column of `from` and of `to`, whose columns have `out` elements.
fn each_column<S: Copy, U: Copy>(
    from: &[S],
    to: &[U],
    (outer, len, inner): (usize, usize, usize),
    out: usize,
    check: impl Fn(Vec<S>, Vec<U>),
) {
    for o in 0..outer {
        for k in 0..inner {
            check(column(from, (len, inner), o, k), column(to, (out, inner), o, k));
        }
    }
}

fn check_order<T: Ordered>() {
    for extents @ (outer, len, inner) in EXTENTS {
        let values = elements::<T>(outer * len * inner);
        let from = || Columns::dense(&values, outer, len, inner);
        let keys = |column: &[T::Stored]| column.iter().map(|&v| T::key(v)).collect::<Vec<_>>();
        for isa in [Isa::Baseline, Isa::Avx2, Isa::Avx512] {
            let mut to = vec![T::Stored::default(); values.len()];
            let mut room = SortRoom::<T>::default();
            sort::<T>(
                from(),
                ColumnsMut::dense(&mut to, outer, len, inner),
                isa,
                &mut room,
            );
            each_column(&values, &to, extents, len, |from, to| {
                let mut want = keys(&from);
                want.sort();
                assert!(keys(&to) == want, "{} {extents:?} {isa:?}", T::DTYPE);
            });
        }
        let mut places = vec![0i64; values.len()];
        let mut room = IndexRoom::<T>::default();
        argsort::<T>(
            from(),
            ColumnsMut::dense(&mut places, outer, len, inner),
            &mut room,
        );
        each_column(&values, &places, extents, len, |from, to| {
            let mut want: Vec<i64> = (0..len as i64).collect();
            want.sort_by_key(|&i| T::rank(from[i as usize]));
            assert_eq!(to, want, "{} {extents:?}", T::DTYPE);
        });
        if len == 0 {
            continue;
        }
        let kth = [len / 3, len - 1];
        let kth = if kth[0] == kth[1] { &kth[..1] } else { &kth[..] };
        let mut to = vec![T::Stored::default(); values.len()];
        let mut room = SortRoom::<T>::default();
        partition::<T>(
            from(),
            ColumnsMut::dense(&mut to, outer, len, inner),
            kth,
            &mut room,
        );
        let mut indices = vec![0i64; values.len()];
        let mut index_room = IndexRoom::<T>::default();
        let index_columns = ColumnsMut::dense(&mut indices, outer, len, inner);
        argpartition::<T>(from(), index_columns, kth, &mut index_room);
        let parted = |keys: &[T::Key], wanted: &[T::Key]| {
            for &k in kth {
                assert!(keys[k] == wanted[k], "{} {extents:?}", T::DTYPE);
                assert!(keys[..k].iter().all(|key| *key <= keys[k]));
                assert!(keys[k..].iter().all(|key| *key >= keys[k]));
            }
        };
        each_column(&values, &to, extents, len, |from, to| {
            let (mut want, got) = (keys(&from), keys(&to));
            want.sort();
            parted(&got, &want);
            let mut got = got;
            got.sort();
            assert!(got == want, "a partition lost elements");
        });
        each_column(&values, &indices, extents, len, |from, to| {
            let ranks: Vec<T::Key> = to.iter().map(|&i| T::rank(from[i as usize])).collect();
            let mut want: Vec<T::Key> = from.iter().map(|&v| T::rank(v)).collect();
            want.sort();
            parted(&ranks, &want);
            let mut all = to;
            all.sort();
            assert_eq!(all, (0..len as i64).collect::<Vec<_>>());
        });
        for smallest in [false, true] {
            let count = len.min(4);
            let mut to = vec![T::Stored::default(); outer * count * inner];
            top::<T>(
                from(),
                ColumnsMut::dense(&mut to, outer, count, inner),
                smallest,
                &mut room,
            );
            each_column(&values, &to, extents, count, |from, to| {
                let mut want = keys(&from);
                want.sort();
                if !smallest {
                    want.reverse();
                }
                assert!(keys(&to) == want[..count], "{} {extents:?}", T::DTYPE);
            });
        }
    }
}

#[test]
fn every_dtype_and_layout_is_put_in_order() {
    for dtype in DType::real() {
        dispatch_real!(dtype, T => check_order::<T>());
    }
}

/// The bytes that rooms say they take are enough: none grows beyond.
#[test]
fn rooms_take_no_more_than_they_say() {
    for (outer, len, inner) in EXTENTS {
        let values = elements::<f32>(outer * len * inner);
        let mut to = vec![0i64; values.len()];
        let mut room = IndexRoom::<f32>::default();
        let columns = Columns::dense(&values, outer, len, inner);
        argsort::<f32>(columns, ColumnsMut::dense(&mut to, outer, len, inner), &mut room);
        let said = IndexRoom::<f32>::bytes(4, len, inner, len);
        assert!(
            room.held() <= said,
            "{} of {said} for {outer} {len} {inner}",
            room.held()
        );
    }
}

/// bf16 has no outside oracle: its quantiles are those of f64 but for three roundings.
#[test]
fn quantiles_of_bf16_are_near_those_of_f64() {
    use crate::bf16;
    let values: Vec<bf16> = (0..200)
        .map(|i| bf16::from_f64(f64::from(i * 37 % 211) / 7.0 - 9.0))
        .collect();
    let wide: Vec<f64> = values.iter().map(|v| v.to_f64()).collect();
    let qs = vec![0.0, 0.1, 0.37, 0.5, 0.99, 1.0];
    for (method, name) in Method::ALL {
        let rule = QuantileRule::At(qs.clone(), method);
        let (mut narrow, mut exact) = (vec![bf16::ZERO; 12], vec![0.0; 12]);
        let from = Columns::dense(&values, 1, 100, 2);
        let to = ColumnsMut::dense(&mut narrow, 1, 6, 2);
        let other = Columns::dense(&wide, 1, 100, 2);
        let out = ColumnsMut::dense(&mut exact, 1, 6, 2);
        if method.picks() {
            pick::<bf16>(from, to, &rule, false, &mut QuantileRoom::<bf16, bf16>::default());
            pick::<f64>(other, out, &rule, false, &mut QuantileRoom::<f64, f64>::default());
            assert!(narrow.iter().zip(&exact).all(|(n, e)| n.to_f64() == *e), "{name}");
        } else {
            quantile::<bf16>(from, to, &rule, false, &mut QuantileRoom::<bf16, bf16>::default());
            quantile::<f64>(other, out, &rule, false, &mut QuantileRoom::<f64, f64>::default());
            let near = |(n, e): (&bf16, &f64)| (n.to_f64() - e).abs() <= e.abs().max(1.0) * 2f64.powi(-7);
            assert!(
                narrow.iter().zip(&exact).all(near),
                "{name}: {narrow:?} {exact:?}"
            );
        }
    }
}
