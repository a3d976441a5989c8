//! Small files in the user's cache folder: compiled kernels and self-test verdicts.
//!
//! They only save time, so nothing here fails: what cannot be read is made again. Each file
//! ends with a checksum, because a torn file must not reach a driver.

use super::adapter::AdapterInfo;
use super::library;
use std::fs;
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_64;

/// `$XDG_CACHE_HOME/tilewise` or `~/.cache/tilewise`; `None` where neither is known.
fn folder() -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".cache")))
        .map(|base| base.join("tilewise"))
}

/// A number that changes with the adapter, its driver, this version of tilewise and its shaders.
pub(super) fn adapter_key(info: &AdapterInfo) -> u64 {
    let text = format!(
        "{}\n{}\n{}\n{}\n{:x}",
        info.name,
        info.backend,
        info.driver,
        env!("CARGO_PKG_VERSION"),
        library::fingerprint()
    );
    xxh3_64(text.as_bytes())
}

/// The content of a cached file, if it is there and whole.
pub(super) fn read(name: &str) -> Option<Vec<u8>> {
    let mut data = fs::read(folder()?.join(name)).ok()?;
    let (body, sum) = data.split_at_checked(data.len().checked_sub(8)?)?;
    let whole = sum == xxh3_64(body).to_le_bytes();
    data.truncate(data.len() - 8);
    whole.then_some(data)
}

/// Writes a cached file whole or not at all.
pub(super) fn write(name: &str, data: &[u8]) {
    let attempt = || -> Option<()> {
        let folder = folder()?;
        fs::create_dir_all(&folder).ok()?;
        let mut file = tempfile::NamedTempFile::new_in(&folder).ok()?;
        std::io::Write::write_all(&mut file, data).ok()?;
        std::io::Write::write_all(&mut file, &xxh3_64(data).to_le_bytes()).ok()?;
        file.persist(folder.join(name)).ok()?;
        Some(())
    };
    attempt();
}
