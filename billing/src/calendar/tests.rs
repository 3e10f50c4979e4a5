use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn months_follow_the_zone() {
    let shanghai = chrono_tz::Asia::Shanghai;
    let month = Month::of(at("2026-10-31T16:00:00Z"), shanghai);
    assert_eq!(month.to_string(), "2026-11");
    assert_eq!(month.start(shanghai), at("2026-10-31T16:00:00Z"));
    assert_eq!(month.end(shanghai), at("2026-11-30T16:00:00Z"));
    assert_eq!(Month::of(at("2026-12-31T15:59:59.999Z"), shanghai).to_string(), "2026-12");
    assert_eq!(Month::of(at("2026-12-31T16:00:00Z"), shanghai).to_string(), "2027-01");
}

#[test]
fn a_month_whose_midnight_does_not_exist_begins_at_the_jump() {
    // Paraguay, 1 October 2017: the clocks jumped from 00:00 to 01:00.
    let asuncion = chrono_tz::America::Asuncion;
    let month = Month::of(at("2017-10-15T12:00:00Z"), asuncion);
    assert_eq!(month.start(asuncion), at("2017-10-01T04:00:00Z"));
    assert_eq!(Month::of(month.start(asuncion), asuncion), month);
}

#[test]
fn ticks_are_hours_and_months() {
    let kolkata = chrono_tz::Asia::Kolkata;
    // Midnight in Kolkata is half past six in the evening, UTC.
    let before = at("2026-10-31T18:10:00Z");
    assert_eq!(next_tick(before, kolkata), at("2026-10-31T18:30:00Z"));
    assert_eq!(next_tick(at("2026-10-31T18:30:00Z"), kolkata), at("2026-10-31T19:00:00Z"));
    assert_eq!(last_tick(at("2026-10-31T18:40:00Z"), kolkata), at("2026-10-31T18:30:00Z"));
    assert_eq!(last_tick(at("2026-10-31T19:00:00Z"), kolkata), at("2026-10-31T19:00:00Z"));
}
