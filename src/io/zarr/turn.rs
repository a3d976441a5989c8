//! Chunks whose axes are stored in another order, as those of arrays in Fortran's order are.

use crate::geometry::Region;

/// Copies `region` of a chunk of that shape, whose bytes hold its axes in `order` (slowest first), to the
/// box that begins at `start` in the row-major array `to`.
pub(super) fn turn(
    from: &[u8],
    shape: &[usize],
    order: &[usize],
    region: &Region,
    to: &mut [u8],
    to_shape: &[usize],
    start: &[usize],
    size: usize,
) {
    let mut from_strides = vec![0; shape.len()];
    let mut stride = size;
    for &axis in order.iter().rev() {
        from_strides[axis] = stride;
        stride *= shape[axis];
    }
    let copy = copier(size);
    walk(
        &strides(to_shape, size),
        start,
        &from_strides,
        &region.start,
        &region.shape,
        |b, a| {
            copy(from, a, to, b, size);
        },
    );
}

/// Copies a whole row-major chunk of that shape to bytes that hold its axes in `order`.
pub(super) fn turn_back(from: &[u8], shape: &[usize], order: &[usize], to: &mut [u8], size: usize) {
    let mut to_strides = vec![0; shape.len()];
    let mut stride = size;
    for &axis in order.iter().rev() {
        to_strides[axis] = stride;
        stride *= shape[axis];
    }
    let origin = vec![0; shape.len()];
    let copy = copier(size);
    walk(
        &strides(shape, size),
        &origin,
        &to_strides,
        &origin,
        shape,
        |a, b| {
            copy(from, a, to, b, size);
        },
    );
}

/// Copies one element.
type Copy = fn(&[u8], usize, &mut [u8], usize, usize);

/// The copy of elements of a size: of the common ones as machine words.
fn copier(size: usize) -> Copy {
    fn words<const N: usize>(from: &[u8], a: usize, to: &mut [u8], b: usize, _: usize) {
        to[b..b + N].copy_from_slice(&from[a..a + N]);
    }
    match size {
        1 => words::<1>,
        2 => words::<2>,
        4 => words::<4>,
        8 => words::<8>,
        16 => words::<16>,
        _ => |from, a, to, b, size| to[b..b + size].copy_from_slice(&from[a..a + size]),
    }
}

/// Byte strides of a row-major array.
fn strides(shape: &[usize], size: usize) -> Vec<usize> {
    let mut strides = vec![size; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Calls `each` with the byte offsets of every element of a box in two arrays, the axes that are shortest
/// in the second one innermost in blocks, so that neither side is read far apart.
fn walk(
    a_strides: &[usize],
    a_start: &[usize],
    b_strides: &[usize],
    b_start: &[usize],
    extent: &[usize],
    mut each: impl FnMut(usize, usize),
) {
    /// Elements of each side of a square that fits the first-level cache.
    const SIDE: usize = 32;
    if extent.contains(&0) {
        return;
    }
    let offset = |strides: &[usize], at: &[usize]| strides.iter().zip(at).map(|(s, i)| s * i).sum::<usize>();
    let (a0, b0) = (offset(a_strides, a_start), offset(b_strides, b_start));
    let rank = extent.len();
    let long = |axis: &usize| extent[*axis] > 1;
    let Some(x) = (0..rank).filter(long).min_by_key(|&axis| a_strides[axis]) else {
        return each(a0, b0);
    };
    let y = (0..rank)
        .filter(long)
        .min_by_key(|&axis| b_strides[axis])
        .unwrap_or(x);
    let rest: Vec<usize> = (0..rank).filter(|&axis| axis != x && axis != y).collect();
    let mut index = vec![0; rest.len()];
    loop {
        let at = |strides: &[usize]| {
            rest.iter()
                .zip(&index)
                .map(|(&axis, i)| strides[axis] * i)
                .sum::<usize>()
        };
        let (a, b) = (a0 + at(a_strides), b0 + at(b_strides));
        if x == y {
            (0..extent[x]).for_each(|i| each(a + i * a_strides[x], b + i * b_strides[x]));
        } else {
            for top in (0..extent[y]).step_by(SIDE) {
                for left in (0..extent[x]).step_by(SIDE) {
                    for i in top..(top + SIDE).min(extent[y]) {
                        for j in left..(left + SIDE).min(extent[x]) {
                            each(
                                a + i * a_strides[y] + j * a_strides[x],
                                b + i * b_strides[y] + j * b_strides[x],
                            );
                        }
                    }
                }
            }
        }
        let Some(axis) = (0..rest.len()).rev().find(|&k| index[k] + 1 < extent[rest[k]]) else {
            return;
        };
        index[axis] += 1;
        index[axis + 1..].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turned_chunks_come_back() {
        for (shape, order) in [
            (vec![], vec![]),
            (vec![7], vec![0]),
            (vec![40, 70], vec![1, 0]),
            (vec![3, 4, 5], vec![2, 1, 0]),
            (vec![3, 1, 33, 2], vec![2, 0, 3, 1]),
        ] {
            let count: usize = shape.iter().product();
            let data: Vec<u8> = (0..count as u16).flat_map(u16::to_le_bytes).collect();
            let mut stored = vec![0; data.len()];
            turn_back(&data, &shape, &order, &mut stored, 2);
            let mut back = vec![0; data.len()];
            let origin = vec![0; shape.len()];
            turn(
                &stored,
                &shape,
                &order,
                &Region::whole(&shape),
                &mut back,
                &shape,
                &origin,
                2,
            );
            assert_eq!(back, data, "{shape:?} {order:?}");
            if shape.len() == 2 {
                assert_eq!(stored[2..4], data[2 * shape[1]..2 * shape[1] + 2]);
                let part = Region::new(vec![2, 5], vec![3, 2]);
                let mut out = [0; 12];
                turn(&stored, &shape, &order, &part, &mut out, &[3, 2], &[0, 0], 2);
                assert_eq!(out[..2], data[2 * (2 * shape[1] + 5)..][..2]);
                assert_eq!(out[10..], data[2 * (4 * shape[1] + 6)..][..2]);
            }
        }
    }
}
