//! What came out, by names in place of ids, in an order that is the same in every replay.

use std::collections::{BTreeMap, HashMap};

use base::{
    Error, Result,
    db::{Backend, Conn},
    id::NoticeId,
    money::Micros,
    time::Timestamp,
};
use serde_json::{Map as Object, Value, json};
use sqlx::Row;

use super::{file::VERSION, months::Invoiced, world::World};
use crate::{accounts, ledger::Account, rating::lines, standing::Standing};

mod usage;

/// Rated lines of one report.
pub const LINES_MAX: usize = crate::bill::LINES_MAX;

/// All that a file can expect, and what it is of.
pub async fn report(
    world: &World<'_>,
    channels: &BTreeMap<NoticeId, Vec<String>>,
) -> Result<Value> {
    let mut conn = world.db.read().await?;
    let names = Names::load(&mut conn, world).await?;
    let lines = rated(&mut conn, &names).await?;
    let sums = sums(world, &lines)?;
    Ok(json!({
        "opshawk_replay": VERSION,
        "title": world.file.title,
        "database": match world.db.backend() {
            Backend::Sqlite => "sqlite",
            Backend::Postgres => "postgres",
        },
        "at": names.at(world.now),
        "lines": lines.iter().map(|line| names.line(line)).collect::<Vec<_>>(),
        "sums": sums,
        "ledger": ledger(&mut conn, &names).await?,
        "balance": balances(&mut conn, world, &names).await?,
        "transactions": transactions(&mut conn, &names).await?,
        "standing": standing(&mut conn, &names).await?,
        "notices": notices(&mut conn, &names, channels).await?,
        "actions": actions(&mut conn, &names).await?,
        "findings": usage::findings(&mut conn, &names).await?,
        "counted": usage::counted(&mut conn, &names).await?,
        "invoices": super::months::report(&mut conn, world).await?,
        "packages": super::packages::report(&mut conn, world).await?,
        "zero": super::sound::faults(&world.db).await?.is_empty(),
    }))
}

/// Ids as the file calls them.
struct Names<'a> {
    world: &'a World<'a>,
    tenants: HashMap<String, &'a str>,
    resources: HashMap<String, &'a str>,
    /// `book@2`.
    versions: HashMap<String, String>,
}

impl<'a> Names<'a> {
    async fn load(conn: &mut Conn, world: &'a World<'_>) -> Result<Self> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT v.id, b.name, v.number FROM price_versions v \
             JOIN price_books b ON b.id = v.book_id",
        )
        .fetch_all(conn)
        .await?;
        let tenants = world.tenants.iter().map(|(name, id)| (id.to_string(), name.as_str()));
        let resources = world.machines.iter();
        let resources = resources.filter_map(|(name, m)| Some((m.id?.to_string(), name.as_str())));
        let packages = world.packages.iter().map(|(name, id)| (id.to_string(), name.as_str()));
        Ok(Self {
            world,
            tenants: tenants.collect(),
            resources: resources.chain(packages).collect(),
            versions: rows.into_iter().map(|(id, b, n)| (id, format!("{b}@{n}"))).collect(),
        })
    }

    fn at(&self, at: Timestamp) -> String {
        self.world.file.times.show(at)
    }

    fn at_ms(&self, ms: i64) -> String {
        self.at(Timestamp::from_ms(ms))
    }

    fn tenant(&self, id: &str) -> Result<&'a str> {
        self.tenants.get(id).copied().ok_or_else(|| Error::internal("a row of no tenant"))
    }

    fn resource(&self, id: &str) -> Result<&'a str> {
        self.resources.get(id).copied().ok_or_else(|| Error::internal("a row of no resource"))
    }

    fn line(&self, line: &Line<'_>) -> Value {
        json!({
            "tenant": line.tenant, "resource": line.resource, "component": line.component,
            "from": self.at_ms(line.from_ms), "to": self.at_ms(line.to_ms),
            "quantity": line.quantity, "net": line.net, "tax": line.tax,
            "kind": line.kind, "quality": line.quality, "coverage": line.coverage_ppm,
            "month": line.month, "posted_month": line.posted_month, "version": line.version,
        })
    }
}

struct Line<'a> {
    tenant: &'a str,
    resource: &'a str,
    component: String,
    version: String,
    month: String,
    /// In which it is invoiced.
    posted_month: String,
    from_ms: i64,
    to_ms: i64,
    quantity: i64,
    net: Micros,
    tax: Micros,
    kind: String,
    quality: String,
    coverage_ppm: i64,
    created_ms: i64,
    /// Of its tenant's charges, and its place there.
    charge: i64,
    position: i64,
}

