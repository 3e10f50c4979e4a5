//! Session keys, and a payload's encryption (IPMI 2.0 §13.29, §13.32).

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use subtle::ConstantTimeEq;

use super::suite::{CipherSuite, Confidentiality};

const BLOCK_BYTES: usize = 16;
/// The constants that the additional keys are made from are this long for every hash.
const CONSTANT_BYTES: usize = 20;

/// Random bytes for session ids, challenges and initialisation vectors.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    bytes
}

/// Compares without telling by its time where the difference is.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// The keys of one session. `Debug` prints none of them.
#[derive(Clone)]
pub struct Keys {
    /// Signs packets (K1).
    pub integrity: Vec<u8>,
    /// Encrypts payloads: the first 128 bits of K2.
    pub confidentiality: [u8; BLOCK_BYTES],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// From the session integrity key that RAKP agreed on.
    pub fn derive(suite: &CipherSuite, session_integrity_key: &[u8]) -> Self {
        let derive = |constant: u8| {
            suite.authentication.mac(session_integrity_key, &[&[constant; CONSTANT_BYTES]])
        };
        let mut confidentiality = [0; BLOCK_BYTES];
        for (to, from) in confidentiality.iter_mut().zip(derive(2)) {
            *to = from;
        }
        Self { integrity: derive(1), confidentiality }
    }
}

/// The payload as it travels: for AES, the vector and the ciphertext of the payload, padded with
/// 1, 2, 3, … and the number of pad bytes.
pub fn encrypt(algorithm: Confidentiality, keys: &Keys, iv: [u8; 16], payload: &[u8]) -> Vec<u8> {
    match algorithm {
        Confidentiality::None => payload.to_vec(),
        Confidentiality::AesCbc128 => {
            let mut plain = payload.to_vec();
            let pad = BLOCK_BYTES - 1 - payload.len() % BLOCK_BYTES;
            plain.extend((1u8..).take(pad));
            plain.push(u8::try_from(pad).expect("a pad is shorter than a block"));
            let cipher =
                cbc::Encryptor::<aes::Aes128>::new(&keys.confidentiality.into(), &iv.into());
            let length = plain.len();
            cipher
                .encrypt_padded::<NoPadding>(&mut plain, length)
                .expect("the payload was padded to whole blocks");
            [iv.as_slice(), &plain].concat()
        }
    }
}

/// `None` where it is no ciphertext of ours.
pub fn decrypt(algorithm: Confidentiality, keys: &Keys, payload: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        Confidentiality::None => Some(payload.to_vec()),
        Confidentiality::AesCbc128 => {
            let (iv, body) = payload.split_first_chunk::<BLOCK_BYTES>()?;
            if body.is_empty() || !body.len().is_multiple_of(BLOCK_BYTES) {
                return None;
            }
            let mut plain = body.to_vec();
            let cipher =
                cbc::Decryptor::<aes::Aes128>::new(&keys.confidentiality.into(), &(*iv).into());
            cipher.decrypt_padded::<NoPadding>(&mut plain).ok()?;
            let pad = usize::from(plain.pop()?);
            let length = plain.len().checked_sub(pad).filter(|_| pad < BLOCK_BYTES)?;
            let padding = plain.split_off(length);
            padding.iter().zip(1u8..).all(|(byte, want)| *byte == want).then_some(plain)
        }
    }
}
