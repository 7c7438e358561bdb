//! The incidents of one tenant: open ones with what they explain, closed ones that may reopen.

use std::collections::BTreeMap;

use dialtone_explain::Condition;
use dialtone_schemas::{EventTime, Incident, State, Text, Window, alert::AlertReason, incident::Severity, time};
use serde::{Deserialize, Serialize};

use super::{
    dictionary::{Codes, covers},
    judgements::Named,
    tenant::Outside,
    volume::Beside,
};

/// Evidence at which quality counts as back: ln 1000.
const BACK: f64 = 6.9;
/// Until so long after the planned end of announced work there are calls of before among those reported.
const SETTLED: i64 = 5 * time::MINUTE;
/// Evidence of the calls after it that the trouble goes on: ln 20 ...
const GOES_ON: f64 = 3.0;
/// ... or so long without a sign that it is over.
const PATIENCE: i64 = 15 * time::MINUTE;

/// Which evidence an incident rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// Too many poor call-ends, on one of the watched channels.
    Rate(usize),
    /// Too few events.
    Volume,
}

/// An incident with what the fold needs to keep it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// As it travels.
    pub incident: Incident,
    /// Rate or volume.
    pub basis: Basis,
    /// Its scope in codes.
    pub conditions: Vec<Condition>,
    /// The rate inside, as a multiple of the expected one.
    pub factor: f64,
    /// The share of the call-ends inside that is poor beyond what was expected: hazards add.
    pub share: f64,
    /// The same at the far ends of its calls.
    pub far_factor: f64,
    /// Sums since the onset: at risk, poor, expected.
    pub sums: (f64, f64, f64),
    /// Matched complaints with their times: they stay when the complaints themselves are forgotten.
    pub complaints: BTreeMap<Text, EventTime>,
    /// Evidence that quality is back.
    pub back: f64,
    /// Since when it has been recovering.
    pub recovering_since: Option<EventTime>,
    /// When it was well before it opened again, in order: from then until then, the last time and those that are remembered besides.
    pub was_well: Vec<(EventTime, EventTime)>,
    /// Poor minutes beyond the expected ones, those included that are forgotten.
    pub excess_minutes: f64,
    /// The last revision that was sent.
    pub sent: Option<Incident>,
    /// When its owner was first called since it opened, or since it is the owner's; and who that was.
    pub called: Option<(EventTime, Text)>,
    /// Whose it was when somebody acknowledged it: another owner has not.
    pub answered: Option<Text>,
    /// While it was silenced its owner would have been called: that is made up for when the silence is over.
    pub owed: bool,
    /// Nobody is called before then: it began during announced work that should be over by then.
    pub withheld: Option<EventTime>,
    /// What the calls since then say for its going on.
    overrun: f64,
    /// Since when its scope has been silent, and what was usual before of the calls of those outside.
    pub silent: Option<(EventTime, Option<Outside>)>,
    /// What comes beside that, where its calls pass; none until it has been listened to.
    pub beside: Option<Vec<Beside>>,
    /// Did it get worse and worse for a while, rather than at once?
    pub grows: bool,
    /// The other channel on which its calls are poor as well, with the sums that showed it: at risk, poor, expected.
    pub also: Option<(usize, (f64, f64, f64))>,
}

impl Case {
    /// An incident that has just opened; localised if its cause is named. What its owner acknowledged while it was watched is acknowledged.
    pub fn new(incident: Incident, basis: Basis, conditions: Vec<Condition>) -> Self {
        let answered = incident.acknowledged.is_some().then(|| incident.owner.clone());
        let mut case = Self {
            incident,
            basis,
            conditions,
            factor: 1.0,
            share: 0.0,
            far_factor: 1.0,
            sums: (0.0, 0.0, 0.0),
            complaints: BTreeMap::new(),
            back: 0.0,
            recovering_since: None,
            was_well: Vec::new(),
            excess_minutes: 0.0,
            sent: None,
            called: None,
            answered,
            owed: false,
            withheld: None,
            overrun: 0.0,
            silent: None,
            beside: None,
            grows: false,
            also: None,
        };
        if !case.is_named() {
            (case.incident.state, case.incident.localised) = (State::Open, None);
        }
        case
    }

