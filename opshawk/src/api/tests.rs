//! The interface as its callers see it, on a whole server in this process, over SQLite and
//! PostgreSQL.

mod authorisation;
mod consoles;
mod description;
mod hostile;
mod samples;
mod sessions;
mod story;
mod system;
pub(crate) mod world;
