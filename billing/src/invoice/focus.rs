//! An invoice as CSV in the columns of FOCUS 1.2 (FinOps Open Cost and Usage Specification,
//! focus.finops.org), one row a line; `BilledCost` adds up to the invoice's total.
//!
//! Columns that would always be empty are left out, as the specification lets conditional columns
//! be: OpsHawk has no such thing (capacity reservations, commitment discounts, sub-accounts, virtual
//! currencies), or invoices do not say it (regions, zones, tags). List prices and costs are the
//! contracted ones: an invoice has what the tenant pays, and not what others would. Nulls are empty
//! cells. Times are UTC in whole seconds; the exact
//! milliseconds stand in `x_` columns. Texts that a spreadsheet would take for a formula are made
//! harmless; figures that we wrote are not touched, so that they can be summed.

use base::{Error, Result, money::Micros, time::Timestamp};
use chrono::SecondsFormat;

use super::{
    Content,
    content::{Line, Priced},
    measure::{self, DIGITS},
    sheet,
};
use crate::bill::text;

/// In the order of the specification's list, then our own; of those what is new stands at the end.
pub const COLUMNS: [&str; 46] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "x_Adjustment",
    "x_ChargePeriodEndMs",
    "x_ChargePeriodStartMs",
    "x_EffectivePrice",
    "x_InvoiceMonth",
    "x_Month",
    "x_PricingModel",
    "x_TaxRate",
    "x_FirstLine",
];

pub fn csv(content: &Content) -> Result<String> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    let failed = |e: csv::Error| Error::internal("the CSV can't be written").source(e);
    writer.write_record(COLUMNS).map_err(failed)?;
    let mut write = |row: Row| writer.write_record(row.cells()).map_err(failed);
    for line in &content.lines {
        write(Row::of_line(content, line))?;
    }
    for (rate, tax) in sheet::taxes(content).into_iter().filter(|(_, tax)| *tax != Micros::ZERO) {
        let what = match rate {
            Micros::ZERO => "Tax".to_owned(),
            rate => format!("Tax {}", sheet::percent(rate)),
        };
        write(Row { tax_rate: Some(rate), ..Row::of_invoice(content, "Tax", &what, tax) })?;
    }
    let rounding = content.sums.rounding;
    if rounding != Micros::ZERO {
        let what = "Rounding to the currency's digits";
        write(Row::of_invoice(content, "Adjustment", what, rounding))?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|e| Error::internal("the CSV can't be written").source(e.into_error()))?;
    String::from_utf8(bytes).map_err(|e| Error::internal("the CSV is not UTF-8").source(e))
}

const USAGE: &str = "Usage";

/// What differs between rows; the rest is the invoice's.
struct Row<'a> {
    content: &'a Content,
    line: Option<&'a Line>,
    priced: Option<Priced>,
    category: &'static str,
    tax_rate: Option<Micros>,
    description: String,
    from: Timestamp,
    to: Timestamp,
    billed: Micros,
}

impl<'a> Row<'a> {
    fn of_line(content: &'a Content, line: &'a Line) -> Self {
        let priced = line.priced.clone().or_else(|| measure::priced(line, 0));
        Self {
            content,
            line: Some(line),
            tax_rate: Some(line.tax_rate),
            category: match priced {
                // Use and purchases have a quantity and a price: not so a minimum, and what a late
                // fact moved.
                None => "Adjustment",
                Some(_) if measure::is_bought(line) => "Purchase",
                Some(_) => USAGE,
            },
            priced,
            description: line.what.clone(),
            from: line.from,
            to: line.to,
            billed: line.net,
        }
    }

    fn of_invoice(
        content: &'a Content,
        category: &'static str,
        description: &str,
        billed: Micros,
    ) -> Self {
        Self {
            content,
            line: None,
            priced: None,
            tax_rate: None,
            category,
            description: description.to_owned(),
            from: content.period_from,
            to: content.period_to,
            billed,
        }
    }

