//! The layers of the path of an incident's calls: which of them has a part in it, which is cleared, of which too little is known.
//!
//! What an incident's calls pass on another layer (their provider, their headsets) is cleared when it is as good as usual for calls
//! that are not the incident's, and suspected when it is poor there too. What no other call passes (the segments of a broken site) is
//! cleared when the incident's calls that pass something else there are poor as well (DESIGN.md §4).

use dialtone_schemas::{
    Dimension,
    incident::{Layer, Standing},
};

use super::{dictionary::Codes, evidence::Sum, owner::BY_DIMENSION};

/// Evidence of so many nats (95 %) clears and suspects.
const ENOUGH: f64 = 3.0;
/// A layer is cleared of half of what the incident does, and of this multiple of the expected rate at least.
const LEAST_EFFECT: f64 = 1.5;
/// With fewer expected ones nothing is said.
const FEW: f64 = 1.0;

/// One leaf since the onset.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// Its codes.
    pub codes: &'a Codes,
    /// Does it belong to the incident's scope?
    pub is_inside: bool,
    /// What it showed.
    pub sum: Sum,
}

/// How a layer stands, with what it was judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// The layer.
    pub layer: Layer,
    /// Has it a part in it?
    pub standing: Standing,
    /// The dimension and value that the figures are about; none where no call names any.
    pub value: Option<(Dimension, u32)>,
    /// The calls that tell: those beside the incident's, or, where there are none, the incident's that pass something else there.
    pub sum: Sum,
}

/// What is known of a dimension besides the counts.
#[derive(Clone, Copy, Debug)]
pub struct Wander {
    /// The multiple of the expected rate that is still indifferent.
    pub zone: f64,
    /// The dispersion of such sums.
    pub dispersion: f64,
}

