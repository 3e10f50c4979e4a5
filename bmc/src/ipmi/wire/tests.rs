use proptest::prelude::*;

use super::*;
use crate::ipmi::{
    crypto,
    suite::{SUITE_0, SUITE_3},
    testing::{counting, hex, keys},
};

const MESSAGE: &str = "2018c88104017a";
const SEALED: &str = "0600ff07 06c0 82030000 07000000 2000 000102030405060708090a0b0c0d0e0f \
     a972d4d0035066f6a61d95a9d869ab03 ffff 02 07 cedeedbee8043cd0b3ff3c0b";

#[test]
fn a_sealed_packet_is_byte_for_byte_what_another_implementation_makes() {
    let packet = encode_sealed(&SUITE_3, &keys(), (0x382, 7), counting(0), &hex(MESSAGE));
    assert_eq!(packet, hex(SEALED));
    let packet = hex(SEALED);
    let packet = decode(&packet).unwrap();
    assert_eq!((packet.payload, packet.session_id, packet.sequence), (Payload::Ipmi, 0x382, 7));
    assert_eq!(packet.open(&SUITE_3, &keys()), Some(hex(MESSAGE)));
}

#[test]
fn one_flipped_bit_anywhere_is_noticed() {
    for at in 0..hex(SEALED).len() {
        let mut packet = hex(SEALED);
        packet[at] ^= 0x10;
        let opened = decode(&packet).and_then(|packet| packet.open(&SUITE_3, &keys()));
        assert_eq!(opened, None, "byte {at}");
    }
}

#[test]
fn less_protection_than_agreed_is_refused() {
    let message = hex(MESSAGE);
    let bare = encode_sealed(&SUITE_0, &keys(), (0x382, 7), counting(0), &message);
    let bare = decode(&bare).unwrap();
    assert!(!bare.encrypted && !bare.authenticated);
    assert_eq!(bare.open(&SUITE_0, &keys()), Some(message.clone()));
    assert_eq!(bare.open(&SUITE_3, &keys()), None);

    // Encrypted, but not signed.
    let body = crypto::encrypt(SUITE_3.confidentiality, &keys(), counting(0), &message);
    let unsigned = header(ENCRYPTED, 0x382, 7, &body);
    assert_eq!(decode(&unsigned).unwrap().open(&SUITE_3, &keys()), None);
}

#[test]
fn the_old_header_carries_a_message_and_nothing_else_passes_for_it() {
    let packet = encode_v15(&hex("2018c881003863"));
    assert_eq!(packet, hex("0600ff07 00 00000000 00000000 07 2018c881003863"));
    assert_eq!(decode_v15(&packet), Some(hex("2018c881003863").as_slice()));
    assert_eq!(decode_v15(&packet[..packet.len() - 1]), None);
    assert_eq!(decode_v15(&hex(SEALED)), None);
    assert_eq!(decode(&packet), None);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = decode_v15(&bytes);
        let _ = decode(&bytes).map(|packet| packet.open(&SUITE_3, &keys()));
        // The same behind a plausible header.
        let bytes = [hex("0600ff0706c0").as_slice(), &bytes].concat();
        let _ = decode(&bytes).map(|packet| packet.open(&SUITE_3, &keys()));
    }

    #[test]
    fn whatever_is_sealed_opens_again(
        message in proptest::collection::vec(any::<u8>(), 0..200),
        iv in any::<[u8; 16]>(),
        session in any::<u32>(),
        sequence in any::<u32>(),
    ) {
        let packet = encode_sealed(&SUITE_3, &keys(), (session, sequence), iv, &message);
        // The signed part is whole words, its code behind it.
        prop_assert_eq!((packet.len() - 4 - 12) % 4, 0);
        let packet = decode(&packet).unwrap();
        prop_assert_eq!((packet.session_id, packet.sequence), (session, sequence));
        prop_assert_eq!(packet.open(&SUITE_3, &keys()), Some(message));
    }

    #[test]
    fn decryption_of_random_bytes_never_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..128),
    ) {
        let _ = crypto::decrypt(SUITE_3.confidentiality, &keys(), &bytes);
    }
}
