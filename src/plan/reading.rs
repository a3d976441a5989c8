//! What reading outside data block by block costs: how often stored chunks are decoded, and in how short
//! pieces plain data comes.
//!
//! The cost is a factor on the bytes of a block: 1 where the data is read as it is stored. Blocks are
//! grown until it is small, as far as memory goes; what stays costly is read as it is stored into tiles,
//! and brought together from these.

use super::stage::{Feed, PlanArray, Stage};
use super::{memory, shared::Read};
use crate::store::Source;

/// Bytes whose reading takes as long as beginning to read at another place.
const BEGINNING: f64 = 16384.0;

/// From this factor on, data goes through tiles.
pub(super) const COSTLY: f64 = 3.0;

/// The same for operations that choose the pieces to read by themselves.
pub(super) const COSTLY_IN_STEPS: f64 = 8.0 * COSTLY;

/// Up to this factor, larger blocks gain nothing worth their memory.
pub(super) const CHEAP: f64 = 1.3;

/// The factor for blocks of these extents.
pub(super) fn factor(source: &dyn Source, block: &[usize]) -> f64 {
    if source.in_memory().is_some() || source.stored_tiles().is_some() || block.contains(&0) {
        return 1.0;
    }
    let shape = source.shape();
    let size = source.dtype().size();
    let bytes = shape.iter().product::<usize>() * size;
    let chunk = source.chunks().unwrap_or(shape);
    if source.stored_bytes() < bytes as u64 && source.chunks().is_some() {
        let axes = shape.iter().zip(chunk).zip(block);
        return axes.map(|((&n, &c), &b)| decodes(n, c, b)).product();
    }
    let mut run = size as f64;
    for ((&n, &c), &b) in shape.iter().zip(chunk).zip(block).rev() {
        run *= b.min(c).min(n).max(1) as f64;
        if b < c.min(n) {
            break;
        }
    }
    1.0 + BEGINNING / run
}

/// How often blocks of extent `b` decode each chunk of extent `c` along an axis of `n`, in the mean.
fn decodes(n: usize, c: usize, b: usize) -> f64 {
    let (c, b) = (c.clamp(1, n.max(1)), b.clamp(1, n.max(1)));
    if b >= n || b.is_multiple_of(c) {
        1.0
    } else if c.is_multiple_of(b) {
        (c / b) as f64
    } else {
        // A block touches about 1 + (b - 1) / c chunks.
        ((c + b - 1) as f64 / b as f64).max(1.0)
    }
}

/// The worst factor among the large sources that a stage reads, for blocks of these extents.
pub(super) fn of_stage(stage: &Stage, arrays: &[PlanArray], block: &[usize]) -> f64 {
    let points = stage.shape.iter().product::<usize>();
    let mut worst = 1.0f64;
    for (number, variant) in stage.variants.iter().enumerate() {
        let reach = stage.reach(number, block);
        for (inputs, bound) in Read::apart(&variant.reads, &variant.inputs, arrays, &reach) {
            let input = &variant.inputs[inputs[0]];
            let Feed::Source(source) = &input.feed else {
                continue;
            };
            // What is small beside the stage does not matter.
            let large = source.shape().iter().product::<usize>() >= points / 8;
            if large && !memory::lies_in_memory(input, arrays) {
                worst = worst.max(factor(source.as_ref(), &bound));
            }
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use crate::geometry::Region;

    #[derive(Debug)]
    struct Stored {
        shape: Vec<usize>,
        chunk: Vec<usize>,
        bytes: u64,
    }

    impl Source for Stored {
        fn name(&self) -> String {
            "stored".into()
        }
        fn shape(&self) -> &[usize] {
            &self.shape
        }
        fn dtype(&self) -> DType {
            DType::F32
        }
        fn chunks(&self) -> Option<&[usize]> {
            Some(&self.chunk)
        }
        fn read(&self, _: &Region, _: &mut [u8]) -> crate::Result<()> {
            Ok(())
        }
        fn scratch_bytes(&self, _: &Region) -> usize {
            0
        }
        fn stored_bytes(&self) -> u64 {
            self.bytes
        }
        fn fingerprint(&self) -> u64 {
            0
        }
    }

    #[test]
    fn decoding_is_counted_by_chunks() {
        assert_eq!(decodes(100, 10, 20), 1.0);
        assert_eq!(decodes(100, 10, 100), 1.0);
        assert_eq!(decodes(100, 10, 5), 2.0);
        assert_eq!(decodes(100, 10, 1), 10.0);
        assert!((decodes(100, 10, 15) - 1.6).abs() < 1e-9);
        let source = Stored {
            shape: vec![100, 64, 64],
            chunk: vec![1, 64, 64],
            bytes: 1000,
        };
        assert_eq!(factor(&source, &[1, 64, 64]), 1.0);
        assert_eq!(factor(&source, &[100, 8, 64]), 8.0);
    }

    #[test]
    fn plain_data_is_read_in_pieces() {
        let source = Stored {
            shape: vec![1000, 512, 512],
            chunk: vec![1, 512, 512],
            bytes: 1000 * 512 * 512 * 4,
        };
        assert!(factor(&source, &[4, 512, 512]) < 1.02);
        assert_eq!(factor(&source, &[1000, 32, 512]), 1.25);
        assert_eq!(factor(&source, &[1000, 32, 32]), 129.0);
    }
}
