//! The program: configuration, HTTP, the wiring of server and agent, the command line.
//!
//! It ties the domain crates together and decides nothing that they decide: no SQL is here, and a
//! handler is thin over a domain function that knows no HTTP.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`config`] | what an operator sets: file, variables, flags |
//! | [`server`] | what runs in the server, how it starts and ends |
//! | [`api`] | the HTTP interface, one file a resource |
//! | [`samples`] | the store as rules, agents and remote writers see it |
//! | [`backup`] | everything as one tar file, and back |
//! | [`memory`] | how the allocator is set |
//! | [`cli`] | the command line: both processes, local work, the client |

pub mod api;
pub mod backup;
pub mod cli;
pub mod config;
pub mod memory;
pub mod samples;
pub mod server;
