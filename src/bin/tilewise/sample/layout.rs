//! The grid, the time axis and the description of a sample file.

use super::variable::{MISSING, Name};
use crate::options::{Frequency, SampleArgs, parse_chunks};
use tilewise::io::{Attributes, Compression, Dim, FileSpec, VarType, VariableSpec, Writer};
use tilewise::labelled::cftime::{Calendar, Date, Moment};
use tilewise::{DType, Error, Result, Scalar};

/// Microseconds of a day.
const DAY: f64 = 86_400e6;

/// Bytes of the slab that is made at once, about.
const SLAB_BYTES: usize = 16 << 20;

/// Bytes of a chunk, about, where none is asked for.
const CHUNK_BYTES: usize = 1 << 20;

/// Where and when values are.
#[derive(Debug)]
pub struct Layout {
    /// Latitudes of cell centres, rising.
    pub lat: Vec<f64>,
    /// Longitudes of cell centres, from 0.
    pub lon: Vec<f64>,
    /// Start and end of each step in days since the start.
    pub bounds: Vec<[f64; 2]>,
    /// The mean year's length in days.
    pub year: f64,
    units: String,
    calendar: Calendar,
    chunks: Vec<usize>,
}

impl Layout {
    /// The layout that arguments ask for.
    ///
    /// # Errors
    /// A grid, calendar or chunks of another form, or too many steps.
    pub fn new(args: &SampleArgs) -> Result<Layout> {
        let size = |text: &str| {
            text.trim()
                .parse::<usize>()
                .ok()
                .filter(|n| (1..=100_000).contains(n))
        };
        let (rows, columns) = args
            .grid
            .split_once(['x', 'X'])
            .and_then(|(a, b)| Some((size(a)?, size(b)?)))
            .ok_or_else(|| {
                Error::invalid(format!(
                    "--grid {:?} is not of the form LATxLON, as in 90x180",
                    args.grid
                ))
            })?;
        if !(1..=10_000).contains(&args.years) {
            return Err(Error::invalid(format!(
                "--years {} is not within 1 to 10000",
                args.years
            )));
        }
        let calendar = Calendar::parse(&args.calendar)?;
        let first = |year, month| Moment::from_date(Date { year, month, day: 1 }, calendar);
        let start = first(args.start, 1)?.micros;
        let mut edges = Vec::new();
        for year in args.start..args.start + i64::from(args.years) {
            for month in 1..=12 {
                let begin = first(year, month)?.micros;
                let per_day = match args.frequency {
                    Frequency::Monthly => {
                        edges.push((begin - start) as f64 / DAY);
                        continue;
                    }
                    Frequency::Daily => 1,
                    Frequency::SixHourly => 4,
                };
                for step in 0..calendar.month_length(year, month) * per_day {
                    edges.push((begin - start) as f64 / DAY + f64::from(step) / f64::from(per_day));
                }
            }
        }
        let end = first(args.start + i64::from(args.years), 1)?.micros;
        edges.push((end - start) as f64 / DAY);
        let year = (end - start) as f64 / DAY / f64::from(args.years);
        let centre = |n: usize, from: f64, width: f64| -> Vec<f64> {
            (0..n)
                .map(|i| from + (i as f64 + 0.5) * width / n as f64)
                .collect()
        };
        let bounds: Vec<[f64; 2]> = edges.windows(2).map(|w| [w[0], w[1]]).collect();
        let step_bytes = rows * columns * 4;
        let chunks = chunk_shape(args, [bounds.len(), rows, columns], step_bytes)?;
        Ok(Layout {
            lat: centre(rows, -90.0, 180.0),
            lon: centre(columns, 0.0, 360.0),
            bounds,
            year,
            units: format!("days since {:04}-01-01", args.start),
            calendar,
            chunks,
        })
    }

    /// Steps, rows and columns.
    pub fn shape(&self) -> [usize; 3] {
        [self.bounds.len(), self.lat.len(), self.lon.len()]
    }

    /// Steps that are made at once: whole chunks, of bounded size.
    pub fn slab(&self) -> usize {
        let step = self.lat.len() * self.lon.len() * 4;
        let most = (SLAB_BYTES / step).max(1);
        let chunk = self.chunks[0];
        (most / chunk).max(1) * chunk
    }

