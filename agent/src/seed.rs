//! The cloud-init seed: a FAT image labelled `CIDATA` (NoCloud,
//! <https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html>).

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};

use crate::{files, wire::DesiredInstance};

const LABEL: [u8; 11] = *b"CIDATA     ";
/// Room for the file system itself.
const OVERHEAD_BYTES: usize = 512 << 10;
const MAX_HOSTNAME_BYTES: usize = 63;

/// Makes the seed, aside, then in place. Blocks.
pub fn make(path: &Path, wanted: &DesiredInstance) -> io::Result<()> {
    let contents = [
        ("meta-data", meta_data(wanted)),
        ("user-data", user_data(wanted)),
        ("network-config", network_config(wanted)),
    ];
    let bytes = contents.iter().map(|(_, text)| text.len()).sum::<usize>() + OVERHEAD_BYTES;
    if let Some(dir) = path.parent() {
        files::make_dir(dir)?;
    }
    let aside = files::aside(path);
    let open = || {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).open(&aside)
    };
    let file = open()?;
    // Whole clusters.
    file.set_len(u64::try_from(bytes.next_multiple_of(64 << 10)).unwrap_or(u64::MAX))?;
    fatfs::format_volume(&file, FormatVolumeOptions::new().volume_label(LABEL))?;
    let volume = FileSystem::new(&file, FsOptions::new())?;
    for (name, text) in &contents {
        volume.root_dir().create_file(name)?.write_all(text.as_bytes())?;
    }
    volume.unmount()?;
    files::commit(path)
}

/// A JSON string is a YAML string, whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn meta_data(wanted: &DesiredInstance) -> String {
    let mut text = format!(
        "instance-id: {}\nlocal-hostname: {}\n",
        quoted(&wanted.id.to_string()),
        quoted(&hostname(wanted)),
    );
    if let Some(key) = wanted.ssh_key.as_deref().map(str::trim).filter(|key| !key.is_empty()) {
        text.push_str(&format!("public-keys:\n  - {}\n", quoted(key)));
    }
    text
}

/// As the tenant gave it; cloud-init wants one, so that an empty one stands for none.
fn user_data(wanted: &DesiredInstance) -> String {
    wanted.user_data.clone().unwrap_or_else(|| "#cloud-config\n{}\n".to_owned())
}

fn network_config(wanted: &DesiredInstance) -> String {
    format!(
        "version: 2\nethernets:\n  primary:\n    match:\n      macaddress: {}\n    dhcp4: true\n",
        quoted(&wanted.mac.to_lowercase()),
    )
}

/// The instance's name as far as a host name (RFC 1123) can carry it.
fn hostname(wanted: &DesiredInstance) -> String {
    let mut name = String::new();
    for c in wanted.name.to_lowercase().chars() {
        let usable = if c.is_ascii_alphanumeric() { c } else { '-' };
        if usable != '-' || !(name.is_empty() || name.ends_with('-')) {
            name.push(usable);
        }
    }
    name.truncate(MAX_HOSTNAME_BYTES);
    match name.trim_end_matches('-') {
        "" => format!("instance-{}", &wanted.id.to_string()[24..]),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
