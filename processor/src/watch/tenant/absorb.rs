//! One incident for each cause: none is opened of what shows only in the calls of others; and an open one that shows no more than another, which
//! has nearly all of its calls, lets expect is over, and names that one.

use std::cmp::Reverse;

use dialtone_explain::beyond;
use dialtone_schemas::{EventTime, State, Text, Window, incident::Verdict};

use super::{
    Tenant,
    follow::{is_paced, is_remembered},
    open::SAME_TROUBLE,
};
use crate::{
    config::WatchConfig,
    watch::{
        book::{Basis, Case},
        evidence::Sum,
        locate::{Evidence, Located, attributes_of},
    },
};

/// So many poor call-ends must be expected of an incident's calls to tell that it shows no more: of one that is twice as bad as that 60 ± 9.5 are
/// poor, and 1.25 · 30 = 37.5 or less once in a hundred times.
const ENOUGH: f64 = 30.0;
/// ... and of what is opened, whatever time until now says less than this by the calls that are no other incident's, in nats.
const LITTLE: f64 = 3.0;
/// Of more open incidents than this the youngest are asked: each costs a look at all others.
const MOST_ASKED: usize = 100;

impl Tenant {
    /// Closes incidents that others explain. The one that opened last is asked first, so that of two which explain each other the first stays.
    pub(super) fn absorb(&mut self, now: EventTime, config: &WatchConfig) {
        self.follow_absorbers();
        let is_asked = |i: &usize| does_harm(&self.cases[*i]) && !is_peoples(&self.cases[*i]);
        let mut asked: Vec<usize> = (0..self.cases.len()).filter(is_asked).collect();
        asked.sort_by_key(|i| {
            let incident = &self.cases[*i].incident;
            Reverse((incident.opened, incident.id.clone()))
        });
        asked.truncate(MOST_ASKED);
        for i in asked {
            if let Some((by, began)) = self.explained_by(i, now, config) {
                self.cases[i].is_absorbed(by, began, now);
                // One that had been over, and opened again, was remembered for that.
                self.past.close(&self.cases[i].incident);
            }
        }
    }

    /// Is a cause only seen in the calls of other incidents? They do not make all of their calls poor alike: Wi-Fi is worse in a relay's trouble, and
    /// that is the relay's. What only the far ends show has no calls of its own.
    pub(super) fn is_of_others(&self, channel: usize, found: &Located, config: &WatchConfig) -> bool {
        if found.is_outside() || found.explained.is_none() {
            return false;
        }
        let conditions = &found.cause.best.conditions;
        let evidence = self.evidence(channel, config.indifference);
        let apart = evidence.apart(conditions, found.onset.best);
        says_nothing(&apart, evidence.zone(&attributes_of(conditions)), evidence.drift.fine())
    }

    /// What was absorbed did harm of its own until the other one began, which may be found to have been at another time.
    fn follow_absorbers(&mut self) {
        for i in 0..self.cases.len() {
            let by = self.cases[i].incident.absorbed_by.as_ref();
            let by = by.and_then(|by| self.cases.iter().find(|case| case.incident.id == *by));
            if let Some(began) = by.map(|by| by.incident.onset.from) {
                self.cases[i].recovering_since = Some(began);
            }
        }
    }

    /// The open incident that explains another, and when it began: of those that have nearly all of its calls and explain it the one that does
    /// most. Beside what that does from its own onset on, what the calls have shown since the onset of this one is no more than what is indifferent.
    fn explained_by(&self, i: usize, now: EventTime, config: &WatchConfig) -> Option<(Text, EventTime)> {
        let case = &self.cases[i];
        let Basis::Rate(channel) = case.basis else { return None };
        // Where its beginning is forgotten, so is what it did alone.
        if !is_remembered(now, case.incident.onset.from, 0, config) {
            return None;
        }
        let has_it = |other: &&Case| {
            other.incident.id != case.incident.id
                && other.is_of_calls(channel)
                && does_harm(other)
                && is_looked_at(case, other, now)
                && is_as_bad(case, other)
                && is_heard_of(case, other, now)
                && self.overlap(&case.conditions, &other.conditions).of_first >= SAME_TROUBLE
        };
        let mut others: Vec<&Case> = self.cases.iter().filter(has_it).collect();
        others.sort_by(|a, b| {
            b.share
                .total_cmp(&a.share)
                .then_with(|| a.incident.id.cmp(&b.incident.id))
        });
        let by = others.into_iter().find(|by| self.explains(by, case, channel, config))?;
        Some((by.incident.id.clone(), by.incident.onset.from))
    }

