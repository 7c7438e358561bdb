//! A simulation as it goes on: time is advanced from outside, and what would have arrived by then comes out.

use std::collections::BTreeMap;

use dialtone_schemas::{Change, Complaint, Event, EventTime, Text, time};

use crate::{
    calendar,
    call::{Call, LONGEST, Outcome, calls_of_minute},
    change, complaint,
    complaint::{Grievance, Patience},
    drawn,
    fault::{Fault, FaultKind},
    owner, pick,
    random::{Dice, Stream},
    report::{Account, reports},
    reporting::{Disorder, HEARD_WITHIN, Journey},
    rollout,
    scenario::{Scenario, ScenarioError},
    truth::{self, Truth},
    world::World,
};

/// What arrived in one step, each list in order of arrival.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deliveries {
    /// Reports of call quality.
    pub events: Vec<Event>,
    /// Changes.
    pub changes: Vec<Change>,
    /// Complaints.
    pub complaints: Vec<Complaint>,
}

/// A poor call that its user complains about, or would where people complain more readily.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggrieved {
    /// When that is.
    pub at: EventTime,
    /// The call, whether the complaint names it or not.
    pub call_id: Text,
    /// It is told where people complain at so many times the scenario's rates or more: here below 1; known up to 2.
    pub told_from: f64,
}

/// Things under way, by the time they arrive and the order they were sent in.
type Underway<T> = BTreeMap<(EventTime, u64), T>;

/// One run of a scenario. The same scenario and seed deliver the same, whatever the steps.
#[derive(Debug)]
pub struct Simulation {
    world: World,
    disorder: Disorder,
    truth: Truth,
    /// The next minute whose calls have not been drawn yet.
    minute: EventTime,
    sent: u64,
    events: Underway<Box<Event>>,
    changes: Underway<Change>,
    complaints: Underway<Complaint>,
    patience: Patience,
    aggrieved: Vec<Aggrieved>,
}

