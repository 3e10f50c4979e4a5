//! Cipher suites as data (IPMI 2.0 table 22-20): a new suite is a constant, and an arm for each
//! algorithm that is new with it.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// What a session is protected with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CipherSuite {
    pub id: u8,
    pub authentication: Authentication,
    pub integrity: Integrity,
    pub confidentiality: Confidentiality,
}

/// No password, no protection. Only [`crate::probe`] asks for it, to find out who takes it.
pub const SUITE_0: CipherSuite = CipherSuite {
    id: 0,
    authentication: Authentication::None,
    integrity: Integrity::None,
    confidentiality: Confidentiality::None,
};

/// What every IPMI 2.0 controller has.
pub const SUITE_3: CipherSuite = CipherSuite {
    id: 3,
    authentication: Authentication::HmacSha1,
    integrity: Integrity::HmacSha1_96,
    confidentiality: Confidentiality::AesCbc128,
};

impl CipherSuite {
    /// For people: `RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128`.
    pub fn algorithms(&self) -> String {
        algorithm_names(self.codes())
    }

    /// The algorithm numbers as Open Session carries them: authentication, integrity,
    /// confidentiality.
    pub const fn codes(&self) -> [u8; 3] {
        [self.authentication.code(), self.integrity.code(), self.confidentiality.code()]
    }
}

/// Names for algorithm numbers, known or not.
pub fn algorithm_names([authentication, integrity, confidentiality]: [u8; 3]) -> String {
    const AUTHENTICATION: [&str; 4] =
        ["no login", "RAKP-HMAC-SHA1", "RAKP-HMAC-MD5", "RAKP-HMAC-SHA256"];
    const INTEGRITY: [&str; 5] =
        ["no integrity", "HMAC-SHA1-96", "HMAC-MD5-128", "MD5-128", "HMAC-SHA256-128"];
    const CONFIDENTIALITY: [&str; 4] = ["no encryption", "AES-CBC-128", "xRC4-128", "xRC4-40"];
    let name = |table: &[&'static str], code: u8| {
        table.get(usize::from(code)).copied().unwrap_or("unknown")
    };
    format!(
        "{}, {}, {}",
        name(&AUTHENTICATION, authentication),
        name(&INTEGRITY, integrity),
        name(&CONFIDENTIALITY, confidentiality)
    )
}

/// How the two sides prove that they know the password (IPMI 2.0 table 13-17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    None,
    HmacSha1,
}

impl Authentication {
    pub const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::HmacSha1 => 1,
        }
    }
    /// The keyed hash of all parts; empty where there is no authentication.
    pub fn mac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::HmacSha1 => hmac_sha1(key, parts),
        }
    }
    /// Bytes of the key exchange code in RAKP 2 and 3.
    pub const fn code_bytes(self) -> usize {
        match self {
            Self::None => 0,
            Self::HmacSha1 => 20,
        }
    }
    /// Bytes of the integrity check value in RAKP 4.
    pub const fn check_bytes(self) -> usize {
        match self {
            Self::None => 0,
            Self::HmacSha1 => 12,
        }
    }
}

/// What each packet of a session is signed with (IPMI 2.0 table 13-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    None,
    HmacSha1_96,
}

impl Integrity {
    pub const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::HmacSha1_96 => 1,
        }
    }
    pub const fn code_bytes(self) -> usize {
        match self {
            Self::None => 0,
            Self::HmacSha1_96 => 12,
        }
    }
    pub fn code_of(self, key: &[u8], signed: &[u8]) -> Vec<u8> {
        let mut code = match self {
            Self::None => Vec::new(),
            Self::HmacSha1_96 => hmac_sha1(key, &[signed]),
        };
        code.truncate(self.code_bytes());
        code
    }
}

/// What each payload of a session is encrypted with (IPMI 2.0 table 13-19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidentiality {
    None,
    AesCbc128,
}

impl Confidentiality {
    pub const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::AesCbc128 => 1,
        }
    }
}

fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}
