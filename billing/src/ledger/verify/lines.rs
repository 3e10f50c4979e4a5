//! The rated lines of one tenant against its charges, and against what rounding starts from.

use std::collections::HashMap;

use base::{Result, db::Conn, id::TenantId};

use super::{Looked, tenant::Books};

pub(super) async fn check(
    conn: &mut Conn,
    tenant: TenantId,
    books: &Books,
    looked: &mut Looked,
) -> Result<()> {
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
        "SELECT charge_no, CAST(SUM(net) AS BIGINT), CAST(SUM(tax) AS BIGINT) FROM charges \
         WHERE tenant_id = $1 GROUP BY charge_no",
    )
    .bind(tenant.to_string())
    .fetch_all(&mut *conn)
    .await?;
    let mut lines: HashMap<i64, (i128, i128)> =
        rows.into_iter().map(|(no, net, tax)| (no, (net.into(), tax.into()))).collect();
    for (id, sums) in &books.transactions {
        let Some(number) = sums.charge else { continue };
        let said = lines.remove(&number).unwrap_or_default();
        if said != (sums.net, sums.tax) {
            let (net, tax) = (sums.net, sums.tax);
            let detail = format!(
                "it earned {net} and taxed {tax}, its lines say {} and {} micro-units",
                said.0, said.1
            );
            looked.find("charge_is_lines", tenant, id, detail);
        }
    }
    for number in lines.keys() {
        let detail = "there are lines of no charge".to_owned();
        looked.find("charge_is_lines", tenant, number, detail);
    }
    totals(conn, tenant, looked).await
}

/// Each amount by itself: what one has too much and the other too little is wrong in both.
async fn totals(conn: &mut Conn, tenant: TenantId, looked: &mut Looked) -> Result<()> {
    let rows: Vec<(i64, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT group_no, CAST(SUM(lines_net) AS BIGINT), CAST(SUM(lines_tax) AS BIGINT), \
           CAST(SUM(net) AS BIGINT), CAST(SUM(tax) AS BIGINT) \
         FROM (SELECT k.group_no AS group_no, c.net AS lines_net, c.tax AS lines_tax, \
                 0 AS net, 0 AS tax FROM charges c \
               JOIN rated_keys k ON k.tenant_id = c.tenant_id AND k.key_no = c.key_no \
               WHERE c.tenant_id = $1 \
               UNION ALL SELECT key_no, 0, 0, net, tax FROM rated_sums WHERE tenant_id = $1) \
             AS either \
         GROUP BY group_no HAVING SUM(lines_net) <> SUM(net) OR SUM(lines_tax) <> SUM(tax)",
    )
    .bind(tenant.to_string())
    .fetch_all(conn)
    .await?;
    for (group, lines_net, lines_tax, net, tax) in rows {
        let detail = format!(
            "its lines are {lines_net} and {lines_tax} of tax, its sums {net} and {tax} micro-units"
        );
        looked.find("totals_are_lines", tenant, format!("group {group}"), detail);
    }
    Ok(())
}
