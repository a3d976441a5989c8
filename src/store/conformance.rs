//! What every [`Source`] and [`Sink`] must do, as checks that the tests of each format call.
//!
//! The engine reads any region from any thread and writes ragged tiles in any order; a format that
//! holds only for whole reads would fail far from its cause. The checks panic with the region that
//! broke, and use nothing but the traits and [`copy_region`].

use super::{Sink, Source, copy_region};
use crate::geometry::Region;

/// Bytes of `region` of the dense array `all`.
fn cut(all: &[u8], shape: &[usize], region: &Region, size: usize) -> Vec<u8> {
    let mut out = vec![0; region.len() * size];
    let origin = vec![0; region.rank()];
    copy_region(all, shape, region, &mut out, &region.shape, &origin, size);
    out
}

/// The numbers of a fixed xorshift sequence, so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }

    fn region(&mut self, shape: &[usize]) -> Region {
        let start: Vec<usize> = shape.iter().map(|&n| self.below(n + 1)).collect();
        let extent = shape
            .iter()
            .zip(&start)
            .map(|(&n, &s)| self.below(n - s + 1))
            .collect();
        Region::new(start, extent)
    }
}

/// Regions that formats get wrong: all, none, corners, single rows, across and along chunks.
fn regions(shape: &[usize], chunks: Option<&[usize]>) -> Vec<Region> {
    let mut all = vec![
        Region::whole(shape),
        Region::new(shape.to_vec(), vec![0; shape.len()]),
    ];
    if !shape.contains(&0) {
        let last: Vec<usize> = shape.iter().map(|n| n - 1).collect();
        all.push(Region::new(vec![0; shape.len()], vec![1; shape.len()]));
        all.push(Region::new(last, vec![1; shape.len()]));
        for axis in 0..shape.len() {
            let mut row = Region::whole(shape);
            row.start[axis] = shape[axis] / 2;
            row.shape[axis] = 1;
            all.push(row);
        }
        if let Some(chunks) = chunks {
            let start: Vec<usize> = shape
                .iter()
                .zip(chunks)
                .map(|(&n, &c)| if c < n { c } else { 0 })
                .collect();
            let extent = |grow: usize| {
                let axes = shape.iter().zip(chunks).zip(&start);
                axes.map(|((&n, &c), &s)| (c + grow).min(n - s)).collect()
            };
            all.push(Region::new(start.clone(), extent(0)));
            all.push(Region::new(start.clone(), extent(1)));
        }
    }
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    all.extend((0..24).map(|_| numbers.region(shape)));
    all
}

/// Checks a source against its whole content, dense and row-major.
///
/// # Panics
/// When it does not conform; the message names the source and the region.
pub fn source(source: &dyn Source, expected: &[u8]) {
    let (name, shape, size) = (source.name(), source.shape().to_vec(), source.dtype().size());
    assert!(!name.is_empty(), "a source has a name");
    assert_eq!(
        shape.iter().product::<usize>() * size,
        expected.len(),
        "{name}: the shape's bytes"
    );
    if let Some(chunks) = source.chunks() {
        assert_eq!(chunks.len(), shape.len(), "{name}: chunks have the array's rank");
        assert!(chunks.iter().all(|&c| c > 0), "{name}: chunks are not empty");
    }
    if let Some(bytes) = source.in_memory() {
        assert!(bytes == expected, "{name}: the content in memory");
    }
    assert_eq!(
        source.fingerprint(),
        source.fingerprint(),
        "{name}: the fingerprint stays"
    );
    let regions = regions(&shape, source.chunks());
    let check = |region: &Region| {
        let want = cut(expected, &shape, region, size);
        let _ = source.scratch_bytes(region);
        let mut out = vec![0xa5; want.len()];
        if let Err(error) = source.read(region, &mut out) {
            panic!("{name}: reading {region:?}: {error}");
        }
        assert!(out == want, "{name}: {region:?} has other bytes than the whole");
    };
    regions.iter().for_each(check);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (check, regions) = (&check, &regions);
            scope.spawn(move || {
                regions
                    .iter()
                    .cycle()
                    .skip(thread * 5)
                    .take(regions.len())
                    .for_each(check)
            });
        }
    });
}

