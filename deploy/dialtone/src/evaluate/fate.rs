//! What one run says about the design: of each planted cause what became of it, and what was raised besides.

use std::ops::RangeInclusive;

use dialtone_schemas::{EventTime, Incident, Ruling, time};
use dialtone_simulator::{Cause, FaultKind};
use serde::Serialize;

use super::{
    oracle,
    revision::{first_called, named_at, openings},
    watched::{Watched, raised},
    work::{WorkFate, is_said_of, over},
};
use crate::judge::{Judgement, ONSET_TOLERANCE, has_scope_by_alias, has_scope_of, is_about, off};

/// Causes with fewer call-ends a day are small.
const SMALL: f64 = 300.0;
/// A change is blamed from this posterior probability on.
const BLAMED: f64 = 0.5;

/// What one run says.
#[derive(Clone, Debug, Serialize)]
pub struct Fate {
    /// Which scenario.
    pub scenario: String,
    /// Which seed.
    pub seed: u64,
    /// Of each planted cause, in their order.
    pub causes: Vec<CauseFate>,
    /// How often incidents that name no planted cause at its onset reached OPEN in the judged part: one that was closed and opens again has
    /// opened twice. Those that name a cause count as often as they open again outside its time by more than the five minutes that an onset
    /// may be off: while it lasts the fault is there. Those that tell of a collector gap count as often as they open again outside of that.
    pub false_incidents: usize,
    /// Of those, by incidents that name a cause which another incident names already, or name a cause that is over.
    pub duplicates: usize,
    /// The same as `false_incidents` in the history before the judged part, as far as that is watched: nothing is broken there.
    pub false_in_history: usize,
    /// What the false ones of both say in the end, and how often each has opened, if more than once; also what opened again without its cause.
    pub raised: Vec<String>,
    /// Incidents that reached OPEN in the whole run, without those that say of a collector gap what it is.
    pub incidents: usize,
    /// Of those, with a change blamed that caused nothing of it.
    pub innocent_blamed: usize,
    /// Of those, incidents that say a rival cannot be told from their cause.
    pub abstained: usize,
    /// Of these, such whose causes had as many calls outside the rival as they ask for: their causes count as missed, and they as raised and
    /// not right.
    pub abstained_wrongly: usize,
    /// Early warnings whose hour was over.
    pub warnings: u64,
    /// Of those, warnings that came true.
    pub warnings_true: u64,
    /// What was said of changes that caused something; not of work, whose verdict is about what it has left behind.
    pub guilty_changes: Rulings,
    /// What was said of changes that caused nothing.
    pub innocent_changes: Rulings,
    /// Days that were judged.
    pub days: f64,
    /// Days of the history before them in which incidents could open, and nothing was broken.
    pub history_days: f64,
    /// Days of the whole run: warnings are given in its history too.
    pub days_in_all: f64,
    /// Cells watched at the end: a scope is one on each of its channels, and they are summed. Not to be multiplied by the channels.
    pub cells: usize,
    /// Scopes watched at the end, each once.
    pub scopes: usize,
}

/// How many changes were ruled what in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rulings {
    /// Harmful.
    pub harmful: usize,
    /// Harmless to within double the rate or less.
    pub harmless: usize,
    /// Not enough calls.
    pub undecided: usize,
}

impl Rulings {
    fn of(verdicts: impl Iterator<Item = Ruling>) -> Self {
        verdicts.fold(Self::default(), |mut rulings, ruling| {
            *match ruling {
                Ruling::Harmful => &mut rulings.harmful,
                Ruling::Harmless => &mut rulings.harmless,
                Ruling::NotEnoughCalls => &mut rulings.undecided,
            } += 1;
            rulings
        })
    }

    /// All of them.
    pub const fn all(self) -> usize {
        self.harmful + self.harmless + self.undecided
    }
}

