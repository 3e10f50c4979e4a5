//! The program's allocator, and how it is set.
//!
//! Ours is jemalloc: a question of one series is answered in 5 to 16 % less time than with glibc's,
//! whose fast lists are too short for a request's pieces (docs/decisions/0021-allocator.md). Memory of the C
//! libraries (SQLite, libvirt) stays glibc's.

/// Its settings, that it reads at the first allocation.
///
/// - As many arenas as there are cores: four a core, its default, keep four times what was freed.
/// - What was freed goes back to the system after half a second, by a thread of its own, so that a
///   server at rest gives back what a burst took.
const CONF: &std::ffi::CStr =
    c"percpu_arena:percpu,dirty_decay_ms:500,muzzy_decay_ms:0,background_thread:true";

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The symbol under which jemalloc looks for a pointer to its settings.
// SAFETY: the name is jemalloc's own (`malloc_conf`, under the prefix that the crate builds it with),
// nothing else exports it, and a reference has the layout of the `const char *` that C expects.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static MALLOC_CONF: &std::ffi::c_char = {
    // SAFETY: the text is static and ends in a zero byte.
    unsafe { &*CONF.as_ptr() }
};

/// glibc gives each thread that meets another in the allocator an arena of its own, up to eight a
/// core, and an arena keeps what was freed in it.
const ARENAS_MIN: usize = 2;
/// More than this many cores seldom allocate at the same instant.
const ARENAS_MAX: usize = 8;

/// Bounds what the C libraries' memory may scatter to. Call it before the first thread starts: arenas
/// that are there stay.
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

#[cfg(test)]
mod tests;
