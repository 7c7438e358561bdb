//! Whom announced work calls: nobody before it should be over, and somebody when it goes on.

use dialtone_schemas::{EventTime, Incident, Text, time};
use dialtone_simulator::Cause;
use serde::Serialize;

use super::watched::Watched;
use crate::judge::{Calls, has_scope_of};

/// Work overruns that goes on so long after it should be over: of what ends sooner nobody need be called.
const OVERRUN: i64 = 10 * time::MINUTE;
/// An incident whose scope shares so much of a work's calls is about that work, however it names it.
const MOST: f64 = 0.5;

/// Whom one announced work called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WorkFate {
    /// Is any incident about it?
    pub noticed: bool,
    /// Was somebody called before it should be over?
    pub paged_during: bool,
    /// Did it go on for ten minutes or more after that?
    pub overran: bool,
    /// Was somebody called when it should be over or later: where it overran, while it went on?
    pub paged_after: bool,
}

impl WorkFate {
    /// Of a planted cause; nothing of one that is no work, or that nobody announced.
    pub(super) fn of(run: &Watched, cause: &Cause, incidents: &[&Incident]) -> Option<Self> {
        let end = run.truth.end;
        let about = incidents
            .iter()
            .filter(|incident| is_about(incident, cause, end, &run.calls));
        let about: Vec<&Text> = about.map(|incident| &incident.id).collect();
        let calls = run.revisions.iter().filter(|revision| revision.calls);
        let of_these = calls.filter(|revision| about.contains(&&revision.incident));
        let called: Vec<EventTime> = of_these.map(|revision| revision.at).collect();
        Self::judged(cause, end, !about.is_empty(), &called)
    }

    /// By when somebody was called about it, in a run that ends then.
    fn judged(cause: &Cause, end: EventTime, noticed: bool, called: &[EventTime]) -> Option<Self> {
        let planned = cause.work.as_ref().filter(|work| work.is_announced)?.planned_until;
        let over = over(cause, end);
        let overran = over.since(planned) >= OVERRUN;
        let latest = if overran { over } else { EventTime::MAX };
        Some(Self {
            noticed,
            paged_during: called.iter().any(|at| *at < planned),
            overran,
            paged_after: called.iter().any(|at| (planned..=latest).contains(at)),
        })
    }
}

/// When a cause was over in a run that ends then.
pub(super) fn over(cause: &Cause, end: EventTime) -> EventTime {
    cause.until.unwrap_or(end).min(end)
}

/// Is an incident of a work's time about it: said to have begun in it, of its scope, or of one that has most of the same calls? Its onset need
/// not be exact.
fn is_about(incident: &Incident, cause: &Cause, end: EventTime, calls: &Calls) -> bool {
    let of_its_time = incident.opened.is_some_and(|opened| opened >= cause.onset);
    of_its_time
        && incident.onset.from < over(cause, end)
        && (is_said_of(incident, cause)
            || has_scope_of(incident, cause, calls)
            || calls.jaccard(&incident.scope, &cause.scope) >= MOST)
}

/// Does the incident say that it began in this work?
pub(super) fn is_said_of(incident: &Incident, cause: &Cause) -> bool {
    let work = cause.work.as_ref().map(|work| &work.change_id);
    work.is_some() && incident.maintenance.as_ref() == work
}

/// Whom announced works called, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Works {
    /// Announced works that were planted.
    pub announced: usize,
    /// Those that an incident is about: what was not noticed says nothing about whom it calls.
    pub noticed: usize,
    /// Of these, such that called somebody before they should be over: none is the goal.
    pub paged_during: usize,
    /// Of those noticed, such that went on for ten minutes or more.
    pub overran: usize,
    /// Of these, such that called somebody while they went on: all is the goal.
    pub overruns_paged: usize,
    /// Of those noticed, such that were over in time.
    pub in_time: usize,
    /// Of these, such that called somebody all the same, when they should be over: none is the goal.
    pub in_time_paged: usize,
}

impl Works {
    /// Sums.
    pub(super) fn of(works: impl Iterator<Item = WorkFate>) -> Self {
        works.fold(Self::default(), |sum, work| {
            let one = |is_so: bool| usize::from(work.noticed && is_so);
            Self {
                announced: sum.announced + 1,
                noticed: sum.noticed + one(true),
                paged_during: sum.paged_during + one(work.paged_during),
                overran: sum.overran + one(work.overran),
                overruns_paged: sum.overruns_paged + one(work.overran && work.paged_after),
                in_time: sum.in_time + one(!work.overran),
                in_time_paged: sum.in_time_paged + one(!work.overran && work.paged_after),
            }
        })
    }

