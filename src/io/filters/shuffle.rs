//! HDF5's shuffle filter: byte planes of the elements of a chunk, both ways.

/// Byte planes back to elements of `size` bytes; a rest shorter than an element stays behind.
pub(super) fn unshuffle(planes: &[u8], size: usize, out: &mut [u8]) {
    let count = planes.len() / size;
    let (body, rest) = planes.split_at(count * size);
    match size {
        2 => interleave::<2>(body, count, out),
        4 => interleave::<4>(body, count, out),
        8 => interleave::<8>(body, count, out),
        16 => interleave::<16>(body, count, out),
        _ => {
            for (plane, bytes) in body.chunks_exact(count.max(1)).enumerate() {
                for (element, byte) in bytes.iter().enumerate() {
                    out[element * size + plane] = *byte;
                }
            }
        }
    }
    out[count * size..planes.len()].copy_from_slice(rest);
}

/// The common element sizes, so plainly that the compiler sees the vector shuffles in it.
fn interleave<const N: usize>(planes: &[u8], count: usize, out: &mut [u8]) {
    let (planes, out) = (&planes[..N * count], &mut out[..N * count]);
    for j in 0..count {
        for i in 0..N {
            out[j * N + i] = planes[i * count + j];
        }
    }
}

/// Elements of `size` bytes to byte planes; a rest shorter than an element stays behind.
pub(super) fn shuffle(elements: &[u8], size: usize, out: &mut [u8]) {
    let count = elements.len() / size;
    let (body, rest) = elements.split_at(count * size);
    let (planes, tail) = out.split_at_mut(count * size);
    match size {
        2 => deal(body, count, planes, |element, byte| {
            (u16::from_le_bytes(element) >> (8 * byte)) as u8
        }),
        4 => deal(body, count, planes, |element, byte| {
            (u32::from_le_bytes(element) >> (8 * byte)) as u8
        }),
        8 => deal(body, count, planes, |element, byte| {
            (u64::from_le_bytes(element) >> (8 * byte)) as u8
        }),
        16 => deal::<16>(body, count, planes, |element, byte| element[byte]),
        _ => {
            for (plane, bytes) in planes.chunks_exact_mut(count.max(1)).enumerate() {
                for (byte, element) in bytes.iter_mut().zip(body.chunks_exact(size)) {
                    *byte = element[plane];
                }
            }
        }
    }
    tail.copy_from_slice(rest);
}

/// The common element sizes, in tiles that stay in the inner cache for all planes.
fn deal<const N: usize>(body: &[u8], count: usize, planes: &mut [u8], pick: impl Fn([u8; N], usize) -> u8) {
    const TILE: usize = 1024;
    for (tile, elements) in body.as_chunks::<N>().0.chunks(TILE).enumerate() {
        for i in 0..N {
            let plane = &mut planes[i * count + tile * TILE..][..elements.len()];
            for (byte, element) in plane.iter_mut().zip(elements) {
                *byte = pick(*element, i);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{shuffle, unshuffle};

    #[test]
    fn planes_are_those_of_the_definition() {
        for size in [1, 2, 3, 4, 8, 12, 16] {
            for n in [0, 1, size, 31 * size, 32 * size, 77 * size + size / 2, 4096] {
                let bytes: Vec<u8> = (0..n).map(|i| (i * 7 % 251) as u8).collect();
                let count = n / size;
                let mut planes = vec![0; n];
                shuffle(&bytes, size, &mut planes);
                for (at, byte) in bytes.iter().enumerate() {
                    let element = at / size;
                    let place = if element < count {
                        at % size * count + element
                    } else {
                        at
                    };
                    assert_eq!(planes[place], *byte, "{size} {n} {at}");
                }
                let mut back = vec![0; n];
                unshuffle(&planes, size, &mut back);
                assert_eq!(back, bytes);
            }
        }
    }
}
