use base::{
    ErrorKind,
    time::{Clock, Timestamp},
};

use super::{
    rebuild::{Mode, Rebuilt, rebuild},
    *,
};
use crate::{
    findings,
    kinds::DELETED,
    testing::{Guest, World, at, micros},
};

mod decided;
mod locks;
mod moved;
mod properties;
mod random;

impl World {
    pub async fn record_all(&self, now: Timestamp, facts: &[Fact]) -> Vec<base::Result<Recorded>> {
        self.write(async |tx| record_all(tx, now, facts).await).await.unwrap()
    }

    pub async fn rebuilt(&self, mode: Mode) -> Rebuilt {
        rebuild(&self.db, self.clock.now(), mode).await.unwrap()
    }

    /// The spans are those that follow from the facts.
    pub async fn assert_rebuilt(&self) {
        let rebuilt = self.rebuilt(Mode::Check).await;
        let shown: Vec<String> = rebuilt.differences.iter().map(ToString::to_string).collect();
        assert_eq!(rebuilt.differing, 0, "{shown:#?}");
    }

    pub async fn spans(&self, guest: &Guest) -> Vec<(Timestamp, Option<Timestamp>, String)> {
        let resource = Resource { kind: "instance".to_owned(), id: guest.id.clone() };
        let spans = self.read(async |conn| spans::of_resource(conn, &resource).await).await;
        spans
            .into_iter()
            .map(|s| {
                let to = (!s.is_open()).then(|| Timestamp::from_ms(s.to_ms));
                (Timestamp::from_ms(s.from_ms), to, s.state)
            })
            .collect()
    }

    pub async fn findings(&self) -> Vec<(String, String)> {
        let all = self.read(async |conn| findings::list(conn, false).await).await;
        all.into_iter().map(|f| (f.kind, f.subject)).collect()
    }
}

fn counted(taken: &[base::Result<Recorded>]) -> Vec<Option<(i64, Timestamp)>> {
    let one = |taken: &base::Result<Recorded>| match taken {
        Ok(Recorded::Counted { sequence, effective_at }) => Some((*sequence, *effective_at)),
        _ => None,
    };
    taken.iter().map(one).collect()
}

#[tokio::test]
async fn a_batch_is_taken_in_its_order_and_refuses_only_what_is_wrong() {
    for w in World::each().await {
        let (a, b) = (w.guest("a"), w.guest("b"));
        let first = w.event(&a, ResourceState::Running, at("10:00"));
        let other = Fact { at: at("10:01"), ..first.clone() };
        let nobody = Fact {
            tenant_id: base::id::TenantId::new(),
            ..w.event(&b, ResourceState::Running, at("10:00"))
        };
        let nameless =
            Fact { source: String::new(), ..w.event(&b, ResourceState::Running, at("10:00")) };
        let facts = [
            first.clone(),
            first.clone(),
            other,
            nobody,
            nameless,
            w.event(&b, ResourceState::Running, at("10:00")),
            w.event(&a, ResourceState::Stopped, at("09:00")),
            w.event(&a, ResourceState::Running, at("10:30")),
        ];
        let taken = w.record_all(at("10:30"), &facts).await;
        assert_eq!(
            counted(&taken),
            [
                Some((1, at("10:00"))),
                None,
                None,
                None,
                None,
                Some((1, at("10:00"))),
                Some((2, at("10:00"))),
                Some((3, at("10:30"))),
            ]
        );
        assert_eq!(taken[1].as_ref().unwrap(), &Recorded::Known);
        let kinds = [2, 3, 4].map(|n: usize| taken[n].as_ref().unwrap_err().kind);
        assert_eq!(kinds, [ErrorKind::Conflict, ErrorKind::NotFound, ErrorKind::Invalid]);
        let finding = |kind: &str, n: usize| {
            (kind.to_owned(), format!("{}/{}", facts[n].source, facts[n].source_id))
        };
        let mut found = w.findings().await;
        found.sort();
        let mut expected = [
            finding("usage_conflict", 2),
            finding("usage_refused", 3),
            finding("usage_refused", 4),
        ];
        expected.sort();
        assert_eq!(found, expected);
        assert_eq!(
            w.spans(&a).await,
            [
                (at("10:00"), Some(at("10:30")), "stopped".to_owned()),
                (at("10:30"), None, "running".to_owned())
            ]
        );
        let again = w.record_all(at("10:31"), &facts[..1]).await;
        assert_eq!(again[0].as_ref().unwrap(), &Recorded::Known);
        w.assert_rebuilt().await;
    }
}

