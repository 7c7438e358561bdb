//! Same-day control: what the hours before an onset ask for on top of what is expected, by dimension and value.

use std::collections::BTreeMap;

use dialtone_explain::beyond;
use dialtone_schemas::{Dimension, Window, time};

use super::{
    detect::Drift,
    dictionary::{Codes, D, Dictionary},
    evidence::Sum,
};

/// The control: so long before the onset the same scopes are compared with themselves.
pub const CONTROL: i64 = 3 * time::HOUR;
/// Expected poor call-ends that pull a control factor of a site or a segment towards 1, which have days of their own with an sd of 0.3: 1/sd².
const DAILY_PRIOR: f64 = 11.0;
/// Those of anything else are what it drifts by itself asks for, so many at least; the least drift makes it 200 at most.
const OTHERS_PRIOR: f64 = 25.0;
/// Expected poor call-ends that pull a scope's own control ratio towards 1.
const SCOPE_PRIOR: f64 = 6.0;
/// Passes over the dimensions.
const PASSES: usize = 2;

/// When the control of an onset begins.
pub fn control_from(onset: Window) -> Window {
    Window::of_end(onset.start().plus(-CONTROL))
}

/// What a scope says since an onset beyond its own rate in the control and a zone that is indifferent, in nats.
pub fn beyond_own(before: &Sum, since: &Sum, zone: f64) -> f64 {
    beyond(since.k, since.e * own_ratio(before.k, before.e) * zone)
}

/// A scope's own rate in the control over what its dimensions let expect: worse than that by no more is no news.
fn own_ratio(k: f64, e: f64) -> f64 {
    ((k + SCOPE_PRIOR) / (e + SCOPE_PRIOR)).max(1.0)
}

/// Factors by dimension and value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Control([BTreeMap<u32, f64>; D]);

impl Control {
    /// Fitted to what leaves showed in those hours, and what was expected of them.
    pub fn of_sums(sums: &BTreeMap<u32, Sum>, dictionary: &Dictionary, drift: &Drift) -> Self {
        let rows = sums.iter();
        let rows: Vec<(&Codes, f64, f64)> = rows
            .map(|(leaf, sum)| (dictionary.codes(*leaf), sum.k, sum.e))
            .collect();
        Self::fit(&rows, drift)
    }

    fn fit(rows: &[(&Codes, f64, f64)], drift: &Drift) -> Self {
        let mut control = Self::default();
        for _ in 0..PASSES {
            for d in 0..D {
                let prior = prior(drift, d);
                let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
                for (codes, k, e) in rows {
                    let others = control.of(codes) / control.0[d].get(&codes[d]).copied().unwrap_or(1.0);
                    let sum = sums.entry(codes[d]).or_default();
                    sum.0 += k;
                    sum.1 += e * others;
                }
                // A mirror image may have less than none.
                let factor = |(code, (k, e)): (u32, (f64, f64))| (code, (k.max(0.0) + prior) / (e + prior));
                control.0[d] = sums.into_iter().map(factor).collect();
            }
        }
        control
    }

    /// What it makes of what is expected of a leaf.
    pub fn of(&self, codes: &Codes) -> f64 {
        let factors = codes.iter().zip(&self.0);
        factors
            .map(|(code, values)| values.get(code).copied().unwrap_or(1.0))
            .product()
    }
}

/// Expected poor call-ends that pull the control factors of an attribute towards 1. A building, a provider or a codec of which nearly all
/// calls are one site's would otherwise say again what its site has said already.
fn prior(drift: &Drift, attribute: usize) -> f64 {
    let daily = [Dimension::Site, Dimension::Segment].map(Dimension::index);
    if daily.contains(&attribute) {
        return DAILY_PRIOR;
    }
    (1.0 / drift.of(&[attribute])).max(OTHERS_PRIOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a drift that nobody has seen a variance of 0.04 is believed: 1/0.04 = 25.
    #[test]
    fn only_places_are_believed_to_have_days_of_their_own() {
        let dimensions = [Dimension::Site, Dimension::Segment, Dimension::Isp, Dimension::Codec];
        let priors = dimensions.map(|dimension| prior(&Drift::default(), dimension.index()));
        assert!(
            priors
                .iter()
                .zip([11.0, 11.0, 25.0, 25.0])
                .all(|(a, b)| (a - b).abs() < 1e-9),
            "{priors:?}"
        );
    }

    /// 5 of 20 expected at a site: (5 + 11) / (20 + 11) = 0.52, and of all others, which nothing tells apart, 1 by 25 of 25 and more.
    #[test]
    fn a_site_that_was_better_than_expected_is_expected_to_be_so_today() {
        let mut codes = [0; D];
        codes[Dimension::Site.index()] = 1;
        let control = Control::fit(&[(&codes, 5.0, 20.0)], &Drift::default());
        let site = control.0[Dimension::Site.index()][&1];
        assert!(site < 0.8 && control.of(&codes) < site, "{site} {}", control.of(&codes));
        assert!((own_ratio(9.0, 4.0) - 1.5).abs() < 1e-9, "(9 + 6) / (4 + 6)");
        assert!(
            (own_ratio(0.0, 4.0) - 1.0).abs() < 1e-9,
            "what was better may be as bad as expected"
        );
    }
}
