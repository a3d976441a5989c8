//! The narrow bridge to HDF5's C library: its lock, its handles, its errors.
//!
//! The library is one critical section for the whole process. Everything here runs inside
//! [`locked`]; nothing that decodes or waits does. Handles close themselves, and the library's own
//! printing of errors is off: its innermost message becomes the reason of ours.

pub(super) use crate::io::text::text_of;
use hdf5_sys::h5e::{H5E_DEFAULT, H5E_WALK_DOWNWARD, H5E_error2_t, H5Eclear2, H5Ewalk2};
use hdf5_sys::h5i::{H5Idec_ref, hid_t};
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};

/// The reason of a failure, without file and variable, which the callers know.
pub(super) type H5Result<T> = std::result::Result<T, String>;

/// An undefined file address.
pub(super) const UNDEFINED: u64 = u64::MAX;

unsafe extern "C" {
    /// Stored bytes of one chunk, 0 where it was never written (HDF5 1.10.2 and newer).
    pub(super) fn H5Dget_chunk_storage_size(dset: hid_t, offset: *const u64, bytes: *mut u64) -> c_int;
    /// An object reference of the classic kind (type 0): its address in the file.
    pub(super) fn H5Rcreate(
        reference: *mut c_void,
        location: hid_t,
        name: *const c_char,
        kind: c_int,
        space: hid_t,
    ) -> c_int;
    /// Gives back what variable-length elements of `kind` point to. 1.12 calls it deprecated in
    /// favour of a name that 1.10 lacks; all versions have it.
    pub(super) fn H5Dvlen_reclaim(kind: hid_t, space: hid_t, transfer: hid_t, buffer: *mut c_void) -> c_int;
}

/// Runs `f` while no other thread is inside the library.
pub(super) fn locked<T>(f: impl FnOnce() -> T) -> T {
    thread_local!(static SILENT: Cell<bool> = const { Cell::new(false) });
    // Each thread has its own error stack in thread-safe builds, so each is silenced once.
    if !SILENT.get() {
        hdf5::silence_errors(true);
        SILENT.set(true);
    }
    let _guard = hdf5_sys::LOCK.lock();
    f()
}

/// An open handle of the library; closed when dropped.
#[derive(Debug)]
pub(super) struct Id(hid_t);

impl Id {
    /// Takes over a handle that a library call returned; negative is a failure of `doing`.
    pub fn new(raw: hid_t, doing: &str) -> H5Result<Id> {
        if raw < 0 { Err(reason(doing)) } else { Ok(Id(raw)) }
    }

    /// The number to pass to the library.
    pub fn raw(&self) -> hid_t {
        self.0
    }
}

impl Drop for Id {
    fn drop(&mut self) {
        // SAFETY: the handle is valid and counted once by us; the lock is held.
        locked(|| unsafe { H5Idec_ref(self.0) });
    }
}

/// `value` unless it is negative, which is a failure of `doing`.
pub(super) fn check<T: Copy + Default + PartialOrd>(value: T, doing: &str) -> H5Result<T> {
    if value < T::default() {
        Err(reason(doing))
    } else {
        Ok(value)
    }
}

/// A C string; a NUL inside is an error.
pub(super) fn cstring(text: &str) -> H5Result<CString> {
    CString::new(text).map_err(|_| format!("the name {text:?} has a NUL byte"))
}

/// Calls a library function that fills a buffer with a name and returns its length.
pub(super) fn name_from(doing: &str, call: impl Fn(*mut c_char, usize) -> isize) -> H5Result<String> {
    let len = check(call(std::ptr::null_mut(), 0), doing)?;
    let mut buffer = vec![0u8; len.unsigned_abs() + 1];
    check(call(buffer.as_mut_ptr().cast(), buffer.len()), doing)?;
    Ok(text_of(&buffer))
}

/// What failed, with the library's innermost reason.
fn reason(doing: &str) -> String {
    /// Keeps the description of each frame; the innermost comes last.
    unsafe extern "C" fn keep(_: c_uint, frame: *const H5E_error2_t, data: *mut c_void) -> c_int {
        // SAFETY: the library passes a valid frame and the pointer given below; a null text is
        // skipped.
        unsafe {
            if !(*frame).desc.is_null() {
                let text = CStr::from_ptr((*frame).desc).to_string_lossy();
                *data.cast::<String>() = text.into_owned();
            }
        }
        0
    }
    let mut innermost = String::new();
    let data: *mut c_void = std::ptr::from_mut(&mut innermost).cast();
    // SAFETY: the callback gets a pointer to a `String` that outlives the walk; the lock is held.
    locked(|| unsafe {
        H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, Some(keep), data);
        H5Eclear2(H5E_DEFAULT);
    });
    let innermost = innermost.replace('\n', " ");
    if innermost.is_empty() {
        doing.to_string()
    } else {
        format!("{doing}: {innermost}")
    }
}
