//! `opshawk rule …`

use http::Method;
use serde_json::Value;

use super::{Column, Context, Failure, col, read_text, wide};
use crate::cli::args::RuleCommand;

const PATH: &str = "/v1/rule-groups";

const COLUMNS: &[Column] = &[
    col("GROUP", "/name"),
    col("SOURCE", "/source"),
    col("UPDATED", "/updated_at"),
    wide("RULES", "/rules"),
];

pub async fn run(cx: &Context, command: RuleCommand) -> Result<(), Failure> {
    match command {
        RuleCommand::List => cx.list(COLUMNS, &cx.client.list(PATH, &[], None).await?),
        RuleCommand::Apply { file } => {
            let text = read_text(&file)?;
            let mut applied = Vec::new();
            for (name, group) in groups(&text, &file.display().to_string())? {
                let request = cx
                    .client
                    .request(Method::PUT, &format!("{PATH}/{}", in_path(&name)))
                    .header(http::header::CONTENT_TYPE, "application/yaml")
                    .body(group);
                let answer = cx.client.send(request).await?.json().await;
                applied.push(answer.map_err(|e| Failure::failed(format!("no JSON: {e}")))?);
            }
            cx.list(COLUMNS, &applied)
        }
        RuleCommand::Delete { group } => {
            cx.client.delete(&format!("{PATH}/{}", in_path(&group))).await.map(drop)
        }
    }
}

/// The groups of a Prometheus rules file, each as a file of its own.
fn groups(text: &str, file: &str) -> Result<Vec<(String, String)>, Failure> {
    let broken = |what: String| Failure::usage(format!("{file}: {what}"));
    let whole: serde_yaml_ng::Value =
        serde_yaml_ng::from_str(text).map_err(|e| broken(e.to_string()))?;
    let groups = whole.get("groups").and_then(serde_yaml_ng::Value::as_sequence);
    let groups = groups.ok_or_else(|| broken("there is no list of groups".to_owned()))?;
    let one = |group: &serde_yaml_ng::Value| {
        let name = group.get("name").and_then(serde_yaml_ng::Value::as_str);
        let name = name.ok_or_else(|| broken("a group has no name".to_owned()))?;
        let alone = serde_json::json!({ "groups": [serde_json::to_value(group)
            .map_err(|e| broken(e.to_string()))?] });
        let text = serde_yaml_ng::to_string::<Value>(&alone).map_err(|e| broken(e.to_string()))?;
        Ok((name.to_owned(), text))
    };
    groups.iter().map(one).collect()
}

/// RFC 3986: what may not stand in a path's segment is percent-encoded.
fn in_path(segment: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    segment
        .bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_falls_into_its_groups() {
        let text = "groups:\n- name: a b/c\n  rules: []\n- name: d\n  interval: 5s\n  rules: []\n";
        let all = groups(text, "f").unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(in_path(&all[0].0), "a%20b%2Fc");
        assert!(all[1].1.contains("interval: 5s"), "{}", all[1].1);
        assert!(groups("x: 1", "f").unwrap_err().message.starts_with("f: "));
    }
}
