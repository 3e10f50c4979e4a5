//! The kinds there are.

use super::{Attribute, Component, Holds, Kind, Quantity};

const GIB: Attribute = Attribute { name: "gib", holds: Holds::Count };

/// One of it for each hour in these states.
const fn one(name: &'static str, states: &'static [&'static str]) -> Component {
    Component { name, states, quantity: Quantity::One }
}

/// As many an hour as that attribute says, in every state.
const fn each(name: &'static str, attribute: &'static str) -> Component {
    Component { name, states: &[], quantity: Quantity::Attribute(attribute) }
}

const fn counter(name: &'static str) -> Component {
    Component { name, states: &[], quantity: Quantity::Counter }
}

const CAPACITY: Component = each("capacity", "gib");

pub const KINDS: &[Kind] = &[
    Kind {
        name: "instance",
        states: &["running", "paused", "stopped"],
        attributes: &[
            Attribute { name: "flavor", holds: Holds::Text },
            Attribute { name: "disk_gib", holds: Holds::Count },
        ],
        components: &[
            one("compute", &["running"]),
            one("compute_suspended", &["paused"]),
            one("compute_stopped", &["stopped"]),
            each("disk", "disk_gib"),
            counter("net_rx"),
            counter("net_tx"),
        ],
        product: true,
    },
    Kind {
        name: "volume",
        states: &["available"],
        attributes: &[GIB],
        components: &[CAPACITY],
        product: false,
    },
    Kind {
        name: "snapshot",
        states: &["available"],
        attributes: &[GIB],
        components: &[CAPACITY],
        product: false,
    },
    Kind {
        name: "image",
        states: &["available"],
        attributes: &[GIB],
        components: &[CAPACITY],
        product: false,
    },
    Kind {
        name: "address",
        states: &["up"],
        attributes: &[],
        components: &[one("address", &[])],
        product: false,
    },
    Kind {
        name: "router",
        states: &["up"],
        attributes: &[],
        components: &[one("router", &[])],
        product: false,
    },
    Kind {
        name: "server",
        states: &["on", "off"],
        attributes: &[],
        components: &[one("server", &["on"]), one("server_off", &["off"])],
        product: false,
    },
    Kind {
        name: "bandwidth",
        states: &["up"],
        attributes: &[Attribute { name: "mbps", holds: Holds::Count }],
        components: &[each("mbps", "mbps")],
        product: false,
    },
    Kind {
        name: "bucket",
        states: &["active"],
        attributes: &[GIB],
        components: &[CAPACITY, counter("object_bytes")],
        product: false,
    },
    Kind {
        name: "package",
        states: &["active"],
        attributes: &[],
        components: &[one("package", &[])],
        product: false,
    },
];
