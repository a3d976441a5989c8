//! Where the objects of a store lie: a folder, an archive, or behind a URL.
//!
//! A store is a map from keys such as `tas/c/0/1` to bytes. Everything of this format reads through
//! [`Files`], so that what is above knows neither paths nor archives.

use crate::store::will_read;
use crate::{Error, Result};
use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use xxhash_rust::xxh3::xxh3_64;

/// The most bytes of one metadata object: millions of attributes, and no more.
pub(super) const MOST_METADATA: usize = 256 << 20;

/// The objects of a store.
pub(super) trait Files: Send + Sync + Debug {
    /// One object, `None` where there is none.
    ///
    /// # Errors
    /// When the store cannot be reached or refuses.
    fn open(&self, key: &str) -> Result<Option<Box<dyn Object>>>;

    /// Reads all of an object of at most `most` bytes into the front of `out`, which grows as needed:
    /// its length, `None` where there is none.
    ///
    /// # Errors
    /// As [`Files::open`], and for longer objects.
    fn read(&self, key: &str, out: &mut Vec<u8>, most: usize) -> Result<Option<usize>> {
        let Some(object) = self.open(key)? else {
            return Ok(None);
        };
        let len = fitting(self.location(), key, object.len(), most)?;
        grow(out, len).map_err(|e| Error::format(self.location(), e))?;
        object.read_at(0, &mut out[..len])?;
        Ok(Some(len))
    }

    /// The names of what lies directly below a folder (`""` is the root); `None` where the store
    /// cannot list.
    ///
    /// # Errors
    /// As [`Files::open`].
    fn list(&self, folder: &str) -> Result<Option<Vec<String>>>;

    /// The bytes and the number of the objects below a folder, counted up to `most` objects.
    fn sizes(&self, folder: &str, most: usize) -> Option<(u64, usize)>;

    /// Bytes that an open object of at most `most` bytes holds.
    fn held(&self, _most: usize) -> usize {
        0
    }

    /// The path or URL as it was given.
    fn location(&self) -> &Path;

    /// Equal for an unchanged store as far as that is cheap to tell; `folder` is the array's.
    fn identity(&self, folder: &str) -> u64;

    /// Says that an object will be read soon, where that costs less than a request.
    fn will_read(&self, _key: &str) {}

    /// Equal as long as no object below a folder has changed, by their names, lengths and times; `None`
    /// where that cannot be told.
    fn objects(&self, folder: &str) -> Option<u64>;
}

/// An object of a store.
pub(super) trait Object {
    /// Its length in bytes.
    fn len(&self) -> u64;

    /// Fills `out` from the bytes at `offset`.
    ///
    /// # Errors
    /// When the object ends before, or the system refuses.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()>;
}

/// The length of an object where it is at most `most`.
pub(super) fn fitting(location: &Path, key: &str, len: u64, most: usize) -> Result<usize> {
    usize::try_from(len).ok().filter(|&n| n <= most).ok_or_else(|| {
        let reason = format!("{key} has {len} bytes, more than the {most} that its metadata allows");
        Error::format(location, reason)
    })
}

/// Makes a buffer at least `len` bytes long.
pub(super) fn grow(buffer: &mut Vec<u8>, len: usize) -> Result<(), String> {
    if buffer.len() < len {
        let more = len - buffer.len();
        buffer
            .try_reserve_exact(more)
            .map_err(|_| format!("there is no memory for a chunk of {len} bytes"))?;
        buffer.resize(len, 0);
    }
    Ok(())
}

/// A small object as a whole.
pub(super) fn small(files: &dyn Files, key: &str) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let len = files.read(key, &mut bytes, MOST_METADATA)?;
    Ok(len.map(|_| bytes))
}

/// `folder/name`, without a slash where the folder is the root.
pub(super) fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_string(),
        folder => format!("{folder}/{name}"),
    }
}

/// A store in a folder of the file system.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn new(root: &Path) -> Folder {
        Folder {
            root: root.to_path_buf(),
        }
    }
}

struct Plain {
    file: File,
    len: u64,
    path: PathBuf,
}