    /// The counts that are of others: each with its name and what it is of.
    pub(super) const fn parts(self) -> [(&'static str, usize, usize); 4] {
        [
            ("works.noticed", self.noticed, self.announced),
            ("works.paged_during", self.paged_during, self.noticed),
            ("works.overruns_paged", self.overruns_paged, self.overran),
            ("works.in_time_paged", self.in_time_paged, self.in_time),
        ]
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Dimension, Leaf, Scope, incident::Onset};
    use dialtone_simulator::{FaultKind, Work};

    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text).expect("a text")
    }

    fn at(minute: i64) -> EventTime {
        EventTime::parse("2026-03-03T08:00:00Z")
            .expect("a time")
            .plus(minute * time::MINUTE)
    }

    fn site(name: &str) -> Scope {
        Scope::new([(Dimension::Site, text(name))])
    }

    /// Berlin is worked on from 08:00 on, until 09:00 as was announced; it is over after so many minutes.
    fn work(lasts: i64) -> Cause {
        Cause {
            id: text("cause-1"),
            kind: FaultKind::SiteUplink,
            scope: site("berlin"),
            aliases: Vec::new(),
            device_id: None,
            onset: at(0),
            until: Some(at(lasts)),
            change_id: Some(text("CHG-7")),
            owner: text("lan"),
            channel: text("loss"),
            odds: None,
            work: Some(Work {
                change_id: text("CHG-7"),
                is_announced: true,
                planned_until: at(60),
            }),
            calls_a_day: None,
            rival: None,
        }
    }

    fn judged(lasts: i64, called: &[i64]) -> WorkFate {
        let called: Vec<EventTime> = called.iter().map(|minute| at(*minute)).collect();
        WorkFate::judged(&work(lasts), at(180), true, &called).expect("announced work")
    }

    #[test]
    fn work_may_call_from_its_planned_end_on_and_should_if_it_goes_on_for_ten_minutes() {
        let quiet = judged(60, &[]);
        assert!(quiet.noticed && !quiet.overran && !quiet.paged_during && !quiet.paged_after);
        let early = judged(60, &[59]);
        assert!(early.paged_during && !early.paged_after);
        let at_its_end = judged(69, &[60]);
        assert!(!at_its_end.overran && !at_its_end.paged_during && at_its_end.paged_after);
        let overran = judged(70, &[60]);
        assert!(overran.overran && overran.paged_after && !overran.paged_during);
        let twice = judged(120, &[20, 61]);
        assert!(twice.paged_during && twice.paged_after);
    }

    /// It is over at 10:00: who is called a minute later is called for nothing. What goes on is over when the run is.
    #[test]
    fn a_call_after_an_overrun_is_over_comes_too_late() {
        assert!(judged(120, &[120]).paged_after && !judged(120, &[121]).paged_after);
        let endless = Cause { until: None, ..work(0) };
        let fate = |end: i64| WorkFate::judged(&endless, at(end), true, &[at(60)]).expect("announced work");
        assert!(fate(70).overran && fate(70).paged_after && !fate(69).overran);
    }

    #[test]
    fn only_announced_work_withholds_calls() {
        let mut unannounced = work(60);
        if let Some(work) = &mut unannounced.work {
            work.is_announced = false;
        }
        let no_work = Cause { work: None, ..work(60) };
        for cause in [unannounced, no_work] {
            assert_eq!(WorkFate::judged(&cause, at(180), true, &[at(5)]), None);
        }
    }

    /// An incident at a site with its onset in a minute, that opened ten minutes later.
    fn incident(name: &str, minute: i64) -> Incident {
        let onset = Onset {
            from: at(minute),
            to: at(minute),
        };
        Incident::opened(
            text("i-1"),
            text("acme"),
            site(name),
            text("desk"),
            onset,
            at(minute + 10),
        )
    }

    #[test]
    fn incidents_of_its_time_and_scope_or_that_say_so_are_about_a_work() {
        let mut calls = Calls::default();
        for name in ["berlin", "london"] {
            calls.add(&Leaf {
                site: Some(text(name)),
                ..Leaf::default()
            });
        }
        let is_about = |incident: &Incident| is_about(incident, &work(60), at(180), &calls);
        assert!(is_about(&incident("berlin", 20)), "its onset is off by twenty minutes");
        assert!(!is_about(&incident("london", 20)));
        let said = Incident {
            maintenance: Some(text("CHG-7")),
            ..incident("london", 20)
        };
        assert!(is_about(&said));
        assert!(!is_about(&incident("berlin", -11)), "it opened before the work began");
        assert!(!is_about(&incident("berlin", 60)), "the work was over");
    }

    /// One not noticed, one in time and quiet, one in time that called, an overrun that called, one that called early.
    #[test]
    fn sums_can_be_checked_by_hand() {
        let unnoticed = WorkFate {
            noticed: false,
            ..judged(60, &[])
        };
        let works = [
            unnoticed,
            judged(60, &[]),
            judged(60, &[60]),
            judged(120, &[60]),
            judged(120, &[30]),
        ];
        let sums = Works::of(works.into_iter());
        let expected = Works {
            announced: 5,
            noticed: 4,
            paged_during: 1,
            overran: 2,
            overruns_paged: 1,
            in_time: 2,
            in_time_paged: 1,
        };
        assert_eq!(sums, expected);
    }
}
