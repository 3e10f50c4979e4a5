use proptest::prelude::*;

use super::*;

fn m(micros: i64) -> Micros {
    Micros(micros)
}

fn after(wallet: &Wallet, entries: &[Entry]) -> Wallet {
    let mut wallet = *wallet;
    for entry in entries {
        let has = match entry.account {
            Account::Cash => wallet.cash,
            Account::Bonus => wallet.bonus,
            Account::Receivable => wallet.receivable,
            _ => continue,
        };
        let moved = i64::try_from(entry.moves()).unwrap();
        wallet.set(entry.account, Micros(has.0 + moved));
    }
    wallet
}

#[test]
fn the_bonus_goes_first_and_a_debt_begins_when_all_is_gone() {
    let wallet = Wallet { cash: m(100), bonus: m(20), ..Wallet::default() };
    let spent = |amount, order| {
        let after = after(&wallet, &spend(&wallet, m(amount), m(0), order));
        (after.bonus.0, after.cash.0, after.receivable.0)
    };
    assert_eq!(spent(15, SpendOrder::BonusFirst), (5, 100, 0));
    assert_eq!(spent(60, SpendOrder::BonusFirst), (0, 60, 0));
    assert_eq!(spent(60, SpendOrder::CashFirst), (20, 40, 0));
    assert_eq!(spent(130, SpendOrder::CashFirst), (0, 0, -10));
}

#[test]
fn what_comes_in_pays_the_debt_first() {
    let wallet = Wallet { receivable: m(-30), ..Wallet::default() };
    assert_eq!(put(&wallet, m(20), Account::Cash), [Entry::credit(Account::Receivable, m(20))]);
    let more = put(&wallet, m(50), Account::Bonus);
    assert_eq!(
        more,
        [Entry::credit(Account::Receivable, m(30)), Entry::credit(Account::Bonus, m(20))]
    );
    // A credit: so does what a tenant gets back.
    let back = after(&wallet, &spend(&wallet, m(-40), m(-10), SpendOrder::BonusFirst));
    assert_eq!((back.cash, back.receivable), (m(20), m(0)));
}

fn wallets() -> impl Strategy<Value = Wallet> {
    let has = (0..1_000i64, 0..1_000i64).prop_map(|(cash, bonus)| Wallet {
        cash: m(cash),
        bonus: m(bonus),
        ..Wallet::default()
    });
    let owes = (0..1_000i64).prop_map(|owed| Wallet { receivable: m(-owed), ..Wallet::default() });
    prop_oneof![has, owes]
}

proptest! {
    #[test]
    fn every_charge_and_credit_balances_and_keeps_the_wallet_sound(
        wallet in wallets(),
        net in -2_000..2_000i64,
        tax in -2_000..2_000i64,
        cash_first in any::<bool>(),
    ) {
        let order = if cash_first { SpendOrder::CashFirst } else { SpendOrder::BonusFirst };
        let entries = spend(&wallet, m(net), m(tax), order);
        prop_assert_eq!(entries.iter().map(Entry::moves).sum::<i128>(), 0);
        prop_assert!(entries.len() <= 5 && entries.iter().all(|e| e.amount > Micros::ZERO));
        let after = after(&wallet, &entries);
        prop_assert_eq!(after.balance().0, wallet.balance().0 - net - tax);
        for (account, balance) in [
            (Account::Cash, after.cash),
            (Account::Bonus, after.bonus),
            (Account::Receivable, after.receivable),
        ] {
            prop_assert!(account.may_be(balance), "{account} {balance}");
        }
        let has = after.cash.0 + after.bonus.0;
        prop_assert!(has == 0 || after.receivable == Micros::ZERO, "{:?}", after);
    }
}
