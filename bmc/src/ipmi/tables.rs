//! Names and weights as data: units (IPMI 2.0 table 43-15), kinds of sensor (table 42-3), states
//! (tables 42-2 and 42-3), and some makers of BMCs.

use crate::model::SensorState;

/// Short where the ecosystem's metrics know the unit, the standard's name elsewhere.
const UNITS: [&str; 93] = [
    "",
    "C",
    "F",
    "K",
    "V",
    "A",
    "W",
    "J",
    "coulombs",
    "VA",
    "nits",
    "lumen",
    "lux",
    "candela",
    "kPa",
    "PSI",
    "newton",
    "CFM",
    "RPM",
    "Hz",
    "microseconds",
    "milliseconds",
    "seconds",
    "minutes",
    "hours",
    "days",
    "weeks",
    "mil",
    "inches",
    "feet",
    "cubic inches",
    "cubic feet",
    "mm",
    "cm",
    "m",
    "cubic cm",
    "cubic m",
    "liters",
    "fluid ounces",
    "radians",
    "steradians",
    "revolutions",
    "cycles",
    "gravities",
    "ounces",
    "pounds",
    "foot-pounds",
    "ounce-inches",
    "gauss",
    "gilberts",
    "henry",
    "millihenry",
    "farad",
    "microfarad",
    "ohms",
    "siemens",
    "mole",
    "becquerel",
    "PPM",
    "reserved",
    "dB",
    "dBA",
    "dBC",
    "gray",
    "sievert",
    "color temperature K",
    "bits",
    "kilobits",
    "megabits",
    "gigabits",
    "bytes",
    "kilobytes",
    "megabytes",
    "gigabytes",
    "words",
    "dwords",
    "qwords",
    "lines",
    "hits",
    "misses",
    "retries",
    "resets",
    "overruns",
    "underruns",
    "collisions",
    "packets",
    "messages",
    "characters",
    "errors",
    "correctable errors",
    "uncorrectable errors",
    "fatal errors",
    "grams",
];

/// From the three unit bytes of a record: flags, base unit, modifier unit.
pub fn unit([flags, base, modifier]: [u8; 3]) -> String {
    const RATES: [&str; 8] = [
        "",
        "per microsecond",
        "per millisecond",
        "per second",
        "per minute",
        "per hour",
        "per day",
        "",
    ];
    let name = |code: u8| UNITS.get(usize::from(code)).copied().unwrap_or("unknown unit");
    if flags & 1 == 1 {
        return "%".into();
    }
    let mut text = match flags >> 1 & 3 {
        1 => format!("{}/{}", name(base), name(modifier)),
        2 => format!("{}*{}", name(base), name(modifier)),
        _ => name(base).to_owned(),
    };
    let rate = RATES[usize::from(flags >> 3 & 7)];
    if !rate.is_empty() {
        text = format!("{text} {rate}");
    }
    text
}

const SENSOR_KINDS: [&str; 45] = [
    "Reserved",
    "Temperature",
    "Voltage",
    "Current",
    "Fan",
    "Physical Security",
    "Platform Security Violation Attempt",
    "Processor",
    "Power Supply",
    "Power Unit",
    "Cooling Device",
    "Other Units Based Sensor",
    "Memory",
    "Drive Slot",
    "POST Memory Resize",
    "System Firmware Progress",
    "Event Logging Disabled",
    "Watchdog 1",
    "System Event",
    "Critical Interrupt",
    "Button/Switch",
    "Module/Board",
    "Microcontroller/Coprocessor",
    "Add In Card",
    "Chassis",
    "Chip Set",
    "Other FRU",
    "Cable/Interconnect",
    "Terminator",
    "System Boot Initiated",
    "Boot Error",
    "OS Boot",
    "OS Critical Stop",
    "Slot/Connector",
    "System ACPI Power State",
    "Watchdog 2",
    "Platform Alert",
    "Entity Presence",
    "Monitor ASIC/IC",
    "LAN",
    "Management Subsystem Health",
    "Battery",
    "Session Audit",
    "Version Change",
    "FRU State",
];