    /// In the order of [`COLUMNS`].
    fn cells(&self) -> [String; COLUMNS.len()] {
        let (content, line) = (self.content, self.line);
        let of_line = |f: &dyn Fn(&Line) -> String| line.map(f).unwrap_or_default();
        // What is of all of the tenant's resources is of none.
        let resource = line.filter(|line| !line.resource_id.is_empty());
        let of_resource = |f: &dyn Fn(&Line) -> String| resource.map(f).unwrap_or_default();
        let billed = plain(self.billed.to_string());
        // Only use is consumed. What a month's end makes due is of use that stands on other lines: none
        // of its own.
        let used = line.filter(|_| self.category == USAGE).map(|line| measure::of(line, DIGITS));
        let of_used =
            |f: &dyn Fn(&measure::Measure) -> String| used.as_ref().map(f).unwrap_or_default();
        let of_price =
            |f: &dyn Fn(&Priced) -> String| self.priced.as_ref().map(f).unwrap_or_default();
        let price = of_price(&|priced| priced.price.clone());
        let cost = self.priced.as_ref().map_or(billed.clone(), |priced| priced.cost.clone());
        let late = line.is_some_and(|line| line.month != content.month);
        let service = line.map_or(OTHER, |line| service(&line.component));
        let issuer = text(&content.issuer.name);
        [
            billed.clone(),
            content.party.tenant_id.to_string(),
            text(&content.party.name),
            "Tenant".to_owned(),
            content.currency.code().to_owned(),
            instant(content.period_to),
            instant(content.period_from),
            self.category.to_owned(),
            if late { "Correction" } else { "" }.to_owned(),
            text(&self.description),
            frequency(line).to_owned(),
            instant(self.to),
            instant(self.from),
            of_used(&|used| measure::decimal(used.scaled, DIGITS)),
            of_used(&|used| used.unit.clone()),
            cost.clone(),
            price.clone(),
            billed,
            text(&content.number),
            issuer.clone(),
            cost,
            price,
            if line.is_some() { "Standard" } else { "" }.to_owned(),
            of_price(&|priced| priced.quantity.clone()),
            of_price(&|priced| priced.unit.clone()),
            issuer.clone(),
            issuer,
            of_resource(&|line| text(&line.resource_id)),
            of_resource(&|line| text(&line.resource_name)),
            of_resource(&|line| text(&line.resource_kind)),
            service[0].to_owned(),
            service[1].to_owned(),
            service[2].to_owned(),
            of_line(&sku),
            of_line(&|line| text(&line.component)),
            of_line(&details),
            of_line(&|line| text(&format!("{}/{}", line.price_version_id, line.rate))),
            of_line(&|line| line.adjustment.to_string()),
            self.to.ms().to_string(),
            self.from.ms().to_string(),
            of_price(&|priced| priced.effective.to_string()),
            content.month.clone(),
            of_line(&|line| line.month.clone()),
            of_line(&|line| line.model.clone()),
            self.tax_rate.map(|rate| plain(rate.to_string())).unwrap_or_default(),
            line.and_then(|line| line.first_line).map(|id| id.to_string()).unwrap_or_default(),
        ]
    }
}

/// Category, name and subcategory of a service, in the specification's words.
type Service = [&'static str; 3];
const OTHER: Service = ["Other", "OpsHawk", "Other (Other)"];

fn service(component: &str) -> Service {
    const NETWORK: &str = "Network Infrastructure";
    match component.split_once('.').unwrap_or((component, "")) {
        ("instance", "disk") => ["Storage", "OpsHawk Disks", "Block Storage"],
        ("instance", "net_rx" | "net_tx") => ["Networking", "OpsHawk Traffic", NETWORK],
        ("instance", _) => ["Compute", "OpsHawk Instances", "Virtual Machines"],
        ("server", _) => ["Compute", "OpsHawk Servers", "Other (Compute)"],
        ("volume", _) => ["Storage", "OpsHawk Volumes", "Block Storage"],
        ("snapshot", _) => ["Storage", "OpsHawk Snapshots", "Backup Storage"],
        ("image", _) => ["Storage", "OpsHawk Images", "Other (Storage)"],
        ("bucket", _) => ["Storage", "OpsHawk Buckets", "Object Storage"],
        ("address", _) => ["Networking", "OpsHawk Addresses", NETWORK],
        ("router", _) => ["Networking", "OpsHawk Routers", NETWORK],
        ("bandwidth", _) => ["Networking", "OpsHawk Bandwidth", NETWORK],
        ("package", _) => ["Other", "OpsHawk Packages", "Other (Other)"],
        _ => OTHER,
    }
}

/// Without zeros at the end.
fn plain(decimal: String) -> String {
    sheet::trimmed(&decimal)
}

fn instant(at: Timestamp) -> String {
    at.to_chrono().to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn frequency(line: Option<&Line>) -> &'static str {
    match line {
        Some(line) if measure::is_bought(line) => "Recurring",
        Some(_) => "Usage-Based",
        None => "One-Time",
    }
}

/// A rate's name is its book's own. An invoice of before it said the book says the version, which is
/// of one.
fn sku(line: &Line) -> String {
    let book = match line.price_book_id.as_str() {
        "" => &line.price_version_id,
        book => book,
    };
    text(&format!("{book}/{}/{}", line.component, line.rate))
}

/// A flat JSON object; empty where there is nothing to say.
fn details(line: &Line) -> String {
    match line.flavor.as_str() {
        "" => String::new(),
        // The specification's own name beside ours.
        flavor => serde_json::json!({ "InstanceType": flavor, "x_Flavor": flavor }).to_string(),
    }
}
