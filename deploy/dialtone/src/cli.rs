//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use dialtone_schemas::{Dimension, EventTime, Span, State, Text, incident::Verdict};

/// Makes enterprise call quality predictable: names what broke, where, since when, and whose it is.
#[derive(Debug, Parser)]
#[command(name = "dialtone", version, max_term_width = 100)]
pub struct Cli {
    /// The configuration; without it the documented defaults (deploy/config/defaults.toml) are in force.
    #[arg(long, short, global = true, env = "DIALTONE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything on this machine against a simulated enterprise, and compare what it finds with the truth.
    Demo(Demo),
    /// Take reports in: HTTP, SIP, Graph.
    Ingest,
    /// Summarise and watch: find incidents.
    Process,
    /// Keep events, summaries and incidents in the lake.
    Sink,
    /// Ingest, process and sink in one process.
    All,
    /// Write a simulated enterprise's reports, with the truth about what was broken.
    Simulate(Simulate),
    /// Find the incidents in files, without Kafka.
    Replay(Replay),
    /// Name the scopes that explain what a plain table shows.
    Localize(Localize),
    /// Simulate, watch, compare with the truth: how well does it find what is planted?
    Evaluate(Evaluate),
    /// Look at incidents, and say something about one: acknowledge, silence, reassign, judge, accept.
    Incidents {
        /// What to do with them.
        #[command(subcommand)]
        action: IncidentsAction,
    },
    /// Look at the verdicts about changes: harmful, harmless, or how many calls are missing to say so.
    Changes {
        /// What to do with them.
        #[command(subcommand)]
        action: ChangesAction,
    },
    /// What would have been told of days that lie in the lake, beside what was told then.
    Backtest(Backtest),
    /// Ready for the day? What its busiest hour will cost where, what changed, what is watched, who owes what. From the lake.
    Report(Report),
    /// Check the configuration, and print what is in force with secrets masked.
    Validate,
    /// Compare the topics on the broker with those wanted, or create them.
    Topics {
        /// What to do with them.
        #[arg(value_enum)]
        action: TopicsAction,
    },
    /// Print the records' schemas; check or register them with a schema registry.
    Schema {
        /// What to do with them.
        #[command(subcommand)]
        action: SchemaAction,
    },
}

/// `dialtone demo`
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Everything of the run lies here; a temporary folder without it.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Chance, made repeatable.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// A built-in scenario (see `simulate --list`) or a file.
    #[arg(long, default_value = "demo", value_name = "NAME|FILE")]
    pub scenario: String,
    /// No more history than this, another one than the scenario's then; of a built-in scenario 25h without it, since its three weeks are some
    /// three million reports.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub history: Option<Span>,
    /// Replace the run that lies in DIR.
    #[arg(long)]
    pub overwrite: bool,
}

/// `dialtone simulate`
#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// Name the built-in scenarios.
    #[arg(long, exclusive = true)]
    pub list: bool,
    /// A built-in scenario or a file.
    #[arg(long, default_value = "demo", value_name = "NAME|FILE")]
    pub scenario: String,
    /// Chance, made repeatable.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// No more history than this, another one than the scenario's then; of a built-in scenario 25h without it, since its three weeks are some
    /// three million reports.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub history: Option<Span>,
    /// Where the files go.
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    pub out: Option<PathBuf>,
}

/// `dialtone replay`
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// Events as the HTTP door takes them: NDJSON, gzip or zstd.
    #[arg(long, value_name = "FILE", required_unless_present = "graph")]
    pub events: Option<PathBuf>,
    /// Microsoft Graph call records with expanded sessions and segments: one, an array, or a page; JSON, gzip or zstd.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub graph: Vec<PathBuf>,
    /// Changes, likewise.
    #[arg(long, value_name = "FILE")]
    pub changes: Option<PathBuf>,
    /// Complaints, likewise.
    #[arg(long, value_name = "FILE")]
    pub complaints: Option<PathBuf>,
    /// What people say about incidents (acknowledge, silence, reassign, verdict, accept), likewise; each at its time, about an incident that a
    /// replay of the same lines names so.
    #[arg(long, value_name = "FILE")]
    pub control: Option<PathBuf>,
    /// A building file (CQD, 14 or 15 columns).
    #[arg(long, value_name = "FILE")]
    pub sites: Option<PathBuf>,
    /// The accountable teams.
    #[arg(long, value_name = "FILE")]
    pub owners: Option<PathBuf>,
    /// One incident a line, its last revision, by (opened, id); standard output without it.
    #[arg(long, value_name = "FILE")]
    pub incidents_out: Option<PathBuf>,
}

