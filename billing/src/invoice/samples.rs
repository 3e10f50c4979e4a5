//! Contents to make documents of, in tests.

use base::{
    id::{InvoiceId, TenantId},
    money::Micros,
    time::Timestamp,
};

use super::{
    Language,
    content::{Content, Issuer, Line, Party, Sums, VERSION},
};

pub fn at(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

/// All of October 2026 in Shanghai.
pub fn line(name: &str, price: &str, net: &str) -> Line {
    Line {
        first_line: None,
        resource_kind: "instance".to_owned(),
        resource_id: "0193a000-0000-7000-8000-000000000001".to_owned(),
        resource_name: name.to_owned(),
        component: "instance.compute".to_owned(),
        flavor: "small".to_owned(),
        what: format!("instance {name}, flavor small"),
        rate: "instance:0193a000-0000-7000-8000-0000000000f1".to_owned(),
        price_version_id: "0193a000-0000-7000-8000-0000000000e1".to_owned(),
        price_book_id: "0193a000-0000-7000-8000-0000000000d1".to_owned(),
        month: "2026-10".to_owned(),
        from: at("2026-10-01T00:00"),
        to: at("2026-11-01T00:00"),
        unit_price: price.parse().unwrap(),
        quantity: 1,
        priced: None,
        net: net.parse().unwrap(),
        tax: Micros::ZERO,
        tax_rate: Micros::ZERO,
        kind: "usage".to_owned(),
        model: "standard".to_owned(),
        unit: 1,
        adjustment: false,
    }
}

pub fn content(currency: &str, lines: Vec<Line>) -> Content {
    let currency: base::money::Currency = currency.parse().unwrap();
    Content {
        version: VERSION,
        id: InvoiceId("0193a000-0000-7000-8000-0000000000a1".parse().unwrap()),
        number: "INV-000042".to_owned(),
        issuer: Issuer {
            name: "Example Cloud Ltd.".to_owned(),
            address: "1 Example Road, Shanghai".to_owned(),
            tax_id: "91310000EXAMPLE".to_owned(),
        },
        party: Party {
            tenant_id: TenantId("0193a000-0000-7000-8000-0000000000b1".parse().unwrap()),
            name: "acme".to_owned(),
            address: String::new(),
            tax_id: String::new(),
        },
        month: "2026-10".to_owned(),
        period_from: at("2026-10-01T00:00"),
        period_to: at("2026-11-01T00:00"),
        timezone: "Asia/Shanghai".to_owned(),
        issued_at: at("2026-11-04T00:00"),
        currency,
        digits: currency.digits(),
        language: Language::English,
        sums: Sums::of(currency, &lines).unwrap(),
        lines,
    }
}
