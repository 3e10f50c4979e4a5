//! A libvirt host: libvirtd, QEMU and dnsmasq in process, mount, network and UTS namespaces of
//! their own, as a machine beside this one.
//!
//! Paths that the host is given (disks, kernels, logs) mean the same inside and outside. Its
//! guests' networks exist inside only: [`LibvirtHost::inside`] runs a command there.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    dir::LabDir,
    process::{Process, run},
    wait,
};

const START_LIMIT: Duration = Duration::from_secs(60);
const PID_FILE: &str = "/run/libvirt/libvirtd.pid";

pub struct LibvirtHost {
    /// Process 1 of the namespaces; its end is theirs. First, so that it is dropped before `dir`.
    init: Process,
    init_pid: u32,
    /// Open as long as the host is to live.
    _lifeline: std::process::ChildStdin,
    dir: LabDir,
}

impl LibvirtHost {
    pub async fn start(name: &str) -> Result<Self> {
        let dir = LabDir::new("host")?;
        let uuid = run(Command::new("cat").arg("/proc/sys/kernel/random/uuid"))?;
        dir.write(
            "etc/libvirt/libvirtd.conf",
            &format!("{}host_uuid = \"{}\"\n", include_str!("host/libvirtd.conf"), uuid.trim()),
        )?;
        dir.write("etc/libvirt/qemu.conf", include_str!("host/qemu.conf"))?;
        let script = dir.write("init.sh", include_str!("host/init.sh"))?;

        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["--", "bash"])
            .arg(script)
            .arg(dir.path())
            .arg(name)
            .current_dir("/")
            .stdin(Stdio::piped());
        let mut init = Process::start_with_stdin("the host", command, &dir.join("init.log"))?;
        let lifeline = init.take_stdin().context("the host has no standard input")?;
        let prepared = dir.join("prepared");
        init.ready(START_LIMIT, || async { prepared.exists() }).await?;
        let children = format!("/proc/{0}/task/{0}/children", init.id());
        let init_pid = std::fs::read_to_string(children)?.trim().parse()?;

        let host = Self { init, init_pid, _lifeline: lifeline, dir };
        host.start_libvirtd().await?;
        Ok(host)
    }

    /// For libvirt's `virConnectOpen`, from outside.
    pub fn uri(&self) -> String {
        format!("qemu+unix:///system?socket={}", self.socket())
    }

    fn socket(&self) -> String {
        self.dir.join("run/libvirt/libvirt-sock").display().to_string()
    }

    /// A command that runs inside, as a machine in the host's network would.
    pub fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.init_pid))
            .args(["--mount", "--net", "--uts", "--pid", "--", program])
            .stdin(Stdio::null());
        command
    }

    /// `virsh` on this host.
    pub fn virsh(&self, args: &[&str]) -> Result<String> {
        run(Command::new("virsh").arg("--connect").arg(self.uri()).args(args))
    }

    /// SIGKILL to libvirtd alone; the guests run on. Returns when it is gone.
    pub async fn kill9_libvirtd(&self) -> Result<()> {
        let script = format!("kill -KILL $(cat {PID_FILE})");
        run(self.inside("sh").args(["-c", &script]))?;
        let alive = format!("kill -0 $(cat {PID_FILE}) 2>/dev/null");
        wait::until("libvirtd's end", START_LIMIT, || async {
            Ok(!self.inside("sh").args(["-c", &alive]).status()?.success())
        })
        .await
    }

    /// Starts libvirtd (again) and returns when it answers.
    pub async fn start_libvirtd(&self) -> Result<()> {
        run(self.inside("libvirtd").args(["--daemon", "--pid-file", PID_FILE]))?;
        wait::until("libvirtd", START_LIMIT, || async { Ok(self.virsh(&["version"]).is_ok()) })
            .await
    }

    /// The names of the domains that exist here, whatever their state.
    pub fn domains(&self) -> Result<Vec<String>> {
        let names = self.virsh(&["list", "--all", "--name"])?;
        Ok(names.lines().filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// The domains that run, as libvirt says.
    pub fn running(&self) -> Result<Vec<String>> {
        let names = self.virsh(&["list", "--state-running", "--name"])?;
        Ok(names.lines().filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// The QEMU processes of this host, whatever libvirt thinks of them.
    pub fn qemu_processes(&self) -> Result<usize> {
        let list =
            run(self.inside("sh").args(["-c", "ps -eo args | grep -c '[-]name guest=' || true"]))?;
        Ok(list.trim().parse()?)
    }

    /// GET over the host's own network, as a neighbour of its guests.
    pub fn http_get(&self, url: &str) -> Result<String> {
        let text = run(self.inside("curl").args(["-fsS", "--max-time", "10", url]))?;
        ensure!(!text.is_empty(), "{url} answered nothing");
        Ok(text)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("var/log/libvirt/libvirtd.log")).unwrap_or_default()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn is_alive(&mut self) -> Result<()> {
        self.init.check()
    }
}

impl Drop for LibvirtHost {
    fn drop(&mut self) {
        self.init.kill9();
        // Process 1 of the namespace is gone last, after all of its QEMUs; then nobody writes into
        // the directory any more.
        let init = format!("/proc/{}", self.init_pid);
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while Path::new(&init).exists() && std::time::Instant::now() < deadline {
            std::thread::sleep(wait::POLL_INTERVAL);
        }
    }
}
