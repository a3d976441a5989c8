//! What Metal and Direct3D 12 would be given for a kernel: a text in their languages.
//!
//! Adapters of Vulkan alone run the tests, and a kernel may be valid and yet say what the other
//! back ends cannot.

use naga::back::{hlsl, msl};
use naga::valid::ModuleInfo;

/// Translates a kernel to both languages; Metal's has no 64-bit floats, so kernels with those are
/// never made for it.
///
/// # Errors
/// What a language cannot say.
pub fn translate(module: &naga::Module, info: &ModuleInfo) -> Result<(), String> {
    let wide = |ty: &naga::TypeInner| ty.scalar() == Some(naga::Scalar::F64);
    if !module.types.iter().any(|(_, ty)| wide(&ty.inner)) {
        let options = msl::Options {
            lang_version: (2, 4),
            fake_missing_bindings: true,
            ..Default::default()
        };
        let made = msl::write_string(module, info, &options, &msl::PipelineOptions::default());
        made.map_err(|error| format!("for Metal: {error}"))?;
    }
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_0,
        fake_missing_bindings: true,
        ..Default::default()
    };
    let pipeline = hlsl::PipelineOptions::default();
    let mut text = String::new();
    let made = hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None);
    made.map(|_| ()).map_err(|error| format!("for Direct3D: {error}"))
}
