//! Chassis and device commands (IPMI 2.0 §20.1, §28): their requests, and the decoding of their
//! answers.

use super::{
    message::{NetFn, Request},
    tables,
};
use crate::model::{DeviceInfo, PowerAction, PowerState};

pub fn device_id_request() -> Request {
    Request::new("get device id", NetFn::App, 0x01, &[])
}

pub fn decode_device_id(data: &[u8]) -> Option<DeviceInfo> {
    let [id, revision, major, minor, version, _support, m0, m1, m2, p0, p1, ..] = *data else {
        return None;
    };
    // Twenty bits; the rest is reserved.
    let manufacturer_id = u32::from_le_bytes([m0, m1, m2 & 0x0f, 0]);
    Some(DeviceInfo {
        device_id: id,
        device_revision: revision & 0x0f,
        firmware: format!("{}.{minor:02x}", major & 0x7f),
        ipmi_version: format!("{}.{}", version & 0x0f, version >> 4),
        manufacturer_id,
        manufacturer: tables::manufacturer(manufacturer_id).map(str::to_owned),
        product_id: u16::from_le_bytes([p0, p1]),
    })
}

pub fn status_request() -> Request {
    Request::new("get chassis status", NetFn::Chassis, 0x01, &[])
}

pub fn decode_power(data: &[u8]) -> Option<PowerState> {
    let state = data.first()?;
    Some(if state & 1 == 1 { PowerState::On } else { PowerState::Off })
}

pub fn control_request(action: PowerAction) -> Request {
    let code = match action {
        PowerAction::Off => 0,
        PowerAction::On => 1,
        PowerAction::Cycle => 2,
        PowerAction::Reset => 3,
        PowerAction::Soft => 5,
    };
    Request::new("chassis control", NetFn::Chassis, 0x02, &[code])
}
