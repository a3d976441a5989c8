//! Telling the system what will be read from a file, so that the disk works while others compute.

use std::fs::File;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd as _;

/// The system takes no more of one hint than it would read ahead at once: half a MiB or more everywhere.
const PIECE: u64 = 512 << 10;

/// Says that `len` bytes of `file` from `offset` on will be read soon. The system may begin to bring them
/// to its page cache, from where it drops them again when memory is short.
pub(crate) fn will_read(file: &File, offset: u64, len: u64) {
    let mut at = offset;
    let end = offset.saturating_add(len);
    while at < end {
        let piece = PIECE.min(end - at);
        if !hint(file, at, piece) {
            return; // it takes no hints here
        }
        at += piece;
    }
}

#[cfg(target_os = "linux")]
fn hint(file: &File, offset: u64, len: u64) -> bool {
    let (Ok(start), Ok(last)) = (
        libc::off_t::try_from(offset),
        libc::off_t::try_from(offset.saturating_add(len - 1)),
    ) else {
        return false;
    };
    if is_cached(file, last) {
        return true; // looking at each of its pages would cost a part of reading it
    }
    let len = last - start + 1;
    // SAFETY: the descriptor is open while `file` is borrowed, and the call touches no memory of ours.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), start, len, libc::POSIX_FADV_WILLNEED) == 0 }
}

/// Whether the byte at `offset` can be read without the disk; `false` where the system cannot tell.
#[cfg(target_os = "linux")]
fn is_cached(file: &File, offset: libc::off_t) -> bool {
    let mut byte = 0u8;
    let into = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    // SAFETY: the descriptor is open while `file` is borrowed; one vector of one byte that lives on.
    unsafe { libc::preadv2(file.as_raw_fd(), &raw const into, 1, offset, libc::RWF_NOWAIT) == 1 }
}

#[cfg(not(target_os = "linux"))]
fn hint(_: &File, _: u64, _: u64) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::FileExt as _;

    #[test]
    fn hints_change_nothing_that_is_read() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
        file.write_all(&bytes).unwrap();
        for (offset, len) in [
            (0, 3_000_000),
            (2_999_999, 10),
            (17, 0),
            (u64::MAX - 3, 9),
            (1 << 60, 1 << 40),
        ] {
            will_read(&file, offset, len);
        }
        let mut back = vec![0; bytes.len()];
        file.read_exact_at(&mut back, 0).unwrap();
        assert!(back == bytes);
    }
    /// Whether the page at `offset` of a file of `len` bytes is in the page cache, asked without reading it.
    #[cfg(target_os = "linux")]
    fn is_resident(file: &File, len: usize, offset: usize) -> bool {
        let mut pages = vec![0u8; len.div_ceil(4096)];
        // SAFETY: a new mapping of an open file that nobody reads through; `pages` has a byte for each page
        // of at least 4 KiB in it; it is unmapped with the length that it was made with.
        unsafe {
            let none = std::ptr::null_mut();
            let map = libc::mmap(none, len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0);
            assert_ne!(map, libc::MAP_FAILED);
            assert_eq!(libc::mincore(map, len, pages.as_mut_ptr()), 0);
            libc::munmap(map, len);
            pages[offset / libc::sysconf(libc::_SC_PAGESIZE) as usize] & 1 == 1
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_hinted_at_comes_to_the_page_cache() {
        const LEN: usize = 8 << 20;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; LEN]).unwrap();
        file.sync_all().unwrap();
        // SAFETY: the descriptor is open, and the call touches no memory of ours.
        unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
        let places = [100, 2 << 20, (4 << 20) - 1];
        if places.iter().any(|&at| is_resident(&file, LEN, at)) {
            println!("skipped: this file system keeps its files in memory");
            return;
        }
        will_read(&file, 0, 4 << 20);
        for at in places {
            let there = (0..500).any(|_| {
                let there = is_resident(&file, LEN, at);
                if !there {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                there
            });
            assert!(there, "byte {at} is not read ahead");
        }
    }
}
