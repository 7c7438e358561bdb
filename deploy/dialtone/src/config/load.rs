//! Loading: the file's keys are tried one by one on top of the defaults, so that every wrong one is found, with its place.

use std::path::Path;

use toml::{Table, Value};
use toml_edit::{Document, Item, Key};

use super::{Config, DEFAULTS, Problem, Problems, problem::line_and_column};

/// Tables in which any key may stand: librdkafka's properties, codecs.
const FREE: [&str; 2] = ["kafka.properties", "ingest.scoring.codecs"];
/// Tables that are one setting each: their keys mean something only together.
const WHOLE: [&str; 2] = ["kafka.registry", "ingest.scoring.codecs.*"];
/// Keys that may be set and have no default.
const OPTIONAL: [&str; 3] = ["ingest.sites", "ingest.http.tenant_without_token", "kafka.registry"];
/// What an environment variable that overrides a key begins with; `__` stands for the dot.
const PREFIX: &str = "DIALTONE__";
/// What an environment variable that overrides a property of librdkafka begins with; `_` stands for the dot.
const KAFKA_PREFIX: &str = "DIALTONE_KAFKA_";

/// The configuration of a file (or of none) and the environment, over the defaults.
pub fn load(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> anyhow::Result<Config> {
    let mut problems = Vec::new();
    let mut settings = Vec::new();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| anyhow::anyhow!("cannot read configuration {}: {error}", path.display()))?;
        read(&path.display().to_string(), &text, &mut settings, &mut problems);
    }
    for (name, value) in environment {
        settings.extend(from_environment(&name, &value));
    }
    let defaults: Table = toml::from_str(DEFAULTS)?;
    let mut merged = defaults.clone();
    for setting in &settings {
        match setting.problem(&defaults, &merged) {
            Some(what) => problems.push(Problem {
                place: setting.place.clone(),
                key: setting.dotted(),
                what,
            }),
            None => put(&mut merged, &setting.path, setting.value.clone()),
        }
    }
    let config: Option<Config> = Value::Table(merged).try_into().ok();
    if let Some(config) = &config {
        let place = |key: &str| {
            settings
                .iter()
                .find(|s| key.starts_with(&s.dotted()))
                .map(|s| s.place.clone())
        };
        problems.extend(config.contradictions().into_iter().map(|(key, what)| Problem {
            place: place(&key).unwrap_or_else(|| "defaults".into()),
            key,
            what,
        }));
    }
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(Problems(problems).into()),
    }
}

/// One key that somebody set.
struct Setting {
    path: Vec<String>,
    value: Value,
    place: String,
}

impl Setting {
    fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// Tried on top of the defaults and what was set before it: what is wrong with it?
    fn problem(&self, defaults: &Table, before: &Table) -> Option<String> {
        let is_free = FREE.iter().any(|free| self.dotted().starts_with(&format!("{free}.")));
        let is_optional = OPTIONAL.iter().any(|key| self.dotted().starts_with(key));
        if !is_free
            && !is_optional
            && let Some(what) = unknown(defaults, &self.path)
        {
            return Some(what);
        }
        let mut with = before.clone();
        put(&mut with, &self.path, self.value.clone());
        let tried: Result<Config, _> = Value::Table(with).try_into();
        tried
            .err()
            .map(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    }
}

/// Walks a file; keys of tables become settings, each with its line and column.
fn read(name: &str, text: &str, settings: &mut Vec<Setting>, problems: &mut Vec<Problem>) {
    let place = |span| {
        let (line, column) = line_and_column(text, span);
        format!("{name}:{line}:{column}")
    };
    let document: Document<&str> = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let what = error.message().to_owned();
            problems.push(Problem {
                place: place(error.span()),
                key: String::new(),
                what,
            });
            return;
        }
    };
    let values: Table = match toml::from_str(text) {
        Ok(values) => values,
        Err(error) => {
            let what = error.message().to_owned();
            problems.push(Problem {
                place: place(error.span()),
                key: String::new(),
                what,
            });
            return;
        }
    };
    let mut walk = vec![(Vec::new(), document.as_item())];
    while let Some((path, item)) = walk.pop() {
        let Some(table) = item.as_table_like() else { continue };
        let mut below = Vec::new();
        for (key, child) in table.iter() {
            let path: Vec<String> = path.iter().cloned().chain([key.to_owned()]).collect();
            let is_table = matches!(child, Item::Table(_)) || child.as_inline_table().is_some();
            if is_table && !is_whole(&path) {
                below.push((path, child));
            } else if let Some(value) = get(&values, &path) {
                let span = table.key(key).and_then(Key::span).or_else(|| child.span());
                settings.push(Setting {
                    path,
                    value: value.clone(),
                    place: place(span),
                });
            }
        }
        walk.extend(below.into_iter().rev());
    }
}

