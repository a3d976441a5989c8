//! Validates kernels without a GPU, for the tests of this folder: a mistake in one would otherwise show
//! only on a machine with an adapter.

use naga::valid::{Capabilities, ValidationFlags, Validator};

#[path = "../../../../tests/common/translate.rs"]
mod translate;

/// Checks a kernel, for Metal and Direct3D too; with `wide` it may use 64-bit numbers.
///
/// # Panics
/// With the compiler's message and the place in the text.
pub(in crate::device::gpu) fn validate(wgsl: &str, wide: bool) {
    let module = naga::front::wgsl::parse_str(wgsl).unwrap_or_else(|e| panic!("{}", e.emit_to_string(wgsl)));
    let can = if wide {
        Capabilities::FLOAT64 | Capabilities::SHADER_INT64
    } else {
        Capabilities::empty()
    };
    let checked = Validator::new(ValidationFlags::all(), can).validate(&module);
    let info = checked.unwrap_or_else(|e| panic!("{}\n{wgsl}", e.emit_to_string(wgsl)));
    translate::translate(&module, &info).unwrap_or_else(|e| panic!("{e}\n{wgsl}"));
}
