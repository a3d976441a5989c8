//! Reductions do not depend on how the data was cut, against exact sums in 128-bit integers.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tilewise::kernels::Isa;
use tilewise::kernels::reduce::{Rows, State};
use tilewise::{DType, ReduceKind, Reduction, Scalar};

/// The state of one output element after pieces of the given lengths, each fed to a state of its
/// own, the states merged in the order that `forward` tells.
fn cut(reduction: Reduction, dtype: DType, data: &[u8], pieces: &[usize], forward: bool) -> State {
    let size = dtype.size();
    let total = data.len() / size;
    let (mut from, mut turn) = (0, 0);
    let mut states = Vec::new();
    while from < total {
        let len = pieces[turn % pieces.len()].min(total - from);
        turn += 1;
        let mut state = State::new(reduction, dtype, 1).unwrap();
        state.feed_along(&Rows {
            values: data,
            starts: &[from],
            len,
            cells: &[0],
            indices: &[from as i64],
            index_step: 1,
        });
        states.push(state);
        from += len;
    }
    if !forward {
        states.reverse();
    }
    let mut all = State::new(reduction, dtype, 1).unwrap();
    states.iter().for_each(|state| all.merge(state));
    all
}

fn result(state: &State) -> Scalar {
    let dtype = state.reduction().result(state.dtype());
    let mut out = vec![0; dtype.size()];
    state.finish(&mut out, 0..1);
    Scalar::from_bytes(dtype, &out)
}

/// Whether `got` is within `units` of the last place of `want`.
fn close(got: f64, want: f64, units: f64) -> bool {
    (got - want).abs() <= units * f64::EPSILON * want.abs()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_and_moments_are_exact(
        eighths in prop::collection::vec(-(1i64 << 40)..1i64 << 40, 1..700),
        offset in prop::sample::select(vec![0i64, 1 << 30, -(1 << 44)]),
        pieces in prop::collection::vec(1usize..90, 1..6),
        forward in any::<bool>(),
        ddof in 0u32..2,
    ) {
        let whole: Vec<i128> = eighths.iter().map(|&k| i128::from((k >> 20) + offset)).collect();
        let data: Vec<f64> = whole.iter().map(|&k| k as f64 / 8.0).collect();
        let n = whole.len() as i128;
        let sum: i128 = whole.iter().sum();
        let squares: i128 = whole.iter().map(|k| (k * n - sum) * (k * n - sum)).sum::<i128>() / n;
        let run = |kind| {
            let reduction = Reduction { kind, skipna: false, ddof };
            result(&cut(reduction, DType::F64, bytemuck::cast_slice(&data), &pieces, forward)).to_f64()
        };
        prop_assert_eq!(run(ReduceKind::Sum), sum as f64 / 8.0);
        prop_assert!(close(run(ReduceKind::Mean), sum as f64 / 8.0 / n as f64, 1.0));
        if n > i128::from(ddof) {
            let variance = squares as f64 / n as f64 / (n - i128::from(ddof)) as f64 / 64.0;
            prop_assert!(close(run(ReduceKind::Var), variance, 64.0), "{} is not {variance}", run(ReduceKind::Var));
        }
    }

    #[test]
    fn order_of_joining_does_not_matter_where_indices_tell_it(
        small in prop::collection::vec(-3i8..4, 1..300),
        holes in prop::collection::vec(any::<bool>(), 300),
        pieces in prop::collection::vec(1usize..40, 1..6),
        skipna in any::<bool>(),
    ) {
        let value = |(&x, &hole): (&i8, &bool)| if hole && x == 3 { f32::NAN } else { f32::from(x) };
        let data: Vec<f32> = small.iter().zip(&holes).map(value).collect();
        let bytes = bytemuck::cast_slice(&data);
        for (kind, name) in ReduceKind::ALL {
            let reduction = Reduction::new(kind).skipna(skipna);
            let once = result(&cut(reduction, DType::F32, bytes, &[data.len()], true));
            for forward in [true, false] {
                let again = result(&cut(reduction, DType::F32, bytes, &pieces, forward));
                let same = once == again || (once.to_f64().is_nan() && again.to_f64().is_nan());
                let float = matches!(kind, ReduceKind::Var | ReduceKind::Std | ReduceKind::Prod);
                let near = float && (once.to_f64() - again.to_f64()).abs() <= 2e-7 * once.to_f64().abs();
                prop_assert!(same || near, "{name}: {once:?} in one, {again:?} in pieces");
            }
        }
    }
}

