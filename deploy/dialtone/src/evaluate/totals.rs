//! What all runs sum up to, each figure with its 95 % interval.

use std::collections::BTreeMap;

use dialtone_processor::WATCHED_CHANNELS;
use serde::Serialize;

use super::{
    fate::{CauseFate, Fate},
    interval::{self, Interval, real},
};

/// Classes of size: poor call-ends a minute to be expected of the planted scope.
const SIZES: [(&str, f64, f64); 4] = [
    ("below_0.3", 0.0, 0.3),
    ("0.3_to_0.6", 0.3, 0.6),
    ("0.6_to_1", 0.6, 1.0),
    ("above_1", 1.0, f64::INFINITY),
];

/// The scenario's own rate of complaints among those at which leads are told.
const USUAL_RATE: usize = 1;

/// Leads before complaints; missed causes count as minus infinity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Leads {
    /// From OPEN to the first complaint.
    pub first_median_min: Option<f64>,
    /// To the third.
    pub third_median_min: Option<f64>,
    /// Causes named before the first complaint.
    pub before_first_share: f64,
    /// Before the third.
    pub before_third_share: f64,
}

impl Leads {
    fn of(leads: impl Iterator<Item = [f64; 2]>) -> Self {
        let (first, third): (Vec<f64>, Vec<f64>) = leads.map(|[first, third]| (first, third)).unzip();
        let share = |leads: &[f64]| real(leads.iter().filter(|lead| **lead > 0.0).count()) / real(leads.len().max(1));
        let median = |leads: &[f64]| finite(quantile(&sorted(leads.iter().copied()), 0.5));
        Self {
            first_median_min: median(&first),
            third_median_min: median(&third),
            before_first_share: share(&first),
            before_third_share: share(&third),
        }
    }
}

/// The totals. Minutes that are infinite (more than half of the causes missed) are null; so is what nothing was there to
/// measure.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// Runs.
    pub runs: usize,
    /// Right incidents of all.
    pub precision: f64,
    /// Named causes of all.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
    /// The same, of runs with so many causes.
    pub f1_by_causes: BTreeMap<String, f64>,
    /// Causes that are the scope of an incident.
    pub top1: f64,
    /// Or one of its first two alternatives.
    pub top3: f64,
    /// Runs with every cause named and nothing else raised.
    pub exact: f64,
    /// From onset to OPEN, missed as infinite.
    pub delay_median_min: Option<f64>,
    /// Nine of ten took no longer.
    pub delay_p90_min: Option<f64>,
    /// The median by size.
    pub delay_by_size: BTreeMap<String, Option<f64>>,
    /// Causes not named.
    pub missed: usize,
    /// Causes of which nobody could know before they ended: see `knowable_after_min` of a cause.
    pub unknowable: usize,
    /// Named causes of the others.
    pub recall_of_knowable: f64,
    /// From OPEN to the first complaint, missed as minus infinity.
    pub lead_first_median_min: Option<f64>,
    /// To the third.
    pub lead_third_median_min: Option<f64>,
    /// Causes named before the first complaint.
    pub found_before_first_share: f64,
    /// Before the third.
    pub found_before_third_share: f64,
    /// The same where people complain half as readily (`half_rate`) and twice (`double_rate`), and of the causes with at most one poor
    /// call-end a minute to be expected (`up_to_1`).
    pub leads: BTreeMap<&'static str, Leads>,
    /// Further incidents of a cause that is named, for each that is.
    pub duplicates_per_incident: f64,
    /// Incidents a day where nothing is broken.
    pub false_per_null_day: Option<f64>,
    /// Such days.
    pub null_days: f64,
    /// Most cells watched, each on each of its channels.
    pub cells: usize,
    /// Channels of a cell.
    pub channels: usize,
    /// Incidents that blame a change which has caused nothing of it.
    pub innocent_blamed_share: f64,
    /// Causes of a change whose change is suspected first.
    pub guilty_change_named_share: Option<f64>,
    /// Incidents that say a rival cannot be told from their cause.
    pub abstained_share: f64,
    /// ... though cause and rival differ by as many calls as they ask for; their causes count as missed.
    pub abstained_wrongly_share: f64,
    /// Early warnings that came true, of those whose hour was over.
    pub warning_calibration: Option<f64>,
    /// Early warnings whose hour was over.
    pub warnings: u64,
    /// Early warnings a day that did not come true.
    pub false_warnings_per_day: f64,
    /// Right causes with the right owner.
    pub owner_right_share: Option<f64>,
    /// Changes that caused something and were ruled harmful.
    pub guilty_change_harmful_share: Option<f64>,
    /// Changes that caused nothing and were ruled harmful.
    pub innocent_change_harmful_share: Option<f64>,
    /// Changes that caused nothing and were cleared.
    pub innocent_change_cleared_share: Option<f64>,
    /// 95 % intervals of the figures above, by name; of `false_per_null_day` one-sided bounds.
    pub intervals: BTreeMap<&'static str, (Option<f64>, Option<f64>)>,
}

