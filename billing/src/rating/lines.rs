//! Reading rated lines: the one place from which bills, invoices and reports learn what was charged.

use std::collections::HashMap;

use base::{
    Result,
    db::{Conn, parsed},
    id::{PriceVersionId, TenantId},
    money::{Micros, Nanos},
    time::Timestamp,
};

use sqlx::{
    Any, Row,
    any::{AnyArguments, AnyRow},
    query::Query,
};

use crate::{
    meter,
    prices::components::{self, Per},
};

/// A rated line with what it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The account's charge that it belongs to, and its place in it.
    pub charge: i64,
    pub position: i64,
    pub resource_kind: String,
    /// Empty: all of the tenant's resources.
    pub resource_id: String,
    /// When it was first rated in its month.
    pub resource_name: String,
    /// `instance.compute`.
    pub component: String,
    /// The flavor's id; empty: it has none.
    pub flavor: String,
    pub version: PriceVersionId,
    /// The rate's id in the version.
    pub rate: String,
    /// Of a standard price, per unit and hour (or unit); zero of the others.
    pub unit_price: Nanos,
    /// Its own, `YYYY-MM`.
    pub month: String,
    /// The instant up to which its charge rates.
    pub at: Timestamp,
    pub from: Timestamp,
    pub to: Timestamp,
    /// `usage`, `purchase` (of what is bought whole), `adjustment`, `volume`, `minimum`.
    pub kind: String,
    /// `observed`, `estimated`, `corrected`.
    pub quality: String,
    /// How much of its time was observed, in millionths.
    pub coverage_ppm: i64,
    /// Units at once, or, of what is counted, all of them; below zero where it takes back.
    pub quantity: i64,
    /// Of what it is rounded with, before it: unit-milliseconds, or units.
    pub measure_before: i64,
    pub net: Micros,
    pub tax: Micros,
}

impl Line {
    /// What the tenant pays for it.
    pub fn gross(&self) -> Micros {
        // Each fits, and so did their sum when it was posted.
        Micros(self.net.0.saturating_add(self.tax.0))
    }

    pub fn is_adjustment(&self) -> bool {
        self.kind == "adjustment"
    }

    /// As price books of meters called it: `instance:<flavor>`, `instance-paused:<flavor>`,
    /// `disk_gib`; the component where there is no such name.
    pub fn meter(&self) -> String {
        match self.component.as_str() {
            "instance.compute" => format!("instance:{}", self.flavor),
            "instance.compute_suspended" => format!("instance-paused:{}", self.flavor),
            "instance.disk" => meter::DISK_GIB.to_owned(),
            other => other.to_owned(),
        }
    }

    /// "instance web-1, flavor small", "disk of web-1, 1 GiB".
    pub fn what(&self, flavors: &HashMap<String, String>) -> String {
        let name = &self.resource_name;
        let flavor = flavors.get(&self.flavor).unwrap_or(&self.flavor);
        let of = if name.is_empty() { String::new() } else { format!(" of {name}") };
        match self.kind.as_str() {
            "volume" => return format!("{}{of}, by volume", self.component),
            "minimum" => return format!("{}{of}, up to its minimum", self.component),
            _ => {}
        }
        match self.component.as_str() {
            "instance.compute" => format!("instance {name}, flavor {flavor}"),
            "instance.compute_suspended" => format!("instance {name}, flavor {flavor}, paused"),
            "instance.disk" => format!("disk of {name}, {} GiB", self.quantity.unsigned_abs()),
            other => {
                let (kind, component) = other.split_once('.').unwrap_or((other, ""));
                match (name.is_empty(), kind == component) {
                    (true, _) => format!("{other}, all"),
                    (false, true) => format!("{kind} {name}"),
                    (false, false) => format!("{kind} {name}, {component}"),
                }
            }
        }
    }
}

/// The quantity of a line and the one that goes on where it ends, as one line; none: they are two. What
/// is of time has one quantity all along, what is counted adds up.
pub(crate) fn goes_on(component: &str, quantity: i64, next: i64) -> Option<i64> {
    match components::is_counted(component) {
        true => quantity.checked_add(next),
        false => (quantity == next).then_some(quantity),
    }
}

/// Which of a tenant's lines.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// Of charges that rate up to an instant after the first and not after the second.
    Charged(Timestamp, Timestamp),
    /// Of one series, charged after a charge, behind a line of it.
    Of(&'a Series, i64, Place),
    /// One, by its charge and its place in it.
    One(i64, i64),
    /// What rates something between two instants; of one resource or component, where it is named;
    /// behind a line, where one is given.
    Rating {
        resource: &'a str,
        component: &'a str,
        from: Timestamp,
        to: Timestamp,
        behind: Option<&'a Line>,
    },
}

