//! A line's measure and amounts, computed again by the rater's pure functions from nothing but the
//! lines before it and its price.

use base::{Error, Result, db::Conn, money::Micros, time::Timestamp};

use super::{
    ExplainedStep, formula,
    line::{LineId, RatedLine},
    price::ExplainedPrice,
};
use crate::{
    accounts::Account,
    prices::{self, components::Per},
    rating::{
        compiled::Compiled,
        engine::{Group, Groups, LineKind, Priced, Quality, Slice, Stage, WHOLE_PPM, rate},
    },
    sql::parse,
};

/// What the line's row says of its group.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    group_no: i64,
    measure_before: i64,
    measure: i64,
    net_before: i64,
    net: i64,
    tax_before: i64,
    tax: i64,
}

/// What stands in a walk: a group with what the lines before ours make of it.
struct Walked {
    key: i64,
    version: String,
    measure: i64,
    net: i64,
    tax: i64,
}

pub(super) async fn steps(
    conn: &mut Conn,
    account: &Account,
    line: &RatedLine,
    price: &ExplainedPrice,
    charged_at: Timestamp,
) -> Result<Vec<ExplainedStep>> {
    let row = row(conn, line.id).await?;
    let stage = stage(conn, line).await?;
    let per = price.rate.component().map_or(Per::Unit, |component| component.per);
    let walk = walk(conn, line.id, row.group_no).await?;
    // A correction since may have left a version that was in force no time at all.
    let timeline = prices::load::timeline_known_at(conn, account.tenant_id, charged_at).await?;
    let mut groups = Groups::default();
    let number = groups.walk();
    let mut rates: Vec<Compiled> = Vec::new();
    let mut own = None;
    for (rate, walked) in (0u32..).zip(&walk) {
        let begins = timeline.begins(parse(&walked.version)?);
        let rank = begins.map_or(i64::MAX, Timestamp::ms);
        let Walked { measure, net, tax, .. } = *walked;
        let compiled = price.of_version(conn, parse(&walked.version)?).await?;
        rates.push(compiled);
        let group = groups.add(Group { rate, walk: number, rank, measure, net, tax, stage });
        if walked.key == row.group_no {
            own = Some(group);
        }
    }
    let own = own.ok_or_else(|| Error::internal("a line's group is not in its walk"))?;
    let so_far = *groups.get(own);
    let before = groups.before(own)?;
    let priced = price_again(line, own, &rates, &mut groups)?;
    let measure_says = match per {
        Per::Hour => format!("{} units for {} ms", line.quantity, line.to.since_ms(line.from)),
        Per::Unit | Per::Month => format!("{} units", line.quantity),
    };
    let beside = |measure: i64, net: i64, tax: i64| {
        let measure = formula::measure(per, measure);
        format!("{measure}, net {}, tax {}", Micros(net), Micros(tax))
    };
    Ok(vec![
        ExplainedStep::new(
            "measure",
            measure_says,
            formula::measure(per, row.measure),
            formula::measure(per, priced.measure),
        ),
        ExplainedStep::new(
            "so_far",
            format!("posted by the lines of {} before this one, rounded with it", line.month),
            beside(row.measure_before, row.net_before, row.tax_before),
            beside(so_far.measure, so_far.net, so_far.tax),
        ),
        ExplainedStep::new(
            "amount",
            amount_says(line, price, &rates, &groups, own, before)?,
            format!("net {}, tax {}", Micros(row.net), Micros(row.tax)),
            format!("net {}, tax {}", Micros(priced.net), Micros(priced.tax)),
        ),
    ])
}

/// How much of the line's month was told when it was posted.
async fn stage(conn: &mut Conn, line: &RatedLine) -> Result<Stage> {
    let settled: Option<i64> = sqlx::query_scalar(
        "SELECT settled FROM month_closings WHERE tenant_id = $1 AND month = $2",
    )
    .bind(line.id.tenant.to_string())
    .bind(&line.month)
    .fetch_optional(conn)
    .await?;
    Ok(match line.kind.as_str() {
        "volume" => Stage::Volume,
        "minimum" => Stage::Closed,
        _ if settled.is_some_and(|settled| settled < line.id.charge) => Stage::Closed,
        _ => Stage::Open,
    })
}

