//! A server's management controller: OpenIPMI's `ipmi_sim`, speaking IPMI 2.0 over LAN.
//!
//! Its sensors read files, so that a test can warm the machine up; its power switch is a script
//! that keeps a log.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result};

use crate::{
    dir::{LabDir, free_udp_port},
    process::Process,
};

const START_LIMIT: Duration = Duration::from_secs(20);
pub const USER: &str = "admin";
pub const PASSWORD: &str = "lab-secret";

pub struct BmcSimulator {
    process: Process,
    dir: LabDir,
    port: u16,
}

/// One sensor: its SDR, and the raw reading it starts with.
struct Sensor {
    number: u8,
    name: &'static str,
    /// IPMI 2.0 table 42-3.
    kind: u8,
    /// IPMI 2.0 table 43-15.
    unit: u8,
    /// Table 43-14 and how many of it.
    entity: (u8, u8),
    /// The reading is raw × m × 10^exponent.
    m: u8,
    exponent: i8,
    reading: u8,
    /// Raw: upper critical, upper non-critical, lower critical, lower non-critical.
    limits: [Option<u8>; 4],
}

const SENSORS: [Sensor; 6] = [
    Sensor {
        number: 1,
        name: "CPU Temp",
        kind: 0x01,
        unit: 1,
        entity: (0x03, 1),
        m: 1,
        exponent: 0,
        reading: 47,
        limits: [Some(95), Some(85), None, None],
    },
    Sensor {
        number: 2,
        name: "Inlet Temp",
        kind: 0x01,
        unit: 1,
        entity: (0x40, 1),
        m: 1,
        exponent: 0,
        reading: 24,
        limits: [Some(45), Some(40), Some(2), Some(5)],
    },
    Sensor {
        number: 3,
        name: "Fan 1",
        kind: 0x04,
        unit: 18,
        entity: (0x1d, 1),
        m: 50,
        exponent: 0,
        reading: 96,
        limits: [None, None, Some(10), Some(20)],
    },
    Sensor {
        number: 4,
        name: "Fan 2",
        kind: 0x04,
        unit: 18,
        entity: (0x1d, 2),
        m: 50,
        exponent: 0,
        reading: 98,
        limits: [None, None, Some(10), Some(20)],
    },
    Sensor {
        number: 5,
        name: "P12V",
        kind: 0x02,
        unit: 4,
        entity: (0x14, 1),
        m: 63,
        exponent: -3,
        reading: 192,
        limits: [Some(210), Some(206), Some(172), Some(176)],
    },
    Sensor {
        number: 6,
        name: "PSU Power",
        kind: 0x0b,
        unit: 6,
        entity: (0x0a, 1),
        m: 4,
        exponent: 0,
        reading: 45,
        limits: [None, None, None, None],
    },
];

impl BmcSimulator {
    pub async fn start() -> Result<Self> {
        let dir = LabDir::new("bmc")?;
        let port = free_udp_port()?;
        dir.write("power", "0\n")?;
        let chassis = dir.write("chassis.sh", include_str!("bmc/chassis.sh"))?;
        dir.write("lan.conf", &lan_conf(port, &chassis, dir.path()))?;
        let mut emu = String::from(
            "mc_setbmc 0x20\n\
             mc_add 0x20 0x20 no-device-sdrs 0x01 2 9 0x9f 0x0015d9 0x0910\n\
             sel_enable 0x20 1000 0x0a\n",
        );
        for sensor in &SENSORS {
            dir.write(&format!("sensor-{}", sensor.number), &format!("{}\n", sensor.reading))?;
            emu += &sensor.commands(dir.path());
        }
        emu += "mc_enable 0x20\n";
        dir.write("sim.emu", &emu)?;
        std::fs::create_dir(dir.join("state"))?;

        let mut command = Command::new("ipmi_sim");
        command.arg("-n").arg("-c").arg(dir.join("lan.conf")).arg("-f").arg(dir.join("sim.emu"));
        command.arg("-s").arg(dir.join("state")).current_dir(dir.path());
        let mut process = Process::start("ipmi_sim", command, &dir.join("ipmi_sim.log"))?;
        // One bad line in its configuration, and it lives on without a port: ask it.
        process.ready(START_LIMIT, || async { presence_ping(port).await }).await?;
        Ok(Self { process, dir, port })
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What the power switch says, not what IPMI says.
    pub fn power(&self) -> Result<bool> {
        Ok(std::fs::read_to_string(self.dir.join("power"))?.trim() == "1")
    }

    /// What the power switch was told, a line each: `power 1`.
    pub fn chassis_log(&self) -> String {
        std::fs::read_to_string(self.dir.join("chassis.log")).unwrap_or_default()
    }

    /// Sets a sensor's raw reading; the simulator looks each second.
    pub fn set_reading(&self, name: &str, raw: u8) -> Result<()> {
        let sensor = SENSORS.iter().find(|sensor| sensor.name == name).context("no such sensor")?;
        self.dir.write(&format!("sensor-{}", sensor.number), &format!("{raw}\n"))?;
        Ok(())
    }

    pub fn sensor_names() -> impl Iterator<Item = &'static str> {
        SENSORS.iter().map(|sensor| sensor.name)
    }