fn is_whole(path: &[String]) -> bool {
    let fits = |pattern: &str| {
        let parts: Vec<&str> = pattern.split('.').collect();
        parts.len() == path.len() && parts.iter().zip(path).all(|(part, key)| *part == "*" || part == key)
    };
    WHOLE.iter().any(|pattern| fits(pattern))
}

/// `DIALTONE__PROCESSOR__WATCH__WARM_UP=4h`, `DIALTONE_KAFKA_SASL_PASSWORD=…`
fn from_environment(name: &str, value: &str) -> Option<Setting> {
    let place = format!("environment variable {name}");
    if let Some(rest) = name.strip_prefix(PREFIX) {
        let path = rest.to_lowercase().split("__").map(str::to_owned).collect();
        return Some(Setting {
            path,
            value: toml_value(value),
            place,
        });
    }
    let property = name.strip_prefix(KAFKA_PREFIX)?.to_lowercase().replace('_', ".");
    let path = vec!["kafka".into(), "properties".into(), property];
    Some(Setting {
        path,
        value: Value::String(value.into()),
        place,
    })
}

/// A value as TOML writes it; anything else is a string.
fn toml_value(text: &str) -> Value {
    let table: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    table
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn get<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (last, above) = path.split_last()?;
    let mut table = table;
    for key in above {
        table = table.get(key)?.as_table()?;
    }
    table.get(last)
}

fn put(table: &mut Table, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        table.insert(first.clone(), value);
    } else if let Some(below) = table
        .entry(first.clone())
        .or_insert_with(|| Value::Table(Table::new()))
        .as_table_mut()
    {
        put(below, rest, value);
    }
}