/// What became of one planted cause.
#[derive(Clone, Debug, Serialize)]
pub struct CauseFate {
    /// The scope that broke.
    pub scope: String,
    /// Does it lie in one? What no report has a dimension for does not.
    pub has_place: bool,
    /// Call-ends a day in the scope, by the day before the onset; null for a single device and for what lies in no dimension.
    pub calls_a_day: Option<f64>,
    /// Jaccard index of its call-ends and those of its rival, the scope of another owner that shares the most of them; null without a rival.
    pub rival_jaccard: Option<f64>,
    /// By how much the odds of a bad interval grew there, where the truth says so.
    pub odds: Option<f64>,
    /// Poor call-ends a minute to be expected there, had nothing broken.
    pub usual_poor_per_minute: f64,
    /// Did it grow to its full size, by the scenario's `ramp`, and not break at once?
    pub is_growing: bool,
    /// Minutes until whoever knew the scope, its usual rate and its odds beforehand would have the evidence that a false-alarm budget asks of
    /// one among so many cells; infinite is null, and so is what has no odds.
    pub knowable_after_min: Option<f64>,
    /// Chance that the most likely onset is right to five minutes for whoever knew all that, by the poor call-ends of the four hours before
    /// it and of those after it, or as long as it lasted; null where there are no odds.
    pub onset_tellable: Option<f64>,
    /// Minutes that it lasted in the run.
    pub lasted_min: f64,
    /// Was it named: the same calls, its onset within five minutes?
    pub named: bool,
    /// Was it named by an alias of the incident alone, whose own scope has other calls? A device and what lies in no dimension never are.
    pub by_alias: bool,
    /// Is it the scope, or one of the alternatives shown, of some incident of its time?
    pub rank: Option<usize>,
    /// Minutes from the onset to OPEN; null where it was missed.
    pub delay_min: Option<f64>,
    /// Minutes that the middle of the named onset lies behind the truth; null where it was missed.
    pub onset_off_min: Option<f64>,
    /// Minutes from OPEN to the first complaint; null without both. Missed counts as minus infinity, no complaint as plus.
    pub lead_first_min: Option<f64>,
    /// Likewise to the third.
    pub lead_third_min: Option<f64>,
    /// Was there such a complaint?
    pub complained: [bool; 2],
    /// Both leads where people complain half as readily.
    pub leads_at_half_rate: [Option<f64>; 2],
    /// ... and twice as readily. Of a cause that was named, a lead that is null says that there was no such complaint.
    pub leads_at_double_rate: [Option<f64>; 2],
    /// Is the owner right in the end? Null where it was missed.
    pub owner_right: Option<bool>,
    /// Was the owner right to whom the first call went? Null where it was missed, or nobody was called.
    pub owner_right_at_first_page: Option<bool>,
    /// Minutes from the onset until the incident, once open, was about the cause's calls for good, by the comparison that says whether it names
    /// the cause; null where it was missed.
    pub named_min: Option<f64>,
    /// Is it a hard outage: are four fifths or more of its calls cut off, never set up or dropped, so that no odds say how soon it can be known?
    pub is_outage: bool,
    /// Reports a minute from there, in the hour before the onset.
    pub reports_per_minute: f64,
    /// Of what is cut off: minutes until whoever knew that rate would have the evidence that a false-alarm budget asks of one among so many
    /// cells. That a window must close first is not counted. Null where calls fail or drop and their reports still come.
    pub outage_achievable_min: Option<f64>,
    /// Was the guilty change named first, or, where it is announced work, the incident said to have begun in it? Null
    /// where no change was guilty, where nobody had announced the work, or where the cause was missed.
    pub guilty_first: Option<bool>,
    /// Whom announced work called; null of what is none.
    pub announced_work: Option<WorkFate>,
}

impl CauseFate {
    /// Could anybody have known of it before it ended? Where no odds say, it is taken for granted.
    pub fn is_knowable(&self) -> bool {
        self.odds.is_none() || self.knowable_after_min.is_some_and(|after| after <= self.lasted_min)
    }

    /// Does it lie in a scope of less than 300 call-ends a day?
    pub fn is_small(&self) -> bool {
        self.calls_a_day.is_some_and(|a_day| a_day < SMALL)
    }