    /// Is what the calls of a case have shown since its onset no more than another one lets expect?
    fn explains(&self, by: &Case, case: &Case, channel: usize, config: &WatchConfig) -> bool {
        let alone = std::slice::from_ref(by);
        let evidence = Evidence {
            cases: alone,
            ..self.evidence(channel, config.indifference)
        };
        let onset = Window::of_end(case.incident.onset.from.plus(1));
        let (since, _) = evidence.stands(&case.conditions, onset);
        is_explained(&since, evidence.zone(&attributes_of(&case.conditions)))
    }
}

/// Is a case about a scope, open, and not recovering?
fn does_harm(case: &Case) -> bool {
    let is_open = matches!(case.incident.state, State::Open | State::Localised);
    is_open && case.has_scope() && case.incident.accepted.is_none()
}

/// Have people said that it is a trouble of its own: whose it is, or that its cause is right?
fn is_peoples(case: &Case) -> bool {
    case.incident.reassigned.is_some() || case.incident.verdict == Some(Verdict::Right)
}

/// Is anybody called about another incident as about this one: it is told, not said to be wrong, nor silenced or withheld where this one is not?
fn is_heard_of(case: &Case, other: &Case, now: EventTime) -> bool {
    let is_hushed = |case: &Case| case.is_silenced(now) || case.withheld.is_some();
    let is_told = other.sent.is_some() && other.incident.verdict != Some(Verdict::Wrong);
    is_told && (is_hushed(case) || !is_hushed(other))
}

/// Is the younger of two looked at again in this minute?
fn is_looked_at(one: &Case, other: &Case, now: EventTime) -> bool {
    let age = |case: &Case| case.incident.opened.map_or(0, |opened| now.since(opened));
    is_paced(now, age(one).min(age(other)))
}

/// Is another one no less severe, and where the calls of this one are poor on another channel as well, so by that?
fn is_as_bad(case: &Case, other: &Case) -> bool {
    let too = |case: &Case| case.also.map(|(channel, _)| channel);
    other.incident.severity >= case.incident.severity && too(case).is_none_or(|channel| too(other) == Some(channel))
}

/// Is what calls have shown no more than what may be without anything being wrong, and enough to tell?
fn is_explained(shown: &Sum, zone: f64) -> bool {
    shown.e >= ENOUGH && shown.k <= zone * shown.e
}

/// Have these windows enough calls to tell, and is none of the times until now worse than what may be without anything being wrong?
fn says_nothing(windows: &[Sum], zone: f64, dispersion: f64) -> bool {
    let mut until_now = Sum::default();
    let times = windows.iter().rev().map(|window| {
        until_now.add(*window);
        beyond(until_now.k, zone * until_now.e) / dispersion
    });
    let most = times.fold(0.0, f64::max);
    most < LITTLE && is_explained(&until_now, zone)
}

#[cfg(test)]
mod tests {
    use dialtone_explain::{Candidate, Cause, Condition};
    use dialtone_schemas::{
        Change, Complaint, Dimension, Incident, Leaf, Scope, alert::AlertReason, incident::Severity, time,
    };

    use super::*;
    use crate::watch::{
        locate::Began,
        tenant::{
            Told,
            drive::{Calls, Drive, day, leaf, site, text},
        },
    };

