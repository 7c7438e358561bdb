//! A verdict for every change: its calls before and since, and everybody else's; and what it did for the incident it was to end.

use std::collections::{BTreeMap, BTreeSet};

use dialtone_explain::Condition;
use dialtone_schemas::{
    Change, ChangeKind, ChangeVerdict, Channel, Dimension, EventId, EventTime, Repair, Ruling, Text, Window,
    incident::Verdict, time,
};
use serde::{Deserialize, Serialize};

use super::{
    Tenant,
    doses::Strata,
    live::{round, whole},
};
use crate::{
    config::WatchConfig,
    watch::{
        baseline::real,
        book::{Basis, Case},
        dictionary::Codes,
        evidence::{Counts, Sum, WATCHED},
        hours::AtHour,
        trial::{Compared, Judged},
    },
};

/// A change is on trial for so long after it took effect ...
const HORIZON: i64 = time::DAY;
/// ... and where there were too few calls, over a long weekend.
const UNDECIDED: i64 = 4 * time::DAY;
/// Its calls are compared with those of so long before.
pub(super) const BEFORE: i64 = 3 * time::HOUR;
/// Nothing is said before so long.
const SETTLED: i64 = 5 * time::MINUTE;
/// A change is looked at so often while it is young, and then so often.
const YOUNG: i64 = 2 * time::HOUR;
const PACE: (i64, i64) = (5 * time::MINUTE, 15 * time::MINUTE);
/// Changes on trial at once; beyond, the youngest.
const MOST: usize = 500;
/// An incident is a change's doing from this posterior on, unless a person said that its cause is wrong.
const GUILTY: f64 = 0.5;
/// A repair touches so much of the incident's calls at least.
const OF_CAUSE: f64 = 0.5;
/// A repair that has done nothing for so long has had no effect, where there is still something wrong.
const PATIENCE: i64 = 30 * time::MINUTE;
/// What turns bad elsewhere so long after a repair is the fault that it moved.
const ELSEWHERE: i64 = 30 * time::MINUTE;
/// A call that fails does so at both of its ends.
pub(super) const BOTH_ENDS: f64 = 2.0;
/// Evidence that the incident goes on: ln 1000.
const GOES_ON: f64 = 6.9;

/// Sums of the calls that a change touches, and of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sides {
    touched: [Sum; 3],
    others: [Sum; 3],
}

impl Sides {
    fn add(&mut self, other: &Self) {
        for channel in 0..3 {
            self.touched[channel].add(other.touched[channel]);
            self.others[channel].add(other.others[channel]);
        }
    }
}

/// A change on trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Trial {
    before: Sides,
    /// Sums since the change of windows that are soon forgotten.
    banked: Sides,
    banked_until: Option<Window>,
    /// Where a new version is rolled out: the same by stratum, before and banked.
    strata: Strata,
    repairs: Option<Text>,
    /// The last verdict that was sent, with the figures of the last look.
    last: Option<ChangeVerdict>,
}

impl Trial {
    /// The last verdict that was sent, with the figures of the last look.
    pub(super) const fn last(&self) -> Option<&ChangeVerdict> {
        self.last.as_ref()
    }

    /// What was said last of what it did for the incident that it was to end.
    fn repair(&self) -> Option<Repair> {
        self.last.as_ref().and_then(|last| last.repair)
    }

    /// The change is not what it was taken for: what was seen of it says nothing any more, but revisions go on.
    pub(super) fn begin_anew(&mut self) {
        let last = self.last.take().map(|last| ChangeVerdict {
            ruling: Ruling::NotEnoughCalls,
            harmless_within: None,
            is_final: false,
            ..last
        });
        *self = Self {
            last,
            ..Self::default()
        };
    }
}

/// All since the change; by stratum what was before it as well.
#[derive(Debug)]
struct Since {
    sides: Sides,
    strata: Strata,
}

/// What a leaf showed over some windows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    at_risk: [f64; 3],
    poor: [f64; 3],
    /// At risk, as if the rate were the same at every hour.
    by_hour: [f64; 3],
}

