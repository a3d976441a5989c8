//! A text of the expression language: it parses or gives an error.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = tilewise::labelled::lang::parse(text);
    }
});
