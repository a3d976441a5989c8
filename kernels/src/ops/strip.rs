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
}

/// A tuple of elements that is read from as many strips.
pub(crate) trait Load: Sized {
    /// The strips, typed.
    type Strips<'a>;
    /// The first `n` elements of each strip.
    fn open<'a>(args: &[&'a [u8]], n: usize) -> Self::Strips<'a>;
    /// The elements at `i`, which is below the `n` of `open`.
    fn get(strips: &Self::Strips<'_>, i: usize) -> Self;
}

impl<A: Element> Load for (A,) {
    type Strips<'a> = &'a [A::Stored];
    #[inline(always)]
    fn open<'a>(args: &[&'a [u8]], n: usize) -> Self::Strips<'a> {
        &bytemuck::cast_slice(args[0])[..n]
    }
    #[inline(always)]
    fn get(a: &Self::Strips<'_>, i: usize) -> Self {
        (A::load(a[i]),)
    }
}

impl<A: Element, B: Element> Load for (A, B) {
    type Strips<'a> = (&'a [A::Stored], &'a [B::Stored]);
    #[inline(always)]
    fn open<'a>(args: &[&'a [u8]], n: usize) -> Self::Strips<'a> {
        (
            &bytemuck::cast_slice(args[0])[..n],
            &bytemuck::cast_slice(args[1])[..n],
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
    fn open<'a>(args: &[&'a [u8]], n: usize) -> Self::Strips<'a> {
        (
            &bytemuck::cast_slice(args[0])[..n],
            &bytemuck::cast_slice(args[1])[..n],
            &bytemuck::cast_slice(args[2])[..n],
        )
    }
    #[inline(always)]
    fn get((a, b, c): &Self::Strips<'_>, i: usize) -> Self {
        (A::load(a[i]), B::load(b[i]), C::load(c[i]))
    }
}

/// The loop itself; `out` tells the number of elements.
#[inline(always)]
fn run<F: Map<Args>, Args: Load>(args: &[&[u8]], out: &mut [u8]) {
    let out: &mut [<F::Out as Element>::Stored] = bytemuck::cast_slice_mut(out);
    let strips = Args::open(args, out.len());
    for (i, slot) in out.iter_mut().enumerate() {
        *slot = F::at(Args::get(&strips, i)).store();
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

/// The loop of `F` without vector variants: for bodies that call scalar functions anyway.
pub(crate) fn scalar<F: Map<Args>, Args: Load>(_: Isa) -> StripFn {
    baseline::<F, Args>
}

/// The kernel of an op for a signature's last dtype, from the scalar meaning per family:
/// `map!(args, isa; ints: (a, b) = a.wrapping_add(b); floats: (a, b) = a + b;)`.
///
/// Within a body the arguments have the Rust type of the dtype; `-> bool` says that the result
/// is no such value but a bool. Families: `bool`, `ints`, `signed`, `unsigned`, `floats` (f32 and
/// f64), `f32`, `f64`, `halves`; `words` and `bits` take integers or any dtype as the unsigned
/// type of that width, for bodies that do not ask what the bits mean; `f64_scalar` has no vector
/// variants. Without a family for the dtype the kernel is `None`.
macro_rules! map {
    (@family bool $($r:tt)*) => { $crate::ops::strip::map!(@each select {[bool Bool]} $($r)*) };
    (@family ints $($r:tt)*) => {
        $crate::ops::strip::map!(@each select {[i8 I8] [i16 I16] [i32 I32] [i64 I64] [u8 U8] [u16 U16] [u32 U32] [u64 U64]} $($r)*)
    };
    (@family signed $($r:tt)*) => { $crate::ops::strip::map!(@each select {[i8 I8] [i16 I16] [i32 I32] [i64 I64]} $($r)*) };
    (@family unsigned $($r:tt)*) => { $crate::ops::strip::map!(@each select {[u8 U8] [u16 U16] [u32 U32] [u64 U64]} $($r)*) };
    (@family words $($r:tt)*) => {
        $crate::ops::strip::map!(@each select {[u8 I8 U8] [u16 I16 U16] [u32 I32 U32] [u64 I64 U64]} $($r)*)
    };
    (@family bits $($r:tt)*) => {
        $crate::ops::strip::map!(@each select {[u8 Bool I8 U8] [u16 I16 U16 F16 BF16] [u32 I32 U32 F32] [u64 I64 U64 F64]} $($r)*)
    };
    (@family floats $($r:tt)*) => { $crate::ops::strip::map!(@each select {[f32 F32] [f64 F64]} $($r)*) };
    (@family f32 $($r:tt)*) => { $crate::ops::strip::map!(@each select {[f32 F32]} $($r)*) };
    (@family f64 $($r:tt)*) => { $crate::ops::strip::map!(@each select {[f64 F64]} $($r)*) };
    (@family f64_scalar $($r:tt)*) => { $crate::ops::strip::map!(@each scalar {[f64 F64]} $($r)*) };
    (@family halves $($r:tt)*) => { $crate::ops::strip::map!(@each select {[f16 F16] [bf16 BF16]} $($r)*) };
    (@each $how:ident {$([$t:ident $($d:ident)+])+} $rest:tt) => {
        $($crate::ops::strip::map!(@one $how $t [$($d)+] $rest);)+
    };
    (@one $how:ident $t:ident [$($d:ident)+]
        ($dtype:ident $isa:ident ($($x:ident)+) [$($out:ident)?] $body:expr)) => {
        if matches!($dtype, $($crate::DType::$d)|+) {
            struct F;
            impl $crate::ops::strip::Map<($($crate::ops::strip::map!(@second $x $t),)+)> for F {
                type Out = $crate::ops::strip::map!(@last $t $($out)?);
                #[inline(always)]
                fn at(($($x,)+): ($($crate::ops::strip::map!(@second $x $t),)+)) -> Self::Out {
                    $body
                }
            }
            return Some($crate::ops::strip::$how::<F, ($($crate::ops::strip::map!(@second $x $t),)+)>($isa));
        }
    };
    (@second $x:ident $t:ident) => { $t };
    (@last $t:ident) => { $t };
    (@last $t:ident $out:ident) => { $out };
    ($args:expr, $isa:expr; $($family:ident: ($($x:ident),+) $(-> $out:ident)? = $body:expr;)+) => {{
        #[allow(unused_imports)] // half floats are named by few records
        use $crate::{bf16, f16};
        let isa: $crate::Isa = $isa;
        let dtype: $crate::DType = *$args.last()?;
        $($crate::ops::strip::map!(@family $family (dtype isa ($($x)+) [$($out)?] $body));)+
        None
    }};
}
pub(crate) use map;