    /// Berlin's ten segments with 120 call-ends a minute each, of which these shares are poor on the second and on the others; Lyon is as always.
    fn calls(second: f64, others: f64) -> Vec<Calls> {
        let on = |segment: i32| Leaf {
            segment: Some(text(&format!("berlin-{segment}"))),
            ..leaf("berlin", "Aural 20")
        };
        let share = |segment: i32| if segment == 2 { second } else { others };
        let berlin = (1..=10).map(|segment| (on(segment), 120, share(segment)));
        berlin.chain([(leaf("lyon", "Aural 20"), 1200, 0.02)]).collect()
    }

    fn segment() -> Scope {
        Scope::new([(Dimension::Segment, text("berlin-2"))])
    }

    /// The second segment is bad from Tuesday nine o'clock on, the others from five minutes later, until ten.
    fn broken(second: f64, others: f64) -> (Drive, Told) {
        let mut drive = Drive::new();
        drive.until(day(1, 9), |_| calls(0.02, 0.02));
        let mut told = drive.until(day(1, 9).plus(5 * time::MINUTE), |_| calls(second, 0.02));
        told.alerts
            .extend(drive.until(day(1, 10), |_| calls(second, others)).alerts);
        (drive, told)
    }

    fn open(drive: &Drive) -> Vec<&Incident> {
        let open = drive.tenant.cases.iter().filter(|case| case.is_open());
        open.map(|case| &case.incident).collect()
    }

    /// After 19 minutes 24 · (5 + 19) = 576 are poor where 2.4 · 5 + 24 · 19 = 468 are expected: 1.23 times.
    #[test]
    fn a_segment_whose_site_turns_as_bad_is_the_sites_and_calls_nobody_for_that() {
        let (drive, told) = broken(0.2, 0.2);
        let open = open(&drive);
        let [whole] = open.as_slice() else {
            panic!("one cause: {open:#?}")
        };
        assert_eq!((&whole.scope, &whole.absorbed_by), (&site("berlin"), &None));
        let last = told.alerts.iter().rfind(|alert| alert.incident.scope == segment());
        let last = last.expect("told of");
        assert_eq!((last.reason, last.page), (AlertReason::Resolved, false));
        let incident = &last.incident;
        assert_eq!((incident.state, incident.closed), (State::Closed, Some(last.at)));
        assert_eq!(incident.absorbed_by.as_ref(), Some(&whole.id));
        assert!(last.title.contains(", absorbed by i-"), "{}", last.title);
        let pages = told.alerts.iter().filter(|alert| alert.page);
        let pages: Vec<&Scope> = pages.map(|alert| &alert.incident.scope).collect();
        assert_eq!(pages, [&segment(), &site("berlin")], "each when it opened");
    }

    /// The site does (9 · 0.1 + 0.5) / 10 − 0.02 = 0.12: 16.8 a minute are expected of the segment's 60.
    #[test]
    fn a_segment_that_is_five_times_as_bad_as_its_bad_site_stays() {
        let (drive, _) = broken(0.5, 0.1);
        let scopes: Vec<&Scope> = open(&drive).into_iter().map(|incident| &incident.scope).collect();
        assert_eq!(scopes, [&segment(), &site("berlin")]);
    }

    /// All is well from ten on, and the segment bad once more at noon.
    #[test]
    fn what_was_absorbed_has_not_recovered_and_is_not_opened_again() {
        let (mut drive, _) = broken(0.2, 0.2);
        drive.until(day(1, 12), |_| calls(0.02, 0.02));
        drive.until(day(1, 12).plus(30 * time::MINUTE), |_| calls(0.2, 0.02));
        let cases = drive.tenant.cases.iter().map(|case| &case.incident);
        let about: Vec<&Incident> = cases.filter(|incident| incident.scope == segment()).collect();
        let [absorbed, again] = about.as_slice() else {
            panic!("two: {about:#?}")
        };
        assert_eq!((absorbed.state, absorbed.absorbed_by.is_some()), (State::Closed, true));
        assert_eq!((again.state, &again.absorbed_by), (State::Localised, &None));
        assert_eq!(again.earlier, Some(0), "none was over before it");
    }

