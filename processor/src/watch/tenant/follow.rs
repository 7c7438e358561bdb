//! Following a young incident: more evidence tells better what it is about, and since when.

use dialtone_schemas::{EventTime, State, time};

use super::{
    Tenant,
    live::round,
    open::{SAME_TROUBLE, span_of},
};
use crate::{
    config::WatchConfig,
    watch::{
        book::{Basis, Case},
        control::CONTROL,
        locate::{Evidence, Located},
        owner::layer_of,
    },
};

/// An incident is young for so long ...
const YOUNG: i64 = 30 * time::MINUTE;
/// ... its onset is settled after this: what came long after it says little of it, and of a ramp nothing ...
const ONSET_SETTLED: i64 = 2 * time::HOUR;
/// ... and its scope after this, or when the hours before its onset begin to be forgotten: few calls tell a site from its access line.
const SETTLED: i64 = 4 * time::HOUR;
/// An onset is followed to where so much before it is remembered: where levels used to lie before a ramp is told by what came more than a
/// hundred minutes before it.
const DATED_BY: i64 = 2 * time::HOUR;
/// Scopes that share so much of their calls are one.
const SAME_SCOPE: f64 = 0.95;

impl Tenant {
    /// More evidence may show another scope, and tells better since when: an incident's scope and onset follow it, its id
    /// stays.
    pub(super) fn locate_again(&mut self, now: EventTime, config: &WatchConfig) {
        for i in 0..self.cases.len() {
            let case = &self.cases[i];
            let age = case.incident.opened.map_or(0, |opened| now.since(opened));
            let Basis::Rate(channel) = case.basis else { continue };
            if case.incident.device_id.is_some()
                || !matches!(case.incident.state, State::Open | State::Localised)
                || !is_time_to_look(now, age)
                || (age > ONSET_SETTLED && !is_remembered(now, case.incident.onset.from, CONTROL, config))
            {
                continue;
            }
            let (second, outside) = self.look_again(i, channel, config);
            if let Some(outside) = outside {
                self.open_rate(now, channel, outside, config);
            }
            let Some(second) = second else { continue };
            let (Second::Same(found) | Second::Other(found)) = &second;
            // Where the hours before it are mostly forgotten, little is left that tells a step from a ramp: a former look knew more.
            if age <= ONSET_SETTLED && is_remembered(now, found.onset.from.start(), DATED_BY, config) {
                self.cases[i].incident.onset = span_of(found.onset);
                self.cases[i].grows = found.onset.grows;
            }
            match second {
                Second::Same(found) => {
                    let explained = found.explained.map(|ratio| round(ratio, 100.0));
                    let incident = &mut self.cases[i].incident;
                    incident.explained_ratio = explained.or(incident.explained_ratio);
                }
                Second::Other(found) => self.follow(i, &found),
            }
        }
    }

    /// The incident is about another scope than was thought; whose it is then, is said when it is told.
    fn follow(&mut self, i: usize, found: &Located) {
        let scope = self.dictionary.scope(&found.cause.best.conditions);
        let layer = layer_of(&scope, false);
        let mut incident = self.cases[i].incident.clone();
        (incident.layer, incident.scope) = (layer, scope);
        self.describe(&mut incident, found);
        let case = &mut self.cases[i];
        case.does(found.cause.best.n, found.cause.best.k, found.cause.best.e);
        (case.incident, case.conditions) = (incident, found.cause.best.conditions.clone());
        (case.sums, case.also) = ((0.0, 0.0, 0.0), None);
        case.complaints.clear();
    }

