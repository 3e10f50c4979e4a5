//! Prices of a file, published and assigned as an operator would.

use std::collections::BTreeMap;

use base::{
    Result,
    db::Conn,
    id::{FlavorId, PriceBookId, TenantId},
};

use super::{
    file::{File, Override, Publish},
    world::{ACTOR, World},
};
use crate::prices::{
    assign,
    books::{create_book, create_own_book},
    document::{Document, Rate},
    overrides::{self, NewOverride},
    publish::{self, Terms},
};

fn with_ids(rates: &[Rate], flavors: &BTreeMap<String, FlavorId>) -> Vec<Rate> {
    let mut rates = rates.to_vec();
    for rate in &mut rates {
        let flavor = rate.r#where.flavor.as_mut();
        if let Some((name, id)) =
            flavor.and_then(|name| flavors.get(name.as_str()).map(|id| (name, id)))
        {
            *name = id.to_string();
        }
    }
    rates
}

/// The file's document, with flavors by id.
pub fn document(of: &Document, flavors: &BTreeMap<String, FlavorId>) -> Document {
    Document { tax: of.tax, rates: with_ids(&of.rates, flavors) }
}

/// The books that are anybody's, with their versions.
pub async fn books(
    conn: &mut Conn,
    file: &File,
    flavors: &BTreeMap<String, FlavorId>,
) -> Result<BTreeMap<String, PriceBookId>> {
    let mut books = BTreeMap::new();
    for (name, book) in file.books.iter().filter(|(_, book)| book.tenant.is_none()) {
        let id = create_book(&mut *conn, file.start, name, &book.currency).await?.id;
        publish_all(conn, file, name, id, flavors).await?;
        books.insert(name.clone(), id);
    }
    Ok(books)
}

/// The books of one tenant each; whose tenant pays by it is assigned to it.
pub async fn own_books(
    conn: &mut Conn,
    file: &File,
    flavors: &BTreeMap<String, FlavorId>,
    tenants: &BTreeMap<String, TenantId>,
) -> Result<BTreeMap<String, PriceBookId>> {
    let mut books = BTreeMap::new();
    for (name, book) in &file.books {
        let Some(owner) = book.tenant.as_ref().and_then(|owner| tenants.get(owner)) else {
            continue;
        };
        let id = create_own_book(&mut *conn, file.start, name, *owner).await?.id;
        publish_all(conn, file, name, id, flavors).await?;
        for (payer, tenant) in &file.tenants {
            if tenant.book.as_ref() == Some(name) {
                assign::assign(&mut *conn, file.start, tenants[payer], id, None).await?;
            }
        }
        books.insert(name.clone(), id);
    }
    Ok(books)
}

/// Each version is published when it comes into force or at the start, whichever is earlier.
async fn publish_all(
    conn: &mut Conn,
    file: &File,
    name: &str,
    id: PriceBookId,
    flavors: &BTreeMap<String, FlavorId>,
) -> Result<()> {
    for version in &file.books[name].versions {
        let now = version.from.min(file.start);
        let terms = Terms { effective_at: Some(version.from), correction: None };
        let document = document(&version.document, flavors);
        publish::publish(&mut *conn, now, id, terms, &document).await?;
    }
    Ok(())
}

impl World<'_> {
    pub async fn publish(&self, publish: &Publish) -> Result<()> {
        let terms = Terms { effective_at: publish.from, correction: publish.correction.as_deref() };
        let document = document(&publish.document, &self.flavors);
        let book = self.books[&publish.book];
        let mut tx = self.db.begin_write().await?;
        publish::publish(&mut tx, self.server_now(), book, terms, &document).await?;
        Ok(tx.commit().await?)
    }

    pub async fn give(&self, given: &Override) -> Result<()> {
        let new = NewOverride {
            from: given.from,
            to: given.to,
            tax: given.tax,
            rates: with_ids(&given.rates, &self.flavors),
            reason: &given.reason,
            is_correction: given.is_correction,
            actor: ACTOR,
        };
        let tenant = self.tenants[&given.tenant];
        let mut tx = self.db.begin_write().await?;
        overrides::create(&mut tx, self.server_now(), tenant, new).await?;
        Ok(tx.commit().await?)
    }
}