    /// The delay with missed as infinite.
    pub fn delay(&self) -> f64 {
        self.delay_min.unwrap_or(f64::INFINITY)
    }

    /// The leads before the first and the third complaint at one of the rates, missed as minus infinity and uncomplained as infinite.
    pub fn leads(&self, rate: usize) -> [f64; 2] {
        let usual = [self.lead_first_min, self.lead_third_min];
        [self.leads_at_half_rate, usual, self.leads_at_double_rate][rate].map(|lead| match (self.delay_min, lead) {
            (None, _) => f64::NEG_INFINITY,
            (Some(_), Some(lead)) => lead,
            (Some(_), None) => f64::INFINITY,
        })
    }
}

impl Fate {
    /// Of one run.
    pub fn of(run: &Watched) -> Self {
        let judgement = run.judgement();
        let is_cause_or_false = |incident: &&Incident| incident.opened.is_some() && !judgement.gaps.contains(incident);
        let incidents: Vec<&Incident> = run.incidents.iter().filter(is_cause_or_false).collect();
        let guilty = |incident: &Incident| {
            let of_this = judgement.causes.iter().filter(|named| {
                let shares_calls =
                    named.cause.has_place() && run.calls.jaccard(&incident.scope, &named.cause.scope) > 0.0;
                shares_calls || named.incident == Some(incident)
            });
            of_this
                .filter_map(|named| named.cause.change_id.clone())
                .collect::<Vec<_>>()
        };
        let blames_an_innocent = |incident: &&&Incident| {
            let blamed = incident
                .suspected_changes
                .first()
                .filter(|change| change.score >= BLAMED);
            blamed.is_some_and(|blamed| !guilty(incident).contains(&blamed.change_id))
        };
        let causes = || run.truth.causes.iter();
        let is_cause = |change: &dialtone_schemas::Text| causes().any(|cause| cause.change_id.as_ref() == Some(change));
        let is_work = |change: &dialtone_schemas::Text| {
            let mut works = causes().filter_map(|cause| cause.work.as_ref());
            works.any(|work| work.change_id == *change)
        };
        let ruled = |guilty: bool| {
            let of_kind = run
                .verdicts
                .iter()
                .filter(|verdict| !is_work(&verdict.change_id) && is_cause(&verdict.change_id) == guilty);
            Rulings::of(of_kind.map(|verdict| verdict.ruling))
        };
        let false_ones = FalseOnes::of(run, &judgement);
        let wrongly = (0..).zip(&judgement.causes).map(|(i, named)| {
            let found = named.incident;
            found.is_some_and(|incident| abstains_wrongly(run, i, named.cause, incident))
        });
        let wrongly: Vec<bool> = wrongly.collect();
        let found = judgement.causes.iter().zip(&wrongly);
        let found = found.map(|(named, wrongly)| (named.cause, named.incident.filter(|_| !wrongly)));
        Self {
            abstained_wrongly: wrongly.iter().filter(|is_so| **is_so).count(),
            scenario: run.scenario.clone(),
            seed: run.seed,
            causes: (0..)
                .zip(found)
                .map(|(i, (cause, found))| of_cause(run, i, cause, found, &incidents))
                .collect(),
            false_incidents: false_ones.judged,
            duplicates: false_ones.duplicates,
            false_in_history: false_ones.in_history,
            raised: false_ones.raised,
            incidents: incidents.len(),
            innocent_blamed: incidents.iter().filter(blames_an_innocent).count(),
            abstained: incidents.iter().filter(|i| i.not_separable().is_some()).count(),
            warnings: run.warnings.given,
            warnings_true: run.warnings.came_true,
            guilty_changes: ruled(true),
            innocent_changes: ruled(false),
            days: minutes(run.truth.end, run.truth.warm_up_until) / 1440.0,
            history_days: minutes(run.truth.warm_up_until, run.warm_from).max(0.0) / 1440.0,
            days_in_all: minutes(run.truth.end, run.began) / 1440.0,
            cells: run.cells,
            scopes: run.scopes,
        }
    }
}

