use super::*;
use crate::prices::components;

fn instance(disk_gib: i64) -> Attributes {
    Attributes::default().with("flavor", "f1").with("disk_gib", disk_gib)
}

fn used(kind: &str, state: &str, attributes: &Attributes) -> Vec<(&'static str, i64)> {
    let kind = find(kind).unwrap();
    kind.components(state, attributes).map(|(c, quantity)| (c.name, quantity)).collect()
}

#[test]
fn a_state_uses_its_components() {
    let attributes = instance(20);
    assert_eq!(
        used("instance", "running", &attributes),
        [("instance.compute", 1), ("instance.disk", 20)]
    );
    assert_eq!(
        used("instance", "paused", &attributes),
        [("instance.compute_suspended", 1), ("instance.disk", 20)]
    );
    assert_eq!(
        used("instance", "stopped", &attributes),
        [("instance.compute_stopped", 1), ("instance.disk", 20)]
    );
    assert_eq!(used("instance", "stopped", &instance(0)), [("instance.compute_stopped", 1)]);
    for gone in [ABSENT, DELETED] {
        assert_eq!(used("instance", gone, &attributes), []);
    }
    let volume = Attributes::new([("gib", 100)]);
    assert_eq!(used("volume", "available", &volume), [("volume.capacity", 100)]);
    assert_eq!(used("server", "off", &Attributes::default()), [("server.server_off", 1)]);
    assert_eq!(used("bucket", "active", &volume), [("bucket.capacity", 100)]);
    assert_eq!(used("package", "active", &Attributes::default()), []);
}

#[test]
fn what_can_not_be_rated_is_said() {
    let kind = find("instance").unwrap();
    for (state, attributes, words) in [
        ("flying", instance(1), "'flying' is not a state of kind instance"),
        ("running", Attributes::default().with("flavor", "f1"), "nothing of disk_gib"),
        ("running", instance(-1), "disk_gib of -1 is negative"),
        ("running", instance(1).with("disk_gib", "1"), "disk_gib is not a whole number"),
        ("running", instance(1).with("flavor", 7), "flavor is not a text"),
    ] {
        let fault = kind.fault(state, &attributes).unwrap();
        assert!(fault.contains(words), "{fault}");
    }
    assert_eq!(kind.fault("running", &instance(0).with("label.team", "web")), None);
    assert_eq!(kind.fault(ABSENT, &Attributes::default()), None);
}

#[test]
fn every_component_can_have_a_price_and_its_states_and_attributes_are_the_kinds() {
    let mut names = Vec::new();
    for kind in KINDS {
        for component in kind.components {
            let name = component.name;
            assert!(name.starts_with(&format!("{}.", kind.name)), "{name}");
            assert_eq!(components::component(name), Some(component));
            assert!(component.states.iter().all(|state| kind.exists_in(state)), "{name}");
            if let Quantity::Attribute(of) = component.quantity {
                let count = |a: &Attribute| a.name == of && a.holds == Holds::Count;
                assert!(kind.attributes.iter().any(count), "{name}");
            }
            let is_counted = component.quantity == Quantity::Counter;
            assert_eq!(component.per == Per::Unit, is_counted, "{name}");
            let known = component.fallback.map(|other| components::component(other).is_some());
            assert_ne!(known, Some(false), "{name}");
            names.push(name);
        }
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert_eq!(components::component("instance.flying"), None);
    assert_eq!(components::component("instance"), None);
    // Replays count on it.
    assert_eq!((KINDS[0].name, KINDS[0].product), ("instance", true));
    assert_eq!(KINDS.iter().filter(|kind| kind.product).count(), 1);
}

#[test]
fn attributes_have_one_written_form() {
    let attributes = instance(20).with("label.team", "a \"b\"");
    let text = attributes.to_string();
    assert_eq!(text, r#"{"disk_gib":20,"flavor":"f1","label.team":"a \"b\""}"#);
    assert_eq!(Attributes::parse(&text).unwrap(), attributes);
    for broken in ["", "[]", "{\"a\":1.5}", "{\"a\":{}}", "{\"a\":null}"] {
        assert!(Attributes::parse(broken).is_err(), "{broken}");
    }
}
