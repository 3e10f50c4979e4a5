//! What a file names, in a fresh database; its clocks.

use std::collections::{BTreeMap, BTreeSet};

use base::{
    Result,
    bus::Bus,
    db::{Conn, Db},
    id::{FlavorId, ImageId, InvoiceId, PackageOrderId, PriceBookId, TenantId},
    money::Micros,
    time::{ManualClock, SharedClock, Timestamp},
};
use identity::users::{self, NewUser};
use inventory::{
    hosts, images,
    quotas::{self, Resource},
};

use super::{file::File, machines::Machine, money, pricing, shapes::Shapes, usage::Gap};
use crate::{Settings, accounts};

/// Of the simulated host and of each quota: no replay is refused for want of room.
const ROOM: i64 = 1_000_000_000;
/// Who the ledger says it was.
pub const ACTOR: &str = "system:replay";

pub struct World<'f> {
    pub file: &'f File,
    pub db: Db,
    pub bus: Bus,
    clock: ManualClock,
    /// By a clock that is right, as the hosts' are unless a fact says otherwise.
    pub now: Timestamp,
    /// By so much the server's clock is ahead.
    pub ahead_ms: i64,
    pub settings: Settings,
    pub tenants: BTreeMap<String, TenantId>,
    pub books: BTreeMap<String, PriceBookId>,
    pub flavors: BTreeMap<String, FlavorId>,
    pub machines: BTreeMap<String, Machine>,
    /// By the names of the machines.
    pub shapes: BTreeMap<String, Shapes>,
    /// What failed of the file's failures, as it lists them.
    pub failed: Vec<i64>,
    pub image: ImageId,
    /// Whether usage is rated.
    pub rating: bool,
    pub money: money::Names,
    /// As they were told of.
    pub gaps: Vec<Gap>,
    /// As they were ordered, by their names.
    pub packages: Vec<(String, PackageOrderId)>,
    /// What each invoice's forms were when it was issued, by their hashes.
    pub issued: BTreeMap<InvoiceId, Vec<String>>,
}

impl<'f> World<'f> {
    /// Makes everything that the file's sections name, as of its start.
    pub async fn build(db: Db, file: &'f File) -> Result<Self> {
        let start = file.start;
        let mut tx = db.begin_write().await?;
        let mut flavors = BTreeMap::new();
        for (name, f) in &file.flavors {
            let (vcpus, memory, disk) = (f.vcpus, f.memory_mib, f.disk_gib);
            let flavor =
                inventory::flavors::create(&mut tx, start, name, vcpus, memory, disk).await?;
            flavors.insert(name.clone(), flavor.id);
        }
        let mut books = pricing::books(&mut tx, file, &flavors).await?;
        let mut tenants = BTreeMap::new();
        for (index, name) in file.tenants.keys().enumerate() {
            let tenant = tenant(&mut tx, file, name, index, &books).await?;
            tenants.insert(name.clone(), tenant);
        }
        books.extend(pricing::own_books(&mut tx, file, &flavors, &tenants).await?);
        host(&mut tx, start).await?;
        let new = images::NewImage {
            name: "replay",
            disk_format: images::DiskFormat::Qcow2,
            wants_kernel: false,
            kernel_cmdline: "",
        };
        let image = images::create(&mut tx, start, new).await?.id;
        let money = money::Names::build(&mut tx, file, &tenants).await?;
        tx.commit().await?;
        let resources = || file.resources.iter();
        let fails = file.host.as_ref().map_or(0, |host| host.fail.len());
        Ok(Self {
            file,
            db,
            bus: Bus::default(),
            clock: ManualClock::at(start),
            now: start,
            ahead_ms: 0,
            settings: file.settings.clone(),
            tenants,
            books,
            flavors,
            machines: resources().map(|(name, r)| (name.clone(), Machine::new(r))).collect(),
            shapes: resources().map(|(name, r)| (name.clone(), Shapes::new(r))).collect(),
            failed: vec![0; fails],
            image,
            rating: true,
            money,
            gaps: Vec::new(),
            packages: Vec::new(),
            issued: BTreeMap::new(),
        })
    }

    /// What the server's clock says.
    pub fn server_now(&self) -> Timestamp {
        self.now.saturating_add_ms(self.ahead_ms)
    }

    /// The right time at an instant of the server's clock.
    pub fn right(&self, server: Timestamp) -> Timestamp {
        server.saturating_add_ms(-self.ahead_ms)
    }

    /// The server's clock, set to now.
    pub fn clock(&self) -> SharedClock {
        self.clock.set(self.server_now());
        self.clock.shared()
    }
}

/// With an account, and one user who gets mail.
async fn tenant(
    conn: &mut Conn,
    file: &File,
    name: &str,
    index: usize,
    books: &BTreeMap<String, PriceBookId>,
) -> Result<TenantId> {
    let wanted = &file.tenants[name];
    let id = identity::tenants::create(&mut *conn, file.start, name).await?.id;
    let login = format!("tenant-{index}@replay.invalid");
    let user = NewUser { login: &login, tenant_id: Some(id), password_hash: None };
    users::create(&mut *conn, file.start, user).await?;
    for resource in Resource::ALL {
        quotas::set_limit(&mut *conn, id, resource, ROOM).await?;
    }
    let settings = Settings { timezone: wanted.zone.name().to_owned(), ..file.settings.clone() };
    // One of its own comes later.
    let book = wanted.book.as_ref().and_then(|name| books.get(name)).copied();
    let currency = &wanted.currency;
    accounts::open_account(&mut *conn, file.start, &settings, id, currency, book).await?;
    if wanted.credit_limit > Micros::ZERO {
        let (now, limit) = (file.start, wanted.credit_limit);
        accounts::set_credit_limit(conn, now, id, limit, ACTOR, "").await?;
    }
    Ok(id)
}

/// One host with room for all.
async fn host(conn: &mut Conn, start: Timestamp) -> Result<()> {
    let id = hosts::create(&mut *conn, start, "replay").await?.id;
    let seen = hosts::Observation {
        generation: 0,
        hypervisor_ok: true,
        reason: None,
        remedy: None,
        facts: hosts::HostFacts {
            cpus: ROOM,
            memory_mib: ROOM,
            disk_gib: ROOM,
            ..hosts::HostFacts::default()
        },
    };
    hosts::observe(conn, start, id, &seen).await
}

/// Ids of these tenants, for their locks.
pub fn ids<'a>(
    tenants: &BTreeMap<String, TenantId>,
    names: impl IntoIterator<Item = &'a String>,
) -> BTreeSet<TenantId> {
    names.into_iter().filter_map(|name| tenants.get(name)).copied().collect()
}