impl Object for Plain {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        match self.file.read_exact_at(out, offset) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(Error::format(&self.path, "truncated while it was read"))
            }
            other => other.map_err(Error::io("read", &self.path)),
        }
    }
}

impl Files for Folder {
    fn will_read(&self, key: &str) {
        // Who reads it tells what is wrong with it.
        if let Ok(file) = File::open(self.root.join(key))
            && let Ok(metadata) = file.metadata()
        {
            will_read(&file, 0, metadata.len());
        }
    }

    fn open(&self, key: &str) -> Result<Option<Box<dyn Object>>> {
        let path = self.root.join(key);
        use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
        // A pipe that stands there would make us wait for its writer.
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(e) if matches!(e.kind(), NotFound | NotADirectory | IsADirectory) => return Ok(None),
            Err(e) => return Err(Error::io("open", &path)(e)),
        };
        let metadata = file.metadata().map_err(Error::io("open", &path))?;
        if metadata.is_dir() {
            return Ok(None);
        }
        if !metadata.is_file() {
            return Err(Error::format(&path, "is not a regular file"));
        }
        let len = metadata.len();
        Ok(Some(Box::new(Plain { file, len, path })))
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<String>>> {
        let path = self.root.join(folder);
        let entries = std::fs::read_dir(&path).map_err(Error::io("read", &path))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("read", &path))?;
            names.extend(entry.file_name().into_string().ok());
        }
        names.sort();
        Ok(Some(names))
    }

    fn sizes(&self, folder: &str, most: usize) -> Option<(u64, usize)> {
        let (mut bytes, mut count) = (0, 0);
        let mut folders = vec![self.root.join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).ok()?.flatten() {
                if count == most {
                    return Some((bytes, count));
                }
                match entry.file_type().ok()? {
                    kind if kind.is_dir() => folders.push(entry.path()),
                    _ if is_metadata(&entry.file_name().to_string_lossy()) => {}
                    _ => {
                        bytes += entry.metadata().map_or(0, |m| m.len());
                        count += 1;
                    }
                }
            }
        }
        Some((bytes, count))
    }

    fn location(&self) -> &Path {
        &self.root
    }

    fn identity(&self, folder: &str) -> u64 {
        let at = self.root.join(folder);
        let mut text = format!("{}", at.canonicalize().unwrap_or(at.clone()).display());
        for name in ["", "c", "zarr.json", ".zarray"] {
            let modified = std::fs::metadata(at.join(name)).and_then(|m| m.modified());
            let nanos = modified.ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
            text += &format!("\0{}", nanos.map_or(0, |d| d.as_nanos()));
        }
        xxh3_64(text.as_bytes())
    }

    fn objects(&self, folder: &str) -> Option<u64> {
        let mut all = Unordered::default();
        let mut folders = vec![self.root.join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).ok()? {
                let entry = entry.ok()?;
                if entry.file_type().ok()?.is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                // Where a link leads counts, not the link; those to folders are not followed.
                let metadata = std::fs::metadata(entry.path()).ok().filter(|m| m.is_file())?;
                let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
                let (path, len) = (entry.path(), metadata.len());
                all.add(&format!("{}\0{len}\0{}", path.display(), modified.as_nanos()));
            }
        }
        Some(all.digest())
    }
}

/// A digest of texts that come in any order.
#[derive(Default)]
pub(super) struct Unordered {
    sum: u64,
    count: u64,
}

impl Unordered {
    /// Takes in a text.
    pub fn add(&mut self, text: &str) {
        self.sum = self.sum.wrapping_add(xxh3_64(text.as_bytes()));
        self.count += 1;
    }

    /// The digest of all.
    pub fn digest(&self) -> u64 {
        xxh3_64(&[self.sum.to_le_bytes(), self.count.to_le_bytes()].concat())
    }
}

/// Whether an object of that name describes a node rather than holding elements.
pub(super) fn is_metadata(name: &str) -> bool {
    matches!(
        name,
        "zarr.json" | ".zarray" | ".zattrs" | ".zgroup" | ".zmetadata"
    )
}