impl Shown {
    fn add(&mut self, counts: &Counts, hours: &[AtHour; 3], site: u32) {
        for (channel, hour) in hours.iter().enumerate() {
            let n = real(counts.n[channel]);
            self.at_risk[channel] += n;
            self.poor[channel] += real(counts.k[channel]);
            self.by_hour[channel] += n * hour.factor(site);
        }
    }
}

/// On which side a leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Touched,
    Other,
}

impl Tenant {
    /// Looks at the changes that are due, and returns the verdicts that are new.
    pub(super) fn try_changes(&mut self, now: EventTime, config: &WatchConfig) -> Vec<ChangeVerdict> {
        // The longer pace is a multiple of the shorter one: nothing is due in between.
        if now.floor(PACE.0) != now {
            return Vec::new();
        }
        self.trials.retain(|id, _| self.changes.contains_key(id));
        let mut due: Vec<(EventTime, Text)> = self
            .changes
            .iter()
            .filter(|(id, change)| is_due(change, self.trials.get(*id), now))
            .map(|(id, change)| (change.started_at, id.clone()))
            .collect();
        due.sort();
        let too_many = due.len().saturating_sub(MOST);
        due.drain(..too_many);
        let mut told = Vec::new();
        for (_, id) in due {
            let Some(change) = self.changes.get(&id).cloned() else {
                continue;
            };
            let mut trial = self.trials.remove(&id).unwrap_or_default();
            // An incident may open after its repair; or turn out to have begun with it.
            if let Some(no_more) = trial.repairs.take_if(|id| !self.may_be_repaired(id, &change)) {
                self.withdraw_repair(&change, &no_more);
            }
            trial.repairs = trial.repairs.or_else(|| self.to_be_repaired(&change));
            let said = trial.repair();
            told.extend(self.look_at(&change, &mut trial, now, config));
            self.judge_taken_back(&change, &trial, said);
            self.judge_cause(&change, &trial);
            self.trials.insert(id, trial);
        }
        told
    }

    /// A change that was taken back was to blame if that is confirmed as the repair, and was not if it had no effect. Where the fault has
    /// only moved, or is back, neither is known, and what was `said` before counts no more.
    fn judge_taken_back(&mut self, change: &Change, trial: &Trial, said: Option<Repair>) {
        let taken_back = change.rollback_of.as_ref().and_then(|id| self.changes.get(id));
        let (Some(taken_back), Some(incident)) = (taken_back, &trial.repairs) else {
            return;
        };
        match trial.repair() {
            Some(Repair::Confirmed) => self.priors.judge(incident, taken_back, true),
            Some(Repair::NoEffect) => self.priors.judge(incident, taken_back, false),
            Some(Repair::Moved) if said.is_some_and(|said| said != Repair::Moved) => {
                self.priors.withdraw(incident, taken_back);
            }
            None if said.is_some() => self.priors.withdraw(incident, taken_back),
            Some(Repair::Moved) | None => {}
        }
    }

    /// What a change did for an incident that it was not to end after all says nothing of what it takes back.
    fn withdraw_repair(&mut self, change: &Change, incident: &Text) {
        let taken_back = change.rollback_of.as_ref().and_then(|id| self.changes.get(id));
        if let Some(taken_back) = taken_back {
            self.priors.withdraw(incident, taken_back);
        }
    }

    /// A confirmed repair of the calls of an incident's cause, and not of many more, says that the cause was the right one. Whatever else a repair
    /// did says nothing of it: it may have been no repair.
    fn judge_cause(&mut self, change: &Change, trial: &Trial) {
        let is_confirmed = trial.repair() == Some(Repair::Confirmed);
        let Some(incident) = trial.repairs.as_ref().filter(|_| is_confirmed) else {
            self.judged.not_repaired(&change.change_id);
            return;
        };
        // What was said of one that is forgotten stands.
        let case = self.cases.iter().find(|case| case.incident.id == *incident);
        let of_same = case.filter(|case| self.overlap_with(change, case).is_of_the_same());
        if let Some(named) = of_same.and_then(Case::named) {
            self.judged.repaired(incident, &change.change_id, named);
        }
    }

