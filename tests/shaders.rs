//! The shader library is valid WGSL and complete, checked without a GPU.
//!
//! A kernel is generated text behind the prelude and the functions; a mistake in
//! those would otherwise show only on a machine with an adapter.

#[path = "common/translate.rs"]
mod translate;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use tilewise_kernels::math;

/// Constants, prelude and functions, as a generated kernel opens with them.
fn library() -> String {
    [
        math::wgsl_constants().as_str(),
        include_str!("../shaders/prelude.wgsl"),
        include_str!("../shaders/math.wgsl"),
    ]
    .join("\n")
}

/// The module of `source`, or the compiler's message with the place in it. It needs no capability:
/// it must run on any adapter.
fn validated(source: &str) -> Result<naga::Module, String> {
    validated_with(source, Capabilities::empty())
}

fn validated_with(source: &str, capabilities: Capabilities) -> Result<naga::Module, String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|e| e.emit_to_string(source))?;
    translate::translate(&module, &info)?;
    Ok(module)
}

/// The word before each opening parenthesis.
fn called(source: &str) -> Vec<&str> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let heads = source.match_indices('(').map(|(at, _)| &source[..at]);
    heads
        .map(|head| &head[head.trim_end_matches(word).len()..])
        .collect()
}

#[test]
fn the_library_is_valid() {
    if let Err(message) = validated(&library()) {
        panic!("{message}");
    }
}

#[test]
fn the_prelude_stands_alone() {
    if let Err(message) = validated(include_str!("../shaders/prelude.wgsl")) {
        panic!("{message}");
    }
}

#[test]
fn every_function_has_a_twin_on_f32() {
    let module = validated(&library()).unwrap();
    let is_f32 = |ty| module.types[ty].inner == naga::TypeInner::Scalar(naga::Scalar::F32);
    for (name, arity) in math::TWINS {
        let wanted = format!("tw_{name}");
        let function = module
            .functions
            .iter()
            .map(|(_, f)| f)
            .find(|f| f.name.as_deref() == Some(&wanted))
            .unwrap_or_else(|| panic!("shaders/math.wgsl has no {wanted}"));
        assert_eq!(function.arguments.len(), *arity, "{wanted}");
        assert!(function.arguments.iter().all(|a| is_f32(a.ty)), "{wanted}");
        assert!(function.result.as_ref().is_some_and(|r| is_f32(r.ty)), "{wanted}");
    }
}

/// Builtins whose accuracy, or whose result for NaN, is the driver's choice.
const FORBIDDEN: [&str; 24] = [
    "exp", "exp2", "log", "log2", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh",
    "tanh", "asinh", "acosh", "atanh", "pow", "clamp", "sign", "round", "fma", "mix", "saturate",
];

#[test]
fn kernels_of_order_are_valid_for_every_dtype() {
    for dtype in tilewise::DType::real() {
        let texts = tilewise::device::gpu::order_wgsl(dtype);
        assert!(texts.len() > 40, "{dtype}");
        for (text, wide) in texts {
            let needs = match wide {
                true => Capabilities::FLOAT64 | Capabilities::SHADER_INT64,
                false => Capabilities::empty(),
            };
            assert!(!text.contains("{{"), "{dtype}: {text}");
            validated_with(&text, needs).unwrap_or_else(|message| panic!("{dtype}: {message}"));
        }
    }
}

#[test]
fn no_builtin_that_differs_between_drivers_is_called() {
    assert_eq!(called("y = tw_exp(exp(x) + (z))"), ["tw_exp", "exp", ""]);
    for name in called(&library()) {
        assert!(!FORBIDDEN.contains(&name), "the library calls {name}");
    }
}

#[test]
fn the_kernel_of_subgroups_is_valid() {
    let text = include_str!("../shaders/subgroups.wgsl").replace("{{WORKGROUP}}", "256");
    let module =
        naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP);
    let operations = naga::valid::SubgroupOperationSet::all();
    let validator = validator
        .subgroup_operations(operations)
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE);
    validator
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
}

#[test]
fn the_kernels_of_limits_are_valid() {
    let kernels = [
        include_str!("../shaders/limits/copy.wgsl"),
        include_str!("../shaders/limits/read.wgsl"),
        include_str!("../shaders/limits/touch.wgsl"),
    ];
    for kernel in kernels {
        validated(kernel).unwrap_or_else(|message| panic!("{message}"));
    }
    let fma = include_str!("../shaders/limits/fma.wgsl");
    for (ty, enable, can) in [
        ("f32", "", Capabilities::empty()),
        ("f64", "", Capabilities::FLOAT64),
        ("f16", "enable f16;\n", Capabilities::SHADER_FLOAT16),
    ] {
        let text = format!("{enable}{}", fma.replace("{{T}}", ty));
        let module =
            naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
        let mut validator = Validator::new(ValidationFlags::all(), can);
        validator
            .validate(&module)
            .unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
    }
}

#[test]
fn scans_windows_and_stencils_call_none_either() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/blocks");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let ours = ["scan", "window", "stencil", "columns", "pack"];
    let named = |path: &std::path::PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        ours.iter().any(|start| name.starts_with(start))
    };
    let mut checked = 0;
    for path in files.filter(named) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        for name in called(&code.join("\n")) {
            assert!(!FORBIDDEN.contains(&name), "{} calls {name}", path.display());
        }
        checked += 1;
    }
    assert!(checked > 15, "only {checked} files checked");
}
