//! `tilewise sample`: a synthetic climate file of any size, in bounded memory.
//!
//! The fields look like what a model writes (seasons by latitude, a daily cycle, a warming trend,
//! weather that is smooth in space and lasts in time, land and sea), so that demonstrations and
//! measurements meet realistic numbers. Every value follows from the seed alone.

mod field;
mod layout;
mod variable;

use crate::options::{SampleArgs, SampleFormat};
use field::Climate;
use layout::Layout;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use tilewise::geometry::Region;
use tilewise::io::{NetCdfWriter, NpyWriter, Writer};
use tilewise::store::Sink;
use tilewise::{DType, Error, Result};
use variable::Name;

/// Writes the file.
///
/// # Errors
/// Arguments of another form, and what the file system refuses; no file is left then.
pub fn sample(args: &SampleArgs) -> Result<()> {
    let layout = Layout::new(args)?;
    let names = args
        .variables
        .iter()
        .map(|n| Name::parse(n))
        .collect::<Result<Vec<_>>>()?;
    let climate = Climate::new(&layout, args.seed);
    match args.format {
        SampleFormat::Netcdf4 => {
            let spec = layout.spec(&names, args)?;
            let writer = NetCdfWriter::create(&args.output, &spec)?;
            layout.write_coordinates(&writer)?;
            writer.write_whole("sftlf", &climate.land_percent())?;
            for name in names {
                fill(&*writer.sink(name.text())?, &climate, &layout, name)?;
            }
            writer.finish()
        }
        SampleFormat::Npy => {
            let [name] = names.as_slice() else {
                return Err(Error::invalid(
                    "an .npy file holds one variable; give one with --variables",
                ));
            };
            let writer = NpyWriter::create(&args.output, DType::F32, &layout.shape())?;
            fill(&*writer.array(), &climate, &layout, *name)?;
            writer.finish()
        }
    }
}

/// Writes a variable, some steps at a time on every core.
fn fill(sink: &dyn Sink, climate: &Climate, layout: &Layout, name: Name) -> Result<()> {
    let [steps, rows, columns] = layout.shape();
    let slab = layout.slab();
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        loop {
            let at = next.fetch_add(slab, Ordering::Relaxed);
            if at >= steps {
                return Ok(());
            }
            let count = slab.min(steps - at);
            let values = climate.slab(name, at, count);
            let region = Region::new(vec![at, 0, 0], vec![count, rows, columns]);
            sink.write(&region, bytemuck::cast_slice(&values))?;
        }
    };
    let cores = std::thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(16);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        // Every worker is joined before the first failure is told.
        let ends: Vec<Result<()>> = workers
            .into_iter()
            .map(|w| {
                w.join()
                    .unwrap_or_else(|_| Err(Error::invalid("a thread of the sample failed")))
            })
            .collect();
        ends.into_iter().collect()
    })
}
