//! Use and cost of a period in groups, from the lines that were rated.
//!
//! A line that reaches beyond the period, or over midnight, is cut in proportion to time, and its
//! parts add up to it: groups of adjoining periods, or of days, sum to what was charged.

use std::collections::BTreeMap;

use base::{
    Error, Result,
    db::Conn,
    id::TenantId,
    money::{MS_PER_HOUR, Micros, div_half_even},
    time::Timestamp,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    accounts,
    calendar::{self, Month},
    close::charges::{self, Used},
    prices::components,
    sql::parse,
};

mod export;
mod labels;

pub use export::csv;
use labels::Labels;

/// Of one report.
pub const ROWS_MAX: usize = 10_000;
/// A little more than a year.
pub const PERIOD_MAX_DAYS: i64 = 400;
const DAY_MS: i64 = 24 * MS_PER_HOUR;

/// What makes a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    #[default]
    Resource,
    Component,
    /// Of the tenant's billing zone.
    Day,
    Tenant,
    /// What one label says of the resources, at each instant of their use.
    Label,
}

/// From the beginning of the month, and up to now, where not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostReport {
    pub from: Timestamp,
    pub to: Timestamp,
    pub group: Group,
    /// By day in order of time, otherwise the dearest first.
    pub rows: Vec<CostRow>,
    /// One a currency.
    pub totals: Vec<CostTotal>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostRow {
    /// The resource's or tenant's id, the component, the day as `YYYY-MM-DD`, or the label's value;
    /// empty: without the label.
    pub key: String,
    /// As it was called last; the key where it has no name.
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    pub net: Micros,
    pub tax: Micros,
    pub usage: Vec<Usage>,
}

/// How much of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Usage {
    /// `instance.compute`, `instance.disk`.
    pub component: String,
    /// Units times hours, with up to six decimals; zero of what is counted.
    pub unit_hours: Micros,
    /// Units of what is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostTotal {
    pub currency: String,
    pub net: Micros,
    pub tax: Micros,
}

/// The report of a tenant; of all of them by tenant. A label is named where it makes the rows.
pub async fn cost(
    conn: &mut Conn,
    now: Timestamp,
    tenant: Option<TenantId>,
    period: Period,
    group: Group,
    label: Option<&str>,
) -> Result<CostReport> {
    check_label(group, label)?;
    let tenants = match (tenant, group) {
        (Some(tenant), _) => vec![tenant],
        (None, Group::Tenant) => all_tenants(conn).await?,
        (None, _) => {
            return Err(Error::invalid("tenant_id", "whose costs? name a tenant")
                .remedy("give tenant_id, or group=tenant for all"));
        }
    };
    let to = period.to.unwrap_or(now);
    let mut from = period.from.unwrap_or(to);
    let mut rows: BTreeMap<(String, String), Sum> = BTreeMap::new();
    for tenant in tenants {
        let account = accounts::get(conn, tenant).await?;
        let zone = account.timezone;
        let start = start(period, to, zone)?;
        from = from.min(start);
        let name = name(conn, tenant).await?;
        let labels = match label {
            Some(label) => Labels::load(conn, tenant, start, label).await?,
            None => Labels::default(),
        };
        let mut add = |used: Used| {
            let whose = Whose { tenant, name: &name, currency: &account.currency, zone };
            add(&mut rows, group, &whose, &labels, used)
        };
        charges::used(conn, tenant, zone, start, to, &mut add).await?;
    }
    report(rows, from, to, group)
}

/// The labels that a tenant's resources had in a period: what its costs can be grouped by.
pub async fn label_names(
    conn: &mut Conn,
    now: Timestamp,
    tenant: TenantId,
    period: Period,
) -> Result<Vec<String>> {
    let to = period.to.unwrap_or(now);
    let zone = accounts::get(conn, tenant).await?.timezone;
    labels::names(conn, tenant, start(period, to, zone)?, to).await
}

/// Of a period up to `to`.
fn start(period: Period, to: Timestamp, zone: Tz) -> Result<Timestamp> {
    let from = period.from.unwrap_or_else(|| Month::of(to, zone).start(zone));
    if from >= to {
        return Err(Error::invalid("to", "a period must end after it begins"));
    }
    if to.since_ms(from) > PERIOD_MAX_DAYS * DAY_MS {
        let message = format!("a report covers at most {PERIOD_MAX_DAYS} days");
        return Err(Error::invalid("from", message).remedy("ask for a shorter period"));
    }
    Ok(from)
}

fn check_label(group: Group, label: Option<&str>) -> Result<()> {
    match (group, label) {
        (Group::Label, Some(name)) if labels::is_name(name) => Ok(()),
        (Group::Label, _) => Err(Error::invalid("label", "by which label? name one")
            .remedy("give label, such as label=team for what is told as label.team")),
        (_, None) => Ok(()),
        (_, Some(_)) => Err(Error::invalid("label", "a label makes no rows of this group")
            .remedy("give group=label with it")),
    }
}

