use std::sync::atomic::{AtomicBool, Ordering};

use base::{sample::is_stale, time::ManualClock};
use bmc::{PowerAction, SessionInfo, Thresholds};
use tokio::sync::watch;

use super::*;
use crate::{
    runner::{Collector, Settings},
    schedule::Schedule,
    testing::{Kept, NOW, find},
};

/// A BMC with fixed answers.
#[derive(Debug, Default)]
struct Fixed {
    unreachable: AtomicBool,
}

fn reading(
    record_id: u16,
    name: &str,
    kind: &str,
    unit: &str,
    value: Option<f64>,
) -> SensorReading {
    SensorReading {
        record_id,
        number: 1,
        name: name.into(),
        kind: kind.into(),
        unit: unit.into(),
        value,
        state: SensorState::Nominal,
        thresholds: Thresholds::default(),
        asserted: Vec::new(),
    }
}

impl Fixed {
    fn or<T>(&self, answer: T) -> bmc::Result<T> {
        if self.unreachable.load(Ordering::Relaxed) {
            let address = "192.0.2.1:623".into();
            return Err(BmcError::Unreachable { address, waited_ms: 5000, detail: "" });
        }
        Ok(answer)
    }
}

#[async_trait]
impl Bmc for Fixed {
    async fn device(&self) -> bmc::Result<DeviceInfo> {
        self.or(DeviceInfo {
            device_id: 32,
            device_revision: 1,
            firmware: "1.66".into(),
            ipmi_version: "2.0".into(),
            manufacturer_id: 674,
            manufacturer: Some("Dell".into()),
            product_id: 256,
        })
    }
    async fn power(&self) -> bmc::Result<PowerState> {
        self.or(PowerState::On)
    }
    async fn set_power(&self, _: PowerAction) -> bmc::Result<()> {
        self.or(())
    }
    async fn sensors(&self) -> bmc::Result<Vec<SensorReading>> {
        let mut hot = reading(2, "CPU", "Temperature", "C", Some(97.0));
        hot.state = SensorState::NonRecoverable;
        let mut absent = reading(3, "FAN2", "Fan", "RPM", None);
        absent.state = SensorState::Unknown;
        self.or(vec![
            reading(1, "Inlet", "Temperature", "C", Some(24.0)),
            hot,
            absent,
            reading(4, "Duty", "Fan", "%", Some(22.0)),
            reading(5, "PSU", "Other Units Based Sensor", "W", Some(200.0)),
            reading(6, "PS1 Status", "Power Supply", "", None),
        ])
    }
    async fn session(&self) -> bmc::Result<SessionInfo> {
        unreachable!("no source asks for it")
    }
    async fn close(&self) {}
}

fn target(server: &str, bmc: Arc<Fixed>) -> BmcTarget {
    BmcTarget { server_id: ServerId::new(), server: server.into(), bmc }
}

#[tokio::test]
async fn a_server_under_ipmi_exporters_names() {
    let source = ServerSource::new(target("rack-7", Arc::default()));
    let series = source.collect(NOW).await.unwrap();
    let inlet = [("id", "1"), ("name", "Inlet")];
    assert_eq!(find(&series, "ipmi_temperature_celsius", &inlet), Some(24.0));
    assert_eq!(find(&series, "ipmi_temperature_state", &inlet), Some(0.0));
    assert_eq!(find(&series, "ipmi_temperature_state", &[("name", "CPU")]), Some(2.0));
    assert!(find(&series, "ipmi_fan_speed_rpm", &[("name", "FAN2")]).unwrap().is_nan());
    assert!(!is_stale(find(&series, "ipmi_fan_speed_rpm", &[("name", "FAN2")]).unwrap()));
    assert_eq!(find(&series, "ipmi_fan_speed_ratio", &[("name", "Duty")]), Some(0.22));
    assert_eq!(find(&series, "ipmi_power_watts", &[("name", "PSU")]), Some(200.0));
    let status = [("id", "6"), ("name", "PS1 Status"), ("type", "Power Supply")];
    assert!(find(&series, "ipmi_sensor_value", &status).unwrap().is_nan());
    assert_eq!(find(&series, "ipmi_sensor_state", &status), Some(0.0));
    assert_eq!(find(&series, "ipmi_chassis_power_state", &[]), Some(1.0));
    for collector in ["bmc", "chassis", "ipmi"] {
        assert_eq!(find(&series, "ipmi_up", &[("collector", collector)]), Some(1.0));
    }
    let info = [("firmware_revision", "1.66"), ("manufacturer_id", "Dell (674)")];
    assert_eq!(find(&series, "ipmi_bmc_info", &info), Some(1.0));
}

#[tokio::test]
async fn a_bmc_that_does_not_answer_is_down_and_its_power_unknown() {
    let bmc = Arc::new(Fixed { unreachable: true.into() });
    let error = ServerSource::new(target("rack-7", bmc)).collect(NOW).await.unwrap_err();
    assert_eq!(error.reason, FailureReason::Unreachable);
    for collector in ["bmc", "chassis", "ipmi"] {
        let up = find(&error.partial, "ipmi_up", &[("collector", collector)]);
        assert_eq!(up, Some(0.0), "{collector}");
    }
    assert_eq!(find(&error.partial, "ipmi_chassis_power_state", &[]), None);
}

#[tokio::test]
async fn servers_come_and_go_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let sink = Arc::new(Kept::default());
    let clock = ManualClock::at(NOW);
    let settings = Settings::new(dir.path(), "opshawk");
    let collector = Collector::start(settings, clock.shared(), sink.clone()).unwrap();
    let (sender, targets) = watch::channel(vec![target("rack-7", Arc::default())]);
    tokio::spawn(collector.clone().follow_servers(targets, Schedule::every_s(30)));
    let power = |server: &'static str| {
        move |series: &[Series]| {
            find(series, "ipmi_chassis_power_state", &[("server", server), ("instance", server)])
        }
    };
    sink.until("the first server", |s| power("rack-7")(s) == Some(1.0)).await;
    let first = sender.borrow()[0].clone();
    sender.send(vec![first.clone(), target("rack-8", Arc::default())]).unwrap();
    sink.until("the second server", |s| power("rack-8")(s) == Some(1.0)).await;
    assert_eq!(collector.sources().len(), 3, "two servers and the collector itself");
    sender.send(vec![first]).unwrap();
    sink.until("the second server's end", |series| {
        let gone = |s: &Series| {
            s.labels.get("server") == Some("rack-8")
                && s.samples.iter().any(|sample| is_stale(sample.value))
        };
        series.iter().any(gone)
    })
    .await;
    collector.stop().await;
}
