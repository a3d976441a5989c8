//! The kernels of a few programs as text: what is generated is committed, and a diff is the judge.
//!
//! `TILEWISE_BLESS=1 cargo test --test gpu_golden` rewrites the files. Every kernel is parsed and
//! validated by naga, so this runs without an adapter.

#[path = "common/translate.rs"]
mod translate;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::path::PathBuf;
use tilewise::device::gpu::{merge_wgsl, turned_wgsl, wgsl};
use tilewise::plan::program::{Action, AxisRole, Inst, Output, Program};
use tilewise::{DType, Op, ReduceKind, Reduction, Scalar};

fn inst(action: Action, args: &[usize], dtype: DType) -> Inst {
    Inst {
        action,
        args: args.to_vec(),
        dtype,
    }
}

fn load(n: usize, dtype: DType) -> Inst {
    inst(Action::Load(n), &[], dtype)
}

fn op(name: &str, args: &[usize], dtype: DType) -> Inst {
    inst(
        Action::Op(Op::find(name).expect("an op of the table")),
        args,
        dtype,
    )
}

fn reduce(value: usize, kind: ReduceKind, skipna: bool, roles: &[AxisRole]) -> Output {
    Output::Reduce {
        value,
        reduction: Reduction::new(kind).skipna(skipna),
        roles: roles.to_vec(),
        index_steps: vec![1; roles.len()],
    }
}

