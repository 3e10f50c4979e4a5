use std::path::PathBuf;

use uuid::Uuid;

use crate::{
    Attach, Boot, DomainSpec, DomainType, Mark, NatNetwork, Nic,
    domain::{NAMESPACE, parse_mark},
    ports::describe,
    xml::escape,
};

pub fn spec(id: Uuid) -> DomainSpec {
    DomainSpec {
        id,
        name: DomainSpec::domain_name(id),
        title: "web-1".to_owned(),
        generation: 3,
        owner: "host-1".to_owned(),
        domain_type: DomainType::Qemu,
        memory_mib: 160,
        vcpus: 1,
        disk: PathBuf::from("/srv/i/disk.qcow2"),
        seed: Some(PathBuf::from("/srv/i/seed.img")),
        nic: Some(Nic {
            mac: "52:54:00:12:34:56".to_owned(),
            attach: Attach::Network("opshawk".to_owned()),
        }),
        boot: Boot::Kernel {
            kernel: PathBuf::from("/srv/images/k"),
            initrd: Some(PathBuf::from("/srv/images/r")),
            cmdline: "console=ttyS0".to_owned(),
        },
        serial_log: PathBuf::from("/srv/i/serial.log"),
        screen: false,
    }
}

fn fixed_id() -> Uuid {
    Uuid::from_u128(0x0193_4bd4_3c1f_7abc_8def_0011_2233_4455)
}

/// Compares with a file beside this one; `UPDATE_GOLDEN=1` writes it instead.
fn golden(file: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tests").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), actual, "{file}");
}

#[test]
fn a_domain_is_written_as_it_always_was() {
    golden("kernel-boot.xml", &spec(fixed_id()).to_xml().unwrap());
}

#[test]
fn a_disk_boot_with_a_screen_on_a_bridge() {
    let spec = DomainSpec {
        domain_type: DomainType::Kvm,
        seed: None,
        boot: Boot::Disk,
        screen: true,
        nic: Some(Nic {
            mac: "52:54:00:12:34:56".to_owned(),
            attach: Attach::Bridge("br0".to_owned()),
        }),
        ..spec(fixed_id())
    };
    golden("disk-boot.xml", &spec.to_xml().unwrap());
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "</title><devices>&'\"<!--]]>\n\t⟨é⟩";
    let spec = DomainSpec {
        title: hostile.to_owned(),
        owner: hostile.to_owned(),
        disk: PathBuf::from(format!("/srv/{hostile}")),
        boot: Boot::Kernel {
            kernel: PathBuf::from(format!("/k/{hostile}")),
            initrd: None,
            cmdline: hostile.to_owned(),
        },
        nic: Some(Nic { mac: hostile.to_owned(), attach: Attach::Network(hostile.to_owned()) }),
        ..spec(fixed_id())
    };
    let xml = spec.to_xml().unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let find = |name: &str| document.descendants().find(|n| n.has_tag_name(name)).unwrap();
    assert_eq!(document.descendants().filter(|n| n.has_tag_name("devices")).count(), 1);
    assert_eq!(find("title").text().unwrap(), hostile.replace('\n', " "));
    assert_eq!(find("cmdline").text(), Some(hostile));
    assert_eq!(find("kernel").text(), Some(format!("/k/{hostile}").as_str()));
    assert_eq!(find("mac").attribute("address"), Some(hostile));
    let mark = document.descendants().find(|n| n.has_tag_name((NAMESPACE, "instance"))).unwrap();
    assert_eq!(mark.attribute("owner"), Some(hostile));
}

#[test]
fn what_xml_cannot_carry_is_refused() {
    for bad in ["\0", "a\u{1}b", "\u{1b}[31m", "\u{fffe}"] {
        assert!(escape("title", bad).is_err(), "{bad:?}");
    }
    let relative = DomainSpec { disk: PathBuf::from("disk.qcow2"), ..spec(fixed_id()) };
    assert!(relative.to_xml().is_err());
}

#[test]
fn only_our_whole_mark_is_a_mark() {
    let id = fixed_id();
    let element = |body: &str| format!("<o:{body} xmlns:o='{NAMESPACE}'/>");
    let ours = element(&format!("instance instance_id='{id}' generation='3' owner='host-1'"));
    let mark = Mark { instance_id: id, generation: 3, owner: "host-1".to_owned() };
    assert_eq!(parse_mark(&ours), Some(mark));
    for other in [
        "",
        "<x/>",
        &element("other instance_id='x'"),
        &element(&format!("instance instance_id='{id}' generation='3'")),
        &element("instance instance_id='1' generation='3' owner='host-1'"),
        &element(&format!("instance instance_id='{id}' generation='x' owner='host-1'")),
    ] {
        assert_eq!(parse_mark(other), None, "{other}");
    }
}

#[test]
fn a_domain_name_is_short_and_keeps_the_random_end() {
    assert_eq!(DomainSpec::domain_name(fixed_id()), "opshawk-001122334455");
}

#[test]
fn the_network_is_written_as_it_always_was() {
    golden("network.xml", &NatNetwork::default().to_xml().unwrap());
    let long = NatNetwork { bridge: "a-name-too-long-for-linux".to_owned(), ..Default::default() };
    assert!(long.to_xml().is_err());
}

#[test]
fn a_running_domain_describes_its_life_and_its_interfaces() {
    let xml = spec(fixed_id()).to_xml().unwrap();
    assert_eq!(describe(&xml), None, "it does not run");
    let life = "<x:life xmlns:x='urn:opshawk:libvirt:life:1' name='1800000000000'/>";
    let running = xml
        .replace("<domain type='qemu'>", "<domain type='qemu' id='7'>")
        .replace("</metadata>", &format!("{life}</metadata>"))
        .replace("</interface>", "<target dev='vnet3'/></interface>");
    let described = describe(&running).unwrap();
    assert_eq!(described.life.as_deref(), Some("1800000000000"));
    assert_eq!(described.number, 7);
    assert_eq!(described.mark.map(|mark| mark.instance_id), Some(fixed_id()));
    assert_eq!(described.interfaces, [("52:54:00:12:34:56".to_owned(), "vnet3".to_owned())]);
    // Neither another namespace nor another place names a life.
    for other in [
        running.replace("urn:opshawk:libvirt:life:1", "urn:else"),
        running.replace(life, "").replace("</devices>", &format!("{life}</devices>")),
    ] {
        assert_eq!(describe(&other).unwrap().life, None, "{other}");
    }
}
