//! What all runs sum up to, each figure with its 95 % interval.

use std::collections::BTreeMap;

use dialtone_processor::WATCHED_CHANNELS;
use serde::Serialize;

use super::{
    fate::{CauseFate, Fate},
    interval::{self, Interval, real},
    leads::{LeadIs, Leads},
    planted::Planted,
    score::{self, Figure},
    work::Works,
};

/// Classes of size: poor call-ends a minute to be expected of the planted scope.
const SIZES: [(&str, f64, f64); 4] = [
    ("below_0.3", 0.0, 0.3),
    ("0.3_to_0.6", 0.3, 0.6),
    ("0.6_to_1", 0.6, 1.0),
    ("above_1", 1.0, f64::INFINITY),
];

/// An outage where fewer reports a minute are expected is small: that none comes is no news before minutes have gone by.
const SMALL_OUTAGE: f64 = 20.0;

/// The scenario's own rate of complaints among those at which leads are told.
const USUAL_RATE: usize = 1;

/// The totals. A figure of nothing is null: shares of causes where none was planted, `precision` where nothing was raised, `f1` where neither
/// was. Minutes that are infinite are null as well: delays where more than half of the causes were missed; of leads `lead_first_median_is` and
/// the like say which infinity it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// Runs.
    pub runs: usize,
    /// Right incidents of all.
    pub precision: Option<f64>,
    /// Named causes of all.
    pub recall: Option<f64>,
    /// Their harmonic mean.
    pub f1: Option<f64>,
    /// The same, of runs with so many causes.
    pub f1_by_causes: BTreeMap<String, f64>,
    /// Causes that are the scope of an incident.
    pub top1: Option<f64>,
    /// Or one of its first two alternatives.
    pub top3: Option<f64>,
    /// Runs with every cause named and nothing else raised, those without a cause among them; null where no run has any.
    pub exact: Option<f64>,
    /// From onset to OPEN, missed as infinite.
    pub delay_median_min: Option<f64>,
    /// Nine of ten took no longer.
    pub delay_p90_min: Option<f64>,
    /// The median by size.
    pub delay_by_size: BTreeMap<String, Option<f64>>,
    /// Causes not named.
    pub missed: usize,
    /// Named causes whose scope is an alias of the incident alone: its own has other calls (a Jaccard index below .9).
    pub named_by_alias: usize,
    /// Causes of which nobody could know before they ended: see `knowable_after_min` of a cause.
    pub unknowable: usize,
    /// Named causes of the others.
    pub recall_of_knowable: Option<f64>,
    /// The F1 of whoever names each of those, raises nothing else, and has their onsets right as often as `onset_tellable` says: one that
    /// is off is missed, and raised besides. A limit for what poor call-ends tell of the most likely onset; levels tell more. Of a cause
    /// without odds the onset counts as right.
    pub f1_of_oracle: Option<f64>,
    /// Causes in a scope of less than 300 call-ends a day.
    pub small_share: Option<f64>,
    /// Those named of them.
    pub recall_of_small: Option<f64>,
    /// Causes with a rival: a scope of another owner that shares at least half of the call-ends, and less than 95 in 100.
    pub rival_share: Option<f64>,
    /// Those named of them.
    pub recall_of_rivalled: Option<f64>,
    /// Causes in no dimension that reports have.
    pub unlogged_share: Option<f64>,
    /// From OPEN to the first complaint, missed as minus infinity.
    pub lead_first_median_min: Option<f64>,
    /// To the third.
    pub lead_third_median_min: Option<f64>,
    /// Causes named before the first complaint.
    pub found_before_first_share: Option<f64>,
    /// Before the third.
    pub found_before_third_share: Option<f64>,
    /// The same where people complain half as readily (`half_rate`) and twice (`double_rate`), of the causes with at most one poor call-end a
    /// minute to be expected (`up_to_1`), of those that grow (`ramps`, of any size), and of those in neither (`above_1_abrupt`).
    pub leads: BTreeMap<&'static str, Leads>,
    /// Further incidents of a cause that is named, for each that is; one that opens again is a further one, and so is one that names the cause
    /// and opens again when that is over.
    pub duplicates_per_incident: Option<f64>,
    /// Incidents a day in the judged parts of runs in which nothing is broken, each as often as it opened.
    pub false_per_null_day: Option<f64>,
    /// Such days.
    pub null_days: f64,
    /// The same of all judged parts, those in which something is broken among them.
    pub false_per_day: Option<f64>,
    /// Such days.
    pub judged_days: f64,
    /// Incidents a day in the watched history before the judged parts, where nothing is broken either, and where a scenario has only a day
    /// of history hardly more is known than that day.
    pub false_per_history_day: Option<f64>,
    /// Such days.
    pub history_days: f64,
    /// Most cells watched in a run: a scope is one on each of its channels, and they are summed. Not to be multiplied by the channels; the
    /// scopes are fewer.
    pub cells: usize,
    /// Most scopes watched in a run, each once.
    pub scopes: usize,
    /// Channels that there are. A scope of two conditions is watched on quality, setup and drop alone, one of one condition on the levels
    /// too, and few of them on the volume.
    pub channels: usize,
    /// Incidents that blame a change which has caused nothing of it.
    pub innocent_blamed_share: Option<f64>,
    /// Causes of a change whose change is suspected first; of announced work also those said to have begun in it.
    pub guilty_change_named_share: Option<f64>,
    /// Incidents that say a rival cannot be told from their cause.
    pub abstained_share: Option<f64>,
    /// ... though cause and rival differ by as many calls as they ask for; their causes count as missed, and they as raised and not right.
    pub abstained_wrongly_share: Option<f64>,
    /// Early warnings that came true, of those whose hour was over.
    pub warning_calibration: Option<f64>,
    /// Early warnings whose hour was over.
    pub warnings: u64,
    /// Early warnings a day that did not come true; its interval has one-sided bounds, too. Null without days.
    pub false_warnings_per_day: Option<f64>,
    /// Right causes with the right owner.
    pub owner_right_share: Option<f64>,
    /// Changes that caused something and were ruled harmful.
    pub guilty_change_harmful_share: Option<f64>,
    /// Changes that caused nothing and were ruled harmful.
    pub innocent_change_harmful_share: Option<f64>,
    /// Changes that caused nothing and were cleared.
    pub innocent_change_cleared_share: Option<f64>,
    /// Whom announced works called; missing where none was planted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub works: Option<Works>,
    /// What `lead_first_median_min` is: minutes, or null for one of the infinities.
    pub lead_first_median_is: LeadIs,
    /// Likewise of `lead_third_median_min`.
    pub lead_third_median_is: LeadIs,
    /// Right causes whose first call went to the right owner, of those that called anybody: `owner_right_share` is about the owner in the end.
    pub owner_right_at_first_page_share: Option<f64>,
    /// From the onset until an open incident was about the cause's calls for good, missed as infinite: OPEN, of which `delay_median_min` is, may
    /// be about others.
    pub named_median_min: Option<f64>,
    /// Causes that are hard outages: four fifths or more of their calls are cut off, never set up or dropped.
    pub outages: usize,
    /// Those of them from where fewer than 20 reports a minute were expected: they are in neither of the two medians.
    pub outages_small: usize,
    /// From the onset of the others to OPEN, missed as infinite.
    pub outage_delay_median_min: Option<f64>,
    /// The same of those that are cut off, for whoever knew the rate of the reports that are missing: see `outage_achievable_min` of a cause.
    /// That a window must close first is left out.
    pub outage_achievable_median_min: Option<f64>,
    /// 95 % intervals of the figures above, by name; one within another by both (`leads.half_rate.first_median_min`); of
    /// `false_per_null_day`, `false_per_day` and `false_per_history_day` one-sided bounds. An end that is null is open: few values have no
    /// interval of their quantile. A figure that is null because nothing was there has two such ends.
    pub intervals: BTreeMap<String, (Option<f64>, Option<f64>)>,
}

