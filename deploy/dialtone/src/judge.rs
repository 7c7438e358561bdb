//! Was every planted cause named, and nothing else raised? What `demo` prints and its tests assert.

use std::collections::BTreeMap;

use dialtone_schemas::{Dimension, EventTime, Incident, Leaf, Scope, State, time};
use dialtone_simulator::{Cause, Truth};
use serde::{Deserialize, Serialize};

/// A scope is named when it, or an alias of it, covers the same calls to this degree (Jaccard).
const SAME_CALLS: f64 = 0.9;
/// The onset is named when it is this near.
pub const ONSET_TOLERANCE: i64 = 5 * time::MINUTE;

/// The calls of a run by leaf: what scopes are compared by.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Calls(BTreeMap<Leaf, u64>);

impl Calls {
    /// Counts one event's near end.
    pub fn add(&mut self, leaf: &Leaf) {
        match self.0.get_mut(leaf) {
            Some(count) => *count += 1,
            None => {
                self.0.insert(leaf.clone(), 1);
            }
        }
    }

    /// Do both scopes cover the same calls?
    pub fn are_the_same(&self, a: &Scope, b: &Scope) -> bool {
        self.jaccard(a, b) >= SAME_CALLS
    }

    /// Are the calls of the first scope calls of the second?
    pub fn are_within(&self, inner: &Scope, outer: &Scope) -> bool {
        let (mut all, mut inside) = (0u64, 0u64);
        for (leaf, count) in self.0.iter().filter(|(leaf, _)| inner.covers(leaf)) {
            all += count;
            inside += if outer.covers(leaf) { *count } else { 0 };
        }
        #[allow(clippy::cast_precision_loss, reason = "counts of calls")]
        let is_within = all > 0 && inside as f64 >= SAME_CALLS * all as f64;
        is_within
    }

    /// How many calls of a scope lie outside another one.
    pub fn outside(&self, scope: &Scope, other: &Scope) -> u64 {
        let is_outside = |leaf: &Leaf| scope.covers(leaf) && !other.covers(leaf);
        let outside = self.0.iter().filter(|(leaf, _)| is_outside(leaf));
        outside.map(|(_, count)| count).sum()
    }

    /// Share of the calls of either scope that both cover.
    pub fn jaccard(&self, a: &Scope, b: &Scope) -> f64 {
        let (mut both, mut either) = (0u64, 0u64);
        for (leaf, count) in &self.0 {
            let (in_a, in_b) = (a.covers(leaf), b.covers(leaf));
            both += if in_a && in_b { *count } else { 0 };
            either += if in_a || in_b { *count } else { 0 };
        }
        #[allow(clippy::cast_precision_loss, reason = "counts of calls")]
        let share = both as f64 / either.max(1) as f64;
        share
    }
}

/// What became of one planted cause.
#[derive(Clone, Debug)]
pub struct Named<'a> {
    /// The planted cause.
    pub cause: &'a Cause,
    /// The incident that names it.
    pub incident: Option<&'a Incident>,
}

/// The comparison of a run's incidents with its truth.
#[derive(Clone, Debug)]
pub struct Judgement<'a> {
    /// Every planted cause.
    pub causes: Vec<Named<'a>>,
    /// Incidents that name no planted cause, duplicates included.
    pub others: Vec<&'a Incident>,
    /// Incidents that say of the collector gap what it is: no cause, and no false alarm.
    pub gaps: Vec<&'a Incident>,
}

impl<'a> Judgement<'a> {
    /// Compares.
    pub fn of(truth: &'a Truth, incidents: &'a [Incident], calls: &Calls) -> Self {
        let (gaps, mut others): (Vec<&Incident>, Vec<&Incident>) = incidents
            .iter()
            .filter(|i| i.opened.is_some() && !is_the_end(i, truth))
            .partition(|incident| tells_of_gap(incident, truth, calls));
        let mut causes: Vec<Named<'a>> = truth
            .causes
            .iter()
            .map(|cause| Named { cause, incident: None })
            .collect();
        // What lies in no dimension last: an incident that says so may name another cause.
        for has_place in [true, false] {
            for named in causes.iter_mut().filter(|named| named.cause.has_place() == has_place) {
                let found = others.iter().position(|incident| names(incident, named.cause, calls));
                named.incident = found.map(|i| others.remove(i));
            }
        }
        Self { causes, others, gaps }
    }

    /// Every cause named and nothing else raised?
    pub fn is_clean(&self) -> bool {
        self.others.is_empty() && self.causes.iter().all(|named| named.incident.is_some())
    }
}

/// Is it the silence after the last simulated report?
fn is_the_end(incident: &Incident, truth: &Truth) -> bool {
    let is_over = matches!(incident.state, State::Recovering | State::Closed);
    incident.is_silence_of_everything() && !is_over && truth.end <= incident.onset.to.plus(ONSET_TOLERANCE)
}

