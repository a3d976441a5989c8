//! The names of what is measured of an adapter, and what each counts.

/// A limit of an adapter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RawLimit {
    /// One array of its memory is read.
    Read,
    /// One array is read and one written, by a kernel.
    CopyKernel,
    /// The same by the driver's copy command.
    CopyCommand,
    /// Multiply-adds of f32 in registers.
    FmaF32,
    /// Multiply-adds of f64 in registers.
    FmaF64,
    /// Multiply-adds of f16 in registers.
    FmaF16,
    /// Staging memory is copied to the device by the driver's command.
    BusUp,
    /// Device memory is copied to staging memory.
    BusDown,
    /// Host memory goes to the device: by threads to staging memory that is used again and again,
    /// from there over the bus, both at a time.
    Upload,
    /// Device memory comes to the host by the same way.
    Download,
    /// The host writes to memory that kernels see.
    MappedWrite,
    /// The host reads from memory that kernels see.
    MappedRead,
    /// A dispatch that waits for the one before it, many in a submission.
    Dispatch,
    /// A submission of one dispatch, many before one wait.
    Submit,
    /// A submission of one dispatch, and the wait for it.
    RoundTrip,
    /// Device memory is allocated, cleared and freed.
    Allocate,
}

/// What a limit counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// Bytes read and written.
    Bytes,
    /// Multiplications and additions.
    Operations,
    /// Things of that name.
    Things(&'static str),
}

impl RawLimit {
    /// Every limit in the order of the table.
    pub const ALL: [RawLimit; 16] = [
        RawLimit::Read,
        RawLimit::CopyKernel,
        RawLimit::CopyCommand,
        RawLimit::FmaF32,
        RawLimit::FmaF64,
        RawLimit::FmaF16,
        RawLimit::BusUp,
        RawLimit::BusDown,
        RawLimit::Upload,
        RawLimit::Download,
        RawLimit::MappedWrite,
        RawLimit::MappedRead,
        RawLimit::Dispatch,
        RawLimit::Submit,
        RawLimit::RoundTrip,
        RawLimit::Allocate,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            RawLimit::Read => "read",
            RawLimit::CopyKernel => "copy, by a kernel",
            RawLimit::CopyCommand => "copy, by command",
            RawLimit::FmaF32 => "multiply-add f32",
            RawLimit::FmaF64 => "multiply-add f64",
            RawLimit::FmaF16 => "multiply-add f16",
            RawLimit::BusUp => "bus, to the device",
            RawLimit::BusDown => "bus, to the host",
            RawLimit::Upload => "upload, staged",
            RawLimit::Download => "download, staged",
            RawLimit::MappedWrite => "mapped memory, written",
            RawLimit::MappedRead => "mapped memory, read",
            RawLimit::Dispatch => "dispatch",
            RawLimit::Submit => "submission",
            RawLimit::RoundTrip => "round trip",
            RawLimit::Allocate => "allocation",
        }
    }

    /// What its amounts are.
    pub fn counts(self) -> Counted {
        match self {
            RawLimit::FmaF32 | RawLimit::FmaF64 | RawLimit::FmaF16 => Counted::Operations,
            RawLimit::Dispatch => Counted::Things("dispatch"),
            RawLimit::Submit => Counted::Things("submission"),
            RawLimit::RoundTrip => Counted::Things("round trip"),
            _ => Counted::Bytes,
        }
    }
}
