//! Proving usage and lines, and deciding about facts that can't count by themselves; on the server's
//! machine, while it runs or not.

use base::{
    db::Db,
    time::{Clock, SystemClock},
};
use billing::{
    counters,
    explain::{self, Explanation, LineId},
    findings,
    kinds::Attributes,
    usage::{
        lost::{self, Answer},
        rebuild::{self, Mode},
        rulings::{self, Verdict},
    },
};
use identity::{Actor, audit};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    args::{AnswerArgs, ExplainArgs, FindingsArgs, GapsArgs, RebuildArgs, RuleArgs, Ruling},
    exit::Failure,
    local, output,
};

/// As the trail and the rulings name whoever acts here.
const ACTOR: &str = "command line";

/// Makes the spans of usage again, and the deltas of counters.
pub async fn rebuild(args: RebuildArgs) -> Result<(), Failure> {
    let db = local::open(&args.local).await?;
    let mode = if args.write { Mode::Write } else { Mode::Check };
    let done = rebuilt(&db, mode).await;
    db.close().await;
    let (spans, deltas) = done?;
    for difference in &spans.differences {
        eprintln!("opshawk: {difference}");
    }
    for difference in &deltas.differences {
        eprintln!("opshawk: {difference}");
    }
    let of = format!(
        "{} resources, {} facts, {} spans; {} counters, {} readings, {} deltas",
        spans.resources, spans.facts, spans.spans, deltas.series, deltas.readings, deltas.deltas
    );
    match (mode, spans.differing, deltas.differing) {
        (_, 0, 0) => output::print(&format!(
            "{of}: all spans follow from the facts, all deltas from the readings\n"
        )),
        (Mode::Write, n, m) => {
            output::print(&format!("{of}: written anew for {n} resources and {m} counters\n"))
        }
        (Mode::Check, n, m) => {
            Err(Failure::failed(format!("{of}: {n} resources and {m} counters differ")))
        }
    }
}

/// Spans first: deltas are cut where they say that the owner changes.
async fn rebuilt(
    db: &Db,
    mode: Mode,
) -> base::Result<(rebuild::Rebuilt, counters::rebuild::Rebuilt)> {
    let now = SystemClock.now();
    let spans = rebuild::rebuild(db, now, mode).await?;
    Ok((spans, counters::rebuild::rebuild(db, now, mode).await?))
}

/// As JSON.
pub async fn explain(args: ExplainArgs) -> Result<(), Failure> {
    let db = local::open(&args.local).await?;
    let explained = explained(&db, args.line, args.facts_after).await;
    db.close().await;
    let explained = explained?;
    let shown = serde_json::to_value(&explained)
        .map_err(|e| Failure::failed(format!("it can't be shown: {e}")))?;
    output::print(&format!("{shown:#}\n"))?;
    match explained.equal {
        true => Ok(()),
        false => {
            Err(Failure::failed(format!("line {} does not come to what was posted", args.line)))
        }
    }
}

async fn explained(db: &Db, line: LineId, facts_after: i64) -> base::Result<Explanation> {
    let mut snapshot = db.begin_snapshot().await?;
    let explained = explain::explain(&mut snapshot, line, facts_after).await?;
    snapshot.rollback().await?;
    Ok(explained)
}

/// As JSON, one a line.
pub async fn findings(args: FindingsArgs) -> Result<(), Failure> {
    let db = local::open(&args.local).await?;
    let all = findings::list(&mut *db.read().await?, args.all).await?;
    db.close().await;
    lines(&all)
}

/// As JSON, one a line.
pub async fn gaps(args: GapsArgs) -> Result<(), Failure> {
    let db = local::open(&args.local).await?;
    let all = lost::list(&mut *db.read().await?, args.all).await?;
    db.close().await;
    lines(&all)
}

fn lines<T: Serialize>(all: &[T]) -> Result<(), Failure> {
    let mut text = String::new();
    for one in all {
        let line = serde_json::to_string(one)
            .map_err(|e| Failure::failed(format!("it can't be shown: {e}")))?;
        text.push_str(&line);
        text.push('\n');
    }
    output::print(&text)
}

pub async fn rule(args: RuleArgs) -> Result<(), Failure> {
    let verdict = match args.ruling {
        Ruling::Take => Verdict::Take { at: args.at },
        Ruling::Drop if args.at.is_some() => {
            return Err(Failure::usage("what is dropped counts at no instant: leave --at away"));
        }
        Ruling::Drop => Verdict::Drop,
    };
    let db = local::open(&args.local).await?;
    let (now, reason) = (SystemClock.now(), &args.reason);
    let mut tx = db.begin_write().await?;
    rulings::rule(&mut tx, now, args.fact, verdict, ACTOR, reason).await?;
    let detail = json!({"ruling": args.ruling.as_str(), "at": args.at, "reason": reason});
    record(&mut tx, "usage.rule", "usage_fact", args.fact.to_string(), detail).await?;
    tx.commit().await.map_err(base::Error::from)?;
    done(db).await
}

pub async fn answer(args: AnswerArgs) -> Result<(), Failure> {
    let db = local::open(&args.local).await?;
    let now = SystemClock.now();
    let mut tx = db.begin_write().await?;
    let attributes = match &args.attributes {
        Some(text) => Attributes::parse(text)?,
        None => lost::get(&mut tx, args.gap).await?.attributes,
    };
    let answer = Answer { state: args.state.clone(), attributes, changed_at: args.changed };
    lost::answer(&mut tx, now, args.gap, &answer, ACTOR, &args.reason).await?;
    let detail = json!({
        "state": answer.state, "attributes": answer.attributes, "changed": args.changed,
        "reason": args.reason,
    });
    record(&mut tx, "usage.answer", "usage_gap", args.gap.to_string(), detail).await?;
    tx.commit().await.map_err(base::Error::from)?;
    done(db).await
}

async fn record(
    conn: &mut base::db::Conn,
    action: &'static str,
    target_kind: &'static str,
    target_id: String,
    detail: Value,
) -> Result<(), Failure> {
    let act = audit::Act { action, target_kind, target_id, tenant_id: None, detail };
    Ok(audit::record(conn, SystemClock.now(), &Actor::system(ACTOR), act).await?)
}

async fn done(db: Db) -> Result<(), Failure> {
    db.close().await;
    output::print("Done; a running server rates it with its next posting.\n")
}