    /// Is the change to end an incident: does it take back the guilty one, or touch most of the calls of one that was under way?
    fn to_be_repaired(&self, change: &Change) -> Option<Text> {
        let since = begins(change);
        let is_under_way = |case: &&Case| {
            let recovered = case.recovering_since.is_some_and(|at| at < since);
            !recovered && was_there_before(case, change)
        };
        let takes_back = |case: &&Case| change.rollback_of.as_ref().is_some_and(|id| is_guilty(case, id));
        let touches = |case: &&Case| self.overlap_with(change, case).of_cause >= OF_CAUSE;
        let under_way = || self.cases.iter().filter(is_under_way);
        let case = under_way().find(takes_back).or_else(|| under_way().find(touches));
        case.map(|case| case.incident.id.clone())
    }

    /// Is an incident that a change was to end still one that was there before it? One that is forgotten by now was.
    fn may_be_repaired(&self, id: &Text, change: &Change) -> bool {
        let case = self.cases.iter().find(|case| case.incident.id == *id);
        case.is_none_or(|case| was_there_before(case, change))
    }

    fn look_at(
        &self,
        change: &Change,
        trial: &mut Trial,
        now: EventTime,
        config: &WatchConfig,
    ) -> Option<ChangeVerdict> {
        let sides = self.sides(change);
        let taken_back = self.taken_back(change);
        let since = self.sum_up(change, trial, (&sides, taken_back), now, config);
        let judged = (0..3).map(|channel| self.compared(change, trial, &since, channel, now, config).judge());
        let judged: Vec<Judged> = judged.collect();
        let is_harmful = |judged: &Judged| judged.ruling == Ruling::Harmful;
        // Nor is an incident about those who got the version first the version's doing, where the totals deny it.
        let is_denied = |case: &&Case| channel_of(case).is_some_and(|channel| judged[channel].is_denied);
        // Nor was it what another explains, whose suspects are its own.
        let is_own = |case: &&Case| case.incident.absorbed_by.is_none();
        let suspected = self.cases.iter().filter(is_own);
        let mut caused = suspected.filter(|case| is_guilty(case, &change.change_id));
        let guilty_of = caused.find(|case| !is_denied(case));
        let of_incident = guilty_of.and_then(channel_of);
        let channel = judged.iter().position(is_harmful).or(of_incident).unwrap_or(0);
        let mut verdict = self.worded(change, channel, &judged[channel], since.sides.touched[channel], now);
        if let Some(case) = guilty_of {
            verdict.ruling = Ruling::Harmful;
            (verdict.harmless_within, verdict.calls_missing) = (None, None);
            verdict.incident_id = Some(case.incident.id.clone());
        }
        let last = trial.last.as_ref();
        stand_by(&mut verdict, last.filter(|last| !is_taken_back_by_dose(last, &judged)));
        if !sides.contains(&Some(Side::Touched)) {
            verdict.calls_missing = None;
        }
        let is_taken_back = taken_back.is_some_and(|at| now.since(at) >= SETTLED);
        let is_decided = verdict.ruling != Ruling::NotEnoughCalls;
        let age = now.since(begins(change));
        verdict.is_final = is_taken_back || age >= UNDECIDED || (is_decided && age >= HORIZON);
        if verdict.is_final {
            trial.strata = Strata::default();
        }
        if let Some(missing) = verdict.calls_missing.filter(|_| !verdict.is_final) {
            let missing = real(missing);
            let by_days = self.seasons.by_when(missing, &self.shares(&sides), now, &self.clocks);
            let at_pace = at_this_pace(missing, since.sides.touched[0].n, begins(change), now);
            // Of a version that is new the days before know nothing.
            verdict.expected_by = match version_of(change) {
                Some(_) => by_days.into_iter().chain(at_pace).min(),
                None => by_days.or(at_pace),
            };
        }
        verdict.repairs.clone_from(&trial.repairs);
        verdict.repair = self.repaired(change, trial, verdict.ruling, config);
        // Figures that creep are kept for whoever asks, and not sent.
        let is_new = trial.last.as_ref().is_none_or(|last| says(last) != says(&verdict));
        let revision = trial.last.as_ref().map_or(-1, |last| last.revision);
        verdict.revision = revision + i64::from(is_new);
        verdict.verdict_id = id_of(change, verdict.revision);
        trial.last = Some(verdict.clone());
        is_new.then_some(verdict)
    }

