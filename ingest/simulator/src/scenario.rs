//! A scenario: what a person writes down about the enterprise, its day and its faults.

use dialtone_schemas::{Dimension, EventTime, Scope, Text, time};
use serde::Deserialize;

pub use crate::span::Span;
use crate::{catalogue::PHONES, drawn::Drawn, fault::FaultKind, noise::Noise, ranges, reporting::Reporting, work};

/// What is to be simulated. Every key is explained in `scenarios/demo.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name that `truth.json` carries.
    pub name: Text,
    /// First instant.
    pub start: EventTime,
    /// What lies before the part that is judged.
    pub history: Span,
    /// The part that is judged.
    pub evaluate: Span,
    /// Who calls from where.
    #[serde(default)]
    pub enterprise: Enterprise,
    /// What varies without being a fault.
    #[serde(default)]
    pub noise: Noise,
    /// What becomes of reports on their way.
    #[serde(default)]
    pub reporting: Reporting,
    /// What people do to the systems.
    #[serde(default)]
    pub changes: Changes,
    /// Who complains.
    #[serde(default)]
    pub complaints: Complaints,
    /// How what breaks is drawn, where the faults leave it open.
    #[serde(default)]
    pub drawn: Drawn,
    /// What breaks.
    #[serde(default, rename = "fault")]
    pub faults: Vec<FaultSpec>,
}

/// Sizes of the enterprise.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Enterprise {
    /// Sites, the large ones first.
    pub sites: usize,
    /// People with a phone or a laptop.
    pub users: usize,
    /// Meeting rooms in each building.
    pub rooms_per_building: usize,
    /// Calls that a user starts in the busiest hour.
    pub calls_per_user_busy_hour: f64,
    /// Load on Saturday and Sunday, relative to a weekday.
    pub weekend: f64,
    /// Are public holidays as quiet as a weekend?
    pub holidays: bool,
    /// Load of the hour from 14:00 UTC on Mondays, when all hands meet, relative to the usual; 0 if they do not.
    pub all_hands: f64,
    /// Share of laptop days spent at home, behind the VPN.
    pub home: f64,
    /// The same on Fridays.
    pub vpn_friday: f64,
    /// Do the people of one segment move to another site, in a run of more than three days?
    pub office_move: bool,
    /// How many of the sites, counted from the smallest, have phones that report only at the end of a call; without it, half.
    pub sites_with_final_reports_only: Option<usize>,
}

impl Default for Enterprise {
    fn default() -> Self {
        Self {
            sites: 12,
            users: 4000,
            rooms_per_building: 3,
            calls_per_user_busy_hour: 1.0,
            weekend: 0.1,
            holidays: true,
            all_hands: 3.0,
            home: 0.25,
            vpn_friday: 0.45,
            office_move: true,
            sites_with_final_reports_only: None,
        }
    }
}

impl Enterprise {
    /// How many sites have phones that report only at the end of a call.
    pub fn final_reports_only(&self) -> usize {
        self.sites_with_final_reports_only.unwrap_or(self.sites / 2)
    }
}

/// How many changes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Changes {
    /// Innocent changes a day.
    pub per_day: u32,
    /// Share of the innocent changes of a fault's day that lie within an hour of its onset.
    pub near_onset: f64,
    /// Share of those near an onset that touch what is broken, without being its cause.
    pub overlapping: f64,
    /// Share of the innocent changes that are maintenance windows.
    pub maintenance: f64,
    /// Share of the innocent changes of the judged part, maintenance apart, that improve quality.
    pub improving: f64,
    /// Harmless firmware versions that are rolled out in stages in the judged part; with a history of five days or more, from up to three days
    /// before it.
    pub rollouts: usize,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            per_day: 15,
            near_onset: 0.5,
            overlapping: 0.33,
            maintenance: 0.1,
            improving: 0.3,
            rollouts: 1,
        }
    }
}

