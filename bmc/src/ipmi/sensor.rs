//! Reading the sensor repository and the sensors (IPMI 2.0 §33, §35), over [`Ipmi`].

use tokio::time::Instant;

use super::{
    Ipmi,
    message::{BMC_ADDRESS, NetFn, Request},
    sdr::{self, Factors, HEADER_BYTES, NON_LINEAR, RawThresholds, Sensor},
    status, tables,
};
use crate::{
    error::{BmcError, Result},
    model::{SensorReading, SensorState, Thresholds},
};

/// More records than any BMC has; a repository that goes on longer runs in a circle.
const RECORDS_MAX: usize = 4096;
/// Another console may cancel our reservation in the middle of a record.
const RESERVATIONS_MAX: usize = 16;
/// What a BMC is asked for at first; halved for as long as it says that this is too much.
const CHUNK_BYTES_FIRST: u8 = 32;
const CHUNK_BYTES_LEAST: u8 = 4;
/// Thresholds can be changed without a trace in the repository's timestamps.
const REPOSITORY_AGE_S_MAX: u64 = 600;

/// The repository as it was read.
#[derive(Debug)]
pub struct Repository {
    stamp: Vec<u8>,
    read_at: Instant,
    sensors: Vec<(Sensor, RawThresholds)>,
}

/// All readings; reads the repository first where it is not known or has changed.
pub async fn read_all(bmc: &Ipmi, known: &mut Option<Repository>) -> Result<Vec<SensorReading>> {
    let Some(stamp) = repository_stamp(bmc).await? else { return Ok(Vec::new()) };
    let fresh = known.as_ref().is_some_and(|repository| {
        repository.stamp == stamp && repository.read_at.elapsed().as_secs() < REPOSITORY_AGE_S_MAX
    });
    if !fresh {
        *known = None;
        let mut sensors = Vec::new();
        for sensor in read_repository(bmc).await? {
            let thresholds = read_thresholds(bmc, &sensor).await?;
            sensors.push((sensor, thresholds));
        }
        *known = Some(Repository { stamp, read_at: Instant::now(), sensors });
    }
    let mut readings = Vec::new();
    for (sensor, thresholds) in known.iter().flat_map(|repository| &repository.sensors) {
        readings.push(read(bmc, sensor, thresholds).await?);
    }
    Ok(readings)
}

