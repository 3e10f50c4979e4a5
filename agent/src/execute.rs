//! Looking at the host, and doing one step of a [`crate::plan`] on it.

use std::sync::Arc;

use base::id::InstanceId;
use hypervisor::{Attach, Boot, Claim, DomainSpec, DomainType, Hypervisor, Network, Nic};

use crate::{
    failure::StepError,
    files::{self, Layout},
    image::{ImageCache, on_thread, parts},
    plan::{Seen, SeenDomain, Step},
    seed,
    wire::DesiredInstance,
};

/// What every worker of a host shares to look and to act.
pub struct Executor {
    pub layout: Layout,
    pub images: ImageCache,
    pub hypervisor: Hypervisor,
    pub network: Network,
    pub screen: bool,
    pub hooks: Arc<dyn Hooks>,
}

/// Called around each step. The product's does nothing; a test fails and repeats steps with it.
pub trait Hooks: Send + Sync {
    fn before(&self, _id: InstanceId, _step: Step) -> Result<(), StepError> {
        Ok(())
    }
    fn after(&self, _id: InstanceId, _step: Step) -> Result<(), StepError> {
        Ok(())
    }
    /// How often each step is done.
    fn times(&self) -> usize {
        1
    }
}

pub struct NoHooks;
impl Hooks for NoHooks {}

impl Executor {
    /// What is on the host of this instance, which may be wanted or not.
    pub async fn look(
        &self,
        owner: &str,
        id: InstanceId,
        wanted: Option<&DesiredInstance>,
    ) -> hypervisor::Result<Seen> {
        let domain = match self.hypervisor.domain(id.0).await? {
            None => SeenDomain::Missing,
            Some(domain) if domain.is_owned_by(owner) => {
                let generation = domain.mark.map_or(0, |mark| mark.generation);
                SeenDomain::Ours { state: domain.state, generation }
            }
            Some(_) => SeenDomain::Foreign,
        };
        Ok(Seen {
            domain,
            missing_image: wanted.and_then(|wanted| self.images.missing(&wanted.image)),
            directory: self.layout.instance(id).exists(),
            disk: self.layout.disk(id).exists(),
            disk_gib: self.disk_gib(id),
            seed: self.layout.seed(id).exists(),
        })
    }

    /// What its disk holds, in whole GiB; none where that can't be read.
    pub fn disk_gib(&self, id: InstanceId) -> Option<i64> {
        crate::disk::gib(&self.layout.disk(id))
    }

    /// Does one step. `wanted` is none for an instance that the server forgot: then only steps
    /// that remove are planned.
    pub async fn execute(
        &self,
        owner: &str,
        id: InstanceId,
        wanted: Option<&DesiredInstance>,
        step: Step,
        progress: impl Fn(i64) + Send + Sync,
    ) -> Result<(), StepError> {
        self.hooks.before(id, step)?;
        for _ in 0..self.hooks.times() {
            self.act(owner, id, wanted, step, &progress).await?;
        }
        self.hooks.after(id, step)
    }

    async fn act(
        &self,
        owner: &str,
        id: InstanceId,
        wanted: Option<&DesiredInstance>,
        step: Step,
        progress: &(impl Fn(i64) + Send + Sync),
    ) -> Result<(), StepError> {
        let claim = self.hypervisor.claim(owner);
        match step {
            Step::Destroy => return Ok(claim.destroy(id.0).await?),
            Step::Undefine => return Ok(claim.undefine(id.0).await?),
            Step::RemoveFiles => return self.remove_files(id).await,
            _ => {}
        }
        let Some(wanted) = wanted else {
            return Err(StepError::never("internal", "a step for what nobody wants"));
        };
        match step {
            Step::FetchImage(part) => {
                let file = parts(&wanted.image).find(|(p, _)| *p == part).map(|(_, file)| file);
                let file = file.ok_or_else(|| {
                    StepError::never("internal", "a part that the image does not have")
                })?;
                self.images.fetch(wanted.image.id, part, file, progress).await
            }
            Step::MakeDisk => crate::disk::make(&self.layout, wanted).await,
            Step::GrowDisk => crate::disk::grow(&self.layout, wanted).await,
            Step::MakeSeed => self.make_seed(wanted).await,
            Step::Define => self.define(&claim, wanted).await,
            Step::EnsureNetwork => self.ensure_network().await,
            Step::Start => Ok(claim.start(id.0).await?),
            Step::Suspend => Ok(claim.suspend(id.0).await?),
            Step::Resume => Ok(claim.resume(id.0).await?),
            Step::PressPower => Ok(claim.shutdown(id.0).await?),
            Step::Destroy | Step::Undefine | Step::RemoveFiles => Ok(()), // Done above.
        }
    }

    async fn make_seed(&self, wanted: &DesiredInstance) -> Result<(), StepError> {
        let (path, wanted) = (self.layout.seed(wanted.id), wanted.clone());
        let what = path.display().to_string();
        on_thread(move || seed::make(&path, &wanted)).await.map_err(|e| StepError::io(what, &e))
    }

    async fn remove_files(&self, id: InstanceId) -> Result<(), StepError> {
        let path = self.layout.instance(id);
        let what = path.display().to_string();
        on_thread(move || files::remove_tree(&path)).await.map_err(|e| StepError::io(what, &e))
    }

    async fn ensure_network(&self) -> Result<(), StepError> {
        match &self.network {
            Network::Nat(nat) => Ok(self.hypervisor.ensure_network(nat).await?),
            // The operator's; a start says if it is missing.
            Network::Bridge { .. } => Ok(()),
        }
    }

    async fn define(&self, claim: &Claim, wanted: &DesiredInstance) -> Result<(), StepError> {
        let domain_type = self.hypervisor.host().await?.domain_type;
        Ok(claim.define(self.spec(claim.owner(), wanted, domain_type)).await?)
    }

    fn spec(&self, owner: &str, wanted: &DesiredInstance, domain_type: DomainType) -> DomainSpec {
        let attach = match &self.network {
            Network::Nat(nat) => Attach::Network(nat.name.clone()),
            Network::Bridge { name } => Attach::Bridge(name.clone()),
        };
        let boot = match &wanted.image.kernel {
            None => Boot::Disk,
            Some(kernel) => Boot::Kernel {
                kernel: self.layout.image(&kernel.sha256),
                initrd: wanted.image.ramdisk.as_ref().map(|r| self.layout.image(&r.sha256)),
                cmdline: wanted.image.kernel_cmdline.clone(),
            },
        };
        DomainSpec {
            id: wanted.id.0,
            name: DomainSpec::domain_name(wanted.id.0),
            title: wanted.name.clone(),
            generation: wanted.generation,
            owner: owner.to_owned(),
            domain_type,
            memory_mib: u64::try_from(wanted.memory_mib).unwrap_or(0),
            vcpus: u32::try_from(wanted.vcpus).unwrap_or(0),
            disk: self.layout.disk(wanted.id),
            seed: Some(self.layout.seed(wanted.id)),
            nic: Some(Nic { mac: wanted.mac.clone(), attach }),
            boot,
            serial_log: self.layout.serial_log(wanted.id),
            screen: self.screen,
        }
    }
}
