//! Random tokens, their hashes, and sealing what must be read again (a BMC's password) with the
//! key file.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chacha20poly1305::{
    ChaCha20Poly1305, Key, KeyInit,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    bytes
}

/// 256 random bits behind `prefix`, for an API token, a session or a one-time link.
pub fn random_token(prefix: &str) -> String {
    format!("{prefix}{}", BASE64.encode(random::<32>()))
}

/// How a token is stored: it is random, so that one pass of SHA-256 is enough.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Seals with ChaCha20-Poly1305 under the key file of the data directory.
#[derive(Clone)]
pub struct Sealer(ChaCha20Poly1305);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    pub fn from_key(key: [u8; KEY_BYTES]) -> Self {
        Self(ChaCha20Poly1305::new(&Key::from(key)))
    }

    /// Reads the key file, or makes it (mode 0600) where there is none.
    pub fn open(path: &Path) -> Result<Self> {
        let broken = |what: &str| {
            Error::internal(format!("the key file {} {what}", path.display()))
                .remedy("restore it from a backup: sealed passwords can't be read without it")
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Self::create(path)?,
            Err(e) => return Err(broken("can't be read").source(e)),
        };
        let bytes = BASE64.decode(text.trim()).map_err(|e| broken("is damaged").source(e))?;
        let key = <[u8; KEY_BYTES]>::try_from(bytes).map_err(|_| broken("has a wrong length"))?;
        Ok(Self::from_key(key))
    }

    fn create(path: &Path) -> Result<String> {
        let text = BASE64.encode(random::<KEY_BYTES>());
        let failed = |e: std::io::Error| {
            Error::internal(format!("the key file {} can't be made", path.display())).source(e)
        };
        // Written aside and linked into place: a crash leaves no half key, and of two
        // processes that start at once, both use the first one's.
        let aside = path.with_extension(format!("new-{}", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)
            .map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        let linked = fs::hard_link(&aside, path);
        let _ = fs::remove_file(&aside);
        match linked {
            Ok(()) => Ok(text),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                fs::read_to_string(path).map_err(failed)
            }
            Err(e) => Err(failed(e)),
        }
    }

    /// `context` binds the sealed text to its place (for instance "server:<id>:bmc_password"), so
    /// that it can't be moved to another row.
    pub fn seal(&self, context: &str, secret: &str) -> String {
        let nonce = random::<NONCE_BYTES>();
        let payload = Payload { msg: secret.as_bytes(), aad: context.as_bytes() };
        let sealed = self.0.encrypt(&nonce.into(), payload).expect("a short message seals");
        BASE64.encode([nonce.as_slice(), &sealed].concat())
    }

    pub fn open_sealed(&self, context: &str, sealed: &str) -> Result<String> {
        let broken = || {
            Error::internal("a sealed secret can't be opened")
                .remedy("the key file is not the one it was sealed with: restore the right one")
        };
        let bytes = BASE64.decode(sealed).map_err(|_| broken())?;
        let (nonce, body) = bytes.split_at_checked(NONCE_BYTES).ok_or_else(broken)?;
        let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| broken())?;
        let payload = Payload { msg: body, aad: context.as_bytes() };
        let plain = self.0.decrypt(&nonce.into(), payload).map_err(|_| broken())?;
        String::from_utf8(plain).map_err(|_| broken())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_only_in_its_place_and_with_its_key() {
        let sealer = Sealer::from_key([7; KEY_BYTES]);
        let sealed = sealer.seal("server:1", "hunter2");
        assert!(!sealed.contains("hunter2"));
        assert_eq!(sealer.open_sealed("server:1", &sealed).unwrap(), "hunter2");
        assert!(sealer.open_sealed("server:2", &sealed).is_err());
        assert!(Sealer::from_key([8; KEY_BYTES]).open_sealed("server:1", &sealed).is_err());
        assert!(sealer.open_sealed("server:1", "").is_err());
    }

    #[test]
    fn the_key_file_is_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let sealed = Sealer::open(&path).unwrap().seal("x", "y");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Sealer::open(&path).unwrap().open_sealed("x", &sealed).unwrap(), "y");
        fs::write(&path, "short").unwrap();
        assert!(Sealer::open(&path).is_err());
    }
}
