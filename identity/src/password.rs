//! Passwords as argon2id (the crate's defaults: 19 MiB, 2 passes, RFC 9106's second choice).

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use base::{Error, Result};

pub const MIN_CHARS: usize = 10;
/// Longer ones would only make the server hash for its attackers.
pub const MAX_BYTES: usize = 256;

pub fn check(password: &str) -> Result<()> {
    if password.chars().count() < MIN_CHARS {
        return Err(Error::invalid(
            "password",
            format!("the password must have at least {MIN_CHARS} characters"),
        ));
    }
    if password.len() > MAX_BYTES {
        return Err(Error::invalid(
            "password",
            format!("the password must have at most {MAX_BYTES} bytes"),
        ));
    }
    Ok(())
}

pub async fn hash(password: &str) -> Result<String> {
    check(password)?;
    let password = password.to_owned();
    blocking(move || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|e| Error::internal("the password can't be hashed").source(e.to_string()))
    })
    .await?
}

/// Takes as long without a hash as with one, so that the time does not tell which logins exist.
pub async fn verify(password: &str, hash: Option<&str>) -> Result<bool> {
    if password.len() > MAX_BYTES {
        return Ok(false);
    }
    let password = password.to_owned();
    let hash = hash.map(str::to_owned);
    blocking(move || match hash {
        Some(hash) => argon2::PasswordHash::new(&hash).is_ok_and(|hash| {
            Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
        }),
        None => {
            let _ = Argon2::default().hash_password(password.as_bytes());
            false
        }
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::internal("a background task failed").source(e))
}
