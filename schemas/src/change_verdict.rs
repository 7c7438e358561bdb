//! A verdict about a change: did it harm the calls it touches? Every change gets one, asked for or not.

use serde::{Deserialize, Serialize};

use crate::{ChangeKind, EventTime, Text};

/// What is said of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// Calls are worse since, beyond what wanders by itself.
    Harmful,
    /// Calls are no worse than [`ChangeVerdict::harmless_within`] times the expected rate.
    Harmless,
    /// Too few calls yet to say either.
    NotEnoughCalls,
}

impl Ruling {
    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Harmful => "harmful",
            Self::Harmless => "harmless",
            Self::NotEnoughCalls => "not_enough_calls",
        }
    }
}

/// What a change did for the incident it was to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Quality came back after it.
    Confirmed,
    /// Calls are as poor as before it.
    NoEffect,
    /// Quality came back there, and another scope turned bad.
    Moved,
}

impl Repair {
    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::NoEffect => "no_effect",
            Self::Moved => "moved",
        }
    }
}

/// What is said of a change now. Every new verdict is a revision; the change stays the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeVerdict {
    /// Change and revision: repeats have the same.
    pub verdict_id: Text,
    /// The change.
    pub change_id: Text,
    /// Whose.
    pub tenant: Text,
    /// From 0, one more at each new verdict.
    pub revision: i64,
    /// The tick of the decision.
    pub at: EventTime,
    /// What is said.
    pub ruling: Ruling,
    /// The channel that shows the harm, `quality` where there is none: `quality`, `setup` or `drop`. The figures are its own.
    pub channel: Text,
    /// Will nothing more be said?
    pub is_final: bool,
    /// What kind of change it is.
    pub kind: ChangeKind,
    /// When it took effect.
    pub started_at: EventTime,
    /// Who did it.
    pub team: Option<Text>,
    /// One line for people, as the change brought it.
    pub summary: Option<Text>,
    /// The rate of poor call-ends since, as a multiple of the one expected without the change.
    pub effect: f64,
    /// ... lower end of its 95 % interval.
    pub effect_low: f64,
    /// ... upper end.
    pub effect_high: f64,
    /// Where it is harmless: no more than so many times the expected rate, with 95 % confidence.
    pub harmless_within: Option<f64>,
    /// Call-ends at risk that it touches, since it took effect.
    pub at_risk: i64,
    /// ... of them poor.
    pub poor: i64,
    /// ... poor ones expected without it.
    pub expected: f64,
    /// Where there are not enough: so many more call-ends would tell, if they are as usual.
    pub calls_missing: Option<i64>,
    /// ... which are expected by then, from the days before.
    pub expected_by: Option<EventTime>,
    /// The incident that it caused, as far as is known.
    pub incident_id: Option<Text>,
    /// The incident that it was to end: the one under way in its scope when it took effect.
    pub repairs: Option<Text>,
    /// What it did for that.
    pub repair: Option<Repair>,
    /// Of a new version: its effect by how the totals of the same places moved with its share of their calls. Whoever
    /// got it first, they stay where they were if it does nothing.
    #[serde(default)]
    pub dose_effect: Option<f64>,
    /// ... lower end of its 95 % interval.
    #[serde(default)]
    pub dose_effect_low: Option<f64>,
    /// ... upper end.
    #[serde(default)]
    pub dose_effect_high: Option<f64>,
}
