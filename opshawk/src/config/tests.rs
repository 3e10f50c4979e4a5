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
    let region = error("[billing]\nregion = \"\"\n", &[]);
    assert!(region.contains("billing.region") && region.contains("leave it out"), "{region}");

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
    assert_eq!(blocks.len(), 3, "defaults; one tenant's samples; mail and webhooks");
    let (_dir, flags) = file(blocks[0]);
    let shown = load(&flags, std::iter::empty()).unwrap();
    assert_eq!(format!("{shown:?}"), format!("{:?}", Config::default()));
    let (_dir, flags) = file(blocks[1]);
    let options = load(&flags, std::iter::empty()).unwrap().samples.options();
    let tenant = options.tenant_retention[0].0.clone();
    assert_eq!(options.tenant_retention[0].1.as_secs(), 30 * 24 * 3600);
    assert_eq!(options.series_max_of(&tenant), 20_000);
    let (_dir, flags) = file(blocks[2]);
    let shown = load(&flags, std::iter::empty()).unwrap();
    assert_eq!(shown.smtp.expect("it is shown").port, 587);
    assert_eq!(shown.notify.operator_mail, ["ops@example.com"]);
}

#[test]
fn samples_and_queries_have_settings_and_wrong_ones_are_named_in_one_line() {
    let id = base::id::TenantId::new();
    let (_dir, flags) = file(&format!(
        "[samples]\nretention_days = 7\nretention_mib = 100\nlog_sync = '250ms'\n\
         out_of_order_window_s = 60\nmax_active_series = 10\nmax_tenant_series = 5\n\
         [samples.tenants.{id}]\nretention_days = 2\nmax_series = 3\n\
         [query]\ntimeout_s = 5\nmax_samples = 1\nmax_series = 2\nmax_points = 3\n\
         max_memory_mib = 4\nconcurrency = 6\n"
    ));
    let variable = ("OPSHAWK_SAMPLES__LOG_SYNC".to_owned(), "50ms".to_owned());
    let config = load(&flags, [variable]).unwrap();
    let day = std::time::Duration::from_secs(24 * 3600);
    let options = config.samples.options();
    assert_eq!((options.retention, options.retention_bytes), (7 * day, Some(100 << 20)));
    assert_eq!(options.tenant_retention, [(id.to_string(), 2 * day)]);
    let every = std::time::Duration::from_millis(50);
    assert_eq!(options.log_sync, timeseries::embedded::LogSync::Every(every));
    assert_eq!(options.out_of_order_window.as_secs(), 60);
    assert_eq!((options.active_series_max, options.tenant_series_max), (10, 5));
    assert_eq!((options.series_max_of(&id.to_string()), options.series_max_of("x")), (3, 5));
    let query = config.query.options();
    assert_eq!((query.timeout.as_secs(), query.max_samples, query.max_series), (5, 1, 2));
    assert_eq!((query.max_points, query.max_memory, query.concurrency), (3, 4 << 20, 6));
    // What a server has without a file is what the store has without a server.
    let (ours, its) = (Samples::default().options(), timeseries::Options::default());
    assert_eq!(format!("{ours:?}"), format!("{its:?}"));
    let (ours, its) = (Query::default().options(), timeseries::EngineOptions::default());
    assert_eq!(format!("{ours:?}"), format!("{its:?}"));

    let tenant = |text: &str| format!("[samples.tenants.{id}]\n{text}");
    for (text, key) in [
        ("[samples]\nretention_days = 0", "samples.retention_days must be from 1 to 36500"),
        ("[samples]\nretention_days = -1", "samples.retention_days: "),
        ("[samples]\nretention_mib = 1", "samples.retention_mib must be 64 or more"),
        ("[samples]\nlog_sync = 'never'", "samples.log_sync: 'never' is neither \"group\" nor"),
        ("[samples]\nlog_sync = '0ms'", "samples.log_sync: '0ms' is neither"),
        ("[samples]\nlog_sync = 50", "samples.log_sync: "),
        (
            "[samples]\nretention_days = 1\nout_of_order_window_s = 100000",
            "samples.out_of_order_window_s must be within",
        ),
        ("[samples]\nmax_active_series = 0", "samples.max_active_series must be above zero"),
        ("[samples]\nmax_tenant_series = 0", "samples.max_tenant_series must be above zero"),
        ("[samples]\nmax_body_mib = 0", "samples.max_body_mib must be from 1 to 1024"),
        ("[samples]\nmax_decoded_body_mib = 4096", "samples.max_decoded_body_mib must be"),
        ("[samples.tenants.acme]\nmax_series = 1", "samples.tenants"),
        (&tenant("retention_days = 401"), ".retention_days must be from 1 to 400, not 401"),
        (&tenant("retention_days = 0"), ".retention_days must be from 1 to 400"),
        (&tenant("series = 1"), "unknown field `series`"),
        ("[query]\nmax_memory_mib = 0", "query.max_memory_mib must be above zero"),
        ("[query]\ntimeout_s = 'long'", "query.timeout_s: "),
    ] {
        let message = error(text, &[]);
        assert!(message.contains(key) && !message.contains('\n'), "{text}: {message}");
    }
}
