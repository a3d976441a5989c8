//! Transposition in registers: columns of a block become its rows.
//!
//! An element at a time, a transposed read costs more than the memory it comes from; eight by eight
//! in vector registers it does not. Elements only move, so every instruction set gives the same.

use bytemuck::Pod;

/// Fills the rows of `to`, `width` elements of `size` bytes each, from elements that are neighbours
/// along the rows' axis: row `r`, column `c` is element `start + r + c * step` of `from`.
///
/// # Panics
/// When `from` does not reach that far, or `to` is not aligned to elements.
pub fn transpose(size: usize, from: &[u8], start: usize, step: isize, to: &mut [u8], width: usize) {
    match size {
        1 => typed::<1>(from, start, step, to, width),
        2 => typed::<2>(from, start, step, to, width),
        4 => typed::<4>(from, start, step, to, width),
        8 => typed::<8>(from, start, step, to, width),
        _ => typed::<16>(from, start, step, to, width),
    }
}

fn typed<const N: usize>(from: &[u8], start: usize, step: isize, to: &mut [u8], width: usize)
where
    [u8; N]: Pod,
{
    let from: &[[u8; N]] = bytemuck::cast_slice(&from[..from.len() / N * N]);
    let to: &mut [[u8; N]] = bytemuck::cast_slice_mut(to);
    let rows = to.len().checked_div(width).unwrap_or(0);
    if rows == 0 {
        return;
    }
    let (rows_done, columns_done) = blocks(from, start, step, to, width, rows);
    for column in 0..width {
        let first = start.wrapping_add_signed(step * column as isize);
        let done = if column < columns_done { rows_done } else { 0 };
        for row in done..rows {
            to[row * width + column] = from[first + row];
        }
    }
}

/// Moves whole blocks, and says how many rows and columns they cover.
#[cfg(target_arch = "x86_64")]
fn blocks<const N: usize>(
    from: &[[u8; N]],
    start: usize,
    step: isize,
    to: &mut [[u8; N]],
    width: usize,
    rows: usize,
) -> (usize, usize) {
    let edge = match N {
        4 => 8,
        8 => 4,
        _ => return (0, 0),
    };
    let last = start as i128 + step as i128 * (width as i128 - 1);
    let reaches = last >= 0 && last.max(start as i128) + rows as i128 <= from.len() as i128;
    if !reaches || !std::arch::is_x86_feature_detected!("avx2") {
        return (0, 0);
    }
    let (rows, columns) = (rows / edge * edge, width / edge * edge);
    // SAFETY: AVX2 was found. Elements `start + i + step * j` for `i` below `rows` and `j` below
    // `columns` were found to lie in `from`; `to` has as many rows of `width`.
    unsafe {
        sweep::<N>(
            from.as_ptr(),
            start,
            step,
            to.as_mut_ptr(),
            width,
            (rows, columns),
        )
    };
    (rows, columns)
}

