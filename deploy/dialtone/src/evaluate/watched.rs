//! What watch makes of one simulated run: its incidents beside its truth.

use std::path::Path;

use anyhow::Result;
use dialtone_processor::{WatchConfig, offline::Watching, summarise::Counts, watch::Warnings};
use dialtone_schemas::{ChangeVerdict, EventTime, Incident, Text};
use dialtone_simulator::{Scenario, Truth};

use super::{
    simulated::{RATES, Simulated, TENANT, live_from},
    work::{self, Page},
};
use crate::{
    config::{Config, or_simulated, owners},
    judge::{Calls, Judgement},
};

/// One simulated run and what was found in it.
#[derive(Debug)]
pub struct Watched {
    /// Which scenario.
    pub scenario: String,
    /// Which seed.
    pub seed: u64,
    /// First instant of what was watched minute by minute.
    pub began: EventTime,
    /// When incidents could open: enough was known of what is normal.
    pub warm_from: EventTime,
    /// What was planted.
    pub truth: Truth,
    /// What was found.
    pub incidents: Vec<Incident>,
    /// The last verdict about every change.
    pub verdicts: Vec<ChangeVerdict>,
    /// How the early warnings came out.
    pub warnings: Warnings,
    /// What became of the events.
    pub counts: Counts,
    /// Cells watched at the end: a scope is one on each of its channels, and they are summed.
    pub cells: usize,
    /// Scopes watched at the end, each once.
    pub scopes: usize,
    /// Nats that each of them needs to be noticed: the false alarms a day that are accepted, over their minutes.
    pub needed: f64,
    /// Who was called about which incident, in order.
    pub(super) pages: Vec<Page>,
    pub(super) calls: Calls,
    pub(super) since: Vec<Calls>,
    pub(super) usual: Vec<f64>,
    pub(super) complaints: Vec<[Vec<EventTime>; RATES.len()]>,
}

impl Watched {
    /// Simulates and lets the folds watch; with a folder, runs that lie there are not simulated again.
    pub fn over(config: &Config, scenario: &Scenario, name: &str, seed: u64, kept: Option<&Path>) -> Result<Self> {
        let run = match kept {
            Some(folder) => Simulated::kept(folder, config, scenario, seed)?,
            None => Simulated::new(config, scenario, seed)?,
        };
        let told = told(config, &run.owners_toml, &run.calendars_toml)?;
        let mut watching = Watching::new(told, config.kafka.partitions);
        watching.study(&Text::new(TENANT)?, run.past);
        run.logs.into_iter().try_for_each(|heard| watching.hear(heard))?;
        let began = live_from(scenario);
        Ok(Self {
            scenario: name.to_owned(),
            seed,
            began,
            warm_from: began.max(scenario.start.plus(config.processor.watch.warm_up.micros())),
            truth: run.truth,
            incidents: watching.incidents(),
            verdicts: watching.verdicts(),
            warnings: watching.watch().warnings(),
            counts: run.counts,
            cells: watching.watch().cells(),
            scopes: watching.watch().scopes(),
            needed: watching.watch().needed(),
            pages: work::pages(watching.alerts()),
            calls: run.calls,
            since: run.since,
            usual: run.usual,
            complaints: run.complaints,
        })
    }

    /// Found beside planted.
    pub fn judgement(&self) -> Judgement<'_> {
        Judgement::of(&self.truth, &self.incidents, &self.calls)
    }

    /// One line of a table: how many causes were named, what else was raised, what was missed.
    pub fn row(&self) -> String {
        let judgement = self.judgement();
        let named = judgement.causes.iter().filter(|named| named.incident.is_some()).count();
        let missed = judgement.causes.iter().filter(|named| named.incident.is_none());
        let missed: Vec<String> = missed
            .map(|named| format!("missed {} since {}", named.cause.scope, named.cause.onset))
            .collect();
        let others: Vec<String> = judgement.others.iter().map(|incident| raised(incident)).collect();
        format!(
            "{:18} {:5}  {named}/{}  {}  {}",
            self.scenario,
            self.seed,
            judgement.causes.len(),
            judgement.others.len(),
            [missed, others].concat().join("; ")
        )
    }
}

