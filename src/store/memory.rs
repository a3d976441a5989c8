//! What the machine has and what this process uses, in bytes.
//!
//! The default host budget has to hold on a laptop, in a container with a cgroup limit and on a
//! shared node alike, so it is a share of whatever is least: what each enclosing cgroup (version 1
//! or 2) still allows, what a limit of the address space (`ulimit -v`) leaves, and what the kernel says
//! it can give.

use crate::{Error, Result};
use std::fs;
use std::path::Path;

/// The share of available memory that is used by default, in percent.
const SHARE: u64 = 60;

/// The share of the address space left by a limit that counts as available, in percent: stacks,
/// libraries and the heap's arenas take addresses that they never fill.
const ADDRESS_SHARE: u64 = 70;

/// The budget where the system says nothing about its memory.
const UNKNOWN: u64 = 1 << 30;

/// Bytes of host memory to use when the user names no limit: 60 % of what is available.
pub fn default_host_budget() -> u64 {
    available().map_or(UNKNOWN, |bytes| bytes / 100 * SHARE)
}

/// Bytes that can still be allocated: the least of the machine's, every enclosing cgroup's and those
/// of this process' limit of addresses.
pub(crate) fn available() -> Option<u64> {
    available_below(Path::new("/"))
}

/// Resident bytes of this process; `None` where the system does not say.
pub fn current_rss() -> Option<u64> {
    status("VmRSS")
}

/// The most bytes that were ever resident; `None` where the system does not say.
pub fn peak_rss() -> Option<u64> {
    status("VmHWM")
}

fn status(key: &str) -> Option<u64> {
    kib_line(&fs::read_to_string("/proc/self/status").ok()?, key)
}

/// The value of a line `key: 123 kB`, in bytes.
fn kib_line(text: &str, key: &str) -> Option<u64> {
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// As [`available`], with the system's files below `root`.
fn available_below(root: &Path) -> Option<u64> {
    let machine = fs::read_to_string(root.join("proc/meminfo"))
        .ok()
        .and_then(|text| kib_line(&text, "MemAvailable"));
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limited = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next().unwrap_or("");
        let group = parts.next().unwrap_or("/");
        let files = if controllers.is_empty() {
            Some(&V2)
        } else {
            controllers.split(',').any(|c| c == "memory").then_some(&V1)
        };
        files.into_iter().filter_map(move |files| files.left(root, group))
    });
    let addresses = addresses_left(root);
    machine.into_iter().chain(limited).chain(addresses).min()
}

/// What can be taken of the addresses that a limit leaves to this process; `None` without one.
fn addresses_left(root: &Path) -> Option<u64> {
    let limits = fs::read_to_string(root.join("proc/self/limits")).ok()?;
    let line = limits.lines().find_map(|l| l.strip_prefix("Max address space"))?;
    let limit: u64 = line.split_whitespace().next()?.parse().ok()?; // "unlimited" is no number
    let status = fs::read_to_string(root.join("proc/self/status")).unwrap_or_default();
    let used = kib_line(&status, "VmSize").unwrap_or(0);
    Some(limit.saturating_sub(used) / 100 * ADDRESS_SHARE)
}

/// Where a version of cgroups keeps its numbers.
struct CgroupFiles {
    mounts: &'static [&'static str],
    limit: &'static str,
    usage: &'static str,
    /// The line of `memory.stat` with cached file pages, which the kernel gives up first.
    cached: &'static str,
}

const V1: CgroupFiles = CgroupFiles {
    mounts: &["sys/fs/cgroup/memory"],
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    cached: "total_inactive_file",
};

const V2: CgroupFiles = CgroupFiles {
    mounts: &["sys/fs/cgroup", "sys/fs/cgroup/unified"],
    limit: "memory.max",
    usage: "memory.current",
    cached: "inactive_file",
};

impl CgroupFiles {
    /// The least that `group` or a group around it still allows. In a container the path may be
    /// the host's and absent; the walk then ends at the mount, which is the container's own group.
    fn left(&self, root: &Path, group: &str) -> Option<u64> {
        let group = Path::new(group.trim_start_matches('/'));
        self.mounts
            .iter()
            .flat_map(|mount| group.ancestors().map(move |g| root.join(mount).join(g)))
            .filter_map(|folder| self.left_in(&folder))
            .min()
    }

    fn left_in(&self, folder: &Path) -> Option<u64> {
        let number =
            |name: &str| -> Option<u64> { fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok() };
        let limit = number(self.limit)?; // "max" is no number, so no limit
        let usage = number(self.usage).unwrap_or(0);
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let cached = stat
            .lines()
            .find_map(|line| line.strip_prefix(self.cached)?.trim().parse::<u64>().ok())
            .unwrap_or(0);
        Some(limit.saturating_sub(usage.saturating_sub(cached)))
    }
}

