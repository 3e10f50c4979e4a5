//! Whether a tenant may start something: there must be money for all that burns plus the new, for
//! `min_runway`, as it will be charged in that time.

use std::collections::BTreeMap;

use base::{
    Error, ErrorKind, Result,
    db::Conn,
    id::{InstanceId, TenantId},
    money::{Exact, MS_PER_HOUR, Micros, div_half_even},
    time::Timestamp,
};
use inventory::instances;

pub use crate::meter::Component;
use crate::{
    Settings, accounts,
    balance::{Snapshot, snapshot_locked},
    forecast::{Position, exact},
    kinds::{Attributes, Value},
    meter, prices,
    rating::{
        book::ResourceId,
        cut::{Span, Used},
        engine::Quality,
        load::name_of,
        plan::Usage,
    },
    standing::{Standing, notices::duration},
    usage::project::FOREVER_MS,
};

/// Of the resources that prices know.
const KIND: &str = "instance";

/// What one instance is to use.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// None: it is not there yet.
    pub instance: Option<InstanceId>,
    /// Of what it uses now, what it will not use any more.
    pub old: &'a [Component],
    pub new: &'a [Component],
    /// What facts will say of it for prices to select by ([`meter::selected_by`]); none: what they said
    /// last.
    pub selected_by: Option<&'a Attributes>,
}

/// Admits a new instance that uses `new`, or says why not (`PaymentRequired`). Takes the account's lock
/// until the end of the caller's transaction, so that two starts can't be admitted on the same money.
///
/// What was admitted before and does not run yet counts as burning; the instance that is to start
/// is not to be written as wanted running before this call.
pub async fn admit(
    conn: &mut Conn,
    now: Timestamp,
    settings: &Settings,
    tenant: TenantId,
    new: &[Component],
) -> Result<()> {
    let ask = Ask { instance: None, old: &[], new, selected_by: None };
    admit_change(conn, now, settings, tenant, ask).await
}

/// Admits what an instance is asked to be, like [`admit`].
pub async fn admit_change(
    conn: &mut Conn,
    now: Timestamp,
    settings: &Settings,
    tenant: TenantId,
    ask: Ask<'_>,
) -> Result<()> {
    let account = accounts::lock(conn, tenant).await?;
    if account.standing >= Standing::Suspended {
        return Err(Error::new(
            ErrorKind::PaymentRequired,
            format!("the tenant is {}: its balance ran out", account.standing),
        )
        .remedy("top the balance up"));
    }
    let mut snapshot = snapshot_locked(conn, now, &account).await?;
    let available = snapshot.position.available();
    let Snapshot { usage, position, .. } = &mut snapshot;
    for pending in pending(conn, settings, tenant).await? {
        let Pending { instance, components, selected_by } = pending;
        start(usage, position, Some(instance), &components, Some(&selected_by))?;
    }
    if let Some(instance) = ask.instance {
        let old = ask.old.iter().map(name).collect::<Result<Vec<_>>>()?;
        position.stop(number(usage, &instance.to_string()), &old);
    }
    start(usage, position, ask.instance, ask.new, ask.selected_by)?;
    let lowest = position.lowest_until(now.saturating_add_ms(settings.min_runway_ms));
    if lowest >= 0 {
        return Ok(());
    }
    Err(refusal(&snapshot, settings, available, lowest))
}

fn name(component: &Component) -> Result<&'static str> {
    name_of(prices::meters::parts(&component.meter).0)
}

fn number(usage: &mut Usage, instance: &str) -> u32 {
    usage.book.resource(&ResourceId { kind: KIND.to_owned(), id: instance.to_owned() })
}

