//! Two scopes that share most of their calls: which of them keeps its effect among calls that are alike as to the other.

use crate::score::TWO_SIDED;

/// Half a poor call-end where half a one was expected, on either side: no rate is none, and none is infinite.
const PRIOR: f64 = 0.5;

/// Call-ends at risk, poor and expected ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// At risk.
    pub n: f64,
    /// Poor.
    pub k: f64,
    /// Expected to be poor.
    pub e: f64,
}

impl Part {
    /// Adds others.
    pub fn add(&mut self, n: f64, k: f64, e: f64) {
        self.n += n;
        self.k += k;
        self.e += e;
    }
}

/// All calls, by whether they belong to a suspect and to its rival.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quadrants {
    /// To both.
    pub both: Part,
    /// To the suspect alone.
    pub suspect: Part,
    /// To the rival alone.
    pub rival: Part,
    /// To neither.
    pub neither: Part,
}

/// A rate inside a scope over that outside it, in strata of another scope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// The ratio.
    pub ratio: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
}

impl Held {
    /// Does the scope keep its effect?
    pub fn is_kept(&self) -> bool {
        self.low > 1.0
    }
}

impl Quadrants {
    /// The suspect's effect among calls that are alike as to its rival: the Mantel–Haenszel ratio of rates for person-time data
    /// (Greenland and Robins 1985), with the expected poor call-ends as person-time, so that the mix of calls is taken out:
    ///
    /// `Σ a E₀/T / Σ b E₁/T`, variance of its logarithm `φ Σ (a + b) E₁ E₀/T² / (Σ a E₀/T · Σ b E₁/T)`
    ///
    /// with `a` poor of `E₁` expected inside and `b` of `E₀` outside the suspect, `T = E₁ + E₀`, over the two strata of the rival.
    pub fn suspect_held(&self, dispersion: f64) -> Held {
        held([(self.both, self.rival), (self.suspect, self.neither)], dispersion)
    }

    /// The rival's effect among calls that are alike as to the suspect.
    pub fn rival_held(&self, dispersion: f64) -> Held {
        held([(self.both, self.suspect), (self.rival, self.neither)], dispersion)
    }

    /// Where neither keeps its effect: so many more call-ends of the suspect alone would tell, if it is `factor` times as poor. The
    /// variance of its log-rate is φ over the poor ones among them; it must be small against ln `factor`.
    pub fn calls_missing(&self, factor: f64, dispersion: f64) -> Option<f64> {
        if self.suspect_held(dispersion).is_kept() || self.rival_held(dispersion).is_kept() || factor <= 1.0 {
            return None;
        }
        let (n, e) = (self.both.n + self.suspect.n, self.both.e + self.suspect.e);
        let needed = dispersion * (TWO_SIDED / factor.ln()).powi(2) / factor;
        (e > 0.0).then(|| (needed * n / e - self.suspect.n).ceil().max(1.0))
    }
}

fn held(strata: [(Part, Part); 2], dispersion: f64) -> Held {
    let (mut above, mut below, mut variance) = (0.0, 0.0, 0.0);
    for (inside, outside) in strata {
        let (a, b) = (inside.k + PRIOR, outside.k + PRIOR);
        let (e1, e0) = (inside.e + PRIOR, outside.e + PRIOR);
        let t = e1 + e0;
        above += a * e0 / t;
        below += b * e1 / t;
        variance += (a + b) * e1 * e0 / (t * t);
    }
    let ratio = above / below;
    let error = (dispersion * variance / (above * below)).sqrt();
    Held {
        ratio,
        low: (ratio.ln() - TWO_SIDED * error).exp(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(n: f64, k: f64, e: f64) -> Part {
        Part { n, k, e }
    }

    /// A site is five times as poor, and 80 % of its provider's calls are its own. The provider's other calls are as usual.
    fn site_and_provider() -> Quadrants {
        Quadrants {
            both: part(4000.0, 200.0, 40.0),
            suspect: part(1000.0, 50.0, 10.0),
            rival: part(1000.0, 10.0, 10.0),
            neither: part(90_000.0, 900.0, 900.0),
        }
    }

    /// Strata of the provider: 200.5 of 40.5 against 10.5 of 10.5, and 50.5 of 10.5 against 900.5 of 900.5:
    /// (200.5 · 10.5/51 + 50.5 · 900.5/911) / (10.5 · 40.5/51 + 900.5 · 10.5/911) = 91.2 / 18.7 = 4.87.
    #[test]
    fn the_cause_keeps_its_effect_and_the_symptom_falls_to_one() {
        let quadrants = site_and_provider();
        let site = quadrants.suspect_held(1.0);
        assert!((site.ratio - 4.87).abs() < 0.02, "{site:?}");
        assert!(site.is_kept());
        let provider = quadrants.rival_held(1.0);
        assert!(
            (provider.ratio - 1.0).abs() < 0.1 && !provider.is_kept(),
            "{provider:?}"
        );
        assert_eq!(quadrants.calls_missing(5.0, 1.0), None, "nothing is missing");
    }

    /// All calls of the site go through a provider that has no others. The site is five times as poor: (1.96 / ln 5)² / 5 = 0.297
    /// expected ones are needed beside the other scope, at 1 % of the calls that is 30 call-ends.
    #[test]
    fn what_always_goes_together_is_not_separable_and_says_what_would_tell() {
        let quadrants = Quadrants {
            both: part(5000.0, 250.0, 50.0),
            neither: part(90_000.0, 900.0, 900.0),
            ..Quadrants::default()
        };
        assert!(!quadrants.suspect_held(1.0).is_kept() && !quadrants.rival_held(1.0).is_kept());
        assert_eq!(quadrants.calls_missing(5.0, 1.0), Some(30.0));
        assert_eq!(
            quadrants.calls_missing(1.0, 1.0),
            None,
            "no effect is nothing to be told"
        );
    }
}