    /// What is as bad as its site since 9:05 at 10:00, when somebody says of each of these minutes that a call from the segment was bad.
    #[test]
    fn who_complains_since_the_other_one_began_complains_of_that() {
        let (mut drive, _) = broken(0.2, 0.2);
        let began = drive
            .tenant
            .cases
            .iter()
            .find(|case| case.incident.scope == site("berlin"));
        let began = began.expect("the site's").incident.onset.from;
        for (id, at) in [
            ("before", began.plus(-time::MINUTE)),
            ("since", began.plus(time::MINUTE)),
            ("now", drive.now()),
        ] {
            let said = serde_json::json!({"complaint_id": id, "complained_at": at.micros()});
            let mut complaint: Complaint = serde_json::from_value(said).expect("a complaint");
            complaint.near.segment = Some(text("berlin-2"));
            complaint.near.site = Some(text("berlin"));
            drive.tenant.complaint(complaint);
        }
        drive.until(day(1, 10).plus(5 * time::MINUTE), |_| calls(0.2, 0.2));
        let of = |scope: &Scope| {
            let case = drive.tenant.cases.iter().find(|case| case.incident.scope == *scope);
            let complaints = case.expect("told of").complaints.keys();
            complaints.map(|id| id.as_str().to_owned()).collect::<Vec<String>>()
        };
        assert_eq!(of(&segment()), ["before"]);
        assert_eq!(of(&site("berlin")), ["now", "since"]);
    }

    /// The segment's switch was restarted at 9:04, before the site broke; since ten all is well everywhere.
    #[test]
    fn a_change_of_what_was_absorbed_repairs_nothing() {
        let (mut drive, _) = broken(0.2, 0.2);
        let change: Change = serde_json::from_value(serde_json::json!({
            "change_id": "CHG-1", "kind": "config", "scope": {"segment": ["berlin-2"]}, "started_at": day(1, 9).plus(4 * time::MINUTE)
        }))
        .expect("a change");
        drive.tenant.change(change.clone());
        drive.until(day(1, 11), |_| calls(0.02, 0.02));
        let verdict = drive.tenant.trials[&change.change_id].last().expect("a verdict");
        assert_eq!((&verdict.repairs, verdict.repair), (&None, None));
        let is_absorbed = |case: &Case| case.incident.absorbed_by.is_some();
        let absorbed = drive
            .tenant
            .cases
            .iter()
            .find(|case| is_absorbed(case))
            .expect("told of");
        assert_eq!(absorbed.incident.scope, segment());
        assert!(
            absorbed.incident.onset.to < change.started_at,
            "it was there when that was done"
        );
    }

    /// The second segment has been bad for half an hour, and has its incident; and the same once more, which opened five minutes ago.
    fn twins() -> (Drive, Case) {
        let mut drive = Drive::new();
        drive.until(day(1, 9), |_| calls(0.02, 0.02));
        drive.until(day(1, 9).plus(30 * time::MINUTE), |_| calls(0.2, 0.02));
        let mut twin = drive.tenant.cases.first().expect("an incident").clone();
        let opened = drive.now().plus(-5 * time::MINUTE);
        (twin.incident.id, twin.incident.opened) = (text("i-twin"), Some(opened));
        (drive, twin)
    }

    /// The later one was over four minutes ago, and opened again.
    #[test]
    fn what_was_over_once_before_it_was_absorbed_is_no_earlier_time() {
        let (mut drive, twin) = twins();
        let now = drive.now();
        let over = Incident {
            closed: Some(now.plus(-4 * time::MINUTE)),
            ..twin.incident.clone()
        };
        let next = Incident {
            id: text("i-next"),
            opened: Some(now),
            ..twin.incident.clone()
        };
        drive.tenant.past.close(&over);
        drive.tenant.cases.push(twin);
        assert_eq!(drive.tenant.past.before(&next).0, 1);
        drive.tenant.absorb(now, &drive.config);
        let absorbed = drive.tenant.cases.iter().find(|case| !case.is_open());
        assert_eq!(absorbed.map(|case| &case.incident.id), Some(&over.id));
        assert_eq!(drive.tenant.past.before(&next).0, 0);
    }

