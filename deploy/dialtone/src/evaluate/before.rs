//! What a watch knows when a run begins: the days before, as they came by the doors, and studied. Runs that differ in what breaks have the same
//! days before it; they are simulated and studied once.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use dialtone_processor::{
    WatchConfig,
    offline::{Adding, Watching},
    watch::history::Day,
};
use dialtone_schemas::{EventTime, Text, time};
use dialtone_simulator::{Scenario, Simulation};

use super::{doors::Doors, kept};
use crate::config::{Config, or_simulated, owners};

/// Whose calls they are.
pub(super) const TENANT: &str = "replay";
/// The simulation goes on by so much at a time.
pub(super) const STEP: i64 = 10 * time::MINUTE;
/// Of the history so much is watched minute by minute like what is judged; the days before that are fed as what they add up to.
const LIVE: i64 = 25 * time::HOUR;
/// What such days hold and how their reports came. Another word where that changes: what was kept before is not taken for it.
const LAYOUT: &str = "days by doors";

/// From when on everything is watched minute by minute: the midnight before the last 25 hours of the history.
pub(super) fn live_from(scenario: &Scenario) -> EventTime {
    let midnight = scenario.judged_from().plus(-LIVE).floor(time::DAY);
    midnight.max(scenario.start)
}

/// A watch that has studied, once somebody has asked for it.
type Studied = Arc<Mutex<Option<Watching>>>;

/// Watches that have studied the days before, by what these are made of. The last few that were asked for are remembered.
#[derive(Debug)]
pub struct Before<'a> {
    pub(super) config: &'a Config,
    pub(super) kept: Option<&'a Path>,
    remembered: usize,
    known: Mutex<VecDeque<(String, Studied)>>,
}

impl<'a> Before<'a> {
    /// With a folder, days that lie there are not simulated again. So many watches are remembered: none where runs have nothing in common.
    pub fn new(config: &'a Config, kept: Option<&'a Path>, remembered: usize) -> Self {
        Self {
            config,
            kept,
            remembered,
            known: Mutex::default(),
        }
    }

    /// A watch as it is when a run begins whose days before are made of this. Who asks while another is at the same days waits for them.
    pub(super) fn watching(&self, made_of: &str, scenario: &Scenario, seed: u64) -> Result<Watching> {
        if self.remembered == 0 {
            return self.study(made_of, scenario, seed);
        }
        let studied = self.remember(made_of);
        let mut studied = studied.lock().unwrap_or_else(PoisonError::into_inner);
        match &*studied {
            Some(watching) => Ok(watching.clone()),
            None => Ok(studied.insert(self.study(made_of, scenario, seed)?).clone()),
        }
    }

    fn remember(&self, made_of: &str) -> Studied {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known.iter().position(|(of, _)| of == made_of);
        let (of, studied) = place
            .and_then(|place| known.remove(place))
            .unwrap_or_else(|| (made_of.to_owned(), Studied::default()));
        known.truncate(self.remembered - 1);
        known.push_front((of, Arc::clone(&studied)));
        studied
    }

    fn study(&self, made_of: &str, scenario: &Scenario, seed: u64) -> Result<Watching> {
        let simulation = Simulation::new(scenario, seed);
        let mut watching = Watching::new(told(self.config, &simulation)?, self.config.kafka.partitions);
        let days = kept::or_made(self.kept, self.config, "days", &format!("{LAYOUT} {made_of}"), || {
            days(self.config, simulation, live_from(scenario))
        })?;
        watching.study(&Text::new(TENANT)?, days);
        Ok(watching)
    }
}

/// The watch's settings, with what the platform's people have written down of a run: who owns what; and what the sites'
/// clocks show and which days are holidays, unless the configuration has calendars of its own.
fn told(config: &Config, run: &Simulation) -> Result<WatchConfig> {
    let mut watch = config.watch(owners("the simulated owners", &run.owners_toml())?);
    watch.calendars = or_simulated(watch.calendars, &run.calendars_toml())?;
    Ok(watch)
}

/// Days until an instant, in the order in which their reports arrive: what comes too late for its window is set aside.
pub(super) fn days(config: &Config, mut simulation: Simulation, until: EventTime) -> Result<Vec<Day>> {
    let mut doors = Doors::of(config, &simulation, TENANT)?;
    let mut adding = Adding::new(&config.processor.summarise, config.kafka.partitions);
    let mut now = simulation.start();
    let end = simulation.all_heard_of(until).min(simulation.end());
    while until > simulation.start() && now < end {
        now = now.plus(STEP);
        let mut events = simulation.advance(now).events;
        events.retain(|event| event.end <= until);
        for taken in doors.take(events, now)? {
            adding.event(&taken.event);
        }
    }
    Ok(adding.finish().take_before(until.day()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use dialtone_processor::{
        offline::Logs,
        watch::{calendar::objections, history::Days, zone::Zone},
    };
    use dialtone_schemas::{avro, topic::Topic};
    use dialtone_wire::Payload;

    use super::*;
    use crate::config::load;

    /// Two days of March, Saint Patrick's among them, at twice as many sites as there are places.
    fn simulation() -> Simulation {
        let text = "name = \"march\"\nstart = \"2026-03-16T06:00:00Z\"\nhistory = \"0h\"\nevaluate = \"2d\"\n\
                    [enterprise]\nsites = 24\nusers = 200\n";
        Simulation::new(&Scenario::from_toml(text).expect("a scenario"), 1)
    }

    fn told_of(config: &Config) -> WatchConfig {
        told(config, &simulation()).expect("settings")
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

    /// A day of a small enterprise: by the folds whose bytes are read back, and as sums that are never bytes.
    #[test]
    fn days_are_the_same_whether_their_sums_were_bytes_or_not() {
        let text = "name = \"days\"\nstart = \"2026-03-03T06:00:00Z\"\nhistory = \"60h\"\nevaluate = \"1h\"\n\
                    [enterprise]\nsites = 3\nusers = 100\n";
        let scenario = Scenario::from_toml(text).expect("a scenario");
        let config = load(None, std::iter::empty()).expect("defaults");
        let until = live_from(&scenario);
        let added = days(&config, Simulation::new(&scenario, 1), until).expect("days");

        let mut simulation = Simulation::new(&scenario, 1);
        let mut doors = Doors::of(&config, &simulation, TENANT).expect("doors");
        let mut logs = Logs::new(&config.processor.summarise, config.kafka.partitions);
        let mut now = simulation.start();
        while now < simulation.end() {
            now = now.plus(STEP);
            let mut events = simulation.advance(now).events;
            events.retain(|event| event.end <= until);
            for taken in doors.take(events, now).expect("taken") {
                logs.event(&taken.event).expect("summarised");
            }
        }
        logs.finish().expect("closed");
        let mut folded = Days::default();
        for (place, payload) in logs.take() {
            if let (Topic::Summaries, Payload::Value(frame)) = (place.0, payload) {
                folded.add(&avro::record_from_built_in_frame(&frame).expect("a summary"));
            }
        }
        assert_eq!(added.len(), 1, "the third of March, from six on");
        assert_eq!(added, folded.take_before(until.day()));
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
