//! From an event's figures to its score, with a word for each figure that had to be assumed.

use std::collections::BTreeMap;

use dialtone_schemas::{
    Event, Modality, Text,
    event::Score,
    measure::{Millis, Mos, RFactor, Ratio},
};

use super::{Bandwidth, Codec, Codecs, Parameters, codec, mos, rating, wideband};

/// What a person may set of the scoring.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScoringRules {
    /// One-way delay where a report has none.
    pub assumed_delay_ms: f64,
    /// Is loss concealed where a report does not say?
    pub assumed_concealment: bool,
    /// Codecs beside the built-in ones, or in their place.
    pub codecs: BTreeMap<String, Codec>,
}

impl Default for ScoringRules {
    fn default() -> Self {
        Self {
            assumed_delay_ms: 50.0,
            assumed_concealment: true,
            codecs: BTreeMap::new(),
        }
    }
}

/// Scores events.
#[derive(Clone, Debug)]
pub struct Scorer {
    codecs: Codecs,
    rules: ScoringRules,
}

impl Scorer {
    /// Scores by these rules.
    pub fn new(rules: ScoringRules) -> Self {
        Self {
            codecs: Codecs::with(&rules.codecs),
            rules,
        }
    }

    /// The event's score; `None` where its codec or its loss is unknown, or it is not speech.
    pub fn score(&self, event: &Event) -> Option<Score> {
        if event.modality != Modality::Audio {
            return None;
        }
        let mut assumed = Vec::new();
        let name = event.near.codec.as_ref()?.as_str();
        let codec = self.codecs.get(name)?;
        if codec.assumed {
            assumed.push("codec");
        }
        let ppl_percent = lost_percent(event)?;
        if ppl_percent > 0.0 {
            assumed.push("burst");
        }
        let delay_ms = one_way_ms(event).unwrap_or_else(|| {
            assumed.push("delay");
            self.rules.assumed_delay_ms
        });
        let conceals = event.media.concealment.unwrap_or(self.rules.assumed_concealment);
        if event.media.concealment.is_none() && codec.bpl_without_concealment.is_some() {
            assumed.push("concealment");
        }
        let parameters = Parameters {
            t_ms: delay_ms,
            ta_ms: delay_ms,
            tr_ms: 2.0 * delay_ms,
            ie: codec.ie,
            bpl: codec.robustness(conceals),
            ppl_percent,
            ..Parameters::default()
        };
        let (r, mos) = judge(codec.bandwidth, &parameters);
        Some(Score {
            r: RFactor::new(r.max(0.0)).ok()?,
            mos: Mos::new(mos).ok()?,
            method: Text::new(codec::method(name, codec, conceals)).ok()?,
            assumed: assumed.into_iter().filter_map(|word| Text::new(word).ok()).collect(),
        })
    }
}

fn judge(bandwidth: Bandwidth, parameters: &Parameters) -> (f64, f64) {
    match bandwidth {
        Bandwidth::Narrow => {
            let r = rating(parameters).r;
            (r, mos::mos_from_r(r))
        }
        Bandwidth::Wide => {
            let r = wideband::rating(parameters);
            (r, wideband::mos_from_r(r))
        }
    }
}

/// What never came and what came too late, in per cent. Without a figure for loss there is nothing to judge by.
fn lost_percent(event: &Event) -> Option<f64> {
    let packets = &event.packets;
    let of_counts = || packets.ratio_of(packets.discarded);
    let discarded = packets.discard_ratio.map(Ratio::get).or_else(of_counts);
    Some(((event.loss_ratio()? + discarded.unwrap_or(0.0)) * 100.0).min(100.0))
}

