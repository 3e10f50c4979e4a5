//! Scenario 29's part: notes and the invoice they take from.

use base::ErrorKind;
use chrono_tz::Asia::Shanghai;

use super::*;
use crate::{
    accounts,
    calendar::Month,
    close::charges::{Charge, Terms},
    explain::LineId,
    invoice::{issue::issue, samples::at},
    testing::{World, micros},
};

/// An invoice over a charge of that net and tax, which nothing was posted for.
async fn invoice(world: &World, net: &str, tax: &str) -> InvoiceId {
    let charge = Charge {
        first_line: LineId { tenant: world.tenant, charge: 1, position: 0 },
        resource_kind: "instance".to_owned(),
        resource_id: "i".to_owned(),
        resource_name: "web-1".to_owned(),
        what: "instance web-1, flavor small".to_owned(),
        component: "instance.compute".to_owned(),
        flavor: "small".to_owned(),
        rate: "small".to_owned(),
        price_version: "v".to_owned(),
        price_book: "b".to_owned(),
        month: "2026-10".to_owned(),
        from: at("2026-10-01T00:00"),
        to: at("2026-11-01T00:00"),
        unit_price: "1".parse().unwrap(),
        quantity: 1,
        measure: 0,
        net: micros(net),
        tax: micros(tax),
        kind: "usage".to_owned(),
        terms: Terms { model: "standard", unit: 1, tax_rate: micros("0.25") },
        adjustment: false,
    };
    let (now, month) = (at("2026-11-04T00:00"), Month::of(at("2026-10-15T00:00"), Shanghai));
    let id = InvoiceId::new();
    world
        .write(async |tx| {
            let mut locked = accounts::lock(tx, world.tenant).await?;
            issue(tx, now, &world.settings, &mut locked, id, month, vec![charge]).await
        })
        .await
        .unwrap();
    id
}

async fn note(world: &World, invoice: InvoiceId, amount: Amount) -> Result<CreditNote> {
    let (now, settings) = (at("2026-11-05T00:00"), &world.settings.invoice);
    world
        .write(async |tx| {
            credit(tx, now, settings, invoice, amount, "an outage", "user:test").await
        })
        .await
}

fn total(amount: &str) -> Amount {
    Amount::Total(micros(amount))
}

#[tokio::test]
async fn scenario_29_credit_notes_stay_within_their_invoice_and_add_up() {
    for world in World::each().await {
        world.topup(at("2026-10-01T00:00"), "1000").await;
        let invoice = invoice(&world, "193.33", "48.33").await;
        let before = world.balance(at("2026-11-04T12:00")).await.balance;
        let over = note(&world, invoice, total("241.67")).await.unwrap_err();
        assert_eq!(over.kind, ErrorKind::Conflict, "{over}");
        for (amount, field) in [("0", "total"), ("-1", "total"), ("0.001", "total")] {
            let error = note(&world, invoice, total(amount)).await.unwrap_err();
            assert_eq!(error.field.as_deref(), Some(field), "{amount}");
        }
        let mut sums = (0, 0);
        for (nth, amount) in ["100", "41.66", "99.99"].into_iter().enumerate() {
            let note = note(&world, invoice, total(amount)).await.unwrap();
            assert_eq!(note.number, format!("CN-{:06}", nth + 1));
            assert_eq!((note.total, note.net.0 + note.tax.0), (micros(amount), note.total.0));
            sums = (sums.0 + note.net.0, sums.1 + note.tax.0);
        }
        let over = note(&world, invoice, total("0.02")).await.unwrap_err();
        assert_eq!(over.kind, ErrorKind::Conflict, "{over}");
        let last = note(&world, invoice, total("0.01")).await.unwrap();
        // Together they are the invoice, to the last digit of its tax.
        let all = (Micros(sums.0 + last.net.0), Micros(sums.1 + last.tax.0));
        assert_eq!(all, (micros("193.33"), micros("48.33")));
        let seen = world.read(async |c| crate::invoice::get(c, invoice).await).await;
        assert_eq!((seen.total, seen.credited), (micros("241.66"), micros("241.66")));
        let after = world.balance(at("2026-11-05T12:00")).await.balance;
        assert_eq!(after.0 - before.0, micros("241.66").0);
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn the_database_refuses_a_note_above_the_invoice() {
    for world in World::each().await {
        let invoice = invoice(&world, "10", "2.5").await;
        let parts = |net, tax| Amount::Parts { net: micros(net), tax: micros(tax) };
        let over = note(&world, invoice, parts("9", "2.51")).await.unwrap_err();
        assert_eq!(over.kind, ErrorKind::Conflict, "{over}");
        note(&world, invoice, parts("9", "2.5")).await.unwrap();
        // What is left has no tax any more.
        let last = note(&world, invoice, total("1")).await.unwrap();
        assert_eq!((last.net, last.tax), (micros("1"), Micros::ZERO));
        let done = world
            .write(async |tx| {
                let id = invoice.to_string();
                let insert = sqlx::query(
                    "INSERT INTO credit_notes (id, series, number, invoice_id, net_micros, \
                     tax_micros, total_micros, reason, transaction_id, issued_ms) \
                     VALUES ('x', 'X', 1, $1, 1, 0, 1, 'by hand', 't', 0)",
                );
                Ok(insert.bind(id).execute(tx).await?.rows_affected())
            })
            .await;
        assert!(done.is_err(), "{done:?}");
    }
}