    /// Is its cause named: a device, or a scope that explains half of what is poor, at least?
    fn is_named(&self) -> bool {
        !self.is_outside() && !self.incident.is_outside_the_dimensions()
    }

    /// What it is while it does harm: open until its cause is named, and localised from then on.
    const fn at_work(&self) -> State {
        match self.incident.localised {
            Some(_) => State::Localised,
            None => State::Open,
        }
    }

    /// It began during announced work, and nobody is called before that should be over.
    pub fn withhold(&mut self, change: Text, until: EventTime) {
        (self.incident.maintenance, self.withheld) = (Some(change), Some(until));
    }

    /// From when on its calls tell whether announced work overruns: some minutes after it should be over.
    pub fn tells_overrun_from(&self) -> Option<Window> {
        self.withheld.map(|until| Window::of_end(until.plus(SETTLED + 1)))
    }

    /// So many poor of so many expected since then.
    pub fn weigh_overrun(&mut self, k: f64, e: f64, indifference: f64, dispersion: f64) {
        self.overrun = self.goes_on(k, e, indifference, dispersion);
    }

    /// It is not the announced work's after all: as if that should have been over for long.
    pub fn withhold_no_longer(&mut self, now: EventTime) {
        (self.incident.maintenance, self.withheld, self.overrun) = (None, Some(now.plus(-PATIENCE)), 0.0);
    }

    /// Does it go on when the announced work it began in should be over, by the calls since then, or for long enough without their saying that
    /// quality is back? Said once.
    pub fn overruns(&mut self, now: EventTime) -> bool {
        let is_silenced = self.is_silenced(now);
        let is_unsure = self.overrun > -GOES_ON;
        let goes_on = |until: EventTime| self.overrun >= GOES_ON || (is_unsure && now.since(until) >= PATIENCE);
        let is_over = self.withheld.is_some_and(goes_on) && !is_silenced;
        let overruns = is_over && self.is_at_work();
        if overruns || !self.is_open() {
            self.withheld = None;
        }
        overruns
    }

    /// So many poor of so many at risk, where `e` were expected, are what it does to its scope.
    pub fn does(&mut self, n: f64, k: f64, e: f64) {
        self.factor = (k / e.max(0.1)).max(1.0);
        self.share = ((k - e) / n.max(1.0)).max(0.0);
    }

    /// Is it open, in whatever state?
    pub fn is_open(&self) -> bool {
        self.incident.state != State::Closed
    }

    /// Is it about how calls are on a channel, and not those of a single device?
    pub fn is_of_calls(&self, channel: usize) -> bool {
        self.basis == Basis::Rate(channel) && self.incident.device_id.is_none()
    }

    /// Does it still do harm: open, and not recovering?
    pub fn is_at_work(&self) -> bool {
        !matches!(self.incident.state, State::Recovering | State::Closed)
    }

    /// Had it been over for a while in a window, before it opened again?
    pub fn was_well_in(&self, window: Window) -> bool {
        let holds = |(from, to): &(EventTime, EventTime)| *from <= window.start() && window.end() <= *to;
        self.was_well.iter().any(holds)
    }

    /// Did it recover at or after an instant, and open again since?
    pub fn was_well_after(&self, since: EventTime) -> bool {
        self.was_well.last().is_some_and(|(from, _)| *from >= since)
    }

    /// For how long it has not been well since an instant.
    pub fn bad_for(&self, since: EventTime, now: EventTime) -> i64 {
        let well = |(from, to): &(EventTime, EventTime)| (*to).min(now).since((*from).max(since)).max(0);
        now.since(since) - self.was_well.iter().map(well).sum::<i64>()
    }

    /// Has it opened again, and is that not told yet?
    pub fn is_again(&self) -> bool {
        self.is_open() && self.sent.as_ref().is_some_and(|sent| sent.state == State::Closed)
    }

    /// Since when it has been bad again without what that costs being counted, until it is told that it is: what was before it closed is counted.
    pub fn uncounted_since(&self) -> Option<EventTime> {
        let closed = self.sent.as_ref().filter(|_| self.is_again())?.closed?;
        self.was_well.last().map(|(_, to)| closed.max(*to))
    }

    /// So many poor minutes beyond the expected are seen since its onset, and so many are new. Where the first ones are forgotten, they stay counted.
    pub fn costs(&mut self, seen: f64, new: f64, is_remembered: bool) {
        self.excess_minutes = if is_remembered { seen } else { self.excess_minutes + new };
    }