/// Openings of incidents that name no cause, and what these say.
#[derive(Default)]
struct FalseOnes {
    judged: usize,
    duplicates: usize,
    in_history: usize,
    raised: Vec<String>,
}

impl FalseOnes {
    fn of(run: &Watched, judgement: &Judgement<'_>) -> Self {
        let judged_from = run.truth.warm_up_until;
        let mut sums = Self::default();
        for incident in &judgement.others {
            let opened = openings(&run.revisions, incident);
            sums.count(&opened, judged_from, is_duplicate(incident, judgement, run));
            sums.raised.push(match opened.len() {
                0 | 1 => raised(incident),
                times => format!("{}, opened {times} times", raised(incident)),
            });
        }
        for named in &judgement.causes {
            let lasted = named.cause.onset..=over(named.cause, run.truth.end);
            if let Some(incident) = named.incident {
                let again = again(openings(&run.revisions, incident), &lasted, ONSET_TOLERANCE);
                sums.count(&again, judged_from, true);
                sums.raised.extend(opened_again(incident, again.len()));
            }
        }
        if let Some(gap) = &run.truth.gap {
            for incident in &judgement.gaps {
                let again = again(openings(&run.revisions, incident), &(gap.from..=gap.until), 0);
                sums.count(&again, judged_from, false);
                sums.raised.extend(opened_again(incident, again.len()));
            }
        }
        sums
    }

    fn count(&mut self, opened: &[EventTime], judged_from: EventTime, are_duplicates: bool) {
        let in_history = opened.iter().filter(|at| **at < judged_from).count();
        let judged = opened.len() - in_history;
        self.judged += judged;
        self.in_history += in_history;
        self.duplicates += if are_duplicates { judged } else { 0 };
    }
}

/// Openings of a right incident that are not: those outside the time of what it names, by more than is tolerated. That by which it was named,
/// the first not to come too early, is right however late it comes.
fn again(opened: Vec<EventTime>, lasted: &RangeInclusive<EventTime>, tolerated: i64) -> Vec<EventTime> {
    let (from, until) = (lasted.start().plus(-tolerated), lasted.end().plus(tolerated));
    let named = opened.iter().copied().find(|at| *at >= from);
    let is_right = |at: EventTime| named == Some(at) || (from..=until).contains(&at);
    opened.into_iter().filter(|at| !is_right(*at)).collect()
}

/// What is said of a right incident that opened so often without what it names.
fn opened_again(incident: &Incident, times: usize) -> Option<String> {
    (times > 0).then(|| format!("{}, opened {times} times without its cause", raised(incident)))
}

/// Is it about the scope of a cause that another incident names?
fn is_duplicate(incident: &Incident, judgement: &Judgement<'_>, run: &Watched) -> bool {
    let mut named = judgement.causes.iter().filter(|named| named.incident.is_some());
    named.any(|named| has_scope_of(incident, named.cause, &run.calls))
}

