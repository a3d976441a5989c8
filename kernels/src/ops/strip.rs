//! Loops over strips: one generic body, compiled once per instruction set.
//!
//! A record gives its scalar meaning as expressions, and `map!` turns each into a zero-sized
//! [`Map`] whose `at` is inlined into [`run`]. The wrappers below compile that same body for SSE2,
//! AVX2 and AVX-512; no contraction of multiply and add is permitted, so all give the same bits
//! (but for the payload of NaNs, which the hardware takes from either operand).

use super::{Isa, StripFn};
use crate::Element;

/// A function of one element of each argument; `Args` is a tuple of [`Element`] types.
pub(crate) trait Map<Args> {
    /// The type of the result.
    type Out: Element;
    /// The scalar meaning.
    fn at(args: Args) -> Self::Out;

    /// Whether there is an [`easy`](Map::easy) way at all.
    const HAS_EASY: bool = false;
    /// Whether `easy` gives the bits of `at`.
    #[inline(always)]
    fn is_easy(_: Args) -> bool {
        true
    }
    /// `at` for most arguments, without the branches that rare ones need.
    #[inline(always)]
    fn easy(args: Args) -> Self::Out {
        Self::at(args)
    }
}

/// A tuple of elements that is read from as many strips.
pub(crate) trait Load: Sized {
    /// The strips, typed.
    type Strips<'a>;
    /// `n` elements of each strip from the one at `first`.
    fn open<'a>(args: &[&'a [u8]], first: usize, n: usize) -> Self::Strips<'a>;
    /// The elements at `first + i`; `i` is below the `n` of `open`.
    fn get(strips: &Self::Strips<'_>, i: usize) -> Self;
}

impl<A: Element> Load for (A,) {
    type Strips<'a> = &'a [A::Stored];
    #[inline(always)]
    fn open<'a>(args: &[&'a [u8]], first: usize, n: usize) -> Self::Strips<'a> {
        &bytemuck::cast_slice(args[0])[first..][..n]
    }
    #[inline(always)]
    fn get(a: &Self::Strips<'_>, i: usize) -> Self {
        (A::load(a[i]),)
    }
}

impl<A: Element, B: Element> Load for (A, B) {
    type Strips<'a> = (&'a [A::Stored], &'a [B::Stored]);
    #[inline(always)]
    fn open<'a>(args: &[&'a [u8]], first: usize, n: usize) -> Self::Strips<'a> {
        (
            &bytemuck::cast_slice(args[0])[first..][..n],
            &bytemuck::cast_slice(args[1])[first..][..n],
        )
    }
    #[inline(always)]
    fn get((a, b): &Self::Strips<'_>, i: usize) -> Self {
        (A::load(a[i]), B::load(b[i]))
    }
}

impl<A: Element, B: Element, C: Element> Load for (A, B, C) {
    type Strips<'a> = (&'a [A::Stored], &'a [B::Stored], &'a [C::Stored]);
    #[inline(always)]
    fn open<'a>(args: &[&'a [u8]], first: usize, n: usize) -> Self::Strips<'a> {
        (
            &bytemuck::cast_slice(args[0])[first..][..n],
            &bytemuck::cast_slice(args[1])[first..][..n],
            &bytemuck::cast_slice(args[2])[first..][..n],
        )
    }
    #[inline(always)]
    fn get((a, b, c): &Self::Strips<'_>, i: usize) -> Self {
        (A::load(a[i]), B::load(b[i]), C::load(c[i]))
    }
}

/// Elements that are looked at together: one that is not easy slows so many.
const LOOK: usize = 512;

/// The loop itself; `out` tells the number of elements.
#[inline(always)]
fn run<F: Map<Args>, Args: Load>(args: &[&[u8]], out: &mut [u8]) {
    let out: &mut [<F::Out as Element>::Stored] = bytemuck::cast_slice_mut(out);
    if !F::HAS_EASY {
        let strips = Args::open(args, 0, out.len());
        return each::<F, Args, false>(&strips, out);
    }
    for (block, out) in out.chunks_mut(LOOK).enumerate() {
        let strips = Args::open(args, block * LOOK, out.len());
        let mut rare = 0u32;
        for i in 0..out.len() {
            rare |= u32::from(!F::is_easy(Args::get(&strips, i)));
        }
        if rare == 0 {
            each::<F, Args, true>(&strips, out);
        } else {
            each::<F, Args, false>(&strips, out);
        }
    }
}

/// Sets every element of `out`, of as many as the strips were opened for. The function is no
/// parameter: a long one would be called element by element.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // an iterator leaves a check in the loop, and a scalar tail
fn each<F: Map<Args>, Args: Load, const EASY: bool>(
    strips: &Args::Strips<'_>,
    out: &mut [<F::Out as Element>::Stored],
) {
    for i in 0..out.len() {
        let args = Args::get(strips, i);
        out[i] = if EASY { F::easy(args) } else { F::at(args) }.store();
    }
}