/// In the order in which they were posted; those of one transaction by time, resource and
/// component.
async fn rated<'a>(conn: &mut Conn, names: &Names<'a>) -> Result<Vec<Line<'a>>> {
    let invoiced = Invoiced::load(&mut *conn).await?;
    let rows = sqlx::query(
        "SELECT c.tenant_id, k.resource_id, k.component, k.version_id, k.month, c.charge_no, \
         c.from_ms, c.to_ms, c.quantity, c.net, c.tax, c.kind, c.quality, c.coverage_ppm, \
         t.created_ms, c.position \
         FROM charges c JOIN rated_keys k ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no \
         JOIN journal t \
           ON t.dedup_key = 'charge:' || c.tenant_id || ':' || c.charge_no LIMIT $1",
    )
    .bind(i64::try_from(LINES_MAX + 1).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    if rows.len() > LINES_MAX {
        return Err(Error::invalid("end", format!("a replay has at most {LINES_MAX} lines")));
    }
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let text = |column: &str| row.try_get::<String, _>(column);
        let (tenant, resource, month) = (text("tenant_id")?, text("resource_id")?, text("month")?);
        let charge = row.try_get("charge_no")?;
        lines.push(Line {
            tenant: names.tenant(&tenant)?,
            resource: if resource.is_empty() { "" } else { names.resource(&resource)? },
            component: text("component")?,
            version: names.versions.get(&text("version_id")?).cloned().unwrap_or_default(),
            posted_month: invoiced.month(&tenant, &month, charge)?,
            month,
            from_ms: row.try_get("from_ms")?,
            to_ms: row.try_get("to_ms")?,
            quantity: row.try_get("quantity")?,
            net: Micros(row.try_get("net")?),
            tax: Micros(row.try_get("tax")?),
            kind: lines::kind(&text("component")?, text("kind")?),
            quality: text("quality")?,
            coverage_ppm: row.try_get("coverage_ppm")?,
            created_ms: row.try_get("created_ms")?,
            charge,
            position: row.try_get("position")?,
        });
    }
    lines.sort_by(|a, b| {
        let key = |l: &Line<'a>| (l.created_ms, l.tenant, l.charge, l.from_ms, l.to_ms, l.resource);
        key(a)
            .cmp(&key(b))
            .then_with(|| (&a.component, &a.version).cmp(&(&b.component, &b.version)))
            .then_with(|| a.position.cmp(&b.position))
    });
    Ok(lines)
}

/// By tenant, by tenant and resource, and by component besides.
fn sums(world: &World<'_>, lines: &[Line<'_>]) -> Result<Object<String, Value>> {
    let mut sums: BTreeMap<String, Micros> = BTreeMap::new();
    for tenant in world.tenants.keys() {
        sums.insert(tenant.clone(), Micros::ZERO);
    }
    for (name, machine) in &world.machines {
        sums.insert(format!("{}/{name}", machine.tenant), Micros::ZERO);
    }
    for line in lines {
        let resource = format!("{}/{}", line.tenant, line.resource);
        let component = format!("{resource}/{}", line.component);
        for key in [line.tenant.to_owned(), resource, component] {
            let sum = sums.entry(key).or_default();
            *sum = sum.checked_add(line.net)?.checked_add(line.tax)?;
        }
    }
    Ok(sums.into_iter().map(|(key, sum)| (key, json!(sum))).collect())
}

/// Credits minus debits, by tenant and account: the newest running balances.
async fn ledger(conn: &mut Conn, names: &Names<'_>) -> Result<Value> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT e.tenant_id, e.account, e.balance_micros FROM journal_entries e \
         JOIN (SELECT tenant_id, account, MAX(account_sequence) AS newest FROM journal_entries \
               GROUP BY tenant_id, account) AS heads \
         ON heads.tenant_id = e.tenant_id AND heads.account = e.account \
         AND heads.newest = e.account_sequence",
    )
    .fetch_all(conn)
    .await?;
    let mut all: BTreeMap<&str, BTreeMap<&str, Micros>> = BTreeMap::new();
    for tenant in names.world.tenants.keys() {
        let zero = |account: Account| (account.as_str(), Micros::ZERO);
        all.insert(tenant, Account::ALL.map(zero).into());
    }
    for (tenant, account, balance) in rows {
        let account: Account = account.parse()?;
        let accounts = all.entry(names.tenant(&tenant)?).or_default();
        accounts.insert(account.as_str(), Micros(balance));
    }
    Ok(json!(all))
}

