//! A domain as libvirt's XML: a pure function of its [`DomainSpec`].
//!
//! The machine is a q35 with virtio devices only. Spec: <https://libvirt.org/formatdomain.html>.

use std::{fmt::Write as _, path::PathBuf};

use uuid::Uuid;

use crate::{
    domain::NAMESPACE,
    error::{Error, Result},
    host::DomainType,
};

pub const MARK_ELEMENT: &str = "instance";
/// How often the guest's balloon driver reports its memory, in seconds.
pub const BALLOON_PERIOD_S: u32 = 5;
/// Of a screen: enough for 1600 × 1200 in 32 bits; a power of two, as QEMU wants it.
pub const VIDEO_MEMORY_KIB: u32 = 8 * 1024;
/// The channel that qemu-guest-agent listens on.
pub const GUEST_AGENT_CHANNEL: &str = "org.qemu.guest_agent.0";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainSpec {
    /// The domain's UUID and the instance's id.
    pub id: Uuid,
    /// Unique on the host.
    pub name: String,
    /// What people call it; free text.
    pub title: String,
    pub generation: i64,
    /// See [`crate::Mark::owner`].
    pub owner: String,
    pub domain_type: DomainType,
    pub memory_mib: u64,
    pub vcpus: u32,
    /// A qcow2 file.
    pub disk: PathBuf,
    /// A raw file with a cloud-init seed; the guest can't write it.
    pub seed: Option<PathBuf>,
    pub nic: Option<Nic>,
    pub boot: Boot,
    /// What the serial port prints is appended here.
    pub serial_log: PathBuf,
    /// A screen, which listens nowhere: [`crate::Claim::screen`] opens it.
    pub screen: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    /// `52:54:00:…`
    pub mac: String,
    pub attach: Attach,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attach {
    /// A libvirt network.
    Network(String),
    /// A bridge of the host.
    Bridge(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boot {
    Disk,
    Kernel { kernel: PathBuf, initrd: Option<PathBuf>, cmdline: String },
}

impl DomainSpec {
    /// The name that an instance's domain gets: short enough for a screen, and unique, since the
    /// random end of the id is in it.
    pub fn domain_name(id: Uuid) -> String {
        let id = id.simple().to_string();
        format!("opshawk-{}", &id[id.len() - 12..])
    }

    pub fn to_xml(&self) -> Result<String> {
        let mut xml = String::with_capacity(4096);
        self.write(&mut xml)?;
        Ok(xml)
    }

    fn write(&self, xml: &mut String) -> Result<()> {
        let emulated = self.domain_type == DomainType::Qemu;
        line(xml, 0, &format!("<domain type='{}'>", self.domain_type.as_str()));
        line(xml, 1, &format!("<name>{}</name>", escape("name", &self.name)?));
        line(xml, 1, &format!("<uuid>{}</uuid>", self.id));
        if !self.title.is_empty() {
            // libvirt refuses a title of more than one line.
            let title = self.title.replace(['\r', '\n'], " ");
            line(xml, 1, &format!("<title>{}</title>", escape("title", &title)?));
        }
        line(xml, 1, "<metadata>");
        let mark = format!(
            "<opshawk:{MARK_ELEMENT} xmlns:opshawk='{NAMESPACE}' instance_id='{}' generation='{}' owner='{}'/>",
            self.id,
            self.generation,
            escape("owner", &self.owner)?,
        );
        line(xml, 2, &mark);
        line(xml, 1, "</metadata>");
        line(xml, 1, &format!("<memory unit='MiB'>{}</memory>", self.memory_mib));
        line(xml, 1, &format!("<vcpu placement='static'>{}</vcpu>", self.vcpus));
        self.write_os(xml)?;
        line(xml, 1, "<features><acpi/><apic/></features>");
        // Emulation offers all it can; real hardware passes a model that can migrate.
        let cpu = if emulated { "maximum" } else { "host-model" };
        line(xml, 1, &format!("<cpu mode='{cpu}'/>"));
        line(xml, 1, "<clock offset='utc'/>");
        line(xml, 1, "<on_poweroff>destroy</on_poweroff>");
        line(xml, 1, "<on_reboot>restart</on_reboot>");
        line(xml, 1, "<on_crash>destroy</on_crash>");
        self.write_devices(xml)?;
        line(xml, 0, "</domain>");
        Ok(())
    }

    fn write_os(&self, xml: &mut String) -> Result<()> {
        line(xml, 1, "<os>");
        line(xml, 2, "<type arch='x86_64' machine='q35'>hvm</type>");
        match &self.boot {
            Boot::Disk => line(xml, 2, "<boot dev='hd'/>"),
            Boot::Kernel { kernel, initrd, cmdline } => {
                line(xml, 2, &format!("<kernel>{}</kernel>", path("kernel", kernel)?));
                if let Some(initrd) = initrd {
                    line(xml, 2, &format!("<initrd>{}</initrd>", path("initrd", initrd)?));
                }
                if !cmdline.is_empty() {
                    let cmdline = escape("kernel_cmdline", cmdline)?;
                    line(xml, 2, &format!("<cmdline>{cmdline}</cmdline>"));
                }
            }
        }
        line(xml, 1, "</os>");
        Ok(())
    }

    fn write_devices(&self, xml: &mut String) -> Result<()> {
        line(xml, 1, "<devices>");
        line(xml, 2, "<controller type='usb' model='none'/>");
        write_disk(xml, "qcow2", &path("disk", &self.disk)?, "vda", false);
        if let Some(seed) = &self.seed {
            write_disk(xml, "raw", &path("seed", seed)?, "vdb", true);
        }
        if let Some(nic) = &self.nic {
            nic.write(xml)?;
        }
        line(xml, 2, "<serial type='pty'>");
        let log = path("serial_log", &self.serial_log)?;
        line(xml, 3, &format!("<log file='{log}' append='on'/>"));
        line(xml, 3, "<target type='isa-serial' port='0'/>");
        line(xml, 2, "</serial>");
        line(xml, 2, "<console type='pty'><target type='serial' port='0'/></console>");
        line(xml, 2, "<channel type='unix'>");
        line(xml, 3, &format!("<target type='virtio' name='{GUEST_AGENT_CHANNEL}'/>"));
        line(xml, 2, "</channel>");
        line(xml, 2, "<memballoon model='virtio'>");
        line(xml, 3, &format!("<stats period='{BALLOON_PERIOD_S}'/>"));
        line(xml, 2, "</memballoon>");
        line(xml, 2, "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>");
        if self.screen {
            line(xml, 2, "<graphics type='vnc'><listen type='none'/></graphics>");
            let video = format!("<video><model type='vga' vram='{VIDEO_MEMORY_KIB}'/></video>");
            line(xml, 2, &video);
        } else {
            line(xml, 2, "<video><model type='none'/></video>");
        }
        line(xml, 1, "</devices>");
        Ok(())
    }
}

impl Nic {
    fn write(&self, xml: &mut String) -> Result<()> {
        let (kind, name) = match &self.attach {
            Attach::Network(name) => ("network", name),
            Attach::Bridge(name) => ("bridge", name),
        };
        line(xml, 2, &format!("<interface type='{kind}'>"));
        line(xml, 3, &format!("<mac address='{}'/>", escape("mac", &self.mac)?));
        line(xml, 3, &format!("<source {kind}='{}'/>", escape("network", name)?));
        line(xml, 3, "<model type='virtio'/>");
        // No boot ROM: the guest boots from its disk or kernel, and starts faster.
        line(xml, 3, "<rom enabled='no'/>");
        line(xml, 2, "</interface>");
        Ok(())
    }
}

/// `file` is escaped already.
fn write_disk(xml: &mut String, format: &str, file: &str, target: &str, read_only: bool) {
    line(xml, 2, "<disk type='file' device='disk'>");
    let discard = if read_only { "" } else { " discard='unmap'" };
    line(xml, 3, &format!("<driver name='qemu' type='{format}'{discard}/>"));
    line(xml, 3, &format!("<source file='{file}'/>"));
    line(xml, 3, &format!("<target dev='{target}' bus='virtio'/>"));
    if read_only {
        line(xml, 3, "<readonly/>");
    }
    line(xml, 2, "</disk>");
}

fn line(xml: &mut String, depth: usize, text: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(xml, "{:indent$}{text}", "", indent = depth * 2);
}

fn path(field: &'static str, path: &std::path::Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| Error::Invalid {
        field,
        reason: format!("the path {} is not UTF-8", path.display()),
    })?;
    if !path.is_absolute() {
        return Err(Error::Invalid { field, reason: format!("the path {text} is not absolute") });
    }
    escape(field, text)
}

/// Text for an element or a quoted attribute. Characters that XML 1.0 can't carry at all are an
/// error; line breaks and tabs are written as references, since a parser would fold them.
pub fn escape(field: &'static str, text: &str) -> Result<String> {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            c if u32::from(c) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                return Err(Error::Invalid {
                    field,
                    reason: format!("the character U+{:04X} can't stand in XML", u32::from(c)),
                });
            }
            c => escaped.push(c),
        }
    }
    Ok(escaped)
}