/// Writes all of `data`, dense and row-major, to a sink: ragged tiles aligned to its chunks, in
/// shuffled order, from several threads. The caller finishes the container and checks what it
/// reads back with [`source`].
///
/// # Panics
/// When a write fails; the message names the sink and the region.
pub fn sink(sink: &dyn Sink, data: &[u8]) {
    let (name, shape, size) = (sink.name(), sink.shape().to_vec(), sink.dtype().size());
    assert!(!name.is_empty(), "a sink has a name");
    assert_eq!(
        shape.iter().product::<usize>() * size,
        data.len(),
        "{name}: the shape's bytes"
    );
    let steps: Vec<usize> = match sink.chunks() {
        Some(chunks) => chunks.to_vec(),
        None => shape.iter().map(|n| n.div_ceil(2)).collect(),
    };
    assert_eq!(steps.len(), shape.len(), "{name}: chunks have the array's rank");
    let mut tiles = vec![Region::new(Vec::new(), Vec::new())];
    for (&n, &step) in shape.iter().zip(&steps) {
        let tile = |tile: &Region, at: usize| {
            let mut tile = tile.clone();
            tile.start.push(at);
            tile.shape.push(step.max(1).min(n - at));
            tile
        };
        let starts: Vec<usize> = (0..n.max(1)).step_by(step.max(1)).collect();
        tiles = tiles
            .iter()
            .flat_map(|t| starts.iter().map(move |&at| tile(t, at)))
            .collect();
    }
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    for i in (1..tiles.len()).rev() {
        tiles.swap(i, numbers.below(i + 1));
    }
    std::thread::scope(|scope| {
        for part in tiles.chunks(tiles.len().div_ceil(3).max(1)) {
            let (name, shape) = (&name, &shape);
            scope.spawn(move || {
                for region in part {
                    let _ = sink.scratch_bytes(region);
                    if let Err(error) = sink.write(region, &cut(data, shape, region, size)) {
                        panic!("{name}: writing {region:?}: {error}");
                    }
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::MemorySource;
    use super::*;
    use crate::{DType, Result};
    use std::sync::Mutex;

    /// A sink that keeps everything, to prove that the checks write every element once.
    #[derive(Debug)]
    struct Kept {
        shape: Vec<usize>,
        chunks: Option<Vec<usize>>,
        data: Mutex<Vec<u8>>,
    }

    impl Sink for Kept {
        fn name(&self) -> String {
            "kept".into()
        }
        fn shape(&self) -> &[usize] {
            &self.shape
        }
        fn dtype(&self) -> DType {
            DType::U16
        }
        fn chunks(&self) -> Option<&[usize]> {
            self.chunks.as_deref()
        }
        fn write(&self, region: &Region, data: &[u8]) -> Result<()> {
            let mut all = self.data.lock().unwrap();
            let whole = Region::whole(&region.shape);
            copy_region(
                data,
                &region.shape,
                &whole,
                &mut all,
                &self.shape,
                &region.start,
                2,
            );
            Ok(())
        }
        fn scratch_bytes(&self, _: &Region) -> usize {
            0
        }
    }

    #[test]
    fn every_element_is_written() {
        for (shape, chunks) in [
            (vec![5, 7], Some(vec![2, 3])),
            (vec![5, 7], None),
            (vec![], None),
            (vec![3, 0], Some(vec![2, 2])),
        ] {
            let bytes = shape.iter().product::<usize>() * 2;
            let data: Vec<u8> = (0..bytes).map(|i| i as u8 + 1).collect();
            let kept = Kept {
                shape,
                chunks,
                data: Mutex::new(vec![0; bytes]),
            };
            sink(&kept, &data);
            assert_eq!(*kept.data.lock().unwrap(), data);
        }
    }

    #[test]
    #[should_panic(expected = "has other bytes than the whole")]
    fn a_wrong_source_is_caught() {
        let wrong = Shifted(MemorySource::from_vec::<u8>(&[4, 4], (0..16).collect()).unwrap());
        source(&wrong, &(0..16).collect::<Vec<u8>>());
    }

    /// Reads whole arrays right and every other region wrong.
    #[derive(Debug)]
    struct Shifted(MemorySource);

    impl Source for Shifted {
        fn name(&self) -> String {
            "shifted".into()
        }
        fn shape(&self) -> &[usize] {
            self.0.shape()
        }
        fn dtype(&self) -> DType {
            self.0.dtype()
        }
        fn chunks(&self) -> Option<&[usize]> {
            None
        }
        fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
            self.0.read(region, out)?;
            if *region != Region::whole(self.shape()) {
                out.iter_mut().for_each(|b| *b ^= 1);
            }
            Ok(())
        }
        fn scratch_bytes(&self, _: &Region) -> usize {
            0
        }
        fn stored_bytes(&self) -> u64 {
            16
        }
        fn fingerprint(&self) -> u64 {
            1
        }
    }
}
