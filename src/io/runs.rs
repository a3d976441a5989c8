//! The contiguous runs of a box of elements in dense row-major arrays.
//!
//! What is read from a file, filled or converted in place moves in runs; copies between two arrays
//! in memory are [`crate::store::copy_region`].

/// One side of a copy: the shape of the dense array and where the box starts in it.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    /// Extents of the whole array.
    pub shape: &'a [usize],
    /// First index of the box per axis.
    pub start: &'a [usize],
}

/// Calls `run(from, to, bytes)` with byte offsets for each contiguous piece of a box of extents
/// `extent` of elements of `size` bytes; stops at the first error.
pub(crate) fn for_each_run<E>(
    from: Side,
    to: Side,
    extent: &[usize],
    size: usize,
    mut run: impl FnMut(usize, usize, usize) -> Result<(), E>,
) -> Result<(), E> {
    if extent.contains(&0) {
        return Ok(());
    }
    let rank = extent.len();
    // Axes `inner..` are one contiguous run in both arrays.
    let mut inner = rank;
    let mut run_bytes = size;
    while inner > 0 {
        inner -= 1;
        run_bytes *= extent[inner];
        if extent[inner] != from.shape[inner] || extent[inner] != to.shape[inner] {
            break;
        }
    }
    let (from_strides, from_start) = strides(from, size);
    let (to_strides, to_start) = strides(to, size);
    let (mut a, mut b) = (from_start, to_start);
    let mut index = vec![0usize; inner];
    loop {
        run(a, b, run_bytes)?;
        let mut axis = inner;
        loop {
            if axis == 0 {
                return Ok(());
            }
            axis -= 1;
            index[axis] += 1;
            a += from_strides[axis];
            b += to_strides[axis];
            if index[axis] < extent[axis] {
                break;
            }
            a -= from_strides[axis] * extent[axis];
            b -= to_strides[axis] * extent[axis];
            index[axis] = 0;
        }
    }
}

/// Byte strides of a side and the byte offset of its start.
fn strides(side: Side, size: usize) -> (Vec<usize>, usize) {
    let mut strides = vec![size; side.shape.len()];
    for axis in (0..side.shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * side.shape[axis + 1];
    }
    let offset = side.start.iter().zip(&strides).map(|(s, n)| s * n).sum();
    (strides, offset)
}

/// Where a box of extents `extent` lies as one contiguous piece in `side`: its byte range.
pub(crate) fn contiguous(side: Side, extent: &[usize], size: usize) -> Option<std::ops::Range<usize>> {
    let leading = extent.iter().position(|&n| n != 1).unwrap_or(extent.len());
    let full = (leading + 1..extent.len()).all(|axis| extent[axis] == side.shape[axis]);
    full.then(|| {
        let (_, offset) = strides(side, size);
        offset..offset + extent.iter().product::<usize>() * size
    })
}

/// Fills `out`, whole elements, with copies of `value`.
pub(crate) fn fill(out: &mut [u8], value: &[u8]) {
    if value.iter().all(|b| *b == value[0]) {
        out.fill(value[0]);
    } else {
        for element in out.chunks_exact_mut(value.len()) {
            element.copy_from_slice(value);
        }
    }
}

/// Fills the box of extents `extent` at `to` with copies of `value`.
pub(crate) fn fill_box(dst: &mut [u8], to: Side, extent: &[usize], value: &[u8]) {
    let filled: Result<(), std::convert::Infallible> =
        for_each_run(to, to, extent, value.len(), |at, _, bytes| {
            fill(&mut dst[at..at + bytes], value);
            Ok(())
        });
    let Ok(()) = filled;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_a_box_once() {
        let from = Side {
            shape: &[4, 5, 6],
            start: &[1, 0, 2],
        };
        let to = Side {
            shape: &[3, 7, 6],
            start: &[0, 2, 2],
        };
        let mut seen = Vec::new();
        let all: Result<(), ()> = for_each_run(from, to, &[2, 5, 4], 2, |a, b, n| {
            seen.push((a, b, n));
            Ok(())
        });
        assert_eq!(all, Ok(()));
        let element = |shape: &[usize], i: [usize; 3]| ((i[0] * shape[1] + i[1]) * shape[2] + i[2]) * 2;
        let expected: Vec<_> = (0..2)
            .flat_map(|i| (0..5).map(move |j| (i, j)))
            .map(|(i, j)| {
                (
                    element(from.shape, [1 + i, j, 2]),
                    element(to.shape, [i, 2 + j, 2]),
                    8,
                )
            })
            .collect();
        assert_eq!(seen, expected);

        let planes = Side {
            shape: &[4, 5, 6],
            start: &[1, 0, 0],
        };
        let mut count = 0;
        let one: Result<(), ()> = for_each_run(planes, planes, &[2, 5, 6], 4, |a, _, n| {
            count += 1;
            assert_eq!((a, n), (120, 240));
            Ok(())
        });
        assert_eq!((one, count), (Ok(()), 1));
        let scalar = Side {
            shape: &[],
            start: &[],
        };
        assert_eq!(
            for_each_run(scalar, scalar, &[], 8, |a, b, n| Err((a, b, n))),
            Err((0, 0, 8))
        );
        let empty = Side {
            shape: &[3, 0],
            start: &[0, 0],
        };
        assert_eq!(for_each_run(empty, empty, &[3, 0], 8, |_, _, _| Err(())), Ok(()));
    }

    #[test]
    fn contiguous_boxes_are_found() {
        let side = Side {
            shape: &[4, 5, 6],
            start: &[1, 2, 0],
        };
        assert_eq!(contiguous(side, &[1, 2, 6], 4), Some(168..216));
        assert_eq!(contiguous(side, &[2, 3, 6], 4), None);
        assert_eq!(contiguous(side, &[1, 1, 3], 4), Some(168..180));
        let all = Side {
            shape: &[4, 5],
            start: &[0, 0],
        };
        assert_eq!(contiguous(all, &[4, 5], 1), Some(0..20));
        assert_eq!(
            contiguous(
                Side {
                    shape: &[],
                    start: &[]
                },
                &[],
                8
            ),
            Some(0..8)
        );
    }

    #[test]
    fn boxes_are_filled() {
        let mut out = [0u8; 12];
        fill_box(
            &mut out,
            Side {
                shape: &[2, 3],
                start: &[0, 1],
            },
            &[2, 2],
            &[7, 8],
        );
        assert_eq!(out, [0, 0, 7, 8, 7, 8, 0, 0, 7, 8, 7, 8]);
        fill(&mut out[..4], &[1, 1]);
        assert_eq!(out[..5], [1, 1, 1, 1, 7]);
    }
}
