//! File, variables, flags, in rising order; each is applied alone, so that an error names its own.

use std::{fmt, net::SocketAddr, path::PathBuf};

use serde::de::IntoDeserializer;
use toml::{Table, Value};

use super::{Config, DEFAULT_FILE};

const PREFIX: &str = "OPSHAWK_";
/// Set for the client and for tests, not for the server.
const NOT_OURS: &[&str] = &["OPSHAWK_URL", "OPSHAWK_TOKEN", "OPSHAWK_LOG"];
const NOT_OURS_PREFIX: &str = "OPSHAWK_TEST_";

/// The few settings that have a flag.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub data_dir: Option<PathBuf>,
    pub listen: Option<SocketAddr>,
    pub insecure: bool,
}

/// One line: the file or variable, the key, and what it wants.
#[derive(Debug)]
pub struct ConfigError(String);

impl ConfigError {
    pub(super) fn new(message: String) -> Self {
        Self(message)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// `variables` are the process's, handed in so that a test has its own.
pub fn load(
    flags: &Flags,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut table = read_file(flags)?;
    let mut variables: Vec<_> = variables.into_iter().filter(|(name, _)| is_ours(name)).collect();
    variables.sort();
    for (name, value) in variables {
        table = with_variable(table, &name, &value)?;
    }
    let mut config = typed(table).map_err(|e| ConfigError(e.to_string()))?;
    if let Some(data_dir) = &flags.data_dir {
        config.data_dir = data_dir.clone();
    }
    if let Some(listen) = flags.listen {
        config.listen = listen;
    }
    config.insecure |= flags.insecure;
    config.check()?;
    Ok(config)
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) && !NOT_OURS.contains(&name) && !name.starts_with(NOT_OURS_PREFIX)
}

/// The default file may be missing; one that was asked for may not.
fn read_file(flags: &Flags) -> Result<Table, ConfigError> {
    let path = flags.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && flags.config.is_none() => {
            return Ok(Table::new());
        }
        Err(e) => {
            return Err(ConfigError(format!(
                "the configuration file {} can't be read: {e}",
                path.display()
            )));
        }
    };
    let table: Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map(|span| text[..span.start].lines().count().max(1));
        let line = line.map(|n| format!(" line {n}")).unwrap_or_default();
        ConfigError(format!("{}{line}: {}", path.display(), one_line(e.message())))
    })?;
    typed(table.clone()).map_err(|e| ConfigError(format!("{}: {e}", path.display())))?;
    Ok(table)
}

/// `OPSHAWK_SECTION__KEY`. Text where the key wants text, else as TOML would have it.
fn with_variable(table: Table, name: &str, value: &str) -> Result<Table, ConfigError> {
    let keys: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_lowercase).collect();
    let mut as_text = table.clone();
    insert(&mut as_text, &keys, Value::String(value.to_owned()));
    let wanted = match typed(as_text.clone()) {
        Ok(_) => return Ok(as_text),
        Err(wanted) => wanted,
    };
    let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    let Some(parsed) = parsed else { return Err(ConfigError(format!("{name}: {wanted}"))) };
    let mut as_value = table;
    insert(&mut as_value, &keys, parsed);
    typed(as_value.clone()).map_err(|e| ConfigError(format!("{name}: {e}")))?;
    Ok(as_value)
}

fn insert(table: &mut Table, keys: &[String], value: Value) {
    let [first, rest @ ..] = keys else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return;
    }
    let inner = table.entry(first.clone()).or_insert_with(|| Value::Table(Table::new()));
    if !inner.is_table() {
        *inner = Value::Table(Table::new());
    }
    if let Value::Table(inner) = inner {
        insert(inner, rest, value);
    }
}

/// The key's path and what it wants.
struct KeyError(String);

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn typed(table: Table) -> Result<Config, KeyError> {
    let value = Value::Table(table).into_deserializer();
    serde_path_to_error::deserialize(value).map_err(|e| {
        let path = e.path().to_string();
        let message = one_line(e.inner().message());
        KeyError(if path == "." { message } else { format!("{path}: {message}") })
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
