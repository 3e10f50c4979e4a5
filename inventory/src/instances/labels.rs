//! Labels: what a tenant tells its instances apart by. Costs are summed by them and prices may select by
//! them, so that billing's facts carry them.

use std::collections::BTreeMap;

use base::{Error, Result, db::Conn, id::InstanceId};

/// Values by key.
pub type Labels = BTreeMap<String, String>;
/// A value sets its key, none takes it out.
pub type LabelChange = BTreeMap<String, Option<String>>;

/// So many of the longest fit into one fact, beside all else that it says.
pub const LABELS_MAX: usize = 16;
pub const KEY_MAX_BYTES: usize = 63;
pub const VALUE_MAX_BYTES: usize = 63;

/// Refuses what no fact could carry, or nobody could write.
pub fn check_labels(labels: &Labels) -> Result<()> {
    let wrong = |message: String| Error::invalid("labels", message);
    if labels.len() > LABELS_MAX {
        let message = format!("there are {} labels, at most {LABELS_MAX} are kept", labels.len());
        return Err(wrong(message).remedy("take out those that nothing is told apart by"));
    }
    for (key, value) in labels {
        if !is_key(key) {
            return Err(wrong(format!("'{key}' can't be a label's key")).remedy(format!(
                "use 1 to {KEY_MAX_BYTES} of a-z, 0-9 and . _ / - that begin and end with a letter \
                 or digit, such as team"
            )));
        }
        if value.is_empty() || value.len() > VALUE_MAX_BYTES || value.contains(char::is_control) {
            return Err(wrong(format!("the value of label '{key}' can't be kept")).remedy(format!(
                "give it 1 to {VALUE_MAX_BYTES} bytes of text in one line, or take the label out"
            )));
        }
    }
    Ok(())
}

fn is_key(key: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    key.len() <= KEY_MAX_BYTES
        && key.starts_with(plain)
        && key.ends_with(plain)
        && key.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '/' | '-'))
}

/// The labels with the change, where they can be kept.
pub fn changed_labels(labels: &Labels, change: &LabelChange) -> Result<Labels> {
    let mut after = labels.clone();
    for (key, value) in change {
        match value {
            Some(value) => after.insert(key.clone(), value.clone()),
            None => after.remove(key),
        };
    }
    check_labels(&after)?;
    Ok(after)
}

/// Writes them; the caller has checked them, and holds the instance.
pub async fn set_labels(conn: &mut Conn, id: InstanceId, labels: &Labels) -> Result<()> {
    sqlx::query("UPDATE instances SET labels = $1 WHERE id = $2")
        .bind(written(labels))
        .bind(id.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) fn written(labels: &Labels) -> String {
    serde_json::json!(labels).to_string()
}

/// From a row.
pub fn parsed_labels(text: &str) -> Result<Labels> {
    serde_json::from_str(text)
        .map_err(|e| Error::internal("an instance's labels can't be read").source(e))
}

#[cfg(test)]
mod tests;