    /// What was judged, in the words of the record; its number and connections are still to be said.
    fn worded(&self, change: &Change, channel: usize, judged: &Judged, since: Sum, now: EventTime) -> ChangeVerdict {
        let by_dose = |end: usize| judged.dose.map(|dose| round(dose.effect[end], 100.0));
        ChangeVerdict {
            verdict_id: change.change_id.clone(),
            change_id: change.change_id.clone(),
            tenant: self.name.clone(),
            revision: 0,
            at: now,
            ruling: judged.ruling,
            channel: name_of(channel),
            is_final: false,
            kind: change.kind,
            started_at: change.started_at,
            team: change.team.clone(),
            summary: change.summary.clone(),
            effect: round(judged.effect[0], 100.0),
            effect_low: round(judged.effect[1], 100.0),
            effect_high: round(judged.effect[2], 100.0),
            harmless_within: judged.within,
            at_risk: whole(since.n),
            poor: whole(since.k),
            expected: round(judged.expected, 10.0),
            calls_missing: judged.missing.filter(|missing| missing.is_finite()).map(whole),
            expected_by: None,
            incident_id: None,
            repairs: None,
            repair: None,
            dose_effect: by_dose(0),
            dose_effect_low: by_dose(1),
            dose_effect_high: by_dose(2),
        }
    }

    /// When another change took it back.
    fn taken_back(&self, change: &Change) -> Option<EventTime> {
        let takes_back = |other: &&Change| other.rollback_of.as_ref() == Some(&change.change_id);
        self.changes.values().filter(takes_back).map(begins).min()
    }

    /// On which side each leaf is. Where a new version is rolled out, those that still have another one are the others.
    pub(super) fn sides(&self, change: &Change) -> Vec<Option<Side>> {
        let version = version_of(change);
        let mut selected = self.dictionary.selection(&change.scope);
        if let Some((dimension, _)) = version {
            selected.drop_dimension(dimension);
        }
        let side = |codes: &Codes| match version {
            None if selected.covers(codes) => Some(Side::Touched),
            None => Some(Side::Other),
            Some((dimension, _)) if codes[dimension.index()] == 0 || !selected.covers(codes) => None,
            Some((dimension, to)) if self.dictionary.name(dimension.index(), codes[dimension.index()]) == Some(to) => {
                Some(Side::Touched)
            }
            Some(_) => Some(Side::Other),
        };
        self.dictionary.leaves().iter().map(side).collect()
    }

