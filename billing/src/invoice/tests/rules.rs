//! The rules of FOCUS 1.2, held beside every row of every sort of invoice.

use std::collections::BTreeMap;

use base::money::Micros;

use super::csv_rows;
use crate::{
    invoice::{
        Content,
        content::Line,
        focus, measure,
        samples::{at, content, line},
    },
    prices::components,
    testing::micros,
};

type Cells = BTreeMap<String, String>;

/// A rule, and cells of a row of use that break it.
struct Rule {
    says: &'static str,
    holds: fn(&Cells) -> bool,
    broken: &'static [(&'static str, &'static str)],
}

const fn rule(
    says: &'static str,
    holds: fn(&Cells) -> bool,
    broken: &'static [(&'static str, &'static str)],
) -> Rule {
    Rule { says, holds, broken }
}

const NEVER_NULL: [&str; 21] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
];
const DECIMALS: [&str; 8] = [
    "BilledCost",
    "ConsumedQuantity",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "ListCost",
    "ListUnitPrice",
    "PricingQuantity",
];
/// Of what has no use: null of tax, and we know none of credits and adjustments either.
const OF_USE: [&str; 6] = [
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedUnitPrice",
    "ListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
];
/// Of the ones that the specification allows, those that a cloud of machines can need.
const SERVICES: [(&str, &[&str]); 4] = [
    ("Compute", &["Containers", "Serverless Compute", "Virtual Machines", "Other (Compute)"]),
    (
        "Networking",
        &[
            "Network Connectivity",
            "Network Infrastructure",
            "Network Routing",
            "Other (Networking)",
        ],
    ),
    (
        "Storage",
        &["Backup Storage", "Block Storage", "File Storage", "Object Storage", "Other (Storage)"],
    ),
    ("Other", &["Other (Other)"]),
];

