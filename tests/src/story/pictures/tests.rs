use std::{collections::BTreeSet, fs};

use super::*;
use crate::dir::workspace;

/// A page that is added to the console is added to the pictures.
#[test]
fn every_page_of_the_console_is_in_the_pictures() {
    let id = || "$id".to_owned();
    let shown = Shown {
        instance: id(),
        stopped: Value::Null,
        host: id(),
        server: id(),
        tenant: id(),
        book: id(),
        draft: id(),
        invoice: json!({"id": id()}),
    };
    let all = [tenants(&shown), operators(&shown), strangers()].concat();
    let taken: BTreeSet<&str> =
        all.iter().map(|page| page.path.split('?').next().unwrap_or_default()).collect();

    let router = workspace().join("dashboards/console/src/router.tsx");
    let router = fs::read_to_string(router).unwrap();
    let routes = router.split("path: \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let routes: BTreeSet<&str> = routes.collect();
    assert!(routes.len() > 20, "{routes:?}");
    assert_eq!(taken, routes);

    for list in [tenants(&shown), operators(&shown), strangers()] {
        let names: BTreeSet<&str> = list.iter().map(|page| page.name).collect();
        assert_eq!(names.len(), list.len(), "two pictures have one name");
    }
}
