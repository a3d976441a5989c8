//! A sorting network over rows: sixteen columns are sorted at once without a branch on any element.
//!
//! Batcher's bitonic network in the form whose every exchange puts the smaller element first
//! (K. E. Batcher, Sorting networks and their applications, AFIPS 1968; the mirrored first step of
//! each merge is Knuth's, TAOCP 3, 5.3.4). Rows beyond the last count as larger than all others,
//! so no exchange with them does anything and any number of rows will do. Three steps are done with
//! eight rows in registers, and all steps within [`NEAR`] rows before the next of these.

use super::Word;
use crate::Isa;

/// Columns in a row.
pub(super) const WIDTH: usize = 16;

/// Rows that are worked on while they lie in the first cache.
const NEAR: usize = 256;

/// A row: one element of each column.
pub(super) type Row<K> = [K; WIDTH];

/// How eight rows meet in three steps, after which they go back.
#[derive(Clone, Copy)]
enum First {
    /// Mirrored: the first with the last.
    Mirror,
    /// The first half with the second.
    Half,
}

#[inline(always)]
fn exchange<K: Word>(v: &mut [K; 8], a: usize, b: usize) {
    let (low, high) = (v[a].min(v[b]), v[a].max(v[b]));
    v[a] = low;
    v[b] = high;
}

/// Three steps over the rows at rising places `at`; `rows` holds them all.
#[inline(always)]
fn three<K: Word>(rows: &mut [Row<K>], at: [usize; 8], first: First) {
    let mut held = at.map(|at| rows[at]);
    for k in 0..WIDTH {
        let mut v = [
            held[0][k], held[1][k], held[2][k], held[3][k], held[4][k], held[5][k], held[6][k], held[7][k],
        ];
        match first {
            First::Mirror => [(0, 7), (1, 6), (2, 5), (3, 4)].map(|(a, b)| exchange(&mut v, a, b)),
            First::Half => [(0, 4), (1, 5), (2, 6), (3, 7)].map(|(a, b)| exchange(&mut v, a, b)),
        };
        for (a, b) in [(0, 2), (1, 3), (4, 6), (5, 7)] {
            exchange(&mut v, a, b);
        }
        for (a, b) in [(0, 1), (2, 3), (4, 5), (6, 7)] {
            exchange(&mut v, a, b);
        }
        for (row, value) in held.iter_mut().zip(v) {
            row[k] = value;
        }
    }
    for (at, row) in at.into_iter().zip(held) {
        rows[at] = row;
    }
}

/// [`three`] where the last places may lie beyond the rows.
#[inline(always)]
fn three_of<K: Word>(rows: &mut [Row<K>], at: [usize; 8], first: First) {
    if at[7] < rows.len() {
        return three(rows, at, first);
    }
    if at[1] >= rows.len() {
        return;
    }
    let mut some = [[K::MAX; WIDTH]; 8];
    for (row, &at) in some.iter_mut().zip(&at) {
        if let Some(held) = rows.get(at) {
            *row = *held;
        }
    }
    three(&mut some, [0, 1, 2, 3, 4, 5, 6, 7], first);
    for (row, &at) in some.iter().zip(&at) {
        if let Some(slot) = rows.get_mut(at) {
            *slot = *row;
        }
    }
}

/// One step: each row with the one `stride` further.
#[inline(always)]
fn one<K: Word>(rows: &mut [Row<K>], stride: usize) {
    for block in rows.chunks_mut(2 * stride) {
        if block.len() <= stride {
            return;
        }
        let (low, high) = block.split_at_mut(stride);
        for (a, b) in low.iter_mut().zip(high) {
            for k in 0..WIDTH {
                let (low, high) = (a[k].min(b[k]), a[k].max(b[k]));
                a[k] = low;
                b[k] = high;
            }
        }
    }
}

/// Sorts blocks of eight rows.
#[inline(always)]
fn eights<K: Word>(rows: &mut [Row<K>]) {
    for block in rows.chunks_mut(8) {
        let mut some = [[K::MAX; WIDTH]; 8];
        some[..block.len()].copy_from_slice(block);
        for k in 0..WIDTH {
            let mut v = [
                some[0][k], some[1][k], some[2][k], some[3][k], some[4][k], some[5][k], some[6][k],
                some[7][k],
            ];
            // The least network of eight, 19 exchanges (Knuth, TAOCP 3, 5.3.4).
            for (a, b) in [(0, 2), (1, 3), (4, 6), (5, 7), (0, 4), (1, 5), (2, 6), (3, 7)] {
                exchange(&mut v, a, b);
            }
            for (a, b) in [(0, 1), (2, 3), (4, 5), (6, 7), (2, 4), (3, 5), (1, 4), (3, 6)] {
                exchange(&mut v, a, b);
            }
            for (a, b) in [(1, 2), (3, 4), (5, 6)] {
                exchange(&mut v, a, b);
            }
            for (row, value) in some.iter_mut().zip(v) {
                row[k] = value;
            }
        }
        block.copy_from_slice(&some[..block.len()]);
    }
}