    /// Did it do harm in a window: since its onset, and until quality was back, or since it opened again?
    pub fn was_at_work(&self, window: Window) -> bool {
        // What was accepted is expected by its shift.
        let is_accepted = self.incident.accepted.is_some();
        !is_accepted
            && !self.was_well_in(window)
            && self.incident.onset.from < window.end()
            && self.recovering_since.is_none_or(|since| window.start() < since)
    }

    /// Does its scope cover this leaf?
    pub fn covers(&self, codes: &Codes) -> bool {
        covers(&self.conditions, codes)
    }

    /// The one condition of which nothing comes any more, if it is about a silence; none if that is of everything.
    pub fn silent_condition(&self) -> Option<Condition> {
        self.conditions.first().copied()
    }

    /// Is its cause in no dimension, so that its scope is everything?
    pub const fn is_outside(&self) -> bool {
        self.conditions.is_empty() && self.incident.device_id.is_none()
    }

    /// Is it about a scope: neither in no dimension, nor of one device?
    pub const fn has_scope(&self) -> bool {
        !self.is_outside() && self.incident.device_id.is_none()
    }

    /// The dimensions that its cause names, as people were told last. A silence is looked for otherwise; a device, and what lies in no dimension
    /// or mostly outside of them, names none.
    pub fn named(&self) -> Option<Named> {
        let sent = self.sent.as_ref()?;
        let is_scope = self.basis != Basis::Volume && sent.device_id.is_none() && !sent.is_outside_the_dimensions();
        let named: Named = sent.scope.conditions().map(|(dimension, _)| dimension).collect();
        (is_scope && !named.is_empty()).then_some(named)
    }

    /// Its calls are poor on another channel as well, which may make it worse.
    pub fn is_poor_too(&mut self, channel: usize, sums: (f64, f64, f64), severity: Severity) {
        self.also = Some((channel, sums));
        self.incident.severity = self.incident.severity.max(severity);
    }

    /// No call passes its scope any more, so that none can be poor: as good as quality that is back.
    pub fn is_deserted(&mut self) {
        self.back = BACK;
    }

    /// A minute of evidence: `k` poor of `e` expected by the baseline, over the dispersion. Is quality back?
    pub fn weigh_recovery(&mut self, k: f64, e: f64, indifference: f64, dispersion: f64) {
        let goes_on = self.goes_on(k, e, indifference, dispersion);
        self.back = (self.back - goes_on).clamp(0.0, 2.0 * BACK);
    }

    /// What `k` poor of `e` expected say for its own rate against the indifferent one, in nats.
    pub fn goes_on(&self, k: f64, e: f64, indifference: f64, dispersion: f64) -> f64 {
        let ratio = (self.factor / indifference).max(1.5);
        dialtone_explain::poisson(k, indifference * e, ratio) / dispersion
    }

    /// The life cycle: open → localised → recovering → closed, and back to what it was when it turns bad again.
    pub fn live(&mut self, now: EventTime, quiet: i64) {
        if self.incident.localised.is_none() && self.is_named() {
            self.incident.localised = Some(now);
        }
        match self.incident.state {
            State::Watch | State::Open | State::Localised if self.back >= BACK => {
                self.incident.state = State::Recovering;
                self.recovering_since = Some(now);
            }
            State::Recovering if self.back <= 0.0 => {
                self.incident.state = self.at_work();
                self.recovering_since = None;
            }
            State::Recovering if self.recovering_since.is_some_and(|since| now.since(since) >= quiet) => {
                self.incident.state = State::Closed;
                self.incident.closed = Some(now);
            }
            State::Open => self.incident.state = self.at_work(),
            _ => {}
        }
    }

    /// Quality turned bad again since then, within the time of reopening. Whoever acknowledged it then has not acknowledged this. Windows are
    /// remembered for so long, and the times in which it was well.
    pub fn reopen(&mut self, began: EventTime, memory: i64) {
        if let Some(since) = self.recovering_since {
            self.was_well.retain(|(_, to)| began.since(*to) <= memory);
            self.was_well.push((since, began.max(since)));
        }
        self.incident.state = self.at_work();
        self.incident.closed = None;
        (self.incident.escalated, self.incident.escalated_to) = (None, None);
        (self.called, self.owed, self.withheld) = (None, false, None);
        self.unanswer();
        self.incident.maintenance = None;
        (self.back, self.recovering_since, self.also) = (0.0, None, None);
    }

