use std::io::Read;

use base::id::{ImageId, InstanceId, TenantId};

use super::*;
use crate::wire::{DesiredImage, DiskFormat, ImageFile, Power};

fn wanted(name: &str) -> DesiredInstance {
    DesiredInstance {
        id: InstanceId(uuid::Uuid::from_u128(0x0193_4bd4_3c1f_7abc_8def_0011_2233_4455)),
        tenant_id: TenantId::new(),
        name: name.to_owned(),
        generation: 1,
        power: Power::Running,
        vcpus: 1,
        memory_mib: 64,
        disk_gib: 1,
        mac: "52:54:00:AA:00:01".to_owned(),
        image: DesiredImage {
            id: ImageId::new(),
            disk: ImageFile { sha256: String::new(), bytes: 0 },
            disk_format: DiskFormat::Qcow2,
            kernel: None,
            ramdisk: None,
            kernel_cmdline: String::new(),
        },
        ssh_key: Some("ssh-ed25519 AAAA \"me\": you\n".to_owned()),
        user_data: None,
        stop_grace_ms: 0,
    }
}

fn read(path: &Path, name: &str) -> String {
    let volume = FileSystem::new(fs::File::open(path).unwrap(), FsOptions::new()).unwrap();
    let mut text = String::new();
    volume.root_dir().open_file(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_seed_says_who_the_guest_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("i/seed.img");
    make(&path, &wanted("Web 1")).unwrap();
    assert_eq!(
        read(&path, "meta-data"),
        "instance-id: \"01934bd4-3c1f-7abc-8def-001122334455\"\nlocal-hostname: \"web-1\"\n\
         public-keys:\n  - \"ssh-ed25519 AAAA \\\"me\\\": you\"\n"
    );
    assert_eq!(read(&path, "user-data"), "#cloud-config\n{}\n");
    assert!(read(&path, "network-config").contains("macaddress: \"52:54:00:aa:00:01\""));
    // The label is where blkid, and so cloud-init, looks for it.
    let volume = FileSystem::new(fs::File::open(&path).unwrap(), FsOptions::new()).unwrap();
    assert_eq!(volume.volume_label(), "CIDATA");
    assert_eq!(volume.read_volume_label_from_root_dir().unwrap().as_deref(), Some("CIDATA"));
}

#[test]
fn user_data_is_carried_as_it_is_however_large() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seed.img");
    let text = "#!/bin/sh\necho \"größer\"\n".repeat(40_000);
    make(&path, &DesiredInstance { user_data: Some(text.clone()), ..wanted("x") }).unwrap();
    // Made again over what is there.
    make(&path, &DesiredInstance { user_data: Some(text.clone()), ..wanted("x") }).unwrap();
    assert_eq!(read(&path, "user-data"), text);
}

#[test]
fn host_names_are_host_names() {
    let long = "a".repeat(100);
    for (name, expected) in [
        ("web-1", "web-1"),
        ("  Größe: Müller & Söhne  ", "gr-e-m-ller-s-hne"),
        ("网站", "instance-001122334455"),
        ("", "instance-001122334455"),
        ("-a-", "a"),
        (long.as_str(), &long[..63]),
    ] {
        assert_eq!(hostname(&wanted(name)), expected);
    }
}