/// How readily users complain.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Complaints {
    /// Probability after a user's first poor call of a day.
    pub first: f64,
    /// Probability after every further one.
    pub later: f64,
    /// Median of the delay, in minutes.
    pub delay_median_min: f64,
    /// Standard deviation of the delay's logarithm.
    pub delay_sigma: f64,
    /// Complaints without a bad call, per 1,000 users and day.
    pub background_per_1000: f64,
    /// Share that does not say where.
    pub without_site: f64,
    /// Share of those that say where, but name a wrong site.
    pub wrong_site: f64,
}

impl Default for Complaints {
    fn default() -> Self {
        Self {
            first: 0.02,
            later: 0.06,
            delay_median_min: 12.0,
            delay_sigma: 1.0,
            background_per_1000: 1.0,
            without_site: 0.15,
            wrong_site: 0.1,
        }
    }
}

/// One fault, as written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// What breaks; without it, the seed draws that, where, and by how much the odds grow.
    #[serde(default)]
    pub kind: Option<FaultKind>,
    /// Onset, from the beginning of the judged part.
    pub at: Span,
    /// How long; without it, to the end.
    #[serde(default)]
    pub lasts: Option<Span>,
    /// Where; without it, the seed picks a scope with enough calls.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// The one device (`room_device` only); without it, the seed picks.
    #[serde(default)]
    pub device_id: Option<Text>,
    /// The effect grows from nothing to its full size over this time.
    #[serde(default)]
    pub ramp: Option<Span>,
    /// A rollout's stages (`firmware_rollout` only).
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// Is it caused by a change that somebody made and reported?
    #[serde(default)]
    pub change: bool,
    /// Is it work, that a change of the kind `maintenance` tells of? Then no other change caused it.
    #[serde(default)]
    pub work: Option<Notice>,
    /// How long the work was meant to take; where it lasts longer, it overruns.
    #[serde(default)]
    pub planned: Option<Span>,
    /// Intervals that the fault hits, and how hard; without it, what is usual for the kind.
    #[serde(default)]
    pub hit: Option<Hit>,
    /// By how much the odds of a bad interval grow, in place of `hit`.
    #[serde(default)]
    pub odds: Option<f64>,
    /// What the fault does to every interval; without it, what is usual for the kind.
    #[serde(default)]
    pub steady: Option<Strain>,
    /// Share of the effect that the other end of the call feels.
    #[serde(default)]
    pub far: Option<f64>,
    /// Added probability that a call cannot be set up.
    #[serde(default)]
    pub setup_failed: f64,
    /// Added probability that a call drops.
    #[serde(default)]
    pub dropped: f64,
}

/// When people are told of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Two hours before it begins, or when the run begins.
    Announced,
    /// Half an hour after it should be over.
    Unannounced,
}

/// From `after` the onset on, `share` of the devices have it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// From the onset.
    pub after: Span,
    /// 0 to 1.
    pub share: f64,
}

/// Physical strain on a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Strain {
    /// Added share of packets lost.
    pub loss: f64,
    /// Added share of packets discarded by the jitter buffer.
    pub discard: f64,
    /// Added jitter.
    pub jitter_ms: f64,
    /// Added delay, one way.
    pub delay_ms: f64,
}

/// What the intervals suffer that a fault hits: medians of a spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hit {
    /// Share of the intervals hit.
    pub share: f64,
    /// Added share of packets lost.
    pub loss: f64,
    /// Added share of packets discarded by the jitter buffer.
    pub discard: f64,
    /// Added jitter.
    pub jitter_ms: f64,
    /// Added delay, one way.
    pub delay_ms: f64,
}

