//! The command line as typed structures.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Computes with climate arrays larger than memory, on CPU threads or any GPU.
#[derive(Parser, Debug)]
#[command(name = "tilewise", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Show dimensions, variables, dtypes, chunks, codecs and attributes of files
    Info(InfoArgs),
    /// Compute an expression; print a summary, or write the result with -o
    Eval(Box<EvalArgs>),
    /// Write a file in another format, chunking or compression, its values as they are stored
    Convert(ConvertArgs),
    /// Show the plan of an expression, its memory proof and predicted time; nothing is run
    Explain(ExplainArgs),
    /// Show the devices and what they can do
    Devices(DevicesArgs),
    /// Write a realistic synthetic climate file
    Sample(SampleArgs),
    /// Measure this machine's limits, and the kernels against them
    Bench(BenchArgs),
}

/// `tilewise info`.
#[derive(Args, Debug)]
pub struct InfoArgs {
    /// The files
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Read all data and show the least, greatest and mean value of each variable, decoded, and how
    /// many of its values are there
    #[arg(long)]
    pub stats: bool,
    #[command(flatten)]
    pub run: RunArgs,
}

/// How a file is written.
#[derive(Args, Debug)]
pub struct OutputArgs {
    /// The format, where the ending of the name does not tell it
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Compress with deflate at this level
    #[arg(long, value_name = "1-9", value_parser = clap::value_parser!(u8).range(1..=9))]
    pub deflate: Option<u8>,
    /// Compress with this codec and level, as in deflate:4 or zstd:3; none for none
    #[arg(long, value_name = "CODEC[:LEVEL]", conflicts_with = "deflate")]
    pub codec: Option<String>,
    /// Shards of these sizes, for Zarr 3, as in time=1000
    #[arg(long, value_name = "DIM=N,...")]
    pub shards: Option<String>,
    /// Dimensions that can grow later, as in time
    #[arg(long, value_name = "DIM,...", value_delimiter = ',')]
    pub unlimited: Vec<String>,
}

/// `tilewise convert`.
#[derive(Args, Debug)]
pub struct ConvertArgs {
    /// The file or store to read
    pub input: PathBuf,
    /// The file or store to write; its ending tells the format
    pub output: PathBuf,
    /// Stored chunks of these sizes, as in time=100,lat=90; others stay as they are
    #[arg(long, value_name = "DIM=N,...")]
    pub chunks: Option<String>,
    /// Only these variables, with their coordinates
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub variables: Vec<String>,
    #[command(flatten)]
    pub form: OutputArgs,
    #[command(flatten)]
    pub run: RunArgs,
    /// A progress bar on a terminal, or none
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: Progress,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// `tilewise eval`.
#[derive(Args, Debug)]
pub struct EvalArgs {
    /// The expression, as in xarray: name = expr; name = expr. Names that begin with _ are
    /// intermediates and not written
    #[arg(allow_hyphen_values = true)]
    pub expression: String,
    /// The files whose variables the expression uses
    pub files: Vec<PathBuf>,
    /// Where the results go; the ending tells the format
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub form: OutputArgs,
    /// Chunks of these sizes in the output, as in time=100,lat=90; by default those of the results
    #[arg(long, value_name = "DIM=N,...", requires = "output")]
    pub stored_chunks: Option<String>,
    /// Store float results as integers of this dtype with a scale and an offset, as in int16, from
    /// the range of their values: one more pass over the data
    #[arg(long, value_name = "DTYPE", requires = "output")]
    pub pack: Option<String>,
    /// Put the results behind those that the output holds already, along this dimension, as in time
    #[arg(long, value_name = "DIM", requires = "output", conflicts_with_all = ["pack", "deflate", "codec", "unlimited", "stored_chunks"])]
    pub append: Option<String>,
    /// Write the results over a part of the Zarr store that the output is: where their labels along
    /// these dimensions say, as in time
    #[arg(long, value_name = "DIM,...", value_delimiter = ',', requires = "output", conflicts_with_all = ["append", "pack", "deflate", "codec", "unlimited", "stored_chunks", "shards"])]
    pub region: Vec<String>,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub run: RunArgs,
    /// Keep what is finished in this folder until all is done; run again after a kill, the same command
    /// goes on from there
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Most bytes in the folder of --resume, as in 50GiB; beyond that no more is kept
    #[arg(long, value_name = "SIZE", requires = "resume")]
    pub resume_limit: Option<String>,
    /// Print what each stage did: table on stderr, json on stdout
    #[arg(long, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "table")]
    pub report: Option<ReportForm>,
    /// Write the events of the run to this file as JSON that chrome://tracing reads
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// A progress bar on a terminal, or none
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: Progress,
    /// No summary and no progress bar
    #[arg(short, long)]
    pub quiet: bool,
}

/// `tilewise explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The expression
    #[arg(allow_hyphen_values = true)]
    pub expression: String,
    /// The files
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub run: RunArgs,
}