const RULES: [Rule; 20] = [
    rule(
        "what is never null is not",
        |row| NEVER_NULL.iter().all(|column| !row[*column].is_empty()),
        &[("ServiceName", "")],
    ),
    rule(
        "a decimal is a plain number",
        |row| {
            DECIMALS.iter().all(|column| row[*column].is_empty() || scaled(&row[*column]).is_some())
        },
        &[("BilledCost", "+1,5")],
    ),
    rule(
        "instants are in UTC, and a period ends after it begins",
        |row| {
            ["BillingPeriod", "ChargePeriod"].iter().all(|period| {
                let [from, to] =
                    ["Start", "End"].map(|end| row[&format!("{period}{end}")].as_str());
                [from, to].iter().all(|at| at.len() == 20 && at.ends_with('Z')) && from < to
            })
        },
        &[("ChargePeriodEnd", "2026-01-01T00:00:00Z")],
    ),
    rule(
        "ChargeCategory is one of five",
        |row| {
            ["Usage", "Purchase", "Tax", "Credit", "Adjustment"].contains(&&*row["ChargeCategory"])
        },
        &[("ChargeCategory", "Rounding")],
    ),
    rule(
        "ChargeClass is null or Correction",
        |row| ["", "Correction"].contains(&&*row["ChargeClass"]),
        &[("ChargeClass", "Late")],
    ),
    rule(
        "ChargeClass is Correction where an earlier period is corrected, and there alone",
        |row| {
            let late = !row["x_Month"].is_empty() && row["x_Month"] != row["x_InvoiceMonth"];
            late != row["ChargeClass"].is_empty()
        },
        &[("x_Month", "2026-08")],
    ),
    rule(
        "ChargeFrequency is one of three",
        |row| ["One-Time", "Recurring", "Usage-Based"].contains(&&*row["ChargeFrequency"]),
        &[("ChargeFrequency", "Monthly")],
    ),
    rule(
        "no purchase is Usage-Based",
        |row| row["ChargeCategory"] != "Purchase" || row["ChargeFrequency"] != "Usage-Based",
        &[("ChargeCategory", "Purchase"), ("ChargeFrequency", "Usage-Based")],
    ),
    rule(
        "PricingCategory is null or one of four",
        |row| ["", "Standard", "Dynamic", "Committed", "Other"].contains(&&*row["PricingCategory"]),
        &[("PricingCategory", "graduated")],
    ),
    rule(
        "tax has no category of price, no SKU",
        |row| {
            let columns = ["PricingCategory", "SkuId", "SkuPriceId"];
            row["ChargeCategory"] != "Tax" || columns.iter().all(|column| row[*column].is_empty())
        },
        &[("ChargeCategory", "Tax"), ("SkuId", ""), ("SkuPriceId", "")],
    ),
    rule(
        "use and purchases have a price, a quantity and a SKU, but for corrections",
        |row| {
            let columns = [
                "ContractedUnitPrice",
                "ListUnitPrice",
                "PricingCategory",
                "PricingQuantity",
                "SkuId",
                "SkuPriceId",
            ];
            let needs = is_used(row) && row["ChargeClass"].is_empty();
            !needs || columns.iter().all(|column| !row[*column].is_empty())
        },
        &[("ListUnitPrice", "")],
    ),
    rule(
        "tax, credits and adjustments have no unit price and no quantity",
        |row| is_used(row) || OF_USE.iter().all(|column| row[*column].is_empty()),
        &[("ChargeCategory", "Credit")],
    ),
    rule(
        "only use is consumed, and it is",
        |row| {
            let correction = !row["ChargeClass"].is_empty();
            let is_null = row["ConsumedQuantity"].is_empty();
            match row["ChargeCategory"].as_str() {
                "Usage" => !is_null || correction,
                _ => is_null,
            }
        },
        &[("ChargeCategory", "Purchase")],
    ),
    rule(
        "a quantity has a unit, and no unit is without",
        |row| {
            ["Consumed", "Pricing"].iter().all(|of| {
                let [quantity, unit] =
                    ["Quantity", "Unit"].map(|what| &row[&format!("{of}{what}")]);
                quantity.is_empty() == unit.is_empty()
            })
        },
        &[("PricingUnit", "")],
    ),
    rule(
        "a unit price is not below zero",
        |row| {
            ["ContractedUnitPrice", "ListUnitPrice"]
                .iter()
                .all(|price| !row[*price].starts_with('-'))
        },
        &[("ContractedUnitPrice", "-0.07")],
    ),
    rule(
        "quantity times price is the cost, but for corrections",
        |row| {
            ["Contracted", "List"].iter().all(|of| {
                let [price, cost] =
                    ["UnitPrice", "Cost"].map(|what| scaled(&row[&format!("{of}{what}")]));
                match (scaled(&row["PricingQuantity"]), price, cost) {
                    (Some(quantity), Some(price), Some(cost)) => {
                        let off = quantity * price - cost * ONE;
                        !row["ChargeClass"].is_empty() || off.abs() * 2 <= ONE
                    }
                    _ => true,
                }
            })
        },
        &[("ContractedCost", "52.080001")],
    ),
    rule(
        "what has no price costs what is billed",
        |row| {
            let costs = ["ContractedCost", "EffectiveCost", "ListCost"];
            !row["PricingQuantity"].is_empty()
                || costs.iter().all(|cost| row[*cost] == row["BilledCost"])
        },
        &[("PricingQuantity", ""), ("ListCost", "1")],
    ),
    rule(
        "what is of no resource has no name and no type, and what is of one has a type",
        |row| {
            let is_null = |column: &str| row[column].is_empty();
            match is_null("ResourceId") {
                true => is_null("ResourceName") && is_null("ResourceType"),
                false => !is_null("ResourceType"),
            }
        },
        &[("ResourceId", "")],
    ),
    rule(
        "what describes a SKU has one",
        |row| {
            let describes = !row["SkuMeter"].is_empty() || !row["SkuPriceDetails"].is_empty();
            !describes || (!row["SkuId"].is_empty() && !row["SkuPriceId"].is_empty())
        },
        &[("SkuId", "")],
    ),
    rule(
        "a subcategory is of its category",
        |row| {
            let category =
                SERVICES.iter().find(|(category, _)| *category == row["ServiceCategory"]);
            category.is_some_and(|(_, all)| all.contains(&&*row["ServiceSubcategory"]))
        },
        &[("ServiceCategory", "Storage")],
    ),
];

/// Of [`scaled`] figures.
const ONE: i128 = 10i128.pow(measure::DIGITS);

/// A plain decimal of at most twelve digits, by ten to the twelfth.
fn scaled(decimal: &str) -> Option<i128> {
    let digits = decimal.strip_prefix('-').unwrap_or(decimal);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let width = usize::try_from(measure::DIGITS).unwrap();
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) || fraction.len() > width {
        return None;
    }
    let size: i128 = format!("{whole}{fraction:0<width$}").parse().ok()?;
    Some(if decimal.starts_with('-') { -size } else { size })
}

fn is_used(row: &Cells) -> bool {
    ["Usage", "Purchase"].contains(&&*row["ChargeCategory"])
}

fn changed(mut line: Line, change: impl FnOnce(&mut Line)) -> Line {
    change(&mut line);
    line
}

