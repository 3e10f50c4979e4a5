use proptest::prelude::*;

use super::*;

fn ms(ms: i64) -> Option<Timestamp> {
    Some(Timestamp::from_ms(ms))
}

fn step(kind: Kind, about: Option<LedgerTransactionId>, micros: i64) -> Move {
    let transaction = LedgerTransactionId::new();
    Move { transaction, kind, about, micros, expires: None, has_ended: false }
}

fn grant(micros: i64, expires: Option<Timestamp>) -> Move {
    Move { expires, ..step(Kind::Bonus, None, micros) }
}

fn lefts(moves: &[Move]) -> Vec<i64> {
    left(moves).unwrap().iter().map(|grant| grant.left.0).collect()
}

#[test]
fn what_ends_soonest_is_spent_first() {
    let (never, late, soon) = (grant(10, None), grant(10, ms(9)), grant(10, ms(5)));
    let spent = |micros: i64| lefts(&[never, late, soon, step(Kind::Charge, None, -micros)]);
    assert_eq!(spent(4), [10, 10, 6]);
    assert_eq!(spent(14), [10, 6, 0]);
    assert_eq!(spent(30), [0, 0, 0]);
    assert!(left(&[never, step(Kind::Charge, None, -11)]).is_err());
}

#[test]
fn a_hold_gives_back_what_it_took() {
    let (late, soon) = (grant(10, ms(9)), grant(10, ms(5)));
    let hold = step(Kind::Hold, None, -14);
    let back = |micros: i64| step(Kind::HoldEnd, Some(hold.transaction), micros);
    assert_eq!(lefts(&[late, soon, hold]), [6, 0]);
    assert_eq!(lefts(&[late, soon, hold, back(14)]), [10, 10]);
    // What was not given back paid: from what ends soonest.
    assert_eq!(lefts(&[late, soon, hold, back(6)]), [10, 2]);
    assert!(left(&[late, soon, hold, back(15)]).is_err());
}

/// Posted wholly, or paid into a debt, it ends without an entry of the bonus.
#[test]
fn a_hold_that_has_ended_holds_nothing() {
    let given = grant(20, None);
    let open = step(Kind::Hold, None, -14);
    let ended = Move { has_ended: true, ..step(Kind::Hold, None, -5) };
    let held = |moves: &[Move]| left(moves).unwrap()[0].held.0;
    assert_eq!(held(&[given, open]), 14);
    assert_eq!(held(&[given, ended]), 0);
    assert_eq!(held(&[given, open, ended]), 14);
    let back = step(Kind::HoldEnd, Some(ended.transaction), 3);
    assert_eq!(held(&[given, open, ended, back]), 14);
    assert_eq!(lefts(&[given, open, ended, back]), [4]);
}

#[test]
fn a_bonus_that_ends_takes_only_its_own() {
    let (a, b) = (grant(10, ms(5)), grant(10, None));
    let end = |of: &Move, micros: i64| step(Kind::BonusEnd, Some(of.transaction), micros);
    assert_eq!(lefts(&[a, b, step(Kind::Charge, None, -3), end(&a, -7)]), [0, 10]);
    assert_eq!(lefts(&[a, b, end(&b, -10)]), [10, 0]);
    assert!(left(&[a, b, end(&a, -11)]).is_err());
    assert!(left(&[a, end(&b, -1)]).is_err());
}

proptest! {
    #[test]
    fn what_is_left_is_the_accounts_balance(steps in prop::collection::vec((0..3u8, 1..50i64), 1..60)) {
        let mut moves: Vec<Move> = Vec::new();
        let mut balance = 0;
        for (kind, micros) in steps {
            let next = match kind {
                0 => grant(micros, ms(micros)),
                1 => grant(micros, None),
                _ => step(Kind::Charge, None, -micros.min(balance)),
            };
            if next.micros == 0 {
                continue;
            }
            balance += next.micros;
            moves.push(next);
            let left = left(&moves).unwrap();
            prop_assert_eq!(left.iter().map(|g| g.left.0).sum::<i64>(), balance);
            prop_assert!(left.iter().all(|g| g.left >= Micros::ZERO));
        }
    }
}