    /// The description of the file.
    ///
    /// # Errors
    /// None for a layout that exists.
    pub fn spec(&self, names: &[Name], args: &SampleArgs) -> Result<FileSpec> {
        let [steps, rows, columns] = self.shape();
        let dim = |name: &str, len: usize, unlimited: bool| Dim {
            name: name.into(),
            len,
            unlimited,
        };
        let mut variables = vec![
            variable(
                "time",
                &["time"],
                DType::F64,
                &[
                    ("standard_name", "time"),
                    ("axis", "T"),
                    ("units", &self.units),
                    ("calendar", self.calendar.name()),
                    ("bounds", "time_bnds"),
                ],
            ),
            variable(
                "lat",
                &["lat"],
                DType::F64,
                &[
                    ("standard_name", "latitude"),
                    ("axis", "Y"),
                    ("units", "degrees_north"),
                    ("bounds", "lat_bnds"),
                ],
            ),
            variable(
                "lon",
                &["lon"],
                DType::F64,
                &[
                    ("standard_name", "longitude"),
                    ("axis", "X"),
                    ("units", "degrees_east"),
                    ("bounds", "lon_bnds"),
                ],
            ),
            variable("time_bnds", &["time", "bnds"], DType::F64, &[]),
            variable("lat_bnds", &["lat", "bnds"], DType::F64, &[]),
            variable("lon_bnds", &["lon", "bnds"], DType::F64, &[]),
            variable(
                "sftlf",
                &["lat", "lon"],
                DType::F32,
                &[
                    ("standard_name", "land_area_fraction"),
                    ("long_name", "Percentage of the grid cell occupied by land"),
                    ("units", "%"),
                ],
            ),
        ];
        for name in names {
            variables.push(VariableSpec {
                chunks: Some(self.chunks.clone()),
                compression: args.deflate.map(Compression::deflate),
                fill: Some(Scalar::new(MISSING)),
                ..variable(
                    name.text(),
                    &["time", "lat", "lon"],
                    DType::F32,
                    name.attributes(),
                )
            });
        }
        let mut attributes = Attributes::new();
        attributes.set("Conventions", "CF-1.8");
        attributes.set(
            "title",
            "Synthetic climate for demonstrations and measurements; no model output",
        );
        attributes.set(
            "source",
            format!(
                "tilewise {} sample, seed {}",
                env!("CARGO_PKG_VERSION"),
                args.seed
            ),
        );
        Ok(FileSpec {
            dims: vec![
                dim("time", steps, false),
                dim("lat", rows, false),
                dim("lon", columns, false),
                dim("bnds", 2, false),
            ],
            variables,
            attributes,
        })
    }

    /// Writes the coordinates and their bounds.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_coordinates(&self, writer: &dyn Writer) -> Result<()> {
        let cells = |centres: &[f64], half: f64| -> Vec<[f64; 2]> {
            centres.iter().map(|c| [c - half, c + half]).collect()
        };
        let middle: Vec<f64> = self.bounds.iter().map(|b| (b[0] + b[1]) / 2.0).collect();
        let lat = cells(&self.lat, 90.0 / self.lat.len() as f64);
        let lon = cells(&self.lon, 180.0 / self.lon.len() as f64);
        writer.write_whole("time", bytemuck::cast_slice(&middle))?;
        writer.write_whole("lat", bytemuck::cast_slice(&self.lat))?;
        writer.write_whole("lon", bytemuck::cast_slice(&self.lon))?;
        writer.write_whole("time_bnds", bytemuck::cast_slice(&self.bounds))?;
        writer.write_whole("lat_bnds", bytemuck::cast_slice(&lat))?;
        writer.write_whole("lon_bnds", bytemuck::cast_slice(&lon))
    }
}

fn variable(name: &str, dims: &[&str], dtype: DType, attributes: &[(&str, &str)]) -> VariableSpec {
    let mut spec = VariableSpec::new(name, dims, VarType::Numeric(dtype));
    for (name, value) in attributes {
        spec.attributes.set(*name, *value);
    }
    spec
}

/// The shape of chunks: as asked, else whole fields of about a mebibyte.
fn chunk_shape(args: &SampleArgs, shape: [usize; 3], step_bytes: usize) -> Result<Vec<usize>> {
    let mut chunks = [(CHUNK_BYTES / step_bytes).max(1), shape[1], shape[2]];
    if let Some(text) = &args.chunks {
        for (dim, size) in parse_chunks(text)? {
            let axis = ["time", "lat", "lon"]
                .iter()
                .position(|d| *d == dim)
                .ok_or_else(|| {
                    Error::invalid(format!(
                        "--chunks {text:?}: the dimensions are time, lat and lon, not {dim}"
                    ))
                })?;
            chunks[axis] = size;
        }
    }
    Ok(chunks.iter().zip(shape).map(|(&c, n)| c.clamp(1, n)).collect())
}
