//! What invoices say, in each of their forms.

use base::money::Micros;

use super::{
    Language,
    content::{Content, Sums},
    focus, html, measure,
    samples::{at, content, line},
    sheet,
};
use crate::testing::micros;

mod rules;

fn csv_rows(content: &Content) -> Vec<std::collections::BTreeMap<String, String>> {
    let text = focus::csv(content).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        headers.iter().zip(&record).map(|(h, c)| (h.to_owned(), c.to_owned())).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn billed(content: &Content) -> Micros {
    let sum = csv_rows(content).iter().map(|row| micros(&row["BilledCost"]).0).sum();
    Micros(sum)
}

#[test]
fn the_total_has_the_currencys_digits_and_the_csv_adds_up_to_it() {
    for (currency, net, tax, total, shown) in [
        ("CNY", "193.333333", "48.333333", "241.67", "241.67 CNY"),
        ("USD", "193.33", "48.33", "241.66", "241.66 USD"),
        ("JPY", "1234.5", "0", "1234", "1234 JPY"),
        ("KWD", "1.2345", "0.1235", "1.358", "1.358 KWD"),
    ] {
        let mut one = line("web-1", "0.07", net);
        one.tax = micros(tax);
        let content = content(currency, vec![one]);
        let sums = content.sums;
        assert_eq!(sums.total, micros(total), "{currency}");
        assert_eq!(sums.net.0 + sums.tax.0, sums.total.0);
        assert_eq!(sums.lines_net.0 + sums.lines_tax.0 + sums.rounding.0, sums.total.0);
        assert!(content.currency.is_payable(sums.net) && content.currency.is_payable(sums.tax));
        assert_eq!(billed(&content), sums.total, "{currency}");
        for language in Language::ALL {
            let page = html::page(&content, language).unwrap();
            assert!(page.contains(&format!("<td>{shown}</td>")), "{page}");
        }
    }
}

/// What we write as figures, which may be below zero.
const FIGURES: [&str; 11] = [
    "BilledCost",
    "ConsumedQuantity",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "ListCost",
    "ListUnitPrice",
    "PricingQuantity",
    "x_ChargePeriodEndMs",
    "x_ChargePeriodStartMs",
    "x_TaxRate",
];

/// Scenario 30.
#[test]
fn scenario_30_a_formula_for_a_name_is_text_in_every_export() {
    for name in [
        "=HYPERLINK(\"x\")",
        " =HYPERLINK(\"x\")",
        "＝HYPERLINK(\"x\")",
        "@SUM(A1)",
        "+1",
        "-1",
        "\t=1",
    ] {
        let mut named = line(name, "0.07", "52.083333");
        for text in [
            &mut named.what,
            &mut named.resource_id,
            &mut named.resource_kind,
            &mut named.flavor,
            &mut named.rate,
            &mut named.price_book_id,
            &mut named.price_version_id,
        ] {
            *text = name.to_owned();
        }
        let mut content = content("CNY", vec![named]);
        content.party.name = name.to_owned();
        content.issuer.name = name.to_owned();
        content.number = name.to_owned();
        let rows = csv_rows(&content);
        assert_eq!(rows[0]["ResourceName"], format!("'{name}"));
        for (column, cell) in rows.into_iter().flatten() {
            if FIGURES.contains(&column.as_str()) {
                let digits = cell.strip_prefix('-').unwrap_or(&cell);
                assert!(
                    digits.bytes().all(|b| b.is_ascii_digit() || b == b'.'),
                    "{column}: {cell}"
                );
                continue;
            }
            let start = cell.trim_start().chars().next();
            let formula = start.is_some_and(|c| "=+-@＝＋－＠".contains(c));
            assert!(!formula, "{column}: {cell}");
        }
        assert_eq!(billed(&content), micros("52.08"));
        let page = html::page(&content, Language::English).unwrap();
        assert!(!page.contains("HYPERLINK(\""), "{page}");
    }
    let evil = content("CNY", vec![line("<script>alert(1)</script>", "0.07", "1")]);
    assert!(!html::page(&evil, Language::English).unwrap().contains("<script"));
}

#[test]
fn the_csv_has_the_specifications_columns() {
    let mut late = line("db-1", "0.36", "-0.48");
    (late.month, late.adjustment, late.quantity) = ("2026-09".to_owned(), true, -1);
    (late.from, late.to) = (at("2026-09-30T22:40"), at("2026-10-01T00:00"));
    let mut disk = line("web-1", "0.001", "0.125");
    (disk.component, disk.flavor) = ("instance.disk".to_owned(), String::new());
    disk.quantity = 50;
    (disk.from, disk.to) = (at("2026-10-15T10:00"), at("2026-10-15T12:30"));
    let mut taxed = line("web-1", "0.07", "52.08");
    (taxed.tax, taxed.tax_rate) = (micros("3.1248"), micros("0.06"));
    let content = content("CNY", vec![late, disk, taxed]);
    let rows = csv_rows(&content);
    assert_eq!(rows.len(), 5, "three lines, tax and rounding");
    let mandatory = [
        "BilledCost",
        "BillingAccountId",
        "BillingCurrency",
        "BillingPeriodEnd",
        "BillingPeriodStart",
        "ChargeCategory",
        "ChargePeriodEnd",
        "ChargePeriodStart",
        "ContractedCost",
        "EffectiveCost",
        "InvoiceIssuerName",
        "ListCost",
        "ProviderName",
        "PublisherName",
        "ServiceCategory",
        "ServiceName",
    ];
    for row in &rows {
        for column in mandatory {
            assert!(!row[column].is_empty(), "{column} is empty in {row:?}");
        }
    }
    let categories: Vec<&str> = rows.iter().map(|r| r["ChargeCategory"].as_str()).collect();
    assert_eq!(categories, ["Usage", "Usage", "Usage", "Tax", "Adjustment"]);
    assert_eq!(
        (rows[0]["ChargeClass"].as_str(), rows[0]["x_Month"].as_str()),
        ("Correction", "2026-09")
    );
    assert_eq!(rows[0]["ConsumedQuantity"], "-1.333333333333");
    assert_eq!(rows[0]["ContractedCost"], "-0.48");
    assert_eq!(rows[1]["ChargeClass"], "");
    assert_eq!(
        (rows[1]["ConsumedQuantity"].as_str(), rows[1]["ConsumedUnit"].as_str()),
        ("125", "GiB-Hours")
    );
    assert_eq!(
        (rows[1]["ContractedCost"].as_str(), rows[1]["ServiceCategory"].as_str()),
        ("0.125", "Storage")
    );
    assert_eq!(rows[2]["SkuPriceDetails"], r#"{"InstanceType":"small","x_Flavor":"small"}"#);
    assert_eq!(rows[2]["BillingPeriodStart"], "2026-09-30T16:00:00Z");
    let tax = ["BilledCost", "PricingQuantity", "ChargeDescription", "x_TaxRate"];
    assert_eq!(tax.map(|column| rows[3][column].as_str()), ["3.1248", "", "Tax 6 %", "0.06"]);
    assert_eq!(billed(&content), content.sums.total);
}

#[test]
fn late_lines_stand_under_their_own_month() {
    let mut late = line("db-1", "0.36", "-0.36");
    (late.month, late.adjustment) = ("2026-09".to_owned(), true);
    let content = content("CNY", vec![late, line("web-1", "0.07", "52.08")]);
    let english = sheet::sheet(&content, Language::English).unwrap();
    let headings: Vec<&str> = english.sections.iter().map(|s| s.heading.as_str()).collect();
    assert_eq!(headings, ["Use in 2026-10", "Adjustments of 2026-09"]);
    assert_eq!(english.sections[1].subtotal.1, "-0.36");
    let item = &english.sections[0].rows[0];
    assert_eq!(
        item.each_ref().map(String::as_str),
        [
            "Instance web-1, flavor small",
            "2026-10-01 00:00 – 2026-11-01 00:00",
            "744 h",
            "0.07 / h",
            "52.08"
        ]
    );
    let chinese = sheet::sheet(&content, Language::Chinese).unwrap();
    assert_eq!(chinese.sections[1].heading, "2026-09 调整");
    assert_eq!(chinese.sections[0].rows[0][0], "云主机 web-1，规格 small");
    if let Some(dir) = std::env::var_os("OPSHAWK_KEEP_HTML") {
        for language in Language::ALL {
            let path =
                std::path::Path::new(&dir).join(format!("invoice-{}.html", language.as_str()));
            std::fs::write(path, html::page(&content, language).unwrap()).unwrap();
        }
    }
}

/// Traffic by the GiB, a month of a package, what a volume price comes to, and a minimum: each says
/// how much of what it is.
#[test]
fn each_kind_of_charge_is_worded_as_what_it_is() {
    let mut traffic = line("web-1", "0.8", "1.2");
    (traffic.component, traffic.flavor) = ("instance.net_tx".to_owned(), String::new());
    (traffic.quantity, traffic.unit) = (1_610_612_736, 1 << 30);
    let mut package = line("vpn", "30", "30");
    (package.component, package.kind) = ("package.package".to_owned(), "purchase".to_owned());
    let mut volume = line("", "0", "7.2");
    (volume.kind, volume.model, volume.quantity) = ("volume".to_owned(), "volume".to_owned(), 0);
    volume.rate = "small".to_owned();
    let mut minimum = line("web-1", "0.36", "4.28");
    (minimum.kind, minimum.quantity, minimum.rate) = ("minimum".to_owned(), 0, "small".to_owned());
    let content = content("CNY", vec![traffic, package, volume, minimum]);
    let english = sheet::sheet(&content, Language::English).unwrap();
    let said: Vec<[&str; 4]> = english.sections[0]
        .rows
        .iter()
        .map(|row| [&row[0], &row[2], &row[3], &row[4]].map(String::as_str))
        .collect();
    assert_eq!(said[0][1..], ["1.5 GiB", "0.80 / GiB", "1.20"]);
    assert_eq!(said[1], ["Package vpn", "1 month", "30.00 / month", "30.00"]);
    assert_eq!(said[2], ["Volume price of small", "", "by volume", "7.20"]);
    assert_eq!(said[3], ["Minimum of small: web-1", "", "minimum charge", "4.28"]);
    let rows = csv_rows(&content);
    let of = |row: usize, columns: [&str; 5]| columns.map(|column| rows[row][column].clone());
    let columns =
        ["ChargeCategory", "ChargeFrequency", "PricingQuantity", "PricingUnit", "ContractedCost"];
    assert_eq!(of(0, columns), ["Usage", "Usage-Based", "1.5", "GiB", "1.2"]);
    assert_eq!(of(1, columns), ["Purchase", "Recurring", "1", "Months", "30"]);
    // Neither says how much of what at which price, which use must.
    assert_eq!(of(2, columns), ["Adjustment", "Usage-Based", "", "", "7.2"]);
    assert_eq!(of(3, columns), ["Adjustment", "Usage-Based", "", "", "4.28"]);
    // Null but of usage, says the specification.
    let consumed = |row: usize| [&rows[row]["ConsumedQuantity"], &rows[row]["ConsumedUnit"]];
    assert_eq!([0, 1, 2, 3].map(consumed), [["1.5", "GiB"], ["", ""], ["", ""], ["", ""]]);
    assert_eq!(billed(&content), micros("42.68"));
}

/// 193.33 with 25 % and 100 with 6 %, on top: 48.3325 and 6 of tax, by their rates.
#[test]
fn tax_is_summed_by_its_rate_and_who_is_billed_has_an_address() {
    let taxed = |net: &str, tax: &str, rate: &str| {
        let mut one = line("web-1", "1", net);
        (one.tax, one.tax_rate) = (micros(tax), micros(rate));
        one
    };
    let lines = vec![taxed("193.33", "48.3325", "0.25"), taxed("100", "6", "0.06")];
    let mut content = content("CNY", lines);
    content.party.address = "2 Example Street".to_owned();
    content.party.tax_id = "9131".to_owned();
    let sheet = sheet::sheet(&content, Language::English).unwrap();
    let totals: Vec<(&str, &str)> =
        sheet.totals.iter().map(|t| (t.label.as_str(), t.amount.as_str())).collect();
    assert_eq!(
        totals,
        [
            ("Subtotal", "293.33"),
            ("Tax 6 %", "6.00"),
            ("Tax 25 %", "48.3325"),
            ("Rounding", "-0.0025"),
            ("Total", "347.66 CNY"),
            ("Net", "293.33"),
            ("Tax", "54.33"),
        ]
    );
    assert_eq!(sheet.to.lines[..2], ["2 Example Street", "Tax ID: 9131"]);
    let rows: Vec<_> = csv_rows(&content)[2..]
        .iter()
        .map(|row| {
            ["ChargeCategory", "ChargeDescription", "BilledCost", "x_TaxRate"]
                .map(|c| row[c].clone())
        })
        .collect();
    assert_eq!(
        rows,
        [
            ["Tax", "Tax 6 %", "6", "0.06"],
            ["Tax", "Tax 25 %", "48.3325", "0.25"],
            ["Adjustment", "Rounding to the currency's digits", "-0.0025", ""],
        ]
    );
    assert_eq!(billed(&content), micros("347.66"));
}

/// Tiers, a free part and a block say what they came to; a volume's line has the month's use.
#[test]
fn every_form_states_what_multiplies_to_the_amount() {
    let disk = |model: &str, unit_price: &str, net: &str| {
        let mut one = line("web-1", unit_price, net);
        (one.component, one.flavor) = ("instance.disk".to_owned(), String::new());
        (one.quantity, one.model) = (120, model.to_owned());
        one.to = at("2026-10-01T01:00");
        one
    };
    let mut hundreds = disk("standard", "3", "3.6");
    hundreds.unit = 100;
    let used = disk("volume", "0", "0");
    let mut volume = disk("volume", "0", "60");
    (volume.kind, volume.quantity) = ("volume".to_owned(), 0);
    volume.priced = measure::priced(&volume, 120 * 3_600_000);
    let lines = vec![
        disk("standard", "0.01", "1.2"),
        hundreds,
        disk("graduated", "0", "82"),
        disk("standard", "0.8", "80"),
        disk("package", "0", "9"),
        used,
        volume,
    ];
    let content = content("CNY", lines);
    let english = sheet::sheet(&content, Language::English).unwrap();
    let said: Vec<[&str; 2]> =
        english.sections[0].rows.iter().map(|row| [&row[2], &row[3]].map(String::as_str)).collect();
    assert_eq!(
        said,
        [
            ["120 GiB × 1 h", "0.01 / GiB·h"],
            ["120 GiB × 1 h", "3.00 / 100 GiB·h"],
            ["120 GiB × 1 h", "graduated, ≈ 0.683333333 / GiB·h"],
            ["120 GiB × 1 h", "≈ 0.666666667 / GiB·h"],
            ["120 GiB × 1 h", "by the block, ≈ 0.075 / GiB·h"],
            ["120 GiB × 1 h", "by volume"],
            ["120 GiB-Hours", "by volume, ≈ 0.50 / GiB·h"],
        ]
    );
    let columns = [
        "PricingQuantity",
        "PricingUnit",
        "ContractedUnitPrice",
        "ContractedCost",
        "x_EffectivePrice",
    ];
    let rows: Vec<[String; 5]> =
        csv_rows(&content).iter().map(|row| columns.map(|column| row[column].clone())).collect();
    assert_eq!(
        rows,
        [
            ["120", "GiB-Hours", "0.01", "1.2", "false"],
            ["1.2", "100 GiB-Hours", "3", "3.6", "false"],
            ["120", "GiB-Hours", "0.683333333333", "81.99999999996", "true"],
            ["120", "GiB-Hours", "0.666666666667", "80.00000000004", "true"],
            ["120", "GiB-Hours", "0.075", "9", "true"],
            ["120", "GiB-Hours", "0", "0", "true"],
            ["120", "GiB-Hours", "0.5", "60", "true"],
        ]
    );
    let consumed: Vec<String> =
        csv_rows(&content).iter().map(|row| row["ConsumedQuantity"].clone()).collect();
    assert_eq!(consumed, ["120", "1.2", "120", "120", "120", "120", "0"]);
    let models: Vec<String> =
        csv_rows(&content).iter().map(|row| row["x_PricingModel"].clone()).collect();
    assert_eq!(models[2..5], ["graduated", "standard", "package"]);
}

#[test]
fn a_sum_that_does_not_fit_is_an_error() {
    let mut one = line("web-1", "0.07", "1");
    one.net = Micros(i64::MAX);
    assert!(Sums::of("CNY".parse().unwrap(), &[one.clone(), one]).is_err());
}
