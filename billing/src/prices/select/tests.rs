use super::*;

fn selector(flavor: Option<&str>, region: Option<&str>, labels: &[(&str, &str)]) -> Selector {
    Selector {
        flavor: flavor.map(str::to_owned),
        region: region.map(str::to_owned),
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

fn shape(attributes: &[(&str, &str)]) -> BTreeMap<String, String> {
    attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn all_conditions_must_hold() {
    let gpu = selector(Some("small"), None, &[("tier", "gold")]);
    assert!(gpu.matches(&shape(&[("flavor", "small"), ("label.tier", "gold"), ("region", "n")])));
    assert!(!gpu.matches(&shape(&[("flavor", "small"), ("label.tier", "base")])));
    assert!(!gpu.matches(&shape(&[("flavor", "small"), ("tier", "gold")])), "no label");
    assert!(!gpu.matches(&shape(&[("label.tier", "gold")])), "no flavor");
    assert!(Selector::default().matches(&shape(&[])));
    assert_eq!(gpu.conditions(), 2);
}

#[test]
fn two_meet_unless_they_ask_for_different_values() {
    let small = selector(Some("small"), None, &[]);
    let north = selector(None, Some("north"), &[]);
    assert!(small.meets(&north) && north.meets(&small));
    assert!(!small.meets(&selector(Some("large"), Some("north"), &[])));
    let gold = selector(None, None, &[("tier", "gold")]);
    assert!(gold.meets(&small));
    assert!(!gold.meets(&selector(None, None, &[("tier", "base")])));
    assert!(small.covers(&selector(Some("small"), Some("north"), &[])));
    assert!(!small.covers(&north));
    assert!(Selector::default().covers(&gold) && !gold.covers(&Selector::default()));
}