impl Hit {
    /// The strain of a hit interval.
    pub fn strain(&self) -> Strain {
        Strain {
            loss: self.loss,
            discard: self.discard,
            jitter_ms: self.jitter_ms,
            delay_ms: self.delay_ms,
        }
    }
}

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// Not the TOML that is expected; the text shows line and column. It is said here, and is no source that would say it again.
    #[error("scenario cannot be read: {0}")]
    Toml(toml::de::Error),
    /// Readable, but it makes no sense: all the problems.
    #[error("scenario {name} cannot be run: {}", problems.join("; "))]
    Problems {
        /// The scenario's name.
        name: Text,
        /// Each with its key.
        problems: Vec<String>,
    },
}

impl Scenario {
    /// Longest time simulated in one go.
    pub const MAX_DAYS: i64 = 62;

    /// Reads and checks a scenario.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(ScenarioError::Toml)?;
        let problems = scenario.problems();
        match problems.is_empty() {
            true => Ok(scenario),
            false => Err(ScenarioError::Problems {
                name: scenario.name,
                problems,
            }),
        }
    }

    /// First instant of the judged part: until then, a detector may warm up.
    pub fn judged_from(&self) -> EventTime {
        self.start.plus(self.history.0)
    }

    /// First instant after everything.
    pub fn end(&self) -> EventTime {
        self.judged_from().plus(self.evaluate.0)
    }

    /// The same with no more history than that, which begins with a whole minute: what is judged stays where it is. What lies before it is
    /// another one, since all chance begins with its first instant.
    #[must_use]
    pub fn with_history_of(self, longest: Span) -> Self {
        if self.history <= longest {
            return self;
        }
        let judged_from = self.judged_from();
        let start = judged_from.plus(-longest.0).ceil(time::MINUTE);
        Self {
            start,
            history: Span(judged_from.since(start)),
            ..self
        }
    }

    fn problems(&self) -> Vec<String> {
        let unmet = self.demands().into_iter().filter(|(holds, _)| !holds);
        let unmet = unmet.map(|(_, problem)| problem.to_owned());
        let faults = self.faults.iter().enumerate().flat_map(|(i, fault)| {
            fault
                .problems(self.evaluate)
                .into_iter()
                .map(move |problem| format!("fault {}: {problem}", i + 1))
        });
        unmet.chain(ranges::problems(self)).chain(faults).collect()
    }

    /// What must hold, each with what is said where it does not.
    fn demands(&self) -> [(bool, &'static str); 11] {
        let e = &self.enterprise;
        let longest = Self::MAX_DAYS * time::DAY;
        let [least, most] = self.drawn.odds;
        [
            (
                self.start.floor(time::MINUTE) == self.start,
                "start: expected a whole minute",
            ),
            (self.evaluate.0 > 0, "evaluate: expected more than nothing"),
            (
                self.history.0.saturating_add(self.evaluate.0) <= longest,
                "history + evaluate: at most 62 days",
            ),
            ((1..=60).contains(&e.sites), "enterprise.sites: expected 1 to 60"),
            (
                (20..=200_000).contains(&e.users),
                "enterprise.users: expected 20 to 200000",
            ),
            (e.rooms_per_building <= 50, "enterprise.rooms_per_building: at most 50"),
            (
                self.reporting.clock_off.0 <= time::DAY,
                "reporting.clock_off: at most a day",
            ),
            (
                self.reporting.gap.0 <= longest && self.reporting.graph_delay_median.0 <= time::DAY,
                "reporting.gap, reporting.graph_delay_median: at most 62 days, and a day",
            ),
            (self.changes.per_day <= 1000, "changes.per_day: at most 1000"),
            (
                self.changes.rollouts <= PHONES.len(),
                "changes.rollouts: at most 4, one for each model of phone",
            ),
            (
                least >= 1.0 && least <= most && most <= 1000.0,
                "drawn.odds: expected the least and the most, 1 to 1000",
            ),
        ]
    }
}

