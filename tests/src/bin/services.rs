//! `services COMMAND…`: runs a command with the services that crates' own tests want, in private
//! corners, and ends as the command did.
//!
//! The command finds them by `OPSHAWK_TEST_POSTGRES`, `OPSHAWK_TEST_LIBVIRT` and
//! `OPSHAWK_TEST_GUEST_DIR`; `OPSHAWK_TEST_ALL` says that no test may be left out for want of one.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use lab::{guest::GuestImage, host::LibvirtHost, postgres::Postgres};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().context("usage: services COMMAND [ARGUMENT]...")?;
    let postgres = Postgres::start().await?;
    let host = LibvirtHost::start("services").await?;
    let guest = GuestImage::build()?;

    let status = Command::new(&program)
        .args(arguments)
        .env("OPSHAWK_TEST_ALL", "1")
        .env("OPSHAWK_TEST_POSTGRES", postgres.url())
        .env("OPSHAWK_TEST_LIBVIRT", host.uri())
        .env("OPSHAWK_TEST_GUEST_DIR", guest.dir())
        .status()
        .with_context(|| format!("{} can't be started", program.display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1).into())
}
