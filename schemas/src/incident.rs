//! An incident: one cause with its life cycle. Every change of it is a revision; the id stays (S-2).

use serde::{Deserialize, Serialize};

use crate::{EventTime, Scope, Text};

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Evidence gathers, or a warning was given; nobody is called. Should it open, it keeps its id.
    Watch,
    /// The evidence passed the threshold of the false-alarm budget.
    Open,
    /// The cause is named.
    Localised,
    /// Quality is back; watched for a while longer.
    Recovering,
    /// Over.
    Closed,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Few calls, or a small effect.
    Minor,
    /// Many calls, or a large effect.
    Major,
    /// Most calls of the scope, or none at all get through.
    Critical,
}

/// Was the named cause the right one?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was.
    Right,
    /// It was not.
    Wrong,
}

/// The layer of a call's path that a cause lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// One device, a model, its firmware.
    Device,
    /// Headset or driver.
    Peripheral,
    /// Segment, building, kind of connection.
    AccessNetwork,
    /// The site as a whole.
    Site,
    /// Internet provider, VPN.
    Wan,
    /// Carrier or trunk.
    Carrier,
    /// Relay or region.
    Relay,
    /// Client version, codec, policy, the service.
    Service,
    /// Nothing of the above.
    Unknown,
}

impl Layer {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Device,
        Self::Peripheral,
        Self::AccessNetwork,
        Self::Site,
        Self::Wan,
        Self::Carrier,
        Self::Relay,
        Self::Service,
        Self::Unknown,
    ];

    /// The name in records and in `owners.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Peripheral => "peripheral",
            Self::AccessNetwork => "access_network",
            Self::Site => "site",
            Self::Wan => "wan",
            Self::Carrier => "carrier",
            Self::Relay => "relay",
            Self::Service => "service",
            Self::Unknown => "unknown",
        }
    }
}

/// From when to when an onset may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onset {
    /// Earliest.
    pub from: EventTime,
    /// Latest.
    pub to: EventTime,
}

/// Another scope that could explain the same calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// The scope.
    pub scope: Scope,
    /// Its share of the evidence of all candidates, 0 to 1.
    pub score: f64,
}

/// A change that may have caused it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuspectedChange {
    /// The change.
    pub change_id: Text,
    /// Posterior probability that it is the cause, 0 to 1.
    pub score: f64,
}

/// One line of the evidence table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// `inside` the scope (or `far ends`: those who talked to it) and `outside` since the onset; `inside before` and `outside before` in
    /// the hours before it.
    pub group: Text,
    /// Call-ends at risk.
    pub at_risk: i64,
    /// Call-ends poor.
    pub poor: i64,
    /// Poor call-ends expected from the baseline.
    pub expected: f64,
}

/// Has a layer a part in an incident?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The cause lies there, or what lies there is poor elsewhere too.
    Suspected,
    /// The same is as good as usual for calls that are not the incident's.
    Cleared,
    /// Too few calls tell, or none at all.
    Unknown,
}

impl Standing {
    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspected => "suspected",
            Self::Cleared => "cleared",
            Self::Unknown => "unknown",
        }
    }
}

/// How a layer of the path of an incident's calls stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerStanding {
    /// The layer.
    pub layer: Layer,
    /// Has it a part in it?
    pub standing: Standing,
    /// What of it the figures are about: what most of the incident's calls pass there.
    pub scope: Scope,
    /// Call-ends at risk there beside the incident's calls; where all are its calls, those of its other parts. Where the metric is `volume`:
    /// reports expected there a minute beside the incident's.
    pub at_risk: i64,
    /// ... of them poor; where the metric is `volume`, of them missing.
    pub poor: i64,
    /// ... poor ones expected; where the metric is `volume`, none.
    pub expected: f64,
}

/// The same devices inside and outside a scope since the onset: each is compared with itself (case-crossover).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossover {
    /// Among calls that are alike as to this other scope; the empty one is none.
    #[serde(default)]
    pub apart_from: Scope,
    /// Devices that called on both sides.
    pub devices: i64,
    /// The odds of a poor call-end inside the scope over those outside, of the same devices (Mantel–Haenszel).
    pub odds_ratio: f64,
    /// ... lower end of its 95 % interval.
    pub low: f64,
    /// ... upper end.
    pub high: f64,
}

/// The same people inside and outside a scope since the onset, over all their devices that are followed: people are compared with themselves
/// (case-crossover).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserCrossover {
    /// Among calls that are alike as to this other scope; the empty one is none.
    #[serde(default)]
    pub apart_from: Scope,
    /// People who called on both sides. They are counted, not named.
    pub users: i64,
    /// The odds of a poor call-end inside the scope over those outside, of the same people (Mantel–Haenszel).
    pub odds_ratio: f64,
    /// ... lower end of its 95 % interval.
    pub low: f64,
    /// ... upper end.
    pub high: f64,
}

