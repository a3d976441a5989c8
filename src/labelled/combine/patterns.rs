//! File names with wildcards, as a shell has them: `ta_*.nc`.

use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Whether a path names no file itself and has wildcards.
pub(in crate::labelled) fn is_pattern(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    text.iter().any(|b| b"*?[".contains(b)) && std::fs::symlink_metadata(path).is_err()
}

/// The files that a pattern stands for, sorted by name.
///
/// # Errors
/// When it is no valid pattern, a folder on the way cannot be read, or nothing matches.
pub(in crate::labelled) fn expand(pattern: &Path) -> Result<Vec<PathBuf>> {
    let text = pattern
        .to_str()
        .ok_or_else(|| Error::invalid(format!("{}: the pattern is not UTF-8", pattern.display())))?;
    let found = glob::glob(text).map_err(|e| {
        Error::invalid(format!(
            "{text:?} is no pattern: {} at character {}",
            e.msg, e.pos
        ))
    })?;
    let mut paths = Vec::new();
    for path in found {
        paths.push(path.map_err(|e| {
            let place = e.path().to_path_buf();
            Error::io("read", place)(e.into())
        })?);
    }
    match paths.is_empty() {
        true => Err(Error::invalid(format!("no file matches {text}"))),
        false => Ok(paths),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b_2.nc", "b_1.nc", "a.nc", "c[1].nc"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let pattern = folder.path().join("b_*.nc");
        assert!(is_pattern(&pattern));
        let names = [folder.path().join("b_1.nc"), folder.path().join("b_2.nc")];
        assert_eq!(expand(&pattern).unwrap(), names);
        assert!(!is_pattern(&folder.path().join("c[1].nc")), "a file of that name");
        assert!(!is_pattern(&folder.path().join("no.nc")));
        let none = expand(&folder.path().join("z*")).unwrap_err().to_string();
        assert!(
            none.starts_with("no file matches ") && none.ends_with("z*"),
            "{none}"
        );
        assert!(expand(Path::new("a***")).is_err());
    }
}