    /// The same incident twice, with five minutes between them. Said to be another team's, the later one stays.
    #[test]
    fn of_two_that_explain_each_other_the_first_stays_unless_people_have_spoken() {
        for is_given in [false, true] {
            let (mut drive, mut twin) = twins();
            let now = drive.now();
            let first = drive.tenant.cases[0].incident.id.clone();
            twin.incident.reassigned = twin.incident.opened.filter(|_| is_given);
            drive.tenant.cases.push(twin);
            drive.tenant.absorb(now, &drive.config);
            let stays = if is_given { text("i-twin") } else { first };
            let ids: Vec<&Text> = open(&drive).into_iter().map(|incident| &incident.id).collect();
            assert_eq!(ids, [&stays]);
            let later = drive.tenant.cases[0].incident.onset.from.plus(4 * time::MINUTE);
            drive.tenant.cases.iter_mut().for_each(|case| {
                if case.is_open() {
                    case.incident.onset.from = later;
                }
            });
            drive.tenant.absorb(now.plus(time::MINUTE), &drive.config);
            let absorbed = drive.tenant.cases.iter().find(|case| !case.is_open());
            let own = absorbed.and_then(|case| case.recovering_since);
            assert_eq!(own, Some(later), "it did harm of its own until the other began");
        }
    }

    /// One that is told, as severe, and neither said to be wrong nor silenced nor withheld may absorb another; what nobody is called about, too, what
    /// nobody is called about.
    #[test]
    fn nobody_who_is_called_loses_the_call_by_what_absorbs_an_incident() {
        let now = day(1, 10);
        let case = |change: &dyn Fn(&mut Case)| {
            let onset = dialtone_schemas::incident::Onset { from: now, to: now };
            let incident = Incident::opened(text("i-1"), text("acme"), site("berlin"), text("lan"), onset, now);
            let mut case = Case::new(incident, Basis::Rate(0), Vec::new());
            case.incident.severity = Severity::Major;
            case.sent = Some(case.incident.clone());
            change(&mut case);
            case
        };
        let silenced = |case: &mut Case| case.incident.silenced_until = Some(now.plus(time::HOUR));
        let withheld = |case: &mut Case| case.withheld = Some(now.plus(-time::MINUTE));
        let wrong = |case: &mut Case| case.incident.verdict = Some(Verdict::Wrong);
        let untold = |case: &mut Case| case.sent = None;
        let minor = |case: &mut Case| case.incident.severity = Severity::Minor;
        let drops = |case: &mut Case| case.also = Some((2, (1.0, 1.0, 0.1)));
        let may = |one: &dyn Fn(&mut Case), other: &dyn Fn(&mut Case)| {
            let (one, other) = (case(one), case(other));
            is_as_bad(&one, &other) && is_heard_of(&one, &other, now)
        };
        let usual = |_: &mut Case| {};
        assert!(may(&usual, &usual) && may(&minor, &usual) && may(&silenced, &silenced) && may(&drops, &drops));
        let not: [&dyn Fn(&mut Case); 5] = [&silenced, &withheld, &wrong, &untold, &minor];
        assert!(not.iter().all(|other| !may(&usual, *other)));
        assert!(!may(&drops, &usual));
    }

