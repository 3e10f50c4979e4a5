//! The last of what a guest's serial port printed.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use crate::wire::CONSOLE_TAIL_BYTES;

/// A log that grows past this is emptied: a guest must not fill the host's disk. (QEMU appends, so
/// that it goes on at the new end; where virtlogd writes the log, it rotates it earlier.)
pub const MAX_LOG_BYTES: u64 = 8 << 20;

/// The tail, at most [`CONSOLE_TAIL_BYTES`]; none while there is no log. What is not UTF-8 is
/// replaced.
pub fn tail(path: &Path) -> io::Result<Option<String>> {
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let bytes = file.metadata()?.len();
    let start = bytes.saturating_sub(CONSOLE_TAIL_BYTES as u64);
    file.seek(SeekFrom::Start(start))?;
    let mut read = Vec::with_capacity(CONSOLE_TAIL_BYTES);
    file.take(CONSOLE_TAIL_BYTES as u64).read_to_end(&mut read)?;
    // Half a character at the cut is left out, if what follows is UTF-8 at all.
    let cut =
        if start == 0 { 0 } else { read.iter().take(3).take_while(|b| **b & 0xc0 == 0x80).count() };
    let mut text = String::from_utf8_lossy(&read[cut..]).into_owned();
    // A replacement is longer than what it stands for.
    while text.len() > CONSOLE_TAIL_BYTES {
        let drop = text.len() - CONSOLE_TAIL_BYTES;
        let at = (drop..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        text.drain(..at);
    }
    if bytes > MAX_LOG_BYTES {
        fs::OpenOptions::new().write(true).open(path)?.set_len(0)?;
    }
    Ok(Some(text))
}

/// Cheap to ask; changes when the log does.
pub fn stamp(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_bounded_and_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serial.log");
        assert_eq!(tail(&path).unwrap(), None);
        fs::write(&path, "login: ").unwrap();
        assert_eq!(tail(&path).unwrap().as_deref(), Some("login: "));
        for unit in ["é", "x", "⟨é⟩\n", "\u{1f980}"] {
            fs::write(&path, format!("x{}", unit.repeat(20_000))).unwrap();
            let text = tail(&path).unwrap().unwrap();
            assert!(text.len() <= CONSOLE_TAIL_BYTES && text.len() > CONSOLE_TAIL_BYTES - 8);
            assert!(!text.contains('\u{fffd}'), "{unit}: cut inside a character");
        }
        fs::write(&path, [0xff; 40_000]).unwrap();
        assert!(tail(&path).unwrap().unwrap().len() <= CONSOLE_TAIL_BYTES);
    }

    #[test]
    fn a_log_that_grows_too_large_is_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serial.log");
        fs::File::create(&path).unwrap().set_len(MAX_LOG_BYTES + 1).unwrap();
        assert!(tail(&path).unwrap().is_some());
        assert_eq!(stamp(&path), 0);
    }
}
