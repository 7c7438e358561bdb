//! Open incidents live on: their sums, whether quality is back, their complaints, what changed just before.

use dialtone_explain::{Condition, TWO_SIDED};
use dialtone_schemas::{
    Channel, Dimension, EventTime, Incident, State, Text, Window,
    incident::{Evidence as Line, Severity},
    time,
};

use super::{
    DORMANT, Tenant,
    cost::{cost_of_device, last_hour},
    follow::is_remembered,
    silent::is_telemetry,
};
use crate::{
    config::WatchConfig,
    watch::{
        baseline::real,
        book::{Basis, Case, severity},
        device,
        dictionary::{Codes, covers},
        evidence::{Counts, KINDS, Sum, WATCHED},
    },
};

/// Suspects are looked for when an incident opens, and then so often.
const SUSPECT_EVERY: i64 = 5 * time::MINUTE;
/// A complaint belongs to an incident until so long after it was over.
const COMPLAINT_TAIL: i64 = 2 * time::HOUR;

impl Tenant {
    /// Open incidents live on: their sums, whether quality is back, their complaints and suspects.
    pub(super) fn live(&mut self, now: EventTime, config: &WatchConfig) {
        self.accept(now);
        let mut cases = std::mem::take(&mut self.cases);
        let held = Held::by(&cases);
        for case in cases.iter_mut().filter(|case| case.is_open()) {
            match case.basis {
                Basis::Rate(channel) if case.incident.device_id.is_none() => {
                    self.live_rate(case, channel, &held, now, config);
                    let cost = self.cost_of_scope(case, channel, &held, now);
                    case.incident.poor_minutes_an_hour = Some(cost);
                }
                Basis::Rate(_) => self.live_device(case, now, config),
                Basis::Volume => {
                    let back = match case.silent_condition() {
                        Some(condition) => self.volume.is_back(condition),
                        None => self
                            .volume
                            .is_heard_again(self.left_by_weeks(case.incident.onset.from, now)),
                    };
                    if !back && case.is_at_work() && case.has_scope() {
                        self.tell_apart(case, now);
                    }
                    if case.has_scope() {
                        self.hear_beside(case);
                    }
                    case.back = if back { f64::INFINITY } else { 0.0 };
                    let expected = case.sums.0 * self.volume.still_expected(case.silent_condition());
                    let missing = if back || is_telemetry(case) { 0.0 } else { expected };
                    case.incident.poor_minutes_an_hour = Some(round(60.0 * missing, 10.0));
                    case.incident.excess_poor_minutes = round(case.incident.excess_poor_minutes + missing, 10.0);
                }
            }
            // Who has said nothing for days has left.
            if self.is_gone_for_good(now) {
                case.back = f64::INFINITY;
            }
            case.live(now, config.quiet.micros());
            if !case.is_open() {
                self.past.close(&case.incident);
            }
            if case.basis == Basis::Volume && !case.is_open() {
                self.volume.release(case.silent_condition());
            }
        }
        // What turned into a silence is as good as new.
        let is_as_told = |case: &Case| {
            case.sent
                .as_ref()
                .is_some_and(|sent| sent.metric == case.incident.metric)
        };
        let is_news = |case: &Case| case.sent.is_none() || case.basis == Basis::Volume && !is_as_told(case);
        let is_due = |case: &Case| case.is_open() && (is_news(case) || now.floor(SUSPECT_EVERY) == now);
        let is_new = cases.iter().any(|case| case.sent.is_none());
        let said = (is_new || now.floor(SUSPECT_EVERY) == now).then(|| self.said());
        for case in &mut cases {
            let until = case.incident.closed.map_or(now, |closed| closed.plus(COMPLAINT_TAIL));
            if now <= until {
                // Who complains since the one began that absorbed it complains of that.
                let is_absorbed = case.incident.absorbed_by.is_some();
                let own = case.recovering_since.filter(|_| is_absorbed).unwrap_or(until);
                self.match_complaints(case, own, &held, said.as_ref());
            }
        }
        cases.retain(|case| {
            case.incident
                .closed
                .is_none_or(|closed| now.since(closed) <= 2 * config.reopen.micros())
        });
        self.cases = cases;
        self.note_found();
        for i in 0..self.cases.len() {
            if !is_due(&self.cases[i]) {
                continue;
            }
            // Afterwards the changes of the day before are forgotten one by one; what was suspected stays.
            if now.since(self.cases[i].incident.onset.from) <= time::DAY {
                self.cases[i].incident.suspected_changes = self.suspected(&self.cases[i]);
            }
            self.diagnose(i, now, config);
        }
    }

