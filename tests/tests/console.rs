//! A real guest's serial port and screen, live, through the agent on its host and the server: typed
//! to, looked at, taken over, and ended with the guest.

use std::{
    io::{Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use lab::{
    api::Api,
    opshawk::client,
    story::{LIMIT, Story, World},
    wait,
};
use reqwest::Method;
use serde_json::json;
use tokio::{net::TcpStream, time::Instant};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};

const FIRST_TOPUP: &str = "100";
const PROMPT: &str = "guest# ";

/// A console, as a browser has it.
struct Console {
    socket: WebSocketStream<TcpStream>,
    /// What came and was not asked for yet.
    text: Vec<u8>,
}

/// The code and the reason that it was closed with.
type Closed = (u16, String);

impl Console {
    async fn open(story: &Story, api: &Api, kind: &str) -> Result<Self> {
        let server = story.world.server.address();
        let url = format!("ws://{server}/v1/instances/{}/console/{kind}", story.instance);
        let mut request = url.into_client_request()?;
        let token = format!("Bearer {}", api.token().context("a token")?);
        request.headers_mut().insert("authorization", token.parse()?);
        request.headers_mut().insert("sec-websocket-protocol", "binary".parse()?);
        let stream = TcpStream::connect(&server).await?;
        let (socket, answer) = client_async(request, stream).await?;
        let protocol = answer.headers().get("sec-websocket-protocol");
        ensure!(protocol.is_some_and(|value| value == "binary"), "{answer:?}");
        Ok(Self { socket, text: Vec::new() })
    }

    async fn type_on(&mut self, keys: impl Into<Vec<u8>>) -> Result<()> {
        Ok(self.socket.send(Message::Binary(keys.into().into())).await?)
    }

    /// One message's bytes, or how it was closed.
    async fn more(&mut self) -> Result<Option<Closed>> {
        // Pings come for ever, and are nothing.
        let deadline = Instant::now() + LIMIT;
        loop {
            let message = tokio::time::timeout_at(deadline, self.socket.next()).await;
            let message = message.with_context(|| {
                format!("nothing comes after {}", String::from_utf8_lossy(&self.text))
            })?;
            match message.context("it broke")?? {
                Message::Binary(bytes) => self.text.extend_from_slice(&bytes),
                Message::Close(frame) => {
                    let frame = frame.context("a close without a code")?;
                    return Ok(Some((frame.code.into(), frame.reason.to_string())));
                }
                Message::Ping(_) | Message::Pong(_) => continue,
                other => bail!("not binary: {other:?}"),
            }
            return Ok(None);
        }
    }

    /// Reads until the words have come, and takes what came up to them.
    async fn shows(&mut self, words: &str) -> Result<()> {
        loop {
            let found = self.text.windows(words.len()).position(|part| part == words.as_bytes());
            if let Some(at) = found {
                self.text.drain(..at + words.len());
                return Ok(());
            }
            if let Some(closed) = self.more().await? {
                bail!("'{words}' never came: {closed:?}, {}", String::from_utf8_lossy(&self.text));
            }
        }
    }

    /// So many bytes.
    async fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        while self.text.len() < count {
            if let Some(closed) = self.more().await? {
                bail!("not {count} bytes, but {:?} and {closed:?}", self.text);
            }
        }
        Ok(self.text.drain(..count).collect())
    }

    async fn closed(&mut self) -> Result<Closed> {
        loop {
            if let Some(closed) = self.more().await? {
                return Ok(closed);
            }
        }
    }
}

#[tokio::test]
async fn a_guest_is_typed_to_and_looked_at_through_agent_and_server() -> Result<()> {
    let world = World::start_with(|_| ()).await?;
    let mut story = Story::of(world)?;
    story.first_topup = FIRST_TOPUP;
    for act in 1..=3 {
        story.act(act).await?;
    }
    let played = play(&mut story).await;
    if played.is_err() {
        eprintln!("the server's log:\n{}", story.world.server.log_tail());
    }
    played
}

