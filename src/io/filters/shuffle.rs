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

/// The common element sizes, in blocks that the compiler turns into vector shuffles.
fn interleave<const N: usize>(planes: &[u8], count: usize, out: &mut [u8]) {
    const BLOCK: usize = 32;
    let plane: [&[u8]; N] = std::array::from_fn(|i| &planes[i * count..(i + 1) * count]);
    let whole = count - count % BLOCK;
    for at in (0..whole).step_by(BLOCK) {
        let block: [&[u8; BLOCK]; N] =
            std::array::from_fn(|i| plane[i][at..].first_chunk::<BLOCK>().unwrap_or(&[0; BLOCK]));
        let target = &mut out[at * N..(at + BLOCK) * N];
        for (j, element) in target.chunks_exact_mut(N).enumerate() {
            for i in 0..N {
                element[i] = block[i][j];
            }
        }
    }
    for j in whole..count {
        for i in 0..N {
            out[j * N + i] = plane[i][j];
        }
    }
}

/// Elements of `size` bytes to byte planes; a rest shorter than an element stays behind.
pub(super) fn shuffle(elements: &[u8], size: usize, out: &mut [u8]) {
    let count = elements.len() / size;
    let (body, rest) = elements.split_at(count * size);
    let (planes, tail) = out.split_at_mut(count * size);
    match size {
        2 => deal::<2>(body, count, planes),
        4 => deal::<4>(body, count, planes),
        8 => deal::<8>(body, count, planes),
        16 => deal::<16>(body, count, planes),
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

/// The common element sizes, in blocks that the compiler turns into vector shuffles.
fn deal<const N: usize>(body: &[u8], count: usize, planes: &mut [u8]) {
    const BLOCK: usize = 32;
    let whole = count - count % BLOCK;
    for at in (0..whole).step_by(BLOCK) {
        let source = &body[at * N..(at + BLOCK) * N];
        for i in 0..N {
            let mut bytes = [0u8; BLOCK];
            for (byte, element) in bytes.iter_mut().zip(source.chunks_exact(N)) {
                *byte = element[i];
            }
            planes[i * count + at..][..BLOCK].copy_from_slice(&bytes);
        }
    }
    for j in whole..count {
        for i in 0..N {
            planes[i * count + j] = body[j * N + i];
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