    /// Nothing comes of its scope any more: what was said of how poor its calls are is said no more. It is no more recovering either.
    pub fn falls_silent(&mut self) {
        if self.incident.state == State::Recovering {
            self.incident.state = self.at_work();
        }
        (self.back, self.recovering_since) = (0.0, None);
        (self.also, self.far_factor, self.grows, self.overrun) = (None, 1.0, false, 0.0);
        // What it was to calls that were poor, its path is not to calls that are missing.
        self.beside = None;
        let incident = &mut self.incident;
        (incident.effect, incident.effect_low, incident.effect_high) = (0.0, None, None);
        (incident.explained_ratio, incident.burn_rate, incident.poor_call_ends) = (None, None, None);
        (incident.rivals, incident.crossovers, incident.user_crossovers) = (None, None, None);
        (incident.devices, incident.users, incident.layers) = (None, None, None);
        (incident.evidence, incident.exemplar_calls) = (Vec::new(), Vec::new());
    }

    /// Another incident explains what it shows: it is over without having recovered, and did harm of its own until that one began.
    pub fn is_absorbed(&mut self, by: Text, began: EventTime, now: EventTime) {
        (self.incident.state, self.incident.closed) = (State::Closed, Some(now));
        self.incident.absorbed_by = Some(by);
        self.incident.poor_minutes_an_hour = Some(0.0);
        self.recovering_since = Some(began);
    }

    /// Is nobody to be called about it for a while?
    pub fn is_silenced(&self, now: EventTime) -> bool {
        self.incident.silenced_until.is_some_and(|until| until > now)
    }

    /// Somebody works on it: its owner is owed no call.
    pub fn answer(&mut self) {
        self.answered = Some(self.incident.owner.clone());
        self.owed = false;
    }

    /// Has somebody acknowledged it since it is its owner's?
    pub fn is_answered(&self) -> bool {
        self.answered.as_ref() == Some(&self.incident.owner)
    }

    /// What was acknowledged while it was another team's is not acknowledged.
    pub fn drop_answer_of_another(&mut self) {
        if self.answered.is_some() && !self.is_answered() {
            self.unanswer();
        }
    }

    fn unanswer(&mut self) {
        self.answered = None;
        (self.incident.acknowledged, self.incident.acknowledged_by) = (None, None);
    }

    /// Was it acknowledged by its owner, or for it, before anybody was told that it is its own: while it was watched, or in the minute in which
    /// it was given to it? Then there is nobody to call.
    pub fn is_taken(&self) -> bool {
        let is_new = |sent: &Incident| sent.owner != self.incident.owner;
        self.is_answered() && self.sent.as_ref().is_none_or(is_new)
    }

    /// Is the silence over in which its owner would have been called, and does it still do harm?
    fn is_due(&self, now: EventTime) -> bool {
        self.owed && self.is_at_work() && !self.is_silenced(now) && self.withheld.is_none()
    }

    /// Its owner was called. Being called again, for worse, gives an owner no more time; being called late, after a silence, gives it all of it,
    /// unless the next team was called already.
    pub fn called(&mut self, now: EventTime) {
        let incident = &self.incident;
        let is_anew = self.called.as_ref().is_none_or(|(at, team)| {
            let is_escalated = incident.escalated.is_some_and(|escalated| escalated >= *at);
            *team != incident.owner || (self.owed && !is_escalated)
        });
        if is_anew {
            self.called = Some((now, incident.owner.clone()));
        }
        self.owed = false;
    }

    /// Its owner was called so long ago and nobody has acknowledged it: the next team is to be called, once. Not while it is
    /// silenced, nor while quality is back: should it last, then afterwards. Nor before the owner itself, where that is owed a call.
    pub fn escalate(&mut self, now: EventTime, after: i64, to: Text) {
        let incident = &self.incident;
        let Some((called, team)) = &self.called else { return };
        let is_told = incident.escalated.is_some_and(|at| at >= *called);
        let is_answered = is_told || self.is_answered();
        let is_quiet = self.owed || self.is_silenced(now) || !self.is_at_work();
        if *team == incident.owner && !is_answered && !is_quiet && now.since(*called) >= after {
            (self.incident.escalated, self.incident.escalated_to) = (Some(now), Some(to));
        }
    }

