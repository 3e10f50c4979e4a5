//! An instance's disk: a qcow2 overlay over the cached image, made and grown by `qemu-img`.

use std::{fs::File, io::Read, path::Path, process::Stdio, time::Duration};

use serde::Deserialize;
use tokio::process::Command;

use crate::{
    failure::StepError,
    files::{self, Layout},
    image::on_thread,
    wire::{DesiredInstance, DiskFormat},
};

const QEMU_IMG: &str = "qemu-img";
const QEMU_IMG_TIMEOUT_MS: u64 = 120_000;
const GIB: u64 = 1 << 30;

/// What `qemu-img info --output=json` says of an image.
#[derive(Debug, Deserialize)]
struct Info {
    format: String,
    #[serde(rename = "virtual-size")]
    virtual_bytes: u64,
    #[serde(rename = "backing-filename")]
    backing: Option<String>,
    #[serde(rename = "format-specific")]
    specific: Option<Specific>,
}

#[derive(Debug, Deserialize)]
struct Specific {
    data: Option<serde_json::Value>,
}

/// Makes the directory and the disk in it, aside, then in place.
pub async fn make(layout: &Layout, wanted: &DesiredInstance) -> Result<(), StepError> {
    let base = layout.image(&wanted.image.disk.sha256);
    let format = match wanted.image.disk_format {
        DiskFormat::Qcow2 => "qcow2",
        DiskFormat::Raw => "raw",
    };
    let bytes = wanted_bytes(wanted);
    check(&inspect(&base, format).await?, format, bytes)?;
    let dir = layout.instance(wanted.id);
    files::make_dir(&dir).map_err(|e| StepError::io(dir.display(), &e))?;
    let disk = layout.disk(wanted.id);
    let aside = files::aside(&disk);
    let size = bytes.to_string();
    qemu_img(&[
        "create".as_ref(),
        "-q".as_ref(),
        "-f".as_ref(),
        "qcow2".as_ref(),
        "-F".as_ref(),
        format.as_ref(),
        "-b".as_ref(),
        base.as_os_str(),
        aside.as_os_str(),
        size.as_ref(),
    ])
    .await?;
    let what = disk.display().to_string();
    on_thread(move || files::commit(&disk)).await.map_err(|e| StepError::io(what, &e))
}

fn wanted_bytes(wanted: &DesiredInstance) -> u64 {
    u64::try_from(wanted.disk_gib).unwrap_or(0).saturating_mul(GIB)
}

/// Grows the disk, in place. Nobody may have it open; that `qemu-img` takes its lock makes sure.
pub async fn grow(layout: &Layout, wanted: &DesiredInstance) -> Result<(), StepError> {
    let size = wanted_bytes(wanted).to_string();
    let disk = layout.disk(wanted.id);
    let arguments: [&std::ffi::OsStr; 6] = [
        "resize".as_ref(),
        "-q".as_ref(),
        "-f".as_ref(),
        "qcow2".as_ref(),
        disk.as_os_str(),
        size.as_ref(),
    ];
    qemu_img(&arguments).await?;
    Ok(())
}

/// What a qcow2 file holds, in whole GiB, by its header: magic, version and the size in bytes 24 to 31,
/// all of them big-endian (QEMU's docs/interop/qcow2). None for what is no qcow2 file.
pub fn gib(disk: &Path) -> Option<i64> {
    let mut header = [0; 32];
    File::open(disk).and_then(|mut file| file.read_exact(&mut header)).ok()?;
    let (magic, size) = (header.first_chunk::<4>()?, header.last_chunk::<8>()?);
    let bytes = (magic == b"QFI\xfb").then(|| u64::from_be_bytes(*size))?;
    i64::try_from(bytes / GIB).ok()
}

async fn inspect(image: &Path, format: &str) -> Result<Info, StepError> {
    let arguments: [&std::ffi::OsStr; 6] = [
        "info".as_ref(),
        "-U".as_ref(),
        "-f".as_ref(),
        format.as_ref(),
        "--output=json".as_ref(),
        image.as_os_str(),
    ];
    let text = qemu_img(&arguments).await?;
    serde_json::from_str(&text)
        .map_err(|e| StepError::limited("image_invalid", format!("{QEMU_IMG} info: {e}")))
}

/// An image that names other files could read them off the host into a guest.
fn check(info: &Info, format: &str, bytes: u64) -> Result<(), StepError> {
    let data_file = info.specific.as_ref().and_then(|s| s.data.as_ref()?.get("data-file"));
    if info.format != format || info.backing.is_some() || data_file.is_some() {
        return Err(StepError::never(
            "image_invalid",
            format!("the image must be a {format} file that needs no other file"),
        ));
    }
    if info.virtual_bytes > bytes {
        return Err(StepError::never(
            "disk_too_small",
            format!("the image needs {} bytes, the flavor's disk has {bytes}", info.virtual_bytes),
        ));
    }
    Ok(())
}

async fn qemu_img(arguments: &[&std::ffi::OsStr]) -> Result<String, StepError> {
    let mut command = Command::new(QEMU_IMG);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let run = tokio::time::timeout(Duration::from_millis(QEMU_IMG_TIMEOUT_MS), command.output());
    let output = match run.await {
        Ok(Ok(output)) => output,
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(StepError::forever(
                "qemu_img_missing",
                format!("{QEMU_IMG} is not installed (install the package qemu-utils)"),
            ));
        }
        Ok(Err(e)) => return Err(StepError::io(QEMU_IMG, &e)),
        Err(_) => {
            return Err(StepError::limited(
                "disk_slow",
                format!("{QEMU_IMG} took longer than {QEMU_IMG_TIMEOUT_MS} ms"),
            ));
        }
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let code = match message.contains("No space left") {
        true => "disk_full",
        false => "disk_failed",
    };
    Err(StepError::limited(code, message))
}

#[cfg(test)]
mod tests;
