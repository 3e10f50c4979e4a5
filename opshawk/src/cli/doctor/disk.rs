//! The data directory's disk: room, and a sync that means it.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use super::Finding;

const CHECK: &str = "disk";
const WANTED_MIB: u64 = 10 * 1024;
/// Slower than this, every acknowledged write is felt.
const SYNC_SLOW_MS: u128 = 100;

pub fn check(data_dir: &Path) -> Finding {
    let Some(dir) = nearest(data_dir) else {
        return Finding::error(CHECK, "no directory above the data directory exists", "make it");
    };
    let sync_ms = match sync_ms(&dir) {
        Ok(ms) => ms,
        Err(error) => {
            return Finding::error(
                CHECK,
                format!("{} can't be written: {error}", dir.display()),
                "run as a user who may write there, or name another with --data-dir",
            );
        }
    };
    let free_mib = free_mib(&dir);
    let free = free_mib.map_or("?".to_owned(), |mib| mib.to_string());
    let seen = format!("{}: {free} MiB free, fsync {sync_ms} ms", dir.display());
    if free_mib.is_some_and(|mib| mib < WANTED_MIB) {
        return Finding::warning(CHECK, seen, "free at least 10 GiB: images and disks need room");
    }
    if sync_ms > SYNC_SLOW_MS {
        return Finding::warning(CHECK, seen, "put the data directory on a faster disk");
    }
    Finding::ok(CHECK, seen)
}

/// The data directory, or the one above it that is there.
fn nearest(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|dir| dir.is_dir()).map(Path::to_owned)
}

fn sync_ms(dir: &Path) -> std::io::Result<u128> {
    let path = dir.join(format!(".opshawk-doctor-{}", std::process::id()));
    let started = Instant::now();
    let written = std::fs::File::create_new(&path)
        .and_then(|mut file| file.write_all(&[0; 4096]).and_then(|()| file.sync_all()));
    let took = started.elapsed().as_millis();
    let _ = std::fs::remove_file(&path);
    written.map(|()| took)
}

/// Of the file system that holds the directory: the mount point that is its nearest ancestor.
fn free_mib(dir: &Path) -> Option<u64> {
    let dir = dir.canonicalize().ok()?;
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    let holding = disks.iter().filter(|disk| dir.starts_with(disk.mount_point()));
    let nearest = holding.max_by_key(|disk| disk.mount_point().components().count())?;
    Some(nearest.available_space() / (1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_directory_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        assert_eq!(nearest(&deep).unwrap(), dir.path());
        assert!(check(&deep).seen.contains("MiB free"));
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing is left");
    }
}