#[test]
fn long_sums_lose_nothing() {
    let row = vec![0.1f64; 1 << 16];
    let mut state = State::new(Reduction::new(ReduceKind::Sum), DType::F64, 1).unwrap();
    for _ in 0..64 {
        state.feed_along(&Rows {
            values: bytemuck::cast_slice(&row),
            starts: &[0],
            len: row.len(),
            cells: &[0],
            indices: &[0],
            index_step: 1,
        });
    }
    assert_eq!(result(&state).to_f64(), 0.1 * f64::from(1 << 22));
}

#[test]
fn groups_without_members_have_the_stated_values() {
    for dtype in DType::real() {
        for (kind, name) in ReduceKind::ALL {
            for skipna in [false, true] {
                let reduction = Reduction::new(kind).skipna(skipna);
                let mut state = State::new(reduction, dtype, 1).unwrap();
                let got = result(&state);
                let want = match kind {
                    ReduceKind::Sum | ReduceKind::Count | ReduceKind::Any => 0.0,
                    ReduceKind::Prod | ReduceKind::All => 1.0,
                    ReduceKind::Mean | ReduceKind::Var | ReduceKind::Std => f64::NAN,
                    ReduceKind::ArgMin | ReduceKind::ArgMax => -1.0,
                    _ if dtype.is_float() => f64::NAN,
                    _ => 0.0,
                };
                let same = got.to_f64() == want || (got.to_f64().is_nan() && want.is_nan());
                assert!(same, "{name} of no {dtype} is {got:?}");
                // A state that was reset is a new one.
                let fresh = state.clone();
                state.feed_along(&Rows {
                    values: &vec![0; dtype.size()],
                    starts: &[0],
                    len: 1,
                    cells: &[0],
                    indices: &[0],
                    index_step: 1,
                });
                assert!(
                    format!("{state:?}") != format!("{fresh:?}")
                        || kind == ReduceKind::Sum
                        || kind == ReduceKind::Any
                );
                state.reset();
                assert_eq!(format!("{state:?}"), format!("{fresh:?}"));
            }
        }
    }
}

#[test]
fn a_state_allocates_what_it_says() {
    use tilewise::kernels::reduce::{Canonical, Cells, Tagged};
    fn bytes<K, T>(cells: &Tagged<K, T>) -> usize {
        size_of_val(&cells.value[..]) + size_of_val(&cells.tag[..])
    }
    for dtype in DType::real() {
        for (kind, name) in ReduceKind::ALL {
            let reduction = Reduction::new(kind);
            let state = State::new(reduction, dtype, 1000).unwrap();
            let have = match state.cells() {
                Cells::Wrapping(plane) | Cells::Count(plane) => size_of_val(&plane[..]),
                Cells::Prod(plane) => size_of_val(&plane[..]),
                Cells::Truth(plane) => plane.len(),
                Cells::Sum(sums) => 8 * (sums.sum.len() + sums.error.len()),
                Cells::Mean(means) => 8 * (means.sums.sum.len() + means.sums.error.len() + means.count.len()),
                Cells::Moments(m) => 8 * (m.count.len() + m.mean.len() + m.rest.len() + m.squares.len()),
                Cells::Extreme(Canonical::I64(c)) => bytes(c),
                Cells::Extreme(Canonical::U64(c)) => bytes(c),
                Cells::Extreme(Canonical::F32(c)) => bytes(c),
                Cells::Extreme(Canonical::F64(c)) => bytes(c),
                Cells::Indexed(Canonical::I64(c)) => bytes(c),
                Cells::Indexed(Canonical::U64(c)) => bytes(c),
                Cells::Indexed(Canonical::F32(c)) => bytes(c),
                Cells::Indexed(Canonical::F64(c)) => bytes(c),
            };
            assert_eq!(
                State::bytes_for(reduction, dtype, 1000),
                have,
                "{name} of {dtype}"
            );
        }
    }
}