/// What changes when the repository does: its record count and timestamps. `None` where the BMC
/// has no repository.
async fn repository_stamp(bmc: &Ipmi) -> Result<Option<Vec<u8>>> {
    let request = Request::new("get SDR repository info", NetFn::Storage, 0x20, &[]);
    match bmc.call(&request).await {
        Ok(info) if info.len() >= 13 => Ok(Some([&info[1..3], &info[5..13]].concat())),
        Ok(_) => Err(BmcError::Malformed { what: request.name }),
        Err(BmcError::Completion { code: status::INVALID_COMMAND, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn read_repository(bmc: &Ipmi) -> Result<Vec<Sensor>> {
    const END: u16 = 0xffff;
    let mut reader = Reader { bmc, reservation: None, chunk_bytes: CHUNK_BYTES_FIRST };
    let mut sensors = Vec::new();
    let mut id = 0;
    for _ in 0..RECORDS_MAX {
        let Some((next, record)) = reader.record(id).await? else { break };
        match sdr::decode(&record) {
            Some(found) => sensors.extend(found),
            None => tracing::warn!(?bmc, record = id, "a sensor record is malformed; skipped"),
        }
        if next == END || next == id {
            return Ok(sensors);
        }
        id = next;
    }
    Ok(sensors)
}

struct Reader<'a> {
    bmc: &'a Ipmi,
    reservation: Option<[u8; 2]>,
    chunk_bytes: u8,
}

impl Reader<'_> {
    const NAME: &'static str = "get SDR";

    /// The record and the id of the next; `None` where there is no such record (an empty
    /// repository has not even a first).
    async fn record(&mut self, id: u16) -> Result<Option<(u16, Vec<u8>)>> {
        for _ in 0..RESERVATIONS_MAX {
            match self.record_once(id).await {
                Err(BmcError::Completion { code: status::RESERVATION_CANCELLED, .. }) => {
                    self.reservation = None;
                }
                Err(BmcError::Completion { code: status::NOT_PRESENT, .. }) => return Ok(None),
                other => return other.map(Some),
            }
        }
        let code = status::RESERVATION_CANCELLED;
        let name = status::completion_name(code);
        Err(BmcError::Completion { command: Self::NAME, code, name })
    }

    async fn record_once(&mut self, id: u16) -> Result<(u16, Vec<u8>)> {
        let malformed = || BmcError::Malformed { what: Self::NAME };
        let header_bytes = u8::try_from(HEADER_BYTES).expect("five");
        let (next, mut record) = self.part(id, 0, header_bytes).await?;
        if record.len() != HEADER_BYTES {
            return Err(malformed());
        }
        let whole = HEADER_BYTES + usize::from(record[4]);
        while record.len() < whole {
            let offset = u8::try_from(record.len()).map_err(|_| malformed())?;
            let left = u8::try_from(whole - record.len()).unwrap_or(u8::MAX);
            let count = left.min(self.chunk_bytes);
            match self.part(id, offset, count).await {
                Ok((_, part)) if part.is_empty() => return Err(malformed()),
                Ok((_, part)) => record.extend(part),
                Err(BmcError::Completion { code: status::CANNOT_RETURN_SO_MANY_BYTES, .. })
                    if self.chunk_bytes > CHUNK_BYTES_LEAST =>
                {
                    self.chunk_bytes /= 2;
                }
                Err(error) => return Err(error),
            }
        }
        Ok((next, record))
    }

    async fn part(&mut self, id: u16, offset: u8, count: u8) -> Result<(u16, Vec<u8>)> {
        let reservation = match self.reservation {
            Some(reservation) => reservation,
            None => {
                let request = Request::new("reserve SDR repository", NetFn::Storage, 0x22, &[]);
                let data = self.bmc.call(&request).await?;
                let malformed = BmcError::Malformed { what: request.name };
                *self.reservation.insert(*data.first_chunk::<2>().ok_or(malformed)?)
            }
        };
        let [id0, id1] = id.to_le_bytes();
        let data = [reservation[0], reservation[1], id0, id1, offset, count];
        let data = self.bmc.call(&Request::new(Self::NAME, NetFn::Storage, 0x23, &data)).await?;
        match data.split_first_chunk::<2>() {
            Some((next, part)) if part.len() <= usize::from(count) => {
                Ok((u16::from_le_bytes(*next), part.to_vec()))
            }
            _ => Err(BmcError::Malformed { what: Self::NAME }),
        }
    }
}

/// A command to the sensor itself. `None`: refused, for this sensor only.
async fn ask(
    bmc: &Ipmi,
    sensor: &Sensor,
    name: &'static str,
    command: u8,
    data: &[u8],
) -> Result<Option<Vec<u8>>> {
    // Other controllers' sensors need messages bridged to them; that is not built yet.
    if sensor.owner != BMC_ADDRESS {
        return Ok(None);
    }
    match bmc.call(&Request::new(name, NetFn::Sensor, command, data).lun(sensor.lun)).await {
        Ok(data) => Ok(Some(data)),
        Err(BmcError::Completion { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn read_thresholds(bmc: &Ipmi, sensor: &Sensor) -> Result<RawThresholds> {
    if !sensor.has_thresholds() || !sensor.thresholds_readable {
        return Ok(sensor.thresholds);
    }
    let data = ask(bmc, sensor, "get sensor thresholds", 0x27, &[sensor.number]).await?;
    let present = data.as_deref().and_then(|data| {
        let (mask, raw) = data.split_first()?;
        Some(RawThresholds { mask: mask & 0x3f, raw: *raw.first_chunk::<6>()? })
    });
    Ok(present.unwrap_or(sensor.thresholds))
}

async fn read(bmc: &Ipmi, sensor: &Sensor, thresholds: &RawThresholds) -> Result<SensorReading> {
    let data = ask(bmc, sensor, "get sensor reading", 0x2d, &[sensor.number]).await?;
    let raw = data.as_deref().and_then(RawReading::decode);
    let factors = match raw {
        Some(raw) if sensor.linearization >= NON_LINEAR => {
            read_factors(bmc, sensor, raw.reading).await?
        }
        _ => Some(sensor.factors),
    };
    Ok(interpret(sensor, thresholds, raw, factors))
}

async fn read_factors(bmc: &Ipmi, sensor: &Sensor, raw: u8) -> Result<Option<Factors>> {
    let data = [sensor.number, raw];
    let answer = ask(bmc, sensor, "get sensor reading factors", 0x23, &data).await?;
    // The first byte is the next reading for which they differ.
    let bytes = answer.as_deref().and_then(|data| data.get(1..7)?.first_chunk::<6>());
    Ok(bytes.map(Factors::decode))
}

/// The answer to Get Sensor Reading, where there is a reading now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawReading {
    pub reading: u8,
    /// Which thresholds are passed, or which states hold; `None` where the BMC leaves it out.
    pub states: Option<u16>,
}

impl RawReading {
    pub fn decode(data: &[u8]) -> Option<Self> {
        const UNAVAILABLE: u8 = 0x20;
        const SCANNING: u8 = 0x40;
        let [reading, flags, states @ ..] = data else { return None };
        if flags & UNAVAILABLE != 0 || flags & SCANNING == 0 {
            return None;
        }
        let states = match *states {
            [] => None,
            [low] => Some(u16::from(low)),
            [low, high, ..] => Some(u16::from_le_bytes([low, high & 0x7f])),
        };
        Some(Self { reading: *reading, states })
    }
}

/// What a raw reading means. Pure.
pub fn interpret(
    sensor: &Sensor,
    thresholds: &RawThresholds,
    raw: Option<RawReading>,
    factors: Option<Factors>,
) -> SensorReading {
    let value = raw.zip(factors).and_then(|(raw, factors)| sensor.value(raw.reading, &factors));
    let limits = limits(sensor, thresholds, factors);
    let states = raw.and_then(|raw| raw.states);
    let state = match states {
        None if raw.is_none() => SensorState::Unknown,
        Some(states) if sensor.has_thresholds() => passed(states),
        None if sensor.has_thresholds() => {
            value.map_or(SensorState::Unknown, |v| beyond(v, &limits))
        }
        None => SensorState::Unknown,
        Some(states) => tables::severity(sensor.kind, sensor.reading_type, states),
    };
    let asserted = match states {
        Some(states) if !sensor.has_thresholds() => {
            (0u8..15).filter(|bit| states >> bit & 1 == 1).collect()
        }
        _ => Vec::new(),
    };
    SensorReading {
        record_id: sensor.record_id,
        number: sensor.number,
        name: sensor.name.clone(),
        kind: tables::sensor_kind(sensor.kind).to_owned(),
        unit: sensor.unit.clone(),
        value,
        state,
        thresholds: limits,
        asserted,
    }
}

fn limits(sensor: &Sensor, raw: &RawThresholds, factors: Option<Factors>) -> Thresholds {
    let at = |bit: usize| {
        let present = raw.mask >> bit & 1 == 1;
        factors.filter(|_| present).and_then(|factors| sensor.value(raw.raw[bit], &factors))
    };
    Thresholds {
        lower_non_critical: at(0),
        lower_critical: at(1),
        lower_non_recoverable: at(2),
        upper_non_critical: at(3),
        upper_critical: at(4),
        upper_non_recoverable: at(5),
    }
}

/// The worst of the thresholds that the BMC says are passed (§35.14).
fn passed(states: u16) -> SensorState {
    if states & 0b10_0100 != 0 {
        SensorState::NonRecoverable
    } else if states & 0b01_0010 != 0 {
        SensorState::Critical
    } else if states & 0b00_1001 != 0 {
        SensorState::Warning
    } else {
        SensorState::Nominal
    }
}

/// The same from the value, for a BMC that leaves it out.
fn beyond(value: f64, limits: &Thresholds) -> SensorState {
    let past = |lower: Option<f64>, upper: Option<f64>| {
        lower.is_some_and(|limit| value <= limit) || upper.is_some_and(|limit| value >= limit)
    };
    if past(limits.lower_non_recoverable, limits.upper_non_recoverable) {
        SensorState::NonRecoverable
    } else if past(limits.lower_critical, limits.upper_critical) {
        SensorState::Critical
    } else if past(limits.lower_non_critical, limits.upper_non_critical) {
        SensorState::Warning
    } else {
        SensorState::Nominal
    }
}

#[cfg(test)]
mod tests;