/// `dialtone localize`
#[derive(Debug, clap::Args)]
pub struct Localize {
    /// A table: CSV, or packed with gzip or zstd. Rates: columns min, value (poor), cnt (calls); volumes: real, predict; all
    /// other columns are attributes.
    #[arg(value_name = "FILE", required_unless_present = "cases")]
    pub file: Option<PathBuf>,
    /// Every case of DIR/cases.json, with a summary if it has labels. What is wrong with a case is said, and the others go on.
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    pub cases: Option<PathBuf>,
    /// What the tables hold; by their columns without it.
    #[arg(long, value_enum)]
    pub kind: Option<Kind>,
    /// When it happened, as in column min of a table of rates: what lies before is history. The last one without it. Volumes have no time: beside
    /// cases of rates they are answered without it.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub at: Option<i64>,
    /// Scopes shown.
    #[arg(long, default_value_t = 5)]
    pub top: usize,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// `dialtone evaluate`
#[derive(Debug, clap::Args)]
pub struct Evaluate {
    /// A folder of scenarios (*.toml); the built-in ones without it.
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
    /// Seeds FIRST..END, without END.
    #[arg(long, value_name = "FIRST..END", value_parser = seeds)]
    pub seeds: (u64, u64),
    /// Runs at a time; each takes a processor and up to a gigabyte, and so much again where scenarios share what was before.
    #[arg(long, default_value_t = 2, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub threads: usize,
    /// Keep what was simulated in DIR, and take it from there the next time: for looking at the same runs with another
    /// configuration. Some hundred megabytes a run, the days before it among them; to be thrown away when the simulator is another.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// One JSON object for each run, seed by seed and as soon as it is known, and one for all.
    #[arg(long)]
    pub json: bool,
}

/// `dialtone backtest`
#[derive(Debug, clap::Args)]
pub struct Backtest {
    /// The lake's folder. The configuration to be tried is the one that --config names.
    #[arg(long, value_name = "DIR")]
    pub lake: PathBuf,
    /// Incidents opened from here on: a day, or an instant such as 2026-03-02T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub from: EventTime,
    /// ... until before this.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub to: EventTime,
    /// So much before it is read to learn what is normal.
    #[arg(long, value_name = "SPAN", default_value = "14d", value_parser = span)]
    pub history: Span,
    /// One JSON object for each cause, as it was told then and would be told now.
    #[arg(long)]
    pub json: bool,
}

fn instant(text: &str) -> Result<EventTime, String> {
    let day = if text.contains('T') {
        text.to_owned()
    } else {
        format!("{text}T00:00:00Z")
    };
    EventTime::parse(&day).map_err(|error| error.to_string())
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let (first, end) = text.split_once("..").ok_or("expected FIRST..END, such as 1..21")?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    let (first, end) = (number(first)?, number(end)?);
    if first < end {
        Ok((first, end))
    } else {
        Err("holds no seed: FIRST must be below END, which lies beyond the last one".to_owned())
    }
}

/// What a plain table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Poor calls of calls.
    Rate,
    /// Volumes, and what was predicted.
    Volume,
}

