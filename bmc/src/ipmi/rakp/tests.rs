use proptest::prelude::*;

use super::*;
use crate::ipmi::testing::{BMC_GUID, counting, exchange, hex, keys};

fn opened() -> Vec<u8> {
    hex("2a 00 04 00 a4a3a2a0 82030000 0000000801000000 0100000801000000 0200000801000000")
}

fn challenged() -> Vec<u8> {
    let proof = hex("f8657438694756aa60c7488cb2252a19edc81a49");
    [&hex("2a 00 00 00 a4a3a2a0"), counting(0x80).as_slice(), &BMC_GUID, &proof].concat()
}

fn checked() -> Vec<u8> {
    hex("2a 00 00 00 a4a3a2a0 9e002108715f839096877ac2")
}

#[test]
fn a_login_is_byte_for_byte_what_another_implementation_makes() {
    let mut login = exchange();
    assert_eq!(
        login.open_session_request(),
        hex("2a 04 0000 a4a3a2a0 0000000801000000 0100000801000000 0200000801000000")
    );
    assert_eq!(login.open_session_response(&opened()), Some(Ok(())));
    assert_eq!(
        login.rakp_1(),
        hex("2a 000000 82030000 000102030405060708090a0b0c0d0e0f 14 0000 05 61646d696e")
    );
    assert_eq!(login.rakp_2(&challenged()), Some(Ok(())));
    assert_eq!(login.rakp_3(), hex("2a 000000 82030000 7b95c94d1051326ad70117703a96da8368db67a5"));
    let made = login.rakp_4(&checked()).unwrap().unwrap();
    assert_eq!(made.integrity, hex("faba89e443e72b0223744766168d430dbe843475"));
    assert_eq!(made.confidentiality.to_vec(), hex("62d9f2c4842e16bdfcbfecdeb9d186d0"));
    assert_eq!(made.integrity, keys().integrity);
}

#[test]
fn weaker_algorithms_than_asked_for_are_refused() {
    for (at, what) in [(16, "login"), (24, "integrity"), (32, "encryption")] {
        let mut body = opened();
        body[at] = 0;
        let refusal = exchange().open_session_response(&body);
        assert!(matches!(refusal, Some(Err(Refusal::Algorithms(_)))), "{what}: {refusal:?}");
    }
}

#[test]
fn a_proof_with_another_password_is_a_wrong_password() {
    let mut login = exchange();
    login.open_session_response(&opened()).unwrap().unwrap();
    login.credentials.password = "Secret".into();
    assert_eq!(login.rakp_2(&challenged()), Some(Err(Refusal::WrongPassword)));
}

#[test]
fn a_key_check_that_is_wrong_or_missing_is_refused() {
    let mut login = exchange();
    login.open_session_response(&opened()).unwrap().unwrap();
    login.rakp_2(&challenged()).unwrap().unwrap();
    let mut wrong = checked();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(login.rakp_4(&wrong).unwrap().unwrap_err(), Refusal::WrongKey);
    assert_eq!(login.rakp_4(&checked()[..8]).unwrap().unwrap_err(), Refusal::WrongKey);
}

#[test]
fn a_refusal_is_named_and_an_answer_to_another_login_is_ignored() {
    let refusal = exchange().open_session_response(&hex("2a 11 00 00 a4a3a2a0"));
    assert_eq!(refusal, Some(Err(Refusal::Status(Status(0x11)))));
    let mut other_tag = opened();
    other_tag[0] = 0x2b;
    assert_eq!(exchange().open_session_response(&other_tag), None);
    let mut other_id = opened();
    other_id[4] = 0;
    assert_eq!(exchange().open_session_response(&other_id), None);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let head = hex("2a 00 00 00 a4a3a2a0");
        for body in [bytes.clone(), [head, bytes].concat()] {
            let _ = exchange().open_session_response(&body);
            let _ = exchange().rakp_2(&body);
            let _ = exchange().rakp_4(&body);
        }
    }
}
