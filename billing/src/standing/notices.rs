//! What people are told about a tenant's standing. Pure.

use base::{id::TenantId, money::Micros, outbox::Notice, time::Timestamp};
use chrono::SecondsFormat;
use chrono_tz::Tz;

use super::{Rules, Standing};

/// Whom and what a notice is about.
#[derive(Debug, Clone)]
pub struct About<'a> {
    pub tenant_id: TenantId,
    pub tenant: &'a str,
    pub episode: i64,
    pub balance: Micros,
    pub currency: &'a str,
    pub runs_out_at: Option<Timestamp>,
    /// Ids and names of what runs, at most [`INSTANCES_MAX`] are named.
    pub instances: &'a [(String, String)],
    pub zone: Tz,
    pub now: Timestamp,
}

/// Named in one notice.
pub const INSTANCES_MAX: usize = 100;

pub fn notice(standing: Standing, about: &About<'_>, rules: &Rules) -> Notice {
    let tenant = about.tenant;
    let subject = match standing {
        Standing::Active => format!("tenant {tenant} has balance again"),
        Standing::Warned => format!("tenant {tenant} is expected to run out of balance"),
        Standing::Overdue => format!("tenant {tenant} has run out of balance"),
        Standing::Suspended => format!("tenant {tenant} is suspended: its balance ran out"),
        Standing::Stopped => {
            format!("instances of tenant {tenant} are stopped: its balance ran out")
        }
        Standing::ReclaimPending => {
            format!("instances of tenant {tenant} will be deleted: its balance ran out")
        }
        Standing::Reclaimed => {
            format!("instances of tenant {tenant} are deleted: its balance ran out")
        }
    };
    let each = |name: &str| match standing {
        Standing::Active | Standing::Warned => None,
        Standing::Overdue => Some(format!("instance {name} is running")),
        Standing::Suspended => Some(format!("instance {name} is being paused")),
        Standing::Stopped => Some(format!("instance {name} is being stopped")),
        Standing::ReclaimPending => Some(format!("instance {name} will be deleted")),
        Standing::Reclaimed => Some(format!("instance {name} is being deleted")),
    };
    let key = format!("standing:{}:{}:{standing}", about.tenant_id, about.episode);
    let body = body(&subject, about, &consequence(standing, about, rules), &each);
    written(standing, about, key, subject, body)
}

/// The balance is expected to run out within so long. `arm` counts how often money made warnings to
/// be told again.
pub fn warning_notice(threshold_ms: i64, arm: i64, about: &About<'_>) -> Notice {
    let expected = |what: &str| {
        format!("{what} is expected to run out of balance within {}", duration(threshold_ms))
    };
    let subject = expected(&format!("tenant {}", about.tenant));
    let consequence = "Top it up, or instances will be stopped when it has run out.";
    let each = |name: &str| Some(expected(&format!("instance {name}")));
    let (tenant, episode) = (about.tenant_id, about.episode);
    let key = format!("standing:{tenant}:{episode}:warned:{arm}:{threshold_ms}");
    let body = body(&subject, about, consequence, &each);
    written(Standing::Warned, about, key, subject, body)
}

fn written(
    standing: Standing,
    about: &About<'_>,
    key: String,
    subject: String,
    body: String,
) -> Notice {
    Notice {
        key,
        topic: "balance".to_owned(),
        tenant_id: Some(about.tenant_id),
        body,
        data: serde_json::json!({
            "tenant_id": about.tenant_id,
            "tenant": about.tenant,
            "standing": standing,
            "episode": about.episode,
            "balance": about.balance,
            "currency": about.currency,
            "runs_out_at": about.runs_out_at,
            "instances": named(about)
                .map(|(id, name)| serde_json::json!({"id": id, "name": name}))
                .collect::<Vec<_>>(),
        }),
        subject,
    }
}

fn named<'a>(about: &'a About<'_>) -> impl Iterator<Item = &'a (String, String)> {
    about.instances.iter().take(INSTANCES_MAX)
}

