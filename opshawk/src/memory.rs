//! How the program's allocator is set.

/// glibc gives each thread that meets another in the allocator an arena of its own, up to eight a
/// core, and an arena keeps what was freed in it. The samples of one body after another pass through
/// many threads of the runtime, so that memory for dozens of bodies would stay resident.
const ARENAS_MIN: usize = 2;
/// More than this many cores seldom allocate at the same instant.
const ARENAS_MAX: usize = 8;

/// Call it before the first thread starts: arenas that are there stay.
pub fn limit_arenas() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    set_arenas_max(cores.clamp(ARENAS_MIN, ARENAS_MAX));
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)] // The C library's own knob has no other interface to a running program.
fn set_arenas_max(count: usize) {
    let count = libc::c_int::try_from(count).expect("the bounds are small");
    // SAFETY: mallopt(3) takes two integers, touches nothing of ours, and locks what it sets. It
    // fails by its result only, and then the default stays.
    if unsafe { libc::mallopt(libc::M_ARENA_MAX, count) } == 0 {
        eprintln!(
            "opshawk: the C library takes no limit of its arenas; more memory stays resident"
        );
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn set_arenas_max(_: usize) {}
