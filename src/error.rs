//! The one error type of tilewise.
//!
//! A variant says whose fault it is (the input, the memory bound, the machine), because that
//! decides the exit code and whether a retry on another device makes sense. The text names the
//! thing and the way out.

use std::fmt;
use std::path::{Path, PathBuf};

/// `Result` with tilewise's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The expression, the arguments, shapes or dtypes are wrong.
    Invalid(String),
    /// A file's content is not what its format promises, or holds what cannot be used.
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused a file operation.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was attempted, e.g. `read`.
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The memory bound cannot be kept.
    Memory {
        /// The tier: `host`, `gpu` or `disk`.
        tier: &'static str,
        /// Bytes that would do.
        needed: u64,
        /// Bytes allowed.
        budget: u64,
        /// What asks for them, and what would help.
        term: String,
    },
    /// A device failed or is missing.
    Device(String),
    /// The run was cancelled.
    Cancelled,
}

impl Error {
    /// An [`Error::Invalid`] of that text.
    pub fn invalid(text: impl Into<String>) -> Error {
        Error::Invalid(text.into())
    }

    /// An [`Error::Format`] for a file.
    pub fn format(path: impl AsRef<Path>, reason: impl Into<String>) -> Error {
        Error::Format {
            path: path.as_ref().to_path_buf(),
            reason: reason.into(),
        }
    }

    /// An [`Error::Io`] for a file; use as `map_err(Error::io("read", &path))`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, action, source }
    }

    /// The exit code of the command line: 1 for wrong input, 3 for the machine, 130 for a cancel.
    pub fn exit_code(&self) -> i32 {
        match self {
            Error::Invalid(_) | Error::Format { .. } | Error::Memory { .. } => 1,
            Error::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound
                | std::io::ErrorKind::IsADirectory
                | std::io::ErrorKind::NotADirectory
                | std::io::ErrorKind::PermissionDenied => 1,
                _ => 3,
            },
            Error::Device(_) => 3,
            Error::Cancelled => 130,
        }
    }
}

/// A byte count for people: `1.5 GiB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Invalid(text) | Error::Device(text) => f.write_str(text),
            Error::Format { path, reason } => write!(f, "{}: {reason}", path.display()),
            Error::Io { path, action, source } => {
                write!(f, "cannot {action} {}: {source}", path.display())
            }
            Error::Memory {
                tier,
                needed,
                budget,
                term,
            } => {
                let (mut more, mut less) = (human_bytes(*needed), human_bytes(*budget));
                if more == less {
                    (more, less) = (format!("{needed} B"), format!("{budget} B"));
                }
                write!(f, "{tier} memory: {more} needed but {less} allowed: {term}")
            }
            Error::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_errors_carry_numbers() {
        let error = Error::Memory {
            tier: "host",
            needed: 3 << 29,
            budget: 1 << 20,
            term: "a tile".into(),
        };
        assert_eq!(
            error.to_string(),
            "host memory: 1.5 GiB needed but 1.0 MiB allowed: a tile"
        );
        assert_eq!(error.exit_code(), 1);
        let close = Error::Memory {
            tier: "host",
            needed: (1 << 20) + 9,
            budget: 1 << 20,
            term: "a tile".into(),
        };
        assert_eq!(
            close.to_string(),
            "host memory: 1048585 B needed but 1048576 B allowed: a tile"
        );
        assert_eq!(human_bytes(7), "7 B");
    }
}
