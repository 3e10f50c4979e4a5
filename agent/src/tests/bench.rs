//! What the tests share: a host with an agent that can be stopped and started, and instances for
//! it.

use std::{fs, future::Future, path::Path, sync::Arc, time::Duration};

use base::{
    id::{ImageId, InstanceId, TenantId},
    time::{SharedClock, SystemClock},
};
use hypervisor::{Hypervisor, NatNetwork, Network, Settings};
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::server::{TOKEN, TestServer};
use crate::{
    Agent, Config,
    execute::{Hooks, NoHooks},
    wire::{DesiredImage, DesiredInstance, DiskFormat, ImageFile, InstanceState, Power},
};

const PATIENCE: Duration = Duration::from_secs(120);

pub async fn eventually<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let wait = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never: {what}");
}

/// The lab's libvirtd and guest files; none where the lab isn't up, a failure where it should be.
pub fn lab() -> Option<(String, std::path::PathBuf)> {
    let all = std::env::var_os("OPSHAWK_TEST_ALL").is_some();
    let var = |name: &str| match std::env::var(name) {
        Ok(value) => Some(value),
        Err(_) if all => panic!("OPSHAWK_TEST_ALL is set, but {name} is not: start the lab"),
        Err(_) => None,
    };
    Some((var("OPSHAWK_TEST_LIBVIRT")?, var("OPSHAWK_TEST_GUEST_DIR")?.into()))
}

/// A host: directories, a server to follow, and a running agent.
pub struct Host {
    pub server: TestServer,
    pub config: Config,
    _dir: tempfile::TempDir,
    agent: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Host {
    pub async fn new(libvirt_uri: &str) -> Self {
        let (server, dir) = (TestServer::start().await, tempfile::tempdir().unwrap());
        let mut config = Config::new(&server.url, TOKEN, dir.path().join("agent"));
        config.libvirt_uri = libvirt_uri.to_owned();
        config.collect_interval_ms = 1_000;
        config.network = Network::Nat(NatNetwork {
            name: "agent-test".to_owned(),
            bridge: "oatest0".to_owned(),
            gateway: [192, 168, 243, 1].into(),
        });
        Self { server, config, _dir: dir, agent: None }
    }

    pub fn start(&mut self) {
        self.start_with(Arc::new(NoHooks));
    }

    pub fn start_with(&mut self, hooks: Arc<dyn Hooks>) {
        self.start_by(SystemClock::shared(), hooks);
    }

    pub fn start_by(&mut self, clock: SharedClock, hooks: Arc<dyn Hooks>) {
        let agent = Agent::with_hooks(self.config.clone(), clock, hooks).unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move { agent.run(stopped).await.unwrap() });
        self.agent = Some((stop, task));
    }

    /// Ends the agent between two instructions, as a kill would.
    pub async fn kill(&mut self) {
        if let Some((_, task)) = self.agent.take() {
            task.abort();
            let _ = task.await;
            // A program that another agent of this process is starting has its locks as well, until
            // the kernel has closed what the program is not to inherit.
            for dir in [&self.config.data_dir, &self.config.instances_dir] {
                let lock = dir.join(".lock");
                eventually("the killed agent's lock is free", || async {
                    fs::File::open(&lock).unwrap().try_lock().is_ok()
                })
                .await;
            }
        }
    }

    pub async fn stop(&mut self) {
        if let Some((stop, task)) = self.agent.take() {
            stop.cancel();
            task.await.unwrap();
        }
    }

    pub fn hypervisor(&self) -> Hypervisor {
        Hypervisor::new(Settings::new(&self.config.libvirt_uri))
    }

    /// Gives the server an image's file, and says how it is asked for.
    fn offer(&self, id: ImageId, part: &str, bytes: Vec<u8>) -> ImageFile {
        let file = ImageFile {
            sha256: hex::encode(Sha256::digest(&bytes)),
            bytes: bytes.len().try_into().unwrap(),
        };
        self.server.state().images.insert(format!("{id}/{part}"), bytes);
        file
    }

    /// An instance of the lab's guest.
    pub fn guest(&self, files: &Path) -> DesiredInstance {
        let id = ImageId::new();
        let read = |name: &str| fs::read(files.join(name)).unwrap();
        let image = DesiredImage {
            id,
            disk: self.offer(id, "disk", read("disk.qcow2")),
            disk_format: DiskFormat::Qcow2,
            kernel: Some(self.offer(id, "kernel", read("kernel"))),
            ramdisk: Some(self.offer(id, "ramdisk", read("ramdisk"))),
            kernel_cmdline: fs::read_to_string(files.join("cmdline")).unwrap().trim().to_owned(),
        };
        self.instance(image, 160)
    }

