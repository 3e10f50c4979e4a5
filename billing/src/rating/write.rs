//! Writing what was planned: keys, lines and sums, in blocks of rows.

use base::{
    Result,
    db::{
        Conn,
        rows::{Cell, insert_rows},
    },
    id::TenantId,
    time::Timestamp,
};

use super::{
    book::{ALL, Book},
    engine::Priced,
};
use crate::prices::model::Model;

/// Numbers the keys that are new, and writes them: those of the lines, and of the groups that were
/// parked.
pub(super) async fn keys(
    conn: &mut Conn,
    tenant: TenantId,
    book: &mut Book,
    wanted: impl Iterator<Item = u32>,
) -> Result<()> {
    const INTO: &str = "rated_keys (tenant_id, key_no, kind, resource_id, component, version_id, \
        rate, month, group_no, resource_name, flavor, unit_price_nanos)";
    let mut new: Vec<u32> = Vec::new();
    for key in wanted {
        // The shared key stands before those that share it.
        let group = book.key_of(book.keys[key as usize].group);
        for key in [group, key] {
            if book.keys[key as usize].number.is_none() && !new.contains(&key) {
                new.push(key);
            }
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let last: Option<i64> =
        sqlx::query_scalar("SELECT MAX(key_no) FROM rated_keys WHERE tenant_id = $1")
            .bind(tenant.to_string())
            .fetch_one(&mut *conn)
            .await?;
    let first = last.unwrap_or(0) + 1;
    for (number, key) in (first..).zip(&new) {
        book.keys[*key as usize].number = Some(number);
    }
    let tenant = tenant.to_string();
    let texts: Vec<(String, String)> = new
        .iter()
        .map(|key| {
            let id = book.keys[*key as usize].id;
            (book.versions[id.rate as usize].to_string(), id.month.to_string())
        })
        .collect();
    let mut cells: Vec<Cell<'_>> = Vec::new();
    for (key, (version, month)) in new.iter().zip(&texts) {
        let key = &book.keys[*key as usize];
        let rate = &book.rates[key.id.rate as usize].rate;
        let (kind, _) = key.id.component.split_once('.').unwrap_or((key.id.component, ""));
        let (kind, id) = match key.id.resource {
            ALL => (kind, ""),
            number => {
                let resource = &book.resources[number as usize];
                (resource.kind.as_str(), resource.id.as_str())
            }
        };
        let price = match &rate.model {
            Model::Standard(price) => price.0,
            _ => 0,
        };
        cells.extend::<[Cell<'_>; 12]>([
            (&tenant).into(),
            key.number.unwrap_or(0).into(),
            kind.into(),
            id.into(),
            key.id.component.into(),
            version.into(),
            (&rate.id).into(),
            month.into(),
            number(book, book.key_of(key.group)).into(),
            (&key.name).into(),
            (&key.flavor).into(),
            price.into(),
        ]);
    }
    insert_rows(conn, INTO, "", 12, &cells).await?;
    Ok(())
}

/// Its number in SQL, which every key has that [`keys`] was asked for.
fn number(book: &Book, key: u32) -> i64 {
    book.keys[key as usize].number.unwrap_or(0)
}

/// The lines of the charge, in order.
pub(super) async fn lines(
    conn: &mut Conn,
    tenant: TenantId,
    charge: i64,
    at: Timestamp,
    book: &Book,
    lines: &[Priced],
) -> Result<()> {
    const INTO: &str = "charges (tenant_id, charge_no, position, key_no, at_ms, from_ms, to_ms, \
        opened, kind, quality, coverage_ppm, quantity, measure_before, measure, net_before, net, \
        tax_before, tax)";
    let tenant = tenant.to_string();
    let mut cells: Vec<Cell<'_>> = Vec::with_capacity(18 * lines.len());
    for (position, line) in (0i64..).zip(lines) {
        let slice = &line.slice;
        cells.extend::<[Cell<'_>; 18]>([
            (&tenant).into(),
            charge.into(),
            position.into(),
            number(book, slice.key).into(),
            at.ms().into(),
            slice.from.into(),
            slice.to.into(),
            slice.opened.into(),
            slice.kind.as_str().into(),
            slice.quality.as_str().into(),
            slice.coverage_ppm.into(),
            slice.quantity.into(),
            line.measure_before.into(),
            line.measure.into(),
            line.net_before.into(),
            line.net.into(),
            line.tax_before.into(),
            line.tax.into(),
        ]);
    }
    insert_rows(conn, INTO, "", 18, &cells).await?;
    Ok(())
}

/// The sums of the groups that the lines moved.
pub(super) async fn sums(
    conn: &mut Conn,
    tenant: TenantId,
    book: &Book,
    lines: &[Priced],
) -> Result<()> {
    const INTO: &str = "rated_sums (tenant_id, key_no, measure, net, tax)";
    const TAIL: &str = "ON CONFLICT (tenant_id, key_no) DO UPDATE SET \
        measure = excluded.measure, net = excluded.net, tax = excluded.tax";
    let moved: std::collections::BTreeSet<u32> = lines.iter().map(|l| l.slice.group).collect();
    let tenant = tenant.to_string();
    let cells: Vec<Cell<'_>> = moved
        .into_iter()
        .flat_map(|group| -> [Cell<'_>; 5] {
            let posted = book.groups.get(group);
            [
                (&tenant).into(),
                number(book, book.key_of(group)).into(),
                posted.measure.into(),
                posted.net.into(),
                posted.tax.into(),
            ]
        })
        .collect();
    insert_rows(conn, INTO, TAIL, 5, &cells).await?;
    Ok(())
}
