//! The adapter that tests run on: any, a software one too.
//!
//! Without an adapter a test prints the reason and passes, so that the suite runs anywhere; where
//! `CI` is set it fails, because there the GPU path must be tested.

use tilewise::device::gpu::{Gpu, Options, adapters};

/// Opens the first adapter that can be used.
pub fn open(options: Options) -> Option<Gpu> {
    let mut reasons = Vec::new();
    for info in adapters() {
        match Gpu::open(info.index, options) {
            Ok(gpu) => return Some(gpu),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    let reason = if reasons.is_empty() {
        "no Vulkan driver; tools/setup.sh installs one".to_string()
    } else {
        reasons.join("; ")
    };
    assert!(
        std::env::var_os("CI").is_none(),
        "no adapter to test on: {reason}"
    );
    eprintln!("skipped: no adapter to test on: {reason}");
    None
}