    /// Each sensor's name and first reading, in its unit.
    pub fn readings() -> impl Iterator<Item = (&'static str, f64)> {
        SENSORS.iter().map(|sensor| {
            let value = f64::from(sensor.reading) * f64::from(sensor.m);
            (sensor.name, value * 10f64.powi(sensor.exponent.into()))
        })
    }

    /// The controller falls silent for good.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }
}

fn lan_conf(port: u16, chassis: &Path, dir: &Path) -> String {
    format!(
        r#"name "lab"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "sh {chassis} {dir}"
  user 1 true "" "test" user 10 none md2 md5 straight
  user 2 true "{USER}" "{PASSWORD}" admin 10 none md2 md5 straight
"#,
        chassis = chassis.display(),
        dir = dir.display(),
    )
}

impl Sensor {
    fn commands(&self, dir: &Path) -> String {
        let [uc, unc, lc, lnc] = self.limits;
        // Bits as in "settable / readable threshold mask": lnc, lc, lnr, unc, uc, unr.
        let bits = [lnc, lc, None, unc, uc, None];
        let mask = bits.iter().rev().map(|l| if l.is_some() { '1' } else { '0' });
        let mask: String = mask.collect();
        let values: Vec<String> = bits.iter().rev().map(|l| l.unwrap_or(0).to_string()).collect();
        let mut text = format!(
            "sensor_add 0x20 0 {n} {kind} 1 poll 1000 file \"{dir}/sensor-{n}\"\n\
             sensor_set_value 0x20 0 {n} {reading} 0\n",
            n = self.number,
            kind = self.kind,
            dir = dir.display(),
            reading = self.reading,
        );
        if mask.contains('1') {
            text += &format!(
                "sensor_set_threshold 0x20 0 {} readable {mask} {}\n",
                self.number,
                values.join(" ")
            );
        }
        let events = "000000000000000";
        text += &format!(
            "sensor_set_event_support 0x20 0 {} enable scanning per-state {events} {events} {events} {events}\n",
            self.number
        );
        let record: Vec<String> = self.record().iter().map(|b| format!("{b:#04x}")).collect();
        text += &format!("main_sdr_add 0x20 {}\n", record.join(" "));
        text
    }

    /// A full sensor record: IPMI 2.0 table 43-1.
    fn record(&self) -> Vec<u8> {
        let [uc, unc, lc, lnc] = self.limits;
        let readable = [lnc, lc, None, unc, uc, None]
            .iter()
            .enumerate()
            .fold(0u8, |mask, (bit, limit)| mask | (u8::from(limit.is_some()) << bit));
        let exponent = (self.exponent.cast_unsigned() & 0x0f) << 4;
        let mut record = vec![
            0,
            0,
            0x51,
            0x01,
            0, // record id, version, type, length (below)
            0x20,
            0,
            self.number,
            self.entity.0,
            self.entity.1,
            0x7f, // initialised: scanning, events, thresholds, hysteresis, type
            0x64, // re-arms by itself; thresholds readable
            self.kind,
            0x01, // threshold-based
            0,
            0,
            0,
            0, // no events
            readable,
            0, // readable, settable thresholds
            0x00,
            self.unit,
            0,    // unsigned; unit; no modifier
            0x00, // linear
            self.m,
            0,
            0,
            0,
            0,
            exponent,
            0x00, // no nominal values
            0,
            0,
            0,
            0xff,
            0x00,
            0,
            uc.unwrap_or(0),
            unc.unwrap_or(0),
            0,
            lc.unwrap_or(0),
            lnc.unwrap_or(0),
            0,
            0, // hysteresis
            0,
            0,
            0,
            0xc0 | u8::try_from(self.name.len()).expect("a short name"),
        ];
        record.extend_from_slice(self.name.as_bytes());
        record[4] = u8::try_from(record.len() - 5).expect("a record has at most 64 bytes");
        record
    }
}

/// An ASF presence ping (IPMI 2.0, 13.2.3), which needs no session.
async fn presence_ping(port: u16) -> bool {
    const PING: [u8; 12] = [0x06, 0, 0xff, 0x06, 0, 0, 0x11, 0xbe, 0x80, 0x01, 0, 0];
    let ping = async {
        let socket = tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await?;
        socket.send_to(&PING, ("127.0.0.1", port)).await?;
        socket.recv(&mut [0; 64]).await
    };
    matches!(tokio::time::timeout(Duration::from_millis(300), ping).await, Ok(Ok(_)))
}
