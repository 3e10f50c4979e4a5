//! The client over a network that loses, doubles and reorders.

mod proxy;
mod sim;

use bmc::{
    Bmc, Credentials, PowerAction, PowerState,
    ipmi::{Ipmi, Options, Timing},
};
use proxy::{Proxy, Weather};
use sim::{PASSWORD, Sim, USER};

const COMMANDS: usize = 200;

async fn two_hundred_commands(seed: u64) {
    let sim = Sim::start().await;
    let weather = Weather { seed, lost_pct: 10, doubled_pct: 10, held_pct: 10 };
    let proxy = Proxy::start(sim.address, weather).await;
    let timing = Timing { first_wait_ms: 40, longest_wait_ms: 300, tries: 8, ..Timing::default() };
    let bmc = Ipmi::new(
        &proxy.address.to_string(),
        Credentials::new(USER, PASSWORD),
        Options { timing, ..Options::default() },
    )
    .unwrap();
    let mut on = false;
    for command in 0..COMMANDS {
        let what = format!("seed {seed}, command {command}");
        match command % 4 {
            0 => {
                on = !on;
                let action = if on { PowerAction::On } else { PowerAction::Off };
                bmc.set_power(action).await.expect(&what);
            }
            2 => assert_eq!(bmc.device().await.expect(&what).product_id, 0xf02, "{what}"),
            _ => {
                let want = if on { PowerState::On } else { PowerState::Off };
                assert_eq!(bmc.power().await.expect(&what), want, "{what}");
                assert_eq!(sim.server_is_on(), on, "{what}");
            }
        }
    }
    let sensors = bmc.sensors().await.unwrap();
    assert_eq!(sensors.len(), 7, "the whole repository, seed {seed}");
    assert_eq!(sensors[6].name, "PSU2");
}

#[tokio::test]
async fn every_answer_is_right_in_bad_weather() {
    for seed in [1, 20_261_121] {
        two_hundred_commands(seed).await;
    }
}
