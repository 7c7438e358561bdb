//! A tenant driven minute by minute with rates that tests write down: no chance, no clock.

use std::collections::BTreeMap;

use dialtone_schemas::{
    EventTime, Leaf, Scope, Summary, SummaryKind, Text, Tick, Window,
    summary::{ChannelSums, Sums},
    time,
};

use super::{Tenant, Told};
use crate::{config::WatchConfig, watch::history::Days};

/// The calls of one leaf: call-ends a minute, and the share of them that is poor.
pub(super) type Calls = (Leaf, i64, f64);

/// A tenant on its way, from Monday 2 March 2026, midnight.
pub(super) struct Drive {
    pub(super) tenant: Tenant,
    pub(super) config: WatchConfig,
    minute: i64,
    /// Poor call-ends that a leaf is in arrears with: shares of them add up to whole ones.
    arrears: BTreeMap<Leaf, f64>,
    /// Where the jitter of a site's call-ends lies, each minute: bins with their counts. Nothing is told of other sites'.
    pub(super) jitter: BTreeMap<Text, Vec<(u16, i64)>>,
    /// How many of each of a site's leaves' call-ends fail to be set up, each minute.
    pub(super) failed: BTreeMap<Text, i64>,
}

impl Drive {
    pub(super) fn new() -> Self {
        Self {
            tenant: Tenant::new(text("acme")),
            config: WatchConfig::default(),
            minute: 0,
            arrears: BTreeMap::new(),
            jitter: BTreeMap::new(),
            failed: BTreeMap::new(),
        }
    }

    /// A tenant that has studied whole days with these calls, and begins to watch at the midnight after them.
    pub(super) fn after_study(days: i64, calls: impl Fn(EventTime) -> Vec<Calls>) -> Self {
        let mut drive = Self::new();
        let mut past = Days::default();
        while drive.now() < day(days, 0) {
            for summary in drive.summaries(&calls(drive.now())) {
                past.add(&summary);
            }
            drive.minute += 1;
        }
        let past = past.take_before(drive.now().day());
        drive.tenant.study(past, &drive.config);
        drive
    }

    /// Now: the end of the last minute.
    pub(super) fn now(&self) -> EventTime {
        at(self.minute)
    }

    /// The next minute with these calls, and what it tells.
    pub(super) fn minute(&mut self, calls: &[Calls]) -> Told {
        for summary in self.summaries(calls) {
            self.tenant.summary(&summary, 0);
        }
        self.minute += 1;
        self.tenant.minute(self.now(), &self.config)
    }

    fn summaries(&mut self, calls: &[Calls]) -> Vec<Summary> {
        let window = Window::of_end(at(self.minute + 1));
        let mut summaries = Vec::new();
        for (leaf, n, share) in calls {
            let arrears = self.arrears.entry(leaf.clone()).or_default();
            *arrears += share * f64::from(i32::try_from(*n).expect("few"));
            let poor = arrears.floor();
            *arrears -= poor;
            #[allow(clippy::cast_possible_truncation, reason = "few")]
            let mut summary = summary(leaf, window, *n, poor as i64);
            let jitter = leaf.site.as_ref().and_then(|site| self.jitter.get(site));
            if let Some(sums) = &mut summary.sums {
                let bins = jitter.into_iter().flatten();
                bins.for_each(|(bin, count)| sums.jitter_histogram.add(*bin, *count));
                let failed = leaf.site.as_ref().and_then(|site| self.failed.get(site));
                sums.setup.poor = failed.copied().unwrap_or(0);
            }
            summaries.push(summary);
        }
        summaries
    }

    /// Minutes with the same calls until an instant; everything that is told.
    pub(super) fn until(&mut self, end: EventTime, calls: impl Fn(EventTime) -> Vec<Calls>) -> Told {
        let mut all = Told::default();
        while self.now() < end {
            let told = self.minute(&calls(self.now()));
            all.alerts.extend(told.alerts);
            all.verdicts.extend(told.verdicts);
        }
        all
    }
}

/// So many minutes after the beginning.
pub(super) fn at(minute: i64) -> EventTime {
    let monday = EventTime::parse("2026-03-02T00:00:00Z").expect("a time");
    monday.plus(minute * time::MINUTE)
}

/// An hour of a day from the first Monday on.
pub(super) fn day(day: i64, hour: i64) -> EventTime {
    at((day * 24 + hour) * 60)
}

pub(super) fn text(value: &str) -> Text {
    Text::new(value).expect("a text")
}

/// A leaf at a site with a headset.
pub(super) fn leaf(site: &str, headset: &str) -> Leaf {
    Leaf {
        site: Some(text(site)),
        headset: Some(text(headset)),
        ..Leaf::default()
    }
}

/// Berlin and Lyon with sixty call-ends a minute each, of which these shares are poor.
pub(super) fn two(berlin: f64, lyon: f64) -> Vec<Calls> {
    vec![
        (leaf("berlin", "Aural 20"), 60, berlin),
        (leaf("lyon", "Aural 20"), 60, lyon),
    ]
}

pub(super) fn site(name: &str) -> Scope {
    Scope::new([(dialtone_schemas::Dimension::Site, text(name))])
}

/// What is poor is so by its jitter.
pub(super) fn summary(near: &Leaf, window: Window, n: i64, poor: i64) -> Summary {
    let quality = ChannelSums {
        at_risk: n,
        poor,
        media_ms: n * 60_000,
        poor_ms: poor * 60_000,
    };
    let at_end = ChannelSums {
        poor: 0,
        poor_ms: 0,
        ..quality
    };
    let sums = Sums {
        events: n,
        ends: n,
        quality,
        jitter: quality,
        setup: at_end,
        drop: at_end,
        ..Sums::default()
    };
    Summary {
        kind: SummaryKind::Leaf,
        window: Some(window),
        near: Some(near.clone()),
        sums: Some(sums),
        ..Summary::marker(1, Tick::floor(window.end()))
    }
}