/// What the entry point of a kernel moves: accesses to its buffers but the first, by their width.
fn accesses(kernel: &str) -> String {
    let (declared, body) = kernel.split_once("fn main(").expect("an entry point");
    let mut found = Vec::new();
    for line in declared.lines().filter(|l| l.contains("var<storage")) {
        let (_, rest) = line.split_once("> ").expect("a name");
        let (name, of) = rest.split_once(": array<").expect("an array");
        let of = of.trim_end_matches(">;");
        let unit: usize = if of.contains("64") { 8 } else { 4 };
        let lanes = match of.strip_prefix("vec") {
            Some(rest) => rest[..1].parse().expect("a length"),
            None if of.starts_with("array<vec2") => 8,
            None => 1,
        };
        let whole =
            |(at, _): &(usize, &str)| !body[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let count = body.match_indices(&format!("{name}[")).filter(whole).count();
        if name != "p" {
            found.push(format!("{name} {count} x {} bytes", unit * lanes));
        }
    }
    found.join(", ")
}

/// Kernels of a program as a file, and those that merge its reductions as another if `merged`.
fn golden_with(name: &str, program: Program, wide: bool, merged: bool) {
    program.verify().expect("a program that holds together");
    let kernels = wgsl(&program, wide).expect("a program with shaders");
    let merges = merge_wgsl(&program, wide).expect("a program with shaders");
    kernels
        .iter()
        .chain(&merges)
        .for_each(|text| validate(text, wide));
    compare(name, &program, &kernels);
    if merged {
        compare(&format!("{name}_merged"), &program, &merges);
    }
}

/// Checks a kernel, for Metal and Direct3D too; it may use 64-bit numbers if `wide`.
fn validate(text: &str, wide: bool) {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    let capabilities = match wide {
        true => Capabilities::FLOAT64 | Capabilities::SHADER_INT64,
        false => Capabilities::empty(),
    };
    match Validator::new(ValidationFlags::all(), capabilities).validate(&module) {
        Ok(info) => translate::translate(&module, &info).unwrap_or_else(|e| panic!("{e}\n{text}")),
        Err(e) => panic!("{}", e.emit_to_string(text)),
    }
}

fn golden(name: &str, program: Program, wide: bool) {
    golden_with(name, program, wide, false);
}

/// Compares kernels of a program with a file, or writes it.
fn compare(name: &str, program: &Program, kernels: &[String]) {
    let mut text: String = program.to_string().lines().map(|l| format!("// {l}\n")).collect();
    for (number, kernel) in kernels.iter().enumerate() {
        let rule = if number > 0 {
            "\n// ---- the next kernel ----\n"
        } else {
            ""
        };
        text += &format!("{rule}// {}\n\n{kernel}", accesses(kernel));
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.wgsl"));
    if std::env::var_os("TILEWISE_BLESS").is_some() {
        std::fs::write(&path, &text).expect("a golden file");
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        want == text,
        "{} differs; TILEWISE_BLESS=1 rewrites it. It is:\n{text}",
        path.display()
    );
}

/// `x * 2 + y` over one axis.
#[test]
fn a_chain() {
    let insts = vec![
        load(0, DType::F32),
        load(1, DType::F32),
        inst(Action::Const(Scalar::new(2.0f32)), &[], DType::F32),
        op("multiply", &[0, 2], DType::F32),
        op("add", &[3, 1], DType::F32),
    ];
    let program = Program {
        rank: 1,
        inputs: vec![DType::F32; 2],
        insts,
        outputs: vec![Output::Store(4)],
    };
    golden("chain", program, false);
}

/// `abs(conj(x) * y + i)` over one axis.
#[test]
fn complex_numbers() {
    let insts = vec![
        load(0, DType::C64),
        load(1, DType::C64),
        op("conj", &[0], DType::C64),
        op("multiply", &[2, 1], DType::C64),
        inst(
            Action::Const(Scalar::new(tilewise::Complex32::new(0.0, 1.0))),
            &[],
            DType::C64,
        ),
        op("add", &[3, 4], DType::C64),
        op("abs", &[5], DType::F32),
    ];
    let program = Program {
        rank: 1,
        inputs: vec![DType::C64; 2],
        insts,
        outputs: vec![Output::Store(5), Output::Store(6)],
    };
    golden("complex", program, false);
}

/// Packed i16 with scale and offset and a fill value, to f32; and whether it is filled.
#[test]
fn unpacking() {
    let insts = vec![
        load(0, DType::I16),
        inst(Action::Const(Scalar::new(-32768i16)), &[], DType::I16),
        op("equal", &[0, 1], DType::Bool),
        inst(Action::Cast, &[0], DType::F32),
        inst(Action::Const(Scalar::new(0.01f32)), &[], DType::F32),
        op("multiply", &[3, 4], DType::F32),
        inst(Action::Const(Scalar::new(f32::NAN)), &[], DType::F32),
        op("where", &[2, 6, 5], DType::F32),
    ];
    let program = Program {
        rank: 2,
        inputs: vec![DType::I16],
        insts,
        outputs: vec![Output::Store(7), Output::Store(2)],
    };
    golden("unpacking", program, false);
}

/// A single less a double: vectors of 16 and of 32 bytes.
#[test]
fn wide_vectors() {
    let insts = vec![
        load(0, DType::F32),
        load(1, DType::F64),
        inst(Action::Cast, &[0], DType::F64),
        op("subtract", &[2, 1], DType::F64),
    ];
    let program = Program {
        rank: 2,
        inputs: vec![DType::F32, DType::F64],
        insts,
        outputs: vec![Output::Store(3)],
    };
    golden("wide_vectors", program, true);
}

/// More instructions than are written out four times.
#[test]
fn long_chain() {
    let mut insts = vec![load(0, DType::I16), inst(Action::Cast, &[0], DType::F32)];
    for reg in 1..26 {
        insts.push(op("negative", &[reg], DType::F32));
    }
    insts.push(inst(Action::Cast, &[26], DType::I8));
    let program = Program {
        rank: 2,
        inputs: vec![DType::I16],
        insts,
        outputs: vec![Output::Store(26), Output::Store(27)],
    };
    golden("long_chain", program, false);
}

/// A variance over all axes, in f64 and in pairs: invocations of a team and workgroups are merged.
#[test]
fn spread() {
    let roles = [AxisRole::Reduce; 2];
    let program = Program {
        rank: 2,
        inputs: vec![DType::F32],
        insts: vec![load(0, DType::F32)],
        outputs: vec![reduce(0, ReduceKind::Var, false, &roles)],
    };
    golden_with("spread", program.clone(), true, true);
    golden_with("spread_in_pairs", program, false, true);
}

/// Mean and maximum along the first axis, NaN skipped, in f64 and in pairs.
#[test]
fn means() {
    let roles = [AxisRole::Reduce, AxisRole::Keep];
    let program = Program {
        rank: 2,
        inputs: vec![DType::F32],
        insts: vec![load(0, DType::F32)],
        outputs: vec![
            reduce(0, ReduceKind::Mean, true, &roles),
            reduce(0, ReduceKind::Max, true, &roles),
        ],
    };
    golden("means", program.clone(), true);
    golden("means_in_pairs", program, false);
}

/// The anomaly `x - clim[group]` summed by group: a grouped and a reduced axis, with an index.
#[test]
fn groups() {
    let roles = [AxisRole::Group { groups: 12 }, AxisRole::Reduce, AxisRole::Keep];
    let program = Program {
        rank: 3,
        inputs: vec![DType::F32; 2],
        insts: vec![
            load(0, DType::F32),
            load(1, DType::F32),
            op("subtract", &[0, 1], DType::F32),
        ],
        outputs: vec![
            reduce(2, ReduceKind::Sum, false, &roles),
            reduce(2, ReduceKind::ArgMax, false, &roles),
        ],
    };
    golden("groups", program, false);
}

/// Stores of narrow dtypes and a function, with a reduction beside them.
#[test]
fn narrow() {
    let insts = vec![
        load(0, DType::BF16),
        inst(Action::Cast, &[0], DType::F32),
        op("exp", &[1], DType::F32),
        inst(Action::Cast, &[2], DType::F16),
        inst(Action::Cast, &[1], DType::U8),
    ];
    let program = Program {
        rank: 1,
        inputs: vec![DType::BF16],
        insts,
        outputs: vec![
            Output::Store(3),
            Output::Store(4),
            reduce(4, ReduceKind::Sum, false, &[AxisRole::Reduce]),
        ],
    };
    golden("narrow", program, false);
}

/// Sums with transposes, whose tiles go through the workgroup's memory: of rows that are whole fours,
/// with a batch of matrices and narrow elements, and of rows that are not.
#[test]
fn turned() {
    let sum = |rank: usize, inputs: &[DType], dtype: DType| {
        let mut insts: Vec<Inst> = inputs.iter().enumerate().map(|(n, &of)| load(n, of)).collect();
        let casts = insts.len();
        insts.extend((0..casts).map(|reg| inst(Action::Cast, &[reg], dtype)));
        let mut sum = casts;
        for reg in casts + 1..2 * casts {
            insts.push(op("add", &[sum, reg], dtype));
            sum = insts.len() - 1;
        }
        Program {
            rank,
            inputs: inputs.to_vec(),
            insts,
            outputs: vec![Output::Store(sum)],
        }
    };
    for (name, program, cols) in [
        ("turned", sum(2, &[DType::F32, DType::F32], DType::F32), 48),
        ("turned_narrow", sum(3, &[DType::I16, DType::U8], DType::I16), 48),
        (
            "turned_ragged",
            sum(2, &[DType::F32, DType::F64, DType::I64], DType::F64),
            45,
        ),
    ] {
        program.verify().expect("a program that holds together");
        let kernels = turned_wgsl(&program, true, cols).expect("a program with shaders");
        kernels.iter().for_each(|text| validate(text, true));
        assert!(kernels[0].contains("workgroupBarrier"), "{name}");
        compare(name, &program, &kernels);
    }
}
