//! Loading: the file's keys are tried one by one on top of the defaults, so that every wrong one is found, with its place.

use std::path::Path;

use dialtone_wire::config::is_secret;
use toml::{Table, Value};

use super::{
    Config, DEFAULTS, Problem, Problems,
    settings::{Setting, place_of, read},
};

/// Tables in which any key may stand: librdkafka's properties, codecs.
const FREE: [&str; 2] = ["kafka.properties", "ingest.scoring.codecs"];
/// Keys that may be set and have no default.
const OPTIONAL: [&str; 3] = ["ingest.sites", "ingest.http.tenant_without_token", "kafka.registry"];
/// What an environment variable that overrides a key begins with; `__` stands for the dot.
const PREFIX: &str = "DIALTONE__";
/// What an environment variable that overrides a property of librdkafka begins with; `_` stands for the dot.
const KAFKA_PREFIX: &str = "DIALTONE_KAFKA_";

/// The configuration of a file (or of none) and the environment, over the defaults.
pub fn load(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> anyhow::Result<Config> {
    let (mut problems, mut refused) = (Vec::new(), Vec::new());
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
        match objection(setting, &defaults, &merged) {
            Some(what) => {
                refused.push(setting.array());
                problems.push(setting.is_wrong(what));
            }
            None => setting.put(&mut merged),
        }
    }
    // What is left of an array without an element of it has other places.
    let is_whole = |key: &str| !refused.iter().flatten().any(|array| key.starts_with(array));
    let config: Option<Config> = Value::Table(merged).try_into().ok();
    if let Some(config) = &config {
        let contradictions = config.contradictions().into_iter().filter(|(key, _)| is_whole(key));
        problems.extend(contradictions.map(|(key, what)| Problem {
            place: place_of(&settings, &key).unwrap_or_else(|| "defaults".into()),
            key,
            what,
        }));
    }
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(Problems(problems).into()),
    }
}

/// Tried on top of the defaults and what was set before it: what is wrong with it?
fn objection(setting: &Setting, defaults: &Table, before: &Table) -> Option<String> {
    let key = setting.dotted();
    let is_free = FREE.iter().any(|free| key.starts_with(&format!("{free}.")));
    let is_optional = OPTIONAL.iter().any(|optional| key.starts_with(optional));
    let unknown = (!is_free && !is_optional)
        .then(|| unknown(defaults, &setting.path))
        .flatten();
    unknown.or_else(|| setting.tried::<Config>(before))
}

/// `DIALTONE__PROCESSOR__WATCH__WARM_UP=4h`, `DIALTONE_KAFKA_SASL_PASSWORD=…`
fn from_environment(name: &str, value: &str) -> Option<Setting> {
    let place = format!("environment variable {name}");
    if let Some(rest) = name.strip_prefix(PREFIX) {
        let path: Vec<String> = rest.to_lowercase().split("__").map(str::to_owned).collect();
        // A password of digits is a text.
        let value = if is_secret(rest) {
            Value::String(value.into())
        } else {
            toml_value(value)
        };
        return Some(Setting::new(path, value, place));
    }
    let property = name.strip_prefix(KAFKA_PREFIX)?.to_lowercase().replace('_', ".");
    let path = vec!["kafka".into(), "properties".into(), property];
    Some(Setting::new(path, Value::String(value.into()), place))
}