    fn is_gone_for_good(&self, now: EventTime) -> bool {
        self.last.is_none_or(|last| now.since(last) > DORMANT)
    }

    /// What people accepted is over, and normal from now on.
    fn accept(&mut self, now: EventTime) {
        for case in self.cases.iter_mut().filter(|case| case.is_open()) {
            if case.incident.accepted.is_none() {
                continue;
            }
            (case.incident.state, case.incident.closed) = (State::Closed, Some(now));
            self.shifts.accept(case);
            self.references.accept(case);
            self.past.close(&case.incident);
            if case.basis == Basis::Volume {
                self.volume.relearn(case.silent_condition());
            }
        }
    }

    fn live_rate(&self, case: &mut Case, channel: usize, held: &Held, now: EventTime, config: &WatchConfig) {
        let baseline = self.usual(channel, config.indifference);
        let onset = Window::of_end(case.incident.onset.from.plus(1));
        let (mut inside, mut outside, mut kinds, mut poor_ms) = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), [0.0; 4], 0);
        let mut exemplars: Vec<Text> = Vec::new();
        let (mut minutes, mut burn) = (0.0, (0.0, 0.0));
        let lately = last_hour(case.incident.onset.from, now);
        let (overrun_from, mut overrun) = (case.tells_overrun_from(), (0.0, 0.0));
        let (again_from, mut again_ms) = (case.uncounted_since(), 0);
        for (window, slice) in self.bad_since(case, onset) {
            minutes += 1.0;
            let hour = baseline.hour(*window);
            for (leaf, counts) in &slice.leaves {
                let is_inside = held.leave(case, channel, self.dictionary.codes(*leaf));
                let sum = if is_inside { &mut inside } else { &mut outside };
                let (poor, expected) = (
                    real(counts.k[channel]),
                    baseline.expected(&hour, *leaf, counts.n[channel]),
                );
                sum.0 += real(counts.n[channel]);
                sum.1 += poor;
                sum.2 += expected;
                if is_inside && overrun_from.is_some_and(|from| *window >= from) {
                    overrun = (overrun.0 + poor, overrun.1 + expected);
                }
                if is_inside && *window >= lately {
                    let (poor, may) = self.burns(channel, *leaf, counts, config);
                    burn = (burn.0 + poor, burn.1 + may);
                }
                if is_inside {
                    poor_ms += counts.poor_ms;
                    if again_from.is_some_and(|from| window.start() >= from) {
                        again_ms += counts.poor_ms;
                    }
                    (0..4).for_each(|kind| kinds[kind] += real(counts.kinds[kind]));
                    exemplars.extend(slice.exemplars.get(leaf).into_iter().flatten().take(1).cloned());
                }
            }
        }
        let (mut fresh_n, mut fresh_k, mut fresh_e, mut fresh_ms) = (0, 0.0, 0.0, 0);
        let hour = baseline.hour(Window::of_end(now));
        for (leaf, counts) in self
            .fresh
            .iter()
            .filter(|(leaf, _)| held.leave(case, channel, self.dictionary.codes(**leaf)))
        {
            fresh_n += counts.n[channel];
            fresh_k += real(counts.k[channel]);
            fresh_ms += counts.poor_ms;
            fresh_e += baseline.expected(&hour, *leaf, counts.n[channel]);
        }
        let dispersion = baseline.dispersion(&case.conditions, fresh_e);
        case.weigh_overrun(overrun.0, overrun.1, config.indifference, dispersion);
        case.weigh_recovery(fresh_k, fresh_e, config.indifference, dispersion);
        if fresh_n == 0 && case.is_at_work() && self.is_deserted(case, channel, now) {
            case.is_deserted();
        }
        if case.is_at_work() && inside.2 > 0.0 {
            case.does(inside.0, inside.1, inside.2);
        }
        let far = self.far_ends_of(case, channel, onset);
        case.far_factor = f64::max((far.1 + 2.0) / (far.2 + 2.0), 1.0);
        // Who is cut off reports nothing: whoever talked to it tells.
        let (group, inside) = if inside.0 > 0.0 {
            ("inside", inside)
        } else {
            ("far ends", far)
        };
        case.sums = inside;
        let a_minute = baseline.dispersion(&case.conditions, inside.2 / f64::max(minutes, 1.0));
        // Of what is bad again the minutes before that was noticed are new as well.
        let new_ms = if again_from.is_some() { again_ms } else { fresh_ms };
        let is_all = is_remembered(now, case.incident.onset.from, 0, config);
        case.costs(excess_minutes(poor_ms, inside), excess_minutes(new_ms, inside), is_all);
        let incident = &mut case.incident;
        incident.severity = incident.severity.max(severity(
            case.basis,
            inside.0,
            inside.1,
            (inside.1 - inside.2) / f64::max(minutes, 1.0),
        ));
        says_effect(incident, inside, a_minute);
        incident.excess_poor_minutes = round(case.excess_minutes, 10.0);
        incident.poor_call_ends = Some(whole(inside.1));
        incident.burn_rate = (burn.1 > 0.0).then(|| round(burn.0 / burn.1, 10.0));
        says_since(incident, [line(group, inside), line("outside", outside)]);
        incident.exemplar_calls = exemplars.into_iter().take(5).collect();
        incident.metric = self.metric(channel, inside.0, kinds);
        says_also(case);
    }

    /// What of its error budget a leaf used, and what it might: of calls that fail or drop call-ends, else ms of media.
    pub(super) fn burns(&self, channel: usize, leaf: u32, counts: &Counts, config: &WatchConfig) -> (f64, f64) {
        match config.slo.of_calls(WATCHED[channel]) {
            Some(target) => (real(counts.k[channel]), real(counts.n[channel]) * target),
            None => (real(counts.poor_ms), real(counts.media_ms) * self.target(leaf, config)),
        }
    }

    /// The share of a leaf's call minutes that may be poor.
    pub(super) fn target(&self, leaf: u32, config: &WatchConfig) -> f64 {
        let index = Dimension::Connection.index();
        let connection = self.dictionary.name(index, self.dictionary.codes(leaf)[index]);
        config.slo.target(connection.map_or("", Text::as_str))
    }

    /// At risk, poor and expected of those who talked to a case's scope from outside while it was not well.
    fn far_ends_of(&self, case: &Case, channel: usize, onset: Window) -> (f64, f64, f64) {
        let baseline = self.usual(channel, 1.0);
        let inside = |leaf: &u32| case.covers(self.dictionary.codes(*leaf));
        let (mut n, mut k, mut e) = (0.0, 0.0, 0.0);
        for (window, slice) in self.bad_since(case, onset) {
            let hour = baseline.hour(*window);
            let into = slice
                .pairs
                .iter()
                .filter(|((near, far), _)| inside(far) && !inside(near));
            for ((near, _), counts) in into {
                n += real(counts.n[channel]);
                k += real(counts.k[channel]);
                e += baseline.expected(&hour, *near, counts.n[channel]);
            }
        }
        (n, k, e)
    }

    /// The channel that shows it most.
    pub(super) fn metric(&self, channel: usize, n: f64, kinds: [f64; 4]) -> Text {
        let name = if WATCHED[channel] == Channel::Quality {
            let evidence = |kind: usize| {
                let expected = (n * self.baseline.kind_rate(kind)).max(0.1);
                let seen = kinds[kind];
                if seen > expected {
                    seen * (seen / expected).ln() - (seen - expected)
                } else {
                    0.0
                }
            };
            let most = (0..4)
                .max_by(|a, b| evidence(*a).total_cmp(&evidence(*b)).then(b.cmp(a)))
                .unwrap_or(3);
            KINDS[most].name()
        } else {
            WATCHED[channel].name()
        };
        #[allow(clippy::expect_used, reason = "the channels' names are texts")]
        Text::new(name).expect("a text")
    }

    /// A device of which nothing is reported any more for hours is taken for repaired, or gone.
    fn live_device(&self, case: &mut Case, now: EventTime, config: &WatchConfig) {
        let Some(id) = case.incident.device_id.clone() else {
            return;
        };
        let Some(device) = self.devices.get(&id) else {
            case.back = f64::INFINITY;
            return;
        };
        let onset = Window::of_end(case.incident.onset.from.plus(1));
        let (Sum { n, k, e }, counts) = device.sums(|window| window >= onset && !case.was_well_in(window));
        let (fresh_k, fresh_e, fresh_ms) = self.devices.fresh(&id);
        let again = case.uncounted_since();
        let new_ms = again.map_or(fresh_ms, |from| device.sums(|window| window.start() >= from).1.poor_ms);
        if case.is_at_work() {
            case.does(n, k, e);
        }
        case.weigh_recovery(fresh_k, fresh_e, config.indifference, device::DISPERSION);
        if let Some(from) = case.tells_overrun_from() {
            let (_, k, e) = device.since(from);
            case.weigh_overrun(k, e, config.indifference, device::DISPERSION);
        }
        case.sums = (n, k, e);
        let seen_from = case.incident.onset.from.max(now.plus(-device::MEMORY));
        let minutes = real(case.bad_for(seen_from, now) / time::MINUTE).max(1.0);
        let is_all = now.since(case.incident.onset.from) <= device::MEMORY;
        let excess = |poor_ms: i64| excess_minutes(poor_ms, (n, k, e));
        case.costs(excess(counts.poor_ms), excess(new_ms), is_all);
        let incident = &mut case.incident;
        // One device is never most of anybody's calls.
        let severe = severity(case.basis, n, k, (k - e) / minutes).min(Severity::Major);
        incident.severity = incident.severity.max(severe);
        says_effect(incident, (n, k, e), device::DISPERSION);
        incident.excess_poor_minutes = round(case.excess_minutes, 10.0);
        incident.poor_call_ends = Some(whole(k));
        says_since(incident, [line("inside", (n, k, e))]);
        incident.metric = self.metric(0, n, counts.kinds.map(real));
        incident.exemplar_calls = device.exemplars().to_vec();
        case.incident.poor_minutes_an_hour = Some(cost_of_device(device, case, now));
    }
}