    /// What was before, as long as it is remembered, and all since.
    fn sum_up(
        &self,
        change: &Change,
        trial: &mut Trial,
        (sides, taken_back): (&[Option<Side>], Option<EventTime>),
        now: EventTime,
        config: &WatchConfig,
    ) -> Since {
        // What lies outside the dimensions harms both sides alike, where there are two.
        let is_fair = sides.contains(&Some(Side::Other));
        let says_nothing = |case: &Case| is_guilty(case, &change.change_id) || (is_fair && case.is_outside());
        let is_other = |case: &&Case| !says_nothing(case);
        let others: Vec<&Case> = self.cases.iter().filter(is_other).collect();
        let of_leaf = |codes: &Codes| others.iter().copied().filter(|case| case.covers(codes)).collect();
        let holding: Vec<Vec<&Case>> = self.dictionary.leaves().iter().map(of_leaf).collect();
        let without = version_of(change).map(|(dimension, _)| dimension.index());
        let sums = |from: Window, to: Window| {
            let shown = self.shown(sides, (from, to), &holding);
            self.sums_of(sides, &shown, without)
        };
        let rollout = self.leaves_of_rollout(change, sides, &holding);
        let begins = begins(change);
        let until = taken_back.map_or(now, |at| at.clamp(begins, now));
        let (first, end) = (Window::of_end(begins.plus(1)), Window::of_end(until.plus(1)));
        let memory = config.memory.micros();
        let before = BEFORE.min(memory / 2);
        if now.since(begins) + before <= memory {
            let windows = (Window::of_end(begins.plus(1 - before)), first);
            // Read once for both: whatever has a side is of some stratum.
            let shown = match &rollout {
                Some(rollout) => self.dose_before(&mut trial.strata, rollout, windows),
                None => self.shown(sides, windows, &holding),
            };
            trial.before = self.sums_of(sides, &shown, without);
        }
        let from = trial.banked_until.unwrap_or(first);
        let soon_forgotten = Window::of_end(now.plus(-memory / 2)).min(end).max(from);
        trial.banked.add(&sums(from, soon_forgotten));
        if let Some(rollout) = &rollout {
            self.dose_since(&mut trial.strata, rollout, (from, soon_forgotten));
        }
        trial.banked_until = Some(soon_forgotten);
        let (mut sides, mut strata) = (trial.banked, trial.strata.clone());
        sides.add(&sums(soon_forgotten, end));
        if let Some(rollout) = &rollout {
            self.dose_since(&mut strata, rollout, (soon_forgotten, end));
        }
        Since { sides, strata }
    }

    /// Sums of both sides of what each leaf showed.
    fn sums_of(&self, sides: &[Option<Side>], by_leaf: &[Option<Shown>], without: Option<usize>) -> Sides {
        let mut sums = Sides::default();
        for ((shown, side), codes) in by_leaf.iter().zip(sides).zip(self.dictionary.leaves()) {
            let (Some(shown), Some(side)) = (shown, side) else {
                continue;
            };
            let of_side = match side {
                Side::Touched => &mut sums.touched,
                Side::Other => &mut sums.others,
            };
            for (channel, sum) in of_side.iter_mut().enumerate() {
                sum.add(self.sum_of(codes, shown, channel, without));
            }
        }
        sums
    }

    /// What each leaf that has a place, on a side or in a stratum, showed over some windows. Calls that an incident holds meanwhile, by leaf,
    /// say nothing of a change.
    pub(super) fn shown<T>(
        &self,
        places: &[Option<T>],
        (from, to): (Window, Window),
        holding: &[Vec<&Case>],
    ) -> Vec<Option<Shown>> {
        let leaves = self.dictionary.leaves();
        let mut by_leaf: Vec<Option<Shown>> = vec![None; leaves.len()];
        let (mut hour, mut hours) = (EventTime::MIN, Default::default());
        for (window, slice) in self.ring.since(from).take_while(|(window, _)| **window < to) {
            if window.start().floor(time::HOUR) != hour {
                hour = window.start().floor(time::HOUR);
                hours = [0, 1, 2].map(|channel| self.evidence(channel, 1.0).hour(*window));
            }
            for (leaf, counts) in &slice.leaves {
                let leaf = *leaf as usize;
                let holds = |cases: &Vec<&Case>| cases.iter().any(|case| case.was_at_work(*window));
                if !holding.get(leaf).is_some_and(holds) && places.get(leaf).is_some_and(Option::is_some) {
                    let site = leaves[leaf][Dimension::Site.index()];
                    by_leaf[leaf].get_or_insert_default().add(counts, &hours, site);
                }
            }
        }
        by_leaf
    }

    /// What a leaf showed on a channel, and what the baseline expects of it, `without` what the value of a dimension
    /// does.
    pub(super) fn sum_of(&self, codes: &Codes, shown: &Shown, channel: usize, without: Option<usize>) -> Sum {
        let rate = without.map_or_else(
            || self.baseline.rate(channel, codes),
            |dimension| self.baseline.rate_without(channel, codes, dimension),
        ) * self.shifts.of(channel, codes);
        Sum {
            n: shown.at_risk[channel],
            k: shown.poor[channel],
            e: shown.by_hour[channel] * rate,
        }
    }

