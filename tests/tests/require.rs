//! `make demo` and `make test` where something is missing: a line for each thing, with the way out,
//! and nothing is installed, built or left.
//!
//! What differs from this machine (the distribution, what is installed, who asks) differs in a
//! mount namespace of the test's own, so that the script under test needs no door for tests.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use lab::{
    dir::{LabDir, workspace},
    process::run,
};

/// Both go through `scripts/require`, and stop there.
const TARGETS: [&str; 2] = ["demo", "test"];
/// What a checkout needs to come as far as building the console.
const FILES: [&str; 5] = [
    "Makefile",
    "Cargo.toml",
    "scripts/require",
    "dashboards/console/package.json",
    "dashboards/console/package-lock.json",
];
const COMPILERS: [&str; 5] = ["cc", "gcc", "clang", "c89", "c99"];
const NODE: [&str; 3] = ["node", "nodejs", "npm"];
const RUST: [&str; 3] = ["cargo", "rustc", "rustup"];
const NOBODY: u32 = 65_534;

/// A checkout that anybody may read and write, and the machine as it is seen from there.
struct Place {
    dir: LabDir,
    /// Read-only binds in the namespace: what, and over what.
    binds: Vec<(PathBuf, PathBuf)>,
    /// The directory that `PATH` is.
    tools: PathBuf,
    root: bool,
}

impl Place {
    /// With everything that this machine has, as root.
    fn new() -> Result<Self> {
        let dir = LabDir::new("require")?;
        for file in FILES {
            let (from, to) = (workspace().join(file), dir.join("checkout").join(file));
            fs::create_dir_all(to.parent().context("it lies in the checkout")?)?;
            fs::copy(from, to)?;
        }
        let tools = dir.join("tools");
        fs::create_dir(&tools)?;
        fs::create_dir(dir.join("tmp"))?;
        // The toolchain itself: rustup's proxies want the home of whoever installed them.
        let sysroot = run(Command::new("rustc").args(["--print", "sysroot"]))?;
        let binds = vec![(sysroot.trim().into(), dir.join("rust"))];
        fs::create_dir(dir.join("rust"))?;
        let place = Self { dir, binds, tools, root: true };
        for directory in ["/usr/sbin", "/usr/bin", "/usr/local/bin"] {
            for tool in fs::read_dir(directory)? {
                place.has(&tool?.path())?;
            }
        }
        for tool in ["cargo", "rustc"] {
            place.has(&place.dir.join("rust/bin").join(tool))?;
        }
        for path in ["", "checkout", "tmp"] {
            fs::set_permissions(place.dir.join(path), Permissions::from_mode(0o777))?;
        }
        Ok(place)
    }

    /// The tool is found by its name, in place of any other.
    fn has(&self, tool: &Path) -> Result<()> {
        let link = self.tools.join(tool.file_name().context("a tool has a name")?);
        let _ = fs::remove_file(&link);
        Ok(symlink(tool, link)?)
    }

    fn without(self, tools: &[&str]) -> Result<Self> {
        for entry in fs::read_dir(&self.tools)? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            // Debian's compilers stand there under several names.
            let is = |tool: &str| name == *tool || name.ends_with(&format!("-{tool}"));
            if tools.iter().any(|tool| is(tool)) {
                fs::remove_file(self.tools.join(name))?;
            }
        }
        Ok(self)
    }

    fn for_nobody(self) -> Self {
        Self { root: false, ..self }
    }

    /// The file has this text, for whoever looks from here.
    fn with_file(mut self, path: &str, text: &str) -> Result<Self> {
        let name = format!("bind-{}", self.binds.len());
        let file = self.dir.write(&name, text)?;
        self.binds.push((file, path.into()));
        Ok(self)
    }

    /// The tool is a script that prints this.
    fn with_tool(self, name: &str, prints: &str) -> Result<Self> {
        let file =
            self.dir.write(&format!("old/bin/{name}"), &format!("#!/bin/sh\necho {prints}\n"))?;
        fs::set_permissions(&file, Permissions::from_mode(0o755))?;
        self.has(&file)?;
        Ok(self)
    }

    fn make(&self, target: &str) -> Result<Output> {
        let mut script = String::from("set -e\n");
        for (from, to) in &self.binds {
            script += &format!("mount --bind -o ro '{}' '{}'\n", from.display(), to.display());
        }
        script += "cd \"$1\"; shift\nexec \"$@\"\n";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", "/bin/bash", "-c", &script, "bash"]);
        command.arg(self.dir.join("checkout"));
        if !self.root {
            let [user, group] = ["u", "g"].map(|id| format!("--re{id}id={NOBODY}"));
            command.args(["/usr/bin/setpriv", &user, &group, "--clear-groups", "--no-new-privs"]);
        }
        command
            .args(["/usr/bin/env", "-i", "LC_ALL=C.UTF-8"])
            .arg(format!("PATH={}", self.tools.display()))
            .args(
                ["HOME", "TMPDIR"].map(|name| format!("{name}={}", self.dir.join("tmp").display())),
            )
            .args(["/usr/bin/make", target])
            .stdin(Stdio::null())
            .process_group(0);
        Ok(command.output()?)
    }

    /// Both targets stop with these lines, one a missing thing, each with all of these words; and
    /// leave everything as it was.
    fn lacks(&self, wanted: &[&[&str]]) -> Result<()> {
        for target in TARGETS {
            let before = self.state()?;
            let output = self.make(target)?;
            let error = String::from_utf8_lossy(&output.stderr);
            ensure!(!output.status.success(), "make {target} ended well: {output:?}");
            ensure!(output.stdout.is_empty(), "make {target} went on: {output:?}");
            // The last word is make's own, that it stops.
            let (lines, own) = error.trim_end().rsplit_once('\n').context("no line but make's")?;
            ensure!(own.starts_with("make: ***"), "make {target}:\n{error}");
            let lines: Vec<_> = lines.lines().collect();
            ensure!(
                lines.len() == wanted.len(),
                "make {target}, not {} lines:\n{error}",
                wanted.len()
            );
            for (line, words) in lines.iter().zip(wanted) {
                println!("make {target}: {line}");
                ensure!(line.starts_with("Missing: "), "{line}");
                for word in *words {
                    ensure!(line.contains(word), "'{word}' is not in: {line}");
                }
            }
            let after = self.state()?;
            let news: Vec<_> = before.symmetric_difference(&after).collect();
            ensure!(news.is_empty(), "make {target} changed {news:?}");
        }
        Ok(())
    }

    /// The checkout, the user's home and temporary directory, and what is installed.
    fn state(&self) -> Result<BTreeSet<String>> {
        let list =
            |path: PathBuf| run(Command::new("find").arg(path).args(["-printf", "%p %T@\n"]));
        let installed = run(Command::new("dpkg-query").args(["-W"]))?;
        let all = [list(self.dir.join("checkout"))?, list(self.dir.join("tmp"))?, installed];
        let policy = format!("policy {}", Path::new("/usr/sbin/policy-rc.d").exists());
        let lines = all.iter().flat_map(|text| text.lines().map(str::to_owned));
        Ok(lines.chain([policy]).collect())
    }
}

