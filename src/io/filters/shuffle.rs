//! HDF5's shuffle filter: byte planes of the elements of a chunk, both ways.
//!
//! Planes are joined pairwise, to elements of 2, 4 and 8 bytes, tile by tile: each step is a loop over
//! slices of one length, which becomes vector shuffles on any instruction set.

/// Elements that are worked on at once: their planes and halves stay in the innermost cache.
const TILE: usize = 1024;

/// Byte planes back to elements of `size` bytes; a rest shorter than an element stays behind.
pub(super) fn unshuffle(planes: &[u8], size: usize, out: &mut [u8]) {
    let count = planes.len() / size;
    let (body, rest) = planes.split_at(count * size);
    let (elements, tail) = out[..planes.len()].split_at_mut(count * size);
    match size {
        2 => join(&body[..count], &body[count..], elements.as_chunks_mut().0),
        4 => {
            for (tile, out) in elements.as_chunks_mut().0.chunks_mut(TILE).enumerate() {
                join_four(body, count, tile * TILE, out);
            }
        }
        8 => {
            let (low, high) = body.split_at(4 * count);
            let (mut a, mut b) = ([[0; 4]; TILE], [[0; 4]; TILE]);
            for (tile, out) in elements.as_chunks_mut::<8>().0.chunks_mut(TILE).enumerate() {
                let n = out.len();
                join_four(low, count, tile * TILE, &mut a[..n]);
                join_four(high, count, tile * TILE, &mut b[..n]);
                for ((element, low), high) in out.iter_mut().zip(&a).zip(&b) {
                    let low = u64::from(u32::from_le_bytes(*low));
                    *element = (low | u64::from(u32::from_le_bytes(*high)) << 32).to_le_bytes();
                }
            }
        }
        _ => {
            for (plane, bytes) in body.chunks_exact(count.max(1)).enumerate() {
                for (element, byte) in elements.chunks_exact_mut(size).zip(bytes) {
                    element[plane] = *byte;
                }
            }
        }
    }
    tail.copy_from_slice(rest);
}

/// Pairs of bytes.
fn join(low: &[u8], high: &[u8], out: &mut [[u8; 2]]) {
    for ((pair, low), high) in out.iter_mut().zip(low).zip(high) {
        *pair = [*low, *high];
    }
}

/// The elements from `at` on of four planes of `count` bytes.
fn join_four(planes: &[u8], count: usize, at: usize, out: &mut [[u8; 4]]) {
    let n = out.len();
    let plane = |number: usize| &planes[number * count + at..][..n];
    let (mut a, mut b) = ([[0; 2]; TILE], [[0; 2]; TILE]);
    join(plane(0), plane(1), &mut a[..n]);
    join(plane(2), plane(3), &mut b[..n]);
    for ((element, low), high) in out.iter_mut().zip(&a).zip(&b) {
        let low = u32::from(u16::from_le_bytes(*low));
        *element = (low | u32::from(u16::from_le_bytes(*high)) << 16).to_le_bytes();
    }
}

/// Elements of `size` bytes to byte planes; a rest shorter than an element stays behind.
pub(super) fn shuffle(elements: &[u8], size: usize, out: &mut [u8]) {
    let count = elements.len() / size;
    let (body, rest) = elements.split_at(count * size);
    let (planes, tail) = out.split_at_mut(count * size);
    match size {
        2 => {
            let (low, high) = planes.split_at_mut(count);
            split(body.as_chunks().0, low, high);
        }
        4 => {
            for (tile, elements) in body.as_chunks().0.chunks(TILE).enumerate() {
                split_four(elements, planes, count, tile * TILE);
            }
        }
        8 => {
            let (low, high) = planes.split_at_mut(4 * count);
            let (mut a, mut b) = ([[0; 4]; TILE], [[0; 4]; TILE]);
            for (tile, elements) in body.as_chunks::<8>().0.chunks(TILE).enumerate() {
                for ((element, low), high) in elements.iter().zip(&mut a).zip(&mut b) {
                    let word = u64::from_le_bytes(*element);
                    *low = (word as u32).to_le_bytes();
                    *high = ((word >> 32) as u32).to_le_bytes();
                }
                let n = elements.len();
                split_four(&a[..n], low, count, tile * TILE);
                split_four(&b[..n], high, count, tile * TILE);
            }
        }
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

/// The bytes of pairs.
fn split(pairs: &[[u8; 2]], low: &mut [u8], high: &mut [u8]) {
    for ((pair, low), high) in pairs.iter().zip(low).zip(high) {
        let pair = u16::from_le_bytes(*pair);
        (*low, *high) = (pair as u8, (pair >> 8) as u8);
    }
}

/// The four planes of elements, from `at` on, of `count` bytes each.
fn split_four(elements: &[[u8; 4]], planes: &mut [u8], count: usize, at: usize) {
    let n = elements.len();
    let (mut a, mut b) = ([[0; 2]; TILE], [[0; 2]; TILE]);
    for ((element, low), high) in elements.iter().zip(&mut a).zip(&mut b) {
        let word = u32::from_le_bytes(*element);
        *low = (word as u16).to_le_bytes();
        *high = ((word >> 16) as u16).to_le_bytes();
    }
    for (pairs, planes) in [&a, &b].into_iter().zip(planes.chunks_exact_mut(2 * count)) {
        let (low, high) = planes.split_at_mut(count);
        split(&pairs[..n], &mut low[at..at + n], &mut high[at..at + n]);
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
