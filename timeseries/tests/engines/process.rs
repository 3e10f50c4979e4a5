//! A metrics engine of Debian's, private to the test.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const READY_WITHIN: Duration = Duration::from_secs(60);
const POLL_EVERY: Duration = Duration::from_millis(50);

#[derive(Clone, Copy)]
pub enum Product {
    Prometheus,
    VictoriaMetrics,
}

pub struct Process {
    child: Child,
    product: Product,
    port: u16,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    pub fn start(product: Product, dir: &Path) -> Self {
        Self::start_with(product, dir, "global: {}\n")
    }

    /// With a configuration file, which only Prometheus reads.
    pub fn start_with(product: Product, dir: &Path, config: &str) -> Self {
        // Freed at once; the engine takes it a moment later.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        let child = command(product, dir, port, config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Debian's packages prometheus and victoria-metrics; `make test` installs them");
        let process = Self { child, product, port };
        let ready = match product {
            Product::Prometheus => "/-/ready",
            Product::VictoriaMetrics => "/health",
        };
        let deadline = Instant::now() + READY_WITHIN;
        while process.get(ready) != Some(200) {
            assert!(Instant::now() < deadline, "the engine is not ready in time");
            std::thread::park_timeout(POLL_EVERY);
        }
        process
    }

    /// As OpsHawk's configuration names it.
    pub fn address(&self) -> String {
        let product = match self.product {
            Product::Prometheus => "prometheus",
            Product::VictoriaMetrics => "victoriametrics",
        };
        format!("{product}+http://127.0.0.1:{}", self.port)
    }

    /// VictoriaMetrics shows a sample about a second after it took it; this shortens that.
    pub fn flush(&self) {
        assert_eq!(self.get("/internal/force_flush"), Some(200));
    }

    /// The status.
    fn get(&self, path: &str) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split(' ').nth(1)?.parse().ok()
    }
}

fn command(product: Product, dir: &Path, port: u16, text: &str) -> Command {
    let data = dir.join("engine");
    match product {
        Product::Prometheus => {
            let config = dir.join("prometheus.yml");
            std::fs::write(&config, text).expect("a configuration file");
            let mut command = Command::new("prometheus");
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", data.display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--storage.tsdb.retention.time=100y")
                .arg("--web.enable-remote-write-receiver");
            command
        }
        Product::VictoriaMetrics => {
            let mut command = Command::new("victoria-metrics");
            command
                .arg(format!("-storageDataPath={}", data.display()))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg("-retentionPeriod=100y")
                .arg("-memory.allowedBytes=128MiB");
            command
        }
    }
}