/// The scopes that open incidents hold, by channel: their calls are not those of an incident outside the dimensions.
pub(super) struct Held(Vec<(usize, Vec<Condition>)>);

impl Held {
    pub(super) fn by(cases: &[Case]) -> Self {
        let of_scope = |case: &&Case| case.is_open() && case.has_scope();
        let held = cases.iter().filter(of_scope).filter_map(|case| match case.basis {
            Basis::Rate(channel) => Some((channel, case.conditions.clone())),
            Basis::Volume => None,
        });
        Self(held.collect())
    }

    /// Are these calls a case's, by its scope and because no other holds them?
    pub(super) fn leave(&self, case: &Case, channel: usize, codes: &Codes) -> bool {
        let is_held = || self.0.iter().any(|(of, scope)| *of == channel && covers(scope, codes));
        case.covers(codes) && !(case.is_outside() && is_held())
    }
}

/// How many times the expected it is, with a 95 % interval on the log scale; half a call-end keeps that finite.
pub(super) fn says_effect(incident: &mut Incident, (_, k, e): (f64, f64, f64), dispersion: f64) {
    let effect = k / e.max(0.1);
    let wide = (TWO_SIDED * (dispersion / (k + 0.5)).sqrt()).exp();
    incident.effect = round(effect, 100.0);
    incident.effect_low = Some(round(effect / wide, 100.0));
    incident.effect_high = Some(round(effect * wide, 100.0));
}