/// The mirrored first three steps of a merge of `size` rows, at the blocks of `rows`.
#[inline(always)]
fn mirror<K: Word>(rows: &mut [Row<K>], size: usize) {
    for block in rows.chunks_mut(size) {
        let e = size / 8;
        for i in 0..e {
            let last = size - 1 - i;
            let at = [
                i,
                i + e,
                i + 2 * e,
                i + 3 * e,
                last - 3 * e,
                last - 2 * e,
                last - e,
                last,
            ];
            three_of(block, at, First::Mirror);
        }
    }
}

/// The steps of strides `stride`, `stride / 2` and so on down to 1, but three at a time only while
/// the stride is `least` or more; returns the stride that is next.
#[inline(always)]
fn halves<K: Word>(rows: &mut [Row<K>], mut stride: usize, least: usize) -> usize {
    while stride >= least.max(4) {
        let e = stride / 4;
        for block in rows.chunks_mut(2 * stride) {
            for i in 0..e {
                three_of(block, std::array::from_fn(|j| i + j * e), First::Half);
            }
        }
        stride /= 8;
    }
    stride
}

/// The steps from `stride` down to 1.
#[inline(always)]
fn finish<K: Word>(rows: &mut [Row<K>], stride: usize) {
    let mut stride = halves(rows, stride, 4);
    while stride >= 1 {
        one(rows, stride);
        stride /= 2;
    }
}

#[inline(always)]
fn run<K: Word>(rows: &mut [Row<K>]) {
    for near in rows.chunks_mut(NEAR) {
        eights(near);
        let mut size = 16;
        while size / 2 < near.len() {
            mirror(near, size);
            finish(near, size / 16);
            size *= 2;
        }
    }
    let mut size = 2 * NEAR;
    while size / 2 < rows.len() {
        mirror(rows, size);
        let stride = halves(rows, size / 16, NEAR);
        for near in rows.chunks_mut(NEAR) {
            finish(near, stride);
        }
        size *= 2;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<K: Word>(rows: &mut [Row<K>]) {
    run(rows);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512dq,avx512bw,avx512vl")]
fn avx512<K: Word>(rows: &mut [Row<K>]) {
    run(rows);
}

/// Sorts each column of the rows, rising.
pub(super) fn sort<K: Word>(rows: &mut [Row<K>], isa: Isa) {
    #[cfg(target_arch = "x86_64")]
    match isa {
        // SAFETY: this machine has the instruction set.
        Isa::Avx512 if isa.available() => return unsafe { avx512(rows) },
        // SAFETY: as above.
        Isa::Avx2 if isa.available() => return unsafe { avx2(rows) },
        _ => {}
    }
    let _ = isa;
    run(rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_rows_is_sorted_by_every_instruction_set() {
        for isa in [Isa::Baseline, Isa::Avx2, Isa::Avx512] {
            let lengths = (0..70).chain([
                127, 128, 129, 255, 256, 257, 300, 511, 513, 700, 1024, 1500, 2920, 5000,
            ]);
            for len in lengths {
                let mut x = 9u64;
                let mut next = || {
                    x = x
                        .wrapping_mul(0x5851_f42d_4c95_7f2d)
                        .wrapping_add(0x1405_7b7e_f767_814f);
                    (x >> 33) as u32 % 5000
                };
                let mut rows: Vec<Row<u32>> = (0..len).map(|_| std::array::from_fn(|_| next())).collect();
                let columns: Vec<Vec<u32>> = (0..WIDTH)
                    .map(|k| {
                        let mut column: Vec<u32> = rows.iter().map(|r| r[k]).collect();
                        column.sort();
                        column
                    })
                    .collect();
                let mut wide: Vec<Row<u64>> = rows.iter().map(|r| r.map(|x| u64::from(x) << 31)).collect();
                sort(&mut rows, isa);
                sort(&mut wide, isa);
                for (k, column) in columns.iter().enumerate() {
                    let found: Vec<u32> = rows.iter().map(|r| r[k]).collect();
                    assert_eq!(&found, column, "{isa:?} {len}");
                    let found: Vec<u32> = wide.iter().map(|r| (r[k] >> 31) as u32).collect();
                    assert_eq!(&found, column, "{isa:?} {len} in 64 bits");
                }
            }
        }
    }
}
