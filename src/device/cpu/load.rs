//! Loads: rows of a strip gathered from where an input lies.

use crate::geometry::AxisStep;
use bytemuck::Pod;
use tilewise_kernels::transpose;

/// Copies `starts.len()` rows of `len` elements of `size` bytes to `out`, one behind the other.
/// Row `r` begins at element `starts[r]` of `source`; along it, element `first + i` of the inner
/// dimension lies `step` further.
pub(super) fn gather(
    size: usize,
    source: &[u8],
    starts: &[usize],
    step: &AxisStep,
    first: usize,
    len: usize,
    out: &mut [u8],
) {
    if let AxisStep::Step(step) = step
        && starts.windows(2).all(|pair| pair[1] == pair[0] + 1)
        && starts.len() > 1
    {
        return transpose(size, source, starts[0], *step, out, len);
    }
    match size {
        1 => typed::<1>(source, starts, step, first, len, out),
        2 => typed::<2>(source, starts, step, first, len, out),
        4 => typed::<4>(source, starts, step, first, len, out),
        8 => typed::<8>(source, starts, step, first, len, out),
        _ => typed::<16>(source, starts, step, first, len, out),
    }
}

/// The same for elements of `N` bytes, which need no alignment.
fn typed<const N: usize>(
    source: &[u8],
    starts: &[usize],
    step: &AxisStep,
    first: usize,
    len: usize,
    out: &mut [u8],
) where
    [u8; N]: Pod,
{
    let whole = source.len() / N * N;
    let source: &[[u8; N]] = bytemuck::cast_slice(&source[..whole]);
    let out: &mut [[u8; N]] = bytemuck::cast_slice_mut(out);
    let rows = out.chunks_exact_mut(len).zip(starts);
    match step {
        AxisStep::Step(0) => rows.for_each(|(row, &start)| row.fill(source[start])),
        AxisStep::Step(1) => rows.for_each(|(row, &start)| row.copy_from_slice(&source[start..start + len])),
        AxisStep::Step(-1) => rows.for_each(|(row, &start)| {
            let back = source[start + 1 - len..=start].iter().rev();
            row.iter_mut().zip(back).for_each(|(to, from)| *to = *from);
        }),
        AxisStep::Step(step) => rows.for_each(|(row, &start)| {
            let mut from = start;
            for to in row {
                *to = source[from];
                from = from.wrapping_add_signed(*step);
            }
        }),
        AxisStep::Table(table) => rows.for_each(|(row, &start)| {
            for (to, &from) in row.iter_mut().zip(&table[first..first + len]) {
                *to = source[start.wrapping_add_signed(from)];
            }
        }),
    }
}

/// Repeats one element over `out`.
pub(super) fn splat(element: &[u8], out: &mut [u8]) {
    fn fill<const N: usize>(element: &[u8], out: &mut [u8])
    where
        [u8; N]: Pod,
    {
        let value: [u8; N] = bytemuck::pod_read_unaligned(element);
        bytemuck::cast_slice_mut::<u8, [u8; N]>(out).fill(value);
    }
    match element.len() {
        1 => fill::<1>(element, out),
        2 => fill::<2>(element, out),
        4 => fill::<4>(element, out),
        8 => fill::<8>(element, out),
        _ => fill::<16>(element, out),
    }
}