/// As if the components were used from now on: of an instance that is there, in the same walks and
/// with the same attributes as what it uses already, but for those that are given.
fn start(
    usage: &mut Usage,
    position: &mut Position,
    instance: Option<InstanceId>,
    components: &[Component],
    selected_by: Option<&Attributes>,
) -> Result<()> {
    let id = instance.map(|id| id.to_string()).unwrap_or_default();
    let resource = number(usage, &id);
    let known = usage.resources.iter().find(|known| known.number == resource);
    let last = known.and_then(|known| known.spans.last());
    let mut shape: BTreeMap<String, String> =
        last.map(|span| span.used.shape.as_ref().clone()).unwrap_or_default();
    for (name, value) in selected_by.into_iter().flat_map(Attributes::iter) {
        if let Value::Text(text) = value {
            shape.insert(name.to_owned(), text.clone());
        }
    }
    let mut used = Vec::new();
    for component in components {
        if let (_, Some(flavor)) = prices::meters::parts(&component.meter) {
            shape.insert("flavor".to_owned(), flavor.to_owned());
        }
        used.push((name(component)?, component.quantity));
    }
    position.start([Span {
        resource,
        name: "".into(),
        used: Used { shape: shape.into(), components: used },
        alternative: None,
        from: position.at.ms(),
        to: FOREVER_MS,
        opened: 0,
        quality: Quality::Observed,
    }]);
    Ok(())
}

fn refusal(snapshot: &Snapshot, settings: &Settings, available: i128, lowest: i128) -> Error {
    let micros = |exact: i128, unit: i128| {
        Micros(i64::try_from(div_half_even(exact, unit)).unwrap_or(i64::MAX))
    };
    let balance = micros(available - exact(snapshot.account.credit_limit), Exact::PER_MICRO);
    let currency = &snapshot.account.currency;
    // Up, so that it suffices.
    let missing = -lowest.div_euclid(Exact::PER_MICRO);
    let missing = micros(missing, 1);
    let hours = i128::from(settings.min_runway_ms.max(1));
    let an_hour = (available - lowest).saturating_mul(i128::from(MS_PER_HOUR)) / hours;
    Error::new(
        ErrorKind::PaymentRequired,
        format!(
            "the balance of {balance} {currency} does not cover {} of all that would run, \
             at {} {currency} an hour",
            duration(settings.min_runway_ms),
            micros(an_hour, Exact::PER_MICRO),
        ),
    )
    .remedy(format!("top up at least {missing} {currency}"))
}

/// What an instance will use that is on its way there, beside what it uses already.
struct Pending {
    instance: InstanceId,
    components: Vec<Component>,
    selected_by: Attributes,
}

async fn pending(conn: &mut Conn, settings: &Settings, tenant: TenantId) -> Result<Vec<Pending>> {
    // It starts: it is wanted running and was not seen so. It grows: it is becoming another flavor.
    let rows: Vec<(String, String, i64, i64, String, i64, i64)> = sqlx::query_as(
        "SELECT id, flavor_id, disk_gib, grows_gib, labels, has_disk, starts FROM ( \
           SELECT i.id, COALESCE(i.resize_flavor_id, i.flavor_id) AS flavor_id, i.disk_gib, \
             COALESCE(i.resize_disk_gib, i.disk_gib) - i.disk_gib AS grows_gib, i.labels, \
             (SELECT COUNT(*) FROM usage_spans u WHERE u.kind = 'instance' \
              AND u.resource_id = i.id AND u.to_ms = $2) AS has_disk, \
             CASE WHEN i.wanted = 'running' AND i.locked = 0 AND i.observed <> 'failed' \
               AND NOT EXISTS (SELECT 1 FROM usage_spans u WHERE u.kind = 'instance' \
                 AND u.resource_id = i.id AND u.to_ms = $2 AND u.state IN ('running', 'paused')) \
               THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS starts \
           FROM instances i WHERE i.tenant_id = $1 AND i.wanted <> 'absent' \
             AND i.deleted_ms IS NULL) AS wanted \
         WHERE starts = 1 OR grows_gib > 0",
    )
    .bind(tenant.to_string())
    .bind(FOREVER_MS)
    .fetch_all(conn)
    .await?;
    let mut all = Vec::new();
    for (id, flavor, disk_gib, grows_gib, labels, has_disk, starts) in rows {
        let mut components = Vec::new();
        if starts > 0 {
            let meter = meter::instance(crate::sql::parse(&flavor)?);
            components.push(Component { meter, quantity: 1 });
        }
        let disk_gib = if has_disk > 0 { grows_gib } else { disk_gib + grows_gib };
        if disk_gib > 0 {
            components.push(Component { meter: meter::DISK_GIB.to_owned(), quantity: disk_gib });
        }
        let labels = instances::parsed_labels(&labels)?;
        let selected_by = meter::selected_by(settings.region.as_deref(), &labels);
        all.push(Pending { instance: crate::sql::parse(&id)?, components, selected_by });
    }
    Ok(all)
}
