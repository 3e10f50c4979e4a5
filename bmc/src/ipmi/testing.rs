//! Known answers for the module tests, computed with another implementation (Python's `hmac` and
//! OpenSSL's AES), and the BMC's side of the login.

use super::{
    crypto::Keys,
    rakp::{Exchange, Privilege},
    suite::SUITE_3,
};
use crate::Credentials;

pub const BMC_GUID: [u8; 16] = *b"@ABCDEFGHIJKLMNO";
pub const SIK: &str = "0679ba95b018110fa5255069d3da381e9cdae134";

pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
    digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect()
}

pub fn keys() -> Keys {
    Keys::derive(&SUITE_3, &hex(SIK))
}

/// Counts up from `first`.
pub fn counting(first: u8) -> [u8; 16] {
    std::array::from_fn(|index| first + u8::try_from(index).unwrap())
}

/// A login with everything random fixed.
pub fn exchange() -> Exchange {
    let credentials = Credentials::new("admin", "secret");
    Exchange {
        console_id: 0xa0a2_a3a4,
        console_challenge: counting(0),
        tag: 0x2a,
        ..Exchange::new(SUITE_3, Privilege::Administrator, credentials)
    }
}
