//! A session whose stages run on any adapter, a software one too.
//!
//! Without an adapter a test prints the reason and passes, so that the suite runs anywhere; where
//! `CI` is set it fails, because there the GPU path must be tested.

#![allow(clippy::unwrap_used)] // a panic is how a test fails
#![allow(dead_code)] // each test binary uses its part

use tilewise::device::gpu::adapters;
use tilewise::session::{Config, DeviceChoice, Session};

/// A session on the first adapter that opens.
pub fn session() -> Option<Session> {
    session_of(false)
}

/// The same, `apart` as if the adapter did not share the host's memory.
pub fn session_of(apart: bool) -> Option<Session> {
    let open = |index| {
        Session::new(Config {
            gpu_apart: apart,
            memory: Some(1 << 30),
            threads: Some(2),
            device: DeviceChoice::Gpu(Some(index)),
            ..Config::default()
        })
    };
    let found = adapters().into_iter().find_map(|info| open(info.index).ok());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "no adapter to test on");
        eprintln!("skipped: no adapter to test on; tools/setup.sh installs a driver");
    }
    found
}

/// A session of that configuration; none where it asks for an adapter that is not there.
pub fn open(config: Config) -> Option<Session> {
    let wants_adapter = matches!(config.device, DeviceChoice::Gpu(_));
    match Session::new(config) {
        Ok(session) => Some(session),
        Err(error) if wants_adapter && std::env::var_os("CI").is_none() => {
            eprintln!("skipped, no adapter: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A session on two threads of a device.
pub fn session_on(device: DeviceChoice, memory: u64) -> Option<Session> {
    open(Config {
        memory: Some(memory),
        threads: Some(2),
        device,
        ..Config::default()
    })
}

/// A session on the CPU.
pub fn cpu_session() -> Session {
    Session::new(Config {
        memory: Some(256 << 20),
        threads: Some(2),
        device: DeviceChoice::Cpu,
        ..Config::default()
    })
    .unwrap()
}

/// Checks that the block operations of the last run, of which there must be some, ran on the GPU,
/// whole.
pub fn assert_on_gpu(session: &Session) {
    let report = session.last_report().unwrap();
    let blocks = report.stages.iter().filter(|s| s.reason == "whole blocks");
    for stage in blocks.clone() {
        assert!(stage.device.starts_with("gpu:"), "on {}", stage.device);
        assert_eq!(stage.fallbacks, 0, "{:?}", stage.fallback_reason);
    }
    assert!(blocks.count() > 0, "no block operation in {report}");
}