async fn balances(conn: &mut Conn, world: &World<'_>, names: &Names<'_>) -> Result<Value> {
    let mut all = Object::new();
    for (name, tenant) in &world.tenants {
        let balance = accounts::balance(&mut *conn, world.server_now(), *tenant).await?;
        let value = json!({
            "balance": balance.balance,
            "posted": balance.posted,
            "accrued": balance.accrued,
            "runs_out_at": balance.runs_out_at.map(|at| names.at(at)),
            "at": names.at(balance.at),
        });
        all.insert(name.clone(), value);
    }
    Ok(Value::Object(all))
}

async fn transactions(conn: &mut Conn, names: &Names<'_>) -> Result<Value> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT tenant_id, COUNT(*) FROM journal GROUP BY tenant_id")
            .fetch_all(conn)
            .await?;
    let mut all: BTreeMap<&str, i64> = BTreeMap::new();
    for tenant in names.world.tenants.keys() {
        all.insert(tenant, 0);
    }
    for (tenant, count) in rows {
        all.insert(names.tenant(&tenant)?, count);
    }
    Ok(json!(all))
}

async fn standing(conn: &mut Conn, names: &Names<'_>) -> Result<Vec<Value>> {
    let rows: Vec<(String, i64, String, i64)> =
        sqlx::query_as("SELECT tenant_id, episode, standing, at_ms FROM standing_log")
            .fetch_all(conn)
            .await?;
    let mut all = Vec::new();
    for (tenant, episode, standing, at_ms) in rows {
        let standing: Standing = standing.parse()?;
        // It ends an episode.
        let rank = (standing == Standing::Active, standing);
        all.push((at_ms, names.tenant(&tenant)?, episode, rank));
    }
    all.sort();
    let entry = |(at_ms, tenant, episode, (_, standing)): &(i64, &str, i64, (bool, Standing))| {
        json!({
            "tenant": tenant, "episode": episode, "standing": standing, "at": names.at_ms(*at_ms),
        })
    };
    Ok(all.iter().map(entry).collect())
}

async fn notices(
    conn: &mut Conn,
    names: &Names<'_>,
    channels: &BTreeMap<NoticeId, Vec<String>>,
) -> Result<Vec<Value>> {
    let rows: Vec<(String, Option<String>, String, String, i64)> =
        sqlx::query_as("SELECT id, tenant_id, topic, subject, created_ms FROM notices")
            .fetch_all(conn)
            .await?;
    let mut all = Vec::new();
    for (id, tenant, topic, subject, at_ms) in rows {
        let tenant = tenant.map(|id| names.tenant(&id)).transpose()?;
        let id: NoticeId = crate::sql::parse(&id)?;
        let mut by = channels.get(&id).cloned().unwrap_or_default();
        by.sort();
        all.push((at_ms, tenant, subject, topic, by));
    }
    all.sort();
    let entry = |(at_ms, tenant, subject, topic, channels)| {
        let at = names.at_ms(at_ms);
        json!({
            "tenant": tenant, "topic": topic, "subject": subject, "at": at, "channels": channels,
        })
    };
    Ok(all.into_iter().map(entry).collect())
}

/// What standing did to instances.
async fn actions(conn: &mut Conn, names: &Names<'_>) -> Result<Vec<Value>> {
    let rows: Vec<(String, String, String, String, i64)> = sqlx::query_as(
        "SELECT tenant_id, target_id, kind, state, started_ms FROM operations \
         WHERE actor_kind = 'system' AND actor_id = 'standing'",
    )
    .fetch_all(conn)
    .await?;
    let mut all = Vec::new();
    for (tenant, resource, kind, state, at_ms) in rows {
        let action = kind.split('.').next_back().unwrap_or_default().to_owned();
        let state = match state.as_str() {
            "running" => "issued",
            "succeeded" => "confirmed",
            // Another wish came before it was done.
            "superseded" => "dropped",
            _ => "failed",
        };
        all.push((at_ms, names.tenant(&tenant)?, names.resource(&resource)?, action, state));
    }
    all.sort();
    let entry = |(at_ms, tenant, resource, action, state)| {
        let at = names.at_ms(at_ms);
        json!({
            "tenant": tenant, "resource": resource, "action": action, "state": state, "at": at,
        })
    };
    Ok(all.into_iter().map(entry).collect())
}
