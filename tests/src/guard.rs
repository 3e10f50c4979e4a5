//! One helper process a test process, which outlives it for as long as it takes to end what the
//! test left running.
//!
//! It reads `add PGID`, `del PGID` and `dir PATH` lines from a pipe. The pipe's end comes when
//! the test process is gone, however it went (a return, a panic, SIGKILL); the guard then kills
//! the process groups that are still listed and removes the directories.

use std::{
    fmt,
    io::Write,
    os::unix::process::CommandExt,
    process::{ChildStdin, Command, Stdio},
    sync::{Mutex, OnceLock},
};

const SCRIPT: &str = r#"
declare -A groups dirs
while read -r verb what; do
    case $verb in
    add) groups[$what]=1 ;;
    del) unset "groups[$what]" ;;
    dir) dirs[$what]=1 ;;
    undir) unset "dirs[$what]" ;;
    esac
done
for group in "${!groups[@]}"; do kill -KILL -- "-$group"; done
# A directory in use by what was just killed can be busy for a moment.
for dir in "${!dirs[@]}"; do
    for _ in {1..50}; do rm -rf --one-file-system -- "$dir" && break; sleep 0.2; done
done
"#;

static PIPE: OnceLock<Mutex<ChildStdin>> = OnceLock::new();

#[allow(clippy::zombie_processes, reason = "the guard outlives this process, that is its use")]
fn tell(line: fmt::Arguments<'_>) {
    let pipe = PIPE.get_or_init(|| {
        let mut child = Command::new("bash")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("bash starts");
        Mutex::new(child.stdin.take().expect("it was asked for"))
    });
    let mut pipe = pipe.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // A guard that is gone can't be told; what it would do is then left to the drops.
    let _ = pipe.write_all(format!("{line}\n").as_bytes());
}

/// The process group is to end with this process.
pub fn watch_group(pgid: u32) {
    tell(format_args!("add {pgid}"));
}
pub fn forget_group(pgid: u32) {
    tell(format_args!("del {pgid}"));
}
/// The directory is to go with this process.
pub fn watch_dir(path: &std::path::Path) {
    tell(format_args!("dir {}", path.display()));
}
pub fn forget_dir(path: &std::path::Path) {
    tell(format_args!("undir {}", path.display()));
}
