//! Waiting for a condition, with a limit and with what was seen last in the error.

use std::{future::Future, time::Duration};

use anyhow::{Result, bail};
use tokio::time::Instant;

/// How often a condition is looked at.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What a look at the condition found.
pub enum Seen<T> {
    Yes(T),
    /// Not yet; the words say what is there instead.
    NotYet(String),
}

/// Looks until it is there. A look that errs counts as "not yet": what is looked at may be
/// restarting.
pub async fn eventually<T, F>(what: &str, limit: Duration, mut look: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Seen<T>>>,
{
    let deadline = Instant::now() + limit;
    let mut last;
    loop {
        match tokio::time::timeout_at(deadline, look()).await {
            Ok(Ok(Seen::Yes(value))) => return Ok(value),
            Ok(Ok(Seen::NotYet(seen))) => last = seen,
            Ok(Err(error)) => last = format!("{error:#}"),
            Err(_) => last = "no answer to the last look".into(),
        }
        if Instant::now() >= deadline {
            bail!("{what}: not within {:.0} s; last seen: {last}", limit.as_secs_f64());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// [`eventually`] for a condition that has no value.
pub async fn until<F>(what: &str, limit: Duration, mut look: impl FnMut() -> F) -> Result<()>
where
    F: Future<Output = Result<bool>>,
{
    eventually(what, limit, || {
        let look = look();
        async move { Ok(if look.await? { Seen::Yes(()) } else { Seen::NotYet("no".into()) }) }
    })
    .await
}
