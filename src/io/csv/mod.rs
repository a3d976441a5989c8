//! CSV and TSV files: a table whose columns are arrays over the dimension `row`.
//!
//! The first line has the names. One pass at opening finds what each column holds and where every so
//! many rows begin; later a column's region is read from the nearest such place, in bounded memory.
//! A column is int64 where all of it is integers, float64 where all of it is numbers or missing,
//! and text otherwise.

mod cells;
mod rows;
mod scan;

use self::cells::{float_of, integer_of};
use self::rows::{Rows, text_of_cell};
use self::scan::{Kind, Scan, scan};
use super::catalog::{Attributes, Catalog, Dim, VarType, Variable};
use super::contents::{Contents, missing};
use super::file::{ReadFile, check_region, fingerprint};
use super::text::TextArray;
use crate::geometry::Region;
use crate::store::Source;
use crate::{DType, Error, Result};
use std::path::Path;
use std::sync::Arc;

/// The dimension of all columns.
const ROW: &str = "row";

/// The most bytes of text that are read as one variable.
const MOST_TEXT: usize = 1 << 30;

/// An open CSV or TSV file.
#[derive(Debug)]
pub struct CsvFile {
    table: Arc<Table>,
    catalog: Catalog,
}

/// A file and what is known of it.
#[derive(Debug)]
struct Table {
    file: Arc<ReadFile>,
    delimiter: u8,
    scan: Scan,
}

impl CsvFile {
    /// Whether the ending of a path is that of such a file.
    pub(super) fn is_one(path: &Path) -> bool {
        delimiter(path).is_some()
    }

    /// Opens a file and reads through it once. Endings other than `.tsv` and `.tab` are read with
    /// commas.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Format`] for a row with more or fewer cells
    /// than names (with its line), for one longer than 16 MiB, and for more than 65,536 columns.
    pub fn open(path: &Path) -> Result<CsvFile> {
        let file = Arc::new(ReadFile::open(path)?);
        let delimiter = delimiter(path).unwrap_or(b',');
        let mut scan = scan(&file, delimiter)?;
        let notes = std::mem::take(&mut scan.notes);
        let variables = scan.columns.iter().map(|column| Variable {
            name: column.name.clone(),
            dims: vec![ROW.to_string()],
            shape: vec![scan.rows],
            dtype: match column.kind {
                Kind::Integer => VarType::Numeric(DType::I64),
                Kind::Float => VarType::Numeric(DType::F64),
                Kind::Text => VarType::Text,
            },
            chunks: None,
            codecs: String::new(),
            stored_bytes: file.len(),
            fill: None,
            attributes: Attributes::new(),
        });
        let catalog = Catalog {
            path: path.to_path_buf(),
            format: if delimiter == b'\t' { "TSV" } else { "CSV" },
            dims: vec![Dim {
                name: ROW.to_string(),
                len: scan.rows,
                unlimited: false,
            }],
            variables: variables.collect(),
            attributes: Attributes::new(),
            notes,
        };
        let table = Table {
            file,
            delimiter,
            scan,
        };
        Ok(CsvFile {
            table: Arc::new(table),
            catalog,
        })
    }

    fn column(&self, name: &str) -> Result<usize> {
        let at = self.catalog.variables.iter().position(|v| v.name == name);
        at.ok_or_else(|| missing(&self.catalog, name))
    }
}

/// What separates the cells of a file of that name.
fn delimiter(path: &Path) -> Option<u8> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    match ending.as_str() {
        "csv" => Some(b','),
        "tsv" | "tab" => Some(b'\t'),
        _ => None,
    }
}

impl Contents for CsvFile {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn source(&self, name: &str) -> Result<Arc<dyn Source>> {
        let column = self.column(name)?;
        let Some(dtype) = self.catalog.variables[column].numeric() else {
            return Err(Error::format(
                &self.catalog.path,
                format!("variable {name} holds text, which are not numbers"),
            ));
        };
        Ok(Arc::new(Column {
            table: self.table.clone(),
            name: name.to_string(),
            column,
            dtype,
            shape: [self.table.scan.rows],
        }))
    }

    fn text(&self, name: &str) -> Result<TextArray> {
        let column = self.column(name)?;
        let error = |reason: String| Error::format(&self.catalog.path, format!("variable {name} {reason}"));
        if self.table.scan.columns[column].kind != Kind::Text {
            return Err(error("holds numbers, which are not text".to_string()));
        }
        let (mut values, mut bytes) = (Vec::new(), 0usize);
        self.table.each(0, self.table.scan.rows, column, |cell| {
            bytes += cell.len() + size_of::<String>();
            if bytes > MOST_TEXT {
                return Err("has more text than is read as one variable, 1 GiB".to_string());
            }
            values.push(text_of_cell(cell));
            Ok(())
        })?;
        Ok(TextArray {
            shape: vec![values.len()],
            values,
        })
    }
}

impl Table {
    /// Calls `take` with the cells of a column in the rows `first..first + count`.
    fn each(
        &self,
        first: usize,
        count: usize,
        column: usize,
        mut take: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let (offset, at) = self.scan.place_of(first);
        let mut rows = Rows::at(&self.file, self.delimiter, offset);
        for row in at..first + count {
            let described = |reason: String| {
                let name = &self.scan.columns[column].name;
                Error::format(
                    self.file.path(),
                    format!("column {name}, row {row}: {reason}: the file changed after it was opened"),
                )
            };
            let record = rows.next()?.ok_or_else(|| described("it is not there".into()))?;
            if row >= first {
                let cell = record
                    .get(column)
                    .ok_or_else(|| described("it has no cell".into()))?;
                take(cell).map_err(described)?;
            }
        }
        Ok(())
    }
}

/// A column of numbers.
#[derive(Debug)]
struct Column {
    table: Arc<Table>,
    name: String,
    column: usize,
    dtype: DType,
    shape: [usize; 1],
}

impl Source for Column {
    fn name(&self) -> String {
        let path = self.table.file.path();
        let file = path.file_name().unwrap_or(path.as_os_str());
        format!("{}:{}", file.to_string_lossy(), self.name)
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        None
    }

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_region(&self.name(), &self.shape, 8, region, out.len())?;
        let mut elements = out.as_chunks_mut::<8>().0.iter_mut();
        let integers = self.dtype == DType::I64;
        let (first, count) = (region.start[0], region.shape[0]);
        self.table.each(first, count, self.column, |cell| {
            let bytes = match integers {
                true => integer_of(cell).map(i64::to_le_bytes),
                false => float_of(cell).map(f64::to_le_bytes),
            };
            let bytes = bytes.ok_or("it is no number")?;
            if let Some(element) = elements.next() {
                *element = bytes;
            }
            Ok(())
        })
    }

    fn scratch_bytes(&self, _region: &Region) -> usize {
        Rows::scratch_bytes(self.table.scan.longest)
    }

    fn stored_bytes(&self) -> u64 {
        self.table.file.len()
    }

    fn fingerprint(&self) -> u64 {
        fingerprint(&self.table.file, &self.name)
    }
}