fn of_cause(
    run: &Watched,
    number: usize,
    cause: &Cause,
    found: Option<&Incident>,
    incidents: &[&Incident],
) -> CauseFate {
    let opened = found.and_then(|incident| incident.opened);
    let complaints = run.complaints[number]
        .each_ref()
        .map(|times| [0, 2].map(|n| times.get(n).copied()));
    let leads = complaints.map(|of_rate| of_rate.map(|complaint| Some(minutes(complaint?, opened?))));
    let (usual, reports) = (run.usual[number], run.reports[number]);
    let is_cut_off = cause.kind == FaultKind::TotalOutage;
    let named_at = found.and_then(|incident| {
        let is_right = |stood: &Incident| is_about(stood, cause, &run.calls);
        named_at(&run.revisions, incident, is_right)
    });
    let first_called = found.and_then(|incident| first_called(&run.revisions, incident));
    let lasted_min = minutes(over(cause, run.truth.end), cause.onset);
    CauseFate {
        scope: match cause.has_place() {
            true => cause.scope.to_string(),
            false => "in no dimension".to_owned(),
        },
        has_place: cause.has_place(),
        calls_a_day: cause.calls_a_day,
        rival_jaccard: cause.rival.as_ref().map(|rival| rival.jaccard),
        odds: cause.odds,
        usual_poor_per_minute: usual,
        is_growing: run.growing[number],
        knowable_after_min: cause.odds.and_then(|odds| knowable(odds, usual, run.needed)),
        onset_tellable: cause.odds.map(|odds| oracle::onset_tellable(odds, usual, lasted_min)),
        lasted_min,
        named: found.is_some(),
        by_alias: found.is_some_and(|incident| has_scope_by_alias(incident, cause, &run.calls)),
        rank: match cause.has_place() {
            true => rank(run, cause, incidents),
            false => found.map(|_| 1),
        },
        delay_min: opened.map(|opened| minutes(opened, cause.onset)),
        onset_off_min: found.map(|incident| in_minutes(off(incident, cause.onset))),
        lead_first_min: leads[1][0],
        lead_third_min: leads[1][1],
        complained: complaints[1].map(|complaint| complaint.is_some()),
        leads_at_half_rate: leads[0],
        leads_at_double_rate: leads[2],
        owner_right: found.map(|incident| incident.owner == cause.owner),
        owner_right_at_first_page: first_called.map(|owner| *owner == cause.owner),
        named_min: named_at.map(|at| minutes(at, cause.onset)),
        is_outage: cause.is_outage(),
        reports_per_minute: reports,
        outage_achievable_min: silence_known(reports, run.needed).filter(|_| is_cut_off),
        guilty_first: found.and_then(|incident| names_guilty_first(incident, cause)),
        announced_work: WorkFate::of(run, cause, incidents),
    }
}

/// The best place of the cause's scope in an incident that opened no earlier: 1 for its own, then its alternatives.
fn rank(run: &Watched, cause: &Cause, incidents: &[&Incident]) -> Option<usize> {
    let is_before = |incident: &Incident| incident.opened.is_some_and(|opened| opened < cause.onset);
    let of_its_time = incidents.iter().filter(|incident| !is_before(incident));
    let ranks = of_its_time.filter_map(|incident| (0..5).find(|rank| names_scope(run, incident, cause, *rank)));
    ranks.min().map(|rank| rank + 1)
}

/// Is the guilty change the first that is suspected? To say that the incident began in announced work is to name it,
/// too. Work that is told of only when it should be over nobody can name in time.
fn names_guilty_first(incident: &Incident, cause: &Cause) -> Option<bool> {
    let guilty = cause.change_id.as_ref()?;
    if cause.work.as_ref().is_some_and(|work| !work.is_announced) {
        return None;
    }
    let first = incident.suspected_changes.first();
    Some(first.is_some_and(|first| first.change_id == *guilty) || is_said_of(incident, cause))
}

/// Minutes to so many nats: of `usual` poor call-ends a minute that become `odds` times as many each minute tells usual (o ln o − o + 1) on
/// average, by Kullback and Leibler; nobody who must hold the same budget knows it sooner.
fn knowable(odds: f64, usual: f64, needed: f64) -> Option<f64> {
    let a_minute = usual * (odds * odds.ln() - odds + 1.0);
    (a_minute > 0.0).then(|| needed / a_minute)
}

/// Whole minutes to so many nats of silence: that none of a Poisson number of reports comes, of which so many are expected, tells as many nats.
fn silence_known(reports_per_minute: f64, needed: f64) -> Option<f64> {
    (reports_per_minute > 0.0).then(|| (needed / reports_per_minute).ceil())
}

/// Does it say that a rival cannot be told from the cause, though as many of the cause's calls as it asks for were made outside the rival
/// while it lasted?
fn abstains_wrongly(run: &Watched, number: usize, cause: &Cause, incident: &Incident) -> bool {
    let Some((rival, missing)) = incident.not_separable().filter(|_| cause.has_place()) else {
        return false;
    };
    let outside = run.since[number].outside(&cause.scope, &rival.scope);
    i64::try_from(outside).is_ok_and(|outside| outside >= missing)
}

