//! `opshawk billing replay`: plays a file of prices, facts and payments without a server.

use async_trait::async_trait;
use base::{db::Db, id::NoticeId, time::Timestamp};
use billing::replay::{self, Deliveries, Played};

use super::{Failure, read_text};
use crate::cli::{args::ReplayArgs, output};

/// Routed at once, in one transaction each.
const ROUTE_BATCH: i64 = 100;

/// What came out goes to stdout as JSON, whatever was expected; what differs goes to stderr.
pub async fn replay(args: ReplayArgs) -> Result<(), Failure> {
    let name = args.file.display().to_string();
    let file = replay::parse(&read_text(&args.file)?)
        .map_err(|e| Failure::usage(format!("{name}: {e}")))?;
    let played = match &args.database {
        Some(url) => played_in(url, &file).await?,
        None => {
            let dir = tempfile::tempdir().map_err(|e| {
                Failure::failed(format!("a temporary directory can't be made: {e}"))
            })?;
            played_in(&Db::sqlite_url(&dir.path().join("replay.db")), &file).await?
        }
    };
    output::print(&format!("{:#}\n", played.report))?;
    for difference in &played.differences {
        eprintln!("opshawk: {name}: {difference}");
    }
    match played.differences.len() {
        0 => Ok(()),
        1 => Err(Failure::failed(format!("{name}: it went otherwise in one place"))),
        n => Err(Failure::failed(format!("{name}: it went otherwise in {n} places"))),
    }
}

async fn played_in(url: &str, file: &replay::File) -> Result<Played, Failure> {
    let db = replay::open_empty(url).await?;
    let played = replay::play(&db, file, &Routing::new()).await;
    db.close().await;
    played.map_err(|e| {
        Failure::failed(format!("the replay can't go on: {}", base::reconcile::error_chain(&e)))
    })
}

/// Alerting's routing, with one webhook for the operators; each tenant has a user with a mail
/// address. Nothing is sent.
struct Routing {
    settings: alerting::Settings,
}

impl Routing {
    fn new() -> Self {
        let webhook_urls = vec!["https://replay.invalid/".to_owned()];
        Self { settings: alerting::Settings { webhook_urls, ..alerting::Settings::default() } }
    }
}

#[async_trait]
impl Deliveries for Routing {
    async fn route(&self, db: &Db, now: Timestamp) -> base::Result<Vec<(NoticeId, Vec<String>)>> {
        use alerting::delivery::{recipients, store};
        let mut routed = Vec::new();
        loop {
            let batch = store::unrouted(&mut *db.read().await?, ROUTE_BATCH).await?;
            if batch.is_empty() {
                return Ok(routed);
            }
            let mut tx = db.begin_write().await?;
            for notice in &batch {
                let (topic, tenant) = (&notice.topic, notice.tenant_id);
                let recipients = recipients::of(&mut tx, &self.settings, topic, tenant).await?;
                store::route(&mut tx, now, notice, &recipients).await?;
                let channels = recipients.iter().map(|r| r.channel.as_str().to_owned());
                routed.push((notice.id, channels.collect()));
            }
            tx.commit().await?;
        }
    }
}
