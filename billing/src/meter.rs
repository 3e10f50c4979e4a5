//! Meters: what is counted, as text in price books, and how a bill words them.
//!
//! | Meter | Unit | Runs |
//! | --- | --- | --- |
//! | `instance:<flavor id>` | instance | while it runs |
//! | `instance-paused:<flavor id>` | instance | while it is paused; without a price of its own, at the running one's |
//! | `disk_gib` | GiB | from the first start until the instance is gone |

use std::collections::BTreeMap;

use base::{Error, Result, id::FlavorId};
use serde::{Deserialize, Serialize};

use crate::kinds::Attributes;

pub const DISK_GIB: &str = "disk_gib";
const INSTANCE: &str = "instance:";
const INSTANCE_PAUSED: &str = "instance-paused:";

/// So much of a meter, running at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    pub meter: String,
    pub quantity: i64,
}

/// What a resource was seen to be in; only confirmed states are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceState {
    Running,
    Paused,
    Stopped,
    Absent,
}

impl ResourceState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Absent => "absent",
        }
    }
}

impl std::str::FromStr for ResourceState {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "running" => Ok(Self::Running),
            "paused" => Ok(Self::Paused),
            "stopped" => Ok(Self::Stopped),
            "absent" => Ok(Self::Absent),
            other => Err(Error::internal(format!("'{other}' is not a resource's state"))),
        }
    }
}

pub fn instance(flavor: FlavorId) -> String {
    format!("{INSTANCE}{flavor}")
}

pub fn instance_paused(flavor: FlavorId) -> String {
    format!("{INSTANCE_PAUSED}{flavor}")
}

/// What a resource in this state uses.
pub fn components(state: ResourceState, flavor: FlavorId, disk_gib: i64) -> Vec<Component> {
    let compute = match state {
        ResourceState::Absent => return Vec::new(),
        ResourceState::Running => Some(instance(flavor)),
        ResourceState::Paused => Some(instance_paused(flavor)),
        ResourceState::Stopped => None,
    };
    let compute = compute.map(|meter| Component { meter, quantity: 1 });
    let disk = Component { meter: DISK_GIB.to_owned(), quantity: disk_gib };
    compute.into_iter().chain(Some(disk).filter(|disk| disk.quantity > 0)).collect()
}

/// What facts say of an instance.
pub fn attributes(flavor: FlavorId, disk_gib: i64) -> Attributes {
    Attributes::default().with("flavor", flavor.to_string().as_str()).with("disk_gib", disk_gib)
}

/// What facts say of it besides, for prices to select by.
pub fn selected_by(region: Option<&str>, labels: &BTreeMap<String, String>) -> Attributes {
    let region = region.map(|region| ("region".to_owned(), region));
    let labels = labels.iter().map(|(key, value)| (format!("label.{key}"), value.as_str()));
    Attributes::new(region.into_iter().chain(labels))
}

pub fn flavor_of(meter: &str) -> Option<FlavorId> {
    meter
        .strip_prefix(INSTANCE)
        .or_else(|| meter.strip_prefix(INSTANCE_PAUSED))
        .and_then(|id| id.parse().ok())
}

/// Refuses what no usage could ever match, such as a flavor's name in place of its id.
pub fn validate(meter: &str) -> Result<()> {
    if meter == DISK_GIB || flavor_of(meter).is_some() {
        return Ok(());
    }
    Err(Error::invalid("prices", format!("'{meter}' is not a meter"))
        .remedy("use disk_gib, instance:<flavor id> or instance-paused:<flavor id>"))
}
