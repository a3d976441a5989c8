//! The entry `io::fuzzing::netcdf3`, from which every input returns.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tilewise::io::fuzzing::netcdf3(data);
});
