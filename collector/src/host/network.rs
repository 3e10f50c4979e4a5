//! Network devices: `/proc/net/dev` and `/sys/class/net`.

use std::{fs, path::Path};

use super::PartResult;
use crate::source::{Samples, float};

pub fn counters(samples: &mut Samples) -> PartResult {
    for device in procfs::net::dev_status()?.into_values() {
        let stats = [
            ("receive_bytes", device.recv_bytes),
            ("receive_packets", device.recv_packets),
            ("receive_errs", device.recv_errs),
            ("receive_drop", device.recv_drop),
            ("receive_fifo", device.recv_fifo),
            ("receive_frame", device.recv_frame),
            ("receive_compressed", device.recv_compressed),
            ("receive_multicast", device.recv_multicast),
            ("transmit_bytes", device.sent_bytes),
            ("transmit_packets", device.sent_packets),
            ("transmit_errs", device.sent_errs),
            ("transmit_drop", device.sent_drop),
            ("transmit_fifo", device.sent_fifo),
            ("transmit_colls", device.sent_colls),
            ("transmit_carrier", device.sent_carrier),
            ("transmit_compressed", device.sent_compressed),
        ];
        for (name, value) in stats {
            let labels = [("device", device.name.as_str())];
            samples.add(&format!("node_network_{name}_total"), &labels, float(value));
        }
    }
    Ok(())
}

pub fn interfaces(samples: &mut Samples) -> PartResult {
    const BITS_PER_MEGABIT: f64 = 1_000_000.0;
    for entry in fs::read_dir("/sys/class/net")? {
        let path = entry?.path();
        let Some(device) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let text = |file: &str| read(&path, file).unwrap_or_default();
        let number = |file: &str| read(&path, file)?.parse::<f64>().ok();
        let labels = [("device", device)];
        let state = text("operstate");
        samples.add("node_network_up", &labels, f64::from(u8::from(state == "up")));
        samples.maybe("node_network_mtu_bytes", &labels, number("mtu"));
        samples.maybe("node_network_carrier", &labels, number("carrier"));
        // Unknown is -1.
        let megabits = number("speed").filter(|speed| *speed >= 0.0);
        let speed = megabits.map(|megabits| megabits * BITS_PER_MEGABIT / 8.0);
        samples.maybe("node_network_speed_bytes", &labels, speed);
        let info = [
            ("device", device),
            ("address", &text("address")),
            ("broadcast", &text("broadcast")),
            ("duplex", &text("duplex")),
            ("ifalias", &text("ifalias")),
            ("operstate", &state),
        ];
        samples.add("node_network_info", &info, 1.0);
    }
    Ok(())
}

fn read(device: &Path, file: &str) -> Option<String> {
    // Some are unreadable while the device is down.
    fs::read_to_string(device.join(file)).ok().map(|text| text.trim().to_owned())
}