async fn play(story: &mut Story) -> Result<()> {
    only_as_a_websocket(story).await?;
    let mut serial = Console::open(story, &story.member, "serial").await?;
    serial.type_on("\n").await?;
    serial.shows(PROMPT).await?;
    serial.type_on("echo $((6 * 7))\n").await?;
    serial.shows("\r\n42\r\n").await?;

    // A second one takes the port over, and the first one is told.
    let mut second = Console::open(story, &story.operator, "serial").await?;
    second.type_on("echo $((7 * 8))\n").await?;
    second.shows("\r\n56\r\n").await?;
    let (code, reason) = serial.closed().await?;
    ensure!(code == 4001 && reason.contains("took the serial port over"), "{code} {reason}");

    // Two at once, as a page that is drawn twice opens them: one has the port, the other is told.
    let (one, two) = tokio::join!(
        Console::open(story, &story.member, "serial"),
        Console::open(story, &story.member, "serial"),
    );
    let (mut one, mut two) = (one?, two?);
    let (closed, mut has) = tokio::select! {
        closed = one.closed() => (closed?, two),
        closed = two.closed() => (closed?, one),
    };
    ensure!(closed.0 == 4001, "{closed:?}");
    has.type_on("echo $((12 * 13))\n").await?;
    has.shows("\r\n156\r\n").await?;
    ensure!(second.closed().await?.0 == 4001);
    let mut second = has;

    look(story).await?;
    // What the guest prints faster than anybody reads arrives, to its end.
    second.type_on("seq 1 20000; echo $((8 * 9))\n").await?;
    second.shows("\r\n20000\r\n72\r\n").await?;

    // The server goes and comes; the guest's shell is where it was.
    // (What it answers shows that it has taken the line: a prompt may be that of the line before.)
    second.type_on("word=$((9 * 10)); echo word=$word\n").await?;
    second.shows("\r\nword=90\r\n").await?;
    ensure!(story.world.server.stop().await?.success());
    let (code, reason) = second.closed().await?;
    ensure!(code == 1012 || code == 1013, "{code} {reason}");
    story.world.server.start_again().await?;
    let mut again = Console::open(story, &story.member, "serial").await?;
    again.type_on("echo word=$word\n").await?;
    again.shows("\r\nword=90\r\n").await?;

    in_a_pipe(story, &mut again).await?;
    at_a_terminal(story).await?;
    ends_with_the_guest(story).await?;
    is_another_machine_when_it_comes_back(story).await
}

/// What a plain request gets says whether a console could be opened.
async fn only_as_a_websocket(story: &Story) -> Result<()> {
    let path = format!("/v1/instances/{}/console/serial", story.instance);
    let answer = story.member.ask(Method::GET, &path, None).await?;
    ensure!(answer.status == 426, "{answer:?}");
    ensure!(answer.json()["type"] == "urn:opshawk:problem:upgrade-required", "{answer:?}");
    Ok(())
}

/// The RFB handshake (RFC 6143, section 7), up to the screen's size.
async fn look(story: &Story) -> Result<()> {
    let mut screen = Console::open(story, &story.member, "screen").await?;
    ensure!(screen.bytes(12).await? == b"RFB 003.008\n");
    // Over no port of the host: what listens there is the guests' network's own.
    let mut listening = story.world.host.inside("ss");
    let listening =
        listening.args(["--no-header", "--numeric", "--listening", "--tcp"]).output()?;
    let listening = String::from_utf8(listening.stdout)?;
    let ports = listening.lines().filter_map(|line| line.split_whitespace().nth(3));
    let dns = ports.clone().filter(|address| address.ends_with(":53")).count();
    ensure!(dns > 0 && dns == ports.count(), "{listening}");
    screen.type_on(*b"RFB 003.008\n").await?;
    let count = screen.bytes(1).await?[0];
    let kinds = screen.bytes(count.into()).await?;
    ensure!(kinds.contains(&1), "no password is not among the ways in: {kinds:?}");
    screen.type_on([1]).await?;
    ensure!(screen.bytes(4).await? == [0; 4], "it is refused");
    // Shared, so that two may look.
    screen.type_on([1]).await?;
    let start = screen.bytes(24).await?;
    let size = |at: usize| u16::from_be_bytes([start[at], start[at + 1]]);
    ensure!(size(0) >= 320 && size(2) >= 200, "{start:?}");
    story.say(format!("the screen has {} × {} pixels", size(0), size(2)));
    // Another may look meanwhile, and who leaves disturbs nobody.
    let mut other = Console::open(story, &story.operator, "screen").await?;
    ensure!(other.bytes(12).await? == b"RFB 003.008\n");
    other.socket.close(None).await?;
    screen.type_on([3, 0, 0, 0, 0, 0, 0, 1, 0, 1]).await?;
    let length = start[20..24].iter().fold(0, |sum, byte| sum * 256 + usize::from(*byte));
    screen.bytes(length).await?;
    ensure!(screen.bytes(4).await?[..2] == [0, 0], "not the pixel that was asked for");
    Ok(())
}

/// A child with pipes, read as it goes.
struct Piped {
    child: Child,
    printed: Vec<u8>,
}

