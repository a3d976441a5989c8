//! The adapter that tests run on: any, a software one too.
//!
//! Without an adapter a test prints the reason and passes, so that the suite runs anywhere; where
//! `CI` is set it fails, because there the GPU path must be tested.
#![allow(dead_code)] // each test takes what it needs

use tilewise::DType;
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

/// Whether the adapter takes numbers of that dtype below its normal range for zero, as WGSL allows.
pub fn flushes(gpu: &Gpu, dtype: DType) -> bool {
    let computed = match dtype {
        DType::BF16 | DType::F32 | DType::C64 => "float32",
        DType::F64 | DType::C128 => "float64",
        _ => return false,
    };
    let fact = format!("subnormal {computed}");
    gpu.verdicts().iter().any(|v| v.fact == fact && !v.ok)
}
