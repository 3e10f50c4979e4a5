//! The interface as its callers see it, on a whole server in this process, over SQLite and
//! PostgreSQL.

mod authorisation;
mod consoles;
mod damage;
mod deletion;
mod description;
mod findings;
mod history;
mod hostile;
mod internal;
mod invoices;
mod killed;
mod labels;
mod leaks;
mod ledger;
mod limits;
mod owned;
mod packages;
mod prices;
mod quotas;
mod resize;
mod samples;
mod sessions;
mod settings;
mod standing;
mod story;
mod system;
mod traffic;
pub(crate) mod world;