/// An invoice of each sort, and one with everything that can have a price.
fn samples() -> Vec<(&'static str, Content)> {
    let one = || line("web-1", "0.07", "52.08");
    let taxed = |net: &str, tax: &str, rate: &str| {
        changed(line("web-1", "1", net), |line| {
            (line.tax, line.tax_rate) = (micros(tax), micros(rate));
        })
    };
    let back = |line: &mut Line| {
        (line.kind, line.adjustment) = ("adjustment".to_owned(), true);
        (line.quantity, line.net) = (-line.quantity, Micros(-line.net.0));
    };
    let tier = |model: &str| changed(line("web-1", "0", "82"), |l| l.model = model.to_owned());
    let volume = changed(line("", "0", "60"), |line| {
        (line.kind, line.model) = ("volume".to_owned(), "volume".to_owned());
        (line.quantity, line.resource_id) = (0, String::new());
        line.priced = measure::priced(line, 744 * 3_600_000);
    });
    let due = |kind: &str| {
        changed(line("web-1", "0.36", "4.28"), |line| {
            (line.kind, line.quantity) = (kind.to_owned(), 0);
        })
    };
    // What was taken back costs: by tiers a late fact can do that.
    let moved = changed(one(), |line| {
        back(line);
        (line.model, line.net) = ("graduated".to_owned(), micros("0.5"));
    });
    let each = components::all().map(|component| {
        changed(one(), |line| {
            line.component = component.name.to_owned();
            line.resource_kind = component.name.split('.').next().unwrap().to_owned();
        })
    });
    let first_line = "0193a000-0000-7000-8000-0000000000b1.42.0".parse().ok();
    vec![
        ("use", content("CNY", vec![changed(one(), |line| line.first_line = first_line)])),
        (
            "taxes and rounding",
            content("CNY", vec![taxed("193.33", "48.3325", "0.25"), taxed("100", "6", "0.06")]),
        ),
        ("rounding down", content("JPY", vec![line("web-1", "0.07", "1234.5")])),
        (
            "an earlier month",
            content(
                "CNY",
                vec![changed(one(), |line| {
                    back(line);
                    line.month = "2026-09".to_owned();
                    (line.from, line.to) = (at("2026-09-01T00:00"), at("2026-10-01T00:00"));
                })],
            ),
        ),
        (
            "a corrected price",
            content("CNY", vec![one(), changed(one(), back), line("web-1", "0.05", "37.2")]),
        ),
        ("tiers and blocks", content("CNY", vec![tier("graduated"), tier("package"), moved])),
        ("a month's end", content("CNY", vec![volume, due("minimum"), due("adjustment")])),
        ("everything", content("CNY", each.collect())),
    ]
}

#[test]
fn every_row_keeps_the_specifications_rules() {
    for (sort, content) in samples() {
        let rows = csv_rows(&content);
        for row in &rows {
            for Rule { says, holds, .. } in &RULES {
                assert!(holds(row), "{sort}: {says}: {row:#?}");
            }
        }
        let billed = rows.iter().map(|row| micros(&row["BilledCost"]).0).sum();
        assert_eq!(Micros(billed), content.sums.total, "{sort}");
    }
}

/// A rule that holds of anything says nothing.
#[test]
fn every_rule_can_be_broken() {
    let (_, content) = samples().remove(0);
    let [good] = csv_rows(&content).try_into().unwrap();
    for Rule { says, holds, broken } in RULES {
        let mut bad: Cells = good.clone();
        for (column, cell) in broken {
            bad.insert((*column).to_owned(), (*cell).to_owned());
        }
        assert!(holds(&good) && !holds(&bad), "{says}");
    }
}

#[test]
fn no_column_is_always_empty() {
    let rows: Vec<Cells> = samples().iter().flat_map(|(_, content)| csv_rows(content)).collect();
    for column in focus::COLUMNS {
        assert!(rows.iter().any(|row| !row[column].is_empty()), "{column}");
    }
}

/// One rate's name in two books, or of two components, is two products.
#[test]
fn a_sku_is_of_one_book_and_component() {
    let other_book =
        changed(line("web-1", "0.07", "1"), |line| line.price_book_id = "other".to_owned());
    let disk = changed(line("web-1", "0.07", "1"), |l| l.component = "instance.disk".to_owned());
    let later = changed(line("web-1", "0.08", "1"), |l| l.price_version_id = "later".to_owned());
    let old = changed(line("web-1", "0.07", "1"), |line| line.price_book_id = String::new());
    let all = content("CNY", vec![line("web-1", "0.07", "1"), other_book, disk, later, old]);
    let skus: Vec<String> = csv_rows(&all).iter().map(|row| row["SkuId"].clone()).collect();
    let rate = "instance:0193a000-0000-7000-8000-0000000000f1";
    assert_eq!(skus[0], format!("0193a000-0000-7000-8000-0000000000d1/instance.compute/{rate}"));
    assert_eq!(skus[1], format!("other/instance.compute/{rate}"));
    assert_eq!(skus[2], format!("0193a000-0000-7000-8000-0000000000d1/instance.disk/{rate}"));
    assert_eq!(skus[3], skus[0], "a new version has the same products");
    assert_eq!(skus[4], format!("0193a000-0000-7000-8000-0000000000e1/instance.compute/{rate}"));
}