    fn compared(
        &self,
        change: &Change,
        trial: &Trial,
        Since { sides: since, strata }: &Since,
        channel: usize,
        now: EventTime,
        config: &WatchConfig,
    ) -> Compared {
        let version = version_of(change);
        let (before, others_before, others_since) = if version.is_some() {
            (since.others[channel], Sum::default(), Sum::default())
        } else {
            (
                trial.before.touched[channel],
                trial.before.others[channel],
                since.others[channel],
            )
        };
        let attributes = attributes_of(change);
        let evidence = self.evidence(channel, config.indifference);
        let a_minute = |sum: Sum, span: i64| sum.e / real(span / time::MINUTE).max(1.0);
        let lately = a_minute(since.touched[channel], now.since(begins(change)));
        let usual = a_minute(trial.before.touched[channel], BEFORE);
        Compared {
            before,
            since: since.touched[channel],
            others_before,
            others_since,
            drift: evidence.drift.of(&attributes),
            dispersion: evidence
                .dispersion_of(&attributes, lately.max(usual))
                .max(if channel == 0 { 1.0 } else { BOTH_ENDS }),
            min_excess: config.min_excess,
            least: config.indifference,
            dose: self.effect_by_dose(change, strata, channel, config),
        }
    }

    /// The share that the touched leaves have of their sites' calls.
    fn shares(&self, sides: &[Option<Side>]) -> BTreeMap<u32, f64> {
        self.shares_of(|leaf, _| sides.get(leaf as usize) == Some(&Some(Side::Touched)))
    }

    /// The share that some leaves have of their sites' calls.
    pub(super) fn shares_of(&self, is_one: impl Fn(u32, &Codes) -> bool) -> BTreeMap<u32, f64> {
        let mut sums = vec![(0.0, 0.0); self.dictionary.values(Dimension::Site.index()) as usize];
        for (leaf, codes) in (0..).zip(self.dictionary.leaves()) {
            let weight = self.baseline.weight(leaf);
            if let Some(sum) = sums.get_mut(codes[Dimension::Site.index()] as usize) {
                sum.0 += if is_one(leaf, codes) { weight } else { 0.0 };
                sum.1 += weight;
            }
        }
        let has_some = (0..).zip(sums).filter(|(_, (own, _))| *own > 0.0);
        has_some.map(|(site, (own, all))| (site, own / all)).collect()
    }

    /// What the change did for the incident that it was to end.
    fn repaired(&self, change: &Change, trial: &Trial, ruling: Ruling, config: &WatchConfig) -> Option<Repair> {
        trial.repairs.as_ref()?;
        let mut said = trial.repair();
        let since = begins(change);
        let Some(case) = trial
            .repairs
            .as_ref()
            .and_then(|id| self.cases.iter().find(|case| case.incident.id == *id))
        else {
            return said;
        };
        // Quality was back, and then the fault: that was no repair, whatever becomes of it. What had no effect before that had none.
        if case.was_well_after(since) {
            return said.filter(|said| *said == Repair::NoEffect);
        }
        let back = case.recovering_since.filter(|at| *at >= since);
        // What turned bad again was not repaired.
        said = said.filter(|said| *said != Repair::Confirmed || !case.is_at_work());
        match (back, said) {
            (Some(_), _) if ruling == Ruling::Harmful => Some(Repair::Moved),
            (Some(at), Some(Repair::NoEffect)) if at.since(since) > 2 * PATIENCE => Some(Repair::NoEffect),
            (Some(_), _) if self.is_elsewhere(case, since, said) => Some(Repair::Moved),
            (Some(_), _) => Some(Repair::Confirmed),
            (None, None) if self.goes_on(case, since, config) => Some(Repair::NoEffect),
            (None, said) => said,
        }
    }

