//! The libvirt calls that the `virt` crate lacks or gets wrong: it ignores the error of
//! `virDomainGetState`, leaks what `virDomainInterfaceAddresses` returns, leaves statistics as raw
//! pointers, and knows no domain events.
#![allow(unsafe_code)] // A thin layer over a C library; each block says why it is sound.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    os::fd::{FromRawFd, OwnedFd},
    ptr,
};

use virt::{connect::Connect, domain::Domain, error::Error as VirtError};
use virt_sys as sys;

mod serial;

pub use serial::{Received, Serial};

/// A socket that speaks RFB with the guest's first screen.
pub fn graphics_fd(domain: &Domain) -> Result<OwnedFd, VirtError> {
    // The password that qemu.conf may ask for is for who comes over the network.
    let flags = sys::VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH;
    // SAFETY: the domain lives as long as the borrow.
    let fd = unsafe { sys::virDomainOpenGraphicsFD(domain.as_ptr(), 0, flags) };
    if fd < 0 {
        return Err(VirtError::last_error());
    }
    // SAFETY: libvirt opened it for us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// State and reason, as libvirt numbers them.
pub fn state(domain: &Domain) -> Result<(u32, i32), VirtError> {
    let (mut state, mut reason): (c_int, c_int) = (0, 0);
    // SAFETY: the domain lives as long as the borrow; both out-pointers are valid.
    let ret = unsafe { sys::virDomainGetState(domain.as_ptr(), &mut state, &mut reason, 0) };
    if ret < 0 {
        return Err(VirtError::last_error());
    }
    Ok((state.unsigned_abs(), reason))
}

/// A named value of a statistics record.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Int(u64),
    Text(String),
    Other,
}

pub struct StatsRecord {
    pub uuid: uuid::Uuid,
    pub name: String,
    pub values: Vec<(String, Value)>,
}

/// All domains' statistics, in one call. A guest whose monitor is busy is not waited for.
pub fn all_stats(connect: &Connect, groups: u32) -> Result<Vec<StatsRecord>, VirtError> {
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    let flags = sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;
    // SAFETY: the connection lives as long as the borrow; `records` is a valid out-pointer.
    let count =
        unsafe { sys::virConnectGetAllDomainStats(connect.as_ptr(), groups, &mut records, flags) };
    if count < 0 {
        return Err(VirtError::last_error());
    }
    let mut read = Vec::with_capacity(count.unsigned_abs() as usize);
    for n in 0..count.unsigned_abs() as usize {
        // SAFETY: libvirt promises `count` valid records.
        let record = unsafe { &**records.add(n) };
        // SAFETY: the record's domain is valid until the list is freed below.
        if let Some(record) = unsafe { read_record(record) } {
            read.push(record);
        }
    }
    // SAFETY: the list came from libvirt and is freed once.
    unsafe { sys::virDomainStatsRecordListFree(records) };
    Ok(read)
}

/// # Safety
/// `record` is one that libvirt returned and that has not been freed.
unsafe fn read_record(record: &sys::virDomainStatsRecord) -> Option<StatsRecord> {
    let mut id = [0_u8; 16];
    // SAFETY: the buffer has VIR_UUID_BUFLEN bytes.
    if unsafe { sys::virDomainGetUUID(record.dom, id.as_mut_ptr()) } < 0 {
        return None;
    }
    // SAFETY: the name belongs to the domain and is copied here.
    let name = unsafe { text(sys::virDomainGetName(record.dom)) };
    let count = usize::try_from(record.nparams).ok()?;
    let mut values = Vec::with_capacity(count);
    for n in 0..count {
        // SAFETY: libvirt promises `nparams` valid parameters.
        let param = unsafe { &*record.params.add(n) };
        // SAFETY: the field is a NUL-terminated array.
        let field = unsafe { text(param.field.as_ptr()) };
        // SAFETY: the tag says which member of the union is set.
        let value = unsafe { read_value(param) };
        values.push((field, value));
    }
    Some(StatsRecord { uuid: uuid::Uuid::from_bytes(id), name, values })
}

/// # Safety
/// `param` is a valid typed parameter.
unsafe fn read_value(param: &sys::virTypedParameter) -> Value {
    let kind = param.type_.unsigned_abs();
    // SAFETY: each arm reads the member that the tag names.
    unsafe {
        match kind {
            sys::VIR_TYPED_PARAM_INT => Value::Int(u64::from(param.value.i.max(0).unsigned_abs())),
            sys::VIR_TYPED_PARAM_UINT => Value::Int(u64::from(param.value.ui)),
            sys::VIR_TYPED_PARAM_LLONG => Value::Int(param.value.l.max(0).unsigned_abs()),
            sys::VIR_TYPED_PARAM_ULLONG => Value::Int(param.value.ul),
            sys::VIR_TYPED_PARAM_STRING => Value::Text(text(param.value.s)),
            _ => Value::Other,
        }
    }
}

