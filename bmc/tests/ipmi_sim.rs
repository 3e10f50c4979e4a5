//! The client against a real simulator of a BMC.

mod proxy;
mod sim;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bmc::{
    Bmc, BmcError, Credentials, PowerAction, PowerState, ProbeReport, SensorReading, SensorState,
    ipmi::{Ipmi, Options, Privilege, Timing},
    probe,
};
use sim::{PASSWORD, Sim, USER, eventually, free_address};

fn client_as(sim: &Sim, user: &str, password: &str, options: Options) -> Ipmi {
    Ipmi::new(&sim.address.to_string(), Credentials::new(user, password), options).unwrap()
}

fn client(sim: &Sim) -> Ipmi {
    client_as(sim, USER, PASSWORD, Options::default())
}

async fn sensor(bmc: &Ipmi, name: &str) -> SensorReading {
    let sensors = bmc.sensors().await.unwrap();
    sensors.into_iter().find(|sensor| sensor.name == name).expect("the sensor is there")
}

#[tokio::test]
async fn a_server_is_switched_on_and_off() {
    let sim = Sim::start().await;
    let bmc = client(&sim);
    assert_eq!(bmc.power().await.unwrap(), PowerState::Off);
    bmc.set_power(PowerAction::On).await.unwrap();
    assert_eq!(bmc.power().await.unwrap(), PowerState::On);
    assert!(sim.server_is_on());
    bmc.set_power(PowerAction::Reset).await.unwrap();
    bmc.set_power(PowerAction::Off).await.unwrap();
    assert_eq!(bmc.power().await.unwrap(), PowerState::Off);
    assert!(!sim.server_is_on());
    bmc.set_power(PowerAction::Soft).await.unwrap();
    assert_eq!(sim.orders(), ["power 1", "reset 1", "power 0", "shutdown 1"]);
    bmc.set_power(PowerAction::Cycle).await.unwrap();
    eventually("the cycle ends with power on", || sim.server_is_on()).await;
}

#[tokio::test]
async fn it_says_who_it_is_and_how_we_are_logged_in() {
    let sim = Sim::start().await;
    let bmc = client(&sim);
    let device = bmc.device().await.unwrap();
    assert_eq!((device.firmware.as_str(), device.ipmi_version.as_str()), ("9.08", "2.0"));
    assert_eq!(device.manufacturer.as_deref(), Some("MontaVista Software"));
    assert_eq!((device.manufacturer_id, device.product_id), (0x1291, 0xf02));
    let session = bmc.session().await.unwrap();
    assert_eq!((session.cipher_suite, session.privilege.as_str()), (3, "administrator"));
    assert_eq!(session.algorithms, "RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128");
}

#[tokio::test]
async fn sensors_have_names_values_units_thresholds_and_states() {
    let sim = Sim::start().await;
    let bmc = client(&sim);
    read_until(&bmc, "PSU Power", |s| s.value == Some(200.0)).await;
    read_until(&bmc, "12V", |s| s.value == Some(11.97)).await;
    let sensors = bmc.sensors().await.unwrap();
    let seen: Vec<_> = sensors
        .iter()
        .map(|s| (s.name.as_str(), s.kind.as_str(), s.value, s.unit.as_str(), s.state))
        .collect();
    let ok = SensorState::Nominal;
    assert_eq!(
        seen,
        [
            ("Inlet Temp", "Temperature", Some(24.0), "C", ok),
            ("CPU1 Temp", "Temperature", Some(40.0), "C", ok),
            ("FAN1", "Fan", Some(6000.0), "RPM", ok),
            ("12V", "Voltage", Some(11.97), "V", ok),
            ("PSU Power", "Other Units Based Sensor", Some(200.0), "W", ok),
            ("PSU1", "Power Supply", None, "", ok),
            ("PSU2", "Power Supply", None, "", ok),
        ]
    );
    let inlet = sensors[0].thresholds;
    assert_eq!(
        [inlet.upper_non_critical, inlet.upper_critical, inlet.upper_non_recoverable],
        [Some(80.0), Some(90.0), Some(95.0)]
    );
    assert_eq!(inlet.lower_critical, None);
    assert_eq!(sensors[2].thresholds.lower_critical, Some(600.0));
    assert_eq!(sensors[3].thresholds.lower_non_critical, Some(11.34));
    assert_eq!(sensors[5].asserted, [0], "present");
}

/// Reads until `done`; the simulator looks at its files every 50 ms.
async fn read_until(bmc: &Ipmi, name: &str, done: impl Fn(&SensorReading) -> bool) {
    let wait = async { while !done(&sensor(bmc, name).await) {} };
    assert!(tokio::time::timeout(Duration::from_secs(15), wait).await.is_ok(), "never: {name}");
}

