//! What falls silent takes its parts with it, and most of what its calls pass.

use super::{MIN_EXPECTED, Silence};
use crate::watch::dictionary::Codes;

/// Of silent cells, strongest first, those whose silence the ones before them do not explain: not a part of them, nor a
/// larger cell whose other calls go on. `leaves` tells who shares calls with whom.
pub fn outermost(silences: Vec<Silence>, leaves: &[Codes], weight: impl Fn(u32) -> f64) -> Vec<Silence> {
    let mut kept: Vec<Silence> = Vec::new();
    for silence in silences {
        let is_of = |silence: &Silence, codes: &Codes| silence.condition.is_none_or(|c| codes[c.attribute] == c.code);
        let (mut own, mut shared) = (0.0, 0.0);
        for (leaf, codes) in leaves.iter().enumerate().filter(|(_, codes)| is_of(&silence, codes)) {
            let w = weight(u32::try_from(leaf).unwrap_or(u32::MAX));
            own += w;
            shared += if kept.iter().any(|kept| is_of(kept, codes)) {
                w
            } else {
                0.0
            };
        }
        let rest = silence.expected * (1.0 - if own > 0.0 { shared / own } else { 0.0 });
        let is_explained = rest < MIN_EXPECTED || dialtone_explain::poisson(silence.seen, rest, silence.drop) <= 0.0;
        if kept.is_empty() || shared < 0.6 * own && !is_explained {
            kept.push(silence);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use dialtone_explain::Condition;
    use dialtone_schemas::Dimension;

    use super::{
        super::{super::dictionary::D, DROP},
        *,
    };

    fn silence(dimension: Dimension, seen: f64, expected: f64) -> Silence {
        Silence {
            condition: Some(Condition {
                attribute: dimension.index(),
                code: 1,
            }),
            missing: 3.0 * (expected - seen),
            expected,
            seen,
            drop: DROP,
            minutes: 3,
            evidence: dialtone_explain::poisson(seen, expected, DROP),
        }
    }

    fn leaf(dimensions: &[Dimension]) -> Codes {
        let mut codes = [0; D];
        dimensions.iter().for_each(|dimension| codes[dimension.index()] = 1);
        codes
    }

    #[test]
    fn a_building_is_part_of_its_silent_site() {
        let both = vec![
            silence(Dimension::Site, 0.0, 20.0),
            silence(Dimension::Building, 0.0, 10.0),
        ];
        let leaves = [leaf(&[Dimension::Site, Dimension::Building]), leaf(&[Dimension::Site])];
        let kept = outermost(both, &leaves, |_| 1.0);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].condition.map(|c| c.attribute), Some(Dimension::Site.index()));
    }

    /// A relay that carries 60 of a silent site's calls and 40 others, which go on.
    #[test]
    fn a_relay_that_lost_most_of_its_calls_with_a_site_is_not_out() {
        let both = vec![
            silence(Dimension::Site, 0.0, 60.0),
            silence(Dimension::Relay, 40.0, 100.0),
        ];
        assert!(both[0].evidence > both[1].evidence && both[1].evidence > 0.0);
        let leaves = [leaf(&[Dimension::Site, Dimension::Relay]), leaf(&[Dimension::Relay])];
        let kept = outermost(both, &leaves, |leaf| if leaf == 0 { 60.0 } else { 40.0 });
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].condition.map(|c| c.attribute), Some(Dimension::Site.index()));
    }
}
