//! What needs no server: an operator's token, a backup of a stopped server, restoring one.

use std::path::Path;

use base::{
    db::Db,
    time::{Clock, SystemClock},
};
use identity::{Access, Actor, audit, tokens};
use serde_json::json;

use super::{
    args::{BackupArgs, LocalArgs, RestoreArgs, TokenCreate},
    client::Client,
    exit::Failure,
    output,
};
use crate::{
    backup,
    config::{self, Config, Flags},
};

impl LocalArgs {
    /// Whether a data directory was named, by itself or by a configuration.
    pub fn is_given(&self) -> bool {
        self.data_dir.is_some() || self.config.is_some()
    }

    /// As the server would read it, so that both mean the same.
    fn config(&self) -> Result<Config, Failure> {
        let flags = Flags {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            ..Flags::default()
        };
        config::load(&flags, std::env::vars()).map_err(|e| Failure::failed(e.to_string()))
    }
}

/// The data directory's database, which must be there.
pub async fn open(local: &LocalArgs) -> Result<Db, Failure> {
    let config = local.config()?;
    if config.database.is_none() && !config.data_dir.join("opshawk.db").exists() {
        return Err(Failure::failed(format!(
            "{} has no database (start opshawk server --data-dir with it first)",
            config.data_dir.display()
        )));
    }
    Ok(Db::open(&config.database_url()).await?)
}

/// Prints an operator's token for the data directory's database. The server may run.
pub async fn create_token(args: TokenCreate) -> Result<(), Failure> {
    let db = open(&args.local).await?;
    let now = SystemClock.now();
    let mut tx = db.begin_write().await?;
    let (token, plain) = tokens::create(&mut tx, now, &args.name, Access::Operator).await?;
    let act = audit::Act {
        action: "token.create",
        target_kind: "token",
        target_id: token.id.to_string(),
        tenant_id: None,
        detail: json!({ "name": token.name, "role": "operator", "where": "on the machine" }),
    };
    audit::record(&mut tx, now, &Actor::system("command line"), act).await?;
    tx.commit().await.map_err(base::Error::from)?;
    db.close().await;
    output::print(&format!("{plain}\n"))
}

pub async fn backup(args: BackupArgs) -> Result<(), Failure> {
    let config = args.local.config()?;
    backup::offline(&config.data_dir, &config.database_url(), &args.file).await?;
    Ok(())
}

/// Of a running server, by its API.
pub async fn backup_from_server(client: &Client, file: &Path) -> Result<(), Failure> {
    use std::io::Write;
    let target = backup::Target::create(file)?;
    let request = client.request(http::Method::POST, "/v1/system/backup");
    let mut response = client.send(request).await?;
    let mut out = std::io::BufWriter::new(target.file()?);
    let unwritable = |e| Failure::failed(format!("{} can't be written: {e}", file.display()));
    loop {
        let chunk = response.chunk().await;
        let cut = |e| Failure::failed(format!("the backup was cut short: {e}"));
        let Some(chunk) = chunk.map_err(cut)? else { break };
        out.write_all(&chunk).map_err(unwritable)?;
    }
    out.flush().map_err(unwritable)?;
    target.finish()?;
    Ok(())
}

pub async fn restore(args: RestoreArgs) -> Result<(), Failure> {
    let rows = backup::restore(&args.file, &args.data_dir, args.database.as_deref()).await?;
    let dir = args.data_dir.display();
    output::print(&format!("{rows} rows restored; start it with opshawk server --data-dir {dir}\n"))
}
