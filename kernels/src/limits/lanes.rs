//! What a vector of the limit loops can do, so that each loop is written once.

/// Arithmetic in registers.
pub(super) trait Arithmetic: Copy {
    /// Number of elements.
    const LEN: usize;
    /// # Safety
    /// The machine has the vector's instructions, here and below.
    unsafe fn splat(value: f64) -> Self;
    /// # Safety
    /// As [`Arithmetic::splat`].
    unsafe fn add(self, other: Self) -> Self;
    /// `self * factor + term`, in one rounding where the instruction set has it.
    ///
    /// # Safety
    /// As [`Arithmetic::splat`].
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self;
    /// The sum of the elements.
    ///
    /// # Safety
    /// As [`Arithmetic::splat`].
    unsafe fn total(self) -> f64;
}

/// f32 from and to memory.
pub(super) trait Memory: Arithmetic {
    /// # Safety
    /// The machine has the vector's instructions; `LEN` elements can be read at `from`.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// The machine has the vector's instructions; `to` is aligned to the vector's size and `LEN`
    /// elements can be written there.
    unsafe fn store(self, to: *mut f32);
    /// # Safety
    /// As [`Memory::store`].
    unsafe fn stream(self, to: *mut f32);
    /// Orders streaming stores before what follows.
    ///
    /// # Safety
    /// The machine has the vector's instructions.
    unsafe fn fence();
}

/// An array that the compiler turns into a vector of the architecture.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy)]
pub(super) struct Portable<T, const N: usize>([T; N]);

#[cfg(not(target_arch = "x86_64"))]
macro_rules! portable {
    ($t:ty, $n:literal) => {
        impl Arithmetic for Portable<$t, $n> {
            const LEN: usize = $n;
            #[inline(always)]
            unsafe fn splat(value: f64) -> Self {
                Portable([value as $t; $n])
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                Portable(std::array::from_fn(|i| self.0[i] + other.0[i]))
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
                let one = |i: usize| {
                    if cfg!(target_arch = "aarch64") {
                        self.0[i].mul_add(factor.0[i], term.0[i])
                    } else {
                        self.0[i] * factor.0[i] + term.0[i]
                    }
                };
                Portable(std::array::from_fn(one))
            }
            #[inline(always)]
            unsafe fn total(self) -> f64 {
                self.0.iter().map(|&v| f64::from(v)).sum()
            }
        }
    };
}
#[cfg(not(target_arch = "x86_64"))]
portable!(f32, 4);
#[cfg(not(target_arch = "x86_64"))]
portable!(f64, 2);

#[cfg(not(target_arch = "x86_64"))]
impl Memory for Portable<f32, 4> {
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: four elements can be read, by the caller's word.
        Portable(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: four elements can be written, by the caller's word.
        unsafe { to.cast::<[f32; 4]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // SAFETY: as `store`.
        unsafe { self.store(to) }
    }
    #[inline(always)]
    unsafe fn fence() {}
}