    /// What the evidence says now of an incident. Beside it, what lies in no dimension: other cells than everything's are noticed by themselves.
    fn look_again(&self, i: usize, channel: usize, config: &WatchConfig) -> (Option<Second>, Option<Located>) {
        let mut others = self.cases.clone();
        let case = others.remove(i);
        let evidence = Evidence {
            cases: &others,
            ..self.evidence(channel, config.indifference)
        };
        let asked = self.asked(config);
        let located = evidence.locate(&case.conditions, asked);
        let may_be_outside = !case.is_outside() && located.iter().any(Located::is_outside);
        let second = self.second_of(&case, evidence, located, config);
        // Asked again with what this incident does expected, where it is about nothing else.
        let is_asked = may_be_outside && !matches!(second, Some(Second::Other(_)));
        let with_it = self.evidence(channel, config.indifference);
        let again = is_asked.then(|| with_it.locate(&[], asked));
        let is_sure = |found: &Located| found.is_outside() && found.evidence >= asked.outside;
        (second, again.into_iter().flatten().find(is_sure))
    }

    /// The incident's own scope, or, where that is no longer among the causes, another that shares half of the smaller one's calls.
    fn second_of(
        &self,
        case: &Case,
        evidence: Evidence<'_>,
        located: Vec<Located>,
        config: &WatchConfig,
    ) -> Option<Second> {
        let others = evidence.cases;
        let overlap = |found: &Located| self.overlap(&found.cause.best.conditions, &case.conditions);
        let is_taken = |found: &Located| {
            let mut open = others.iter().filter(|other| other.is_open());
            open.any(|o| self.overlap(&found.cause.best.conditions, &o.conditions).jaccard >= SAME_TROUBLE)
        };
        if let Some(same) = located.iter().position(|found| overlap(found).jaccard >= SAME_SCOPE) {
            return located.into_iter().nth(same).map(Second::Same);
        }
        // The levels do not say what share they explain; the poor ones do.
        let explained = located.first().and_then(|found| found.explained);
        let mut moved = self.moved_again(case, evidence, config);
        moved.iter_mut().for_each(|found| found.explained = explained);
        if let Some(same) = moved.iter().position(|found| overlap(found).jaccard >= SAME_SCOPE) {
            return moved.into_iter().nth(same).map(Second::Same);
        }
        // Everything follows what explains half of it, and no scope becomes everything. Beside everything a scope must say enough.
        let is_named = |found: &Located| found.evidence >= self.named_from(evidence.channel, config);
        let is_beside = located.iter().any(Located::is_outside);
        let may_follow = |found: &Located| match (case.is_outside(), found.is_outside()) {
            (true, _) => is_named(found) && found.explained.is_none_or(|share| share >= 0.5),
            (false, is_everything) => !is_everything && (!is_beside || is_named(found)),
        };
        let other = moved
            .into_iter()
            .chain(located)
            .find(|found| overlap(found).of_smaller >= 0.5 && !is_taken(found) && may_follow(found));
        other.map(Second::Other)
    }
}

/// Is so much before an onset remembered?
pub(super) fn is_remembered(now: EventTime, onset: EventTime, before: i64, config: &WatchConfig) -> bool {
    now.since(onset) + before <= config.memory.micros()
}

/// Every five minutes while an incident is young, then every quarter of an hour until its scope is settled.
fn is_time_to_look(now: EventTime, age: i64) -> bool {
    (1..=SETTLED).contains(&age) && is_paced(now, age)
}

/// Every five minutes while it is young, then every quarter of an hour.
pub(super) fn is_paced(now: EventTime, age: i64) -> bool {
    let pace = if age <= YOUNG { 5 } else { 15 } * time::MINUTE;
    now.floor(pace) == now
}

/// What a second look at an incident finds.
#[derive(Debug)]
enum Second {
    /// It is about what was thought.
    Same(Located),
    /// It is about something else.
    Other(Located),
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::Scope;

    use super::{
        super::drive::{Calls, Drive, day, leaf, site},
        *,
    };
    use crate::watch::locate::Asked;

    /// Six hours are remembered, and two before an onset are asked for.
    #[test]
    fn an_onset_is_followed_while_the_hours_before_it_are_remembered() {
        let config = WatchConfig::default();
        let onset = EventTime::parse("2026-03-03T08:00:00Z").expect("a time");
        let is_at = |minutes: i64| is_remembered(onset.plus(minutes * time::MINUTE), onset, DATED_BY, &config);
        assert_eq!(config.memory.micros(), 6 * time::HOUR);
        assert!(is_at(240) && !is_at(241));
    }