/// `tilewise devices`.
#[derive(Args, Debug)]
pub struct DevicesArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `tilewise bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// What to measure
    #[command(subcommand)]
    pub what: BenchCommand,
}

/// What `tilewise bench` measures.
#[derive(Subcommand, Debug)]
pub enum BenchCommand {
    /// Memory, arithmetic and disk, and every CPU kernel family beside them; all answers are checked
    Cpu(BenchCpuArgs),
    /// Memory, bus and arithmetic of each GPU, and the engine beside them; all answers are checked
    Gpu(BenchGpuArgs),
}

/// What both benches take.
#[derive(Args, Debug)]
pub struct BenchCommon {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write the JSON to this file too
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Bytes of one large array, as in 2GiB; by default 256MiB. A family holds up to five of them
    #[arg(long, value_name = "SIZE")]
    pub size: Option<String>,
    /// Only rows whose name contains one of these texts, as in reduce,limit; --list shows the names
    #[arg(long, value_name = "TEXT,...")]
    pub only: Option<String>,
    /// Turns of each that are counted; figures are their medians. By default 7
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: Option<u32>,
    /// Small arrays and one turn: whether everything works, not how fast
    #[arg(long)]
    pub quick: bool,
    /// List what can be measured
    #[arg(long)]
    pub list: bool,
    /// Say nothing of the progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// `tilewise bench cpu`.
#[derive(Args, Debug)]
pub struct BenchCpuArgs {
    #[command(flatten)]
    pub common: BenchCommon,
    /// Worker threads; by default one per core
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// The folder whose disk is measured; by default the system's for temporary files
    #[arg(long, value_name = "DIR")]
    pub spill_dir: Option<PathBuf>,
}

/// `tilewise bench gpu`.
#[derive(Args, Debug)]
pub struct BenchGpuArgs {
    #[command(flatten)]
    pub common: BenchCommon,
    /// The adapter: gpu for the first that is no software, or gpu:N; by default each of them
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Multiply float16 matrices on matrix units, summing in float32
    #[arg(long)]
    pub matrix_units: bool,
}

/// How inputs are opened.
#[derive(Args, Debug)]
pub struct Inputs {
    /// Give a variable a name of its own
    #[arg(long = "let", value_name = "NAME=FILE:VAR")]
    pub lets: Vec<String>,
    /// Take the elements of a file without a format as a variable, as in x=field.bin:float32:100x200;
    /// :offset=BYTES, :order=F and :endian=big may follow
    #[arg(long, value_name = "NAME=FILE:DTYPE:SHAPE")]
    pub raw: Vec<String>,
    /// Cut inputs into chunks of these sizes, as in time=100,lat=90
    #[arg(long, value_name = "DIM=N,...")]
    pub chunks: Option<String>,
}

/// What a run may use.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Which device computes: auto, cpu, gpu or gpu:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// Host memory for tiles, as in 2GiB; by default 60 % of what is free
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// GPU memory, as in 40GiB; by default four fifths of a GPU's own, or a part of --memory where it
    /// shares the host's
    #[arg(long, value_name = "SIZE")]
    pub gpu_memory: Option<String>,
    /// Multiply float16 matrices on the GPU's matrix units, summing in float32
    #[arg(long)]
    pub matrix_units: bool,
    /// Where tiles are spilled
    #[arg(long, value_name = "DIR")]
    pub spill_dir: Option<PathBuf>,
    /// Most bytes of spill files, as in 50GiB
    #[arg(long, value_name = "SIZE")]
    pub spill_limit: Option<String>,
    /// Worker threads; by default one per core
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `tilewise sample`.
#[derive(Args, Debug)]
pub struct SampleArgs {
    /// The file to write
    pub output: PathBuf,
    /// Years from --start
    #[arg(long, default_value_t = 10)]
    pub years: u32,
    /// The first year
    #[arg(long, default_value_t = 1980, allow_negative_numbers = true)]
    pub start: i64,
    /// Points as LATxLON
    #[arg(long, default_value = "90x180")]
    pub grid: String,
    /// The file's format
    #[arg(long, default_value = "netcdf4")]
    pub format: SampleFormat,
    /// The number that the noise follows from; equal seeds give equal files
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// One field per this time
    #[arg(long, default_value = "daily")]
    pub frequency: Frequency,
    /// Variables, of tas, pr and tos
    #[arg(long, value_delimiter = ',', default_value = "tas")]
    pub variables: Vec<String>,
    /// The calendar
    #[arg(long, default_value = "standard")]
    pub calendar: String,
    /// Sizes of chunks, as in time=1,lat=90,lon=180; by default about 1 MiB along time
    #[arg(long, value_name = "DIM=N,...")]
    pub chunks: Option<String>,
    /// Compress at this level
    #[arg(long, value_name = "1-9", value_parser = clap::value_parser!(u8).range(1..=9))]
    pub deflate: Option<u8>,
}

/// Formats of `tilewise sample`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum SampleFormat {
    /// NetCDF-4
    Netcdf4,
    /// NPY; one variable, no names
    Npy,
}

/// Steps of `tilewise sample`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frequency {
    /// Every day
    Daily,
    /// Every month
    Monthly,
    /// Every six hours
    #[value(name = "6h")]
    SixHourly,
}

/// Forms of a report.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportForm {
    /// For people
    Table,
    /// For programs
    Json,
}

/// When a progress bar is shown.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// On a terminal
    Auto,
    /// Never
    Never,
}

/// The sizes of `time=100,lat=90`.
///
/// # Errors
/// When an entry has another form.
pub fn parse_chunks(text: &str) -> tilewise::Result<Vec<(String, usize)>> {
    parse_sizes("--chunks", text)
}

/// The same for another flag.
///
/// # Errors
/// When an entry has another form; names the flag.
pub fn parse_sizes(flag: &str, text: &str) -> tilewise::Result<Vec<(String, usize)>> {
    let entry = |part: &str| {
        let (dim, size) = part.split_once('=')?;
        let size: usize = size.trim().parse().ok().filter(|&n| n > 0)?;
        Some((dim.trim().to_string(), size))
    };
    text.split(',')
        .map(|part| {
            entry(part).ok_or_else(|| {
                tilewise::Error::invalid(format!("{flag} {text:?}: {part:?} is not of the form dim=size"))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn chunks_are_named_sizes() {
        let want = vec![("time".to_string(), 100), ("lat".to_string(), 90)];
        assert_eq!(parse_chunks("time=100, lat=90").unwrap(), want);
        for bad in ["time", "time=0", "time=x", "", "time=1,,lat=2"] {
            assert!(parse_chunks(bad).is_err(), "{bad:?}");
        }
    }
}