/// What lines stand together of in their order: a component of a resource in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    pub month: String,
    pub resource_kind: String,
    pub resource_id: String,
    pub component: String,
    pub flavor: String,
}

/// Where a line stands in its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub from: Timestamp,
    pub to: Timestamp,
    pub charge: i64,
    pub position: i64,
}

impl Place {
    /// Before every line.
    pub const FIRST: Self = Self {
        from: Timestamp::from_ms(i64::MIN),
        to: Timestamp::from_ms(i64::MIN),
        charge: 0,
        position: 0,
    };

    pub fn of(line: &Line) -> Self {
        Self { from: line.from, to: line.to, charge: line.charge, position: line.position }
    }
}

/// The series of all that closing this month covers: its own, and those of earlier months of which
/// something was charged after the charge `settled`. In the order of months, then of lines.
pub async fn series(
    conn: &mut Conn,
    tenant: TenantId,
    month: &str,
    settled: i64,
) -> Result<Vec<Series>> {
    let rows: Vec<(String, String, String, String, String)> = sqlx::query_as(
        "SELECT DISTINCT k.month, k.kind, k.resource_id, k.component, k.flavor FROM rated_keys k \
         WHERE k.tenant_id = $1 AND (k.month = $2 OR (k.month < $2 AND k.key_no IN \
           (SELECT c.key_no FROM charges c WHERE c.tenant_id = $1 AND c.charge_no > $3))) \
         ORDER BY k.month, k.kind, k.resource_id, k.component, k.flavor",
    )
    .bind(tenant.to_string())
    .bind(month)
    .bind(settled)
    .fetch_all(conn)
    .await?;
    let series = |(month, resource_kind, resource_id, component, flavor)| Series {
        month,
        resource_kind,
        resource_id,
        component,
        flavor,
    };
    Ok(rows.into_iter().map(series).collect())
}

macro_rules! select {
    ($($where:literal),+) => {
        concat!(
            "SELECT c.charge_no, c.position, k.kind AS resource_kind, k.resource_id, \
             k.resource_name, k.component, k.flavor, k.version_id, k.rate, k.unit_price_nanos, \
             k.month, c.at_ms, c.from_ms, c.to_ms, c.kind, c.quality, c.coverage_ppm, c.quantity, \
             c.measure_before, c.net, c.tax \
             FROM charges c JOIN rated_keys k ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no \
             WHERE c.tenant_id = $1 AND ",
            $($where,)+
            " ORDER BY k.kind, k.resource_id, k.component, k.flavor, c.from_ms, c.to_ms, \
             c.charge_no, c.position LIMIT $2"
        )
    };
}

macro_rules! rating {
    ($resource:literal) => {
        select!(
            "c.at_ms > $5 AND c.from_ms < $4 AND c.to_ms > $3 \
             AND (k.kind, k.resource_id, k.component, k.flavor, c.from_ms, c.to_ms, \
               c.charge_no, c.position) > ($6, $7, $8, $9, $10, $11, $12, $13) \
             AND ($14 = '' OR k.component = $14) AND ",
            $resource
        )
    };
}

/// Of any resource, and of one.
const RATING_ANY: &str = rating!("$15 = ''");
const RATING_ONE: &str = rating!("k.resource_id = $15");

/// A line is charged when its time is over, or, of a package, when its month begins: by this bound the
/// index by charging finds what rates a time, however long the tenant's history is.
const CHARGED_AHEAD_MAX_MS: i64 = 32 * 24 * 3_600_000;

type Ask = Query<'static, Any, AnyArguments>;

/// Behind a line of the same series.
fn of_series(ask: Ask, series: &Series, settled: i64, behind: Place) -> Ask {
    ask.bind(series.month.clone())
        .bind(series.resource_kind.clone())
        .bind(series.resource_id.clone())
        .bind(series.component.clone())
        .bind(series.flavor.clone())
        .bind(settled)
        .bind(behind.from.ms())
        .bind(behind.to.ms())
        .bind(behind.charge)
        .bind(behind.position)
}

