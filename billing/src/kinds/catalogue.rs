//! The kinds there are.

use super::{Attribute, Component, Holds, Kind, Quantity};
use crate::prices::components::{
    COMPUTE, COMPUTE_STOPPED, COMPUTE_SUSPENDED, DISK, Per, SERVER, SERVER_OFF,
};

const GIB: Attribute = Attribute { name: "gib", holds: Holds::Count };

const PIECE: Component =
    Component { name: "", states: &[], quantity: Quantity::One, per: Per::Hour, fallback: None };

/// One of it for each hour in these states.
const fn one(name: &'static str, states: &'static [&'static str]) -> Component {
    Component { name, states, ..PIECE }
}

/// As many an hour as that attribute says, in every state.
const fn each(name: &'static str, attribute: &'static str) -> Component {
    Component { name, quantity: Quantity::Attribute(attribute), ..PIECE }
}

/// Of bytes.
const fn counter(name: &'static str) -> Component {
    Component { name, quantity: Quantity::Counter, per: Per::Unit, ..PIECE }
}

const fn or(component: Component, fallback: &'static str) -> Component {
    Component { fallback: Some(fallback), ..component }
}

pub const KINDS: &[Kind] = &[
    Kind {
        name: "instance",
        states: &["running", "paused", "stopped"],
        attributes: &[
            Attribute { name: "flavor", holds: Holds::Text },
            Attribute { name: "disk_gib", holds: Holds::Count },
        ],
        components: &[
            one(COMPUTE, &["running"]),
            or(one(COMPUTE_SUSPENDED, &["paused"]), COMPUTE),
            one(COMPUTE_STOPPED, &["stopped"]),
            each(DISK, "disk_gib"),
            counter("instance.net_rx"),
            counter("instance.net_tx"),
        ],
        product: true,
    },
    Kind {
        name: "volume",
        states: &["available"],
        attributes: &[GIB],
        components: &[each("volume.capacity", "gib")],
        product: false,
    },
    Kind {
        name: "snapshot",
        states: &["available"],
        attributes: &[GIB],
        components: &[each("snapshot.capacity", "gib")],
        product: false,
    },
    Kind {
        name: "image",
        states: &["available"],
        attributes: &[GIB],
        components: &[each("image.capacity", "gib")],
        product: false,
    },
    Kind {
        name: "address",
        states: &["up"],
        attributes: &[],
        components: &[one("address.address", &[])],
        product: false,
    },
    Kind {
        name: "router",
        states: &["up"],
        attributes: &[],
        components: &[one("router.router", &[])],
        product: false,
    },
    Kind {
        name: "server",
        states: &["on", "off"],
        attributes: &[],
        components: &[one(SERVER, &["on"]), or(one(SERVER_OFF, &["off"]), SERVER)],
        product: false,
    },
    Kind {
        name: "bandwidth",
        states: &["up"],
        attributes: &[Attribute { name: "mbps", holds: Holds::Count }],
        components: &[each("bandwidth.mbps", "mbps")],
        product: false,
    },
    Kind {
        name: "bucket",
        states: &["active"],
        attributes: &[GIB],
        components: &[each("bucket.capacity", "gib"), counter("bucket.object_bytes")],
        product: false,
    },
    Kind {
        name: "package",
        states: &["active"],
        attributes: &[],
        components: &[Component {
            name: "package.package",
            quantity: Quantity::Order,
            per: Per::Month,
            ..PIECE
        }],
        product: false,
    },
];