/// Another scope that has half or more of the same calls, and what tells the two apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// The other scope.
    pub scope: Scope,
    /// Of the calls of either, the share that both have.
    pub jaccard: f64,
    /// The rate inside the incident's scope over that outside, among calls that are alike as to the other scope (Mantel–Haenszel). Where only
    /// the same devices tell, or else the same people, their odds ratio apart from the other scope.
    pub held: f64,
    /// ... lower end of its 95 % interval: above 1 the incident's scope keeps its effect.
    pub held_low: f64,
    /// Where the two cannot be told apart: so many more call-ends of the incident's scope outside the other one would tell.
    pub calls_missing: Option<i64>,
}

/// One cause, as seen now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// From tenant, first scope and onset, or the hour in which it was watched first; it stays.
    pub id: Text,
    /// Whose.
    pub tenant: Text,
    /// From 0, one more at each change.
    pub revision: i64,
    /// Where it stands.
    pub state: State,
    /// The smallest cause.
    pub scope: Scope,
    /// Scopes that cover the same calls (Jaccard ≥ 0.95).
    pub aliases: Vec<Scope>,
    /// One individual device, when the cause is just that.
    pub device_id: Option<Text>,
    /// The layer of the cause.
    pub layer: Layer,
    /// The one team that owns it.
    pub owner: Text,
    /// When it began.
    pub onset: Onset,
    /// When the evidence passed the threshold.
    pub opened: Option<EventTime>,
    /// When the cause was named.
    pub localised: Option<EventTime>,
    /// When it was over.
    pub closed: Option<EventTime>,
    /// The time of this revision: the tick it was decided at.
    pub updated: EventTime,
    /// How bad.
    pub severity: Severity,
    /// The channel that shows it most: `loss`, `jitter`, `delay`, `mos`, `setup`, `drop`, or `volume` for missing calls.
    pub metric: Text,
    /// Odds of being poor inside over outside, against the baseline.
    pub effect: f64,
    /// Poor minutes beyond what the baseline expects.
    pub excess_poor_minutes: f64,
    /// The evidence table.
    pub evidence: Vec<Evidence>,
    /// What else could explain it.
    pub alternatives: Vec<Alternative>,
    /// What changed just before.
    pub suspected_changes: Vec<SuspectedChange>,
    /// Matched complaints.
    pub complaints: i64,
    /// The first matched complaint.
    pub first_complaint: Option<EventTime>,
    /// The third matched complaint.
    pub third_complaint: Option<EventTime>,
    /// Calls to listen to or look up.
    pub exemplar_calls: Vec<Text>,
    /// Somebody works on it.
    pub acknowledged: Option<EventTime>,
    /// No alerts until then.
    pub silenced_until: Option<EventTime>,
    /// Whom of the owner to reach.
    #[serde(default)]
    pub contact: Option<Text>,
    /// What the owner does about it.
    #[serde(default)]
    pub runbook: Option<Text>,
    /// The team that works on it, where it said so.
    #[serde(default)]
    pub acknowledged_by: Option<Text>,
    /// When people gave it to its owner, over `owners.toml`.
    #[serde(default)]
    pub reassigned: Option<EventTime>,
    /// Why they did.
    #[serde(default)]
    pub reassigned_reason: Option<Text>,
    /// Was the named cause the right one? As people said.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// Why they think so.
    #[serde(default)]
    pub verdict_reason: Option<Text>,
    /// When nobody had acknowledged it in the owner's time.
    #[serde(default)]
    pub escalated: Option<EventTime>,
    /// The team that was told then.
    #[serde(default)]
    pub escalated_to: Option<Text>,
    /// How often incidents about the same scope were closed in the 30 days before it opened: neither lost reports, nor what another one explains, nor what
    /// was said to be wrong. Of lost reports themselves nothing is counted.
    #[serde(default)]
    pub earlier: Option<i64>,
    /// The last of them.
    #[serde(default)]
    pub earlier_id: Option<Text>,
    /// What waiting costs: poor minutes beyond the expected an hour, as in the last hour.
    #[serde(default)]
    pub poor_minutes_an_hour: Option<f64>,
    /// Call-ends poor since the onset, as far back as the memory reaches.
    #[serde(default)]
    pub poor_call_ends: Option<i64>,
    /// The announced work during which it began: nobody is called before that work should be over.
    #[serde(default)]
    pub maintenance: Option<Text>,
    /// The layers of the path of its calls, from the device to the service: its own, and those upstream and downstream.
    #[serde(default)]
    pub layers: Option<Vec<LayerStanding>>,
    /// What else has half or more of its calls.
    #[serde(default)]
    pub rivals: Option<Vec<Rival>>,
    /// Of all poor call-ends beyond the expected since then, the share that the named causes explain; below 0.5 the cause lies
    /// outside the observed dimensions.
    #[serde(default)]
    pub explained_ratio: Option<f64>,
    /// How fast it uses up the error budget of its calls: the share that was poor in the last hour over the share that may be.
    #[serde(default)]
    pub burn_rate: Option<f64>,
    /// When it was first warned of, before it opened.
    #[serde(default)]
    pub warned: Option<EventTime>,
    /// By then, so the warning, the share of its calls that is poor will have crossed its target.
    #[serde(default)]
    pub crosses_by: Option<EventTime>,
    /// When people accepted what it shows as the new normal.
    #[serde(default)]
    pub accepted: Option<EventTime>,
    /// Why they did.
    #[serde(default)]
    pub accepted_reason: Option<Text>,
    /// The same devices inside and outside its scope since the onset: of all its calls, and apart from each rival.
    #[serde(default)]
    pub crossovers: Option<Vec<Crossover>>,
    /// Lower end of the 95 % interval of the effect.
    #[serde(default)]
    pub effect_low: Option<f64>,
    /// ... upper end.
    #[serde(default)]
    pub effect_high: Option<f64>,
    /// Devices that were poor inside it since the onset, as many as are followed: no fewer. They are counted, not named.
    #[serde(default)]
    pub devices: Option<i64>,
    /// When the busiest hour of its calls in the next 24 begins.
    #[serde(default)]
    pub peak_at: Option<EventTime>,
    /// What that hour will cost if nothing is done: poor minutes beyond the expected.
    #[serde(default)]
    pub peak_poor_minutes: Option<f64>,
    /// People who were poor inside it since the onset, as far as their devices are followed: no fewer. They are counted, not named.
    #[serde(default)]
    pub users: Option<i64>,
    /// Since when it was in state `watch` before it opened, because evidence gathered or it was warned of.
    #[serde(default)]
    pub watched: Option<EventTime>,
    /// The incident that explains what this one showed: it is closed as absorbed, and did not recover.
    #[serde(default)]
    pub absorbed_by: Option<Text>,
    /// The same people inside and outside its scope since the onset: of all its calls, and apart from each rival.
    #[serde(default)]
    pub user_crossovers: Option<Vec<UserCrossover>>,
}

