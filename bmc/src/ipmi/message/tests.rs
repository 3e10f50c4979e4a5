use proptest::prelude::*;

use super::*;
use crate::ipmi::testing::hex;

fn device_id() -> Request {
    Request::new("get device id", NetFn::App, 0x01, &[])
}

/// The answer that a BMC would give.
fn answer(sequence: u8, command: u8, data: &[u8]) -> Vec<u8> {
    let head = [CONSOLE_ADDRESS, (NetFn::App.code() | 1) << 2];
    let mut body = vec![BMC_ADDRESS, sequence << 2, command];
    body.extend(data);
    let tail = checksum(&body);
    [head.as_slice(), &[checksum(&head)], &body, &[tail]].concat()
}

#[test]
fn a_request_is_what_the_standard_says() {
    assert_eq!(encode(&device_id(), 1), hex("20 18 c8 81 04 01 7a"));
    let reading = Request::new("get sensor reading", NetFn::Sensor, 0x2d, &[0x30]).lun(2);
    assert_eq!(encode(&reading, 63), hex("20 12 ce 81 fc 2d 30 26"));
}

#[test]
fn only_the_answer_to_this_request_is_taken() {
    let right = answer(5, 1, &[0, 0x20, 0x01]);
    let response = Response { completion: 0, data: vec![0x20, 0x01] };
    assert_eq!(decode_answer(&right, &device_id(), 5), Some(response));
    assert_eq!(decode_answer(&right, &device_id(), 4), None, "a late answer");
    assert_eq!(decode_answer(&answer(5, 2, &[0]), &device_id(), 5), None, "another command's");
    let chassis = Request::new("", NetFn::Chassis, 1, &[]);
    assert_eq!(decode_answer(&right, &chassis, 5), None, "another function's");
    for at in 0..right.len() {
        let mut broken = right.clone();
        broken[at] ^= 0x40;
        assert_eq!(decode_answer(&broken, &device_id(), 5), None, "byte {at} broken");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode_answer(&bytes, &device_id(), 5);
    }
}
