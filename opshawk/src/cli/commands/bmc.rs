//! `opshawk bmc probe`: one look at a BMC, without a server.

use bmc::{Credentials, error::BmcError, ipmi::Options, probe::ProbeReport};
use serde_json::{Value, json};

use super::{Column, Failure, col, password_from_stdin};
use crate::cli::{
    args::ProbeArgs,
    exit::Code,
    output::{self, Format},
};

const DEVICE: &[Column] = &[
    col("POWER", "/power"),
    col("MANUFACTURER", "/device/manufacturer"),
    col("MANUFACTURER ID", "/device/manufacturer_id"),
    col("PRODUCT ID", "/device/product_id"),
    col("FIRMWARE", "/device/firmware"),
    col("IPMI VERSION", "/device/ipmi_version"),
    col("CIPHER SUITE", "/session/cipher_suite"),
    col("ALGORITHMS", "/session/algorithms"),
    col("PRIVILEGE", "/session/privilege"),
    col("SUITES OFFERED", "/offered_suites"),
];

const SENSOR: &[Column] = &[
    col("SENSOR", "/name"),
    col("TYPE", "/kind"),
    col("VALUE", "/value"),
    col("UNIT", "/unit"),
    col("STATE", "/state"),
];

const FINDING: &[Column] =
    &[col("SEVERITY", "/severity"), col("FINDING", "/reason"), col("REMEDY", "/remedy")];

pub async fn probe(args: &ProbeArgs, format: Format) -> Result<(), Failure> {
    let credentials = Credentials::new(&args.user, password_from_stdin()?);
    let report = bmc::probe(&args.address, credentials, Options::default()).await;
    let report: ProbeReport = report.map_err(|error| {
        let code = match &error {
            BmcError::Unreachable { .. } => Code::Timeout,
            BmcError::UnknownUser { .. } | BmcError::WrongPassword { .. } => Code::Auth,
            _ => Code::Failed,
        };
        Failure::new(code, format!("{}: {error} ({})", args.address, error.remedy()))
    })?;
    let whole = json!(report);
    let list = |field: &str| whole[field].as_array().cloned().unwrap_or_default();
    match format {
        Format::Json | Format::Yaml => output::show_one(format, DEVICE, &whole),
        Format::Csv => output::show_list(format, SENSOR, &list("sensors")),
        Format::Table | Format::Wide => {
            output::show_one(format, DEVICE, &whole)?;
            section("SENSORS", format, SENSOR, &list("sensors"))?;
            section("FINDINGS", format, FINDING, &list("findings"))
        }
    }
}

fn section(
    title: &str,
    format: Format,
    columns: &[Column],
    items: &[Value],
) -> Result<(), Failure> {
    if items.is_empty() {
        return output::print(&format!("\n{title}: none\n"));
    }
    output::print("\n")?;
    output::show_list(format, columns, items)
}