/// Every layer but that of the unknown, in the order of the path. `wander` tells of a dimension and what is expected in all, `layer_at` where
/// a value of a dimension is passed.
pub fn layers(
    leaves: &[Leaf<'_>],
    cause: Layer,
    wander: impl Fn(Dimension, f64) -> Wander,
    layer_at: impl Fn(Dimension, u32) -> Layer,
) -> Vec<Found> {
    let inside = sum_of(leaves, |leaf| leaf.is_inside);
    let effect = (inside.k / inside.e.max(0.1)).max(1.0);
    let judged = BY_DIMENSION.iter().filter_map(|(dimension, _)| {
        let (value, found) = judge(leaves, *dimension, effect, &wander)?;
        Some(Found {
            layer: layer_at(*dimension, value),
            ..found
        })
    });
    let cause = Found {
        layer: cause,
        standing: Standing::Suspected,
        value: None,
        sum: inside,
    };
    along(&cause, &judged.collect::<Vec<_>>())
}

/// Every layer but that of the unknown, in the order of the path: the cause's own, and of what was judged on each other one the worst.
pub fn along(cause: &Found, judged: &[Found]) -> Vec<Found> {
    let path = Layer::ALL.into_iter().filter(|layer| *layer != Layer::Unknown);
    let stand = |layer: Layer| {
        if layer == cause.layer {
            return *cause;
        }
        let judged = judged.iter().filter(|found| found.layer == layer);
        // Suspected by one of its dimensions it is suspected; cleared only by all of those that are known.
        let worst = judged.min_by_key(|found| match found.standing {
            Standing::Suspected => 0,
            Standing::Unknown => 1,
            Standing::Cleared => 2,
        });
        worst.map_or(
            Found {
                layer,
                standing: Standing::Unknown,
                value: None,
                sum: Sum::default(),
            },
            |found| *found,
        )
    };
    path.map(stand).collect()
}

/// By the value that most of the incident's calls pass.
fn judge(
    leaves: &[Leaf<'_>],
    dimension: Dimension,
    effect: f64,
    wander: impl Fn(Dimension, f64) -> Wander,
) -> Option<(u32, Found)> {
    let index = dimension.index();
    let value = most_passed(leaves, index)?;
    let beside = sum_of(leaves, |leaf| !leaf.is_inside && leaf.codes[index] == value);
    let standing_of = |sum: Sum| {
        let Wander { zone, dispersion } = wander(dimension, sum.e);
        standing(sum, effect, zone, dispersion)
    };
    let (standing, sum) = if beside.e >= FEW {
        (standing_of(beside), beside)
    } else {
        // No other call passes it: do the incident's calls that pass something else suffer as well?
        let others = sum_of(leaves, |leaf| {
            leaf.is_inside && leaf.codes[index] != value && leaf.codes[index] != 0
        });
        let standing = match standing_of(others) {
            Standing::Suspected => Standing::Cleared,
            Standing::Cleared => Standing::Suspected,
            Standing::Unknown => Standing::Unknown,
        };
        (standing, others)
    };
    let found = Found {
        layer: Layer::Unknown,
        standing,
        value: Some((dimension, value)),
        sum,
    };
    Some((value, found))
}

/// Poor beyond what is indifferent, or no more than half as poor as the incident, or neither.
fn standing(Sum { k, e, .. }: Sum, effect: f64, zone: f64, dispersion: f64) -> Standing {
    if e < FEW {
        return Standing::Unknown;
    }
    let usual = zone * e;
    if k > usual && (k * (k / usual).ln() - (k - usual)) / dispersion >= ENOUGH {
        return Standing::Suspected;
    }
    let half = f64::midpoint(1.0, effect).max(LEAST_EFFECT) / zone;
    if half > 1.0 && -dialtone_explain::poisson(k, usual, half) / dispersion >= ENOUGH {
        return Standing::Cleared;
    }
    Standing::Unknown
}

/// The value of a dimension that most of the incident's calls have; of equals the one known first.
fn most_passed(leaves: &[Leaf<'_>], index: usize) -> Option<u32> {
    let mut calls: std::collections::BTreeMap<u32, f64> = std::collections::BTreeMap::new();
    for leaf in leaves.iter().filter(|leaf| leaf.is_inside && leaf.codes[index] != 0) {
        *calls.entry(leaf.codes[index]).or_default() += leaf.sum.n;
    }
    let most = calls.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    most.map(|(value, _)| value)
}

fn sum_of<'a>(leaves: &[Leaf<'a>], is_one: impl Fn(&Leaf<'a>) -> bool) -> Sum {
    let mut sum = Sum::default();
    leaves
        .iter()
        .filter(|leaf| is_one(leaf))
        .for_each(|leaf| sum.add(leaf.sum));
    sum
}

#[cfg(test)]
mod tests {
    use super::{super::dictionary::D, *};

    /// Site, its segment, its provider, and a headset that everybody has.
    fn codes(site: u32, segment: u32, isp: u32) -> Codes {
        let mut codes = [0; D];
        codes[Dimension::Site.index()] = site;
        codes[Dimension::Segment.index()] = segment;
        codes[Dimension::Isp.index()] = isp;
        codes[Dimension::Headset.index()] = 1;
        codes
    }

    fn stand(rows: &[(Codes, bool, f64)], cause: Layer) -> Vec<(Layer, Standing)> {
        let leaves: Vec<Leaf<'_>> = rows
            .iter()
            .map(|(codes, is_inside, k)| Leaf {
                codes,
                is_inside: *is_inside,
                sum: Sum {
                    n: 1000.0,
                    k: *k,
                    e: 20.0,
                },
            })
            .collect();
        let wander = |_, _| Wander {
            zone: 1.25,
            dispersion: 1.5,
        };
        let said = [
            Layer::Peripheral,
            Layer::AccessNetwork,
            Layer::Site,
            Layer::Wan,
            Layer::Carrier,
        ];
        // Nobody connects by VPN.
        let layer_at = |dimension, _| {
            let of = BY_DIMENSION.iter().find(|(of, _)| *of == dimension);
            of.expect("every dimension has a layer").1
        };
        layers(&leaves, cause, wander, layer_at)
            .into_iter()
            .filter(|found| said.contains(&found.layer))
            .map(|found| (found.layer, found.standing))
            .collect()
    }

    /// Site 1 is five times as poor on both of its segments. Its provider and its headset serve site 2 too, which is as usual: 20 poor
    /// of 20 against half the effect, (3 / 1.25 − 1) · 25 − 20 ln 2.4 = 17.5, over 1.5 more than enough. Nobody names a carrier.
    #[test]
    fn a_broken_site_clears_its_provider_its_headsets_and_each_of_its_segments() {
        let rows = [
            (codes(1, 1, 1), true, 100.0),
            (codes(1, 2, 1), true, 100.0),
            (codes(2, 3, 1), false, 20.0),
            (codes(3, 4, 2), false, 20.0),
        ];
        assert_eq!(
            stand(&rows, Layer::Site),
            [
                (Layer::Peripheral, Standing::Cleared),
                (Layer::AccessNetwork, Standing::Cleared),
                (Layer::Site, Standing::Suspected),
                (Layer::Wan, Standing::Cleared),
                (Layer::Carrier, Standing::Unknown),
            ]
        );
    }

    /// Site 1 is poor, and so is what its provider carries elsewhere: 60 of 20.
    #[test]
    fn a_provider_that_is_poor_elsewhere_too_stays_suspected() {
        let rows = [(codes(1, 1, 1), true, 100.0), (codes(2, 3, 1), false, 60.0)];
        let said = stand(&rows, Layer::Site);
        assert!(said.contains(&(Layer::Wan, Standing::Suspected)), "{said:?}");
    }

    /// Everybody by VPN is poor, and nobody else: it is the WAN's. The one segment of both is as usual for those by wire, which clears the access
    /// network, of which a VPN is no part.
    #[test]
    fn a_vpn_is_passed_after_the_access_network() {
        let by = |connection: u32| {
            let mut codes = codes(1, 1, 1);
            codes[Dimension::Connection.index()] = connection;
            codes
        };
        let (vpn, wire) = (by(1), by(2));
        let leaf = |codes, is_inside, k| Leaf {
            codes,
            is_inside,
            sum: Sum { n: 1000.0, k, e: 20.0 },
        };
        let leaves = [leaf(&vpn, true, 100.0), leaf(&wire, false, 20.0)];
        let wander = |_, _| Wander {
            zone: 1.25,
            dispersion: 1.5,
        };
        let layer_at = |dimension, code| match (dimension, code) {
            (Dimension::Connection, 1) => Layer::Wan,
            (Dimension::Segment | Dimension::Connection, _) => Layer::AccessNetwork,
            _ => Layer::Unknown,
        };
        let found = layers(&leaves, Layer::Wan, wander, layer_at);
        let of = |layer| {
            found
                .iter()
                .find(|found| found.layer == layer)
                .map(|found| found.standing)
        };
        assert_eq!(of(Layer::Wan), Some(Standing::Suspected));
        assert_eq!(of(Layer::AccessNetwork), Some(Standing::Cleared));
    }

    /// One segment only, and no call beside it: nothing tells whether it or the site is the cause.
    #[test]
    fn what_only_the_incidents_calls_pass_is_unknown() {
        let rows = [(codes(1, 1, 1), true, 100.0), (codes(2, 3, 2), false, 20.0)];
        let said = stand(&rows, Layer::Site);
        assert!(said.contains(&(Layer::AccessNetwork, Standing::Unknown)), "{said:?}");
        assert!(said.contains(&(Layer::Wan, Standing::Unknown)), "{said:?}");
    }
}
