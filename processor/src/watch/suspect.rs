//! What changed just before: the posterior that a change caused what an incident shows.

use dialtone_explain::odds;
use dialtone_schemas::{Change, ChangeKind, EventTime, Text, incident::SuspectedChange, time};
use serde::{Deserialize, Serialize};

use super::judgements::Judgements;

/// Weight of "none of the known changes": a change that fits in all else is believed rather than that as long as it lies within its
/// reach, e⁻¹. Seven of ten incidents are said to be a change's doing (Beyer et al., Site Reliability Engineering, 2016), and of ten that fit
/// as well by chance few lie so near.
const NONE: f64 = 0.368;
/// Of what takes effect at once, one in so many makes something get worse and worse.
const GROWS: f64 = 4.0;
/// No more nats against a change are believed: its calls may have been spared for a reason.
const MOST_AGAINST: f64 = 5.0;
/// A change that touches less of the cause's calls has not caused it.
const HALF: f64 = 0.5;
/// Suspects below this posterior are not named.
const NAMED: f64 = 0.2;
/// Most suspects named.
const MOST: usize = 3;
/// A change may be reported as begun a little after what it did.
const SLACK: i64 = 2 * time::MINUTE;

/// Is it rolled out over hours?
const fn is_rolled_out(kind: ChangeKind) -> bool {
    matches!(kind, ChangeKind::Firmware | ChangeKind::Driver | ChangeKind::Client)
}

/// How long after a change its harm may begin to show, on average.
const fn reach(kind: ChangeKind) -> i64 {
    match kind {
        ChangeKind::Route | ChangeKind::Carrier | ChangeKind::Config | ChangeKind::Certificate => 10 * time::MINUTE,
        ChangeKind::Policy | ChangeKind::Maintenance => 30 * time::MINUTE,
        // Firmware, drivers and clients are rolled out over hours.
        ChangeKind::Firmware | ChangeKind::Driver | ChangeKind::Client => 8 * time::HOUR,
    }
}

/// Kinds of changes that were judged before, and whether they were to blame: what people said of the incident's cause, and whether
/// quality came back when the change was taken back. Nothing else feeds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priors(Judgements<(Text, Text), ChangeKind>);

impl Priors {
    /// A change was to blame for an incident, or it was not. Said again, the last word counts.
    pub fn judge(&mut self, incident: &Text, change: &Change, is_to_blame: bool) {
        let about = (incident.clone(), change.change_id.clone());
        self.0.judge(about, change.kind, is_to_blame);
    }

    /// Whether a change was to blame for an incident is not known after all.
    pub fn withdraw(&mut self, incident: &Text, change: &Change) {
        self.0.withdraw(|(of, id)| (of, id) == (incident, &change.change_id));
    }

    /// How much more often than not changes of a kind were to blame.
    pub fn of(&self, kind: ChangeKind) -> f64 {
        let (right, wrong) = self.0.count(&kind);
        odds(right, wrong)
    }
}

/// How a change's scope and a cause's scope overlap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// Share of the cause's calls that the change touches.
    pub of_cause: f64,
    /// Share of the change's calls that the cause covers.
    pub of_change: f64,
    /// Does the cause name the version that the change rolls out?
    pub names_version: bool,
}

impl Overlap {
    /// Does it touch half of the cause's calls?
    pub fn is_enough(&self) -> bool {
        self.of_cause >= HALF
    }

    /// Does it touch half of the cause's calls, and not many more: are half of its own the cause's?
    pub fn is_of_the_same(&self) -> bool {
        self.is_enough() && self.of_change >= HALF
    }
}

/// How a change fits an incident.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// By its calls.
    pub overlap: Overlap,
    /// What its other calls say against it, in nats.
    pub against: f64,
    /// Did the incident get worse and worse, rather than at once?
    pub grows: bool,
}

/// The suspects of an onset between `from` and `to`, most likely first.
pub fn suspects<'a>(
    changes: impl IntoIterator<Item = &'a Change>,
    (from, to): (EventTime, EventTime),
    priors: &Priors,
    fit: impl Fn(&Change) -> Fit,
) -> Vec<SuspectedChange> {
    let weighed: Vec<(&Change, f64)> = changes
        .into_iter()
        .map(|change| {
            let weight = weight(change, from, to, &fit(change));
            (change, weight * priors.of(change.kind))
        })
        .collect();
    let total = NONE + weighed.iter().map(|(_, w)| w).sum::<f64>();
    let mut named: Vec<SuspectedChange> = weighed
        .into_iter()
        .map(|(change, w)| SuspectedChange {
            change_id: change.change_id.clone(),
            score: w / total,
        })
        .filter(|suspect| suspect.score >= NAMED)
        .collect();
    named.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.change_id.cmp(&b.change_id)));
    named.truncate(MOST);
    named
}

/// Time × scope × what its calls say: zero for what came after, or does not touch half of the cause's calls.
fn weight(change: &Change, from: EventTime, to: EventTime, fit: &Fit) -> f64 {
    let overlap = fit.overlap;
    if change.started_at > to.plus(SLACK) || !overlap.is_enough() {
        return 0.0;
    }
    // A version that is rolled out in stages does harm where it has come to, and shows it when enough have it, however many days that takes.
    let in_time = if overlap.names_version {
        1.0
    } else {
        soon_after(change, from)
    };
    // A change of much more than what broke would have broken more, unless it is rolled out in stages.
    let fits = if overlap.names_version { 1.0 } else { overlap.of_change };
    let grows = if fit.grows && !is_rolled_out(change.kind) {
        1.0 / GROWS
    } else {
        1.0
    };
    in_time * overlap.of_cause * fits * grows * (-fit.against.clamp(0.0, MOST_AGAINST)).exp()
}

