use base::id::{ImageId, InstanceId, TenantId};

use super::*;
use crate::wire::{DesiredImage, ImageFile, Power};

/// A host with one cached image, and an instance that wants a disk over it.
struct Host {
    _dir: tempfile::TempDir,
    layout: Layout,
    wanted: DesiredInstance,
}

async fn host(create: &[&str], format: DiskFormat) -> Host {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(dir.path(), &dir.path().join("instances")).unwrap();
    let sha256 = "ab".repeat(32);
    let image = layout.image(&sha256);
    let mut arguments: Vec<&std::ffi::OsStr> = vec!["create".as_ref(), "-q".as_ref()];
    let (options, size) = create.split_at(create.len() - 1);
    arguments.extend(options.iter().map(|a| -> &std::ffi::OsStr { a.as_ref() }));
    arguments.extend([image.as_os_str(), size[0].as_ref()]);
    qemu_img(&arguments).await.unwrap();
    let wanted = DesiredInstance {
        id: InstanceId::new(),
        tenant_id: TenantId::new(),
        name: "web".to_owned(),
        generation: 1,
        power: Power::Running,
        vcpus: 1,
        memory_mib: 64,
        disk_gib: 1,
        mac: "52:54:00:00:00:01".to_owned(),
        image: DesiredImage {
            id: ImageId::new(),
            disk: ImageFile { sha256, bytes: 0 },
            disk_format: format,
            kernel: None,
            ramdisk: None,
            kernel_cmdline: String::new(),
        },
        ssh_key: None,
        user_data: None,
        stop_grace_ms: 0,
    };
    Host { _dir: dir, layout, wanted }
}

#[tokio::test]
async fn a_disk_is_an_overlay_of_the_flavors_size() {
    for (format, name) in [(DiskFormat::Qcow2, "qcow2"), (DiskFormat::Raw, "raw")] {
        let host = host(&["-f", name, "64M"], format).await;
        make(&host.layout, &host.wanted).await.unwrap();
        // A second time replaces what a killed agent left.
        make(&host.layout, &host.wanted).await.unwrap();
        let info = inspect(&host.layout.disk(host.wanted.id), "qcow2").await.unwrap();
        assert_eq!(info.virtual_bytes, GIB);
        let image = host.layout.image(&host.wanted.image.disk.sha256);
        assert_eq!(info.backing.as_deref(), image.to_str());
        assert!(!files::aside(&host.layout.disk(host.wanted.id)).exists());
    }
}

#[tokio::test]
async fn an_image_that_is_larger_than_the_disk_is_refused_for_good() {
    let host = host(&["-f", "qcow2", "2G"], DiskFormat::Qcow2).await;
    let error = make(&host.layout, &host.wanted).await.unwrap_err();
    assert_eq!((error.code, error.retry), ("disk_too_small", crate::failure::Retry::Never));
    assert!(!host.layout.instance(host.wanted.id).exists(), "nothing half-made");
}

#[tokio::test]
async fn an_image_that_names_another_file_is_refused_for_good() {
    let shadow = ["-f", "qcow2", "-u", "-F", "raw", "-b", "/etc/shadow", "64M"];
    let host = host(&shadow, DiskFormat::Qcow2).await;
    let error = make(&host.layout, &host.wanted).await.unwrap_err();
    assert_eq!(error.code, "image_invalid");
}

#[tokio::test]
async fn an_image_of_another_format_is_refused() {
    let host = host(&["-f", "raw", "64M"], DiskFormat::Qcow2).await;
    assert!(make(&host.layout, &host.wanted).await.is_err());
}

#[tokio::test]
async fn a_disk_grows_in_place_and_keeps_what_it_holds() {
    let mut host = host(&["-f", "qcow2", "64M"], DiskFormat::Qcow2).await;
    let disk = host.layout.disk(host.wanted.id);
    assert_eq!(gib(&disk), None, "there is none yet");
    make(&host.layout, &host.wanted).await.unwrap();
    assert_eq!(gib(&disk), Some(1));
    host.wanted.disk_gib = 300;
    grow(&host.layout, &host.wanted).await.unwrap();
    // As an agent does that was killed before it looked again.
    grow(&host.layout, &host.wanted).await.unwrap();
    assert_eq!(gib(&disk), Some(300));
    let info = inspect(&disk, "qcow2").await.unwrap();
    let image = host.layout.image(&host.wanted.image.disk.sha256);
    assert_eq!((info.virtual_bytes, info.backing.as_deref()), (300 * GIB, image.to_str()));
    // It never shrinks, whoever asks.
    host.wanted.disk_gib = 1;
    let error = grow(&host.layout, &host.wanted).await.unwrap_err();
    assert!(error.message.contains("--shrink"), "{error}");
    assert_eq!(gib(&disk), Some(300));
}

#[test]
fn what_is_no_qcow2_file_has_no_size() {
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    for content in [&b""[..], b"QFI\xfb", &[b'x'; 64]] {
        std::fs::write(&disk, content).unwrap();
        assert_eq!(gib(&disk), None, "{content:?}");
    }
}
