use std::ffi::c_char;

use super::*;

#[allow(unsafe_code)] // jemalloc's own interface.
unsafe extern "C" {
    fn _rjem_mallctl(
        name: *const c_char,
        old: *mut libc::c_void,
        old_len: *mut usize,
        new: *mut libc::c_void,
        new_len: usize,
    ) -> libc::c_int;
}

/// A setting that jemalloc doesn't know is a line on stderr, and a symbol under another name nothing
/// at all.
#[test]
fn the_allocator_took_its_settings() {
    let mut decay_ms: isize = -2;
    let mut len = size_of::<isize>();
    // SAFETY: the name ends in a zero byte, and the value that it names is an ssize_t.
    #[allow(unsafe_code)]
    let failed = unsafe {
        _rjem_mallctl(
            c"opt.dirty_decay_ms".as_ptr(),
            (&raw mut decay_ms).cast(),
            &raw mut len,
            std::ptr::null_mut(),
            0,
        )
    };
    assert_eq!((failed, decay_ms), (0, 500));
    assert_eq!(MALLOC_CONF as *const c_char, CONF.as_ptr());
}
