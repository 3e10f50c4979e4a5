//! Both kinds of build are right: with a console and without one.

use super::*;

fn text(asset: &Asset) -> String {
    String::from_utf8(asset.bytes.to_vec()).expect("UTF-8")
}

#[test]
fn pages_get_the_index_or_are_told_how_to_build_it() {
    for path in ["", "/", "/instances", "/hosts/0193-11", "setup", "/index.html/x"] {
        let told = asset_in(false, path).expect(path);
        assert_eq!(told.content_type, "text/html; charset=utf-8", "{path}");
        assert_eq!(told.cache_control, "no-store");
        assert!(text(&told).contains("make console"), "{path}");
        // `make test` builds the console first; a plain `cargo test` may come without it.
        if is_built() {
            let page = asset(path).expect(path);
            assert_eq!(page.content_type, "text/html; charset=utf-8", "{path}");
            assert!(page.etag.starts_with('"') && page.etag.ends_with('"'));
            assert_eq!(page.cache_control, "no-cache");
            assert!(text(&page).contains("id=\"root\""), "{path}");
        }
    }
    assert!(is_built() || std::env::var("OPSHAWK_TEST_ALL").is_err(), "the console is not built");
}

#[test]
fn a_file_that_is_not_there_is_not_a_page() {
    for path in ["/robots.txt", "/assets/gone-1234.js", "/assets/gone", "/../Cargo.toml"] {
        assert!(asset(path).is_none(), "{path}");
    }
}

#[test]
fn hashed_files_are_kept_for_ever_and_scripts_are_never_inline() {
    for name in Dist::iter().filter(|name| name.starts_with(HASHED)) {
        let file = asset(&name).expect(&name);
        assert_eq!(file.cache_control, "public, max-age=31536000, immutable");
        let javascript = name.ends_with(".js");
        assert_eq!(javascript, file.content_type.starts_with("text/javascript"), "{name}");
    }
    let index = text(&asset("/").expect("always there"));
    for script in index.split("<script").skip(1) {
        let (tag, rest) = script.split_once('>').expect("closed");
        assert!(tag.contains("src=\"/"), "a script from elsewhere, or inline: {tag}");
        assert!(rest.starts_with("</script>"), "an inline script");
    }
}

#[test]
fn the_page_without_a_console_needs_nothing_from_elsewhere() {
    assert!(!NOT_BUILT.contains("<script"));
    assert!(!NOT_BUILT.contains("http"));
}

#[test]
fn the_grafana_dashboard_asks_for_the_ecosystems_metrics() {
    let board: serde_json::Value =
        serde_json::from_str(GRAFANA_HOSTS_AND_GUESTS).expect("valid JSON");
    assert_eq!(board["schemaVersion"], 39);
    let panels = board["panels"].as_array().expect("panels");
    let mut queries = 0;
    for target in panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten() {
        let query = target["expr"].as_str().expect("a query");
        let known = ["node_", "libvirt_", "ipmi_", "opshawk_", "up{", "up "];
        assert!(known.iter().any(|name| query.contains(name)), "{query}");
        assert_eq!(target["datasource"]["uid"], "${datasource}", "{query}");
        queries += 1;
    }
    assert!(queries >= 10, "{queries} queries");
}