/// # Safety
/// `pointer` is null or a NUL-terminated string.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// The addresses of all of the domain's interfaces, by one source.
pub fn addresses(domain: &Domain, source: u32) -> Result<Vec<String>, VirtError> {
    let mut list: *mut sys::virDomainInterfacePtr = ptr::null_mut();
    // SAFETY: the domain lives as long as the borrow; `list` is a valid out-pointer.
    let count = unsafe { sys::virDomainInterfaceAddresses(domain.as_ptr(), &mut list, source, 0) };
    if count < 0 {
        return Err(VirtError::last_error());
    }
    let mut found = Vec::new();
    for n in 0..count.unsigned_abs() as usize {
        // SAFETY: libvirt promises `count` interfaces with `naddrs` addresses each; each is freed
        // once, after its addresses were copied.
        unsafe {
            let interface = *list.add(n);
            for a in 0..(*interface).naddrs as usize {
                found.push(text((*(*interface).addrs.add(a)).addr));
            }
            sys::virDomainInterfaceFree(interface);
        }
    }
    // SAFETY: the array was allocated by libvirt with malloc; its elements are freed above.
    unsafe { libc::free(list.cast()) };
    Ok(found)
}

/// What a subscription hands its events to.
pub trait Listener: Send + Sync {
    fn lifecycle(&self, domain: uuid::Uuid, event: i32, detail: i32);
    fn closed(&self);
}

/// Registrations of one connection; dropped before the connection, on a thread that may block.
pub struct Subscription {
    callback_id: c_int,
    close_registered: bool,
}

impl Subscription {
    pub fn new(
        connect: &Connect,
        listener: std::sync::Arc<dyn Listener>,
    ) -> Result<Self, VirtError> {
        let opaque = || Box::into_raw(Box::new(listener.clone())).cast::<c_void>();
        // The C interface takes every kind of event callback as the generic one.
        type Lifecycle = unsafe extern "C" fn(
            sys::virConnectPtr,
            sys::virDomainPtr,
            c_int,
            c_int,
            *mut c_void,
        ) -> c_int;
        // SAFETY: libvirt calls a LIFECYCLE callback with the lifecycle signature; `opaque` stays
        // valid until libvirt calls `free_listener` on it.
        let callback_id = unsafe {
            let callback = std::mem::transmute::<
                Lifecycle,
                unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *mut c_void),
            >(on_lifecycle);
            sys::virConnectDomainEventRegisterAny(
                connect.as_ptr(),
                ptr::null_mut(),
                sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE as c_int,
                Some(callback),
                opaque(),
                Some(free_listener),
            )
        };
        if callback_id < 0 {
            return Err(VirtError::last_error());
        }
        // SAFETY: as above.
        let closing = unsafe {
            sys::virConnectRegisterCloseCallback(
                connect.as_ptr(),
                Some(on_close),
                opaque(),
                Some(free_listener),
            )
        };
        // Without it a lost connection is noticed at the next call.
        Ok(Self { callback_id, close_registered: closing >= 0 })
    }

    /// Both registrations hold the connection, so that it would never be freed otherwise.
    pub fn end(&self, connect: &Connect) {
        // SAFETY: both were registered on this connection.
        unsafe {
            sys::virConnectDomainEventDeregisterAny(connect.as_ptr(), self.callback_id);
            if self.close_registered {
                sys::virConnectUnregisterCloseCallback(connect.as_ptr(), Some(on_close));
            }
        }
    }
}

unsafe extern "C" fn on_lifecycle(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    opaque: *mut c_void,
) -> c_int {
    let mut id = [0_u8; 16];
    // SAFETY: libvirt passes a valid domain and the `opaque` of the registration.
    let (known, listener) = unsafe {
        let known = sys::virDomainGetUUID(domain, id.as_mut_ptr()) >= 0;
        (known, &*opaque.cast::<std::sync::Arc<dyn Listener>>())
    };
    if known {
        listener.lifecycle(uuid::Uuid::from_bytes(id), event, detail);
    }
    0
}

unsafe extern "C" fn on_close(_: sys::virConnectPtr, _reason: c_int, opaque: *mut c_void) {
    // SAFETY: the `opaque` of the registration.
    unsafe { &*opaque.cast::<std::sync::Arc<dyn Listener>>() }.closed();
}

unsafe extern "C" fn free_listener(opaque: *mut c_void) {
    // SAFETY: libvirt calls this once for each box made in `Subscription::new`.
    drop(unsafe { Box::from_raw(opaque.cast::<std::sync::Arc<dyn Listener>>()) });
}
