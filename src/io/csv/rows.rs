//! The rows of a table from some place of its file on, one at a time.

use crate::io::file::ReadFile;
use crate::{Error, Result};
use csv::{ByteRecord, Reader, ReaderBuilder};
use std::cell::Cell;
use std::rc::Rc;

/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;

/// The most bytes of a row; an open quote would make one of all the rest.
const MOST_ROW: u64 = 16 << 20;

/// A reader of rows.
pub(super) struct Rows<'a> {
    file: &'a ReadFile,
    reader: Reader<Bytes<'a>>,
    record: ByteRecord,
    /// Bytes handed to the reader since the row before.
    since: Rc<Cell<u64>>,
    /// Where the reader began.
    start: u64,
}

/// The bytes of a file from some place on, as long as rows end.
struct Bytes<'a> {
    file: &'a ReadFile,
    at: u64,
    since: Rc<Cell<u64>>,
}

impl std::io::Read for Bytes<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.since.get() > MOST_ROW {
            return Err(std::io::Error::other(TOO_LONG));
        }
        let n = (out.len() as u64).min(self.file.len().saturating_sub(self.at)) as usize;
        self.file
            .read_at(self.at, &mut out[..n])
            .map_err(std::io::Error::other)?;
        self.at += n as u64;
        self.since.set(self.since.get() + n as u64);
        Ok(n)
    }
}

const TOO_LONG: &str = "a row is longer than 16 MiB; a quote may be open";

impl<'a> Rows<'a> {
    /// The rows from byte `start` on, which begins one.
    pub fn at(file: &'a ReadFile, delimiter: u8, start: u64) -> Rows<'a> {
        let since = Rc::new(Cell::new(0));
        let bytes = Bytes {
            file,
            at: start,
            since: since.clone(),
        };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .delimiter(delimiter)
            .buffer_capacity(BUFFER)
            .from_reader(bytes);
        Rows {
            file,
            reader,
            record: ByteRecord::new(),
            since,
            start,
        }
    }

    /// The next row; `None` behind the last.
    ///
    /// # Errors
    /// When a row has more or fewer cells than the one before, or is too long; tells its line,
    /// counted from where the rows begin.
    pub fn next(&mut self) -> Result<Option<&ByteRecord>> {
        self.since.set(0);
        match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => Ok(Some(&self.record)),
            Ok(false) => Ok(None),
            Err(error) => Err(self.error(error)),
        }
    }

    /// Where the row that was read last begins, and where the next one may.
    pub fn span(&self) -> (u64, u64) {
        let begin = self.record.position().map_or(0, csv::Position::byte);
        (self.start + begin, self.start + self.reader.position().byte())
    }

    /// Bytes that reading rows of at most `longest` bytes holds: the buffer, the cells and their ends.
    pub fn scratch_bytes(longest: u64) -> usize {
        BUFFER + 10 * longest as usize + 4096
    }

    fn error(&self, error: csv::Error) -> Error {
        let line = self.reader.position().line();
        let reason = match error.kind() {
            csv::ErrorKind::UnequalLengths {
                pos,
                expected_len,
                len,
            } => {
                let (line, at) = pos.as_ref().map_or((line, 0), |p| (p.line(), p.byte()));
                format!(
                    "line {}: {len} cells, where the first line has {expected_len}",
                    line + self.blank_lines(self.start + at)
                )
            }
            csv::ErrorKind::Io(e) => format!("near line {line}: {e}"),
            _ => format!("near line {line}: {error}"),
        };
        Error::format(self.file.path(), reason)
    }

    /// How many empty lines stand at a place, which the reader takes to the row behind them.
    fn blank_lines(&self, at: u64) -> u64 {
        let mut bytes = vec![0; self.file.len().saturating_sub(at).min(BUFFER as u64) as usize];
        match self.file.read_at(at, &mut bytes) {
            Ok(()) => {
                let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
                blank.filter(|b| **b == b'\n').count() as u64
            }
            Err(_) => 0, // the message is about another error
        }
    }
}

/// The text of a cell, odd bytes replaced.
pub(super) fn text_of_cell(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).into_owned()
}