/// Without which the others would prove nothing.
#[test]
fn where_nothing_is_missing_nothing_is_said() -> Result<()> {
    let place = Place::new()?;
    let before = place.state()?;
    let output = place.make("require")?;
    ensure!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    ensure!(output.stdout.is_empty() && place.state()? == before, "{output:?}");
    Ok(())
}

#[test]
fn a_user_who_is_not_root_is_told() -> Result<()> {
    Place::new()?.for_nobody().lacks(&[&["root", "This is nobody", "run it as root"]])
}

#[test]
fn a_machine_that_is_not_debian_is_told() -> Result<()> {
    for (id, name) in [("ubuntu", "ID=ubuntu\nID_LIKE=debian\n"), ("fedora", "ID=\"fedora\"\n")] {
        let place = Place::new()?.with_file("/etc/os-release", name)?;
        let this = format!("This is {id}");
        place.lacks(&[&[
            "Debian",
            &this,
            "run it on Debian",
            "libvirt-daemon-system",
            "chromium",
        ]])?;
    }
    Ok(())
}

#[test]
fn a_compiler_that_is_not_there_is_named() -> Result<()> {
    let cc: &[&str] = &["a C compiler (cc)", "apt-get install gcc"];
    let node: &[&str] = &["Node 20.19 or newer", "npm 11 or newer", "Install both"];
    let rust: &[&str] = &["Rust 1.", "(cargo and rustc)", "rustup"];
    Place::new()?.without(&COMPILERS)?.lacks(&[cc])?;
    Place::new()?.without(&NODE)?.lacks(&[node])?;
    Place::new()?.without(&["npm"])?.lacks(&[node])?;
    Place::new()?.without(&RUST)?.lacks(&[rust])?;
    let nothing = Place::new()?.without(&[&COMPILERS[..], &NODE, &RUST].concat())?.for_nobody();
    let nothing = nothing.with_file("/etc/os-release", "ID=arch\n")?;
    nothing.lacks(&[rust, node, cc, &["root"], &["Debian", "This is arch"]])
}

#[test]
fn a_tool_that_is_too_old_is_named_with_its_version() -> Result<()> {
    let npm: &[&str] = &["npm 11 or newer", "This is 10.8.2", "npm install --global npm@11"];
    // Asked itself,
    Place::new()?.with_tool("npm", "10.8.2")?.lacks(&[npm])?;
    // and by the file that its package has.
    let place = Place::new()?.with_tool("npm", "11.0.0")?;
    place
        .dir
        .write("old/package.json", "{\n  \"version\": \"10.8.2\",\n  \"name\": \"npm\"\n}\n")?;
    place.lacks(&[npm])?;
    let place = Place::new()?.with_tool("node", "v18.20.4")?;
    place.lacks(&[&["Node 20.19 or newer", "This is 18.20.4"]])?;
    let place = Place::new()?.with_tool("rustc", "'rustc 1.63.0 (4b91a6ea7 2022-08-08)'")?;
    place.lacks(&[&["Rust 1.", "or newer", "This is 1.63.0", "rustup update"]])
}

/// Root would be given them; for anybody else they are named.
#[test]
fn a_debian_package_that_is_not_there_is_named() -> Result<()> {
    const STATUS: &str = "/var/lib/dpkg/status";
    let status = fs::read_to_string(STATUS)?;
    let gone = ["ipmitool", "dnsmasq-base"].map(|name| format!("Package: {name}\n"));
    let kept: Vec<_> = status
        .split_inclusive("\n\n")
        .filter(|stanza| !gone.iter().any(|name| stanza.starts_with(name)))
        .collect();
    let place = Place::new()?.with_file(STATUS, &kept.concat())?.for_nobody();
    place.lacks(&[&["root"], &["dnsmasq-base ipmitool.", "apt-get install dnsmasq-base ipmitool"]])
}
