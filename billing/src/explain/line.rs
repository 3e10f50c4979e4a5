//! Rated lines under their own ids, for whoever wants to open them.

use std::str::FromStr;

use base::{
    Error, Result,
    db::{Conn, found},
    id::{PriceVersionId, TenantId},
    money::{Micros, Nanos},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rating::lines::{self, Line, Which};

/// In one listing.
pub const LINES_MAX: usize = 1_000;

/// A line: the account's charge that it belongs to, and its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineId {
    pub tenant: TenantId,
    pub charge: i64,
    pub position: i64,
}

/// `TENANT.CHARGE.PLACE`.
impl std::fmt::Display for LineId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.tenant, self.charge, self.position)
    }
}

impl FromStr for LineId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let mut parts = text.split('.');
            let (tenant, charge, position) = (parts.next()?, parts.next()?, parts.next()?);
            let end = parts.next().is_none();
            let id = Self {
                tenant: tenant.parse().ok()?,
                charge: charge.parse().ok()?,
                position: position.parse().ok()?,
            };
            end.then_some(id)
        };
        read().ok_or_else(|| {
            Error::invalid("line", format!("'{text}' is not the id of a line"))
                .remedy("a line is called TENANT.CHARGE.PLACE, as opshawk billing lines lists it")
        })
    }
}

impl Serialize for LineId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LineId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a charge is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RatedLine {
    #[schema(value_type = String, example = "0193c5f0-…-8a51.42.0")]
    pub id: LineId,
    /// "instance web-1, flavor small".
    pub what: String,
    pub resource_kind: String,
    /// Empty: all of the tenant's.
    pub resource_id: String,
    pub resource_name: String,
    /// `instance.compute`.
    pub component: String,
    /// As bills call it.
    pub meter: String,
    pub price_version: PriceVersionId,
    /// Its name in the version.
    pub rate: String,
    /// Of a standard price, for a unit (and hour); zero of the others.
    pub unit_price: Nanos,
    /// Its own, `YYYY-MM`.
    pub month: String,
    /// Up to which its charge rates.
    pub at: Timestamp,
    pub from: Timestamp,
    pub to: Timestamp,
    /// `usage`, `purchase` (of what is bought whole), `adjustment`, `volume`, `minimum`.
    pub kind: String,
    /// `observed`, `estimated`, `corrected`.
    pub quality: String,
    /// How much of its time was observed, in millionths.
    pub coverage_ppm: i64,
    /// Units; below zero where it takes back.
    pub quantity: i64,
    pub net: Micros,
    pub tax: Micros,
}

impl RatedLine {
    /// Whether it rates what was used or bought in its time, or takes that back. Others settle a
    /// rounding, or are what a month comes to at its end.
    pub(super) fn is_of_use(&self) -> bool {
        matches!(self.kind.as_str(), "usage" | "purchase" | "adjustment") && self.quantity != 0
    }
}

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub resource_id: Option<String>,
    /// `instance.compute`.
    pub component: Option<String>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Those behind this one: the last of the listing before.
    pub after: Option<LineId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RatedLines)]
pub struct Lines {
    /// By resource, component and time; at most 1000.
    pub items: Vec<RatedLine>,
    /// There are more: ask for those after the last one.
    pub more: bool,
}

/// The tenant's lines that rate something between two instants.
pub async fn list(conn: &mut Conn, tenant: TenantId, wanted: &Wanted) -> Result<Lines> {
    let from = wanted.from.unwrap_or(Timestamp::from_ms(0));
    let to = wanted.to.unwrap_or(Timestamp::from_ms(i64::MAX));
    if to <= from {
        return Err(Error::invalid("to", "a period must end after it begins"));
    }
    let resource = wanted.resource_id.as_deref().unwrap_or_default();
    let component = wanted.component.as_deref().unwrap_or_default();
    let behind = match wanted.after {
        Some(after) => Some(rated(conn, tenant, after).await?),
        None => None,
    };
    let which = Which::Rating { resource, component, from, to, behind: behind.as_ref() };
    let mut rated = lines::lines(conn, tenant, which, LINES_MAX + 1).await?;
    let more = rated.len() > LINES_MAX;
    rated.truncate(LINES_MAX);
    Ok(Lines { items: listed(conn, tenant, rated).await?, more })
}

pub(super) async fn get(conn: &mut Conn, id: LineId) -> Result<RatedLine> {
    let line = rated(conn, id.tenant, id).await?;
    let line = listed(conn, id.tenant, vec![line]).await?.pop();
    found(line, format_args!("line {id}"))
}

/// Another tenant's is as unknown as one that never was.
async fn rated(conn: &mut Conn, tenant: TenantId, id: LineId) -> Result<Line> {
    let which = Which::One(id.charge, id.position);
    let line = match id.tenant == tenant {
        true => lines::lines(conn, tenant, which, 1).await?.pop(),
        false => None,
    };
    let listed = "list a tenant's lines with opshawk billing lines";
    found(line, format_args!("line {id}")).map_err(|error| error.remedy(listed))
}

#[derive(Debug)]
pub(super) struct SameTime {
    pub lines: Vec<RatedLine>,
    /// There are more than [`LINES_MAX`].
    pub more: bool,
}

/// The lines of the same component of the same resource that lie in part in the line's time.
pub(super) async fn same_time(
    conn: &mut Conn,
    tenant: TenantId,
    line: &RatedLine,
) -> Result<SameTime> {
    let (resource, component) = (line.resource_id.as_str(), line.component.as_str());
    let (from, to) = (line.from, line.to);
    let which = Which::Rating { resource, component, from, to, behind: None };
    let mut rated = lines::lines(conn, tenant, which, LINES_MAX + 1).await?;
    let more = rated.len() > LINES_MAX;
    rated.truncate(LINES_MAX);
    let mut lines = listed(conn, tenant, rated).await?;
    if !lines.contains(line) {
        lines.pop();
        lines.push(line.clone());
    }
    lines.sort_by_key(|line| line.id);
    Ok(SameTime { lines, more })
}

async fn listed(conn: &mut Conn, tenant: TenantId, rated: Vec<Line>) -> Result<Vec<RatedLine>> {
    let flavors = lines::flavor_names(conn, &rated).await?;
    let listed = |line: Line| RatedLine {
        id: LineId { tenant, charge: line.charge, position: line.position },
        what: line.what(&flavors),
        meter: line.meter(),
        resource_kind: line.resource_kind,
        resource_id: line.resource_id,
        resource_name: line.resource_name,
        component: line.component,
        price_version: line.version,
        rate: line.rate,
        unit_price: line.unit_price,
        month: line.month,
        at: line.at,
        from: line.from,
        to: line.to,
        kind: line.kind,
        quality: line.quality,
        coverage_ppm: line.coverage_ppm,
        quantity: line.quantity,
        net: line.net,
        tax: line.tax,
    };
    Ok(rated.into_iter().map(listed).collect())
}