/// A value as TOML writes it; anything else is a string.
fn toml_value(text: &str) -> Value {
    let table: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    table
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The first part of a path that the defaults do not have, with the nearest name they do have.
fn unknown(defaults: &Table, path: &[String]) -> Option<String> {
    let mut table = defaults;
    for (depth, key) in (1..).zip(path) {
        match table.get(key) {
            Some(Value::Table(below)) => table = below,
            Some(_) if depth == path.len() => return None,
            Some(value) => {
                let whole = path[..depth].join(".");
                let hint = if value.is_array() {
                    format!(": write [[{whole}]]")
                } else {
                    String::new()
                };
                return Some(format!("{whole} is no table{hint}"));
            }
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
pub(crate) fn edits(a: &str, b: &str) -> usize {
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
                    [processor.summarise.thresholds]\nloss_ratio = 5.0\n\n[processor.summarise.lateness]\ngraph = \"400h\"\n\n\
                    [processor.watch.slo]\nsetup = 0.0\n";
        let found = problems(text, &[]).join("\n");
        for line in [
            "f:2:1: log.level: \"verbose\" is none of",
            "f:5:1: processor.watch.indifference: NaN is not between 1 and 10",
            "f:6:1: processor.watch.half_life: ",
            "f:9:1: processor.summarise.pair_sampling: -3 is not between 1 and 1000000",
            "f:10:1: processor.summarise.max_ids: 0: at least 1000",
            "f:13:1: processor.summarise.thresholds.loss_ratio: 5 is not between 0 and 1",
            "f:16:1: processor.summarise.lateness.graph: ",
            "f:19:1: processor.watch.slo.setup: 0 is not between ",
        ] {
            assert!(found.contains(line), "{line}\n{found}");
        }
    }

    #[test]
    fn each_table_of_an_array_has_its_own_place() {
        let text = "[[ingest.sip]]\ntenant = \"acme\"\nallow = [\"10.0.0.0/8\"]\n\n\
                    [[ingest.sip]]\ntenant = \"acme\"\nalow = []\n\n\
                    [[ingest.http.tokens]]\ntenant = \"acme\"\nsha256 = \"12\"\n";
        let found = problems(text, &[]);
        assert!(
            found[0].starts_with("  f:7:1: ingest.sip[1]: unknown field `alow`"),
            "{found:#?}"
        );
        let found = problems(&text.replace("alow", "allow"), &[]);
        assert!(
            found[1].starts_with("  f:7:1: ingest.sip[1].allow: names no network"),
            "{found:#?}"
        );
        assert!(
            found[0].starts_with("  f:11:1: ingest.http.tokens[0].sha256: expected 64"),
            "{found:#?}"
        );
    }

    /// The first is wrong: the second, which allows nobody, is not told as the first.
    #[test]
    fn a_table_of_an_array_that_is_refused_moves_no_others_place() {
        let text = "[[ingest.sip]]\nport = 1\n\n[[ingest.sip]]\ntenant = \"acme\"\nallow = []\n";
        let found = problems(text, &[]);
        assert!(
            found[0].starts_with("  f:2:1: ingest.sip[0]: unknown field `port`"),
            "{found:#?}"
        );
        assert_eq!(found.len(), 1, "{found:#?}");
    }

    #[test]
    fn what_is_written_below_no_table_is_refused_and_not_forgotten() {
        let text = "[ingest.sip]\ntenant = \"acme\"\n\n[processor.live]\nx = 1\n";
        let found = problems(text, &[("DIALTONE__INGEST__HTTP__TOKENS__0__TENANT", "acme")]);
        let expected = [
            "  f:2:1: ingest.sip.tenant: ingest.sip is no table: write [[ingest.sip]]",
            "  f:5:1: processor.live.x: processor.live is no table",
            "  environment variable DIALTONE__INGEST__HTTP__TOKENS__0__TENANT: ingest.http.tokens.0.tenant: \
             ingest.http.tokens is no table: write [[ingest.http.tokens]]",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_secret_of_digits_is_taken_and_none_is_shown() {
        let of = |(key, value): (&str, &str)| (format!("DIALTONE__KAFKA__REGISTRY__{key}"), value.to_owned());
        let environment = [
            ("URL", "http://127.0.0.1:8081"),
            ("USERNAME", "a"),
            ("PASSWORD", "12345"),
        ]
        .map(of);
        let config = load(None, environment.into_iter()).unwrap_or_else(|error| panic!("{error}"));
        let password = config.kafka.registry.and_then(|registry| registry.password);
        assert_eq!(password.as_deref(), Some("12345"));
        let text = "[kafka.registry]\nurl = \"http://127.0.0.1:8081\"\npassword = 67890\n";
        let found = problems(text, &[]).join("\n");
        assert!(
            found.contains("expected a string") && !found.contains("67890"),
            "{found}"
        );
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
    fn a_zone_that_does_not_exist_and_a_second_one_of_a_site_are_refused_with_their_place() {
        let text = "[[processor.watch.calendar]]\nsites = [\"berlin\"]\nzone = \"Europe/Berlln\"\n";
        let found = problems(text, &[]);
        assert!(
            found[0].starts_with("  f:3:1: processor.watch.calendar[0]: \"Europe/Berlln\" is no `zone`"),
            "{found:#?}"
        );
        let text = "[[processor.watch.calendar]]\ncountry = \"DE\"\nsites = [\"berlin\"]\nzone = \"Europe/Berlin\"\n\n\
                    [[processor.watch.calendar]]\nsites = [\"berlin\"]\nzone = \"Europe/Paris\"\n\n\
                    [[processor.watch.calendar]]\nsites = []\nholidays = [\"2026-12-25\"]\n";
        let expected = [
            "  f:8:1: processor.watch.calendar[1].zone: site \"berlin\" has the zone Europe/Berlin already",
            "  f:11:1: processor.watch.calendar[2].sites: names no site",
        ];
        assert_eq!(problems(text, &[]), expected);
    }

    #[test]
    fn a_calendar_is_written_down_as_it_was_read() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "[[processor.watch.calendar]]\nsites = [\"berlin\"]\nzone = \"Europe/Berlin\"\n\n\
                    [[processor.watch.calendar]]\ncountry = \"DE\"\nsites = [\"berlin\"]\nholidays = [\"2026-12-25\"]\n";
        std::fs::write(file.path(), text).expect("written");
        let config = load(Some(file.path()), std::iter::empty()).unwrap_or_else(|error| panic!("{error}"));
        std::fs::write(file.path(), config.to_table().expect("a table").to_string()).expect("written");
        let again = load(Some(file.path()), std::iter::empty()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.processor.watch.calendars, again.processor.watch.calendars);
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