impl Incident {
    /// One that opens now with its cause named: of what layer it is, and what it costs, is still to be said.
    pub fn opened(id: Text, tenant: Text, scope: Scope, owner: Text, onset: Onset, now: EventTime) -> Self {
        #[allow(clippy::expect_used, reason = "a constant that is a text")]
        let metric = Text::new("mos").expect("a text");
        Self {
            id,
            tenant,
            revision: 0,
            state: State::Localised,
            scope,
            aliases: Vec::new(),
            device_id: None,
            layer: Layer::Unknown,
            owner,
            onset,
            opened: Some(now),
            localised: Some(now),
            closed: None,
            updated: now,
            severity: Severity::Minor,
            metric,
            effect: 1.0,
            excess_poor_minutes: 0.0,
            evidence: Vec::new(),
            alternatives: Vec::new(),
            suspected_changes: Vec::new(),
            complaints: 0,
            first_complaint: None,
            third_complaint: None,
            exemplar_calls: Vec::new(),
            acknowledged: None,
            silenced_until: None,
            contact: None,
            runbook: None,
            acknowledged_by: None,
            reassigned: None,
            reassigned_reason: None,
            verdict: None,
            verdict_reason: None,
            escalated: None,
            escalated_to: None,
            earlier: None,
            earlier_id: None,
            poor_minutes_an_hour: None,
            poor_call_ends: None,
            maintenance: None,
            layers: None,
            rivals: None,
            explained_ratio: None,
            burn_rate: None,
            warned: None,
            crosses_by: None,
            accepted: None,
            accepted_reason: None,
            crossovers: None,
            effect_low: None,
            effect_high: None,
            devices: None,
            peak_at: None,
            peak_poor_minutes: None,
            users: None,
            watched: None,
            absorbed_by: None,
            user_crossovers: None,
        }
    }

    /// Is it about lost reports, and not about calls?
    pub fn is_of_reports(&self) -> bool {
        self.metric.as_str() == "telemetry"
    }

    /// Is it that nothing is reported any more, from anywhere?
    pub fn is_silence_of_everything(&self) -> bool {
        self.is_of_reports() && self.device_id.is_none() && self.scope == Scope::default()
    }

    /// Does the named cause leave most of what is poor beyond the expected unexplained?
    pub fn is_outside_the_dimensions(&self) -> bool {
        self.explained_ratio.is_some_and(|ratio| ratio < 0.5)
    }

    /// The call-ends that are missing until a rival could be told from it, and that rival: the one that misses most.
    pub fn not_separable(&self) -> Option<(&Rival, i64)> {
        let rivals = self.rivals.iter().flatten();
        rivals
            .filter_map(|rival| Some((rival, rival.calls_missing?)))
            .max_by_key(|(_, missing)| *missing)
    }
}