impl Totals {
    /// Of all runs.
    pub fn of(runs: &[Fate]) -> Self {
        let all: Vec<&Fate> = runs.iter().collect();
        let causes: Vec<&CauseFate> = runs.iter().flat_map(|run| &run.causes).collect();
        let mut totals = Self {
            runs: runs.len(),
            f1_by_causes: f1_by_causes(runs),
            missed: causes.iter().filter(|cause| !cause.named).count(),
            cells: runs.iter().map(|run| run.cells).max().unwrap_or(0),
            channels: WATCHED_CHANNELS,
            ..Self::default()
        };
        let knowable = || causes.iter().filter(|cause| cause.is_knowable());
        totals.unknowable = causes.len() - knowable().count();
        let named = knowable().filter(|cause| cause.named).count();
        totals.recall_of_knowable = totals.share("recall_of_knowable", named, knowable().count());
        totals.precision = totals.put("precision", precision(&all), interval::jackknife(runs, precision));
        totals.recall = totals.put("recall", recall(&all), interval::jackknife(runs, recall));
        totals.f1 = totals.put("f1", f1(&all), interval::jackknife(runs, f1));
        totals.named(runs, &causes);
        totals.times(&causes);
        totals.alarms(runs);
        totals.hands_over(runs, &causes);
        totals.rules(runs);
        totals
    }

    /// Which scopes.
    fn named(&mut self, runs: &[Fate], causes: &[&CauseFate]) {
        let within = |k: usize| {
            causes
                .iter()
                .filter(|cause| cause.rank.is_some_and(|rank| rank <= k))
                .count()
        };
        self.top1 = self.share("top1", within(1), causes.len());
        self.top3 = self.share("top3", within(3), causes.len());
        let exact = runs
            .iter()
            .filter(|run| run.false_incidents == 0 && run.causes.iter().all(|cause| cause.named));
        self.exact = self.share("exact", exact.count(), runs.len());
    }

    /// How soon.
    fn times(&mut self, causes: &[&CauseFate]) {
        let delays = sorted(causes.iter().map(|cause| cause.delay()));
        self.delay_median_min = self.quantile("delay_median_min", &delays, 0.5);
        self.delay_p90_min = self.quantile("delay_p90_min", &delays, 0.9);
        for (name, from, to) in SIZES {
            let of_size = causes
                .iter()
                .filter(|cause| (from..to).contains(&cause.usual_poor_per_minute));
            let delays = sorted(of_size.map(|cause| cause.delay()));
            if !delays.is_empty() {
                self.delay_by_size
                    .insert(name.to_owned(), finite(quantile(&delays, 0.5)));
            }
        }
        let leads = |which: usize| sorted(causes.iter().map(|cause| cause.leads(USUAL_RATE)[which]));
        self.lead_first_median_min = self.quantile("lead_first_median_min", &leads(0), 0.5);
        self.lead_third_median_min = self.quantile("lead_third_median_min", &leads(1), 0.5);
        let small = causes.iter().filter(|cause| cause.usual_poor_per_minute <= 1.0);
        self.leads = BTreeMap::from([
            ("half_rate", Leads::of(causes.iter().map(|cause| cause.leads(0)))),
            ("double_rate", Leads::of(causes.iter().map(|cause| cause.leads(2)))),
            ("up_to_1", Leads::of(small.map(|cause| cause.leads(USUAL_RATE)))),
        ]);
        let before = |which: usize| {
            causes
                .iter()
                .filter(|cause| cause.leads(USUAL_RATE)[which] > 0.0)
                .count()
        };
        self.found_before_first_share = self.share("found_before_first_share", before(0), causes.len());
        self.found_before_third_share = self.share("found_before_third_share", before(1), causes.len());
    }

