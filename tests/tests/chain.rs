//! The whole chain, from a booting machine to a cut-off tenant, on either database.

use anyhow::Result;
use lab::{
    postgres::Postgres,
    story::{ACTS, Story},
};

/// The console is the same whatever the database is.
const ACTS_WITHOUT_BROWSER: usize = 8;
/// Lasts for a minute; the story pays more where a slow machine needs it.
const FIRST_TOPUP: &str = "0.60";

async fn play(database: Option<String>, acts: usize) -> Result<()> {
    let mut story = Story::begin(database).await?;
    story.first_topup = FIRST_TOPUP;
    for (index, title) in ACTS.iter().enumerate().take(acts) {
        println!("act {}: {title}", index + 1);
        story.act(index + 1).await?;
    }
    let status = story.world.server.stop().await?;
    anyhow::ensure!(status.success(), "after SIGTERM the server ended with {status}");
    Ok(())
}

#[tokio::test]
async fn the_whole_chain_runs_on_sqlite() -> Result<()> {
    play(None, ACTS.len()).await
}

#[tokio::test]
async fn the_whole_chain_runs_on_postgresql() -> Result<()> {
    let postgres = Postgres::start().await?;
    play(Some(postgres.database("opshawk")?), ACTS_WITHOUT_BROWSER).await
}