/// Mouth to ear: by the source's own account; else half of the round trip and what waits in the jitter buffer, which is
/// its nominal depth or, where that is unknown, twice the jitter.
fn one_way_ms(event: &Event) -> Option<f64> {
    let delay = &event.delay;
    if let Some(one_way) = delay.one_way_ms {
        return Some(one_way.get());
    }
    let buffered = delay
        .buffer_nominal_ms
        .map(Millis::get)
        .or_else(|| Some(2.0 * delay.jitter_ms?.get()));
    Some(delay.rtt_ms?.get() / 2.0 + buffered.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::event;

    /// 100 of 1000 came too late: as bad as 10 % lost. 50 lost beside 950 received are 5 %, whoever counted what was expected.
    #[test]
    fn counts_say_as_much_as_ratios() {
        let percent = |packets: serde_json::Value| {
            let mut event = event();
            event.packets = serde_json::from_value(packets).expect("packets");
            lost_percent(&event)
        };
        let too_late = percent(serde_json::json!({"expected": 1000, "lost": 0, "discarded": 100}));
        assert_eq!(too_late, Some(10.0));
        assert_eq!(percent(serde_json::json!({"received": 950, "lost": 50})), Some(5.0));
        assert_eq!(
            percent(serde_json::json!({"received": 950})),
            None,
            "nobody counted the loss"
        );
    }

    fn scored(change: impl Fn(&mut Event)) -> Option<Score> {
        let mut event = event();
        change(&mut event);
        Scorer::new(ScoringRules::default()).score(&event)
    }

    fn words(score: &Score) -> Vec<&str> {
        score.assumed.iter().map(Text::as_str).collect()
    }

    /// 2 % lost, 80 ms round trip, 5 ms jitter: Ta = 40 + 10 = 50 ms. R(50 ms) = 91.756 and Ie,eff = 95·2/(2+25.1) = 7.011.
    #[test]
    fn g711_with_concealment_is_scored_by_hand_arithmetic() {
        let score = scored(|_| {}).expect("a score");
        assert!((score.r.get() - (91.756_161 - 7.011_070)).abs() < 1e-5, "{score:?}");
        assert_eq!(score.method.as_str(), "g107-2015/g711-plc");
        assert_eq!(words(&score), ["burst"]);
    }

    #[test]
    fn an_opus_score_says_that_its_codec_is_assumed() {
        let score = scored(|e| e.near.codec = Text::new("opus").ok()).expect("a score");
        assert_eq!(score.method.as_str(), "g107-2015/opus-assumed");
        assert_eq!(words(&score), ["codec", "burst"]);
    }

    #[test]
    fn wide_band_has_a_scale_and_a_method_of_its_own() {
        let score = scored(|e| {
            e.near.codec = Text::new("g722").ok();
            e.packets.loss_ratio = Ratio::new(0.0).ok();
        })
        .expect("a score");
        assert!((score.r.get() - 116.0).abs() < 1e-9, "129 - 13: {score:?}");
        assert!((score.mos.get() - 4.3371).abs() < 5e-5, "{score:?}");
        assert_eq!(score.method.as_str(), "g107.1-2015/g722-assumed");
    }

    #[test]
    fn what_has_no_codec_figures_or_no_loss_has_no_score() {
        assert_eq!(scored(|e| e.near.codec = Text::new("satin").ok()), None);
        assert_eq!(scored(|e| e.near.codec = None), None);
        assert_eq!(scored(|e| e.packets.loss_ratio = None), None);
        assert_eq!(scored(|e| e.modality = Modality::Video), None);
    }

    #[test]
    fn a_delay_that_nobody_measured_is_assumed_and_said_so() {
        let score = scored(|e| e.delay.rtt_ms = None).expect("a score");
        assert_eq!(words(&score), ["burst", "delay"]);
    }

    #[test]
    fn discarded_packets_are_lost_to_the_ear() {
        let with = |discard| {
            scored(|e| e.packets.discard_ratio = Ratio::new(discard).ok())
                .expect("a score")
                .r
                .get()
        };
        // 2 % + 3 %: Ie,eff = 95·5/(5+25.1) = 15.781.
        assert!((with(0.0) - with(0.03) - (15.780_731 - 7.011_070)).abs() < 1e-5);
    }

    #[test]
    fn a_configured_codec_is_scored() {
        let silk = Codec {
            bandwidth: Bandwidth::Wide,
            ie: 10.0,
            bpl: 12.0,
            bpl_without_concealment: None,
            assumed: true,
        };
        let rules = ScoringRules {
            codecs: [("silk".to_owned(), silk)].into(),
            ..ScoringRules::default()
        };
        let mut event = event();
        event.near.codec = Text::new("silk").ok();
        let score = Scorer::new(rules).score(&event).expect("a score");
        assert_eq!(score.method.as_str(), "g107.1-2015/silk-assumed");
    }
}