fn baseline<F: Map<Args>, Args: Load>(args: &[&[u8]], out: &mut [u8]) {
    run::<F, Args>(args, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn compiled_for_avx2<F: Map<Args>, Args: Load>(args: &[&[u8]], out: &mut [u8]) {
    run::<F, Args>(args, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512dq,avx512bw,avx512vl")]
fn compiled_for_avx512<F: Map<Args>, Args: Load>(args: &[&[u8]], out: &mut [u8]) {
    run::<F, Args>(args, out);
}

#[cfg(target_arch = "x86_64")]
fn avx2<F: Map<Args>, Args: Load>(args: &[&[u8]], out: &mut [u8]) {
    // SAFETY: only `select` hands this function out, after `Isa::available` found AVX2.
    unsafe { compiled_for_avx2::<F, Args>(args, out) }
}

#[cfg(target_arch = "x86_64")]
fn avx512<F: Map<Args>, Args: Load>(args: &[&[u8]], out: &mut [u8]) {
    // SAFETY: only `select` hands this function out, after `Isa::available` found AVX-512 F, DQ,
    // BW and VL; each machine with those has AVX2.
    unsafe { compiled_for_avx512::<F, Args>(args, out) }
}

/// The loop of `F` for `isa`, or the baseline one where this machine lacks it.
pub(crate) fn select<F: Map<Args>, Args: Load>(isa: Isa) -> StripFn {
    #[cfg(target_arch = "x86_64")]
    match isa {
        Isa::Avx512 if isa.available() => return avx512::<F, Args>,
        Isa::Avx2 if isa.available() => return avx2::<F, Args>,
        _ => {}
    }
    let _ = isa;
    baseline::<F, Args>
}

/// The kernel of an op for a signature's last dtype, from the scalar meaning per family:
/// `map!(args, isa; ints: (a, b) = a.wrapping_add(b); floats: (a, b) = a + b;)`.
///
/// Within a body the arguments have the Rust type of the dtype; `-> bool` says that the result
/// is no such value but a bool. `, if test => easy` after the body is a second meaning without
/// branches, for strips whose every element passes the test. Families: `bool`, `ints`, `signed`,
/// `unsigned`, `floats` (f32 and f64), `f32`, `f64`, `halves`, `complex`, `c64`, `c128`; `words` and `bits` take integers or
/// any dtype as the unsigned type of that width, for bodies that do not ask what the bits mean.
/// Without a family for the dtype the kernel is `None`.
macro_rules! map {
    // The types of a family, each with the dtypes it stands for.
    (@family bool $r:tt) => { map!(@each {[bool Bool]} $r) };
    (@family ints $r:tt) => {
        map!(@family signed $r);
        map!(@family unsigned $r);
    };
    (@family signed $r:tt) => { map!(@each {[i8 I8] [i16 I16] [i32 I32] [i64 I64]} $r) };
    (@family unsigned $r:tt) => { map!(@each {[u8 U8] [u16 U16] [u32 U32] [u64 U64]} $r) };
    (@family words $r:tt) => { map!(@each {[u8 I8 U8] [u16 I16 U16] [u32 I32 U32] [u64 I64 U64]} $r) };
    (@family bits $r:tt) => {
        map!(@each {[u8 Bool I8 U8] [u16 I16 U16 F16 BF16] [u32 I32 U32 F32] [u64 I64 U64 F64]} $r)
    };
    (@family floats $r:tt) => { map!(@each {[f32 F32] [f64 F64]} $r) };
    (@family complex $r:tt) => { map!(@each {[Complex32 C64] [Complex64 C128]} $r) };
    (@family c64 $r:tt) => { map!(@each {[Complex32 C64]} $r) };
    (@family c128 $r:tt) => { map!(@each {[Complex64 C128]} $r) };
    (@family f32 $r:tt) => { map!(@each {[f32 F32]} $r) };
    (@family f64 $r:tt) => { map!(@each {[f64 F64]} $r) };
    (@family halves $r:tt) => { map!(@each {[f16 F16] [bf16 BF16]} $r) };
    (@each {$([$t:ident $($d:ident)+])+} $r:tt) => { $(map!(@one $t [$($d)+] $r);)+ };
    // One type: the meaning as a `Map`, and its loop if the dtype is one of those.
    (@one $t:ident [$($d:ident)+]
        ($dtype:ident $isa:ident ($($x:ident),+) [$($out:ident)?] $body:expr; $easy:tt)) => {
        if matches!($dtype, $($crate::DType::$d)|+) {
            struct F;
            impl $crate::ops::strip::Map<($(map!(@second $x $t),)+)> for F {
                type Out = map!(@last $t $($out)?);
                #[inline(always)]
                fn at(($($x,)+): ($(map!(@second $x $t),)+)) -> Self::Out {
                    $body
                }
                map!(@easy $t ($($x),+) $easy);
            }
            return Some($crate::ops::strip::select::<F, ($(map!(@second $x $t),)+)>($isa));
        }
    };
    (@easy $t:ident $x:tt []) => {};
    (@easy $t:ident ($($x:ident),+) [$test:expr => $easy:expr]) => {
        const HAS_EASY: bool = true;
        #[inline(always)]
        fn is_easy(($($x,)+): ($(map!(@second $x $t),)+)) -> bool {
            $test
        }
        #[inline(always)]
        fn easy(($($x,)+): ($(map!(@second $x $t),)+)) -> Self::Out {
            $easy
        }
    };
    (@second $x:ident $t:ident) => { $t };
    (@last $t:ident) => { $t };
    (@last $t:ident $out:ident) => { $out };
    ($args:expr, $isa:expr; $($family:ident: $x:tt $(-> $out:ident)? = $body:expr $(, if $test:expr => $easy:expr)?;)+) => {{
        #[allow(unused_imports)] // half floats and complex numbers are named by few records
        use $crate::{Complex32, Complex64, bf16, f16, ops::strip::map};
        let isa: $crate::Isa = $isa;
        let dtype: $crate::DType = *$args.last()?;
        $(map!(@family $family (dtype isa $x [$($out)?] $body; [$($test => $easy)?]));)+
        None
    }};
}
pub(crate) use map;