/// The last line of the evidence: another channel on which the same calls are poor.
pub(super) fn says_also(case: &mut Case) {
    if let Some((channel, sums)) = case.also {
        let line = line(&format!("inside by {}", WATCHED[channel].name()), sums);
        case.incident.evidence.retain(|other| other.group != line.group);
        case.incident.evidence.push(line);
    }
}

/// The first lines of the evidence: what was seen since the onset. What was before stays.
fn says_since<const N: usize>(incident: &mut Incident, since: [Line; N]) {
    let told = incident.evidence.len().min(N);
    incident.evidence.splice(..told, since);
}

pub(super) fn line(group: &str, (n, k, e): (f64, f64, f64)) -> Line {
    #[allow(clippy::expect_used, reason = "a constant that is a text")]
    let group = Text::new(group).expect("a text");
    Line {
        group,
        at_risk: whole(n),
        poor: whole(k),
        expected: round(e, 10.0),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "sums of integer counts")]
pub(super) const fn whole(count: f64) -> i64 {
    count as i64
}

/// Of the poor minutes, the share that is beyond what was expected.
pub(super) fn excess_minutes(poor_ms: i64, (_, k, e): (f64, f64, f64)) -> f64 {
    let excess = (1.0 - e / k.max(e).max(0.1)).max(0.0);
    real(poor_ms) / 60_000.0 * excess
}