    /// An instance that halts its processor at once: it costs the host next to nothing. It has a
    /// disk, a kernel and a ramdisk, as an image may have them at most.
    pub fn blank(&self) -> DesiredInstance {
        let id = ImageId::new();
        let image = DesiredImage {
            id,
            disk: self.offer(id, "disk", vec![0; 64 << 10]),
            disk_format: DiskFormat::Raw,
            kernel: Some(self.offer(id, "kernel", halting_kernel())),
            ramdisk: Some(self.offer(id, "ramdisk", b"nobody unpacks it".repeat(64))),
            kernel_cmdline: "quiet".to_owned(),
        };
        self.instance(image, 32)
    }

    fn instance(&self, image: DesiredImage, memory_mib: i64) -> DesiredInstance {
        let id = InstanceId::new();
        let end = &id.0.as_bytes()[13..];
        DesiredInstance {
            id,
            tenant_id: TenantId::new(),
            name: "web <1>".to_owned(),
            generation: 1,
            power: Power::Running,
            vcpus: 1,
            memory_mib,
            disk_gib: 1,
            mac: format!("52:54:00:{:02x}:{:02x}:{:02x}", end[0], end[1], end[2]),
            image,
            ssh_key: None,
            user_data: None,
            stop_grace_ms: 30_000,
        }
    }

    /// Wants another power for the instance, as its next generation.
    pub fn power(&self, id: InstanceId, power: Power) -> i64 {
        self.change(id, |wanted| wanted.power = power)
    }

    /// Wants it otherwise, as its next generation.
    pub fn change(&self, id: InstanceId, change: impl FnOnce(&mut DesiredInstance)) -> i64 {
        let mut generation = 0;
        self.server.want(|instances| {
            let one = instances.iter_mut().find(|instance| instance.id == id).unwrap();
            change(one);
            one.generation += 1;
            generation = one.generation;
        });
        generation
    }

    /// Until a report says that the instance is so, answering to `generation`, with no step left.
    pub async fn until(&self, id: InstanceId, generation: i64, state: InstanceState) {
        let what = format!("{state:?} at generation {generation}");
        eventually(&what, || async {
            self.server.seen(id).is_some_and(|seen| {
                seen.state == state && seen.generation == generation && seen.step.is_none()
            })
        })
        .await;
    }

    /// Wants the instance gone, waits for it, and looks for anything that is left.
    pub async fn remove(&self, id: InstanceId) {
        let generation = self.power(id, Power::Absent);
        self.until(id, generation, InstanceState::Absent).await;
        self.server.want(|instances| instances.retain(|instance| instance.id != id));
        eventually("it is forgotten", || async { self.server.seen(id).is_none() }).await;
        self.assert_nothing_left(id).await;
    }

    pub async fn assert_nothing_left(&self, id: InstanceId) {
        assert_eq!(self.hypervisor().domain(id.0).await.unwrap(), None);
        let left = fs::read_dir(&self.config.instances_dir).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".lock"], "in the instances' directory");
        let images = fs::read_dir(self.config.data_dir.join("images")).unwrap();
        for image in images {
            let name = image.unwrap().file_name().into_string().unwrap();
            assert!(crate::files::is_sha256(&name), "half an image: {name}");
        }
    }

    /// The image's files are in the cache, whole, and nothing else is.
    pub fn assert_cached(&self, image: &DesiredImage) {
        let mut wanted: Vec<_> =
            crate::image::parts(image).map(|(_, file)| file.sha256.clone()).collect();
        wanted.sort();
        let cached = fs::read_dir(self.config.data_dir.join("images")).unwrap();
        let mut found: Vec<_> = cached
            .map(|entry| {
                let path = entry.unwrap().path();
                let hash = hex::encode(Sha256::digest(fs::read(&path).unwrap()));
                assert!(path.ends_with(&hash), "{} has the hash {hash}", path.display());
                hash
            })
            .collect();
        found.sort();
        assert_eq!(found, wanted);
    }
}

/// As little of a Linux kernel as QEMU loads together with a ramdisk (the boot protocol's header,
/// version 2.02, in a boot sector and one sector of set-up), which halts where it is entered.
fn halting_kernel() -> Vec<u8> {
    let mut kernel = vec![0; 4 << 10];
    kernel[0x1f1] = 1; // sectors of set-up
    kernel[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    kernel[0x200..0x202].copy_from_slice(&[0xeb, 0x3e]); // enter: jmp halt
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x206..0x208].copy_from_slice(&[0x02, 0x02]); // version
    kernel[0x211] = 1; // loaded high
    kernel[0x240..0x244].copy_from_slice(&[0xfa, 0xf4, 0xeb, 0xfc]); // halt: cli; hlt; again
    kernel
}