impl Totals {
    /// Of all runs.
    pub fn of(runs: &[Fate]) -> Self {
        let all: Vec<&Fate> = runs.iter().collect();
        let causes: Vec<&CauseFate> = runs.iter().flat_map(|run| &run.causes).collect();
        let mut totals = Self {
            runs: runs.len(),
            cells: runs.iter().map(|run| run.cells).max().unwrap_or(0),
            scopes: runs.iter().map(|run| run.scopes).max().unwrap_or(0),
            channels: WATCHED_CHANNELS,
            ..Self::default()
        };
        totals.precision = totals.put_figure("precision", score::precision(&all));
        totals.recall = totals.put_figure("recall", score::recall(&all));
        totals.f1 = totals.put_figure("f1", score::f1(&all));
        totals.f1_of_oracle = totals.put_figure("f1_of_oracle", score::f1_of_oracle(&all));
        totals.by_causes(runs);
        totals.knows(&causes);
        totals.planted(&causes);
        totals.named(runs, &causes);
        totals.times(&causes);
        totals.leads_before(&causes);
        totals.outages_of(&causes);
        totals.alarms(runs);
        totals.hands_over(runs, &causes);
        totals.rules(runs);
        totals.works_on(&causes);
        totals
    }

    /// How well so many causes at a time are told apart.
    fn by_causes(&mut self, runs: &[Fate]) {
        for n in [1, 2, 3] {
            let of_n: Vec<&Fate> = runs.iter().filter(|run| run.causes.len() == n).collect();
            if !of_n.is_empty() {
                let value = self.put_figure(&format!("f1_by_causes.{n}"), score::f1(&of_n));
                self.f1_by_causes.extend(value.map(|f1| (n.to_string(), f1)));
            }
        }
    }

