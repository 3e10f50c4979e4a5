//! Those in [`libvirt`] and [`console`] need a real libvirtd; see [`libvirt`].

mod console;
mod libvirt;
mod xml;