/// Units of sizes: powers of 1024 for `KiB` and the bare letter, of 1000 for `KB`.
const LETTERS: &str = "kmgt";

/// A byte count from text: `2GiB`, `512MB`, `1.5g`, `4096`. `GiB` and `g` are powers of 1024, `GB`
/// of 1000; case and a space before the unit do not matter; fractions are rounded down.
///
/// # Errors
/// [`Error::Invalid`] for anything else; it names the accepted forms.
pub fn parse_bytes(text: &str) -> Result<u64> {
    try_parse(&text.trim().to_ascii_lowercase()).ok_or_else(|| {
        Error::invalid(format!(
            "`{text}` is no size in bytes below 16 EiB: write it as 2GiB, 512MB, 1.5g or 4096"
        ))
    })
}

fn try_parse(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let unit = unit_bytes(unit)?;
    let digits = |text: &str| -> Option<u128> {
        if text.is_empty() {
            Some(0)
        } else {
            text.parse().ok()
        }
    };
    let scale = 10u128.pow(fraction.len() as u32);
    let scaled = digits(whole)?
        .checked_mul(scale)?
        .checked_add(digits(fraction)?)?;
    u64::try_from(scaled.checked_mul(unit)? / scale).ok()
}

fn unit_bytes(unit: &str) -> Option<u128> {
    let Some(letter) = unit.chars().next().filter(|&c| c != 'b') else {
        return matches!(unit, "" | "b").then_some(1);
    };
    let power = 1 + LETTERS.find(letter)? as u32;
    match &unit[letter.len_utf8()..] {
        "" | "ib" => Some(1024u128.pow(power)),
        "b" => Some(1000u128.pow(power)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("7b", 7),
            ("2GiB", 2 << 30),
            ("512MB", 512_000_000),
            ("1.5g", 3 << 29),
            (" 64 kib ", 64 << 10),
            ("1T", 1 << 40),
            (".5K", 512),
            ("0.3KB", 300),
            ("1.0005b", 1),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_bytes(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn other_sizes_are_refused_with_the_accepted_forms() {
        for text in [
            "",
            "GiB",
            "-1",
            "1.2.3",
            "1e9",
            "inf",
            "nan",
            "2 GiBs",
            "2pib",
            "18446744073709551616",
            "99999999999999999999999999999999999999999t",
            "1é",
            ".",
        ] {
            let error = parse_bytes(text).unwrap_err();
            assert!(error.to_string().contains("2GiB, 512MB, 1.5g or 4096"), "{text}");
        }
    }

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn the_least_limit_around_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(available_below(root), None);
        write(
            root,
            &[("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    4000 kB\n")],
        );
        assert_eq!(available_below(root), Some(4_096_000));
        write(
            root,
            &[
                ("proc/self/cgroup", "0::/a/b\n"),
                ("sys/fs/cgroup/a/b/memory.max", "max\n"),
                ("sys/fs/cgroup/a/memory.max", "1000000\n"),
                ("sys/fs/cgroup/a/memory.current", "600000\n"),
                ("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 100000\n"),
            ],
        );
        assert_eq!(available_below(root), Some(500_000));
        write(
            root,
            &[
                ("proc/self/cgroup", "4:cpu,memory:/gone/in/here\n1:cpuset:/\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "300000\n"),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "400000\n"),
            ],
        );
        assert_eq!(
            available_below(root),
            Some(0),
            "used beyond the limit leaves nothing"
        );
    }

    #[test]
    fn a_limit_of_addresses_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let limits = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max cpu time              unlimited            unlimited            seconds   \n\
                 Max address space         {soft}            unlimited            bytes     \n"
            )
        };
        write(
            root,
            &[
                ("proc/meminfo", "MemAvailable:    4000000 kB\n"),
                ("proc/self/limits", &limits("unlimited")),
                ("proc/self/status", "VmPeak:  900 kB\nVmSize:     500000 kB\n"),
            ],
        );
        assert_eq!(available_below(root), Some(4_096_000_000));
        write(root, &[("proc/self/limits", &limits("1512000000"))]);
        assert_eq!(available_below(root), Some(700_000_000));
        write(root, &[("proc/self/limits", &limits("1000"))]);
        assert_eq!(available_below(root), Some(0), "nothing is left");
    }

    #[test]
    fn this_process_has_a_size() {
        if !Path::new("/proc/self/status").exists() {
            eprintln!("skipped: no /proc on this system");
            return;
        }
        let (current, peak) = (current_rss().unwrap(), peak_rss().unwrap());
        assert!(current > 0 && peak >= current / 2);
        assert!(default_host_budget() > 0);
    }
}