impl FaultSpec {
    /// One of this kind at the beginning of the judged part, with all that is usual.
    pub(crate) fn of(kind: FaultKind) -> Self {
        Self {
            kind: Some(kind),
            at: Span(0),
            lasts: None,
            scope: None,
            device_id: None,
            ramp: None,
            stages: Vec::new(),
            change: false,
            work: None,
            planned: None,
            hit: None,
            odds: None,
            steady: None,
            far: None,
            setup_failed: 0.0,
            dropped: 0.0,
        }
    }

    /// When people are told of the work that it is, and how long that was meant to take.
    pub(crate) fn planned_work(&self) -> Option<(Notice, Span)> {
        self.work.zip(self.planned)
    }

    fn problems(&self, evaluate: Span) -> Vec<String> {
        let mut problems = Vec::new();
        if self.at.0 < 0 || self.at >= evaluate {
            problems.push("at: lies outside the judged part".to_owned());
        }
        if !self.stages.is_empty() && self.kind != Some(FaultKind::FirmwareRollout) {
            problems.push("stages: only a firmware_rollout has them".to_owned());
        }
        if self.device_id.is_some() && self.kind != Some(FaultKind::RoomDevice) {
            problems.push("device_id: only a room_device has one".to_owned());
        }
        if let (Some(FaultKind::FirmwareRollout), Some(scope)) = (self.kind, &self.scope)
            && (scope.get(Dimension::Device).is_none() || scope.get(Dimension::Firmware).is_none())
        {
            problems.push("scope: a firmware_rollout needs device (who gets it) and firmware (what is new)".to_owned());
        }
        if self.kind == Some(FaultKind::Unlogged) {
            problems.push("kind: what no report has is only drawn, with drawn.unlogged".to_owned());
        }
        if self.kind.is_none() && (self.scope.is_some() || self.odds.is_some()) {
            problems.push("scope, odds: without a kind the seed draws them".to_owned());
        }
        if self.odds.is_some() && (self.kind == Some(FaultKind::TotalOutage) || self.hit.is_some()) {
            problems.push("odds: a total_outage has none, and where hit is given its share says how often".to_owned());
        }
        if self.odds.is_some_and(|odds| !(1.0..=1000.0).contains(&odds)) {
            problems.push("odds: expected 1 to 1000".to_owned());
        }
        if self.scope.is_some() && self.kind == Some(FaultKind::RoomDevice) {
            problems.push("scope: a room_device is named by its device_id".to_owned());
        }
        problems.extend(work::problems(self, evaluate).into_iter().map(str::to_owned));
        let (hit, steady) = (self.hit.unwrap_or_default(), self.steady.unwrap_or_default());
        let spans = [hit.jitter_ms, hit.delay_ms, steady.jitter_ms, steady.delay_ms];
        if spans.iter().any(|ms| !(0.0..=10_000.0).contains(ms)) {
            problems.push("jitter_ms, delay_ms: expected 0 to 10000".to_owned());
        }
        let shares = [
            hit.share,
            hit.loss,
            hit.discard,
            steady.loss,
            steady.discard,
            self.far.unwrap_or(0.0),
            self.setup_failed,
            self.dropped,
        ];
        if shares
            .iter()
            .chain(self.stages.iter().map(|s| &s.share))
            .any(|v| !(0.0..=1.0).contains(v))
        {
            problems.push("shares, loss, discard, far, setup_failed, dropped: expected 0 to 1".to_owned());
        }
        problems
    }
}

/// The scenarios that come with dialtone: name and text.
pub fn built_in() -> &'static [(&'static str, &'static str)] {
    macro_rules! files {
        ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../scenarios/", $name, ".toml")))),*] };
    }
    files![
        "demo",
        "none",
        "site_uplink",
        "wifi_segment",
        "headset_driver",
        "firmware_rollout",
        "carrier_route",
        "policy_qos",
        "isp_at_site",
        "relay_region",
        "two_at_once",
        "three_at_once",
        "slow_ramp",
        "total_outage",
        "setup_failure",
        "room_device",
        "announced_work",
    ]
}
