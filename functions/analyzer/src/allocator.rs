//! How memory goes back to the system.

/// From what size on a piece of memory is the system's again as soon as it is freed, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 1 << 20;

/// Keeps large pieces out of the heap. The allocator of glibc raises that bound to the largest piece that it has seen
/// freed (mallopt(3), "dynamic mmap threshold"); the text of a large state then lies in the heap, between small pieces
/// that outlive it, and every run takes a third more memory than it needs.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc has no other way to set it from within the process")]
pub(crate) fn return_large_pieces() {
    // SAFETY: it takes two numbers, and sets a number of the allocator before any other thread is there. If it fails,
    // nothing has changed.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Other allocators keep no such bound.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn return_large_pieces() {}