/// `dialtone incidents`
#[derive(Debug, Subcommand)]
pub enum IncidentsAction {
    /// One line for each open incident, the worst first, then for what is watched.
    List(ListIncidents),
    /// Everything known of one incident, and how its repairs went.
    Show(ShowIncident),
    /// Why nothing was told of a scope: evidence, threshold, what is missing, what could be seen at all. From the lake.
    Explain(ExplainScope),
    /// Say that somebody works on it: nobody else is called.
    Ack {
        /// Which, and who says so.
        #[command(flatten)]
        about: About,
    },
    /// Call nobody about it for a while.
    Silence(SilenceIncident),
    /// Give it to another team; it stays there, whatever owners.toml says.
    Reassign {
        /// Which, and who says so.
        #[command(flatten)]
        about: About,
        /// The team it goes to, one that owners.toml names.
        #[arg(long, value_name = "TEAM", value_parser = text)]
        to: Text,
        /// Give it to that team even if owners.toml does not name it.
        #[arg(long)]
        even_unknown: bool,
        /// Why: the new owner reads it.
        #[arg(long, value_name = "TEXT", value_parser = text)]
        reason: Text,
    },
    /// Say whether the named cause was the right one.
    Verdict {
        /// Which, and who says so.
        #[command(flatten)]
        about: About,
        /// right or wrong
        #[arg(value_name = "right|wrong", value_parser = word::<Verdict>)]
        verdict: Verdict,
        /// Why.
        #[arg(long, value_name = "TEXT", value_parser = text)]
        reason: Option<Text>,
    },
    /// Say that what it shows is the new normal: it is over, and the baseline follows.
    Accept {
        /// Which, and who says so.
        #[command(flatten)]
        about: About,
        /// Why.
        #[arg(long, value_name = "TEXT", value_parser = text)]
        reason: Text,
    },
}

