//! Raw page-aligned memory: the one place where tiles' bytes come from the system.
//!
//! Large blocks are mapped at huge-page boundaries and ask for huge pages, because a first pass
//! over fresh 4 KiB pages costs three times a pass over memory that is there. All of it reads as
//! zero at first, so no byte is ever uninitialised.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Alignment of every block and the unit of its size: what direct I/O asks for.
pub(super) const PAGE: usize = 4096;

/// From this size on a block is mapped rather than taken from the allocator.
const MAPPED: usize = 1 << 20;

/// The size and alignment of a huge page.
const HUGE: usize = 2 << 20;

/// An owned block of initialised memory.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the block is owned by this value alone and is plain memory, bound to no thread.
unsafe impl Send for Mapping {}
// SAFETY: shared access only reads.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// A block of `bytes`, a positive multiple of [`PAGE`]; `None` when the system has none.
    pub(super) fn new(bytes: usize) -> Option<Mapping> {
        if bytes == 0 || !bytes.is_multiple_of(PAGE) {
            return None;
        }
        let start = if bytes >= MAPPED {
            map(bytes)?
        } else {
            let layout = Layout::from_size_align(bytes, PAGE).ok()?;
            // SAFETY: the layout's size is not zero.
            NonNull::new(unsafe { alloc_zeroed(layout) })?
        };
        Some(Mapping { start, bytes })
    }

    /// Its size.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        // SAFETY: `start` is valid for `bytes` initialised bytes (zeroed by the system, and only
        // written through `as_mut_slice`) while `self` lives; the borrow keeps writers away.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` makes this the only access.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.bytes >= MAPPED {
            unmap(self.start.as_ptr(), self.bytes);
        } else if let Ok(layout) = Layout::from_size_align(self.bytes, PAGE) {
            // SAFETY: allocated in `new` with this very layout, and freed once.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

/// Maps zeroed memory, at a huge-page boundary where it is large enough for one.
fn map(bytes: usize) -> Option<NonNull<u8>> {
    let slack = if bytes >= HUGE { HUGE } else { 0 };
    let total = bytes.checked_add(slack)?;
    // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no memory
    // that is in use.
    let found = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            total,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if found == libc::MAP_FAILED {
        return None;
    }
    let found = found.cast::<u8>();
    if slack == 0 {
        return NonNull::new(found);
    }
    let lead = found.align_offset(HUGE);
    debug_assert!(lead < HUGE);
    let start = found.wrapping_add(lead);
    unmap(found, lead);
    unmap(start.wrapping_add(bytes), slack - lead);
    #[cfg(target_os = "linux")]
    // SAFETY: `start .. start + bytes` lies in the mapping made above; the call is advice only.
    unsafe {
        libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE);
    }
    NonNull::new(start)
}

/// Asks for huge pages under fresh memory that is about to be written for the first time; where it
/// was written before, or is small, nothing changes.
pub(crate) fn advise_huge(bytes: &mut [u8]) {
    let lead = bytes.as_ptr().align_offset(HUGE).min(bytes.len());
    let whole = &mut bytes[lead..];
    let len = whole.len() / HUGE * HUGE;
    #[cfg(target_os = "linux")]
    if len > 0 {
        // SAFETY: the range lies inside `bytes`, which this function borrows alone; the call is
        // advice on how it is backed and changes no byte.
        unsafe {
            libc::madvise(whole.as_mut_ptr().cast(), len, libc::MADV_HUGEPAGE);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = len;
}

/// Unmaps part of a mapping of this file that nothing refers to.
fn unmap(start: *mut u8, bytes: usize) {
    if bytes > 0 {
        // SAFETY: the callers pass page-aligned parts of their own mapping, which no slice borrows.
        unsafe {
            libc::munmap(start.cast(), bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_zeroed_aligned_and_writable() {
        for bytes in [PAGE, 5 * PAGE, MAPPED, HUGE, HUGE + PAGE, 3 * HUGE] {
            let mut block = Mapping::new(bytes).unwrap();
            assert_eq!(block.bytes(), bytes);
            assert_eq!(block.as_slice().as_ptr() as usize % PAGE, 0);
            assert!(block.as_slice().iter().all(|&b| b == 0));
            block.as_mut_slice().fill(7);
            assert_eq!(block.as_slice()[bytes - 1], 7);
        }
    }

    #[test]
    fn advice_changes_no_byte() {
        for bytes in [0, 100, HUGE, 3 * HUGE + 5] {
            let mut block: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
            advise_huge(&mut block);
            assert!(block.iter().enumerate().all(|(i, &b)| b == (i % 251) as u8));
        }
    }

    #[test]
    fn what_the_system_lacks_is_none() {
        assert!(Mapping::new(0).is_none());
        assert!(Mapping::new(PAGE + 1).is_none());
        assert!(Mapping::new(usize::MAX / PAGE * PAGE).is_none());
        assert!(Mapping::new(1 << 60).is_none());
    }
}
