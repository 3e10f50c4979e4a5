//! Reading notices and how their deliveries went: what the API lists.

use std::collections::BTreeMap;

use base::{
    Error, Result,
    db::{Conn, placeholders},
    id::{DeliveryId, NoticeId, TenantId},
    time::Timestamp,
};
use serde::Serialize;
use sqlx::{Row, any::AnyRow};

/// What was told to people, and how that went.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Notice {
    pub id: NoticeId,
    /// `balance`, `alert`, `host`.
    pub topic: String,
    pub tenant_id: Option<TenantId>,
    pub subject: String,
    pub body: String,
    pub created_at: Timestamp,
    pub deliveries: Vec<Delivery>,
}

#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Delivery {
    pub id: DeliveryId,
    /// `mail` or `webhook`.
    pub channel: String,
    /// The mail address, or the webhook's host and a tag; null for members where it is not theirs.
    pub target: Option<String>,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    pub attempts: i64,
    /// Why the last attempt was not taken; null for members where it is not theirs.
    pub last_error: Option<String>,
    pub delivered_at: Option<Timestamp>,
}

fn parse<T: std::str::FromStr>(row: &AnyRow, column: &str) -> Result<T> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| Error::internal(format!("the column {column} holds no id: {text}")))
}

/// Newest first, before `cursor`. A tenant sees its own notices.
pub async fn list(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    cursor: Option<NoticeId>,
    limit: i64,
) -> Result<Vec<Notice>> {
    let rows = sqlx::query(
        "SELECT * FROM notices WHERE ($1 = '' OR tenant_id = $1) AND ($2 = '' OR id < $2) \
         ORDER BY id DESC LIMIT $3",
    )
    .bind(tenant.map(|id| id.to_string()).unwrap_or_default())
    .bind(cursor.map(|id| id.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let mut notices = rows.iter().map(notice).collect::<Result<Vec<_>>>()?;
    let mut deliveries = deliveries(conn, &notices, tenant.is_some()).await?;
    for notice in &mut notices {
        notice.deliveries = deliveries.remove(&notice.id).unwrap_or_default();
    }
    Ok(notices)
}

fn notice(row: &AnyRow) -> Result<Notice> {
    let tenant: Option<String> = row.try_get("tenant_id")?;
    Ok(Notice {
        id: parse(row, "id")?,
        topic: row.try_get("topic")?,
        tenant_id: if tenant.is_some() { Some(parse(row, "tenant_id")?) } else { None },
        subject: row.try_get("subject")?,
        body: row.try_get("body")?,
        created_at: Timestamp::from_ms(row.try_get("created_ms")?),
        deliveries: Vec::new(),
    })
}

async fn deliveries(
    conn: &mut Conn,
    notices: &[Notice],
    for_member: bool,
) -> Result<BTreeMap<NoticeId, Vec<Delivery>>> {
    let mut all = BTreeMap::<NoticeId, Vec<Delivery>>::new();
    if notices.is_empty() {
        return Ok(all);
    }
    let sql = format!(
        "SELECT * FROM deliveries WHERE notice_id IN ({}) ORDER BY id",
        placeholders(1, notices.len())
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
    for notice in notices {
        query = query.bind(notice.id.to_string());
    }
    for row in query.fetch_all(conn).await? {
        let audience: String = row.try_get("audience")?;
        let hidden = for_member && audience != "tenant";
        let state: String = row.try_get("state")?;
        let finished = row.try_get::<Option<i64>, _>("finished_ms")?.map(Timestamp::from_ms);
        let delivery = Delivery {
            id: parse(&row, "id")?,
            channel: row.try_get("channel")?,
            target: if hidden { None } else { row.try_get("address")? },
            attempts: row.try_get("attempts")?,
            last_error: if hidden { None } else { row.try_get("error")? },
            delivered_at: if state == "delivered" { finished } else { None },
            state,
        };
        all.entry(parse(&row, "notice_id")?).or_default().push(delivery);
    }
    Ok(all)
}