/// Any that an instance may have is taken; what no row can hold is told to the operators, and holds
/// up nothing.
#[tokio::test]
async fn a_name_of_any_letters_is_billed_and_a_fact_that_is_refused_is_found() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let named = w.guest(&"\u{1F985}".repeat(inventory::instances::NAME_MAX_CHARS));
        let nowhere = w.guest("web-2");
        let running = |guest: &Guest| w.event(guest, ResourceState::Running, at("10:00"));
        let facts = [
            Fact { resource_name: "x".repeat(fact::TEXT_MAX_BYTES + 1), ..running(&nowhere) },
            Fact { source_id: "a\0b".to_owned(), ..running(&nowhere) },
            running(&named),
        ];
        let taken = w.record_all(at("10:00"), &facts).await;
        assert_eq!(counted(&taken), [None, None, Some((1, at("10:00")))]);
        let all = w.read(async |conn| findings::list(conn, false).await).await;
        let mut found: Vec<_> = all.iter().map(|f| (&*f.kind, f.subject.clone())).collect();
        found.sort();
        let subjects = [format!("test/{}", facts[0].source_id), "test/a\u{fffd}b".to_owned()];
        let mut expected = subjects.map(|subject| ("usage_refused", subject));
        expected.sort();
        assert_eq!(found, expected);
        assert!(all.iter().all(|f| f.tenant_id == Some(w.tenant)), "{all:?}");
        assert!(all.iter().all(|f| f.detail.contains(&nowhere.id)), "{all:?}");
        // Nothing is known of what was refused.
        assert_eq!(w.scalar("SELECT COUNT(*) FROM usage_heads").await, 1);
        w.rate(at("11:00")).await;
        assert_eq!(w.balance(at("11:00")).await.balance, micros("-0.36"));
    }
}

#[tokio::test]
async fn an_ordinal_finds_its_place_whenever_it_comes() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        let told = |state, time, ordinal| Fact { ordinal, ..w.event(&guest, state, at(time)) };
        w.record(at("10:00"), &told(ResourceState::Running, "10:00", 1)).await.unwrap();
        w.record(at("11:00"), &told(ResourceState::Stopped, "11:00", 4)).await.unwrap();
        w.rate(at("11:05")).await;
        assert_eq!(w.balance(at("11:05")).await.balance, micros("-0.36"));
        // Told late: it was stopped for half of that hour.
        let late =
            [told(ResourceState::Running, "10:45", 3), told(ResourceState::Stopped, "10:15", 2)];
        let taken = w.record_all(at("11:06"), &late).await;
        assert_eq!(counted(&taken), [Some((3, at("10:45"))), Some((4, at("10:15")))]);
        let span = |from, to, state: &str| (at(from), Some(at(to)), state.to_owned());
        assert_eq!(
            w.spans(&guest).await[..3],
            [
                span("10:00", "10:15", "running"),
                span("10:15", "10:45", "stopped"),
                span("10:45", "11:00", "running"),
            ]
        );
        w.rate(at("11:06")).await;
        assert_eq!(w.balance(at("11:06")).await.posted, micros("-0.18"));
        w.assert_rebuilt().await;
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn what_contradicts_parks_its_resource_and_no_other() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let (broken, sound) = (w.guest("broken"), w.guest("sound"));
        for guest in [&broken, &sound] {
            w.seen(guest, ResourceState::Running, at("10:00")).await;
        }
        let contradiction = Fact {
            state: "flying".to_owned(),
            ..w.event(&broken, ResourceState::Running, at("10:30"))
        };
        let taken = w
            .record_all(
                at("10:40"),
                &[
                    contradiction,
                    w.event(&broken, ResourceState::Stopped, at("10:35")),
                    w.event(&sound, ResourceState::Stopped, at("10:40")),
                ],
            )
            .await;
        let finding = match taken[0].as_ref().unwrap() {
            Recorded::Parked { finding } => *finding,
            other => panic!("{other:?}"),
        };
        assert_eq!(taken[1].as_ref().unwrap(), &Recorded::Parked { finding });
        assert_eq!(counted(&taken[2..]), [Some((2, at("10:40")))]);
        let parked = ("usage_parked".to_owned(), format!("instance/{}", broken.id));
        assert_eq!(w.findings().await, [parked]);
        assert_eq!(w.subjects().await.len(), 1);
        // Up to the contradiction and no further.
        w.rate(at("12:05")).await;
        assert_eq!(w.balance(at("12:05")).await.balance, micros("-0.42"));
        w.assert_rebuilt().await;
        w.assert_sound().await;
    }
}

