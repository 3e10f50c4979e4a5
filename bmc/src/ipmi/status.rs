//! Names for the codes a BMC refuses with: RMCP+ status codes of the login (IPMI 2.0 table 13-15)
//! and completion codes of commands (table 5-2 and the commands' own).

/// Of an Open Session Response or a RAKP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u8);

impl Status {
    pub const INVALID_SESSION: Self = Self(0x02);
    pub const INACTIVE_SESSION: Self = Self(0x08);
    pub const UNAUTHORIZED_NAME: Self = Self(0x0d);
    pub const INVALID_CHECK: Self = Self(0x0f);

    pub fn name(self) -> &'static str {
        match self.0 {
            0x00 => "no error",
            0x01 => "insufficient resources to create a session",
            0x02 => "invalid session id",
            0x03 => "invalid payload type",
            0x04 => "invalid authentication algorithm",
            0x05 => "invalid integrity algorithm",
            0x06 => "no matching authentication payload",
            0x07 => "no matching integrity payload",
            0x08 => "inactive session id",
            0x09 => "invalid role",
            0x0a => "unauthorized role or privilege level requested",
            0x0b => "insufficient resources to create a session at the requested role",
            0x0c => "invalid name length",
            0x0d => "unauthorized name",
            0x0e => "unauthorized GUID",
            0x0f => "invalid integrity check value",
            0x10 => "invalid confidentiality algorithm",
            0x11 => "no cipher suite match with proposed security algorithms",
            0x12 => "illegal or unrecognized parameter",
            _ => "unknown status",
        }
    }
    pub const fn is_busy(self) -> bool {
        matches!(self.0, 0x01 | 0x0b)
    }
    pub const fn is_suite(self) -> bool {
        matches!(self.0, 0x04..=0x07 | 0x10 | 0x11)
    }
    pub const fn is_privilege(self) -> bool {
        matches!(self.0, 0x09 | 0x0a)
    }
}

pub const INVALID_COMMAND: u8 = 0xc1;
pub const RESERVATION_CANCELLED: u8 = 0xc5;
pub const CANNOT_RETURN_SO_MANY_BYTES: u8 = 0xca;
pub const NOT_PRESENT: u8 = 0xcb;

/// The name of a completion code, whatever the command.
pub const fn completion_name(code: u8) -> &'static str {
    match code {
        0x00 => "completed normally",
        0x01..=0x7e => "device specific (OEM)",
        0x80..=0xbe => "command specific",
        0xc0 => "node busy",
        0xc1 => "invalid command",
        0xc2 => "command invalid for this LUN",
        0xc3 => "timeout while processing the command",
        0xc4 => "out of space",
        0xc5 => "reservation cancelled or invalid",
        0xc6 => "request data truncated",
        0xc7 => "request data length invalid",
        0xc8 => "request data field length limit exceeded",
        0xc9 => "parameter out of range",
        0xca => "cannot return number of requested data bytes",
        0xcb => "requested sensor, data or record not present",
        0xcc => "invalid data field in request",
        0xcd => "command illegal for this sensor or record type",
        0xce => "command response could not be provided",
        0xcf => "duplicated request",
        0xd0 => "SDR repository in update mode",
        0xd1 => "device in firmware update mode",
        0xd2 => "BMC initialization in progress",
        0xd3 => "destination unavailable",
        0xd4 => "insufficient privilege level",
        0xd5 => "command not supported in present state",
        0xd6 => "sub-function disabled or unavailable",
        0xff => "unspecified error",
        _ => "reserved code",
    }
}
