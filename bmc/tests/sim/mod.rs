//! A real `ipmi_sim` (Debian's `openipmi`) on a free port of loopback, with its state in a
//! directory of its own, ended when dropped.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

pub const USER: &str = "admin";
pub const PASSWORD: &str = "secret";

/// Raw bytes at the start: 24 °C, 40 °C, 6000 RPM, 11.97 V, 200 W.
const ANALOG: [(&str, u8); 5] =
    [("inlet", 24), ("cpu", 40), ("fan", 100), ("p12v", 190), ("power_draw", 45)];

pub struct Sim {
    pub address: SocketAddr,
    dir: tempfile::TempDir,
    child: Child,
}

impl Sim {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, raw) in ANALOG {
            write_whole(&dir.path().join(name), &raw.to_string());
        }
        write_whole(&dir.path().join("power"), "0");
        fs::create_dir(dir.path().join("state")).expect("a directory");
        let script = dir.path().join("chassis.sh");
        fs::write(&script, include_str!("chassis.sh")).expect("the script");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("the script");
        let address = free_address();
        let fill = |text: &str| {
            text.replace("{DIR}", dir.path().to_str().expect("a plain path"))
                .replace("{PORT}", &address.port().to_string())
        };
        fs::write(dir.path().join("lan.conf"), fill(include_str!("lan.conf"))).expect("lan.conf");
        fs::write(dir.path().join("bmc.emu"), fill(include_str!("bmc.emu"))).expect("bmc.emu");
        let child = spawn(dir.path());
        let sim = Self { address, dir, child };
        sim.ready().await;
        sim
    }

    /// It has its port. (It binds only after its whole configuration was good.)
    async fn ready(&self) {
        eventually("ipmi_sim has its port (a bad line in bmc.emu keeps it from it)", || {
            // Asked of the kernel: a look by a bind could be what keeps it from it.
            let bound = fs::read_to_string("/proc/net/udp").expect("Linux says who listens");
            bound.contains(&format!(":{:04X} ", self.address.port()))
        })
        .await;
    }

    /// As after a power failure of the BMC: no session survives.
    pub async fn restart(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
        self.child = spawn(self.dir.path());
        self.ready().await;
    }

    pub fn set_raw(&self, sensor: &str, raw: u8) {
        write_whole(&self.dir.path().join(sensor), &raw.to_string());
    }

    /// What the BMC has told its server so far: `power 1`, `reset 1`, …
    pub fn orders(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("orders")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub fn server_is_on(&self) -> bool {
        fs::read_to_string(self.dir.path().join("power")).expect("the file").trim() == "1"
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path) -> Child {
    let log = fs::File::create(dir.join("sim.log")).expect("a log");
    Command::new("ipmi_sim")
        .args(["-n", "-c", "lan.conf", "-f", "bmc.emu", "-s", "state"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn()
        .expect("ipmi_sim is installed (package openipmi)")
}

/// A reader sees the old or the new, never nothing.
fn write_whole(path: &Path, text: &str) {
    let aside = path.with_extension("new");
    fs::write(&aside, text).expect("a file");
    fs::rename(&aside, path).expect("a file");
}

pub fn free_address() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port")
}

const EVENTUALLY_S: u64 = 15;
const LOOK_AGAIN_MS: u64 = 10;

/// Waits until `done`, looking again every few milliseconds.
pub async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let wait = async {
        let mut again = tokio::time::interval(Duration::from_millis(LOOK_AGAIN_MS));
        while !done() {
            again.tick().await;
        }
    };
    let limit = Duration::from_secs(EVENTUALLY_S);
    assert!(tokio::time::timeout(limit, wait).await.is_ok(), "never: {what}");
}