/// Moves blocks of `rows` and `columns` of `to`, multiples of a block's edge.
///
/// # Safety
/// The machine has AVX2. From `from`, elements `start + i + step * j` can be read, and to `to`,
/// elements `i * width + j` written, for all `i` below `rows` and `j` below `columns`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn sweep<const N: usize>(
    from: *const [u8; N],
    start: usize,
    step: isize,
    to: *mut [u8; N],
    width: usize,
    (rows, columns): (usize, usize),
) {
    let edge = if N == 4 { 8 } else { 4 };
    for column in (0..columns).step_by(edge) {
        let first = start.wrapping_add_signed(step * column as isize);
        for row in (0..rows).step_by(edge) {
            // SAFETY: the block's elements are `first + row + i + step * j` for `i` and `j` below
            // `edge`; rows `row..row + edge` and columns `column..column + edge` are within.
            unsafe {
                let (from, to) = (from.add(first + row), to.add(row * width + column));
                match N {
                    4 => eight(from.cast(), step, to.cast(), width),
                    _ => four(from.cast(), step, to.cast(), width),
                }
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn blocks<const N: usize>(
    _: &[[u8; N]],
    _: usize,
    _: isize,
    _: &mut [[u8; N]],
    _: usize,
    _: usize,
) -> (usize, usize) {
    (0, 0)
}

/// Eight rows of eight words become columns.
///
/// # Safety
/// Eight words can be read `step` words apart from `from`, and written `width` words apart to `to`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn eight(from: *const f32, step: isize, to: *mut f32, width: usize) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's promise; the loads and stores ask for no alignment.
    unsafe {
        // Halves of rows four apart make a vector, so that no halves change places afterwards.
        let half = |k: isize, part: usize| {
            let (near, far) = (from.offset(k * step), from.offset((k + 4) * step));
            let near = _mm256_castps128_ps256(_mm_loadu_ps(near.add(part)));
            _mm256_insertf128_ps::<1>(near, _mm_loadu_ps(far.add(part)))
        };
        for part in [0, 4] {
            let r = [0, 1, 2, 3].map(|k| half(k, part));
            let (a, b) = (_mm256_unpacklo_ps(r[0], r[1]), _mm256_unpackhi_ps(r[0], r[1]));
            let (c, d) = (_mm256_unpacklo_ps(r[2], r[3]), _mm256_unpackhi_ps(r[2], r[3]));
            let to = to.add(part * width);
            _mm256_storeu_ps(to, _mm256_shuffle_ps::<0x44>(a, c));
            _mm256_storeu_ps(to.add(width), _mm256_shuffle_ps::<0xee>(a, c));
            _mm256_storeu_ps(to.add(2 * width), _mm256_shuffle_ps::<0x44>(b, d));
            _mm256_storeu_ps(to.add(3 * width), _mm256_shuffle_ps::<0xee>(b, d));
        }
    }
}

/// Four rows of four double words become columns.
///
/// # Safety
/// As for words, four of them.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn four(from: *const f64, step: isize, to: *mut f64, width: usize) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's promise; the loads and stores ask for no alignment.
    unsafe {
        let r = [0, 1, 2, 3].map(|k| _mm256_loadu_pd(from.offset(k * step)));
        let (a, b) = (_mm256_unpacklo_pd(r[0], r[1]), _mm256_unpackhi_pd(r[0], r[1]));
        let (c, d) = (_mm256_unpacklo_pd(r[2], r[3]), _mm256_unpackhi_pd(r[2], r[3]));
        _mm256_storeu_pd(to, _mm256_permute2f128_pd::<0x20>(a, c));
        _mm256_storeu_pd(to.add(width), _mm256_permute2f128_pd::<0x20>(b, d));
        _mm256_storeu_pd(to.add(2 * width), _mm256_permute2f128_pd::<0x31>(a, c));
        _mm256_storeu_pd(to.add(3 * width), _mm256_permute2f128_pd::<0x31>(b, d));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_columns() {
        let from: Vec<u8> = (0..40_000u32)
            .flat_map(|i| (i.wrapping_mul(2_654_435).wrapping_add(i / 7)).to_le_bytes())
            .collect();
        for size in [1, 2, 4, 8] {
            for (rows, width) in [(1, 1), (3, 20), (8, 8), (9, 17), (16, 5), (40, 64), (64, 33)] {
                for step in [rows as isize, 70, -70, 0] {
                    let start = if step < 0 { 70 * width } else { 11 };
                    let mut words = vec![0u64; rows * width];
                    let to = &mut bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..rows * width * size];
                    transpose(size, &from, start, step, to, width);
                    for at in 0..rows * width {
                        let (row, column) = (at / width, at % width);
                        let element = (start + row).wrapping_add_signed(step * column as isize);
                        let want = &from[element * size..][..size];
                        assert_eq!(
                            &to[at * size..][..size],
                            want,
                            "{size} {rows} x {width} {step}: {at}"
                        );
                    }
                }
            }
        }
    }
}
