//! What can have a price: the components of [`crate::kinds`].
//!
//! | Component | Per | Without a price of its own |
//! | --- | --- | --- |
//! | `instance.compute` | instance and hour, while it runs | free |
//! | `instance.compute_suspended` | instance and hour, while it is paused | as `instance.compute` |
//! | `instance.compute_stopped` | instance and hour, while it is stopped | free |
//! | `instance.disk` | GiB and hour, while it is there | free |
//! | `instance.net_rx`, `instance.net_tx` | byte | free |
//! | `volume.capacity`, `snapshot.capacity`, `image.capacity`, `bucket.capacity` | GiB and hour | free |
//! | `bucket.object_bytes` | byte | free |
//! | `address.address`, `router.router`, `bandwidth.mbps` | piece, piece, Mbit/s and hour | free |
//! | `server.server` | server and hour, while it is on | free |
//! | `server.server_off` | server and hour, while it is off | as `server.server` |
//! | `package.package` | month | free |

use base::money::MS_PER_HOUR;
use serde::Serialize;
use utoipa::ToSchema;

pub use crate::kinds::Component;
use crate::kinds::{self, KINDS};

/// What a price buys `unit` of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PricePer)]
pub enum Per {
    /// A unit for an hour; the measure is in unit·milliseconds.
    Hour,
    /// A unit; the measure is in units.
    Unit,
    /// A month, bought whole; the measure is in months.
    Month,
}

impl Per {
    /// As it is written everywhere: `hour`, `unit`, `month`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Unit => "unit",
            Self::Month => "month",
        }
    }

    /// Of the measure, in one `unit` of the price. None beyond what a measure holds.
    pub fn scale(self, unit: i64) -> Option<i64> {
        match self {
            Self::Hour => unit.checked_mul(MS_PER_HOUR),
            Self::Unit | Self::Month => Some(unit),
        }
    }
}

pub const COMPUTE: &str = "instance.compute";
pub const COMPUTE_SUSPENDED: &str = "instance.compute_suspended";
pub const COMPUTE_STOPPED: &str = "instance.compute_stopped";
pub const DISK: &str = "instance.disk";
pub const SERVER: &str = "server.server";
pub const SERVER_OFF: &str = "server.server_off";

/// All of every kind, in the order of the kinds.
pub fn all() -> impl Iterator<Item = &'static Component> {
    KINDS.iter().flat_map(|kind| kind.components)
}

/// By `kind.component`.
pub fn component(name: &str) -> Option<&'static Component> {
    let (kind, own) = name.split_once('.')?;
    kinds::find(kind)?.component(own)
}

/// Whether it is counted by readings, so that its quantity is not of time.
pub fn is_counted(name: &str) -> bool {
    component(name).is_some_and(|component| component.per == Per::Unit)
}
