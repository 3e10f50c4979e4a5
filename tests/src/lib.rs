//! The lab: real parts in private corners of this machine, for tests and for the demo.
//!
//! Each part is a value. Making it starts a real process (or several) in a directory of its own,
//! on ports of its own, and returns once that answers; dropping it ends what it started, by
//! process id, and nothing else. Should the test be killed instead of dropping anything, the
//! [`guard`] does it.
//!
//! The lab never mocks, never listens beyond loopback, never touches a libvirt, PostgreSQL or
//! configuration of the machine, and never sleeps for a fixed time where it can wait for a
//! condition ([`wait`]).
//!
//! | Part | What runs |
//! | --- | --- |
//! | [`host::LibvirtHost`] | libvirtd with QEMU and dnsmasq in namespaces of their own |
//! | [`guest::GuestImage`] | Debian's cloud kernel and a busybox ramdisk: boots in three seconds |
//! | [`debian::DebianImage`] | a whole Debian with cloud-init and sshd, as one bootable disk |
//! | [`bmc::BmcSimulator`] | `ipmi_sim`: IPMI 2.0 over LAN, with sensors and a power switch |
//! | [`mail::MailServer`] | `aiosmtpd`, which keeps what it takes in a maildir |
//! | [`webhook::WebhookReceiver`] | an HTTP server that keeps what it is sent |
//! | [`postgres::Postgres`] | PostgreSQL with collation C |
//! | [`prometheus::Prometheus`] | Debian's Prometheus, scraping the server under test |
//! | [`browser::Browser`] | Chromium, driven by a script of `tests/browser/` |
//! | [`remote_write`] | samples as a client sends them |
//! | [`opshawk::Opshawk`] | the program under test, and [`api::Api`] to speak to it |
//! | [`agent::Agent`] | the same program as the agent of a host |
//!
//! [`story`] tells the whole chain, act by act; the demo and the end-to-end tests play it. [`bill`]
//! reads what a bill charges.

pub mod agent;
pub mod api;
pub mod bill;
pub mod bmc;
pub mod browser;
pub mod debian;
pub mod dir;
pub mod guard;
pub mod guest;
pub mod host;
pub mod mail;
pub mod opshawk;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod remote_write;
pub mod story;
pub mod wait;
pub mod webhook;