/// How likely the harm of a change is to begin as late as that.
fn soon_after(change: &Change, from: EventTime) -> f64 {
    let lag = from.since(change.started_at).max(0);
    #[allow(clippy::cast_precision_loss, reason = "hours in microseconds are far below 2^52")]
    let share = lag as f64 / reach(change.kind) as f64;
    (-share).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: &str, kind: &str, minute: i64) -> Change {
        let started_at = minute * time::MINUTE;
        serde_json::from_value(serde_json::json!({"change_id": id, "kind": kind, "started_at": started_at}))
            .expect("a change")
    }

    const FITS: Fit = Fit {
        overlap: Overlap {
            of_cause: 1.0,
            of_change: 1.0,
            names_version: false,
        },
        against: 0.0,
        grows: false,
    };

    /// Two minutes before: e^-0.2 = 0.82; an hour before: e^-6 = 0.002; 0.82 / (0.37 + 0.82 + 0.002) = 0.69.
    #[test]
    fn the_route_changed_two_minutes_before_is_suspected_and_that_of_an_hour_before_is_not() {
        let (near, old, after) = (
            change("near", "route", 98),
            change("old", "route", 40),
            change("after", "route", 110),
        );
        let at = EventTime::from_micros(100 * time::MINUTE);
        let named = suspects([&near, &old, &after], (at, at), &Priors::default(), |_| FITS);
        assert_eq!(named.len(), 1);
        assert_eq!(named[0].change_id.as_str(), "near");
        assert!((named[0].score - 0.69).abs() < 0.01, "{}", named[0].score);
    }

    #[test]
    fn a_change_elsewhere_is_innocent() {
        let at = EventTime::from_micros(100 * time::MINUTE);
        let mut elsewhere = FITS;
        elsewhere.overlap.of_cause = 0.1;
        let named = suspects([&change("c", "policy", 99)], (at, at), &Priors::default(), |_| {
            elsewhere
        });
        assert_eq!(named, []);
    }

    /// In the same minute 1 / 1.37 = 0.73. Had it broken its other calls too, they would be worse: 3 nats against it leave e^-3 = 0.05 / 0.42 = 0.12,
    /// and however many, e^-5. What got worse and worse was not broken at once: a quarter, 0.25 / 0.62 = 0.40; a client is rolled out.
    #[test]
    fn the_data_overrule_a_change_that_lies_near() {
        let at = EventTime::from_micros(100 * time::MINUTE);
        let score = |kind: &str, fit: Fit| {
            let named = suspects([&change("c", kind, 100)], (at, at), &Priors::default(), |_| fit);
            named.first().map_or(0.0, |first| first.score)
        };
        assert!((score("route", FITS) - 0.731).abs() < 0.001);
        let against = |against| score("route", Fit { against, ..FITS });
        assert!(against(3.0) < 1e-9, "less than is named");
        assert!((against(1.0) - 0.5).abs() < 0.001, "e^-1 as well");
        let grows = |kind| score(kind, Fit { grows: true, ..FITS });
        assert!((grows("route") - 0.405).abs() < 0.001);
        assert!((grows("client") - 0.731).abs() < 0.001);
    }

    /// Three days are nine times the eight hours in which a client's harm begins to show, e^-9 of nothing. Where the cause names the version, the
    /// third stage may be the first that shows: 1 / 1.37 = 0.73.
    #[test]
    fn a_version_that_was_rolled_out_in_stages_is_suspected_days_after_the_first() {
        let at = EventTime::from_micros(3 * time::DAY);
        let score = |names_version| {
            let overlap = Overlap {
                names_version,
                of_change: 0.1,
                ..FITS.overlap
            };
            let named = suspects([&change("c", "client", 0)], (at, at), &Priors::default(), |_| Fit {
                overlap,
                ..FITS
            });
            named.first().map_or(0.0, |first| first.score)
        };
        assert!((score(true) - 0.731).abs() < 0.001);
        assert!(score(false) < 1e-9);
    }

    /// A route and a policy at the same minute fit alike. Twelve times routes were to blame, once a policy was not: 16/4 against 4/5.
    #[test]
    fn what_was_to_blame_before_is_suspected_first() {
        let at = EventTime::from_micros(100 * time::MINUTE);
        let (route, policy) = (change("route", "route", 100), change("policy", "policy", 100));
        let mut priors = Priors::default();
        let first = |priors: &Priors| suspects([&route, &policy], (at, at), priors, |_| FITS);
        assert!((first(&priors)[0].score - first(&priors)[1].score).abs() < 1e-9);
        for number in 0..12 {
            let incident = Text::new(format!("i-{number}")).expect("a text");
            priors.judge(&incident, &route, false);
            priors.judge(&incident, &route, true);
        }
        priors.judge(&Text::new("i-x").expect("a text"), &policy, false);
        assert!(
            (priors.of(ChangeKind::Route) - 4.0).abs() < 1e-9,
            "the last word counts"
        );
        let named = first(&priors);
        assert_eq!(named[0].change_id.as_str(), "route");
        // 4 / (0.37 + 4 + 0.8)
        assert!((named[0].score - 0.774).abs() < 0.01, "{named:?}");
    }
}