impl Piped {
    fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Self { child: command.spawn()?, printed: Vec::new() })
    }

    fn type_on(&mut self, keys: &[u8]) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("it has one")?;
        stdin.write_all(keys)?;
        Ok(stdin.flush()?)
    }

    /// Reads until the words have come.
    async fn shows(&mut self, words: &str) -> Result<()> {
        loop {
            let text = String::from_utf8_lossy(&self.printed).into_owned();
            if text.contains(words) {
                return Ok(());
            }
            let mut stdout = self.child.stdout.take().context("it has one")?;
            // Away from what the lab's own servers run on, for they are asked meanwhile.
            let read = tokio::task::spawn_blocking(move || -> Result<_> {
                let mut buffer = [0; 4096];
                let count = stdout.read(&mut buffer)?;
                Ok((stdout, buffer[..count].to_vec()))
            });
            let (stdout, bytes) = tokio::time::timeout(LIMIT, read)
                .await
                .with_context(|| format!("'{words}' never came: {text}"))???;
            ensure!(!bytes.is_empty(), "it ended before '{words}': {text}");
            self.child.stdout = Some(stdout);
            self.printed.extend(bytes);
        }
    }

    async fn ends(&mut self) -> Result<ExitStatus> {
        wait::until("its end", LIMIT, || {
            let ended = self.child.try_wait().map(|ended| ended.is_some());
            async move { Ok(ended?) }
        })
        .await?;
        Ok(self.child.wait()?)
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `echo … | opshawk instance console`: what is piped is typed, and the answer is printed.
async fn in_a_pipe(story: &Story, before: &mut Console) -> Result<()> {
    let mut command = client(&story.member)?;
    command.args(["instance", "console", "web-1"]);
    let mut piped = Piped::start(command)?;
    piped.type_on(b"echo $((10 * 11))\n")?;
    // The end of what is typed is not the end of what is printed.
    drop(piped.child.stdin.take());
    piped.shows("\r\n110\r\n").await?;
    ensure!(before.closed().await?.0 == 4001, "the command line takes the port over as well");
    let pid = nix::unistd::Pid::from_raw(piped.child.id().try_into()?);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
    let ended = piped.ends().await?;
    ensure!(ended.success(), "after SIGTERM: {ended}");
    Ok(())
}

/// At a terminal, which `script` provides: every key goes to the guest but Ctrl-].
async fn at_a_terminal(story: &Story) -> Result<()> {
    let opshawk = client(&story.member)?;
    let mut command = Command::new("script");
    let typed = format!("{} instance console web-1", opshawk.get_program().display());
    command.args(["--quiet", "--return", "--command", &typed, "/dev/null"]);
    for (name, value) in opshawk.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut terminal = Piped::start(command)?;
    terminal.shows("Ctrl-] leaves").await?;
    // Ctrl-C stops the guest's command and not the console. Once the command prints, it is the one
    // that Ctrl-C is for.
    terminal.type_on(b"sh -c 'echo up $((6 * 6)); exec sleep 1000'\r")?;
    terminal.shows("up 36").await?;
    terminal.type_on(b"\x03")?;
    terminal.shows("^C").await?;
    terminal.type_on(b"echo $((11 * 12))\r")?;
    terminal.shows("132").await?;
    terminal.type_on(b"\x1d")?;
    let ended = terminal.ends().await?;
    ensure!(ended.success(), "after Ctrl-]: {ended}");
    Ok(())
}

async fn ends_with_the_guest(story: &Story) -> Result<()> {
    let mut serial = Console::open(story, &story.member, "serial").await?;
    serial.type_on("\n").await?;
    serial.shows(PROMPT).await?;
    let mut screen = Console::open(story, &story.member, "screen").await?;
    screen.bytes(12).await?;
    let stopped = story.json(&story.member, &["instance", "stop", "web-1"]).await?;
    ensure!(stopped["state"] == "succeeded", "{stopped}");
    for console in [&mut serial, &mut screen] {
        let (code, reason) = console.closed().await?;
        ensure!(code == 1000 && reason == "the guest has stopped", "{code} {reason}");
    }
    let refused = Console::open(story, &story.member, "serial").await.map(drop);
    let refused = refused.err().context("a stopped guest has a console")?;
    match refused.downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Http(answer)) => ensure!(answer.status() == 409, "{answer:?}"),
        _ => bail!("{refused:#}"),
    }
    let mut command = client(&story.member)?;
    command.args(["instance", "console", "web-1"]);
    let mut refused = Piped::start(command)?;
    let ended = refused.ends().await?;
    ensure!(ended.code() == Some(5), "a conflict, but {ended}");

    let audit = story.operator.list("/v1/audit").await?;
    let opened = audit.iter().filter(|entry| entry["action"] == "instance.console");
    let kinds: Vec<_> =
        opened.map(|entry| entry["detail"]["kind"].as_str().unwrap_or("?")).collect();
    let count = |kind: &str| kinds.iter().filter(|other| **other == kind).count();
    ensure!((count("serial"), count("screen")) == (8, 3), "{kinds:?}");
    Ok(())
}

/// Resized while it was stopped: the guest itself says what it has.
async fn is_another_machine_when_it_comes_back(story: &Story) -> Result<()> {
    let memory = story.member.get(&format!("/v1/instances/{}", story.instance)).await?;
    let memory = memory["memory_mib"].to_string();
    let wide = ["flavor", "create", "wide", "--vcpus", "2", "--disk-gib", "3", "--memory-mib"];
    story.json(&story.operator, &[&wide[..], &[&memory]].concat()).await?;
    let resize = ["instance", "resize", "web-1", "--flavor", "wide"];
    let resized = story.json(&story.member, &resize).await?;
    ensure!(
        (&resized["kind"], &resized["state"]) == (&json!("instance.resize"), &json!("succeeded"))
    );
    story.json(&story.member, &["instance", "start", "web-1"]).await?;
    let mut serial = Console::open(story, &story.member, "serial").await?;
    // Its shell asks for a key once it is there.
    serial.type_on("\n").await?;
    serial.shows(PROMPT).await?;
    serial.type_on("echo has=$(nproc),$(($(cat /sys/block/vda/size) / 2097152))\n").await?;
    serial.shows("\r\nhas=2,3\r\n").await
}
