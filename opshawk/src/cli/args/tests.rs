use clap::{CommandFactory, error::ErrorKind};

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

fn command(line: &str) -> Command {
    parse(line).unwrap_or_else(|e| panic!("{line}: {e}")).command
}

#[test]
fn the_arguments_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn server_runs_or_lists() {
    let Command::Server { run, command: None } =
        command("opshawk server --data-dir /d --listen 127.0.0.1:9000")
    else {
        panic!("runs the server")
    };
    let flags = run.flags();
    assert_eq!(flags.data_dir.as_deref(), Some(std::path::Path::new("/d")));
    assert_eq!(flags.listen.unwrap().port(), 9000);
    let listed = command("opshawk server list -o json");
    assert!(matches!(listed, Command::Server { command: Some(ServerCommand::List), .. }));
    assert!(parse("opshawk server --listen nowhere").is_err());
}

#[test]
fn the_storys_acts_can_be_typed() {
    for line in [
        "opshawk host list",
        "opshawk host create alpha",
        "opshawk server create rack-1 --bmc 127.0.0.1:623 --user admin --password-stdin",
        "opshawk server power rack-1 on --no-wait",
        "opshawk tenant create acme --price-book standard",
        "opshawk tenant topup acme 0.60 --memo first",
        "opshawk user create a@acme.test --tenant acme --password-stdin",
        "opshawk flavor create small --vcpus 1 --memory-mib 160 --disk-gib 1",
        "opshawk image create mini --disk d.qcow2 --kernel k --ramdisk r --cmdline console=ttyS0",
        "opshawk price-book create standard --price instance:small=36 --price disk_gib=0.001",
        "opshawk quota set acme --instances 1 --vcpus 1 --key-pairs 5",
        "opshawk quota request --instances 20 --public-ips 60 --reason launch",
        "opshawk quota requests --state pending --tenant acme --limit 5",
        "opshawk quota approve 01890a5d-ac96-774b-bcce-b302099a8057 --instances 15",
        "opshawk quota refuse 01890a5d-ac96-774b-bcce-b302099a8057 --answer no",
        "opshawk quota withdraw 01890a5d-ac96-774b-bcce-b302099a8057",
        "opshawk quota recount acme",
        "opshawk instance create web --flavor small --image mini --tenant acme",
        "opshawk instance create web --flavor small --image mini --label team=web --label tier=gold",
        "opshawk instance label web team=db tier-",
        "opshawk instance resize web --flavor large",
        "opshawk instance console-log web",
        "opshawk query up --time 1700000000",
        "opshawk query up --start 1 --end 2 --step 1",
        "opshawk metrics export --match up --match m{a=\"b\"} --start 1 --end 2 --no-stale f.om",
        "opshawk metrics export",
        "opshawk metrics import --server http://127.0.0.1:8420 --token t f.om",
        "opshawk metrics import -",
        "opshawk rule apply rules.yml",
        "opshawk bill show --tenant acme -o csv",
        "opshawk bmc probe 127.0.0.1:623 --user admin --password-stdin",
        "opshawk token create --data-dir /var/lib/opshawk",
        "opshawk backup /tmp/b.tar",
        "opshawk restore /tmp/b.tar --data-dir /d",
        "opshawk agent --server http://127.0.0.1:8420 --token-file /etc/opshawk/agent.token",
        "opshawk doctor",
        "opshawk audit list --limit 5",
    ] {
        command(line);
    }
}

#[test]
fn what_is_wrong_is_refused() {
    let kind = |line: &str| parse(line).unwrap_err().kind();
    // A password is never an argument.
    assert_eq!(kind("opshawk bmc probe h --user u"), ErrorKind::MissingRequiredArgument);
    assert_eq!(kind("opshawk tenant topup acme 0.0000001"), ErrorKind::ValueValidation);
    assert_eq!(kind("opshawk price-book create p --price small"), ErrorKind::ValueValidation);
    assert_eq!(kind("opshawk query up --start 1"), ErrorKind::MissingRequiredArgument);
    assert_eq!(
        kind("opshawk image create m --disk d --ramdisk r"),
        ErrorKind::MissingRequiredArgument
    );
    assert_eq!(
        kind("opshawk token create --data-dir /d --tenant acme"),
        ErrorKind::ArgumentConflict
    );
    assert_eq!(kind("opshawk frobnicate"), ErrorKind::InvalidSubcommand);
}

#[test]
fn what_an_operator_mistypes_is_named_with_the_way_out() {
    let said = |line: &str| parse(line).unwrap_err().to_string();
    let simulate = said("opshawk price simulate D --from 2026-11-01");
    assert!(simulate.contains("'2026-11-01' is not an RFC 3339 instant, such as"), "{simulate}");
    let resolve = said("opshawk billing resolve 7 --reason r");
    assert!(resolve.contains("'7'") && resolve.contains("opshawk billing findings"), "{resolve}");
    let answer =
        said("opshawk billing answer 7 --changed 2026-11-01T00:00:00Z --state s --reason r");
    assert!(answer.contains("opshawk billing gaps lists them"), "{answer}");
    // As findings name their subjects.
    let id = "01a200b2-0f11-7180-aebb-c45a8e904e50";
    command(&format!("opshawk billing rule fact/{id} take --reason r"));
    command(&format!("opshawk billing rule {id} drop --reason r"));
    assert!(said("opshawk billing rule 7 take --reason r").contains("names it as fact/ID"));
}