async fn all_tenants(conn: &mut Conn) -> Result<Vec<TenantId>> {
    let ids: Vec<String> =
        sqlx::query_scalar("SELECT tenant_id FROM accounts ORDER BY tenant_id LIMIT $1")
            .bind(i64::try_from(ROWS_MAX + 1).unwrap_or(i64::MAX))
            .fetch_all(conn)
            .await?;
    if ids.len() > ROWS_MAX {
        return Err(Error::invalid("group", format!("there are over {ROWS_MAX} tenants"))
            .remedy("ask for one tenant at a time"));
    }
    ids.iter().map(|id| parse(id)).collect()
}

async fn name(conn: &mut Conn, tenant: TenantId) -> Result<String> {
    let name = sqlx::query_scalar("SELECT name FROM tenants WHERE id = $1")
        .bind(tenant.to_string())
        .fetch_one(conn)
        .await?;
    Ok(name)
}

#[derive(Debug, Default)]
struct Sum {
    name: String,
    /// Of the line that named it.
    named: Timestamp,
    net: i128,
    tax: i128,
    /// Units times milliseconds; of what is counted, units.
    usage: BTreeMap<String, i128>,
}

struct Whose<'a> {
    tenant: TenantId,
    name: &'a str,
    currency: &'a str,
    zone: Tz,
}

/// Adds a line's part, cut by days, or where its label changes, where they are asked for.
fn add(
    rows: &mut BTreeMap<(String, String), Sum>,
    group: Group,
    whose: &Whose<'_>,
    labels: &Labels,
    used: Used,
) -> Result<()> {
    let mut rest = Some(used);
    while let Some(used) = rest.take() {
        let used = match group {
            Group::Day => {
                let midnight = calendar::day_end(used.from, whose.zone);
                let (first, later) = used.cut(midnight);
                rest = later;
                first
            }
            Group::Label => {
                let (_, until) = labels.at(&used.resource_id, used.from);
                let (first, later) = used.cut(until);
                rest = later;
                first
            }
            _ => used,
        };
        let (key, name) = match group {
            Group::Resource => (used.resource_id.clone(), used.resource_name.clone()),
            Group::Component => (used.component.clone(), used.component.clone()),
            Group::Day => {
                let day = calendar::day(used.from, whose.zone);
                (day.clone(), day)
            }
            Group::Tenant => (whose.tenant.to_string(), whose.name.to_owned()),
            Group::Label => {
                let (value, _) = labels.at(&used.resource_id, used.from);
                (value.to_owned(), value.to_owned())
            }
        };
        let sum = rows.entry((whose.currency.to_owned(), key)).or_default();
        if sum.named <= used.to {
            (sum.named, sum.name) = (used.to, name);
        }
        sum.net += i128::from(used.net.0);
        sum.tax += i128::from(used.tax.0);
        let ms = match components::is_counted(&used.component) {
            true => 1,
            false => used.to.since_ms(used.from),
        };
        let ms = i128::from(ms) * i128::from(used.quantity);
        *sum.usage.entry(used.component).or_default() += ms;
        if rows.len() > ROWS_MAX {
            return Err(Error::invalid("group", format!("the report has over {ROWS_MAX} rows"))
                .remedy("ask for a shorter period"));
        }
    }
    Ok(())
}

fn report(
    rows: BTreeMap<(String, String), Sum>,
    from: Timestamp,
    to: Timestamp,
    group: Group,
) -> Result<CostReport> {
    let mut totals: BTreeMap<String, (i128, i128)> = BTreeMap::new();
    let mut all = Vec::with_capacity(rows.len());
    for ((currency, key), sum) in rows {
        let total = totals.entry(currency.clone()).or_default();
        *total = (total.0 + sum.net, total.1 + sum.tax);
        let usage = sum.usage.into_iter().map(|(component, ms)| {
            if components::is_counted(&component) {
                let units = Some(micros(ms)?.0);
                return Ok(Usage { component, unit_hours: Micros::ZERO, units });
            }
            let unit_hours = micros(div_half_even(ms * 1_000_000, i128::from(MS_PER_HOUR)))?;
            Ok(Usage { component, unit_hours, units: None })
        });
        all.push(CostRow {
            key,
            name: sum.name,
            currency,
            net: micros(sum.net)?,
            tax: micros(sum.tax)?,
            usage: usage.collect::<Result<_>>()?,
        });
    }
    if group != Group::Day {
        all.sort_by(|a, b| (b.net, &a.name, &a.key).cmp(&(a.net, &b.name, &b.key)));
    }
    let totals = totals.into_iter().map(|(currency, (net, tax))| {
        Ok(CostTotal { currency, net: micros(net)?, tax: micros(tax)? })
    });
    Ok(CostReport { from, to, group, rows: all, totals: totals.collect::<Result<_>>()? })
}

fn micros(sum: i128) -> Result<Micros> {
    i64::try_from(sum)
        .map(Micros)
        .map_err(|_| Error::internal("a report's sum is beyond what can be shown"))
}

#[cfg(test)]
mod tests;