    /// So many call-ends a minute at six sites, and these shares of them poor.
    fn six(calls: [i64; 6], shares: [f64; 6]) -> Vec<Calls> {
        let sites = ["berlin", "lyon", "oslo", "ulm", "york", "cork"].into_iter();
        let of = sites.zip(calls).zip(shares);
        of.map(|((site, calls), share)| (leaf(site, "Aural 20"), calls, share))
            .collect()
    }

    /// What is found for an alarm in Berlin at twenty to ten, with what it says: one call-end in fifty is poor until nine o'clock, then these shares of them, and from twenty past
    /// nine on those.
    fn found(calls: [i64; 6], first: [f64; 6], then: [f64; 6]) -> Vec<(Scope, f64)> {
        let mut drive = Drive::new();
        drive.until(day(1, 9), |_| six(calls, [0.02; 6]));
        drive.until(day(1, 9).plus(20 * time::MINUTE), |_| six(calls, first));
        drive.until(day(1, 9).plus(40 * time::MINUTE), |_| six(calls, then));
        let tenant = &mut drive.tenant;
        tenant.cases.clear();
        let alarm = tenant.dictionary.conditions(&site("berlin")).expect("known");
        let asked = Asked {
            excess: 5.0,
            outside: 15.0,
        };
        let located = tenant.evidence(0, 1.25).locate(&alarm, asked);
        let told = |found: &Located| {
            let scope = tenant.dictionary.scope(&found.cause.best.conditions);
            (scope, found.evidence)
        };
        located.iter().map(told).collect()
    }

    /// Everywhere 4,800 call-ends were poor 240 times where 96 are expected: 240 ln(2.5 / 1.25) − (240 − 120) = 46 nats, and more with those that Berlin
    /// adds. Of its last 400 it has 40 where 8 are expected: with everything 2.7 times as poor 40 ln(5 / 2.95) − 16 = 5 nats beyond that. With 120 of them everything is
    /// 3.5 times as poor, and Berlin 120 ln(15 / 3.75) − 90 = 76 beyond that.
    #[test]
    fn everything_is_told_and_beside_it_only_what_is_worse_than_that() {
        let all = [0.05; 6];
        let with_berlin = |share: f64| found([20; 6], all, [share, 0.05, 0.05, 0.05, 0.05, 0.05]);
        let says = |scope: &Scope, found: &[(Scope, f64)]| {
            let one = found.iter().find(|(of, _)| of == scope);
            one.map_or(0.0, |(_, evidence)| *evidence)
        };
        let (a_little, much) = (with_berlin(0.1), with_berlin(0.3));
        assert!(
            a_little[0].0 == Scope::default() && a_little[0].1 > 40.0,
            "{a_little:?}"
        );
        assert!(says(&site("berlin"), &a_little) < 12.0, "{a_little:?}");
        assert!(much[0].0 == Scope::default() && much[0].1 > 100.0, "{much:?}");
        assert!(says(&site("berlin"), &much) > 40.0, "{much:?}");
    }

    /// Berlin has a hundred of a hundred and twenty call-ends a minute, and is four times as poor since nine: 320 of 80 in forty minutes say 320 ln 4 − 240 = 204 nats, and all, 336 of
    /// 96, no more than 336 ln 3.5 − 240 = 181.
    #[test]
    fn a_scope_that_holds_most_calls_is_not_everything() {
        let one = [0.08, 0.02, 0.02, 0.02, 0.02, 0.02];
        let found = found([100, 4, 4, 4, 4, 4], one, one);
        let scopes: Vec<Scope> = found.into_iter().map(|(scope, _)| scope).collect();
        assert_eq!(scopes, [site("berlin")]);
    }
}
