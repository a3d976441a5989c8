//! The innermost loop: a small tile of the result is summed in registers over packed factors.
//!
//! One generic body, compiled once per instruction set with the tile that its registers hold: rows
//! are broadcast, columns lie in vectors. With AVX2 and AVX-512 floats use fused multiply-add.

use super::ring::Ring;
use crate::Isa;

/// The most elements that a tile has.
pub(super) const MAX_TILE: usize = 12 * 128;

/// A tile's extents and the loop that fills it.
#[derive(Clone, Copy)]
pub(super) struct Micro<R> {
    /// Rows of the tile.
    pub rows: usize,
    /// Columns of the tile.
    pub cols: usize,
    /// Sums `a[p * rows + i] * b[p * cols + j]` over `p` and stores it at `i * stride + j` of the
    /// tile, or adds it to what is there.
    ///
    /// # Safety
    /// `rows` rows of `cols` elements of the tile must be valid for reads and writes.
    pub run: unsafe fn(a: &[R], b: &[R], tile: *mut R, stride: usize, add: bool),
}

/// Asks for the rows of a tile that will be added to.
#[inline(always)]
fn ask_for<R, const ROWS: usize, const COLS: usize>(tile: *const R, stride: usize) {
    #[cfg(target_arch = "x86_64")]
    for i in 0..ROWS {
        for j in (0..COLS).step_by((64 / size_of::<R>()).max(1)) {
            // SAFETY: a prefetch reads nothing, whatever the address.
            unsafe {
                use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                _mm_prefetch::<_MM_HINT_T0>(tile.wrapping_add(i * stride + j).cast());
            }
        }
    }
    let _ = (tile, stride);
}

/// Nothing, which the compiler may not move across: it would else put one column of several rows in
/// a vector, gathered from all over the tile, because sums of integers may be reordered.
#[inline(always)]
fn row_by_row() {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    // SAFETY: no instruction.
    unsafe {
        std::arch::asm!("", options(nomem, nostack, preserves_flags));
    }
}

/// The body; `a` and `b` hold as many steps as each other.
///
/// # Safety
/// As [`Micro::run`].
#[inline(always)]
unsafe fn tile<R: Ring, const FUSED: bool, const ROWS: usize, const COLS: usize>(
    a: &[R],
    b: &[R],
    tile: *mut R,
    stride: usize,
    add: bool,
) {
    if add {
        ask_for::<R, ROWS, COLS>(tile, stride);
    }
    let mut sums = [[R::ZERO; COLS]; ROWS];
    let (a, _) = a.as_chunks::<ROWS>();
    let (b, _) = b.as_chunks::<COLS>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..ROWS {
            for j in 0..COLS {
                sums[i][j] = R::fma::<FUSED>(a[i], b[j], sums[i][j]);
            }
            row_by_row();
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        // SAFETY: a row of the tile, by the caller's promise.
        let row = unsafe { &mut *tile.add(i * stride).cast::<[R; COLS]>() };
        if add {
            for j in 0..COLS {
                row[j] = row[j].add(sums[j]);
            }
        } else {
            *row = *sums;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<R: Ring, const ROWS: usize, const COLS: usize>(
    a: &[R],
    b: &[R],
    out: *mut R,
    stride: usize,
    add: bool,
) {
    // SAFETY: the caller's promise.
    unsafe { tile::<R, true, ROWS, COLS>(a, b, out, stride, add) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512bw,avx512vl")]
unsafe fn avx512<R: Ring, const ROWS: usize, const COLS: usize>(
    a: &[R],
    b: &[R],
    out: *mut R,
    stride: usize,
    add: bool,
) {
    // SAFETY: the caller's promise.
    unsafe { tile::<R, true, ROWS, COLS>(a, b, out, stride, add) }
}

/// Rounded once only where that is one instruction.
const FUSED_BASELINE: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

unsafe fn baseline<R: Ring, const ROWS: usize, const COLS: usize>(
    a: &[R],
    b: &[R],
    out: *mut R,
    stride: usize,
    add: bool,
) {
    // SAFETY: the caller's promise.
    unsafe { tile::<R, FUSED_BASELINE, ROWS, COLS>(a, b, out, stride, add) }
}

/// Whether floats are rounded once with `isa` on this machine.
#[cfg(target_arch = "x86_64")]
fn fuses() -> bool {
    std::is_x86_feature_detected!("fma")
}

/// The loop for `isa`, or the baseline one where this machine lacks it: it can be run wherever it is
/// handed out. Columns fill two vectors.
pub(super) fn select<R: Ring>(isa: Isa) -> Micro<R> {
    macro_rules! pick {
        ($how:ident, $rows:literal, $vector:literal) => {
            match size_of::<R>() {
                1 => pick!(@ $how, $rows, { 2 * $vector }),
                4 => pick!(@ $how, $rows, { $vector / 2 }),
                _ => pick!(@ $how, $rows, { $vector / 4 }),
            }
        };
        (@ $how:ident, $rows:literal, $cols:expr) => {
            Micro { rows: $rows, cols: $cols, run: $how::<R, $rows, { $cols }> }
        };
    }
    #[cfg(target_arch = "x86_64")]
    match isa {
        Isa::Avx512 if isa.available() && fuses() => return pick!(avx512, 12, 64),
        Isa::Avx2 if isa.available() && fuses() => return pick!(avx2, 6, 32),
        _ => {}
    }
    let _ = isa;
    if cfg!(target_arch = "aarch64") {
        pick!(baseline, 8, 16)
    } else {
        pick!(baseline, 4, 16)
    }
}
