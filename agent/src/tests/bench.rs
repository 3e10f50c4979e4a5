//! What the tests share: a host with an agent that can be stopped and started, and instances for
//! it.

use std::{fs, future::Future, path::Path, sync::Arc, time::Duration};

use base::{
    id::{ImageId, InstanceId, TenantId},
    time::SystemClock,
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
        let agent = Agent::with_hooks(self.config.clone(), SystemClock::shared(), hooks).unwrap();
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

    /// An instance whose disk boots a halted processor: it costs the host next to nothing.
    pub fn blank(&self) -> DesiredInstance {
        let (id, mut disk) = (ImageId::new(), vec![0; 64 << 10]);
        disk[..4].copy_from_slice(&[0xfa, 0xf4, 0xeb, 0xfc]); // cli; hlt; again
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        let image = DesiredImage {
            id,
            disk: self.offer(id, "disk", disk),
            disk_format: DiskFormat::Raw,
            kernel: None,
            ramdisk: None,
            kernel_cmdline: String::new(),
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
        let mut generation = 0;
        self.server.want(|instances| {
            let one = instances.iter_mut().find(|instance| instance.id == id).unwrap();
            (one.power, one.generation) = (power, one.generation + 1);
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
}
