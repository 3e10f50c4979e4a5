use super::*;

fn file(text: &str) -> (tempfile::TempDir, Flags) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("opshawk.toml");
    std::fs::write(&path, text).unwrap();
    let flags = Flags { config: Some(path), ..Flags::default() };
    (dir, flags)
}

fn error(text: &str, variables: &[(&str, &str)]) -> String {
    let (dir, flags) = file(text);
    let own = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let message = load(&flags, own).unwrap_err().to_string();
    message.replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn file_then_variables_then_flags() {
    let (_dir, mut flags) = file(
        "listen = '127.0.0.1:1000'\n[agent]\nname = 'a'\ncollect_interval_s = 3\n\
         [smtp]\nhost = 'localhost'\nfrom = 'ops@example.com'\npassword = 'x'\nuser = 'u'\n",
    );
    flags.data_dir = Some("/tmp/d".into());
    let variables = [
        ("OPSHAWK_LISTEN", "127.0.0.1:2000"),
        ("OPSHAWK_AGENT__ENABLED", "false"),
        // Text that looks like a number stays text.
        ("OPSHAWK_AGENT__NAME", "7"),
        ("OPSHAWK_NOTIFY__WEBHOOK_URLS", "[\"http://127.0.0.1:1/x\"]"),
        ("OPSHAWK_URL", "http://elsewhere"),
        ("HOME", "/root"),
    ];
    let config = load(&flags, variables.map(|(k, v)| (k.to_owned(), v.to_owned()))).unwrap();
    assert_eq!(config.listen.port(), 2000);
    assert_eq!(config.data_dir, PathBuf::from("/tmp/d"));
    assert!(!config.agent.enabled);
    assert_eq!(config.agent.name.as_deref(), Some("7"));
    assert_eq!(config.agent.collect_interval_s, 3);
    assert_eq!(config.notify.webhook_urls, ["http://127.0.0.1:1/x"]);
    assert_eq!(config.public_url(), "http://127.0.0.1:2000");
    assert!(config.database_url().starts_with("sqlite:///tmp/d/opshawk.db"));
    let debug = format!("{config:?}");
    assert!(!debug.contains("\"x\""), "a password is never printed: {debug}");
}

#[test]
fn an_error_names_the_place_the_key_and_the_type() {
    let wrong_type = error("[agent]\ncollect_interval_s = 'often'\n", &[]);
    assert!(wrong_type.starts_with("DIR/opshawk.toml: agent.collect_interval_s: "), "{wrong_type}");
    assert!(wrong_type.contains("u32"), "{wrong_type}");

    let unknown = error("[agnt]\nenabled = true\n", &[]);
    assert!(unknown.contains("agnt") && unknown.contains("opshawk.toml"), "{unknown}");

    let syntax = error("listen = \n", &[]);
    assert!(syntax.starts_with("DIR/opshawk.toml line 1: "), "{syntax}");

    let variable = error("", &[("OPSHAWK_BMC__COLLECT_INTERVAL_S", "soon")]);
    assert!(
        variable.starts_with("OPSHAWK_BMC__COLLECT_INTERVAL_S: bmc.collect_interval_s: "),
        "{variable}"
    );

    let zone = error("[billing]\ntimezone = 'Mars'\n", &[]);
    assert!(zone.contains("billing") || zone.contains("Mars"), "{zone}");

    let zero = error("[bmc]\ncollect_interval_s = 0\n", &[]);
    assert_eq!(zero, "bmc.collect_interval_s must be above zero");
    for text in [wrong_type, unknown, syntax, variable, zone] {
        assert!(!text.contains('\n'), "one line: {text}");
    }
}

#[test]
fn plain_http_beyond_loopback_must_be_asked_for() {
    let message = error("listen = '0.0.0.0:8420'", &[]);
    assert!(message.contains("--insecure"), "{message}");
    let (_dir, mut flags) = file("listen = '0.0.0.0:8420'");
    flags.insecure = true;
    assert!(load(&flags, []).is_ok());
}

#[test]
fn a_mail_login_is_whole_and_not_sent_in_clear() {
    let smtp = |more: &str| format!("[smtp]\nhost = 'mail.example.com'\nfrom = 'a@b.c'\n{more}");
    let half = error(&smtp("user = 'me'"), &[]);
    assert!(half.contains("smtp.user needs smtp.password"), "{half}");
    let half = error(&smtp("password = 'x'"), &[]);
    assert!(half.contains("smtp.password needs smtp.user"), "{half}");
    let login = "user = 'me'\npassword = 'x'\n";
    let clear = error(&smtp(&format!("{login}tls = 'none'")), &[]);
    assert!(clear.contains("in clear to mail.example.com"), "{clear}");
    for safe in [format!("{login}tls = 'starttls'"), login.replace("me", "me2") + "tls = 'tls'"] {
        let (_dir, flags) = file(&smtp(&safe));
        assert!(load(&flags, []).is_ok(), "{safe}");
    }
    let here = smtp(&format!("{login}tls = 'none'")).replace("mail.example.com", "127.0.0.1");
    let (_dir, flags) = file(&here);
    assert!(load(&flags, []).is_ok());
}

#[test]
fn a_metrics_engine_is_named_in_one_line() {
    let (_dir, flags) = file("metrics = 'victoriametrics+http://127.0.0.1:8428'");
    assert!(load(&flags, []).unwrap().metrics_engine().unwrap().is_some());
    let message = error("metrics = 'http://127.0.0.1:8428'", &[]);
    assert!(
        message.starts_with("metrics: 'http://127.0.0.1:8428' is no metrics engine"),
        "{message}"
    );
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let flags = Flags { config: Some("/nonexistent/opshawk.toml".into()), ..Flags::default() };
    let message = load(&flags, []).unwrap_err().to_string();
    assert!(message.contains("/nonexistent/opshawk.toml"), "{message}");
}

/// The TOML blocks of the page, in order.
fn documented() -> Vec<&'static str> {
    let page = include_str!("../../../docs/configuration.md");
    let blocks = page.split("```toml\n").skip(1);
    blocks.filter_map(|rest| rest.split_once("```").map(|(block, _)| block)).collect()
}

#[test]
fn the_page_shows_the_defaults_and_what_it_shows_can_be_read() {
    let blocks = documented();
    assert_eq!(blocks.len(), 2, "defaults; mail and webhooks");
    let (_dir, flags) = file(blocks[0]);
    let shown = load(&flags, std::iter::empty()).unwrap();
    assert_eq!(format!("{shown:?}"), format!("{:?}", Config::default()));
    let (_dir, flags) = file(blocks[1]);
    let shown = load(&flags, std::iter::empty()).unwrap();
    assert_eq!(shown.smtp.expect("it is shown").port, 587);
    assert_eq!(shown.notify.operator_mail, ["ops@example.com"]);
}