    /// Is there a new revision to be sent, and why? Numbers alone that creep are sent every ten minutes.
    pub fn revision(&mut self, now: EventTime) -> Option<AlertReason> {
        let calls_late = self.overruns(now) || self.is_due(now);
        let reason = match &self.sent {
            None => AlertReason::Opened,
            Some(sent) if sent.state == State::Closed && self.is_open() => AlertReason::Opened,
            Some(sent) if sent.state != self.incident.state && self.incident.state == State::Closed => {
                AlertReason::Resolved
            }
            Some(sent) if calls_late || sent.owner != self.incident.owner || self.incident.severity > sent.severity => {
                AlertReason::Escalated
            }
            Some(sent) if sent.escalated != self.incident.escalated => AlertReason::Escalated,
            Some(sent) if told(sent) != told(&self.incident) => AlertReason::Updated,
            Some(sent) if now.since(sent.updated) >= 10 * time::MINUTE && self.is_open() => AlertReason::Updated,
            Some(_) => return None,
        };
        // One that was watched before it opened goes on from there.
        let first = self.incident.revision;
        self.incident.revision = self.sent.as_ref().map_or(first, |sent| sent.revision + 1);
        self.incident.updated = now;
        self.sent = Some(self.incident.clone());
        Some(reason)
    }
}

/// What people are told at once when it changes.
fn told(incident: &Incident) -> impl PartialEq + '_ {
    (
        incident.state,
        &incident.scope,
        &incident.device_id,
        (incident.first_complaint, incident.third_complaint),
        incident
            .suspected_changes
            .iter()
            .map(|s| &s.change_id)
            .collect::<Vec<_>>(),
        (
            incident.acknowledged,
            &incident.acknowledged_by,
            incident.silenced_until,
        ),
        (incident.reassigned, &incident.reassigned_reason),
        (incident.verdict, &incident.verdict_reason),
        (incident.accepted, incident.maintenance.as_ref(), incident.crosses_by),
        // Of rates the kind of poor is a shade; lost calls and lost reports are two things.
        matches!(incident.metric.as_str(), "volume" | "telemetry").then_some(&incident.metric),
    )
}

/// How bad: critical when most calls fail or an hour costs sixty poor minutes… of every call; major from one poor call-end a
/// minute on.
pub fn severity(basis: Basis, at_risk: f64, poor: f64, excess_a_minute: f64) -> Severity {
    match basis {
        Basis::Volume => Severity::Critical,
        Basis::Rate(_) if at_risk > 0.0 && poor / at_risk >= 0.5 => Severity::Critical,
        Basis::Rate(_) if excess_a_minute >= 1.0 => Severity::Major,
        Basis::Rate(_) => Severity::Minor,
    }
}

