//! What it costs to touch memory for the first time, page by page.
//!
//! Buffers are recycled and ask for huge pages because of this cost; measuring it tells what that
//! saves on a machine.

use std::time::{Duration, Instant};

/// Touches each 4 KiB of `bytes` of new memory, on huge pages or without them, and tells the time
/// that the touching took. `None` when the system has no such memory.
pub fn touch_fresh_pages(bytes: usize, huge: bool) -> Option<Duration> {
    const PAGE: usize = 4096;
    let bytes = bytes.checked_next_multiple_of(PAGE)?.max(PAGE);
    // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no memory
    // that is in use.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return None;
    }
    #[cfg(target_os = "linux")]
    // SAFETY: the range is the mapping made above; the call is advice only.
    unsafe {
        let advice = if huge {
            libc::MADV_HUGEPAGE
        } else {
            libc::MADV_NOHUGEPAGE
        };
        libc::madvise(start, bytes, advice);
    }
    let _ = huge;
    let began = Instant::now();
    for at in (0..bytes).step_by(PAGE) {
        // SAFETY: `at` lies within the mapping, which is writable and which no reference covers;
        // volatile, so that the stores happen.
        unsafe { start.cast::<u8>().add(at).write_volatile(1) }
    }
    let took = began.elapsed();
    // SAFETY: the whole mapping made above, to which nothing refers any more.
    unsafe {
        libc::munmap(start, bytes);
    }
    Some(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_can_be_touched() {
        for huge in [false, true] {
            assert!(touch_fresh_pages(0, huge).is_some());
            assert!(touch_fresh_pages(5 << 20, huge).is_some());
            assert!(touch_fresh_pages(usize::MAX, huge).is_none());
        }
    }
}
