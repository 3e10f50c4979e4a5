use super::*;
use crate::ipmi::testing::hex;

#[test]
fn capabilities_tell_versions_and_open_doors() {
    // As ipmi_sim answers.
    let seen = Capabilities::decode(&hex("01 97 06 02 000000 00")).unwrap();
    assert_eq!(seen, Capabilities { ipmi_2: true, v15_none: true, anonymous_login: false });
    let old = Capabilities::decode(&hex("01 16 01 00 000000 00")).unwrap();
    assert_eq!(old, Capabilities { ipmi_2: false, v15_none: false, anonymous_login: true });
    assert_eq!(Capabilities::decode(&hex("01 97")), None);
}

#[test]
fn suites_are_read_from_their_records() {
    let records = hex("c0 00 00 40 80  c0 03 01 41 81  c1 80 f22b00 03 44 81  c0 11 03 44 81");
    assert_eq!(decode_suites(&records), [0, 3, 0x11]);
    assert_eq!(decode_suites(&[0xc0]), Vec::<u8>::new());
}

#[test]
fn refusals_become_errors_with_a_way_out() {
    let options = Options::default();
    let who = Credentials::new("root", "x");
    let explain = |phase, refusal: Refusal| {
        explain(phase, &refusal, &options.suite, &options, &who).to_string()
    };
    assert_eq!(
        explain(Phase::Challenge, Refusal::WrongPassword),
        "wrong password for the BMC's user 'root'"
    );
    assert_eq!(
        explain(Phase::Open, Refusal::Status(Status(0x11))),
        "the BMC refuses cipher suite 3 (no cipher suite match with proposed security algorithms)"
    );
    assert_eq!(
        explain(Phase::Open, Refusal::Algorithms([0, 0, 0])),
        "the BMC answered cipher suite 3 with weaker algorithms \
         (no login, no integrity, no encryption)"
    );
    assert_eq!(
        explain(Phase::Challenge, Refusal::Status(Status(0x0d))),
        "the BMC knows no user 'root'"
    );
    assert_eq!(
        explain(Phase::Challenge, Refusal::Status(Status(0x0a))),
        "the BMC's user 'root' may not act as administrator \
         (unauthorized role or privilege level requested)"
    );
}