    /// Half of Berlin's calls and half of Lyon's are by one headset, 600 a minute at each. Berlin is ten times as poor since nine: of the
    /// headset's 1,200 calls 132 are poor in each minute where 24 are usual, but of the 600 that are not Berlin's 12 as ever. Where it is as poor in Lyon since
    /// twenty past nine, they say so.
    #[test]
    fn what_only_the_calls_of_another_incident_show_is_that_ones() {
        for (lyon, is_berlins) in [(0.02, true), (0.2, false)] {
            let calls = |berlin: f64, lyon: f64| -> Vec<Calls> {
                vec![
                    (leaf("berlin", "Aural 20"), 600, berlin),
                    (leaf("berlin", "Podium R1"), 600, berlin),
                    (leaf("lyon", "Aural 20"), 600, lyon),
                    (leaf("lyon", "Podium R1"), 600, 0.02),
                ]
            };
            let mut drive = Drive::new();
            drive.until(day(1, 9), |_| calls(0.02, 0.02));
            drive.until(day(1, 9).plus(20 * time::MINUTE), |_| calls(0.2, 0.02));
            drive.until(day(1, 9).plus(40 * time::MINUTE), |_| calls(0.2, lyon));
            drive.tenant.cases.truncate(1);
            assert_eq!(drive.tenant.cases[0].incident.scope, site("berlin"));
            let headset = Scope::new([(Dimension::Headset, text("Aural 20"))]);
            let conditions = drive.tenant.dictionary.conditions(&headset).expect("known");
            let onset = Window::of_end(day(1, 9).plus(1));
            let apart = drive.tenant.evidence(0, 0.25).apart(&conditions, onset);
            let mut all = Sum::default();
            apart.iter().for_each(|window| all.add(*window));
            assert!((all.n - 40.0 * 600.0).abs() < 1e-9, "Lyon's since nine: {all:?}");
            assert_eq!(says_nothing(&apart, 1.25, 1.3), is_berlins, "{all:?}");
            let opens = |conditions: &[Condition], explained: Option<f64>| {
                let mut tenant = drive.tenant.clone();
                let found = located(conditions, onset, explained);
                let is_opened = tenant.open_rate(drive.now(), 0, found, &drive.config);
                (is_opened, tenant.cases.len())
            };
            let by_near = if is_berlins { (false, 1) } else { (true, 2) };
            assert_eq!(opens(&conditions, Some(1.0)), by_near);
            assert_eq!(opens(&conditions, None), (true, 2), "the far ends have no calls of it");
            assert_eq!(opens(&[], Some(0.4)), (true, 2), "nor has what lies in no dimension");
        }
    }

    /// The headset's 48,000 call-ends of forty minutes, of which 5,280 were poor where 960 are usual, as a cause of these conditions.
    fn located(conditions: &[Condition], began: Window, explained: Option<f64>) -> Located {
        let best = Candidate {
            conditions: conditions.to_vec(),
            n: 48_000.0,
            k: 5_280.0,
            e: 960.0,
            llr: 100.0,
            score: 100.0,
        };
        let cause = Cause {
            best,
            aliases: Vec::new(),
            alternatives: Vec::new(),
            share: 1.0,
        };
        let onset = Began {
            from: began,
            best: began,
            to: began,
            grows: false,
        };
        Located {
            cause,
            onset,
            evidence: 100.0,
            explained,
        }
    }

    /// Twenty minutes of 3 expected each, zone 1.25, dispersion 1.3. Of 3 poor each nothing is said; of the last five with 9 each, 45 of 15, 45 ln(45/18.75) −
    /// 26.25 = 13.1, over 1.3 10.1; and eight minutes of 3 each are too few.
    #[test]
    fn what_other_incidents_leave_must_show_a_cause_at_some_time() {
        let minutes = |many: &[(usize, f64)]| -> Vec<Sum> {
            let of = |(n, k): &(usize, f64)| {
                vec![
                    Sum {
                        n: 100.0,
                        k: *k,
                        e: 3.0
                    };
                    *n
                ]
            };
            many.iter().flat_map(of).collect()
        };
        let told = [
            minutes(&[(20, 3.0)]),
            minutes(&[(15, 3.0), (5, 9.0)]),
            minutes(&[(8, 3.0)]),
            minutes(&[]),
        ]
        .map(|windows| says_nothing(&windows, 1.25, 1.3));
        assert_eq!(told, [true, false, false, false]);
    }

    #[test]
    fn few_calls_do_not_tell_that_nothing_is_left() {
        let shown = |k: f64, e: f64| Sum { n: 1000.0, k, e };
        let told = [(37.0, 30.0), (38.0, 30.0), (20.0, 20.0)].map(|(k, e)| is_explained(&shown(k, e), 1.25));
        assert_eq!(told, [true, false, false]);
    }
}
