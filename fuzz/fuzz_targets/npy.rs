//! The entry `io::fuzzing::npy`, from which every input returns.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tilewise::io::fuzzing::npy(data);
});