    /// Has the fault turned up elsewhere since the repair: is another incident on the same channel open that began soon after it, of calls of
    /// the same sites that are led over something else? Once that is `said`, it need not be open any more.
    fn is_elsewhere(&self, case: &Case, since: EventTime, said: Option<Repair>) -> bool {
        let is_alike = |other: &Case| channel_of(case).is_some() && other.basis == case.basis && other.has_scope();
        let is_told = |other: &Case| other.is_open() || said == Some(Repair::Moved);
        let is_soon = |other: &Case| {
            let onset = &other.incident.onset;
            let began = onset.from.plus(onset.to.since(onset.from) / 2);
            (since..=since.plus(ELSEWHERE)).contains(&began)
        };
        let of_then = |other: &&Case| is_alike(other) && is_told(other) && is_soon(other);
        let leads = |other: &Case| leads_elsewhere(&case.conditions, &other.conditions);
        let mut others = self.cases.iter().filter(of_then);
        others.any(|other| leads(other) && self.share_sites(case, other))
    }

    /// Have two incidents calls of the same site?
    fn share_sites(&self, one: &Case, other: &Case) -> bool {
        let sites = |case: &Case| -> BTreeSet<u32> {
            let inside = self.dictionary.leaves().iter().filter(|codes| case.covers(codes));
            inside.map(|codes| codes[Dimension::Site.index()]).collect()
        };
        !sites(one).is_disjoint(&sites(other))
    }

    /// Is an incident's scope as poor after an instant, for long enough and beyond doubt? When it was well before it opened again says nothing.
    fn goes_on(&self, case: &Case, since: EventTime, config: &WatchConfig) -> bool {
        let Some((last, _)) = self.ring.all().next_back() else {
            return false;
        };
        if !case.is_at_work() || last.end().since(since) < PATIENCE {
            return false;
        }
        let Basis::Rate(channel) = case.basis else { return true };
        let from = Window::of_end(since.plus(1));
        let (minutes, _, Sum { k, e, .. }) = self.while_bad(case, channel, from, |codes| case.covers(codes));
        let dispersion = self
            .evidence(channel, config.indifference)
            .dispersion(&case.conditions, e / minutes.max(1.0));
        case.goes_on(k, e, config.indifference, dispersion) >= GOES_ON
    }
}

/// When a change begins to count: announced work when it is over.
pub(super) fn begins(change: &Change) -> EventTime {
    match change.finished_at {
        Some(finished) if change.kind == ChangeKind::Maintenance => finished.max(change.started_at),
        _ => change.started_at,
    }
}

/// Is it time to look at a change?
fn is_due(change: &Change, trial: Option<&Trial>, now: EventTime) -> bool {
    let age = now.since(begins(change));
    let pace = if age <= YOUNG { PACE.0 } else { PACE.1 };
    let is_over = trial.and_then(Trial::last).is_some_and(|last| last.is_final);
    (SETTLED..=UNDECIDED + PACE.1).contains(&age) && now.floor(pace) == now && !is_over
}

/// The attributes that its scope and its version name, in order.
pub(super) fn attributes_of(change: &Change) -> Vec<usize> {
    let of_scope = change.scope.0.keys().copied();
    let all = of_scope.chain(version_of(change).map(|(dimension, _)| dimension));
    let all: BTreeSet<usize> = all.map(Dimension::index).collect();
    all.into_iter().collect()
}

/// The version that is rolled out, and which dimension tells it.
pub(super) fn version_of(change: &Change) -> Option<(Dimension, &Text)> {
    let dimension = match change.kind {
        ChangeKind::Firmware => Dimension::Firmware,
        ChangeKind::Driver => Dimension::Driver,
        ChangeKind::Client => Dimension::Client,
        _ => return None,
    };
    Some((dimension, change.to_version.as_ref()?))
}

/// Had an incident begun when a change was made, without its doing?
fn was_there_before(case: &Case, change: &Change) -> bool {
    // What was absorbed is nobody's to repair: its calls get well with those of what absorbed it.
    let is_its_own = case.incident.absorbed_by.is_none();
    is_its_own && case.incident.onset.to < begins(change) && !is_guilty(case, &change.change_id)
}

