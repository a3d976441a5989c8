//! What a file to be written shall hold, in words that no format owns.
//!
//! Every writer takes the same description, so that converting and computing do not care where the
//! result goes.

use super::catalog::{Attributes, Catalog, Dim, VarType};
use crate::{Error, Result};
use std::collections::HashSet;
use tilewise_kernels::Scalar;

/// A file to be written.
#[derive(Clone, Debug, Default)]
pub struct FileSpec {
    /// Its dimensions.
    pub dims: Vec<Dim>,
    /// Its variables, in the order in which they are to be listed.
    pub variables: Vec<VariableSpec>,
    /// The attributes of the file itself.
    pub attributes: Attributes,
}

/// A variable to be written.
#[derive(Clone, Debug)]
pub struct VariableSpec {
    /// Its name.
    pub name: String,
    /// The names of its dimensions, which give its shape.
    pub dims: Vec<String>,
    /// What its elements are; [`VarType::Other`] cannot be written.
    pub dtype: VarType,
    /// The shape of its chunks; `None` lets the writer choose: one piece where nothing is
    /// compressed and nothing can grow.
    pub chunks: Option<Vec<usize>>,
    /// The level of its compression, 1 to 9; `None` stores it as it is.
    pub deflate: Option<u8>,
    /// Whether the bytes of its elements are grouped before they are compressed.
    pub shuffle: bool,
    /// The value of missing elements, an element of its dtype; written as `_FillValue`.
    pub fill: Option<Scalar>,
    /// Its other attributes.
    pub attributes: Attributes,
}

impl VariableSpec {
    /// An uncompressed variable without attributes.
    pub fn new(name: impl Into<String>, dims: &[&str], dtype: VarType) -> VariableSpec {
        VariableSpec {
            name: name.into(),
            dims: dims.iter().map(|d| d.to_string()).collect(),
            dtype,
            chunks: None,
            deflate: None,
            shuffle: false,
            fill: None,
            attributes: Attributes::new(),
        }
    }
}

impl FileSpec {
    /// A file with the dimensions, variables and attributes of `catalog`, uncompressed, with its
    /// chunks.
    pub fn like(catalog: &Catalog) -> FileSpec {
        let variables = catalog.variables.iter().map(|v| VariableSpec {
            name: v.name.clone(),
            dims: v.dims.clone(),
            dtype: v.dtype.clone(),
            chunks: v.chunks.clone(),
            deflate: None,
            shuffle: false,
            fill: None,
            attributes: v.attributes.clone(),
        });
        FileSpec {
            dims: catalog.dims.clone(),
            variables: variables.collect(),
            attributes: catalog.attributes.clone(),
        }
    }

    /// The dimensions of a variable.
    ///
    /// # Errors
    /// When one of them is not described.
    pub(crate) fn dims_of(&self, variable: &VariableSpec) -> Result<Vec<usize>> {
        let number = |name: &String| {
            self.dims.iter().position(|d| d.name == *name).ok_or_else(|| {
                let known: Vec<&str> = self.dims.iter().map(|d| d.name.as_str()).collect();
                Error::invalid(format!(
                    "variable {} has a dimension {name} that the file has not: it has {}",
                    variable.name,
                    known.join(", ")
                ))
            })
        };
        variable.dims.iter().map(number).collect()
    }

    /// Checks what every format asks: names are unique and not empty, dimensions known, shapes of
    /// chunks and dtypes of fill values fitting.
    ///
    /// # Errors
    /// Names the first offender.
    pub(crate) fn check(&self) -> Result<()> {
        unique("dimension", self.dims.iter().map(|d| d.name.as_str()))?;
        unique("variable", self.variables.iter().map(|v| v.name.as_str()))?;
        for variable in &self.variables {
            let (name, dims) = (&variable.name, self.dims_of(variable)?);
            let shape: Vec<usize> = dims.iter().map(|&d| self.dims[d].len).collect();
            crate::geometry::checked_bytes(&shape, 16)?;
            if let Some(chunks) = &variable.chunks
                && (chunks.len() != shape.len() || chunks.contains(&0))
            {
                return Err(Error::invalid(format!(
                    "variable {name}: chunks {chunks:?} do not fit its shape {shape:?}"
                )));
            }
            if let Some(level) = variable.deflate.filter(|l| !(1..=9).contains(l)) {
                return Err(Error::invalid(format!(
                    "variable {name}: deflate level {level} is not within 1 to 9"
                )));
            }
            match (&variable.dtype, variable.fill) {
                (VarType::Other(what), _) => {
                    return Err(Error::invalid(format!(
                        "variable {name}: elements of type {what} cannot be written"
                    )));
                }
                (VarType::Numeric(dtype), Some(fill)) if fill.dtype() != *dtype => {
                    return Err(Error::invalid(format!(
                        "variable {name} is {dtype}, its fill value {}",
                        fill.dtype()
                    )));
                }
                (VarType::Text | VarType::Char, Some(_)) => {
                    return Err(Error::invalid(format!(
                        "variable {name} is text and has no fill value"
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Checks that names are given and differ.
fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        let base = name.rsplit('/').next().unwrap_or(name);
        if base.is_empty() || name.contains('\0') {
            return Err(Error::invalid(format!("{name:?} is no name for a {what}")));
        }
        if !seen.insert(name) {
            return Err(Error::invalid(format!("there are two {what}s called {name}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    fn file() -> FileSpec {
        let x = Dim {
            name: "x".into(),
            len: 3,
            unlimited: false,
        };
        let v = VariableSpec::new("v", &["x"], VarType::Numeric(DType::F32));
        FileSpec {
            dims: vec![x],
            variables: vec![v],
            attributes: Attributes::new(),
        }
    }

    /// A change to a good description, and what its error says.
    type Fault = (fn(&mut FileSpec), &'static str);

    #[test]
    fn faults_are_named() {
        assert!(file().check().is_ok());
        let faults: [Fault; 8] = [
            (|f| f.variables[0].dims = vec!["y".into()], "dimension y"),
            (|f| f.variables[0].chunks = Some(vec![2, 2]), "chunks [2, 2]"),
            (|f| f.variables[0].chunks = Some(vec![0]), "chunks [0]"),
            (|f| f.variables[0].deflate = Some(12), "level 12"),
            (
                |f| f.variables[0].fill = Some(Scalar::new(1i32)),
                "fill value int32",
            ),
            (
                |f| f.variables[0].dtype = VarType::Other("compound".into()),
                "compound",
            ),
            (|f| f.variables.push(f.variables[0].clone()), "two variables"),
            (|f| f.dims[0].name.clear(), "no name"),
        ];
        for (change, expected) in faults {
            let mut file = file();
            change(&mut file);
            let error = file.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