fn body(
    subject: &str,
    about: &About<'_>,
    consequence: &str,
    each: &dyn Fn(&str) -> Option<String>,
) -> String {
    let mut lines = vec![
        format!("{}.", capitalised(subject)),
        String::new(),
        format!("Balance: {} {}.", about.balance, about.currency),
    ];
    if let Some(at) = about.runs_out_at.filter(|at| *at > about.now) {
        lines.push(format!("It runs out at {}.", local(at, about.zone)));
    }
    lines.push(consequence.to_owned());
    let instances: Vec<String> =
        named(about).filter_map(|(_, name)| each(name)).map(|line| format!("- {line}")).collect();
    if !instances.is_empty() {
        lines.push(String::new());
        lines.extend(instances);
        if about.instances.len() > INSTANCES_MAX {
            lines.push(format!("- and {} more", about.instances.len() - INSTANCES_MAX));
        }
    }
    lines.join("\n") + "\n"
}

fn consequence(standing: Standing, about: &About<'_>, rules: &Rules) -> String {
    let next = rules.step_after(standing);
    let next_at = next.map(|(ms, _)| local(about.now.saturating_add_ms(ms), about.zone));
    match (standing, next_at) {
        (Standing::Active, _) => {
            "What the shortage had stopped, if anything, is started again.".to_owned()
        }
        (Standing::Overdue, Some(at)) => {
            format!("Instances will be paused at {at} unless it is topped up.")
        }
        (Standing::Suspended, Some(at)) => format!(
            "Nothing new can be started. Instances will be stopped at {at} unless it is topped up."
        ),
        (Standing::Stopped, _) => {
            "Their disks are kept and go on being charged. After a top-up they start again."
                .to_owned()
        }
        (Standing::ReclaimPending, Some(at)) => {
            format!("They are deleted with their disks at {at} unless it is topped up.")
        }
        (Standing::Reclaimed, _) => "They are gone with their disks.".to_owned(),
        (Standing::Suspended, None) => "Nothing new can be started.".to_owned(),
        _ => "Please top it up.".to_owned(),
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn local(at: Timestamp, zone: Tz) -> String {
    at.to_chrono().with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, false)
}

/// As people say it: "a day", "30 seconds".
pub fn duration(ms: i64) -> String {
    const UNITS: [(i64, &str, &str); 4] = [
        (86_400_000, "a day", "days"),
        (3_600_000, "an hour", "hours"),
        (60_000, "a minute", "minutes"),
        (1_000, "a second", "seconds"),
    ];
    let whole = UNITS.iter().find(|(unit, ..)| ms >= *unit && ms % unit == 0);
    match whole {
        Some((unit, one, _)) if ms == *unit => (*one).to_owned(),
        Some((unit, _, many)) => format!("{} {many}", ms / unit),
        None => format!("{ms} milliseconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        for (ms, text) in [
            (86_400_000, "a day"),
            (172_800_000, "2 days"),
            (3_600_000, "an hour"),
            (5_400_000, "90 minutes"),
            (60_000, "a minute"),
            (30_000, "30 seconds"),
            (1_000, "a second"),
            (1_500, "1500 milliseconds"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn a_warning_says_it_of_the_tenant_and_of_each_instance() {
        let instances = [("1".to_owned(), "cc".to_owned()), ("2".to_owned(), "dd".to_owned())];
        let now = Timestamp::from_ms(1_800_000_000_000);
        let about = About {
            tenant_id: TenantId::new(),
            tenant: "acme",
            episode: 3,
            balance: Micros(500_000),
            currency: "CNY",
            runs_out_at: Some(now.saturating_add_ms(20_000)),
            instances: &instances,
            zone: chrono_tz::Asia::Shanghai,
            now,
        };
        let notice = warning_notice(30_000, 2, &about);
        assert_eq!(
            notice.subject,
            "tenant acme is expected to run out of balance within 30 seconds"
        );
        assert_eq!(
            notice.body,
            "Tenant acme is expected to run out of balance within 30 seconds.\n\n\
             Balance: 0.500000 CNY.\n\
             It runs out at 2027-01-15T16:00:20.000+08:00.\n\
             Top it up, or instances will be stopped when it has run out.\n\n\
             - instance cc is expected to run out of balance within 30 seconds\n\
             - instance dd is expected to run out of balance within 30 seconds\n"
        );
        assert_eq!(notice.key, format!("standing:{}:3:warned:2:30000", about.tenant_id));
    }
}