#[tokio::test]
async fn every_contradiction_is_found() {
    for w in World::each().await {
        let told = |guest: &Guest, state: &str, time: &str, ordinal| Fact {
            ordinal,
            state: state.to_owned(),
            ..w.event(guest, ResourceState::Running, at(time))
        };
        for (case, words) in [
            (0, "is not a kind"),
            (1, "is not a state"),
            (2, "says nothing of disk_gib"),
            (3, "is negative"),
            (4, "another one's"),
            (5, "was deleted before"),
        ] {
            let guest = w.guest("web-1");
            let fact = told(&guest, "running", "10:00", 1);
            w.record(at("10:00"), &fact).await.unwrap();
            let next = told(&guest, "running", "10:10", 2);
            let next = match case {
                0 => Fact {
                    resource: Resource { kind: "ship".to_owned(), id: guest.id.clone() },
                    ..next
                },
                1 => Fact { state: "sunk".to_owned(), ..next },
                2 => Fact { attributes: crate::kinds::Attributes::new([("flavor", "f")]), ..next },
                3 => Fact { attributes: next.attributes.clone().with("disk_gib", -1), ..next },
                4 => Fact { ordinal: 1, ..next },
                _ => {
                    let end = told(&guest, DELETED, "10:05", 2);
                    let counts = w.record(at("10:10"), &end).await.unwrap();
                    assert!(matches!(counts, Recorded::Counted { sequence: 2, .. }));
                    Fact { ordinal: 3, ..next }
                }
            };
            let taken = w.record(at("10:10"), &next).await.unwrap();
            assert!(matches!(taken, Recorded::Parked { .. }), "{case}: {taken:?}");
            let all = w.read(async |conn| findings::list(conn, false).await).await;
            let subject = next.resource.to_string();
            let found = all.iter().find(|f| f.subject == subject).unwrap();
            assert!(found.detail.contains(words), "{}", found.detail);
        }
        // The same twice under two ids is no contradiction.
        let guest = w.guest("web-2");
        w.record(at("10:00"), &told(&guest, "running", "10:00", 1)).await.unwrap();
        let again = w.record(at("10:00"), &told(&guest, "running", "10:00", 1)).await.unwrap();
        assert_eq!(again, Recorded::Known);
        w.assert_rebuilt().await;
    }
}

#[tokio::test]
async fn spans_that_were_tampered_with_are_found_and_written_anew() {
    for w in World::each().await {
        w.price_small("0.36").await;
        let guest = w.guest("web-1");
        w.seen(&guest, ResourceState::Running, at("10:00")).await;
        w.seen(&guest, ResourceState::Stopped, at("10:30")).await;
        w.assert_rebuilt().await;
        w.write(async |tx| {
            let done = sqlx::query("UPDATE usage_spans SET to_ms = to_ms + 60000 WHERE opened = 1")
                .execute(tx)
                .await?;
            assert_eq!(done.rows_affected(), 1);
            Ok(())
        })
        .await
        .unwrap();
        let tampered = w.spans(&guest).await;
        let found = w.rebuilt(Mode::Check).await;
        assert_eq!((found.resources, found.facts, found.differing), (1, 2, 1));
        assert!(found.differences[0].to_string().contains(&guest.id), "{found:?}");
        assert_eq!(w.spans(&guest).await, tampered);
        assert_eq!(w.rebuilt(Mode::Write).await.differing, 1);
        w.assert_rebuilt().await;
        assert_ne!(w.spans(&guest).await, tampered);
        w.rate(at("11:05")).await;
        assert_eq!(w.balance(at("11:05")).await.posted, micros("-0.18"));
        w.assert_sound().await;
    }
}

/// Where a resource's facts stand says what becomes of the next one; and what stands nowhere is billed
/// all the same.
#[tokio::test]
async fn a_head_that_was_tampered_with_or_taken_out_is_found_and_written_anew() {
    let broken = [
        ("UPDATE usage_heads SET effective_ms = effective_ms + 3600000", 2),
        ("UPDATE usage_heads SET last_ordinal = 7", 2),
        ("UPDATE usage_heads SET plain = 0", 2),
        ("UPDATE usage_heads SET sequence = sequence + 1", 2),
        ("UPDATE usage_heads SET tenant_id = ''", 2),
        ("UPDATE usage_heads SET parked_ms = 1", 2),
        ("DELETE FROM usage_heads", 2),
        // Of what no fact tells of.
        (
            "INSERT INTO usage_spans SELECT kind, 'nothing', 1, from_ms, to_ms, tenant_id, \
             resource_name, state, attributes, alternative, quality FROM usage_spans \
             WHERE resource_name = 'web-1' AND opened = 2",
            1,
        ),
    ];
    for w in World::each().await {
        for name in ["web-1", "web-2"] {
            let guest = w.guest(name);
            w.seen(&guest, ResourceState::Running, at("10:00")).await;
            w.seen(&guest, ResourceState::Stopped, at("10:30")).await;
        }
        for (sql, differing) in broken {
            w.assert_rebuilt().await;
            w.write(async |tx| Ok(sqlx::query(sql).execute(tx).await?)).await.unwrap();
            let found = w.rebuilt(Mode::Check).await;
            assert_eq!(found.differing, differing, "{sql}: {found:?}");
            assert_eq!(w.rebuilt(Mode::Check).await, found, "a check changes nothing: {sql}");
            assert_eq!(w.rebuilt(Mode::Write).await.differences, found.differences, "{sql}");
        }
        w.assert_rebuilt().await;
        assert_eq!(w.scalar("SELECT COUNT(*) FROM usage_spans").await, 4);
    }
}

#[tokio::test]
async fn too_many_facts_are_refused_before_any_is_taken() {
    for w in World::each().await {
        let guest = w.guest("web-1");
        let fact = w.event(&guest, ResourceState::Running, at("10:00"));
        let facts = vec![fact; FACTS_MAX + 1];
        let error = w.write(async |tx| record_all(tx, at("10:00"), &facts).await).await;
        assert_eq!(error.unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(w.scalar("SELECT COUNT(*) FROM usage_facts").await, 0);
    }
}
