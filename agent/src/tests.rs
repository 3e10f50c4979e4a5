//! The agent as a whole, against a server that speaks the wire ([`server`]).
//!
//! Those in [`life`], [`faults`] and [`outage`] need a real libvirtd: `OPSHAWK_TEST_LIBVIRT` is its URI,
//! `OPSHAWK_TEST_GUEST_DIR` holds `kernel`, `ramdisk`, `disk.qcow2` and `cmdline` of a guest that
//! prints to its serial port, follows ACPI and asks DHCP for an address.

pub mod bench;
mod faults;
mod life;
mod outage;
mod server;
mod streams;
mod wire;