    /// What should not have been raised.
    fn alarms(&mut self, runs: &[Fate]) {
        let duplicates = |runs: &[&Fate]| {
            let named = runs
                .iter()
                .flat_map(|run| &run.causes)
                .filter(|cause| cause.named)
                .count();
            real(runs.iter().map(|run| run.duplicates).sum()) / real(named.max(1))
        };
        let all: Vec<&Fate> = runs.iter().collect();
        self.duplicates_per_incident = self.put(
            "duplicates_per_incident",
            duplicates(&all),
            interval::jackknife(runs, duplicates),
        );
        let quiet: Vec<&Fate> = runs.iter().filter(|run| run.causes.is_empty()).collect();
        self.null_days = quiet.iter().map(|run| run.days).sum();
        if self.null_days > 0.0 {
            let raised = quiet.iter().map(|run| run.false_incidents).sum();
            let rate = real(raised) / self.null_days;
            self.false_per_null_day =
                Some(self.put("false_per_null_day", rate, interval::rate(raised, self.null_days)));
        }
    }

    /// Changes and owners.
    fn hands_over(&mut self, runs: &[Fate], causes: &[&CauseFate]) {
        let incidents = runs.iter().map(|run| run.incidents).sum();
        let blamed = runs.iter().map(|run| run.innocent_blamed).sum();
        self.innocent_blamed_share = self.share("innocent_blamed_share", blamed, incidents);
        let abstained = runs.iter().map(|run| run.abstained).sum();
        self.abstained_share = self.share("abstained_share", abstained, incidents);
        let wrongly = runs.iter().map(|run| run.abstained_wrongly).sum();
        self.abstained_wrongly_share = self.share("abstained_wrongly_share", wrongly, incidents);
        self.warns(runs);
        let answers = |of: fn(&CauseFate) -> Option<bool>| {
            let answers: Vec<bool> = causes.iter().filter_map(|cause| of(cause)).collect();
            (answers.iter().filter(|is_so| **is_so).count(), answers.len())
        };
        for (name, (right, n)) in [
            ("guilty_change_named_share", answers(|cause| cause.guilty_first)),
            ("owner_right_share", answers(|cause| cause.owner_right)),
        ] {
            let share = (n > 0).then(|| self.share(name, right, n));
            match name {
                "owner_right_share" => self.owner_right_share = share,
                _ => self.guilty_change_named_share = share,
            }
        }
    }

    /// What is warned of.
    fn warns(&mut self, runs: &[Fate]) {
        let sum = |of: fn(&Fate) -> u64| usize::try_from(runs.iter().map(of).sum::<u64>()).unwrap_or(usize::MAX);
        let (given, came_true) = (sum(|run| run.warnings), sum(|run| run.warnings_true));
        self.warnings = u64::try_from(given).unwrap_or(u64::MAX);
        self.warning_calibration = (given > 0).then(|| self.share("warning_calibration", came_true, given));
        let days: f64 = runs.iter().map(|run| run.days_in_all).sum();
        let wrong = given - came_true;
        let a_day = if days > 0.0 { real(wrong) / days } else { 0.0 };
        self.false_warnings_per_day = self.put("false_warnings_per_day", a_day, interval::rate(wrong, days.max(1e-9)));
    }