/// Does it say, in its time, that the reports of the site with the collector gap are missing, and not its calls?
fn tells_of_gap(incident: &Incident, truth: &Truth, calls: &Calls) -> bool {
    let Some(gap) = truth.gap.as_ref().filter(|_| incident.is_of_reports()) else {
        return false;
    };
    let site = Scope::new([(Dimension::Site, gap.site.clone())]);
    let in_time = incident
        .opened
        .is_some_and(|opened| (gap.from..=gap.until).contains(&opened));
    in_time && calls.are_within(&incident.scope, &site)
}

/// Is it about the cause, and near enough in time?
fn names(incident: &Incident, cause: &Cause, calls: &Calls) -> bool {
    is_about(incident, cause, calls) && off(incident, cause.onset).abs() <= ONSET_TOLERANCE
}

/// Same calls, or of what no report has a dimension for that it lies outside of them?
pub fn is_about(incident: &Incident, cause: &Cause, calls: &Calls) -> bool {
    let says_so = !cause.has_place() && incident.is_outside_the_dimensions();
    says_so || has_scope_of(incident, cause, calls)
}

/// Is the incident's scope, or an alias of it, the cause's? Of one device, is it that device? What lies in no dimension has no scope.
pub fn has_scope_of(incident: &Incident, cause: &Cause, calls: &Calls) -> bool {
    if !cause.has_place() {
        return false;
    }
    match &cause.device_id {
        Some(device) => incident.device_id.as_ref() == Some(device),
        None => {
            let mut scopes = std::iter::once(&incident.scope).chain(&incident.aliases);
            incident.device_id.is_none() && scopes.any(|scope| calls.are_the_same(scope, &cause.scope))
        }
    }
}

/// Is it an alias of the incident alone that is the cause's scope, and not the scope that the incident calls its own?
pub fn has_scope_by_alias(incident: &Incident, cause: &Cause, calls: &Calls) -> bool {
    has_scope_of(incident, cause, calls)
        && cause.device_id.is_none()
        && !calls.are_the_same(&incident.scope, &cause.scope)
}

/// How far the middle of the onset that the incident says lies behind the true one, in microseconds.
pub fn off(incident: &Incident, onset: EventTime) -> i64 {
    let (from, to) = (incident.onset.from, incident.onset.to);
    from.plus(to.since(from) / 2).since(onset)
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Text, incident::Onset};
    use dialtone_simulator::FaultKind;

    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text).expect("a text")
    }

    fn at() -> EventTime {
        EventTime::parse("2026-03-03T08:00:00Z").expect("a time")
    }

    fn berlin() -> Scope {
        Scope::new([(Dimension::Site, text("berlin"))])
    }

    /// Berlin's uplink, or one device there.
    fn cause(device_id: Option<Text>) -> Cause {
        Cause {
            id: text("cause-1"),
            kind: FaultKind::SiteUplink,
            scope: berlin(),
            aliases: Vec::new(),
            device_id,
            onset: at(),
            until: None,
            change_id: None,
            owner: text("lan"),
            channel: text("loss"),
            odds: None,
            work: None,
            calls_a_day: None,
            rival: None,
        }
    }

    /// Of Berlin's ten calls so many from the hall, the others from its annex.
    fn calls(from_hall: usize) -> Calls {
        let mut calls = Calls::default();
        for call in 0..10 {
            calls.add(&Leaf {
                site: Some(text("berlin")),
                building: Some(text(if call < from_hall { "hall" } else { "annex" })),
                ..Leaf::default()
            });
        }
        calls
    }

    /// An incident of a scope that may be called by another one, too.
    fn incident(scope: Scope, aliases: Vec<Scope>) -> Incident {
        let onset = Onset { from: at(), to: at() };
        Incident {
            aliases,
            ..Incident::opened(text("i-1"), text("acme"), scope, text("lan"), onset, at())
        }
    }

    /// The hall has 8 of 10 calls: it is Berlin by its alias alone, and without that not at all. With 9 of 10 it is Berlin by itself.
    #[test]
    fn a_cause_is_named_by_an_alias_where_the_scope_of_the_incident_is_another() {
        let hall = || Scope::new([(Dimension::Building, text("hall"))]);
        let by_alias = incident(hall(), vec![berlin()]);
        let cause = cause(None);
        assert!(has_scope_of(&by_alias, &cause, &calls(8)) && has_scope_by_alias(&by_alias, &cause, &calls(8)));
        assert!(has_scope_of(&by_alias, &cause, &calls(9)) && !has_scope_by_alias(&by_alias, &cause, &calls(9)));
        let without = incident(hall(), Vec::new());
        assert!(!has_scope_of(&without, &cause, &calls(8)) && !has_scope_by_alias(&without, &cause, &calls(8)));
        let itself = incident(berlin(), vec![hall()]);
        assert!(has_scope_of(&itself, &cause, &calls(8)) && !has_scope_by_alias(&itself, &cause, &calls(8)));
    }

    #[test]
    fn a_device_is_named_by_itself_and_by_no_alias() {
        let device = Some(text("d-1"));
        let of_device = Incident {
            device_id: device.clone(),
            ..incident(Scope::new([(Dimension::Building, text("hall"))]), vec![berlin()])
        };
        let cause = cause(device);
        assert!(has_scope_of(&of_device, &cause, &calls(8)) && !has_scope_by_alias(&of_device, &cause, &calls(8)));
    }
}