/// The watch's settings, with what the platform's people have written down of a run: who owns what; and what the sites'
/// clocks show and which days are holidays, unless the configuration has calendars of its own.
fn told(config: &Config, owners_toml: &str, calendars_toml: &str) -> Result<WatchConfig> {
    let mut watch = config.watch(owners("the simulated owners", owners_toml)?);
    watch.calendars = or_simulated(watch.calendars, calendars_toml)?;
    Ok(watch)
}

/// An incident in a line of a table.
pub(super) fn raised(incident: &Incident) -> String {
    let onset = &incident.onset;
    let of = incident
        .device_id
        .as_ref()
        .map_or(String::new(), |device| format!(" device={device}"));
    format!(
        "raised {} of {}{of} since {} to {}",
        incident.metric, incident.scope, onset.from, onset.to
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use dialtone_processor::watch::{calendar::objections, zone::Zone};
    use dialtone_simulator::Simulation;

    use super::*;
    use crate::config::load;

    /// Two days of March, Saint Patrick's among them, at twice as many sites as there are places.
    fn simulation() -> Simulation {
        let text = "name = \"march\"\nstart = \"2026-03-16T06:00:00Z\"\nhistory = \"0h\"\nevaluate = \"2d\"\n\
                    [enterprise]\nsites = 24\nusers = 200\n";
        Simulation::new(&Scenario::from_toml(text).expect("a scenario"), 1)
    }

    fn told_of(config: &Config) -> WatchConfig {
        let run = simulation();
        told(config, &run.owners_toml(), &run.calendars_toml()).expect("settings")
    }

    #[test]
    fn watch_is_told_the_zone_of_every_site_once_and_the_holidays() {
        let config = load(None, std::iter::empty()).expect("defaults");
        let told = told_of(&config).calendars;
        assert!(objections(&told).is_empty());
        let named: Vec<&Text> = told.iter().flat_map(|calendar| &calendar.sites).collect();
        let zones: BTreeMap<&str, &str> = told
            .iter()
            .flat_map(|calendar| calendar.sites.iter().map(move |site| (site, calendar.zone.as_ref())))
            .map(|(site, zone)| (site.as_str(), zone.map_or("none", Zone::name)))
            .collect();
        assert_eq!((named.len(), zones.len()), (24, 24), "{zones:?}");
        // A building file names the site in its eighth column. Pools of those at home have no country in the tenth.
        let csv = simulation().sites_csv();
        let rows = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
        for row in rows.filter(|row| !row[9].is_empty()) {
            assert!(zones.contains_key(row[7]), "{}", row[7]);
        }
        assert_eq!(
            [zones["bangalore"], zones["austin-2"]],
            ["Asia/Kolkata", "America/Chicago"]
        );
        let of_ireland = told.iter().filter(|calendar| !calendar.holidays.is_empty());
        let of_ireland: Vec<_> = of_ireland.map(|calendar| &calendar.country).collect();
        assert_eq!(of_ireland, [&Text::new("IE").ok()]);
        assert!(
            told.iter().all(|calendar| calendar.public().is_none()),
            "on Easter Monday they work"
        );
    }

    #[test]
    fn calendars_of_ones_own_go_before_the_simulated_ones() {
        let mut config = load(None, std::iter::empty()).expect("defaults");
        let own = or_simulated(
            Vec::new(),
            "[[processor.watch.calendar]]\nsites = [\"berlin\"]\nzone = \"Europe/Paris\"\n",
        );
        config.processor.watch.calendars = own.expect("a calendar");
        assert_eq!(told_of(&config).calendars, config.processor.watch.calendars);
    }
}
