//! What stands beside the journal: recharges, refunds, holds, bonuses, vouchers.

use base::{Result, db::Conn, id::TenantId};

use super::{Looked, tenant::Books};
use crate::ledger::{
    chart::{Account, Kind},
    grants,
};

pub(super) async fn check(
    conn: &mut Conn,
    tenant: TenantId,
    books: &Books,
    looked: &mut Looked,
) -> Result<()> {
    earned(tenant, books, looked);
    recharges(conn, tenant, books, looked).await?;
    holds(conn, tenant, books, looked).await?;
    bonuses(conn, tenant, books, looked).await?;
    vouchers(conn, tenant, books, looked).await
}

fn earned(tenant: TenantId, books: &Books, looked: &mut Looked) {
    for (id, sums) in &books.transactions {
        let may = matches!(
            sums.kind,
            Kind::Charge | Kind::Close | Kind::HoldEnd | Kind::CreditNote | Kind::Correction
        );
        if (sums.net, sums.tax) != (0, 0) && !may {
            let (kind, net, tax) = (sums.kind.as_str(), sums.net, sums.tax);
            let detail = format!("a {kind} earned {net} and taxed {tax} micro-units");
            looked.find("earned", tenant, id, detail);
        }
    }
}

async fn recharges(
    conn: &mut Conn,
    tenant: TenantId,
    books: &Books,
    looked: &mut Looked,
) -> Result<()> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT r.transaction_id, r.amount_micros, \
         CAST(COALESCE((SELECT SUM(f.amount_micros) FROM refunds f \
           WHERE f.recharge_id = r.transaction_id), 0) AS BIGINT) \
         FROM recharges r WHERE r.tenant_id = $1",
    )
    .bind(tenant.to_string())
    .fetch_all(&mut *conn)
    .await?;
    for (id, amount, refunded) in &rows {
        let paid = books.transactions.get(id).map(|sums| -sums.paid);
        if paid != Some(i128::from(*amount)) {
            let detail = format!("it is of {amount}, its transaction of {paid:?} micro-units");
            looked.find("recharges", tenant, id, detail);
        }
        if refunded > amount {
            let detail = format!("{refunded} of {amount} micro-units are refunded");
            looked.find("recharges", tenant, id, detail);
        }
    }
    let known = |id: &String| rows.iter().any(|(known, ..)| known == id);
    for (id, sums) in &books.transactions {
        if sums.kind == Kind::Recharge && !known(id) {
            looked.find("recharges", tenant, id, "it is of no provider".to_owned());
        }
    }
    refunds(conn, tenant, books, looked).await
}

async fn refunds(
    conn: &mut Conn,
    tenant: TenantId,
    books: &Books,
    looked: &mut Looked,
) -> Result<()> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT transaction_id, amount_micros FROM refunds WHERE tenant_id = $1")
            .bind(tenant.to_string())
            .fetch_all(conn)
            .await?;
    for (id, amount) in &rows {
        let posted = books.of_kind(id, Kind::Refund).map(|sums| sums.refunded);
        if posted != Some(i128::from(*amount)) {
            let detail =
                format!("{amount} are refunded, by its transaction {posted:?} micro-units");
            looked.find("recharges", tenant, id, detail);
        }
    }
    let refunded: i128 = rows.iter().map(|(_, amount)| i128::from(*amount)).sum();
    let posted = books.balance(Account::Refunds);
    if posted != refunded {
        let detail = format!("the account is at {posted}, the refunds are {refunded} micro-units");
        looked.find("recharges", tenant, "refunds", detail);
    }
    Ok(())
}

async fn holds(
    conn: &mut Conn,
    tenant: TenantId,
    books: &Books,
    looked: &mut Looked,
) -> Result<()> {
    let open: i64 = sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(h.amount_micros), 0) AS BIGINT) FROM holds h \
         WHERE h.tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM hold_ends e WHERE e.hold_id = h.id)",
    )
    .bind(tenant.to_string())
    .fetch_one(&mut *conn)
    .await?;
    let posted = books.balance(Account::Holds);
    if posted != i128::from(open) {
        let detail = format!("the account is at {posted}, the open holds are {open} micro-units");
        looked.find("holds", tenant, "holds", detail);
    }
    let ends: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT e.hold_id, e.transaction_id, e.posted_micros FROM hold_ends e \
         JOIN holds h ON h.id = e.hold_id WHERE h.tenant_id = $1",
    )
    .bind(tenant.to_string())
    .fetch_all(conn)
    .await?;
    for (hold, transaction, said) in ends {
        let earned = books.of_kind(&transaction, Kind::HoldEnd).map(|sums| sums.net + sums.tax);
        if earned != Some(i128::from(said)) {
            let detail = format!("{said} of it are posted, by its end {earned:?} micro-units");
            looked.find("holds", tenant, hold, detail);
        }
    }
    Ok(())
}

async fn bonuses(
    conn: &mut Conn,
    tenant: TenantId,
    books: &Books,
    looked: &mut Looked,
) -> Result<()> {
    let given: Vec<(String, i64)> =
        sqlx::query_as("SELECT transaction_id, amount_micros FROM bonuses WHERE tenant_id = $1")
            .bind(tenant.to_string())
            .fetch_all(&mut *conn)
            .await?;
    for (id, amount) in given {
        let posted = books.transactions.get(&id).map(|sums| -sums.given);
        if posted != Some(i128::from(amount)) {
            let detail = format!("it is of {amount}, its transaction of {posted:?} micro-units");
            looked.find("bonuses", tenant, id, detail);
        }
    }
    let account = books.balance(Account::Bonus);
    match grants::left(&grants::moves(conn, tenant).await?) {
        Ok(grants) => {
            let left: i128 = grants.iter().map(|grant| i128::from(grant.left.0)).sum();
            if left != account {
                let detail = format!("the account is at {account}, {left} micro-units are left");
                looked.find("bonuses", tenant, "bonus", detail);
            }
        }
        Err(error) => looked.find("bonuses", tenant, "bonus", error.message),
    }
    Ok(())
}

async fn vouchers(
    conn: &mut Conn,
    tenant: TenantId,
    books: &Books,
    looked: &mut Looked,
) -> Result<()> {
    let redeemed: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT r.voucher_id, r.transaction_id, v.amount_micros FROM voucher_redemptions r \
         JOIN vouchers v ON v.id = r.voucher_id WHERE r.tenant_id = $1",
    )
    .bind(tenant.to_string())
    .fetch_all(conn)
    .await?;
    for (voucher, transaction, amount) in &redeemed {
        let detail = match books.of_kind(transaction, Kind::Voucher).map(|sums| -sums.given) {
            Some(given) if given == i128::from(*amount) => continue,
            Some(given) => format!("it is of {amount}, its transaction of {given} micro-units"),
            None => format!("its transaction {transaction} is not in the journal"),
        };
        looked.find("vouchers", tenant, voucher, detail);
    }
    for (id, sums) in &books.transactions {
        let known = redeemed.iter().any(|(_, transaction, _)| transaction == id);
        if sums.kind == Kind::Voucher && !known {
            looked.find("vouchers", tenant, id, "no voucher was redeemed for it".to_owned());
        }
    }
    Ok(())
}