    /// What is said of changes.
    fn rules(&mut self, runs: &[Fate]) {
        let sum = |of: fn(&Fate) -> usize| runs.iter().map(of).sum::<usize>();
        let guilty = sum(|run| run.guilty_changes.all());
        let innocent = sum(|run| run.innocent_changes.all());
        let mut share = |name, k, n| (n > 0).then(|| self.share(name, k, n));
        let found = share(
            "guilty_change_harmful_share",
            sum(|run| run.guilty_changes.harmful),
            guilty,
        );
        let wronged = share(
            "innocent_change_harmful_share",
            sum(|run| run.innocent_changes.harmful),
            innocent,
        );
        let cleared = share(
            "innocent_change_cleared_share",
            sum(|run| run.innocent_changes.harmless),
            innocent,
        );
        self.guilty_change_harmful_share = found;
        self.innocent_change_harmful_share = wronged;
        self.innocent_change_cleared_share = cleared;
    }

    fn put(&mut self, name: &'static str, value: f64, (low, high): Interval) -> f64 {
        self.intervals.insert(name, (finite(low), finite(high)));
        value
    }

    fn share(&mut self, name: &'static str, k: usize, n: usize) -> f64 {
        self.put(name, real(k) / real(n.max(1)), interval::share(k, n))
    }

    fn quantile(&mut self, name: &'static str, sorted: &[f64], q: f64) -> Option<f64> {
        let value = self.put(name, quantile(sorted, q), interval::quantile(sorted, q));
        finite(value)
    }
}

fn f1_by_causes(runs: &[Fate]) -> BTreeMap<String, f64> {
    let counts = [1, 2, 3].into_iter().filter_map(|n| {
        let of_n: Vec<&Fate> = runs.iter().filter(|run| run.causes.len() == n).collect();
        (!of_n.is_empty()).then(|| (n.to_string(), f1(&of_n)))
    });
    counts.collect()
}

/// Right, raised, planted.
fn sums(runs: &[&Fate]) -> (f64, f64, f64) {
    let named = runs
        .iter()
        .flat_map(|run| &run.causes)
        .filter(|cause| cause.named)
        .count();
    let raised = named + runs.iter().map(|run| run.false_incidents).sum::<usize>();
    let planted = runs.iter().map(|run| run.causes.len()).sum();
    (real(named), real(raised), real(planted))
}

fn precision(runs: &[&Fate]) -> f64 {
    let (right, raised, _) = sums(runs);
    if raised > 0.0 { right / raised } else { 1.0 }
}

fn recall(runs: &[&Fate]) -> f64 {
    let (right, _, planted) = sums(runs);
    if planted > 0.0 { right / planted } else { 1.0 }
}

fn f1(runs: &[&Fate]) -> f64 {
    let (right, raised, planted) = sums(runs);
    if raised + planted > 0.0 {
        2.0 * right / (raised + planted)
    } else {
        1.0
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The lower of two in the middle; not a number of nothing.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index, rounded up"
    )]
    let rank = (real(sorted.len()) * q).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "exact arithmetic on small numbers")]
mod tests {
    use super::{super::fate::Rulings, *};

    fn cause(delay_min: Option<f64>, lead: Option<f64>, size: f64) -> CauseFate {
        CauseFate {
            scope: "site=bern".into(),
            odds: None,
            usual_poor_per_minute: size,
            knowable_after_min: None,
            lasted_min: 120.0,
            named: delay_min.is_some(),
            rank: delay_min.map(|_| 1),
            delay_min,
            onset_off_min: delay_min.map(|_| 0.0),
            lead_first_min: lead,
            lead_third_min: None,
            complained: [lead.is_some(), false],
            leads_at_half_rate: [None; 2],
            leads_at_double_rate: [lead, lead],
            owner_right: delay_min.map(|_| true),
            guilty_first: None,
        }
    }