/// The line by the engine, on top of what was posted before it.
fn price_again(
    line: &RatedLine,
    own: u32,
    rates: &[Compiled],
    groups: &mut Groups,
) -> Result<Priced> {
    let kind = match line.kind.as_str() {
        "usage" | "purchase" => LineKind::Usage,
        "adjustment" => LineKind::Adjustment,
        "volume" => LineKind::Volume,
        "minimum" => LineKind::Minimum,
        other => return Err(Error::internal(format!("'{other}' is not a kind of line"))),
    };
    let slice = Slice {
        key: 0,
        group: own,
        from: line.from.ms(),
        to: line.to.ms(),
        quantity: line.quantity,
        opened: 0,
        quality: Quality::Observed,
        coverage_ppm: WHOLE_PPM,
        kind,
    };
    let mut out = Vec::new();
    if let Some(parked) = rate(&[slice], rates, groups, &mut out).pop() {
        return Err(parked.why.into());
    }
    out.pop().ok_or_else(|| Error::internal("the engine gave no line"))
}

/// The arithmetic in words; the groups stand behind the line.
fn amount_says(
    line: &RatedLine,
    price: &ExplainedPrice,
    rates: &[Compiled],
    groups: &Groups,
    own: u32,
    before: i64,
) -> Result<String> {
    let total = groups.get(own).measure;
    let per = price.rate.component().map_or(Per::Unit, |component| component.per);
    let compiled = &rates[groups.get(own).rate as usize];
    let exact = groups.exact(rates, own)?;
    let shown = formula::exact(exact, compiled.scale);
    let measure = formula::measure(per, total);
    let after = match (compiled.walks(), before) {
        (true, 1..) => {
            format!(" after {} at earlier prices of the month", formula::measure(per, before))
        }
        _ => String::new(),
    };
    Ok(format!(
        "{measure} of {}{after} at {}: {shown} exactly; rounded half-even to millionths, less what \
         was posted before",
        line.month,
        formula::price(&price.rate, price.tax),
    ))
}

async fn row(conn: &mut Conn, id: LineId) -> Result<Row> {
    Ok(sqlx::query_as(
        "SELECT k.group_no, c.measure_before, c.measure, c.net_before, c.net, c.tax_before, c.tax \
         FROM charges c JOIN rated_keys k ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no \
         WHERE c.tenant_id = $1 AND c.charge_no = $2 AND c.position = $3",
    )
    .bind(id.tenant.to_string())
    .bind(id.charge)
    .bind(id.position)
    .fetch_one(conn)
    .await?)
}

/// The groups that continue each other with the line's, by the lines before it: those of the same
/// rate by its name, component, resource and month.
async fn walk(conn: &mut Conn, id: LineId, group: i64) -> Result<Vec<Walked>> {
    let rows: Vec<(i64, String, i64, i64, i64)> = sqlx::query_as(
        "SELECT g.key_no, g.version_id, \
           CAST(COALESCE(SUM(c.measure), 0) AS BIGINT), CAST(COALESCE(SUM(c.net), 0) AS BIGINT), \
           CAST(COALESCE(SUM(c.tax), 0) AS BIGINT) \
         FROM rated_keys own \
         JOIN rated_keys g ON g.tenant_id = own.tenant_id AND g.month = own.month \
           AND g.kind = own.kind AND g.resource_id = own.resource_id \
           AND g.component = own.component AND g.rate = own.rate AND g.group_no = g.key_no \
         LEFT JOIN rated_keys k ON k.tenant_id = g.tenant_id AND k.group_no = g.key_no \
         LEFT JOIN charges c ON c.tenant_id = k.tenant_id AND c.key_no = k.key_no \
           AND (c.charge_no < $3 OR (c.charge_no = $3 AND c.position < $4)) \
         WHERE own.tenant_id = $1 AND own.key_no = $2 \
         GROUP BY g.key_no, g.version_id ORDER BY g.key_no",
    )
    .bind(id.tenant.to_string())
    .bind(group)
    .bind(id.charge)
    .bind(id.position)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(key, version, measure, net, tax)| Walked { key, version, measure, net, tax })
        .collect())
}
