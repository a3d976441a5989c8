//! Copying a box of elements between two row-major arrays.
//!
//! Gathering tiles, reading regions of memory and writing blocks into a file's buffer are all this
//! one loop, so it is written once: axes that are contiguous on both sides become one run, and
//! runs too short for `memcpy` are copied as machine words.

use crate::geometry::Region;

/// Copies the elements of `src_region` of the array `src` to the box of the same extents that
/// begins at `dst_start` in the array `dst`. Both arrays are dense and row-major with elements of
/// `elem_size` bytes; all shapes have the same number of axes.
///
/// # Panics
/// When a box does not lie in its array or a slice is shorter than its shape says.
pub fn copy_region(
    src: &[u8],
    src_shape: &[usize],
    src_region: &Region,
    dst: &mut [u8],
    dst_shape: &[usize],
    dst_start: &[usize],
    elem_size: usize,
) {
    let rank = src_region.rank();
    assert!(
        src_shape.len() == rank && dst_shape.len() == rank && dst_start.len() == rank,
        "{src_region:?} has another rank than the arrays {src_shape:?} and {dst_shape:?}"
    );
    for axis in 0..rank {
        let extent = src_region.shape[axis];
        assert!(
            src_region.stop(axis) <= src_shape[axis] && dst_start[axis] + extent <= dst_shape[axis],
            "{src_region:?} of {src_shape:?} does not fit at {dst_start:?} in {dst_shape:?}"
        );
    }
    if src_region.is_empty() || elem_size == 0 {
        return;
    }

    let mut run = elem_size;
    let (mut src_at, mut dst_at) = (0, 0);
    let (mut src_stride, mut dst_stride) = (elem_size, elem_size);
    let mut loops: Vec<Loop> = Vec::new(); // innermost first
    for axis in (0..rank).rev() {
        let extent = src_region.shape[axis];
        src_at += src_region.start[axis] * src_stride;
        dst_at += dst_start[axis] * dst_stride;
        if extent > 1 {
            if loops.is_empty() && src_stride == run && dst_stride == run {
                run *= extent;
            } else {
                match loops
                    .last_mut()
                    .filter(|l| l.goes_on_with(src_stride, dst_stride))
                {
                    Some(inner) => inner.extent *= extent,
                    None => loops.push(Loop {
                        extent,
                        src: src_stride,
                        dst: dst_stride,
                    }),
                }
            }
        }
        src_stride *= src_shape[axis];
        dst_stride *= dst_shape[axis];
    }

    let (inner, outer) = match loops.split_first() {
        Some((inner, outer)) => (*inner, outer),
        None => (
            Loop {
                extent: 1,
                src: 0,
                dst: 0,
            },
            &[][..],
        ),
    };
    let rows = match run {
        1 => copy_words::<1>,
        2 => copy_words::<2>,
        4 => copy_words::<4>,
        8 => copy_words::<8>,
        16 => copy_words::<16>,
        _ => copy_runs,
    };
    let mut index = vec![0; outer.len()];
    loop {
        rows(src, src_at, dst, dst_at, inner, run);
        let mut axis = 0;
        loop {
            let Some(step) = outer.get(axis) else { return };
            src_at += step.src;
            dst_at += step.dst;
            index[axis] += 1;
            if index[axis] < step.extent {
                break;
            }
            index[axis] = 0;
            src_at -= step.src * step.extent;
            dst_at -= step.dst * step.extent;
            axis += 1;
        }
    }
}

/// `extent` steps of so many bytes on each side.
#[derive(Clone, Copy)]
struct Loop {
    extent: usize,
    src: usize,
    dst: usize,
}

impl Loop {
    /// Whether an outer loop of those strides only makes this one longer.
    fn goes_on_with(&self, src: usize, dst: usize) -> bool {
        self.src.checked_mul(self.extent) == Some(src) && self.dst.checked_mul(self.extent) == Some(dst)
    }
}

fn copy_words<const N: usize>(
    src: &[u8],
    src_at: usize,
    dst: &mut [u8],
    dst_at: usize,
    rows: Loop,
    _: usize,
) {
    for i in 0..rows.extent {
        let (s, d) = (src_at + i * rows.src, dst_at + i * rows.dst);
        dst[d..d + N].copy_from_slice(&src[s..s + N]);
    }
}

fn copy_runs(src: &[u8], src_at: usize, dst: &mut [u8], dst_at: usize, rows: Loop, run: usize) {
    for i in 0..rows.extent {
        let (s, d) = (src_at + i * rows.src, dst_at + i * rows.dst);
        dst[d..d + run].copy_from_slice(&src[s..s + run]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, one element after the other by its full index.
    fn naive(
        src: &[u8],
        src_shape: &[usize],
        region: &Region,
        dst: &mut [u8],
        dst_shape: &[usize],
        dst_start: &[usize],
        size: usize,
    ) {
        for number in 0..region.len() {
            let (mut rest, mut s, mut d, mut s_step, mut d_step) = (number, 0, 0, size, size);
            for axis in (0..region.rank()).rev() {
                let i = rest % region.shape[axis];
                rest /= region.shape[axis];
                s += (region.start[axis] + i) * s_step;
                d += (dst_start[axis] + i) * d_step;
                s_step *= src_shape[axis];
                d_step *= dst_shape[axis];
            }
            dst[d..d + size].copy_from_slice(&src[s..s + size]);
        }
    }

    /// Per axis: offset in the source, extent, rest of the source, offset in the target, its rest.
    fn axes() -> impl Strategy<Value = Vec<[usize; 5]>> {
        prop::collection::vec([0..3usize, 0..5usize, 0..3usize, 0..3usize, 0..3usize], 0..5)
    }

    proptest! {
        #[test]
        fn equals_element_by_element(axes in axes(), size in prop::sample::select(vec![1usize, 2, 3, 4, 8, 16])) {
            let of = |f: fn(&[usize; 5]) -> usize| axes.iter().map(f).collect::<Vec<_>>();
            let region = Region::new(of(|a| a[0]), of(|a| a[1]));
            let src_shape = of(|a| a[0] + a[1] + a[2]);
            let dst_shape = of(|a| a[3] + a[1] + a[4]);
            let dst_start = of(|a| a[3]);
            let bytes = |shape: &[usize]| shape.iter().product::<usize>() * size;
            let src: Vec<u8> = (0..bytes(&src_shape)).map(|i| (i * 7 % 251) as u8 + 1).collect();
            let mut dst = vec![0; bytes(&dst_shape)];
            let mut expected = dst.clone();
            copy_region(&src, &src_shape, &region, &mut dst, &dst_shape, &dst_start, size);
            naive(&src, &src_shape, &region, &mut expected, &dst_shape, &dst_start, size);
            prop_assert_eq!(dst, expected);
        }
    }

    #[test]
    fn a_scalar_is_one_element() {
        let mut dst = [0; 4];
        copy_region(&[1, 2, 3, 4], &[], &Region::whole(&[]), &mut dst, &[], &[], 4);
        assert_eq!(dst, [1, 2, 3, 4]);
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn a_box_outside_is_refused() {
        let region = Region::new(vec![1], vec![3]);
        copy_region(&[0; 3], &[3], &region, &mut [0; 9], &[9], &[0], 1);
    }
}
