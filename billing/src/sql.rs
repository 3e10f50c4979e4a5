//! Reading what SQL keeps as text.

use std::str::FromStr;

use base::{Error, Result};

/// An id (or another parsed value) that we wrote ourselves.
pub(crate) fn parse<T>(text: &str) -> Result<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|e: T::Err| Error::internal("a row holds what is not ours").source(e))
}
