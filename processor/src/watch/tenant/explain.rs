//! Why nothing was told of a scope: how its cells stand, and which incident explains it.

use dialtone_explain::Condition;
use dialtone_schemas::{Channel, EventTime, Incident, Scope};
use serde::Serialize;

use super::Tenant;
use crate::{
    config::WatchConfig,
    watch::{
        detect::{Detector, Look},
        evidence::WATCHED,
        levels::METRIC_NAMES,
        volume::{Heard, Unheard},
    },
};

/// How a scope stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// Until when nothing is told because too little has been seen.
    pub warming_up_until: Option<EventTime>,
    /// Open incidents that hold half of its calls or more.
    pub incidents: Vec<Incident>,
    /// On each channel how its cell stands; a scope of three conditions by the two of them with the most evidence. None where
    /// no call of it was seen.
    pub channels: Vec<(Channel, Option<Look>)>,
    /// How the levels of its call-ends stand, by metric: of a scope of more conditions, by the one with the most evidence. `poor` and
    /// `expected` are the sums of scores there. None where there is no history yet.
    pub levels: Vec<(&'static str, Option<Look>)>,
    /// By each of its conditions: how quiet it is, or why nobody listens to it.
    pub silence: Vec<(Scope, Heard)>,
}

impl Tenant {
    /// How a scope stands now; or those of its conditions of which no call was ever seen.
    pub fn explain(&self, scope: &Scope, now: EventTime, config: &WatchConfig) -> Result<Explained, Scope> {
        let Some(conditions) = self.dictionary.conditions(scope) else {
            let is_unknown = |one: &Scope| self.dictionary.conditions(one).is_none();
            let each = scope.conditions().map(|(dimension, value)| (dimension, value.clone()));
            return Err(Scope::new(each.filter(|one| is_unknown(&Scope::new([one.clone()])))));
        };
        let threshold = self.noticed_from(config);
        let look = |channel: usize| {
            let of = |conditions: &[_]| self.detectors[channel].look(conditions, config.indifference, threshold);
            if conditions.len() <= 2 {
                return of(&conditions);
            }
            let pairs = (0..conditions.len()).flat_map(|i| (i + 1..conditions.len()).map(move |j| (i, j)));
            let looks = pairs.filter_map(|(i, j)| of(&[conditions[i], conditions[j]]));
            strongest(looks)
        };
        let level = |detector: &Detector| {
            let of = |condition: &Condition| detector.look(&[*condition], config.indifference, threshold);
            strongest(conditions.iter().filter_map(of))
        };
        let silence = conditions.iter().map(|condition| {
            let scope = self.dictionary.scope(&[*condition]);
            (scope, self.hear(*condition, config))
        });
        let levels = METRIC_NAMES.into_iter().zip(&self.level_detectors);
        let holds = |case: &&super::Case| case.is_open() && self.overlap(&conditions, &case.conditions).of_first >= 0.5;
        Ok(Explained {
            warming_up_until: self.warming_up_until(now, config),
            incidents: self
                .cases
                .iter()
                .filter(holds)
                .map(|case| case.incident.clone())
                .collect(),
            channels: WATCHED.into_iter().zip((0..).map(look)).collect(),
            levels: levels.map(|(metric, detector)| (metric, level(detector))).collect(),
            silence: silence.collect(),
        })
    }

    /// What its volume says of a condition.
    fn hear(&self, condition: Condition, config: &WatchConfig) -> Heard {
        let shares_calls = || {
            let out = self.out();
            !out.is_empty() && self.shares_calls(condition, &out)
        };
        match self.volume.look(condition, self.silent_from(config)) {
            Ok(quiet) => Heard::Watched(quiet),
            Err(Unheard::Learning) if shares_calls() => Heard::Unwatched(Unheard::BesideOutage),
            Err(why) => Heard::Unwatched(why),
        }
    }
}

/// The one with the most evidence.
fn strongest(looks: impl Iterator<Item = Look>) -> Option<Look> {
    looks.max_by(|a, b| a.evidence.total_cmp(&b.evidence))
}