#[tokio::test]
async fn a_hot_sensor_changes_its_state() {
    let sim = Sim::start().await;
    let bmc = client(&sim);
    read_until(&bmc, "Inlet Temp", |s| s.state == SensorState::Nominal).await;
    for (raw, state) in [
        (85, SensorState::Warning),
        (92, SensorState::Critical),
        (99, SensorState::NonRecoverable),
        (20, SensorState::Nominal),
    ] {
        sim.set_raw("inlet", raw);
        read_until(&bmc, "Inlet Temp", |s| s.value == Some(f64::from(raw)) && s.state == state)
            .await;
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_said_plainly() {
    let sim = Sim::start().await;
    let error = client_as(&sim, USER, "wrong", Options::default()).power().await.unwrap_err();
    assert!(matches!(error, BmcError::WrongPassword { .. }), "{error:?}");
    assert_eq!(error.to_string(), "wrong password for the BMC's user 'admin'");
    let error = client_as(&sim, "nobody", PASSWORD, Options::default()).power().await.unwrap_err();
    assert!(matches!(error, BmcError::UnknownUser { .. }), "{error:?}");
    assert_eq!(client(&sim).power().await.unwrap(), PowerState::Off, "the right one still works");
}

#[tokio::test]
async fn a_session_of_low_privilege_reads_but_does_not_switch() {
    let sim = Sim::start().await;
    let options = Options { privilege: Privilege::User, ..Options::default() };
    let watcher = client_as(&sim, USER, PASSWORD, options);
    assert_eq!(watcher.power().await.unwrap(), PowerState::Off);
    let error = watcher.set_power(PowerAction::On).await.unwrap_err();
    assert!(matches!(error, BmcError::Completion { code: 0xd4, .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "chassis control: the BMC answered 0xd4 (insufficient privilege level)"
    );
    assert_eq!(error.remedy(), "raise the user's privilege in the BMC's settings");
    assert!(!sim.server_is_on());
}

#[tokio::test]
async fn an_address_where_nobody_answers_is_an_error_within_the_bound() {
    let timing = Timing { first_wait_ms: 50, longest_wait_ms: 200, tries: 4, ..Timing::default() };
    let options = Options { timing, ..Options::default() };
    // Bound, but deaf; and closed.
    let deaf = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for address in [deaf.local_addr().unwrap(), free_address()] {
        let who = Credentials::new(USER, PASSWORD);
        let bmc = Ipmi::new(&address.to_string(), who, options).unwrap();
        let started = Instant::now();
        let error = bmc.power().await.unwrap_err();
        assert!(matches!(error, BmcError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        assert!(!error.remedy().is_empty());
        let bound = Duration::from_millis(timing.step_ms_max() + 1000);
        assert!(started.elapsed() < bound, "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_session_that_the_bmc_lost_is_opened_again() {
    let mut sim = Sim::start().await;
    let timing = Timing { first_wait_ms: 50, longest_wait_ms: 200, tries: 4, ..Timing::default() };
    let bmc = client_as(&sim, USER, PASSWORD, Options { timing, ..Options::default() });
    assert_eq!(bmc.power().await.unwrap(), PowerState::Off);
    sim.restart().await;
    assert_eq!(bmc.power().await.unwrap(), PowerState::Off);
    sim.restart().await;
    // One that must not be repeated, too.
    bmc.set_power(PowerAction::Reset).await.unwrap();
    assert_eq!(sim.orders(), ["reset 1"]);
}

#[tokio::test]
async fn an_idle_session_is_opened_again_before_it_is_used() {
    let sim = Sim::start().await;
    let timing = Timing { session_idle_ms: 0, ..Timing::default() };
    let bmc = client_as(&sim, USER, PASSWORD, Options { timing, ..Options::default() });
    for _ in 0..10 {
        assert_eq!(bmc.power().await.unwrap(), PowerState::Off);
    }
}

/// The simulator has 63 sessions: were they not closed, it would run out of them.
#[tokio::test]
async fn sessions_are_closed_on_close_and_on_drop() {
    let sim = Sim::start().await;
    for round in 0..70 {
        let bmc = client(&sim);
        assert_eq!(bmc.power().await.unwrap(), PowerState::Off, "round {round}");
        bmc.close().await;
        assert_eq!(bmc.power().await.unwrap(), PowerState::Off, "round {round}, reopened");
        drop(bmc);
    }
}

#[tokio::test]
async fn a_probe_finds_cipher_suite_0() {
    let sim = Sim::start().await;
    let report = look(sim.address, PASSWORD).await.unwrap();
    assert_eq!(report.session.cipher_suite, 3, "found, but never used");
    assert_eq!(report.sensors.len(), 7);
    assert_eq!(codes(&report), ["cipher_suite_0", "no_authentication"], "{:?}", report.findings);
    // Suite 0 does not hide that the password is wrong.
    let error = look(sim.address, "wrong").await.unwrap_err();
    assert!(matches!(error, BmcError::WrongPassword { .. }), "{error:?}");
}

async fn look(address: SocketAddr, password: &str) -> bmc::Result<ProbeReport> {
    probe(&address.to_string(), Credentials::new(USER, password), Options::default()).await
}

fn codes(report: &ProbeReport) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// The simulator can't switch single suites off, so the refusals are put in on the way.
#[tokio::test]
async fn a_refused_suite_is_said_and_no_other_is_used() {
    let sim = Sim::start().await;
    let proxy = proxy::refusing(sim.address, [0, 0, 0]).await;
    let report = look(proxy.address, PASSWORD).await.unwrap();
    assert_eq!(codes(&report), ["no_authentication"]);

    let proxy = proxy::refusing(sim.address, [1, 1, 1]).await;
    let error = look(proxy.address, PASSWORD).await.unwrap_err();
    assert!(matches!(error, BmcError::SuiteRefused { suite: 3, .. }), "{error:?}");
}
