//! Sources hear of what tasks will read before it is read, each block once, and of nothing else.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/gpu_session.rs"]
mod gpu_session;

use gpu_session::session_on;
use std::sync::{Arc, Mutex};
use tilewise::geometry::Region;
use tilewise::session::DeviceChoice;
use tilewise::store::Source;
use tilewise::{Array, DType, Result};

const SHAPE: [usize; 2] = [4096, 512];

/// Zeros in chunks; what is heard and what is read, in order.
#[derive(Debug, Default)]
struct Listening(Mutex<Vec<(bool, Region)>>);

impl Source for Listening {
    fn name(&self) -> String {
        "listening".into()
    }
    fn shape(&self) -> &[usize] {
        &SHAPE
    }
    fn dtype(&self) -> DType {
        DType::F64
    }
    fn chunks(&self) -> Option<&[usize]> {
        Some(&[64, 512])
    }
    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        out.fill(0);
        self.0.lock().unwrap().push((true, region.clone()));
        Ok(())
    }
    fn will_read(&self, region: &Region) {
        self.0.lock().unwrap().push((false, region.clone()));
    }
    fn scratch_bytes(&self, _: &Region) -> usize {
        0
    }
    fn stored_bytes(&self) -> u64 {
        (SHAPE[0] * SHAPE[1] * 8) as u64
    }
    fn fingerprint(&self) -> u64 {
        3
    }
}

/// Checks what is heard of and what is read. The first reads, `unannounced` of them, nobody tells of.
fn check(name: &str, device: DeviceChoice, work: fn(&Array) -> Result<Array>, unannounced: usize) {
    let Some(session) = session_on(device, 4 << 20) else {
        return;
    };
    let source = Arc::new(Listening::default());
    let array = work(&Array::from_source(source.clone()).unwrap()).unwrap();
    session.persist(&array).unwrap();
    let events = source.0.lock().unwrap();
    let (mut heard, mut reads, mut known): (Vec<&Region>, usize, usize) = (Vec::new(), 0, 0);
    for (is_read, region) in events.iter() {
        match is_read {
            true => {
                reads += 1;
                known += usize::from(heard.contains(&region));
            }
            false => {
                assert!(!heard.contains(&region), "{name}: {region:?} is announced twice");
                heard.push(region);
            }
        }
    }
    let read = |region: &&Region| events.iter().any(|(is_read, other)| *is_read && other == *region);
    assert!(
        heard.iter().all(read),
        "{name} on {device:?}: announced, and never read"
    );
    assert!(reads > 8, "{name}: {reads} reads");
    let told = heard.len();
    assert!(told + unannounced >= reads, "{name}: told of {told} of {reads}");
    // A worker that the system stops may tell of a block when another has come to it.
    assert!(2 * known > reads, "{name}: told of {known} of {reads} in time");
}

#[test]
fn every_block_but_the_first_ones_is_announced() {
    for device in [DeviceChoice::Cpu, DeviceChoice::Gpu(None)] {
        check("elementwise", device, |x| (x * 2.0)?.max(&[1])?.max(&[0]), 2);
        check("reduction", device, |x| x.sum(&[0]), 2);
        check("scan", device, |x| x.cumsum(1)?.sum(&[0]), 2);
        check("store", device, |x| &(x * 2.0)? + &(x * 2.0)?.sum(&[0, 1])?, 4);
    }
}