/// What a loop in f64 says of some values; NaN is left out.
fn by_loop(kind: ReduceKind, values: &[f32]) -> f64 {
    let kept: Vec<f64> = values
        .iter()
        .filter(|x| !x.is_nan())
        .map(|&x| f64::from(x))
        .collect();
    let n = kept.len() as f64;
    let mean = kept.iter().sum::<f64>() / n;
    match kind {
        ReduceKind::Sum => kept.iter().sum(),
        ReduceKind::Mean => mean,
        ReduceKind::Std => (kept.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt(),
        _ if kept.is_empty() => f64::NAN,
        _ => kept.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

#[test]
fn rows_of_any_length_give_what_a_loop_gives_on_every_instruction_set() {
    const ROWS: usize = 19;
    let value = |row: usize, i: usize| {
        let x = ((i * 7919 + row * 104_729) % 1009) as f32;
        match row {
            3 => f32::NAN,
            4 if i < 2100 => f32::NAN,
            5 if i.is_multiple_of(3) => f32::NAN,
            6 => 1e6 + (x - 500.0) / 16.0,
            7 => (x - 500.0) * 1e30,
            _ => x - 300.0,
        }
    };
    // Shorter and longer than what is joined at once, by one and by many.
    for len in [49, 64, 255, 512, 2047, 2048, 2049, 5000, 32_768, 40_001] {
        let data: Vec<f32> = (0..ROWS * len).map(|at| value(at / len, at % len)).collect();
        let starts: Vec<usize> = (0..ROWS).map(|row| row * len).collect();
        for (kind, skipna) in [
            (ReduceKind::Sum, true),
            (ReduceKind::Mean, false),
            (ReduceKind::Mean, true),
            (ReduceKind::Std, false),
            (ReduceKind::Std, true),
            (ReduceKind::Max, false),
            (ReduceKind::Max, true),
        ] {
            // Cells in the order of the rows, and against it.
            for cells in [(0..ROWS).collect::<Vec<_>>(), (0..ROWS).rev().collect()] {
                let fed = |isa| {
                    let reduction = Reduction::new(kind).skipna(skipna);
                    let mut state = State::with_isa(reduction, DType::F32, ROWS, isa).unwrap();
                    state.feed_along(&Rows {
                        values: bytemuck::cast_slice(&data),
                        starts: &starts,
                        len,
                        cells: &cells,
                        indices: &[0; ROWS],
                        index_step: 1,
                    });
                    let mut out = vec![0f32; ROWS];
                    state.finish(bytemuck::cast_slice_mut(&mut out), 0..ROWS);
                    out
                };
                let got = fed(Isa::detect());
                for isa in [Isa::Baseline, Isa::Avx2, Isa::Avx512] {
                    let again = fed(isa);
                    let same = got.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{kind:?} of {len} with {isa:?}: {again:?}, not {got:?}");
                }
                for (row, &cell) in cells.iter().enumerate() {
                    let values = &data[row * len..][..len];
                    let whole = skipna || values.iter().all(|x| !x.is_nan());
                    let want = if whole { by_loop(kind, values) } else { f64::NAN };
                    let got = f64::from(got[cell]);
                    let same = got.is_nan() && want.is_nan()
                        || got == want
                        || (got - want).abs() <= 1e-7 * want.abs();
                    assert!(
                        same,
                        "{kind:?}, row {row} of {len}, skipna {skipna}: {got}, not {want}"
                    );
                }
            }
        }
    }
}
