//! The entry `io::fuzzing::filters`, from which every input returns.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tilewise::io::fuzzing::filters(data);
});