/// Between two instants, behind any line.
fn rating(ask: Ask, (from, to): (Timestamp, Timestamp), behind: Option<&Line>) -> Ask {
    let place = behind.map_or(Place::FIRST, Place::of);
    // No kind's name is empty: all stand behind that.
    let text = |of: fn(&Line) -> &String| behind.map(of).cloned().unwrap_or_default();
    ask.bind(from.ms())
        .bind(to.ms())
        .bind(from.saturating_add_ms(-CHARGED_AHEAD_MAX_MS).ms())
        .bind(text(|line| &line.resource_kind))
        .bind(text(|line| &line.resource_id))
        .bind(text(|line| &line.component))
        .bind(text(|line| &line.flavor))
        .bind(place.from.ms())
        .bind(place.to.ms())
        .bind(place.charge)
        .bind(place.position)
}

/// The lines by resource, component and time, at most `limit`.
pub async fn lines(
    conn: &mut Conn,
    tenant: TenantId,
    which: Which<'_>,
    limit: usize,
) -> Result<Vec<Line>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let ask = |statement: &'static str| sqlx::query(statement).bind(tenant.to_string()).bind(limit);
    let query = match which {
        Which::Charged(after, until) => {
            ask(select!("c.at_ms > $3 AND c.at_ms <= $4")).bind(after.ms()).bind(until.ms())
        }
        Which::Of(series, settled, behind) => {
            let statement = select!(
                "k.month = $3 AND k.kind = $4 AND k.resource_id = $5 AND k.component = $6 \
                 AND k.flavor = $7 AND c.charge_no > $8 \
                 AND (c.from_ms, c.to_ms, c.charge_no, c.position) > ($9, $10, $11, $12)"
            );
            of_series(ask(statement), series, settled, behind)
        }
        Which::One(charge, position) => {
            ask(select!("c.charge_no = $3 AND c.position = $4")).bind(charge).bind(position)
        }
        Which::Rating { resource, component, from, to, behind } => {
            let statement = if resource.is_empty() { RATING_ANY } else { RATING_ONE };
            rating(ask(statement), (from, to), behind)
                .bind(component.to_owned())
                .bind(resource.to_owned())
        }
    };
    query.fetch_all(conn).await?.iter().map(line).collect()
}

fn line(row: &AnyRow) -> Result<Line> {
    let at = |column: &str| row.try_get(column).map(Timestamp::from_ms);
    Ok(Line {
        charge: row.try_get("charge_no")?,
        position: row.try_get("position")?,
        resource_kind: row.try_get("resource_kind")?,
        resource_id: row.try_get("resource_id")?,
        resource_name: row.try_get("resource_name")?,
        component: row.try_get("component")?,
        flavor: row.try_get("flavor")?,
        version: parsed(row, "version_id")?,
        rate: row.try_get("rate")?,
        unit_price: Nanos(row.try_get("unit_price_nanos")?),
        month: row.try_get("month")?,
        at: at("at_ms")?,
        from: at("from_ms")?,
        to: at("to_ms")?,
        kind: kind(&row.try_get::<String, _>("component")?, row.try_get("kind")?),
        quality: row.try_get("quality")?,
        coverage_ppm: row.try_get("coverage_ppm")?,
        quantity: row.try_get("quantity")?,
        measure_before: row.try_get("measure_before")?,
        net: Micros(row.try_get("net")?),
        tax: Micros(row.try_get("tax")?),
    })
}

/// What a line is, by what SQL calls it: use of what is bought whole is a purchase.
pub(crate) fn kind(component: &str, stored: String) -> String {
    let bought = components::component(component).is_some_and(|c| c.per == Per::Month);
    if bought && stored == "usage" { "purchase".to_owned() } else { stored }
}

/// The names of the lines' flavors by their ids; one that is gone goes by its id.
pub async fn flavor_names(conn: &mut Conn, lines: &[Line]) -> Result<HashMap<String, String>> {
    let mut names = HashMap::new();
    name_flavors(conn, lines, &mut names).await?;
    Ok(names)
}

/// As [`flavor_names`], beside those that are known.
pub async fn name_flavors(
    conn: &mut Conn,
    lines: &[Line],
    names: &mut HashMap<String, String>,
) -> Result<()> {
    for line in lines.iter().filter(|line| !line.flavor.is_empty()) {
        if names.contains_key(&line.flavor) {
            continue;
        }
        let name: Option<String> = sqlx::query_scalar("SELECT name FROM flavors WHERE id = $1")
            .bind(&line.flavor)
            .fetch_optional(&mut *conn)
            .await?;
        names.insert(line.flavor.clone(), name.unwrap_or_else(|| line.flavor.clone()));
    }
    Ok(())
}