/// Did this change cause an incident, as far as is known?
fn is_guilty(case: &Case, change: &Text) -> bool {
    let first = case.incident.suspected_changes.first();
    let is_likely = first.is_some_and(|first| first.change_id == *change && first.score >= GUILTY);
    is_likely && case.incident.verdict != Some(Verdict::Wrong)
}

/// Does a scope name another carrier, relay, segment, provider or the like than one before? People stay where they are: no calls are led
/// over another site or building.
fn leads_elsewhere(before: &[Condition], after: &[Condition]) -> bool {
    let places = [Dimension::Site.index(), Dimension::Building.index()];
    let differs = |c: &Condition| after.iter().any(|o| o.attribute == c.attribute && o.code != c.code);
    before.iter().any(|c| !places.contains(&c.attribute) && differs(c))
}

/// The channel whose rate shows an incident.
const fn channel_of(case: &Case) -> Option<usize> {
    match case.basis {
        Basis::Rate(channel) => Some(channel),
        Basis::Volume => None,
    }
}

/// Was harm said of a new version that the totals deny by now?
fn is_taken_back_by_dose(last: &ChangeVerdict, judged: &[Judged]) -> bool {
    let mut of_channel = WATCHED.iter().zip(judged);
    let is_denied =
        |(channel, judged): (&Channel, &Judged)| channel.name() == last.channel.as_str() && judged.denies(last.effect);
    last.ruling == Ruling::Harmful && of_channel.any(is_denied)
}

fn name_of(channel: usize) -> Text {
    #[allow(clippy::expect_used, reason = "the channels' names are texts")]
    Text::new(WATCHED[channel].name()).expect("a text")
}

fn id_of(change: &Change, revision: i64) -> Text {
    // An id that fills a text leaves no room for a number.
    let derived = || EventId::derive(["verdict", change.change_id.as_str(), &revision.to_string()]).to_string();
    #[allow(clippy::expect_used, reason = "32 hex digits are a text")]
    Text::new(format!("{}/{revision}", change.change_id))
        .or_else(|_too_long| Text::new(derived()))
        .expect("a text")
}

/// What was ruled out once stays ruled out, unless it turns out to be harmful after all; and harm once proved stays
/// proved, with its figures. Harm that was only an incident's, of which the change is no longer suspected, does not;
/// nor does what the totals have come to deny, which is not asked for here.
fn stand_by(verdict: &mut ChangeVerdict, last: Option<&ChangeVerdict>) {
    if let Some(last) = last.filter(|last| last.ruling == Ruling::Harmful && last.incident_id.is_none()) {
        if verdict.ruling != Ruling::Harmful {
            *verdict = ChangeVerdict {
                at: verdict.at,
                ..last.clone()
            };
        }
        return;
    }
    let Some(within) = last.and_then(|last| last.harmless_within) else {
        return;
    };
    if verdict.ruling == Ruling::Harmful {
        return;
    }
    verdict.harmless_within = Some(verdict.harmless_within.map_or(within, |now| now.min(within)));
    if last.is_some_and(|last| last.ruling == Ruling::Harmless) {
        verdict.ruling = Ruling::Harmless;
        verdict.calls_missing = None;
    }
}

/// When call-ends that are missing will have been if they come as they have come since the change.
fn at_this_pace(missing: f64, seen: f64, since: EventTime, now: EventTime) -> Option<EventTime> {
    let elapsed = real(now.since(since));
    #[allow(clippy::cast_possible_truncation, reason = "less than a week of microseconds")]
    let wait = (seen > 0.0).then(|| (elapsed * missing / seen).min(real(7 * time::DAY)) as i64)?;
    (wait < 7 * time::DAY).then(|| now.plus(wait))
}

/// What is worth a new revision.
fn says(verdict: &ChangeVerdict) -> impl PartialEq + '_ {
    (
        verdict.ruling,
        verdict.is_final,
        verdict.harmless_within,
        &verdict.incident_id,
        verdict.repair,
    )
}
