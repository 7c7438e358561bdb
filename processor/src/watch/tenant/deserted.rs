//! A scope that no call passes any more: a version that was taken back, a relay that was drained. Its quality cannot come back, and need not.

use std::collections::BTreeMap;

use dialtone_explain::Condition;
use dialtone_schemas::{Dimension, EventTime, Window, time};

use super::Tenant;
use crate::watch::{baseline::real, book::Case};

/// Call-ends that a scope would have of its sites' calls, and of which none came: e⁻³⁰ by chance.
const MISSED: f64 = 30.0;
/// The same where nobody remembers any more how many calls there were before.
const MISSED_FOR_HOURS: f64 = 300.0;
/// So long at least.
const PATIENCE: i64 = 15 * time::MINUTE;
/// What its sites' calls are compared with: those of so long before.
const BEFORE: i64 = time::HOUR;
/// It is looked for so often.
const EVERY: i64 = 5 * time::MINUTE;
/// Nobody leaves these: where they are silent, calls are lost, or people at home.
const PLACES: [Dimension; 3] = [Dimension::Site, Dimension::Building, Dimension::Segment];

impl Tenant {
    /// Do a case's calls go over something else by now? Nobody of its sites has called over its scope for long enough, and there are as many calls
    /// as before, or no more than half of the scope's share are missing: else they are lost, or their people at home.
    pub(super) fn is_deserted(&self, case: &Case, channel: usize, now: EventTime) -> bool {
        let can_be_left = |c: &Condition| PLACES.iter().all(|place| place.index() != c.attribute);
        if now.floor(EVERY) != now || !case.conditions.iter().any(can_be_left) {
            return false;
        }
        let since = self.last_inside(case, channel);
        if now.since(since) < PATIENCE {
            return false;
        }
        let before = self.calls_by_site(channel, (since.plus(-BEFORE), since));
        let came = self.calls_by_site(channel, (since, now));
        #[allow(clippy::cast_precision_loss, reason = "hours in microseconds are far below 2^52")]
        let hours = now.since(since) as f64 / BEFORE as f64;
        let (mut missed, mut missing) = (0.0, 0.0);
        for (site, share) in self.shares_of(|_, codes| case.covers(codes)) {
            let of = |calls: &BTreeMap<u32, f64>| calls.get(&site).copied().unwrap_or(0.0);
            missed += share * of(&came);
            missing += hours * of(&before) * (1.0 - share / 2.0) - of(&came);
        }
        let first = self.ring.all().next().map(|(window, _)| window.start());
        let is_remembered = first.is_some_and(|first| first <= since.plus(-BEFORE));
        if is_remembered {
            missed >= MISSED && missing <= 0.0
        } else {
            missed >= MISSED_FOR_HOURS
        }
    }

    /// When the last calls over a case's scope were reported, or it began.
    fn last_inside(&self, case: &Case, channel: usize) -> EventTime {
        let onset = Window::of_end(case.incident.onset.from.plus(1));
        let has_calls = |(leaf, n): (&u32, i64)| n > 0 && case.covers(self.dictionary.codes(*leaf));
        let mut latest_first = self.ring.since(onset).rev();
        let last = latest_first.find(|(_, slice)| {
            let mut leaves = slice.leaves.iter().map(|(leaf, counts)| (leaf, counts.n[channel]));
            leaves.any(has_calls)
        });
        last.map_or(onset.start(), |(window, _)| window.end())
    }

    /// Call-ends of the windows between two instants, by site.
    fn calls_by_site(&self, channel: usize, (from, to): (EventTime, EventTime)) -> BTreeMap<u32, f64> {
        let mut calls = BTreeMap::new();
        let windows = self.ring.since(Window::of_end(from.plus(1)));
        for (_, slice) in windows.take_while(|(window, _)| window.end() <= to) {
            for (leaf, counts) in &slice.leaves {
                let site = self.dictionary.codes(*leaf)[Dimension::Site.index()];
                *calls.entry(site).or_default() += real(counts.n[channel]);
            }
        }
        calls
    }
}