pub fn sensor_kind(code: u8) -> &'static str {
    SENSOR_KINDS.get(usize::from(code)).copied().unwrap_or("OEM Reserved")
}

/// What a state weighs.
struct Weight {
    /// `Some`: of this kind of sensor (reading type 0x6f); `None`: of this generic type.
    kind: Option<u8>,
    reading_type: u8,
    warning: u16,
    critical: u16,
}

const SENSOR_SPECIFIC: u8 = 0x6f;

const fn generic(reading_type: u8, warning: u16, critical: u16) -> Weight {
    Weight { kind: None, reading_type, warning, critical }
}
const fn specific(kind: u8, warning: u16, critical: u16) -> Weight {
    Weight { kind: Some(kind), reading_type: SENSOR_SPECIFIC, warning, critical }
}

/// The bits that are bad; the others of the same sensor are nominal.
const WEIGHTS: [Weight; 19] = [
    generic(0x03, 0, 0b10),                               // state asserted
    generic(0x04, 0b10, 0),                               // predictive failure asserted
    generic(0x05, 0b10, 0),                               // limit exceeded
    generic(0x06, 0b10, 0),                               // performance lags
    generic(0x07, 0b1_0010, 0b110_1100),                  // severity
    generic(0x08, 0, 0),                                  // device removed, inserted
    generic(0x09, 0, 0),                                  // device disabled, enabled
    generic(0x0a, 0b1_0100_0000, 0),                      // degraded, install error
    generic(0x0b, 0b1101_1100, 0b10_0010),                // redundancy: degraded; lost
    specific(0x05, 0, 0b111_1111),                        // physical security: intrusion
    specific(0x07, 0b1_0101_0000_0000, 0b1000_0111_1111), // processor: throttled; failed
    specific(0x08, 0b100, 0b111_1010),                    // power supply: predicted; failed
    specific(0x09, 0b1000_0000, 0b111_0100),              // power unit: predicted; failed
    specific(0x0c, 0b10_0010_0001, 0b100_1001_1110),      // memory: corrected; uncorrectable
    specific(0x0d, 0b1_1010_0100, 0b100_0010),            // drive: predicted; failed
    specific(0x1b, 0, 0b10),                              // cable: wrongly connected
    specific(0x23, 0b1, 0b1110),                          // watchdog: expired; acted
    specific(0x25, 0, 0),                                 // entity present, absent
    specific(0x29, 0b1, 0b10),                            // battery: low; failed
];

/// The weight of the states that hold; unknown for kinds that nobody defined.
pub fn severity(kind: u8, reading_type: u8, states: u16) -> SensorState {
    let known = WEIGHTS.iter().find(|weight| {
        weight.reading_type == reading_type && weight.kind.is_none_or(|of| of == kind)
    });
    match known {
        None => SensorState::Unknown,
        Some(weight) if states & weight.critical != 0 => SensorState::Critical,
        Some(weight) if states & weight.warning != 0 => SensorState::Warning,
        Some(_) => SensorState::Nominal,
    }
}

/// IANA enterprise numbers of makers of BMCs and of servers.
pub const fn manufacturer(id: u32) -> Option<&'static str> {
    Some(match id {
        2 => "IBM",
        11 => "Hewlett-Packard",
        343 => "Intel",
        674 => "Dell",
        2011 => "Huawei",
        2623 => "ASUSTek",
        4753 => "MontaVista Software",
        5771 => "Cisco",
        6653 => "Tyan",
        7244 => "Quanta",
        10368 => "Fujitsu",
        10876 => "Supermicro",
        15370 => "Gigabyte",
        19046 => "Lenovo",
        20301 => "IBM eServer X",
        37945 => "Inspur",
        42817 => "IBM OpenPOWER",
        47196 => "Hewlett Packard Enterprise",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
