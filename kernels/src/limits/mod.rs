//! Loops that do nothing but use the machine: read, copy, triad and multiply-add.
//!
//! What memory and the arithmetic units give is the limit that every kernel is measured against,
//! so these loops are written with the widest vectors and, where the machine has them, with
//! streaming stores, which do not read the lines that they overwrite.

mod lanes;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::Isa;
use lanes::{Arithmetic, Memory};

/// How results are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stores {
    /// Through the caches, which first read the line.
    Plain,
    /// Past the caches, where [`has_streaming`] says so; plain elsewhere.
    Streaming,
}

/// The factor of [`triad`].
pub const TRIAD: f32 = 3.0;

/// Accumulators of the loops of [`fma_f32`] and [`fma_f64`]: enough to hide the latency of two
/// units.
const CHAINS: usize = 12;

/// Whether this architecture has streaming stores that Rust can name.
pub const fn has_streaming() -> bool {
    cfg!(target_arch = "x86_64")
}

/// Whether the loops of `isa` multiply and add in one instruction.
pub fn has_fma(isa: Isa) -> bool {
    let _ = isa;
    #[cfg(target_arch = "x86_64")]
    return match isa {
        Isa::Baseline => false,
        Isa::Avx2 | Isa::Avx512 => isa.available() && std::is_x86_feature_detected!("fma"),
    };
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

/// The sum of the elements in f32, in no stated order.
pub fn read(isa: Isa, values: &[f32]) -> f32 {
    pick!(isa, read(values))
}

/// `out = a`; of the shorter's length.
pub fn copy(isa: Isa, a: &[f32], out: &mut [f32], stores: Stores) {
    pick!(isa, copy(a, out, stores == Stores::Streaming))
}

/// `out = a + TRIAD * b`; of the shortest's length.
pub fn triad(isa: Isa, a: &[f32], b: &[f32], out: &mut [f32], stores: Stores) {
    pick!(isa, triad(a, b, out, stores == Stores::Streaming))
}

/// Multiplies and adds f32 in registers, `rounds` times in each of several chains; returns the
/// operations done, two for each element of each step.
pub fn fma_f32(isa: Isa, rounds: usize) -> f64 {
    pick!(isa, fma_f32(rounds))
}

/// As [`fma_f32`], in f64.
pub fn fma_f64(isa: Isa, rounds: usize) -> f64 {
    pick!(isa, fma_f64(rounds))
}

/// A call of the loop for `isa`, or of the baseline one where this machine lacks it.
macro_rules! pick {
    ($isa:expr, $name:ident($($arg:expr),*)) => {{
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instruction sets were found on this machine; slices are checked within.
        unsafe {
            match $isa {
                Isa::Avx512 if has_fma(Isa::Avx512) => x86::avx512::$name($($arg),*),
                Isa::Avx2 if has_fma(Isa::Avx2) => x86::avx2::$name($($arg),*),
                _ => x86::baseline::$name($($arg),*),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = $isa;
            portable::$name($($arg),*)
        }
    }};
}
use pick;

/// The loops over arrays as vectors.
#[cfg(not(target_arch = "x86_64"))]
mod portable {
    use super::lanes::Portable;

    pub fn read(values: &[f32]) -> f32 {
        // SAFETY: `Portable` needs no instruction set, as below.
        unsafe { super::read_with::<Portable<f32, 4>>(values) }
    }
    pub fn copy(a: &[f32], out: &mut [f32], streaming: bool) {
        // SAFETY: as above.
        unsafe { super::copy_with::<Portable<f32, 4>>(a, out, streaming) }
    }
    pub fn triad(a: &[f32], b: &[f32], out: &mut [f32], streaming: bool) {
        // SAFETY: as above.
        unsafe { super::triad_with::<Portable<f32, 4>>(a, b, out, streaming) }
    }
    pub fn fma_f32(rounds: usize) -> f64 {
        // SAFETY: as above.
        unsafe { super::fma_with::<Portable<f32, 4>>(rounds) }
    }
    pub fn fma_f64(rounds: usize) -> f64 {
        // SAFETY: as above.
        unsafe { super::fma_with::<Portable<f64, 2>>(rounds) }
    }
}

/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
unsafe fn read_with<V: Memory>(values: &[f32]) -> f32 {
    let step = 4 * V::LEN;
    let whole = values.len() / step * step;
    // SAFETY: the machine has `V` by the caller's word; each load is of `V::LEN` elements that end
    // at or before `whole`.
    let sum = unsafe {
        let mut sums = [V::splat(0.0); 4];
        let mut i = 0;
        while i < whole {
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum = sum.add(V::load(values.as_ptr().add(i + k * V::LEN)));
            }
            i += step;
        }
        sums[0].add(sums[1]).add(sums[2].add(sums[3])).total()
    };
    sum as f32 + values[whole..].iter().sum::<f32>()
}

/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
unsafe fn copy_with<V: Memory>(a: &[f32], out: &mut [f32], streaming: bool) {
    let a = &a[..a.len().min(out.len())];
    // SAFETY: the machine has `V` by the caller's word; `write_with` asks for elements of `out`,
    // which is no longer than `a`.
    unsafe {
        let out = &mut out[..a.len()];
        write_with::<V>(out, streaming, |i| V::load(a.as_ptr().add(i)), |i| a[i]);
    }
}

/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
unsafe fn triad_with<V: Memory>(a: &[f32], b: &[f32], out: &mut [f32], streaming: bool) {
    let n = a.len().min(b.len()).min(out.len());
    let (a, b) = (&a[..n], &b[..n]);
    // SAFETY: as in `copy_with`, for two arrays.
    unsafe {
        let factor = V::splat(f64::from(TRIAD));
        let vector = |i| V::load(b.as_ptr().add(i)).mul_add(factor, V::load(a.as_ptr().add(i)));
        write_with::<V>(&mut out[..n], streaming, vector, |i| b[i] * TRIAD + a[i]);
    }
}

/// Fills `out` from a function of the index, whole aligned vectors at a time.
///
/// # Safety
/// The machine has the instructions of `V`; `vector(i)` may be called where `i + V::LEN` elements
/// of `out` exist.
#[inline(always)]
unsafe fn write_with<V: Memory>(
    out: &mut [f32],
    streaming: bool,
    vector: impl Fn(usize) -> V,
    one: impl Fn(usize) -> f32,
) {
    let head = out
        .as_ptr()
        .align_offset(V::LEN * size_of::<f32>())
        .min(out.len());
    let whole = head + (out.len() - head) / V::LEN * V::LEN;
    for (i, slot) in out[..head].iter_mut().enumerate() {
        *slot = one(i);
    }
    let start = out.as_mut_ptr();
    let mut i = head;
    // SAFETY: from `head` on, `start + i` is aligned to a vector and `V::LEN` elements end at or
    // before `whole`, within `out`.
    unsafe {
        if streaming {
            while i < whole {
                vector(i).stream(start.add(i));
                i += V::LEN;
            }
            V::fence();
        } else {
            while i < whole {
                vector(i).store(start.add(i));
                i += V::LEN;
            }
        }
    }
    for (i, slot) in out[whole..].iter_mut().enumerate() {
        *slot = one(whole + i);
    }
}

/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
unsafe fn fma_with<V: Arithmetic>(rounds: usize) -> f64 {
    // SAFETY: the machine has `V` by the caller's word; nothing here touches memory.
    let total = unsafe {
        let factor = V::splat(std::hint::black_box(0.999_999));
        let term = V::splat(std::hint::black_box(1e-9));
        let mut chains: [V; CHAINS] = std::array::from_fn(|n| V::splat(n as f64));
        for _ in 0..rounds {
            for chain in &mut chains {
                *chain = chain.mul_add(factor, term);
            }
        }
        let mut total = V::splat(0.0);
        for chain in chains {
            total = total.add(chain);
        }
        total.total()
    };
    std::hint::black_box(total);
    (2 * CHAINS * V::LEN) as f64 * rounds as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISAS: [Isa; 3] = [Isa::Baseline, Isa::Avx2, Isa::Avx512];

    #[test]
    fn loops_are_right_at_every_length_and_alignment() {
        let a: Vec<f32> = (0..300).map(|i| (i % 31) as f32).collect();
        let b: Vec<f32> = (0..300).map(|i| (i % 17) as f32).collect();
        for isa in ISAS {
            for first in [0, 1, 3] {
                for n in (0..70).chain([200, 255]) {
                    let (a, b) = (&a[first..first + n], &b[first..first + n]);
                    assert_eq!(read(isa, a), a.iter().sum::<f32>(), "{isa:?} {n}");
                    for stores in [Stores::Plain, Stores::Streaming] {
                        let mut out = vec![-1.0; n + 2];
                        copy(isa, a, &mut out[1..=n], stores);
                        assert_eq!((&out[1..=n], out[0], out[n + 1]), (a, -1.0, -1.0));
                        triad(isa, a, b, &mut out[1..=n], stores);
                        let want: Vec<f32> = a.iter().zip(b).map(|(a, b)| a + 3.0 * b).collect();
                        assert_eq!((&out[1..=n], out[0], out[n + 1]), (&want[..], -1.0, -1.0));
                    }
                }
            }
        }
    }

    #[test]
    fn the_shortest_slice_counts() {
        let mut out = [0.0; 4];
        triad(Isa::detect(), &[1.0, 2.0], &[1.0; 3], &mut out, Stores::Plain);
        assert_eq!(out, [4.0, 5.0, 0.0, 0.0]);
        copy(Isa::detect(), &[7.0], &mut out, Stores::Streaming);
        assert_eq!(out, [7.0, 5.0, 0.0, 0.0]);
    }

    #[test]
    fn operations_are_counted() {
        for isa in ISAS {
            let per_round = fma_f32(isa, 1);
            assert_eq!(fma_f32(isa, 1000), 1000.0 * per_round);
            assert_eq!(fma_f64(isa, 10), 10.0 * per_round / 2.0);
        }
    }
}