/// `dialtone incidents explain`
#[derive(Debug, clap::Args)]
pub struct ExplainScope {
    /// The lake's folder; sink.lake_dir without it.
    #[arg(long, value_name = "DIR")]
    pub lake: Option<PathBuf>,
    /// One to three conditions.
    #[arg(long, value_name = "DIMENSION=VALUE", required = true, num_args = 1..=3, value_parser = condition)]
    pub scope: Vec<(Dimension, Text)>,
    /// When, as RFC 3339 writes it.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: EventTime,
    /// Whose, where the lake knows several.
    #[arg(long, value_name = "TENANT", value_parser = text)]
    pub tenant: Option<Text>,
    /// So much before it is read to learn what is normal.
    #[arg(long, value_name = "SPAN", default_value = "14d", value_parser = span)]
    pub history: Span,
    /// As a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `dialtone report`
#[derive(Debug, clap::Args)]
pub struct Report {
    /// The day, such as 2026-03-02.
    #[arg(long, value_name = "DAY", value_parser = instant)]
    pub day: EventTime,
    /// As of this instant; without it seven in the morning by the clocks of the easternmost zone of the calendars (processor.watch.calendar),
    /// or six, UTC, where none has a zone.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<EventTime>,
    /// The lake's folder; sink.lake_dir without it.
    #[arg(long, value_name = "DIR")]
    pub lake: Option<PathBuf>,
    /// Of this tenant only.
    #[arg(long, value_name = "TENANT", value_parser = text)]
    pub tenant: Option<Text>,
    /// So much before it is read to learn what is normal, and when people call: up to 20 million rows.
    #[arg(long, value_name = "SPAN", default_value = "8d", value_parser = span)]
    pub history: Span,
    /// As JSON, one object for each tenant.
    #[arg(long, conflicts_with = "html")]
    pub json: bool,
    /// As a page.
    #[arg(long)]
    pub html: bool,
}

fn condition(text: &str) -> Result<(Dimension, Text), String> {
    let (dimension, value) = text
        .split_once('=')
        .ok_or("expected DIMENSION=VALUE, such as site=berlin")?;
    let dimension: Dimension = dimension.trim().parse().map_err(|error| format!("{error}"))?;
    Ok((dimension, Text::new(value.trim()).map_err(|error| error.to_string())?))
}

/// `dialtone incidents list`
#[derive(Debug, clap::Args)]
pub struct ListIncidents {
    /// Closed ones as well.
    #[arg(long)]
    pub all: bool,
    /// Only those of this team.
    #[arg(long, value_name = "TEAM", value_parser = text)]
    pub owner: Option<Text>,
    /// Only those in this state: watch, open, localised, recovering, closed.
    #[arg(long, value_name = "STATE", value_parser = word::<State>)]
    pub state: Option<State>,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// `dialtone incidents show`
#[derive(Debug, clap::Args)]
pub struct ShowIncident {
    /// Its id, or a beginning of it that no other has.
    #[arg(value_name = "ID", value_parser = text)]
    pub id: Text,
    /// One line for each of its revisions as well, as far back as the broker keeps them: state, scope, owner, severity, why it was told,
    /// and whether somebody was called.
    #[arg(long, conflicts_with = "json")]
    pub history: bool,
    /// The incident as a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `dialtone changes`
#[derive(Debug, Subcommand)]
pub enum ChangesAction {
    /// One line for each change with its latest verdict: harmful ones first, then the undecided by when they are expected to be decided, then
    /// harmless ones.
    List(ListChanges),
    /// Everything known of the verdict about one change.
    Show(ShowChange),
}

/// `dialtone changes list`
#[derive(Debug, clap::Args)]
pub struct ListChanges {
    /// Only those that are said to be so.
    #[arg(long, value_enum)]
    pub ruling: Option<Ruled>,
    /// Only those of this tenant.
    #[arg(long, value_name = "TENANT", value_parser = text)]
    pub tenant: Option<Text>,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// What is said of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ruled {
    /// Calls are worse since.
    Harmful,
    /// Calls are no worse than a factor that is named.
    Harmless,
    /// Too few calls to say either.
    Undecided,
}

/// `dialtone changes show`
#[derive(Debug, clap::Args)]
pub struct ShowChange {
    /// The change's id, or a beginning of it that no other has.
    #[arg(value_name = "CHANGE", value_parser = text)]
    pub id: Text,
    /// Whose, where several tenants have a change of this id.
    #[arg(long, value_name = "TENANT", value_parser = text)]
    pub tenant: Option<Text>,
    /// As a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `dialtone incidents silence`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct SilenceIncident {
    /// Which, and who says so.
    #[command(flatten)]
    pub about: About,
    /// For so long from now on: 2h, 90m.
    #[arg(long = "for", value_name = "SPAN", value_parser = span, required_unless_present = "until")]
    pub length: Option<Span>,
    /// Until then, as RFC 3339 writes it.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "length")]
    pub until: Option<EventTime>,
}

/// Which incident, and who says something about it.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct About {
    /// Its id, or a beginning of it that no other has.
    #[arg(value_name = "ID", value_parser = text)]
    pub id: Text,
    /// The team that says so.
    #[arg(long, value_name = "TEAM", value_parser = text)]
    pub by: Option<Text>,
}

fn text(value: &str) -> Result<Text, String> {
    Text::new(value).map_err(|error| error.to_string())
}

fn span(value: &str) -> Result<Span, String> {
    Span::parse(value).map_err(|error| error.to_string())
}

fn time(value: &str) -> Result<EventTime, String> {
    EventTime::parse(value).map_err(|error| error.to_string())
}

/// A word of a list, as records write it.
fn word<T: serde::de::DeserializeOwned>(value: &str) -> Result<T, String> {
    serde_json::from_value(value.into()).map_err(|error| error.to_string())
}

/// `dialtone topics`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TopicsAction {
    /// Say what differs.
    Plan,
    /// Create what is missing.
    Apply,
}

/// `dialtone schema`
#[derive(Debug, Subcommand)]
pub enum SchemaAction {
    /// Print the schema of a record.
    Show {
        /// event, change, complaint, summary, incident, alert, reject, control
        record: String,
        /// In which language.
        #[arg(long = "as", value_enum, default_value_t = SchemaLanguage::Avro)]
        language: SchemaLanguage,
    },
    /// Ask the registry whether our schemas are compatible with what it has.
    Check,
    /// Register our schemas.
    Register,
}

/// The languages of `schema show`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SchemaLanguage {
    /// Avro, as it travels.
    Avro,
    /// JSON Schema, as the HTTP doors take it.
    JsonSchema,
}
