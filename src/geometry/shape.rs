//! Shapes: element counts, strides, broadcasting, axis numbers.

use crate::{Error, Result};

/// The most elements that an array has, axes of extent 0 aside: f64 counts them exactly, and
/// strides and bytes of the widest dtype, summed over the arrays of a plan, fit 64 bits.
pub const MOST_ELEMENTS: usize = 1 << 53;

/// Number of elements of a shape.
///
/// # Errors
/// When it is above 2^53 (`MOST_ELEMENTS`), or would be without axes of extent 0 (as NumPy refuses it:
/// strides are multiplied all the same).
pub fn element_count(shape: &[usize]) -> Result<usize> {
    shape
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d.max(1)))
        .filter(|&n| n <= MOST_ELEMENTS)
        .map(|n| if shape.contains(&0) { 0 } else { n })
        .ok_or_else(|| {
            Error::invalid(format!(
                "shape {shape:?} has more elements than an array can have, 2^53"
            ))
        })
}

/// Bytes of an array of that shape with elements of `size` bytes.
///
/// # Errors
/// When it does not fit in a `usize`.
pub fn checked_bytes(shape: &[usize], size: usize) -> Result<usize> {
    element_count(shape)?.checked_mul(size).ok_or_else(|| {
        Error::invalid(format!(
            "shape {shape:?} has more bytes than a 64-bit number holds"
        ))
    })
}

/// Strides in elements of a contiguous row-major array.
pub fn row_major_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1].max(1);
    }
    strides
}

/// The shape that all of `shapes` broadcast to, by NumPy's rule.
///
/// # Errors
/// Names the two shapes and the axis that do not agree.
pub fn broadcast_shapes(shapes: &[&[usize]]) -> Result<Vec<usize>> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut out = vec![1; rank];
    for shape in shapes {
        let lead = rank - shape.len();
        for (axis, &extent) in shape.iter().enumerate() {
            let slot = &mut out[lead + axis];
            if *slot == 1 {
                *slot = extent;
            } else if extent != 1 && extent != *slot {
                let listed: Vec<String> = shapes.iter().map(|s| format!("{s:?}")).collect();
                return Err(Error::invalid(format!(
                    "shapes {} do not broadcast: {extent} against {slot} along axis {} from the end",
                    listed.join(" and "),
                    rank - lead - axis
                )));
            }
        }
    }
    Ok(out)
}

/// The axis number for a NumPy-style `axis`, negative counting from the end.
///
/// # Errors
/// When it is out of range for `rank` axes.
pub fn normalize_axis(axis: isize, rank: usize) -> Result<usize> {
    let actual = if axis < 0 { axis + rank as isize } else { axis };
    if actual < 0 || actual >= rank as isize {
        return Err(Error::invalid(format!(
            "axis {axis} is out of range for an array of {rank} axes"
        )));
    }
    Ok(actual as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_checked() {
        assert_eq!(element_count(&[]).unwrap(), 1);
        assert_eq!(element_count(&[3, 0, 7, 2]).unwrap(), 0);
        assert_eq!(element_count(&[1 << 20, 1 << 33]).unwrap(), MOST_ELEMENTS);
        assert!(element_count(&[1 << 20, (1 << 33) + 1]).is_err());
        assert!(element_count(&[3, 0, usize::MAX, 2]).is_err());
        assert!(element_count(&[usize::MAX, 2]).is_err());
        assert!(checked_bytes(&[MOST_ELEMENTS], usize::MAX).is_err());
        assert_eq!(row_major_strides(&[2, 3, 4]), [12, 4, 1]);
    }

    #[test]
    fn broadcasting_is_numpys() {
        assert_eq!(broadcast_shapes(&[&[3, 1], &[4]]).unwrap(), [3, 4]);
        assert_eq!(broadcast_shapes(&[&[], &[0, 2]]).unwrap(), [0, 2]);
        assert_eq!(broadcast_shapes(&[&[1], &[0]]).unwrap(), [0]);
        let text = broadcast_shapes(&[&[3, 2], &[3]]).unwrap_err().to_string();
        assert!(text.contains("[3, 2] and [3]"), "{text}");
    }

    #[test]
    fn axes_count_from_both_ends() {
        assert_eq!(normalize_axis(-1, 3).unwrap(), 2);
        assert!(normalize_axis(3, 3).is_err());
        assert!(normalize_axis(0, 0).is_err());
    }
}