    /// What was missed, and what of that nobody could know.
    fn knows(&mut self, causes: &[&CauseFate]) {
        let knowable = || causes.iter().filter(|cause| cause.is_knowable());
        let missed = causes.iter().filter(|cause| !cause.named).count();
        self.missed = self.count("missed", missed, causes.len());
        let by_alias = causes.iter().filter(|cause| cause.by_alias).count();
        self.named_by_alias = self.count("named_by_alias", by_alias, causes.len() - missed);
        self.unknowable = self.count("unknowable", causes.len() - knowable().count(), causes.len());
        let named = knowable().filter(|cause| cause.named).count();
        self.recall_of_knowable = self.share("recall_of_knowable", named, knowable().count());
    }

    /// How many causes are hard to find by where they lie, and how many of those were named.
    fn planted(&mut self, causes: &[&CauseFate]) {
        let Planted {
            small,
            rivalled,
            unlogged,
        } = Planted::of(causes);
        self.small_share = self.share("small_share", small.planted, causes.len());
        self.recall_of_small = self.share("recall_of_small", small.named, small.planted);
        self.rival_share = self.share("rival_share", rivalled.planted, causes.len());
        self.recall_of_rivalled = self.share("recall_of_rivalled", rivalled.named, rivalled.planted);
        self.unlogged_share = self.share("unlogged_share", unlogged.planted, causes.len());
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
        let of = if causes.is_empty() { 0 } else { runs.len() };
        self.exact = self.share("exact", exact.count(), of);
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
                let median = self.quantile(&format!("delay_by_size.{name}"), &delays, 0.5);
                self.delay_by_size.insert(name.to_owned(), median);
            }
        }
        let named = |cause: &CauseFate| cause.named_min.unwrap_or(f64::INFINITY);
        let named = sorted(causes.iter().map(|cause| named(cause)));
        self.named_median_min = self.quantile("named_median_min", &named, 0.5);
    }

    /// How soon where nothing gets out any more.
    fn outages_of(&mut self, causes: &[&CauseFate]) {
        let outages = causes.iter().filter(|cause| cause.is_outage);
        let is_large = |cause: &&&CauseFate| cause.reports_per_minute >= SMALL_OUTAGE;
        let (large, small): (Vec<&&CauseFate>, Vec<&&CauseFate>) = outages.partition(is_large);
        (self.outages, self.outages_small) = (large.len() + small.len(), small.len());
        let delays = sorted(large.iter().map(|cause| cause.delay()));
        self.outage_delay_median_min = self.quantile("outage_delay_median_min", &delays, 0.5);
        let achievable = sorted(large.iter().filter_map(|cause| cause.outage_achievable_min));
        self.outage_achievable_median_min = self.quantile("outage_achievable_median_min", &achievable, 0.5);
    }

    /// How long before complaints.
    fn leads_before(&mut self, causes: &[&CauseFate]) {
        let leads = |which: usize| sorted(causes.iter().map(|cause| cause.leads(USUAL_RATE)[which]));
        let [first, third] = [leads(0), leads(1)];
        (self.lead_first_median_min, self.lead_first_median_is) = self.lead("lead_first_median_min", &first);
        (self.lead_third_median_min, self.lead_third_median_is) = self.lead("lead_third_median_min", &third);
        let before = |leads: &[f64]| leads.iter().filter(|lead| **lead > 0.0).count();
        self.found_before_first_share = self.share("found_before_first_share", before(&first), causes.len());
        self.found_before_third_share = self.share("found_before_third_share", before(&third), causes.len());
        let is_small = |cause: &CauseFate| cause.usual_poor_per_minute <= 1.0;
        let usual = |cause: &&CauseFate| cause.leads(USUAL_RATE);
        let small = causes.iter().filter(|cause| is_small(cause));
        let ramps = causes.iter().filter(|cause| cause.is_growing);
        let abrupt = causes.iter().filter(|cause| !is_small(cause) && !cause.is_growing);
        self.leads_where("half_rate", causes.iter().map(|cause| cause.leads(0)));
        self.leads_where("double_rate", causes.iter().map(|cause| cause.leads(2)));
        self.leads_where("up_to_1", small.map(usual));
        self.leads_where("ramps", ramps.map(usual));
        self.leads_where("above_1_abrupt", abrupt.map(usual));
    }

    /// How long before complaints, in other circumstances.
    fn leads_where(&mut self, name: &'static str, leads: impl Iterator<Item = [f64; 2]>) {
        let (first, third): (Vec<f64>, Vec<f64>) = leads.map(|[first, third]| (first, third)).unzip();
        let [first, third] = [first, third].map(|leads| sorted(leads.into_iter()));
        let before = |leads: &[f64]| leads.iter().filter(|lead| **lead > 0.0).count();
        let of = |figure: &str| format!("leads.{name}.{figure}");
        let (first_median_min, first_median_is) = self.lead(&of("first_median_min"), &first);
        let (third_median_min, third_median_is) = self.lead(&of("third_median_min"), &third);
        let leads = Leads {
            first_median_min,
            third_median_min,
            before_first_share: self.share(&of("before_first_share"), before(&first), first.len()),
            before_third_share: self.share(&of("before_third_share"), before(&third), third.len()),
            first_median_is,
            third_median_is,
        };
        self.leads.insert(name, leads);
    }

    /// What should not have been raised.
    fn alarms(&mut self, runs: &[Fate]) {
        let all: Vec<&Fate> = runs.iter().collect();
        self.duplicates_per_incident = self.put_figure("duplicates_per_incident", score::duplicates(&all));
        let quiet = || runs.iter().filter(|run| run.causes.is_empty());
        let raised = quiet().map(|run| run.false_incidents).sum();
        self.null_days = interval::sum(quiet().map(|run| run.days));
        self.false_per_null_day = self.a_day("false_per_null_day", raised, self.null_days);
        let raised = runs.iter().map(|run| run.false_incidents).sum();
        self.judged_days = interval::sum(runs.iter().map(|run| run.days));
        self.false_per_day = self.a_day("false_per_day", raised, self.judged_days);
        let raised = runs.iter().map(|run| run.false_in_history).sum();
        self.history_days = interval::sum(runs.iter().map(|run| run.history_days));
        self.false_per_history_day = self.a_day("false_per_history_day", raised, self.history_days);
    }

    /// So many in so many days, if there were any days.
    fn a_day(&mut self, name: &str, raised: usize, days: f64) -> Option<f64> {
        (days > 0.0).then(|| self.put(name, real(raised) / days, interval::rate(raised, days)))
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
        let (right, n) = answers(|cause| cause.guilty_first);
        self.guilty_change_named_share = self.share("guilty_change_named_share", right, n);
        let (right, n) = answers(|cause| cause.owner_right);
        self.owner_right_share = self.share("owner_right_share", right, n);
        let (right, n) = answers(|cause| cause.owner_right_at_first_page);
        self.owner_right_at_first_page_share = self.share("owner_right_at_first_page_share", right, n);
    }

    /// What is warned of.
    fn warns(&mut self, runs: &[Fate]) {
        let sum = |of: fn(&Fate) -> u64| usize::try_from(runs.iter().map(of).sum::<u64>()).unwrap_or(usize::MAX);
        let (given, came_true) = (sum(|run| run.warnings), sum(|run| run.warnings_true));
        self.warnings = u64::try_from(given).unwrap_or(u64::MAX);
        self.warning_calibration = self.share("warning_calibration", came_true, given);
        let days = interval::sum(runs.iter().map(|run| run.days_in_all));
        self.false_warnings_per_day = self.a_day("false_warnings_per_day", given - came_true, days);
    }

    /// What is said of changes.
    fn rules(&mut self, runs: &[Fate]) {
        let sum = |of: fn(&Fate) -> usize| runs.iter().map(of).sum::<usize>();
        let guilty = sum(|run| run.guilty_changes.all());
        let innocent = sum(|run| run.innocent_changes.all());
        let found = self.share(
            "guilty_change_harmful_share",
            sum(|run| run.guilty_changes.harmful),
            guilty,
        );
        let wronged = self.share(
            "innocent_change_harmful_share",
            sum(|run| run.innocent_changes.harmful),
            innocent,
        );
        let cleared = self.share(
            "innocent_change_cleared_share",
            sum(|run| run.innocent_changes.harmless),
            innocent,
        );
        self.guilty_change_harmful_share = found;
        self.innocent_change_harmful_share = wronged;
        self.innocent_change_cleared_share = cleared;
    }

    /// Whom announced works called.
    fn works_on(&mut self, causes: &[&CauseFate]) {
        let works = Works::of(causes.iter().filter_map(|cause| cause.announced_work));
        if works.announced > 0 {
            for (name, k, n) in works.parts() {
                self.count(name, k, n);
            }
            self.works = Some(works);
        }
    }

    fn put(&mut self, name: &str, value: f64, (low, high): Interval) -> f64 {
        self.intervals.insert(name.to_owned(), (finite(low), finite(high)));
        value
    }

    /// So many of `n`: the interval is that of their share, of as many.
    fn count(&mut self, name: &str, k: usize, n: usize) -> usize {
        let (low, high) = interval::share(k, n);
        self.put(name, real(k), (low * real(n), high * real(n)));
        k
    }

    /// A figure, if there is anything to measure.
    fn put_figure(&mut self, name: &str, (value, interval): Figure) -> Option<f64> {
        let interval = if value.is_some() { interval } else { interval::NOTHING };
        self.put(name, value.unwrap_or(f64::NAN), interval);
        value
    }

    /// A share of `n`; of none there is no share.
    fn share(&mut self, name: &str, k: usize, n: usize) -> Option<f64> {
        let value = (n > 0).then(|| real(k) / real(n));
        self.put_figure(name, (value, interval::share(k, n)))
    }

    fn quantile(&mut self, name: &str, sorted: &[f64], q: f64) -> Option<f64> {
        let value = self.put(name, quantile(sorted, q), interval::quantile(sorted, q));
        finite(value)
    }

    /// The median of leads, and what it is.
    fn lead(&mut self, name: &str, sorted: &[f64]) -> (Option<f64>, LeadIs) {
        let median = self.quantile(name, sorted, 0.5);
        (median, LeadIs::of(quantile(sorted, 0.5)))
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
pub(super) mod tests {
    use super::{
        super::{
            fate::{Rulings, tests::cause},
            work::WorkFate,
        },
        *,
    };

    /// One of these causes, with so many false incidents.
    pub(in crate::evaluate) fn run(causes: Vec<CauseFate>, false_incidents: usize) -> Fate {
        Fate {
            scenario: "x".into(),
            seed: 1,
            incidents: causes.iter().filter(|cause| cause.named).count() + false_incidents,
            causes,
            false_incidents,
            false_in_history: 1,
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
            history_days: 1.0,
            days_in_all: 2.0,
            cells: 7,
            scopes: 3,
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
            (Some(0.5), Some(2.0 / 3.0), Some(4.0 / 7.0))
        );
        // 121 minutes are one more than it lasted; the other two were named.
        assert_eq!((totals.unknowable, totals.recall_of_knowable), (1, Some(1.0)));
        assert_eq!(totals.f1_of_oracle, Some(0.8), "two right, two raised, three planted");
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
        assert_eq!(totals.found_before_first_share, Some(1.0 / 3.0));
        assert_eq!(
            totals.found_before_third_share,
            Some(2.0 / 3.0),
            "nobody has complained three times"
        );
        // Twice as readily the first complaint was also the third, 5 minutes before and 5 after; half as readily nobody complained.
        let (half, double) = (totals.leads["half_rate"], totals.leads["double_rate"]);
        assert_eq!(
            (half.before_first_share, half.first_median_min),
            (Some(2.0 / 3.0), None)
        );
        assert_eq!(half.first_median_is, LeadIs::WithoutComplaint);
        assert_eq!(
            (double.before_third_share, double.third_median_min),
            (Some(1.0 / 3.0), Some(-5.0))
        );
        assert_eq!(
            totals.leads["up_to_1"].before_first_share,
            Some(0.5),
            "without the large one"
        );
        assert_eq!((totals.null_days, totals.false_per_null_day), (2.0, Some(0.5)));
        assert_eq!((totals.judged_days, totals.false_per_day), (6.0, Some(1.0 / 3.0)));
        assert_eq!((totals.history_days, totals.false_per_history_day), (3.0, Some(1.0)));
        assert_eq!(totals.f1_by_causes["1"], 1.0);
        assert_eq!((totals.exact, totals.owner_right_share), (Some(1.0 / 3.0), Some(1.0)));
        // Three runs of two days with four warnings each, of which three came true; four incidents, three abstained.
        assert_eq!((totals.warnings, totals.warning_calibration), (12, Some(0.75)));
        assert_eq!(
            (totals.false_warnings_per_day, totals.abstained_share),
            (Some(0.5), Some(0.75))
        );
        assert_eq!(Totals::of(&[]).false_warnings_per_day, None, "no day");
    }

    /// Of four causes three are named, one of them by an alias: at most all three.
    #[test]
    fn causes_that_only_an_alias_names_are_counted_and_named_all_the_same() {
        let named = || cause(Some(10.0), None, 0.4);
        let aliased = CauseFate {
            by_alias: true,
            ..named()
        };
        let totals = Totals::of(&[run(vec![aliased, named(), named(), cause(None, None, 0.4)], 0)]);
        assert_eq!((totals.named_by_alias, totals.recall), (1, Some(0.75)));
        let (low, high) = totals.intervals["named_by_alias"];
        assert!(low.is_some_and(|low| low < 1.0) && high.is_some_and(|high| (1.0..=3.0).contains(&high)));
    }

    /// One small and named, one small with a rival and missed, one large in no dimension. Of eight causes none is small: nothing is said of
    /// how many were named.
    #[test]
    fn what_is_hard_to_find_by_where_it_lies_has_its_share_and_its_recall() {
        let small = |delay_min| CauseFate {
            calls_a_day: Some(299.0),
            ..cause(delay_min, None, 0.1)
        };
        let beside = CauseFate {
            rival_jaccard: Some(0.5),
            ..small(None)
        };
        let unlogged = CauseFate {
            has_place: false,
            calls_a_day: None,
            ..cause(Some(10.0), None, 2.0)
        };
        let totals = Totals::of(&[run(vec![small(Some(10.0)), beside], 0), run(vec![unlogged], 0)]);
        assert_eq!(
            (totals.small_share, totals.recall_of_small),
            (Some(2.0 / 3.0), Some(0.5))
        );
        assert_eq!(
            (totals.rival_share, totals.recall_of_rivalled),
            (Some(1.0 / 3.0), Some(0.0))
        );
        assert_eq!(totals.unlogged_share, Some(1.0 / 3.0));
        for name in [
            "small_share",
            "recall_of_small",
            "rival_share",
            "recall_of_rivalled",
            "unlogged_share",
        ] {
            assert!(totals.intervals.contains_key(name), "{name}");
        }
        let large = Totals::of(&[run(vec![cause(None, None, 2.0); 8], 0)]);
        assert_eq!((large.small_share, large.recall_of_small), (Some(0.0), None));
        let (low, high) = large.intervals["small_share"];
        // 3.84 / (8 + 3.84) = 0.324.
        assert!(low.is_some_and(|low| low < 1e-9) && high.is_some_and(|high| (high - 0.324).abs() < 1e-3));
        assert_eq!(large.intervals["recall_of_small"], (None, None));
    }

    /// Two announced works, one of which overran and called then. Where none is planted nothing is said of any.
    #[test]
    fn works_have_figures_where_there_are_any() {
        let work = |overran: bool| CauseFate {
            announced_work: Some(WorkFate {
                noticed: true,
                paged_during: false,
                overran,
                paged_after: overran,
            }),
            ..cause(Some(10.0), None, 2.0)
        };
        let totals = Totals::of(&[run(vec![work(true), work(false)], 0)]);
        let works = totals.works.expect("there are some");
        assert_eq!((works.announced, works.noticed, works.paged_during), (2, 2, 0));
        assert_eq!((works.overran, works.overruns_paged), (1, 1));
        assert_eq!((works.in_time, works.in_time_paged), (1, 0));
        let (low, high) = totals.intervals["works.paged_during"];
        assert!(low.is_some_and(|low| low < 1e-9) && high.is_some_and(|high| (1.0..2.0).contains(&high)));
        let json = |totals: &Totals| serde_json::to_value(totals).expect("JSON");
        assert_eq!(json(&totals)["works"]["overruns_paged"], 1);
        let none = json(&Totals::of(&[run(vec![cause(Some(10.0), None, 2.0)], 0)]));
        assert!(none.get("works").is_none(), "{none}");
    }

    /// One without odds, one of which nobody could know, one whose onset is told every other time: 1.5 right of two raised and three
    /// planted. That the first was missed and another one raised is no matter to whoever knows.
    #[test]
    fn an_oracle_is_wrong_where_the_onset_cannot_be_told() {
        let knowable = |after: f64| CauseFate {
            odds: Some(2.0),
            knowable_after_min: Some(after),
            onset_tellable: Some(0.5),
            ..cause(Some(10.0), None, 2.0)
        };
        let runs = [
            run(vec![cause(None, None, 2.0), knowable(121.0)], 1),
            run(vec![knowable(120.0)], 0),
        ];
        assert_eq!(Totals::of(&runs).f1_of_oracle, Some(0.6));
        assert_eq!(Totals::of(&[]).f1_of_oracle, None, "of nothing there is no score");
    }

    /// Delays of 1 to 12 minutes: fewer than 3 lie below their median in 1.9 % of all cases, fewer than 4 in 7.3 %. Of twelve none is missed: at
    /// most 12 · 3.84/15.84 = 2.91. All are named and nothing else is raised: F* is at least 12/15.84 = .758, F1 2 · .758/1.758 = .862.
    #[test]
    fn what_lies_within_a_figure_has_an_interval_too() {
        let runs: Vec<Fate> = (1..=12)
            .map(|n: u8| run(vec![cause(Some(f64::from(n)), Some(3.0), 0.4)], 0))
            .collect();
        let totals = Totals::of(&runs);
        assert_eq!(totals.intervals["delay_by_size.0.3_to_0.6"], (Some(3.0), Some(10.0)));
        let (low, high) = totals.intervals["f1_by_causes.1"];
        assert!(
            low.is_some_and(|low| (low - 0.862).abs() < 1e-3) && high.is_some_and(|high| (high - 1.0).abs() < 1e-9)
        );
        let (low, high) = totals.intervals["missed"];
        assert!(low.is_some_and(|low| low < 1e-9) && high.is_some_and(|high| (high - 2.91).abs() < 0.01));
        assert_eq!(
            totals.intervals["leads.double_rate.first_median_min"],
            (Some(3.0), Some(3.0))
        );
        assert_eq!(
            totals.intervals["leads.half_rate.first_median_min"],
            (None, None),
            "nobody complains"
        );
        let share = "leads.up_to_1.before_first_share";
        assert_eq!(totals.intervals[share], totals.intervals["found_before_first_share"]);
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
            ("delay_median_min", totals.delay_median_min),
            ("exact", totals.exact),
        ] {
            let value = value.expect("a figure");
            let (low, high) = totals.intervals[name];
            assert!(
                low.is_none_or(|low| low <= value) && high.is_none_or(|high| high >= value),
                "{name}"
            );
        }
    }

    /// Of runs without a cause in which nothing was raised. A day without such runs is a whole 0.
    #[test]
    fn what_nothing_was_there_to_measure_is_null() {
        let json = |totals: &Totals| serde_json::to_value(totals).expect("JSON");
        let quiet = json(&Totals::of(&[run(Vec::new(), 0)]));
        for name in [
            "precision",
            "recall",
            "f1",
            "top1",
            "top3",
            "exact",
            "recall_of_knowable",
            "found_before_first_share",
            "duplicates_per_incident",
            "outage_delay_median_min",
            "named_median_min",
            "owner_right_at_first_page_share",
        ] {
            assert!(quiet[name].is_null(), "{name}");
            assert!(
                quiet["intervals"][name][0].is_null() && quiet["intervals"][name][1].is_null(),
                "{name}"
            );
        }
        assert_eq!(quiet["lead_first_median_is"], "nothing_planted");
        let broken = json(&Totals::of(&[run(vec![cause(None, Some(5.0), 0.4)], 0)]));
        assert_eq!(broken["null_days"].to_string(), "0.0");
        assert_eq!(
            (broken["recall"].as_f64(), broken["precision"].as_f64()),
            (Some(0.0), None)
        );
        assert_eq!(broken["lead_first_median_is"], "missed");
    }

    /// 20 reports a minute are expected of two, told after 3 minutes, 2 at best, and missed; 19 of a third, told after 9; a cause of another
    /// kind is told after 10. The first called another team first, and was about its scope two minutes later: named after 5, 9, 10 minutes
    /// and never.
    #[test]
    fn outages_and_first_calls_have_figures_of_their_own() {
        let outage = |delay_min| CauseFate {
            is_outage: true,
            reports_per_minute: 20.0,
            outage_achievable_min: Some(2.0),
            ..cause(delay_min, None, 0.4)
        };
        let small = CauseFate {
            reports_per_minute: 19.0,
            ..outage(Some(9.0))
        };
        let first = CauseFate {
            owner_right_at_first_page: Some(false),
            named_min: Some(5.0),
            ..outage(Some(3.0))
        };
        let never_set_up = CauseFate {
            outage_achievable_min: None,
            ..outage(Some(10.0))
        };
        let causes = vec![first, outage(None), never_set_up, small, cause(Some(10.0), None, 0.4)];
        let totals = Totals::of(&[run(causes, 0)]);
        assert_eq!((totals.outages, totals.outages_small), (4, 1));
        assert_eq!(totals.outage_delay_median_min, Some(10.0), "of 3, 10 and never");
        assert_eq!(
            totals.outage_achievable_median_min,
            Some(2.0),
            "of 2 and 2: reports still come where no call is set up"
        );
        assert_eq!(
            (totals.delay_median_min, totals.named_median_min),
            (Some(10.0), Some(10.0))
        );
        assert_eq!(
            (totals.owner_right_share, totals.owner_right_at_first_page_share),
            (Some(1.0), Some(3.0 / 4.0))
        );
    }
}