/// Figures for people need no sixteen digits.
pub(super) fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::incident::Onset;

    use super::*;
    use crate::watch::tenant::drive::{Drive, day, leaf, site, text};

    /// 64 poor where 16 were expected, with a dispersion of 1.5: 4 times, by exp(1.96 · √(1.5 / 64.5)) = 1.348 either way.
    #[test]
    fn an_effect_is_told_with_its_interval() {
        let scope = dialtone_schemas::Scope::default();
        let at = EventTime::from_micros(0);
        let mut incident = Incident::opened(
            text("i"),
            text("acme"),
            scope,
            text("noc"),
            Onset { from: at, to: at },
            at,
        );
        says_effect(&mut incident, (800.0, 64.0, 16.0), 1.5);
        let told = [incident.effect_low, Some(incident.effect), incident.effect_high];
        assert_eq!(
            told.map(|effect| effect.map(|effect| (effect * 100.0).round())),
            [Some(297.0), Some(400.0), Some(539.0)]
        );
    }

    /// A call-end in Lyon talks to Berlin in each minute, and is poor: ten while that was bad, ten while it was well, ten since.
    #[test]
    fn who_talked_to_a_scope_while_it_was_well_tells_nothing_of_its_far_ends() {
        let mut drive = Drive::new();
        drive.until(day(0, 1), |_| {
            ["berlin", "lyon"]
                .map(|name| (leaf(name, "Aural 20"), 60, 0.02))
                .to_vec()
        });
        let (onset, tenant) = (drive.now(), &mut drive.tenant);
        let at = |minute: i64| onset.plus(minute * time::MINUTE);
        let near = tenant.dictionary.leaf(&leaf("lyon", "Aural 20"));
        let far = tenant.dictionary.leaf(&leaf("berlin", "Aural 20"));
        for minute in 1..=30 {
            let counts = Counts {
                n: [1, 0, 0],
                k: [1, 0, 0],
                ..Counts::default()
            };
            let slice = tenant.ring.slice(Window::of_end(at(minute)));
            slice.pairs.insert((near, far), counts);
        }
        let span = Onset { from: onset, to: onset };
        let incident = Incident::opened(text("i-1"), text("acme"), site("berlin"), text("lan"), span, onset);
        let conditions = tenant.dictionary.conditions(&site("berlin")).expect("known");
        let mut case = Case::new(incident, Basis::Rate(0), conditions);
        case.was_well = vec![(at(10), at(20))];
        let (n, k, _) = tenant.far_ends_of(&case, 0, Window::of_end(at(1)));
        assert!((n - 20.0).abs() < 1e-9 && (k - 20.0).abs() < 1e-9, "{n} and {k}");
    }
}
