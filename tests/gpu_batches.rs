//! Tasks whose results stay on the device: they are given to it together, and in their order.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/gpu.rs"]
mod gpu;

use std::time::Instant;
use tilewise::device::gpu::{Fault, Gpu, Options};
use tilewise::device::{Binding, Keeper, OutMut, Resident, Task};
use tilewise::geometry::{Access, AxisStep};
use tilewise::plan::program::{Action, Inst, Output, Program};
use tilewise::{DType, Op, Result, Scalar};

const LEN: usize = 4096;

/// `2 x + 1` modulo 2^32.
fn program() -> Program {
    let inst = |action, args: &[usize]| Inst {
        action,
        args: args.to_vec(),
        dtype: DType::U32,
    };
    let op = |name| Action::Op(Op::find(name).unwrap());
    Program {
        rank: 1,
        inputs: vec![DType::U32],
        insts: vec![
            inst(Action::Load(0), &[]),
            inst(op("add"), &[0, 0]),
            inst(Action::Const(Scalar::new(1u32)), &[]),
            inst(op("add"), &[1, 2]),
        ],
        outputs: vec![Output::Store(3)],
    }
}

/// The program on a tile, its result another one.
fn next(gpu: &Gpu, program: &Program, tile: Resident) -> Result<Resident> {
    let binding = Binding {
        buffer: 0,
        access: Access {
            offset: 0,
            steps: vec![AxisStep::Step(1)],
        },
    };
    let task = Task {
        program,
        shape: &[LEN],
        origin: &[0],
        buffers: &[&[]],
        bindings: &[binding],
        labels: None,
    };
    let mut made = None;
    gpu.run_resident(&task, &[Some(tile)], &mut [OutMut::Keep(&mut made)])?;
    Ok(made.unwrap())
}

fn first(gpu: &Gpu, from: u32) -> Result<Resident> {
    let values: Vec<u8> = (0..LEN as u32).flat_map(|i| (from + i).to_le_bytes()).collect();
    gpu.send(&values)
}

/// Whether a tile holds what so many steps make of the first one.
fn assert_is(tile: &Resident, from: u32, steps: u32) {
    let mut bytes = vec![0; tile.len()];
    tile.download(&mut bytes).unwrap();
    for (i, word) in bytes.chunks_exact(4).enumerate() {
        let mut want = from + i as u32;
        (0..steps).for_each(|_| want = want.wrapping_mul(2).wrapping_add(1));
        assert_eq!(u32::from_le_bytes(word.try_into().unwrap()), want, "element {i}");
    }
}

fn open(staged: bool) -> Option<Gpu> {
    let gpu = gpu::open(Options {
        staged,
        ..Options::default()
    })?;
    // Compiles the kernel.
    let tile = next(&gpu, &program(), first(&gpu, 0).unwrap()).unwrap();
    assert_is(&tile, 0, 1);
    Some(gpu)
}

#[test]
fn many_small_tasks_take_few_submissions() {
    for staged in [false, true] {
        let Some(gpu) = open(staged) else { return };
        let (program, before) = (program(), gpu.submissions());
        let tasks = 1000;
        let start = Instant::now();
        let mut tile = first(&gpu, 7).unwrap();
        for _ in 0..tasks {
            tile = next(&gpu, &program, tile).unwrap();
        }
        gpu.flush().unwrap();
        let (took, made) = (start.elapsed(), gpu.submissions() - before);
        assert_is(&tile, 7, tasks);
        println!(
            "staged {staged}: {tasks} tasks, {made} submissions, {:.1} µs a task; then waited {:.1} ms",
            took.as_secs_f64() * 1e6 / f64::from(tasks),
            (start.elapsed() - took).as_secs_f64() * 1e3
        );
        assert!(made <= u64::from(tasks) / 3, "{made} submissions");
        assert!(made >= u64::from(tasks) / 64, "{made} submissions");
    }
}

#[test]
fn threads_wait_for_their_own_results() {
    for staged in [false, true] {
        let Some(gpu) = open(staged) else { return };
        let (program, gpu) = (program(), &gpu);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let program = &program;
                scope.spawn(move || {
                    for round in 0..20 {
                        let from = thread * 1000 + round;
                        let mut tile = first(gpu, from).unwrap();
                        for _ in 0..thread * 7 + round % 5 {
                            tile = next(gpu, program, tile).unwrap();
                        }
                        assert_is(&tile, from, thread * 7 + round % 5);
                    }
                });
            }
        });
    }
}

/// A budget that a few tiles fill: buffers are used again, and some are dropped.
#[test]
fn buffers_are_used_again_in_order() {
    for staged in [false, true] {
        let options = Options {
            budget: 20 * 4 * LEN as u64,
            staging: 1 << 20,
            staged,
            ..Options::default()
        };
        let Some(gpu) = gpu::open(options) else { return };
        let program = program();
        let mut tiles: Vec<(u32, u32, Resident)> = Vec::new();
        for round in 0..200u32 {
            let steps = round % 4;
            let mut tile = first(&gpu, round).unwrap();
            for _ in 0..steps {
                tile = next(&gpu, &program, tile).unwrap();
            }
            tiles.push((round, steps, tile));
            if tiles.len() > 8 {
                let (from, steps, tile) = tiles.remove(round as usize % 8);
                assert_is(&tile, from, steps);
            }
        }
        for (from, steps, tile) in tiles {
            assert_is(&tile, from, steps);
        }
        assert!(gpu.peak_bytes() <= options.budget);
    }
}

/// What nobody asks for is given to the device nonetheless.
#[test]
fn a_task_for_which_nobody_waits_is_done_soon() {
    let Some(gpu) = open(false) else { return };
    let program = program();
    let mut tile = first(&gpu, 1).unwrap();
    for _ in 0..5 {
        tile = next(&gpu, &program, tile).unwrap();
    }
    // However busy the machine is, it needs no half second.
    let before = (0..20).find_map(|_| {
        let before = gpu.submissions();
        std::thread::sleep(std::time::Duration::from_millis(500));
        (gpu.submissions() == before).then_some(before)
    });
    gpu.flush().unwrap();
    assert_eq!(Some(gpu.submissions()), before, "nothing was left to submit");
    assert_is(&tile, 1, 5);
}

#[test]
fn tiles_of_a_submission_that_fails_are_lost() {
    let Some(gpu) = open(false) else { return };
    let program = program();
    let sound = next(&gpu, &program, first(&gpu, 1).unwrap()).unwrap();
    assert_is(&sound, 1, 1);
    gpu.inject_fault(Fault::Batch);
    // Whether this one or a later one hears of it, nobody gets bytes.
    let made = next(&gpu, &program, sound).and_then(|tile| next(&gpu, &program, tile));
    let read = made.and_then(|tile| {
        let mut bytes = vec![0; tile.len()];
        tile.download(&mut bytes)
    });
    let error = read.err().unwrap().to_string();
    assert!(error.contains("work was lost"), "{error}");
    assert!(gpu.alive().is_err() && gpu.flush().is_err());
}

#[test]
fn a_hung_device_is_noticed_by_who_waits() {
    let Some(gpu) = open(false) else { return };
    let tile = next(&gpu, &program(), first(&gpu, 1).unwrap()).unwrap();
    gpu.inject_fault(Fault::Hang);
    let mut bytes = vec![0; tile.len()];
    let error = tile.download(&mut bytes).err().unwrap().to_string();
    assert!(error.contains("gave no answer in time"), "{error}");
}
