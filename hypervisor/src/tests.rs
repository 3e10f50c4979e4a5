//! Pure tests here; [`libvirt`] needs a real libvirtd.

mod libvirt;
mod xml;
