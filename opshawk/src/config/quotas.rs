//! What a new tenant may have.

use inventory::quotas::Resource;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    pub instances: u32,
    pub vcpus: u32,
    pub memory_mib: u32,
    pub disk_gib: u32,
    pub public_ips: u32,
    pub volumes: u32,
    pub snapshots: u32,
    pub routers: u32,
    pub networks: u32,
    pub security_groups: u32,
    pub key_pairs: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        let of = |resource: Resource| {
            u32::try_from(resource.default_limit()).expect("the program's limits are small")
        };
        Self {
            instances: of(Resource::Instances),
            vcpus: of(Resource::Vcpus),
            memory_mib: of(Resource::MemoryMib),
            disk_gib: of(Resource::DiskGib),
            public_ips: of(Resource::PublicIps),
            volumes: of(Resource::Volumes),
            snapshots: of(Resource::Snapshots),
            routers: of(Resource::Routers),
            networks: of(Resource::Networks),
            security_groups: of(Resource::SecurityGroups),
            key_pairs: of(Resource::KeyPairs),
        }
    }
}

impl Quotas {
    pub fn limit(&self, resource: Resource) -> i64 {
        i64::from(match resource {
            Resource::Instances => self.instances,
            Resource::Vcpus => self.vcpus,
            Resource::MemoryMib => self.memory_mib,
            Resource::DiskGib => self.disk_gib,
            Resource::PublicIps => self.public_ips,
            Resource::Volumes => self.volumes,
            Resource::Snapshots => self.snapshots,
            Resource::Routers => self.routers,
            Resource::Networks => self.networks,
            Resource::SecurityGroups => self.security_groups,
            Resource::KeyPairs => self.key_pairs,
        })
    }
}
