//! A guest's serial port as a stream that never blocks. The `virt` crate can't tell "nothing yet"
//! from an error, and panics where a stream's end fails.

use std::{
    ffi::{c_char, c_int, c_void},
    io::Write as _,
    os::unix::net::UnixStream,
    ptr,
};

use virt::{connect::Connect, domain::Domain, error::Error as VirtError};
use virt_sys as sys;

/// What `virStreamRecv` and `virStreamSend` answer where they would block.
const WOULD_BLOCK: c_int = -2;

pub struct Serial {
    stream: sys::virStreamPtr,
    has_callback: bool,
    /// Kept open as long as the stream.
    _connect: Connect,
}

// SAFETY: libvirt's streams may be used from any thread.
unsafe impl Send for Serial {}

pub enum Received {
    Bytes(usize),
    NothingYet,
    End,
}

impl Serial {
    /// Takes the port over from whoever has it. A byte is written to `wake` when there is
    /// something to receive; it must not block.
    pub fn open(connect: Connect, domain: &Domain, wake: UnixStream) -> Result<Self, VirtError> {
        // SAFETY: the connection lives, and outlives the stream in the same struct.
        let stream = unsafe { sys::virStreamNew(connect.as_ptr(), sys::VIR_STREAM_NONBLOCK) };
        if stream.is_null() {
            return Err(VirtError::last_error());
        }
        let mut serial = Self { stream, has_callback: false, _connect: connect };
        let flags = sys::VIR_DOMAIN_CONSOLE_FORCE;
        // SAFETY: both live; without a name it is the first console.
        let opened =
            unsafe { sys::virDomainOpenConsole(domain.as_ptr(), ptr::null(), stream, flags) };
        if opened < 0 {
            return Err(VirtError::last_error());
        }
        let events = sys::VIR_STREAM_EVENT_READABLE
            | sys::VIR_STREAM_EVENT_ERROR
            | sys::VIR_STREAM_EVENT_HANGUP;
        let opaque = Box::into_raw(Box::new(wake)).cast::<c_void>();
        // SAFETY: `opaque` stays valid until libvirt calls `free_wake` on it.
        let added = unsafe {
            sys::virStreamEventAddCallback(
                stream,
                events as c_int,
                Some(on_event),
                opaque,
                Some(free_wake),
            )
        };
        if added < 0 {
            let error = VirtError::last_error();
            // SAFETY: libvirt did not take it.
            unsafe { free_wake(opaque) };
            return Err(error);
        }
        serial.has_callback = true;
        Ok(serial)
    }

    pub fn receive(&self, buffer: &mut [u8]) -> Result<Received, VirtError> {
        let into = buffer.as_mut_ptr().cast::<c_char>();
        // SAFETY: the stream lives, and the buffer has as many bytes as it is said to have.
        let count = unsafe { sys::virStreamRecv(self.stream, into, buffer.len()) };
        match count {
            WOULD_BLOCK => Ok(Received::NothingYet),
            0 => Ok(Received::End),
            count if count > 0 => Ok(Received::Bytes(count.unsigned_abs() as usize)),
            _ => Err(VirtError::last_error()),
        }
    }

    /// How many bytes were taken; 0 where none can be right now.
    pub fn send(&self, bytes: &[u8]) -> Result<usize, VirtError> {
        let from = bytes.as_ptr().cast::<c_char>();
        // SAFETY: the stream lives, and there are as many bytes as is said.
        let count = unsafe { sys::virStreamSend(self.stream, from, bytes.len()) };
        match count {
            WOULD_BLOCK => Ok(0),
            count if count >= 0 => Ok(count.unsigned_abs() as usize),
            _ => Err(VirtError::last_error()),
        }
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        // SAFETY: the stream is ours, and freed once. That it ended already is no error here.
        unsafe {
            if self.has_callback {
                sys::virStreamEventRemoveCallback(self.stream);
            }
            sys::virStreamAbort(self.stream);
            sys::virStreamFree(self.stream);
        }
    }
}

unsafe extern "C" fn on_event(_: sys::virStreamPtr, _events: c_int, opaque: *mut c_void) {
    // SAFETY: the `opaque` of the registration.
    let mut wake = unsafe { &*opaque.cast::<UnixStream>() };
    // Full: then it is awake anyway.
    let _ = wake.write(&[1]);
}

unsafe extern "C" fn free_wake(opaque: *mut c_void) {
    // SAFETY: called once for the box made in `Serial::open`.
    drop(unsafe { Box::from_raw(opaque.cast::<UnixStream>()) });
}