/// The id of an incident: from tenant, first scope, basis and the hour of its onset (S-2); `clash` tells apart those that
/// have all of these in common, because the first one has followed its evidence to another scope. What is watched first has its id
/// from the hour in which that began, counts clashes from the other end, and keeps it when it opens.
pub fn id_of(
    tenant: &Text,
    scope: &dialtone_schemas::Scope,
    device: Option<&Text>,
    basis: Basis,
    onset: EventTime,
    clash: u32,
) -> Text {
    let hour = onset.floor(time::HOUR).to_string();
    let basis = match basis {
        Basis::Rate(channel) => super::evidence::WATCHED[channel].name(),
        Basis::Volume => "volume",
    };
    let id = dialtone_schemas::EventId::derive([
        "incident",
        tenant.as_str(),
        &scope.to_string(),
        device.map_or("", Text::as_str),
        basis,
        &hour,
        &clash.to_string(),
    ]);
    #[allow(clippy::expect_used, reason = "14 ASCII characters are a text")]
    Text::new(format!("i-{}", &id.to_string()[..12])).expect("a text")
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Dimension, Scope, incident::Onset};

    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text).expect("a text")
    }

    fn case() -> Case {
        let onset = EventTime::parse("2026-03-02T09:00:00Z").expect("a time");
        let scope = Scope::new([(Dimension::Site, text("berlin"))]);
        let id = id_of(&text("acme"), &scope, None, Basis::Rate(0), onset, 0);
        let span = Onset { from: onset, to: onset };
        let incident = Incident::opened(id, text("acme"), scope, text("noc"), span, onset);
        Case {
            factor: 5.0,
            ..Case::new(incident, Basis::Rate(0), vec![Condition { attribute: 0, code: 1 }])
        }
    }

    #[test]
    fn an_incident_is_open_until_half_of_what_is_poor_is_explained_and_localised_from_then_on() {
        let Incident {
            id,
            tenant,
            scope,
            owner,
            onset,
            updated,
            ..
        } = case().incident;
        let mut incident = Incident::opened(id, tenant, scope, owner, onset, updated);
        incident.explained_ratio = Some(0.4);
        let mut case = Case::new(incident, Basis::Rate(0), vec![Condition { attribute: 0, code: 1 }]);
        let start = case.incident.updated;
        let mut after = |minute: i64, explained| {
            case.incident.explained_ratio = Some(explained);
            case.live(start.plus(minute * time::MINUTE), 15 * time::MINUTE);
            (case.incident.state, case.incident.localised)
        };
        assert_eq!(after(1, 0.4), (State::Open, None));
        let named = Some(start.plus(2 * time::MINUTE));
        assert_eq!(after(2, 0.6), (State::Localised, named));
        assert_eq!(after(3, 0.4), (State::Localised, named));
    }

    #[test]
    fn a_cause_in_no_dimension_is_not_named() {
        let Incident {
            id,
            tenant,
            owner,
            onset,
            updated,
            ..
        } = case().incident;
        let everything = Incident::opened(id, tenant, Scope::default(), owner, onset, updated);
        let case = Case::new(everything, Basis::Rate(0), Vec::new());
        assert_eq!((case.incident.state, case.incident.localised), (State::Open, None));
    }

    /// A fivefold rate against 1.25 of indifference: five poor of one expected are 5 ln 4 − 3.75 = 3.2 nats for its going on. From five minutes
    /// after the end on the calls count; the first minute of them says it, or after a quarter of an hour the clock, unless they say otherwise.
    #[test]
    fn work_overruns_when_the_calls_after_its_end_say_so_or_nothing_says_otherwise() {
        let (start, end) = (case().incident.updated, 20);
        let at = |minute: i64| start.plus(minute * time::MINUTE);
        let called = |poor: f64, expected: f64| {
            let mut case = case();
            case.factor = 5.0;
            case.withhold(case.incident.id.clone(), at(end));
            assert_eq!(case.tells_overrun_from().map(Window::start), Some(at(end + 5)));
            (0..60).find(|minute| {
                // The window that ends with this minute is the last one.
                let minutes = f64::from(i32::try_from((minute - end - 5).max(0)).expect("few"));
                case.weigh_overrun(poor * minutes, expected * minutes, 1.25, 1.0);
                case.overruns(at(*minute))
            })
        };
        assert_eq!(called(5.0, 1.0), Some(26));
        // Nothing poor where a tenth was expected: 0.375 nats a minute against it, 3.75 after ten.
        assert_eq!(called(0.0, 0.1), None, "though nothing proves yet that quality is back");
        // 2.7 of one expected are 2.7 ln 4 − 3.75 = 0: neither one nor the other.
        assert_eq!(called(2.705, 1.0), Some(35));
    }

    /// A fivefold rate against 1.25 of indifference: a ratio of 4, so a minute with 2 expected and none poor speaks
    /// 3 · 1.25 · 2 = 7.5 nats for recovery, more than ln 1000.
    #[test]
    fn an_incident_recovers_closes_after_the_quiet_time_and_calls_again_when_it_reopens() {
        let mut case = case();
        let start = case.incident.updated;
        let at = |minute: i64| start.plus(minute * time::MINUTE);
        assert_eq!(case.revision(at(0)), Some(AlertReason::Opened));
        case.weigh_recovery(0.0, 2.0, 1.25, 1.0);
        case.live(at(1), 15 * time::MINUTE);
        assert_eq!(case.incident.state, State::Recovering);
        assert_eq!(case.revision(at(1)), Some(AlertReason::Updated));
        // 11 poor of 2 expected: 11 · ln 4 − 7.5 = 7.7 nats against it.
        case.weigh_recovery(11.0, 2.0, 1.25, 1.0);
        case.live(at(2), 15 * time::MINUTE);
        assert_eq!(case.incident.state, State::Localised, "bad again before it was over");
        case.weigh_recovery(0.0, 2.0, 1.25, 1.0);
        case.live(at(3), 15 * time::MINUTE);
        case.live(at(17), 15 * time::MINUTE);
        assert_eq!(case.incident.state, State::Recovering, "14 minutes are not 15");
        case.live(at(18), 15 * time::MINUTE);
        assert_eq!(case.incident.closed, Some(at(18)));
        assert_eq!(case.revision(at(18)), Some(AlertReason::Resolved));
        case.reopen(at(50), 6 * time::HOUR);
        assert_eq!((case.is_again(), case.uncounted_since()), (true, Some(at(50))));
        assert_eq!(case.revision(at(60)), Some(AlertReason::Opened));
        assert_eq!((case.is_again(), case.uncounted_since()), (false, None), "it is told");
        assert_eq!((case.incident.closed, case.incident.revision), (None, 3));
        let was_at_work = |minute| case.was_at_work(Window::of_end(at(minute)));
        assert!(was_at_work(3) && !was_at_work(4) && !was_at_work(50) && was_at_work(51));
    }

    /// Bad for 30 minutes, well until 90, bad until 120, well until 210. Of 240 minutes 60 and 90 were well, of the last 60 half. A third time ends at 451, 361 minutes
    /// after the first one; the last one stays, however long ago it was.
    #[test]
    fn each_time_it_was_well_is_left_out_as_long_as_it_is_remembered() {
        let mut case = case();
        let start = case.incident.updated;
        let at = |minute: i64| start.plus(minute * time::MINUTE);
        let turn = |case: &mut Case, well: i64, bad: i64| {
            case.recovering_since = Some(at(well));
            case.reopen(at(bad), 6 * time::HOUR);
        };
        turn(&mut case, 30, 90);
        turn(&mut case, 120, 210);
        let was_at_work = |minute: &i64| case.was_at_work(Window::of_end(at(*minute)));
        let bad: Vec<i64> = [30, 31, 90, 91, 120, 121, 210, 211]
            .into_iter()
            .filter(was_at_work)
            .collect();
        assert_eq!(bad, [30, 91, 120, 211]);
        let minutes = [0, 180].map(|since| case.bad_for(at(since), at(240)) / time::MINUTE);
        assert_eq!(minutes, [90, 30]);
        assert!(case.was_well_after(at(120)) && !case.was_well_after(at(121)));
        turn(&mut case, 400, 451);
        assert_eq!(case.was_well, [(at(120), at(210)), (at(400), at(451))]);
        assert!(
            case.was_well_after(at(120)),
            "and of what is forgotten the last is later"
        );
        turn(&mut case, 1000, 1100);
        assert_eq!(case.was_well, [(at(1000), at(1100))]);
    }

    /// Three revisions were told of while it was watched.
    #[test]
    fn what_was_watched_before_it_opens_goes_on_with_its_revisions() {
        let mut case = case();
        case.incident.revision = 3;
        let start = case.incident.updated;
        assert_eq!(case.revision(start), Some(AlertReason::Opened));
        assert_eq!(case.incident.revision, 3);
        case.incident.acknowledged = Some(start);
        assert_eq!(case.revision(start.plus(time::MINUTE)), Some(AlertReason::Updated));
        assert_eq!(case.incident.revision, 4);
    }

    #[test]
    fn an_id_tells_apart_what_it_is_about() {
        let case = case();
        let id = |basis, hour: i64, clash| {
            let onset = case.incident.onset.from.plus(hour * time::HOUR);
            id_of(&case.incident.tenant, &case.incident.scope, None, basis, onset, clash)
        };
        let ids = [
            id(Basis::Rate(0), 0, 0),
            id(Basis::Rate(1), 0, 0),
            id(Basis::Volume, 0, 0),
            id(Basis::Volume, 1, 0),
            id(Basis::Volume, 0, 1),
        ];
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
        assert_eq!(case.incident.id, ids[0], "and is the same for the same");
    }
}
