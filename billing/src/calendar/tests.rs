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

#[test]
fn days_end_at_local_midnight_or_where_the_clocks_skip_it() {
    let berlin = chrono_tz::Europe::Berlin;
    // 23 hours on the last Sunday of March, 25 on that of October.
    assert_eq!(day_end(at("2026-03-28T23:00:00Z"), berlin), at("2026-03-29T22:00:00Z"));
    assert_eq!(day_end(at("2026-10-24T22:00:00Z"), berlin), at("2026-10-25T23:00:00Z"));
    let asuncion = chrono_tz::America::Asuncion;
    assert_eq!(day_end(at("2017-09-30T12:00:00Z"), asuncion), at("2017-10-01T04:00:00Z"));
    // Samoa had no 30 December 2011.
    let apia = chrono_tz::Pacific::Apia;
    assert_eq!(day_end(at("2011-12-30T09:00:00Z"), apia), at("2011-12-30T10:00:00Z"));
}

#[test]
fn anniversaries_keep_the_original_day_and_time() {
    let shanghai = chrono_tz::Asia::Shanghai;
    let order = at("2027-01-31T10:30:00+08:00");
    let nth = |n| anniversary(order, n, shanghai);
    assert_eq!(nth(0), order);
    assert_eq!(nth(1), at("2027-02-28T10:30:00+08:00"));
    assert_eq!(nth(2), at("2027-03-31T10:30:00+08:00"));
    assert_eq!(nth(13), at("2028-02-29T10:30:00+08:00"));
    let berlin = chrono_tz::Europe::Berlin;
    // 02:30 of 29 March 2026 does not exist, that of 25 October exists twice.
    let order = at("2026-02-28T02:30:00+01:00");
    assert_eq!(anniversary(at("2026-01-29T02:30:00+01:00"), 2, berlin), at("2026-03-29T01:00:00Z"));
    assert_eq!(anniversary(order, 1, berlin), at("2026-03-28T02:30:00+01:00"));
    let order = at("2026-09-25T02:30:00+02:00");
    assert_eq!(anniversary(order, 1, berlin), at("2026-10-25T00:30:00Z"));
}

#[test]
fn days_are_named_by_the_zone() {
    let berlin = chrono_tz::Europe::Berlin;
    assert_eq!(day(at("2026-10-24T22:30:00Z"), berlin), "2026-10-25");
}

#[test]
fn a_month_is_a_year_and_two_digits() {
    let month: Month = "2026-12".parse().unwrap();
    assert_eq!((month.to_string(), month.next().to_string()), ("2026-12".into(), "2027-01".into()));
    for bad in ["", "2026", "2026-13", "2026-00", "26-10", "2026-1", "2026-10-01", "+026-10"] {
        assert!(bad.parse::<Month>().is_err(), "{bad}");
    }
}
