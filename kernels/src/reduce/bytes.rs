//! The planes of a state as bytes, so that a state can be kept outside memory and taken back with every
//! bit as it was.

use super::state::{Canonical, Cells, State, Sums, Tagged};
use bytemuck::{Pod, cast_slice, cast_slice_mut};

impl State {
    /// The bytes of its planes, in an order that the reduction and the dtype fix.
    pub fn planes(&self) -> Vec<&[u8]> {
        match &self.cells {
            Cells::Wrapping(plane) | Cells::Count(plane) => vec![cast_slice(plane)],
            Cells::Prod(plane) => vec![cast_slice(plane)],
            Cells::Truth(plane) => vec![plane],
            Cells::Sum(sums) => of_sums(sums).to_vec(),
            Cells::Mean(means) => {
                let [sum, error] = of_sums(&means.sums);
                vec![sum, error, cast_slice(&means.count)]
            }
            Cells::Moments(moments) => [&moments.count, &moments.mean, &moments.rest, &moments.squares]
                .map(|plane| cast_slice(plane))
                .to_vec(),
            Cells::Extreme(cells) => of_canonical(cells),
            Cells::Indexed(cells) => of_canonical(cells),
        }
    }

    /// The same bytes, to be filled with those of a state of the same reduction, dtype and length.
    pub fn planes_mut(&mut self) -> Vec<&mut [u8]> {
        match &mut self.cells {
            Cells::Wrapping(plane) | Cells::Count(plane) => vec![cast_slice_mut(plane)],
            Cells::Prod(plane) => vec![cast_slice_mut(plane)],
            Cells::Truth(plane) => vec![plane],
            Cells::Sum(Sums { sum, error }) => vec![cast_slice_mut(sum), cast_slice_mut(error)],
            Cells::Mean(means) => vec![
                cast_slice_mut(&mut means.sums.sum),
                cast_slice_mut(&mut means.sums.error),
                cast_slice_mut(&mut means.count),
            ],
            Cells::Moments(moments) => vec![
                cast_slice_mut(&mut moments.count),
                cast_slice_mut(&mut moments.mean),
                cast_slice_mut(&mut moments.rest),
                cast_slice_mut(&mut moments.squares),
            ],
            Cells::Extreme(cells) => of_canonical_mut(cells),
            Cells::Indexed(cells) => of_canonical_mut(cells),
        }
    }
}

fn of_sums(sums: &Sums) -> [&[u8]; 2] {
    [cast_slice(&sums.sum), cast_slice(&sums.error)]
}

fn of_canonical<T: Pod>(cells: &Canonical<T>) -> Vec<&[u8]> {
    match cells {
        Canonical::I64(Tagged { value, tag }) => vec![cast_slice(value), cast_slice(tag)],
        Canonical::U64(Tagged { value, tag }) => vec![cast_slice(value), cast_slice(tag)],
        Canonical::F32(Tagged { value, tag }) => vec![cast_slice(value), cast_slice(tag)],
        Canonical::F64(Tagged { value, tag }) => vec![cast_slice(value), cast_slice(tag)],
    }
}

fn of_canonical_mut<T: Pod>(cells: &mut Canonical<T>) -> Vec<&mut [u8]> {
    match cells {
        Canonical::I64(Tagged { value, tag }) => vec![cast_slice_mut(value), cast_slice_mut(tag)],
        Canonical::U64(Tagged { value, tag }) => vec![cast_slice_mut(value), cast_slice_mut(tag)],
        Canonical::F32(Tagged { value, tag }) => vec![cast_slice_mut(value), cast_slice_mut(tag)],
        Canonical::F64(Tagged { value, tag }) => vec![cast_slice_mut(value), cast_slice_mut(tag)],
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ReduceKind, Reduction, Rows};
    use super::*;
    use crate::DType;

    /// Rows whose bits are any: NaN with payloads, infinities and both zeros among them.
    fn noise(dtype: DType, count: usize, seed: u64) -> Vec<u8> {
        let mut state = seed;
        let mut bytes: Vec<u8> = (0..count * dtype.size())
            .map(|_| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 56) as u8
            })
            .collect();
        if dtype == DType::Bool {
            bytes.iter_mut().for_each(|b| *b &= 1);
        }
        bytes
    }

    fn fed(reduction: Reduction, dtype: DType, rounds: std::ops::Range<u64>, state: &mut State) {
        const LEN: usize = 37;
        assert_eq!(
            (state.reduction(), state.dtype(), state.len()),
            (reduction, dtype, LEN)
        );
        for round in rounds {
            let values = noise(dtype, 3 * LEN, round);
            let rows = Rows {
                values: &values,
                starts: &[0, LEN, 2 * LEN],
                len: LEN,
                cells: &[0, 0, 0],
                indices: &[3 * round as i64, 3 * round as i64 + 1, 3 * round as i64 + 2],
                index_step: 0,
            };
            state.feed_across(&rows);
        }
    }

    #[test]
    fn a_state_goes_through_its_bytes_and_on_for_every_reduction_and_dtype() {
        let mut checked = 0;
        for dtype in DType::ALL.into_iter().filter(|d| !d.is_complex()) {
            for (kind, name) in ReduceKind::ALL {
                for skipna in [false, true] {
                    let reduction = Reduction {
                        kind,
                        skipna,
                        ddof: 1,
                    };
                    let new = || State::new(reduction, dtype, 37).unwrap();
                    let mut whole = new();
                    fed(reduction, dtype, 0..4, &mut whole);

                    let mut first = new();
                    fed(reduction, dtype, 0..2, &mut first);
                    let bytes: Vec<u8> = first.planes().concat();
                    assert_eq!(
                        bytes.len(),
                        State::bytes_for(reduction, dtype, 37),
                        "{name} {dtype}"
                    );
                    let mut again = new();
                    let mut rest = bytes.as_slice();
                    for plane in again.planes_mut() {
                        let (own, others) = rest.split_at(plane.len());
                        plane.copy_from_slice(own);
                        rest = others;
                    }
                    assert_eq!(again.planes().concat(), bytes, "{name} {dtype}");
                    fed(reduction, dtype, 2..4, &mut again);
                    // Bytes, as NaN is not equal to itself.
                    assert_eq!(
                        again.planes().concat(),
                        whole.planes().concat(),
                        "{name} {dtype} {skipna}"
                    );
                    checked += 1;
                }
            }
        }
        assert_eq!(checked, 13 * 14 * 2);
    }
}
