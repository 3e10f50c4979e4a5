//! What runs on a host: it takes the host's desired state from the server, converges the local
//! libvirt to it, and reports what it sees.

pub mod wire;