/// The first part of a path that the defaults do not have, with the nearest name they do have.
fn unknown(defaults: &Table, path: &[String]) -> Option<String> {
    let mut table = defaults;
    for key in path {
        match table.get(key) {
            Some(Value::Table(below)) => table = below,
            Some(_) => return None,
            None => {
                let nearest = table.keys().min_by_key(|known| (edits(known, key), (*known).clone()));
                let hint = nearest
                    .map(|known| format!("; did you mean {known:?}?"))
                    .unwrap_or_default();
                return Some(format!("unknown key{hint}"));
            }
        }
    }
    None
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let error = load(Some(file.path()), environment).expect_err("refused").to_string();
        error
            .lines()
            .skip(1)
            .map(|l| l.replace(&file.path().display().to_string(), "f"))
            .collect()
    }

    #[test]
    fn the_documented_defaults_are_the_defaults() {
        let config = load(None, std::iter::empty()).expect("the defaults hold");
        assert_eq!(
            config.processor.summarise,
            dialtone_processor::SummariseConfig::default()
        );
        assert_eq!(config.processor.watch, dialtone_processor::WatchConfig::default());
    }

    #[test]
    fn every_problem_is_reported_at_once_with_line_and_column() {
        let text = "[processor]\nlive = \"maybe\"\nstaet_dir = \"x\"\n\n[processor.watch]\nwarm_up = \"soon\"\n";
        let found = problems(text, &[("DIALTONE__LOG__FORMAT", "loud")]);
        assert_eq!(found.len(), 4, "{found:#?}");
        assert!(
            found[0].starts_with("  f:2:1: processor.live: invalid type: string \"maybe\""),
            "{}",
            found[0]
        );
        assert_eq!(
            found[1],
            "  f:3:1: processor.staet_dir: unknown key; did you mean \"state_dir\"?"
        );
        assert!(
            found[2].starts_with("  f:6:1: processor.watch.warm_up: \"soon\" is not a length of time"),
            "{}",
            found[2]
        );
        assert!(
            found[3].starts_with("  environment variable DIALTONE__LOG__FORMAT: log.format:"),
            "{}",
            found[3]
        );
    }

    #[test]
    fn what_is_in_force_can_be_written_down_and_read_again() {
        let config = load(None, std::iter::empty()).expect("the defaults hold");
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), config.to_table().expect("a table").to_string()).expect("written");
        let again = load(Some(file.path()), std::iter::empty()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.to_table().expect("a table"), again.to_table().expect("a table"));
    }

    #[test]
    fn numbers_that_would_be_obeyed_silently_are_refused_with_their_place() {
        let text = "[log]\nlevel = \"verbose\"\n\n[processor.watch]\nindifference = nan\nhalf_life = \"0s\"\n\n\
                    [processor.summarise]\npair_sampling = -3\nmax_ids = 0\n\n\
                    [processor.summarise.thresholds]\nloss_ratio = 5.0\n\n[processor.summarise.lateness]\ngraph = \"400h\"\n";
        let found = problems(text, &[]).join("\n");
        for line in [
            "f:2:1: log.level: \"verbose\" is none of",
            "f:5:1: processor.watch.indifference: NaN is not between 1 and 10",
            "f:6:1: processor.watch.half_life: ",
            "f:9:1: processor.summarise.pair_sampling: -3 is not between 1 and 1000000",
            "f:10:1: processor.summarise.max_ids: 0: at least 1000",
            "f:13:1: processor.summarise.thresholds.loss_ratio: 5 is not between 0 and 1",
            "f:16:1: processor.summarise.lateness.graph: ",
        ] {
            assert!(found.contains(line), "{line}\n{found}");
        }
    }

    #[test]
    fn what_ingest_objects_to_has_its_place_too() {
        let found = problems(
            "[ingest.http]\nlisten = \"0.0.0.0:8080\"\ntenant_without_token = \"acme\"\n",
            &[],
        );
        assert!(
            found[0].starts_with("  f:3:1: ingest.http.tenant_without_token: 0.0.0.0:8080 is not loopback"),
            "{found:?}"
        );
    }

    #[test]
    fn tables_without_defaults_are_taken_as_a_whole() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "[kafka.registry]\nurl = \"http://127.0.0.1:8081\"\nusername = \"a\"\n\n\
                    [ingest.scoring.codecs.foo]\nbandwidth = \"narrow\"\nie = 1.0\nbpl = 4.0\n";
        std::fs::write(file.path(), text).expect("written");
        let environment = [("DIALTONE__KAFKA__REGISTRY__PASSWORD".to_owned(), "b".to_owned())];
        let config = load(Some(file.path()), environment.into_iter()).unwrap_or_else(|error| panic!("{error}"));
        let table = config.to_table().expect("a table");
        assert_eq!(table["kafka"]["registry"]["password"].as_str(), Some("b"));
        assert_eq!(table["ingest"]["scoring"]["codecs"]["foo"]["bpl"].as_float(), Some(4.0));
        let found = problems("[kafka.registry]\nusername = \"a\"\n", &[]);
        assert!(found[0].contains("missing field `url`"), "{found:?}");
    }

    #[test]
    fn a_file_that_is_no_toml_says_where() {
        let found = problems("[processor\nlive = true\n", &[]);
        assert!(found[0].starts_with("  f:1:"), "{found:?}");
    }

    #[test]
    fn librdkafkas_properties_come_from_the_environment_too() {
        let environment = [(
            "DIALTONE_KAFKA_BOOTSTRAP_SERVERS".to_owned(),
            "10.0.0.1:9092".to_owned(),
        )];
        let config = load(None, environment.into_iter()).expect("fine");
        assert_eq!(
            config.kafka.properties.get("bootstrap.servers").map(String::as_str),
            Some("10.0.0.1:9092")
        );
    }
}