    fn run(causes: Vec<CauseFate>, false_incidents: usize) -> Fate {
        Fate {
            scenario: "x".into(),
            seed: 1,
            incidents: causes.iter().filter(|cause| cause.named).count() + false_incidents,
            causes,
            false_incidents,
            raised: Vec::new(),
            duplicates: 0,
            innocent_blamed: 0,
            abstained: 1,
            abstained_wrongly: 0,
            warnings: 4,
            warnings_true: 3,
            guilty_changes: Rulings::default(),
            innocent_changes: Rulings::default(),
            days: 2.0,
            days_in_all: 2.0,
            cells: 7,
        }
    }

    /// Two of three causes named, two false incidents: precision 2/4, recall 2/3, F1 4/7. Delays 10, 20 and missed.
    #[test]
    fn totals_can_be_checked_by_hand() {
        let unknowable = CauseFate {
            odds: Some(2.0),
            knowable_after_min: Some(121.0),
            ..cause(None, Some(1.0), 2.0)
        };
        let runs = [
            run(vec![cause(Some(10.0), Some(5.0), 0.4), unknowable], 1),
            run(vec![cause(Some(20.0), Some(-5.0), 0.5)], 0),
            run(Vec::new(), 1),
        ];
        let totals = Totals::of(&runs);
        assert_eq!(
            (totals.precision, totals.recall, totals.f1),
            (0.5, 2.0 / 3.0, 4.0 / 7.0)
        );
        // 121 minutes are one more than it lasted; the other two were named.
        assert_eq!((totals.unknowable, totals.recall_of_knowable), (1, 1.0));
        assert_eq!(
            (totals.missed, totals.delay_median_min, totals.delay_p90_min),
            (1, Some(20.0), None)
        );
        assert_eq!(
            totals.delay_by_size["0.3_to_0.6"],
            Some(10.0),
            "the lower of two in the middle"
        );
        assert_eq!(totals.delay_by_size["above_1"], None, "missed is infinite");
        assert_eq!(totals.found_before_first_share, 1.0 / 3.0);
        assert_eq!(
            totals.found_before_third_share,
            2.0 / 3.0,
            "nobody has complained three times"
        );
        // Twice as readily the first complaint was also the third, 5 minutes before and 5 after; half as readily nobody complained.
        let (half, double) = (totals.leads["half_rate"], totals.leads["double_rate"]);
        assert_eq!((half.before_first_share, half.first_median_min), (2.0 / 3.0, None));
        assert_eq!(
            (double.before_third_share, double.third_median_min),
            (1.0 / 3.0, Some(-5.0))
        );
        assert_eq!(totals.leads["up_to_1"].before_first_share, 0.5, "without the large one");
        assert_eq!((totals.null_days, totals.false_per_null_day), (2.0, Some(0.5)));
        assert_eq!(totals.f1_by_causes["1"], 1.0);
        assert_eq!((totals.exact, totals.owner_right_share), (1.0 / 3.0, Some(1.0)));
        // Three runs of two days with four warnings each, of which three came true; four incidents, three abstained.
        assert_eq!((totals.warnings, totals.warning_calibration), (12, Some(0.75)));
        assert_eq!((totals.false_warnings_per_day, totals.abstained_share), (0.5, 0.75));
    }

    #[test]
    fn every_figure_has_its_interval_and_lies_in_it() {
        let runs: Vec<Fate> = (1..=12)
            .map(|n: u8| run(vec![cause(Some(f64::from(n)), Some(3.0), 0.4)], usize::from(n % 2)))
            .collect();
        let totals = Totals::of(&runs);
        for (name, value) in [
            ("precision", totals.precision),
            ("f1", totals.f1),
            ("delay_median_min", totals.delay_median_min.unwrap_or(f64::NAN)),
            ("exact", totals.exact),
        ] {
            let (low, high) = totals.intervals[name];
            assert!(
                low.is_none_or(|low| low <= value) && high.is_none_or(|high| high >= value),
                "{name}"
            );
        }
    }
}
