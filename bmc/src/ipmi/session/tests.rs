use proptest::prelude::*;

use super::*;
use crate::ipmi::{
    message::NetFn,
    suite::{SUITE_0, SUITE_3},
    testing::{counting, hex, keys},
};

const CONSOLE: u32 = 0xa0a2_a3a4;
const BMC: u32 = 0x382;

fn session() -> Session {
    Session::new(SUITE_3, keys(), (CONSOLE, BMC))
}

fn power() -> Request {
    Request::new("get chassis status", NetFn::Chassis, 1, &[])
}

/// "On", as the answer to `power()` with `rqSeq` 1.
const ON: &str = "81 04 7b 20 04 01 00 01 00 00 da";

fn packet(sequence: u32) -> Vec<u8> {
    wire::encode_sealed(&SUITE_3, &keys(), (CONSOLE, sequence), counting(9), &hex(ON))
}

#[test]
fn an_answer_is_taken_once() {
    let mut session = session();
    let sequence = session.next_command();
    let response = session.open(&packet(3), &power(), sequence).unwrap();
    assert_eq!(response.data, [1, 0, 0]);
    assert_eq!(session.open(&packet(3), &power(), sequence), None, "a duplicate");
    assert!(session.open(&packet(2), &power(), sequence).is_some(), "overtaken on the way");
    let next = session.next_command();
    assert_eq!(session.open(&packet(4), &power(), next), None, "an answer to the last command");
}

#[test]
fn what_is_not_ours_or_not_protected_is_dropped_and_moves_nothing() {
    let mut session = session();
    let sequence = session.next_command();
    let on = hex(ON);
    let other = wire::encode_sealed(&SUITE_3, &keys(), (CONSOLE + 1, 90), counting(9), &on);
    assert_eq!(session.open(&other, &power(), sequence), None, "another session's");
    let bare = wire::encode_sealed(&SUITE_0, &keys(), (CONSOLE, 90), counting(9), &on);
    assert_eq!(session.open(&bare, &power(), sequence), None, "unauthenticated");
    assert_eq!(session.open(&wire::encode_v15(&on), &power(), sequence), None, "the old header");
    let mut forged = packet(90);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(session.open(&forged, &power(), sequence), None, "wrongly signed");
    // Had a forgery with number 90 moved the window, this one would be too old.
    assert!(session.open(&packet(1), &power(), sequence).is_some());
}

#[test]
fn commands_and_packets_are_numbered_upwards() {
    let mut session = session();
    let first = session.next_command();
    let numbers: Vec<u32> =
        (0..2).map(|_| wire::decode(&session.seal(&power(), first)).unwrap().sequence).collect();
    assert_eq!(numbers, [1, 2]);
    let later: Vec<u8> = (0..64).map(|_| session.next_command()).collect();
    assert_eq!((later[0], later[62], later[63]), (2, 0, 1), "six bits");
}

proptest! {
    /// Against the plain definition: each number once, none that is too old.
    #[test]
    fn the_window_takes_each_number_once(numbers in proptest::collection::vec(0u32..120, 0..200)) {
        let mut window = Window::default();
        let mut seen = std::collections::BTreeSet::new();
        for number in numbers {
            let newest = seen.last().copied().unwrap_or(0);
            let wanted = number > 0 && newest < number + WINDOW && !seen.contains(&number);
            prop_assert_eq!(window.take(number), wanted);
            if wanted {
                seen.insert(number);
            }
        }
    }

    #[test]
    fn random_datagrams_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = session().open(&bytes, &power(), 1);
    }
}
