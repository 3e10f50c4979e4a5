//! One id type an entity, so that a tenant can't be passed where an instance is meant.
//!
//! All are UUIDv7: they sort by time of creation, and a domain's libvirt UUID is its instance's id.

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            #[allow(clippy::new_without_default)] // A new id is never a default.
            pub fn new() -> Self { Self(uuid::Uuid::now_v7()) }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, uuid::Error> { s.parse().map(Self) }
        }
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $crate::id::uuid_schema()
            }
        }
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
        }
    )+};
}

pub(crate) fn uuid_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
            utoipa::openapi::KnownFormat::Uuid,
        )))
        .into()
}

typed_ids! {
    TenantId, UserId, TokenId,
    /// A machine that runs guests.
    HostId,
    /// A physical machine behind a BMC.
    ServerId,
    FlavorId, ImageId, InstanceId, OperationId, QuotaRequestId,
    PriceBookId, PriceVersionId, PriceDraftId, LedgerTransactionId, VoucherId, UsageEventId,
    InvoiceId, CreditNoteId, PackageOrderId,
    NoticeId, DeliveryId, AuditId, ExemptionId, FindingId, UsageGapId, CounterSeriesId,
    /// One episode of an alert, from pending to resolved.
    AlertId,
    /// One live console of an instance, from its request to its end.
    StreamId,
    /// A run of an agent: a new one at each start.
    BootId,
}