/// Is the cause's scope the one in this place: the incident's own or an alias of it (0), or an alternative?
fn names_scope(run: &Watched, incident: &Incident, cause: &Cause, place: usize) -> bool {
    let Some(place) = place.checked_sub(1) else {
        return has_scope_of(incident, cause, &run.calls);
    };
    let has_scope = cause.device_id.is_none() && cause.has_place();
    let alternative = incident.alternatives.get(place).filter(|_| has_scope);
    alternative.is_some_and(|alternative| run.calls.are_the_same(&alternative.scope, &cause.scope))
}

fn minutes(later: EventTime, earlier: EventTime) -> f64 {
    in_minutes(later.since(earlier))
}

#[allow(clippy::cast_precision_loss, reason = "microseconds of days")]
fn in_minutes(micros: i64) -> f64 {
    micros as f64 / time::MINUTE as f64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One in Bern, of so many poor call-ends a minute.
    pub(in crate::evaluate) fn cause(delay_min: Option<f64>, lead: Option<f64>, size: f64) -> CauseFate {
        CauseFate {
            scope: "site=bern".into(),
            has_place: true,
            calls_a_day: Some(1000.0),
            rival_jaccard: None,
            odds: None,
            usual_poor_per_minute: size,
            is_growing: false,
            knowable_after_min: None,
            onset_tellable: None,
            lasted_min: 120.0,
            named: delay_min.is_some(),
            by_alias: false,
            rank: delay_min.map(|_| 1),
            delay_min,
            onset_off_min: delay_min.map(|_| 0.0),
            lead_first_min: lead,
            lead_third_min: None,
            complained: [lead.is_some(), false],
            leads_at_half_rate: [None; 2],
            leads_at_double_rate: [lead, lead],
            owner_right: delay_min.map(|_| true),
            owner_right_at_first_page: delay_min.map(|_| true),
            named_min: delay_min,
            is_outage: false,
            reports_per_minute: 10.0 * size,
            outage_achievable_min: None,
            guilty_first: None,
            announced_work: None,
        }
    }

    /// A fault from minute 60 to minute 120: opened at 70 it is named, at 110 and 125 it is there or hardly over; at 50 it had not begun, at 126
    /// it was over. Who names it only at 130 names it all the same.
    #[test]
    fn what_opens_again_while_its_fault_lasts_is_no_false_alarm_and_what_opens_when_it_is_over_is() {
        let at = |minute: i64| EventTime::MIN.plus(time::DAY + minute * time::MINUTE);
        let lasted = at(60)..=at(120);
        let again = |minutes: &[i64], tolerated: i64| -> Vec<EventTime> {
            again(minutes.iter().copied().map(at).collect(), &lasted, tolerated)
        };
        assert_eq!(again(&[50, 70, 110, 125, 126], ONSET_TOLERANCE), [at(50), at(126)]);
        assert_eq!(again(&[130, 140], ONSET_TOLERANCE), [at(140)]);
        assert_eq!(again(&[60, 120, 121], 0), [at(121)], "of a gap nothing is tolerated");
    }

    /// 20 nats of 12 reports a minute: after 1.67 minutes, so in the second. Where nobody reports, silence tells nothing.
    #[test]
    fn an_outage_is_known_when_the_reports_that_are_missing_are_enough() {
        assert_eq!(silence_known(12.0, 20.0), Some(2.0));
        assert_eq!(silence_known(0.0, 20.0), None);
    }

    /// 0.1 poor call-ends a minute that become 0.3: 0.1 · (3 ln 3 − 2) = 0.13 nats a minute, 20 in 154 minutes. Odds that do not grow tell
    /// nothing.
    #[test]
    fn nobody_knows_of_a_cause_before_its_calls_tell_enough() {
        let after = knowable(3.0, 0.1, 20.0).expect("some day");
        assert!((after - 154.3).abs() < 0.1, "{after}");
        assert_eq!(knowable(1.0, 0.1, 20.0), None);
    }
}
