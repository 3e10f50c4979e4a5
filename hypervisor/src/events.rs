//! Lifecycle events. They are hints: one may be lost with a connection, so whoever hears one, or
//! hears nothing for a while, looks at the domains again.

use std::{sync::Once, thread};

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::raw::Listener;

/// A listener that falls further behind than this is told that it lagged, and looks at all again.
pub const BACKLOG: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A connection stands (again): everything may have changed meanwhile.
    Connected,
    /// The connection is lost: nothing is known for now.
    Lost,
    /// Something happened to this domain (`virDomainEventType`).
    Domain { id: Uuid, kind: Lifecycle },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    Defined,
    Undefined,
    Started,
    Suspended,
    Resumed,
    Stopped,
    Shutdown,
    Crashed,
    Other,
}

impl Lifecycle {
    fn from_raw(event: i32) -> Self {
        match u32::try_from(event) {
            Ok(virt_sys::VIR_DOMAIN_EVENT_DEFINED) => Self::Defined,
            Ok(virt_sys::VIR_DOMAIN_EVENT_UNDEFINED) => Self::Undefined,
            Ok(virt_sys::VIR_DOMAIN_EVENT_STARTED) => Self::Started,
            Ok(virt_sys::VIR_DOMAIN_EVENT_SUSPENDED) => Self::Suspended,
            Ok(virt_sys::VIR_DOMAIN_EVENT_RESUMED) => Self::Resumed,
            Ok(virt_sys::VIR_DOMAIN_EVENT_STOPPED) => Self::Stopped,
            Ok(virt_sys::VIR_DOMAIN_EVENT_SHUTDOWN) => Self::Shutdown,
            Ok(virt_sys::VIR_DOMAIN_EVENT_CRASHED) => Self::Crashed,
            _ => Self::Other,
        }
    }
}

/// Passes a connection's events on to whoever subscribed.
pub(crate) struct Forward(pub broadcast::Sender<Event>);

impl Listener for Forward {
    fn lifecycle(&self, id: Uuid, event: i32, _detail: i32) {
        // No listener is no error.
        let _ = self.0.send(Event::Domain { id, kind: Lifecycle::from_raw(event) });
    }
    fn closed(&self) {
        let _ = self.0.send(Event::Lost);
    }
}

/// Starts libvirt's event loop, once in a process and before its first connection: without it
/// there are no events and no keepalives.
pub(crate) fn ensure_loop() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        virt::error::clear_error_callback(); // Its default prints to stderr.
        if let Err(error) = virt::event::event_register_default_impl() {
            tracing::error!(%error, "libvirt's event loop can't be registered");
            return;
        }
        let run = || {
            while let Ok(()) = virt::event::event_run_default_impl() {}
            tracing::error!("libvirt's event loop has ended: events and keepalives are off");
        };
        if let Err(error) = thread::Builder::new().name("libvirt-events".into()).spawn(run) {
            tracing::error!(%error, "libvirt's event loop can't be started");
        }
    });
}
