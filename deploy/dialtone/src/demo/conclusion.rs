//! What the demo found, beside what was planted.

use dialtone_schemas::{ChangeVerdict, EventTime, Incident, Ruling, incident::Standing, time};
use dialtone_simulator::Cause;

use super::{feed::Fed, folder::Folder};
use crate::{judge::Judgement, report::words, say};

/// Everything that is said at the end.
#[derive(Debug)]
pub struct Conclusion<'a> {
    /// Planted beside found.
    pub judgement: &'a Judgement<'a>,
    /// What is said of the changes.
    pub verdicts: &'a [ChangeVerdict],
    /// What was fed.
    pub fed: &'a Fed,
    /// Where everything lies.
    pub folder: &'a Folder,
}

impl Conclusion<'_> {
    /// Says it.
    pub fn say(&self) {
        let doors: Vec<String> = self
            .fed
            .events
            .iter()
            .map(|(door, count)| format!("{count} by {door}"))
            .collect();
        say::line("");
        say::line(format!(
            "{} events ({}), {} changes, {} complaints",
            self.fed.events.values().sum::<u64>(),
            doors.join(", "),
            self.fed.changes,
            self.fed.complaints
        ));
        for named in &self.judgement.causes {
            say::line("");
            planted(named.cause);
            match named.incident {
                Some(incident) => found(incident, named.cause),
                None => say::line("  found    nothing that names it"),
            }
        }
        for other in &self.judgement.others {
            say::line("");
            say::line("planted  nothing");
            say::line(format!(
                "  found    {} {} since {}: raised without a cause",
                other.id, other.scope, other.onset.from
            ));
        }
        self.changes();
        self.verdict();
        self.lake();
    }

    fn changes(&self) {
        let of = |ruling: Ruling| self.verdicts.iter().filter(move |verdict| verdict.ruling == ruling);
        say::line("");
        say::line(format!(
            "{} changes judged: {} harmful, {} harmless, {} with too few calls yet",
            self.verdicts.len(),
            of(Ruling::Harmful).count(),
            of(Ruling::Harmless).count(),
            of(Ruling::NotEnoughCalls).count()
        ));
        for verdict in of(Ruling::Harmful) {
            say::line(format!("  {} is {}", verdict.change_id, words::verdict(verdict)));
        }
    }

    fn verdict(&self) {
        let planted = self.judgement.causes.len();
        let named = self
            .judgement
            .causes
            .iter()
            .filter(|named| named.incident.is_some())
            .count();
        let others = self.judgement.others.len();
        say::line("");
        say::line(format!(
            "{named} of {planted} planted causes named, {others} raised without a cause"
        ));
    }

    fn lake(&self) {
        let lake = self.folder.lake().display().to_string();
        say::line("");
        say::line(format!("The lake: {lake}"));
        say::line("  DuckDB (pip install duckdb==1.5.5 duckdb-extension-delta==1.5.5):");
        say::line(format!(
            "    python3 -c \"import duckdb, duckdb_extension_delta as d; c = duckdb.connect(); \
             c.load_extension(d.__path__[0] + '/extensions/v1.5.5/delta.duckdb_extension'); \
             print(c.sql(\\\"select near.site, count(*) events, round(avg(score.mos), 2) mos from \
             delta_scan('{lake}/events') group by 1 order by 2 desc\\\"))\""
        ));
        say::line("  Polars (pip install polars deltalake):");
        say::line(format!(
            "    python3 -c \"import polars as pl; print(pl.scan_delta('{lake}/incidents').select('id', 'revision', 'state', 'owner', 'metric').collect())\""
        ));
    }
}

fn planted(cause: &Cause) {
    let device = cause
        .device_id
        .as_ref()
        .map(|device| format!(" device={device}"))
        .unwrap_or_default();
    let change = cause.change_id.as_ref().map_or("no change", |change| change.as_str());
    say::line(format!(
        "planted  {}{device} since {}, by {change}, owned by {}",
        cause.scope, cause.onset, cause.owner
    ));
}

fn found(incident: &Incident, cause: &Cause) {
    let device = incident
        .device_id
        .as_ref()
        .map(|device| format!(" device={device}"))
        .unwrap_or_default();
    say::line(format!(
        "  found    {}{device} ({}, {:?})",
        incident.scope, incident.id, incident.state
    ));
    say::line(format!("  owner    {}", incident.owner));
    let suspects: Vec<String> = incident
        .suspected_changes
        .iter()
        .map(|s| format!("{} ({:.0} %)", s.change_id, 100.0 * s.score))
        .collect();
    say::line(format!(
        "  change   {}",
        if suspects.is_empty() {
            "none suspected".into()
        } else {
            suspects.join(", ")
        }
    ));
    say::line(format!("  onset    {} to {}", incident.onset.from, incident.onset.to));
    let lines: Vec<String> = incident
        .evidence
        .iter()
        .map(|e| {
            format!(
                "{} {} of {} poor, {:.1} expected",
                e.group, e.poor, e.at_risk, e.expected
            )
        })
        .collect();
    say::line(format!(
        "  evidence {} by {}; {}",
        metric_effect(incident),
        incident.metric,
        lines.join("; ")
    ));
    for (name, standing) in [("cleared", Standing::Cleared), ("unknown", Standing::Unknown)] {
        let layers: Vec<&str> = incident
            .layers
            .iter()
            .flatten()
            .filter(|layer| layer.standing == standing)
            .map(|layer| layer.layer.name())
            .collect();
        if !layers.is_empty() {
            say::line(format!("  {name}  {}", layers.join(", ")));
        }
    }
    if let Some(opened) = incident.opened {
        say::line(format!(
            "  opened   {opened}, {} min after the onset; {}",
            minutes(opened, cause.onset),
            complaint(incident, opened)
        ));
    }
}

fn metric_effect(incident: &Incident) -> String {
    if incident.effect > 0.0 {
        format!("{}×", incident.effect)
    } else {
        "silence".into()
    }
}

fn complaint(incident: &Incident, opened: EventTime) -> String {
    match incident.first_complaint {
        None => "nobody has complained".into(),
        Some(first) if first >= opened => format!("{} min before the first complaint", minutes(first, opened)),
        Some(first) => format!("{} min after the first complaint", minutes(opened, first)),
    }
}

fn minutes(later: EventTime, earlier: EventTime) -> i64 {
    later.since(earlier) / time::MINUTE
}
