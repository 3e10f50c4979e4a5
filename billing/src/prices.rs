//! Price books: named lists of prices in immutable, dated versions.
//!
//! ```text
//! draft --check--> draft with findings --publish--> version, in force from an instant on
//!   ^---- edit ----'                                 never changes; the past only as a correction
//! ```
//!
//! A version is a [`document`]: its tax, and its rates. It is published whole and never changes; from
//! its instant on it prices what its book's tenants use, so that a change in the middle of a span
//! splits the line. What no rate matches is free. A tenant is assigned to one book at a time, which
//! may be its own; its overrides go before it for as long as they are valid.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`components`] | what can have a price, and per what |
//! | [`model`] | what a measure costs: standard, graduated, package, volume |
//! | [`tax`] | net and tax of a cost |
//! | [`select`] | which rate prices something: flavor, region, labels |
//! | [`document`] | a version as a document |
//! | [`timeline`] | what is in force for a tenant, and when |
//! | [`check`] | what is wrong with a document |
//! | [`books`], [`store`] | books and versions in SQL |
//! | [`publish`], [`drafts`] | from a document to a version |
//! | [`assign`], [`overrides`] | which book, and which prices before it |
//! | [`load`] | a tenant's timeline from SQL, versions cached |
//! | [`meters`] | the standard prices that today's rater asks for by meter |

pub mod assign;
pub mod books;
pub mod check;
pub mod components;
pub mod document;
pub mod drafts;
pub(crate) mod load;
pub mod meters;
pub mod model;
pub mod overrides;
pub mod publish;
pub mod select;
pub mod store;
pub mod tax;
pub mod timeline;

pub use books::{BOOKS_MAX, PriceBook, create_book, get, list};
pub use meters::Price;
pub use publish::publish_version;
pub use store::{PriceVersion, VersionKind};

pub(crate) use books::check_currency;
