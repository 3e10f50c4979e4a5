//! Packages of a replay: ordered and cancelled as a tenant would, renewed by the product.

use base::{Error, ErrorKind, Result, db::Conn, reconcile::Reconciler, time::Timestamp};
use serde_json::{Value, json};

use super::world::{ACTOR, World};
use crate::packages::{self, NewOrder, PackageReconciler};

/// Renews what is due; when the next is.
pub async fn run(world: &World<'_>) -> Result<Option<Timestamp>> {
    let (db, clock, bus) = (world.db.clone(), world.clock(), world.bus.clone());
    let packages = PackageReconciler::new(db, clock, bus);
    Ok(super::play::sound_outcome(packages.run().await?)?.wake_at)
}

pub async fn order(world: &mut World<'_>, name: &str) -> Result<()> {
    let package = &world.file.packages[name];
    let tenant = world.tenants[&package.tenant];
    let new = NewOrder { tenant, name, rate: &package.rate, actor: ACTOR };
    let mut tx = world.db.begin_write().await?;
    let ordered = packages::order(&mut tx, world.server_now(), &new).await?;
    tx.commit().await?;
    world.packages.push((name.to_owned(), ordered.id));
    Ok(())
}

/// The one that was ordered last by that name.
pub async fn cancel(world: &World<'_>, name: &str) -> Result<()> {
    let last = world.packages.iter().rfind(|(ordered, _)| ordered == name);
    let (_, id) = last.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("package {name} was not ordered"))
    })?;
    let tenant = world.tenants[&world.file.packages[name].tenant];
    let mut tx = world.db.begin_write().await?;
    packages::cancel(&mut tx, world.server_now(), tenant, *id, ACTOR).await?;
    Ok(tx.commit().await?)
}

/// In the order in which they were ordered, by tenant.
pub async fn report(conn: &mut Conn, world: &World<'_>) -> Result<Vec<Value>> {
    let show = |at: Timestamp| world.file.times.show(at);
    let mut all = Vec::new();
    for (tenant, id) in &world.tenants {
        for package in packages::list(&mut *conn, world.server_now(), *id).await? {
            all.push(json!({
                "tenant": tenant, "package": package.name, "rate": package.rate,
                "at": show(package.ordered_at), "renews_at": package.renews_at.map(show),
                "ends_at": package.ends_at.map(show), "price": package.price,
            }));
        }
    }
    Ok(all)
}
