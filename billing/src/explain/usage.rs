//! Whether the lines of a time come to what the facts and readings say of it.

use base::{Result, db::Conn, time::Timestamp};

use super::{ExplainedStep, line::RatedLine, price::ExplainedPrice, readings::CountedBetween};
use crate::{
    accounts::Account,
    prices::{self, components, components::Per},
    rating::{
        book::{Book, ResourceId},
        counted::{self, Delta},
        cut::{Days, Span, Step, slices},
        engine::{LineKind, Quality, Slice},
        line::differences,
        load::cut_span,
    },
    usage::evidence::Evidence,
};

pub(super) struct Looked<'a> {
    pub line: &'a RatedLine,
    pub same_time: &'a [RatedLine],
    pub counted: &'a [CountedBetween],
}

/// None where the line is of no use: it settles a rounding, or what a month comes to at its end.
pub(super) async fn step(
    conn: &mut Conn,
    account: &Account,
    looked: &Looked<'_>,
    evidence: &Evidence,
    price: &ExplainedPrice,
) -> Result<Option<ExplainedStep>> {
    if !looked.line.is_of_use() {
        return Ok(None);
    }
    match price.rate.component().map(|component| component.per) {
        Some(Per::Hour) => hourly(conn, account, looked, evidence).await.map(Some),
        Some(Per::Unit) => read(conn, account, looked, evidence).await.map(Some),
        Some(Per::Month) | None => Ok(None),
    }
}

/// Same rate, so that amounts of another price in the same time are not mixed in.
fn is_like(line: &RatedLine, other: &RatedLine) -> bool {
    (line.price_version, &line.rate, &line.month)
        == (other.price_version, &other.rate, &other.month)
}

async fn hourly(
    conn: &mut Conn,
    account: &Account,
    looked: &Looked<'_>,
    evidence: &Evidence,
) -> Result<ExplainedStep> {
    let line = looked.line;
    let timeline = prices::load::timeline(conn, account.tenant_id).await?;
    let mut book = Book::default();
    let id = ResourceId { kind: line.resource_kind.clone(), id: line.resource_id.clone() };
    let number = book.resource(&id);
    let days = Days::new(account.timezone, line.from, line.to);
    let mut wanted = Vec::new();
    let tenant = account.tenant_id.to_string();
    for span in evidence.projected.iter().filter(|span| span.tenant == tenant) {
        let span = cut_span(number, &line.resource_kind, span)?;
        slices(&span, &timeline, &days, Step::Days, &mut book, &mut wanted);
    }
    wanted.retain(|slice| {
        let id = &book.keys[slice.key as usize].id;
        let rate = id.rate as usize;
        id.component == line.component
            && book.versions[rate] == line.price_version
            && book.rates[rate].rate.id == line.rate
    });
    for slice in &mut wanted {
        (slice.key, slice.group) = (0, 0);
    }
    let (from, to) = (line.from.ms(), line.to.ms());
    let like = looked.same_time.iter().filter(|other| is_like(line, other) && other.quantity != 0);
    let posted: Vec<Slice> = like
        .clone()
        .map(|other| slice(other.from.ms().max(from), other.to.ms().min(to), other.quantity))
        .collect();
    let lines = posted.len();
    let shown = |slices: &[Slice]| -> Result<String> { told(slices) };
    let says = match lines {
        1 => "what the facts say was used in the line's time at its price".to_owned(),
        lines => format!(
            "what the facts say was used in the line's time at its price, which {lines} lines rate \
             together"
        ),
    };
    Ok(ExplainedStep::new("usage", says, shown(&posted)?, shown(&wanted)?))
}

fn slice(from: i64, to: i64, quantity: i64) -> Slice {
    Slice {
        key: 0,
        group: 0,
        from,
        to,
        quantity,
        opened: 0,
        quality: Quality::Observed,
        coverage_ppm: Quality::Observed.coverage_ppm(),
        kind: LineKind::Usage,
    }
}

/// So much from then to then; what adjoins and is alike as one.
fn told(slices: &[Slice]) -> Result<String> {
    // What differs from nothing is all of it, summed where it overlaps, however well it is known.
    let alike = |s: &Slice| Slice { quality: Quality::Observed, ..*s };
    let slices: Vec<Slice> = slices.iter().map(alike).collect();
    let all = differences(&slices, &[], &[], &[])?;
    let at = |ms: i64| Timestamp::from_ms(ms);
    let told = |s: &Slice| format!("{} from {} to {}", s.quantity, at(s.from), at(s.to));
    Ok(match all.is_empty() {
        true => "nothing".to_owned(),
        false => all.iter().map(told).collect::<Vec<_>>().join(", "),
    })
}

/// Of a counted component: the lines of exactly this time are the parts of what was counted that the
/// rate prices.
async fn read(
    conn: &mut Conn,
    account: &Account,
    looked: &Looked<'_>,
    evidence: &Evidence,
) -> Result<ExplainedStep> {
    let line = looked.line;
    let timeline = prices::load::timeline(conn, account.tenant_id).await?;
    let tenant = account.tenant_id.to_string();
    let own = evidence.projected.iter().filter(|span| span.tenant == tenant);
    let spans: Vec<Span> =
        own.map(|span| cut_span(0, &line.resource_kind, span)).collect::<Result<_>>()?;
    let looks = counted::looks(None, &spans);
    let component = components::component(&line.component);
    let mut wanted = 0i128;
    for between in looked.counted {
        let Some(component) = component else { continue };
        let delta = Delta {
            component: component.name,
            from: between.from.ms(),
            to: between.to.ms(),
            quantity: between.quantity,
            quality: Quality::Observed,
            coverage_ppm: between.coverage_ppm,
        };
        for part in counted::parts(&delta, &looks, &timeline) {
            let is_own = part.found.is_some_and(|found| {
                found.version == line.price_version && found.rate.id == line.rate
            });
            if is_own && (part.from, part.to) == (line.from.ms(), line.to.ms()) {
                wanted += i128::from(part.quantity);
            }
        }
    }
    let of_it = looked
        .same_time
        .iter()
        .filter(|other| is_like(line, other) && (other.from, other.to) == (line.from, line.to));
    let posted: i128 = of_it.map(|other| i128::from(other.quantity)).sum();
    let says = "what was counted between the readings of the line's time at its price".to_owned();
    let shown = |units: i128| format!("{units} units");
    Ok(ExplainedStep::new("usage", says, shown(posted), shown(wanted)))
}