impl Simulation {
    /// Draws the enterprise, its people, and where the faults lie.
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        let mut world = World::healthy(scenario, seed);
        pick::resolve(&mut world);
        world.rollouts = rollout::harmless(&world);
        world.old = drawn::old(&world);
        let changes = change::changes(&world);
        world.improvements.clone_from(&changes.improvements);
        let disorder = Disorder::new(&world);
        let truth = truth::truth(&world, &changes, &disorder);
        let changes = (0..)
            .zip(changes.all)
            .map(|(n, c)| ((c.time_reported(), n), c))
            .collect();
        let complaints: Underway<Complaint> = (0..)
            .zip(complaint::background(&world))
            .map(|(n, c)| ((c.complained_at, n), c))
            .collect();
        Self {
            minute: scenario.start,
            sent: 1 << 32,
            world,
            disorder,
            truth,
            events: Underway::new(),
            changes,
            complaints,
            patience: Patience::default(),
            aggrieved: Vec::new(),
        }
    }

    /// Can every fault be felt by somebody? A typing error in a scope would plant what nobody can find.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let problems = pick::strangers(&self.world);
        if problems.is_empty() {
            return Ok(());
        }
        Err(ScenarioError::Problems {
            name: self.world.scenario.name.clone(),
            problems,
        })
    }

    /// What was planted.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Of each planted cause: may this event's device have it? Of a cause in no dimension only some may, though its scope is everything.
    pub fn may_have(&self, event: &Event) -> Vec<bool> {
        let device = event.near_endpoint.device_id.as_ref();
        let faults = self.world.faults.iter();
        faults.map(|fault| fault.may_be_on(device)).collect()
    }

    /// The networks with their places, as a building file.
    pub fn sites_csv(&self) -> String {
        self.world.estate.sites_csv()
    }

    /// The teams with what they own.
    pub fn owners_toml(&self) -> String {
        owner::owners_toml(&self.world.estate)
    }

    /// The clocks and the holidays of the sites, as tables of a configuration.
    pub fn calendars_toml(&self) -> String {
        calendar::calendars_toml(&self.world)
    }

    /// What all that lies before the judged part is made of: runs of which this is the same have the same reports of calls until then, and may
    /// still differ in what breaks.
    pub fn made_of_before(&self) -> String {
        let Self { world, disorder, .. } = self;
        let scenario = &world.scenario;
        let span = (scenario.start, scenario.history, scenario.evaluate);
        let habits = (&scenario.enterprise, &scenario.noise, &scenario.reporting);
        let drawn = (&world.office_move, &world.rollouts, &world.old, &disorder.clock_off);
        format!("{} {span:?} {habits:?} {drawn:?}", world.seed)
    }

    /// Leaves out calls of which nothing is heard after that instant: what arrives later is as if they had been made, what arrives before is
    /// incomplete. To be said before the first step.
    pub fn skip_to(&mut self, at: EventTime) {
        // A complaint comes within a day as well, and who complains depends on what else was poor on the day of the call.
        let silent = at.plus(-HEARD_WITHIN).floor(time::DAY).plus(-LONGEST);
        self.minute = self.minute.max(silent);
    }

    /// By then every report has come that says it ended until that instant.
    pub fn all_heard_of(&self, until: EventTime) -> EventTime {
        until.plus(HEARD_WITHIN + self.world.scenario.reporting.clock_off.0)
    }

    /// The first instant.
    pub fn start(&self) -> EventTime {
        self.world.scenario.start
    }

    /// First instant after everything: advancing further delivers nothing more.
    pub fn end(&self) -> EventTime {
        self.world.scenario.end()
    }

    /// Lets time pass. Delivers what arrives up to and including `until`, but nothing after the scenario's end.
    ///
    /// An hour holds some twenty thousand events: whoever wants a day takes it in steps of some minutes.
    pub fn advance(&mut self, until: EventTime) -> Deliveries {
        let until = until.min(self.end());
        while self.minute <= until && self.minute < self.end() {
            for call in calls_of_minute(&self.world, self.minute) {
                self.happen(call);
            }
            self.minute = self.minute.plus(time::MINUTE);
        }
        Deliveries {
            events: arrived(&mut self.events, until).map(|event| *event).collect(),
            changes: arrived(&mut self.changes, until).collect(),
            complaints: arrived(&mut self.complaints, until).collect(),
        }
    }

    /// A call takes place, is reported, and perhaps complained about.
    fn happen(&mut self, mut call: Call) {
        let mut dice = Dice::new(self.world.seed, Stream::Complaints, call.number);
        self.fail(&mut call);
        let silent = self.cut_off(&mut call);
        if call.span <= 0 {
            return self.try_in_vain(&call, &silent, &mut dice);
        }
        let accounts = reports(&self.world, &call, &mut dice);
        for (i, Account { sent, was_poor }) in accounts.into_iter().enumerate() {
            let cut_off_from = silent.get(i).copied().flatten();
            let mut journey = Journey::new(&self.world, &self.disorder, &call, i);
            let sent = sent
                .into_iter()
                .filter(|report| cut_off_from.is_none_or(|from| report.at < from));
            for report in sent.flat_map(|report| journey.arrivals(report)) {
                self.sent += 1;
                self.events.insert((report.at, self.sent), report.event);
            }
            if was_poor {
                let grievance = self.patience.tried(&self.world, &call, &call.ends[i], &mut dice);
                self.complain(grievance, &call.id);
            }
        }
    }

    /// Who had reason to complain by now, whether they do or not. Part of the truth.
    pub fn aggrieved(&self) -> &[Aggrieved] {
        &self.aggrieved
    }

    /// Who is cut off cannot call, but can complain.
    fn try_in_vain(&mut self, call: &Call, silent: &[Option<EventTime>], dice: &mut Dice) {
        for (end, _) in call.ends.iter().zip(silent).filter(|(_, silent)| silent.is_some()) {
            let grievance = self.patience.tried(&self.world, call, end, dice);
            self.complain(grievance, &call.id);
        }
    }

    fn complain(&mut self, grievance: Option<Grievance>, call: &Text) {
        let Some(Grievance { complaint, told_from }) = grievance else {
            return;
        };
        self.aggrieved.push(Aggrieved {
            at: complaint.complained_at,
            call_id: call.clone(),
            told_from,
        });
        if told_from < 1.0 {
            self.sent += 1;
            self.complaints.insert((complaint.complained_at, self.sent), complaint);
        }
    }

    /// A fault may keep a call from being set up, or drop it.
    fn fail(&self, call: &mut Call) {
        let mut dice = Dice::new(self.world.seed, Stream::Damage, call.number | 1 << 55);
        for fault in &self.world.faults {
            let fate = dice.unit();
            let strength = fault.strength(call.start);
            if strength > 0.0 && call.ends.iter().any(|end| fault.covers(&end.leaf, &end.device_id)) {
                if fate < fault.setup_failed * strength {
                    call.outcome = Outcome::NeverSetUp;
                } else if fate < (fault.setup_failed + fault.dropped) * strength {
                    call.outcome = Outcome::Dropped;
                }
            }
        }
    }

    /// A site that is cut off ends its calls, starts none, and its reports do not get out. Says per end from when on.
    fn cut_off(&self, call: &mut Call) -> Vec<Option<EventTime>> {
        let mut silent = vec![None; call.ends.len()];
        for fault in self.world.faults.iter().filter(|f| f.kind == FaultKind::TotalOutage) {
            for (i, end) in call.ends.iter().enumerate() {
                if fault.covers(&end.leaf, &end.device_id) {
                    shorten(fault, call.start, &mut call.span, &mut call.outcome, &mut silent[i]);
                }
            }
        }
        silent
    }
}

fn shorten(fault: &Fault, start: EventTime, span: &mut i64, outcome: &mut Outcome, silent: &mut Option<EventTime>) {
    let before_the_end = fault.until.is_none_or(|until| start < until);
    if before_the_end && start.plus(*span) > fault.onset {
        *span = fault.onset.since(start).max(0);
        *outcome = Outcome::Dropped;
        *silent = Some(fault.onset);
    }
}

/// Takes out what arrives up to and including `until`.
fn arrived<T>(underway: &mut Underway<T>, until: EventTime) -> impl Iterator<Item = T> + use<T> {
    let later = underway.split_off(&(until.plus(1), 0));
    std::mem::replace(underway, later).into_values()
}
