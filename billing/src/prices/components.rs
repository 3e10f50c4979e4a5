//! What can have a price.
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

/// What a price buys `unit` of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// A unit for an hour; the measure is in unit·milliseconds.
    Hour,
    /// A unit; the measure is in units.
    Unit,
    /// A month, bought whole; the measure is in months.
    Month,
}

impl Per {
    /// Of the measure, in one `unit` of the price. None beyond what a measure holds.
    pub fn scale(self, unit: i64) -> Option<i64> {
        match self {
            Self::Hour => unit.checked_mul(MS_PER_HOUR),
            Self::Unit | Self::Month => Some(unit),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// `kind.component`.
    pub name: &'static str,
    pub per: Per,
    /// Whose price is taken where it has none.
    pub fallback: Option<&'static str>,
}

const fn hourly(name: &'static str, fallback: Option<&'static str>) -> Component {
    Component { name, per: Per::Hour, fallback }
}

const fn counted(name: &'static str) -> Component {
    Component { name, per: Per::Unit, fallback: None }
}

pub const COMPUTE: &str = "instance.compute";
pub const COMPUTE_SUSPENDED: &str = "instance.compute_suspended";
pub const DISK: &str = "instance.disk";

pub const COMPONENTS: &[Component] = &[
    hourly(COMPUTE, None),
    hourly(COMPUTE_SUSPENDED, Some(COMPUTE)),
    hourly("instance.compute_stopped", None),
    hourly(DISK, None),
    counted("instance.net_rx"),
    counted("instance.net_tx"),
    hourly("volume.capacity", None),
    hourly("snapshot.capacity", None),
    hourly("image.capacity", None),
    hourly("bucket.capacity", None),
    counted("bucket.object_bytes"),
    hourly("address.address", None),
    hourly("router.router", None),
    hourly("bandwidth.mbps", None),
    hourly("server.server", None),
    hourly("server.server_off", Some("server.server")),
    Component { name: "package.package", per: Per::Month, fallback: None },
];

pub fn component(name: &str) -> Option<&'static Component> {
    COMPONENTS.iter().find(|component| component.name == name)
}
