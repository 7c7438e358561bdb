//! What a new version does, told by its dose: how the poor call-ends of the same places moved with the share of calls
//! that have it.
//!
//! Those who get a new version first may always have been worse, or better: new against old is then a comparison of
//! people. But whoever of a site is upgraded first, the site's total does not move if the version does nothing. So each
//! stratum (a site, say) is compared with itself before, and with what everybody who has not got the version did
//! meanwhile. With `e` poor call-ends expected by the baseline in a stratum s and a stage of time t, and the dose d,
//! the share of them that falls to the new version,
//!
//! ```text
//! E k = e · r_s · m_t · (1 + d (f − 1))
//! r_s = (K + 1/τ²) / (E + 1/τ²) before        m_t = (K_o + 50) / (Σ r e_o + 50) meanwhile
//! S(f) = Σ d (k / g − μ)      I(f) = Σ μ d² / g      g = 1 + d (f − 1),   μ = e r m
//! ```
//!
//! The score S falls as the effect f grows, so S(f) = 0 has one root, and |S(f)| ≤ 1.96 √(φ I(f) + V) is its 95 %
//! interval. V is what the strata and the others leave unknown: Σ_s A_s² (1/(E + 1/τ²) + τ²) + Σ_t A_t² / (Σ r e_o +
//! 50), A the sums of μ d (DESIGN.md §7).
//!
//! Difference in differences: Card & Krueger, American Economic Review 84 (1994) 772; with doses instead of two groups:
//! Angrist & Pischke, Mostly Harmless Econometrics (2009) §5.2. The interval inverts the score test of a Poisson
//! regression (McCullagh & Nelder, Generalized Linear Models (1989) §6, with the dispersion of their §9).

use dialtone_explain::TWO_SIDED;
use serde::{Deserialize, Serialize};

use super::trial::{NO_HARM, OTHERS_PRIOR};

/// Stages of time since a change, each twice as long as the one before it: within one the dose counts as the same.
pub const STAGES: usize = 7;
/// With a dose up to this hardly anyone has the version: such a stratum is one of the others.
const HARDLY: f64 = 0.02;
/// A stratum of which fewer poor call-ends were expected before the change cannot be compared with itself.
const LEAST_BEFORE: f64 = 1.0;
/// Fewer poor call-ends expected of the new version say nothing.
const LEAST_EXPOSED: f64 = 1.0;
/// The effects among which one is looked for, ...
const EFFECTS: (f64, f64) = (0.01, 100.0);
/// ... to within 10⁴ to the power of 2⁻⁴⁰.
const HALVINGS: usize = 40;

/// Poor call-ends of some calls that may have the new version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dosed {
    /// Poor.
    pub k: f64,
    /// Poor ones that the baseline expects, whatever the version.
    pub e: f64,
    /// ... of those that have the new version.
    pub e_new: f64,
}

impl Dosed {
    /// Adds a leaf's, which have the version or have not.
    pub fn add(&mut self, k: f64, e: f64, is_new: bool) {
        self.k += k;
        self.e += e;
        self.e_new += if is_new { e } else { 0.0 };
    }

    /// The share that falls to the new version.
    fn share(&self) -> f64 {
        if self.e > 0.0 { self.e_new / self.e } else { 0.0 }
    }
}

/// The calls of one stratum, before the change and at each stage since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stratum {
    /// Before.
    pub before: Dosed,
    /// Since.
    pub stages: [Dosed; STAGES],
}

impl Stratum {
    /// By how much the share of the new version has grown since before the change. What had it already was counted
    /// before.
    fn dose(&self, stage: usize) -> f64 {
        (self.stages[stage].share() - self.before.share()).clamp(0.0, 1.0)
    }

    fn is_known(&self) -> bool {
        self.before.e >= LEAST_BEFORE
    }
}

/// What a rollout touches, by stratum, and what it does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Calls where the version is not rolled out.
    pub outside: Stratum,
    /// Calls where it is: those that agree in all but the version.
    pub strata: Vec<Stratum>,
    /// By how much the log-rates of strata wander by themselves, as a variance.
    pub drift: f64,
    /// The dispersion of a stratum's sums.
    pub dispersion: f64,
}

/// What the doses say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoseEffect {
    /// The rate of poor call-ends that the new version makes of the old one's, as a multiple, and the ends of its 95 %
    /// interval.
    pub effect: [f64; 3],
    /// ln of the likelihood of that against no effect, over the dispersion; 0 where the version makes nothing worse.
    pub evidence: f64,
}

impl DoseEffect {
    /// Is it beyond doubt that new against old, so many times as poor, is the people's difference rather than the
    /// version's doing? The root lies half way between all of it and nothing: that must be ruled out, and by the doses
    /// alone nothing is harmed either.
    pub fn denies(&self, new_against_old: f64) -> bool {
        is_less_than_half_way(self.effect[2], new_against_old) && self.evidence < NO_HARM
    }
}

/// Does the upper end of an effect by dose rule out what lies half way between new against old and nothing, on the log scale?
pub fn is_less_than_half_way(effect_high: f64, new_against_old: f64) -> bool {
    effect_high < new_against_old.sqrt()
}

impl Rollout {
    /// The effect by dose; none where hardly anyone has got the version of whom it is known how they were before.
    pub fn effect(&self) -> Option<DoseEffect> {
        let doses = self.doses();
        if doses.exposed() < LEAST_EXPOSED {
            return None;
        }
        let best = doses.with_score(0.0);
        let ends = [TWO_SIDED, -TWO_SIDED].map(|score| doses.with_score(score));
        Some(DoseEffect {
            effect: [best, ends[0], ends[1]],
            evidence: if best > 1.0 { doses.evidence(best) } else { 0.0 },
        })
    }

    /// The stages of all strata that have got the version, with what is expected of them without it.
    fn doses(&self) -> Doses {
        let moved = self.others();
        let mut doses = Doses {
            steps: Vec::new(),
            dispersion: self.dispersion,
            unknown: 0.0,
        };
        let mut by_stage = [0.0; STAGES];
        for stratum in self.strata.iter().filter(|stratum| stratum.is_known()) {
            let mut exposed = 0.0;
            for (stage, moved) in moved.iter().enumerate() {
                let dose = stratum.dose(stage);
                if dose > HARDLY {
                    let sum = stratum.stages[stage];
                    let usual = sum.e * self.own_rate(stratum) * moved.rate;
                    doses.steps.push(Step { k: sum.k, usual, dose });
                    exposed += usual * dose;
                    by_stage[stage] += usual * dose;
                }
            }
            let wander = 1.0 / (stratum.before.e + 1.0 / self.drift) + self.drift;
            doses.unknown += exposed * exposed * wander;
        }
        let of_others = by_stage.iter().zip(&moved);
        doses.unknown += of_others.map(|(sum, moved)| sum * sum * moved.variance).sum::<f64>();
        doses
    }

    /// The rate before as a multiple of the baseline's.
    fn own_rate(&self, stratum: &Stratum) -> f64 {
        let prior = 1.0 / self.drift;
        (stratum.before.k + prior) / (stratum.before.e + prior)
    }

    /// By what factor everybody's rates moved meanwhile, at each stage: outside, and where hardly anyone has the
    /// version yet.
    fn others(&self) -> [Moved; STAGES] {
        std::array::from_fn(|stage| {
            let untouched = self.strata.iter().filter(|stratum| stratum.dose(stage) <= HARDLY);
            let others = std::iter::once(&self.outside).chain(untouched);
            let (mut k, mut e) = (OTHERS_PRIOR, OTHERS_PRIOR);
            for other in others.filter(|stratum| stratum.is_known()) {
                k += other.stages[stage].k;
                e += other.stages[stage].e * self.own_rate(other);
            }
            Moved {
                rate: k / e,
                variance: 1.0 / e,
            }
        })
    }
}

/// By what factor rates moved, and the variance of its logarithm.
#[derive(Clone, Copy, Debug)]
struct Moved {
    rate: f64,
    variance: f64,
}

/// One stratum at one stage.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Poor.
    k: f64,
    /// Poor ones expected if the version does nothing.
    usual: f64,
    dose: f64,
}

impl Step {
    /// By what factor the total grows if the version's rate is `effect` times the old one's.
    fn growth(&self, effect: f64) -> f64 {
        self.dose.mul_add(effect - 1.0, 1.0)
    }
}

#[derive(Debug)]
struct Doses {
    steps: Vec<Step>,
    dispersion: f64,
    /// The variance of the score by what is not known of the expected rates.
    unknown: f64,
}

impl Doses {
    /// Poor call-ends expected of the new version if it does nothing.
    fn exposed(&self) -> f64 {
        self.steps.iter().map(|step| step.usual * step.dose).sum()
    }

    /// The derivative of the log-likelihood by the effect.
    fn score(&self, effect: f64) -> f64 {
        let of = |step: &Step| step.dose * (step.k / step.growth(effect) - step.usual);
        self.steps.iter().map(of).sum()
    }

    /// Fisher's information about the effect.
    fn information(&self, effect: f64) -> f64 {
        let of = |step: &Step| step.usual * step.dose * step.dose / step.growth(effect);
        self.steps.iter().map(of).sum()
    }

    /// The score in standard deviations.
    fn standard_score(&self, effect: f64) -> f64 {
        let variance = self.dispersion * self.information(effect) + self.unknown;
        self.score(effect) / variance.sqrt()
    }

    /// The effect whose standard score this is: it falls as the effect grows.
    fn with_score(&self, wanted: f64) -> f64 {
        let (mut low, mut high) = EFFECTS;
        for _ in 0..HALVINGS {
            let middle = (low * high).sqrt();
            if self.standard_score(middle) > wanted {
                low = middle;
            } else {
                high = middle;
            }
        }
        (low * high).sqrt()
    }

    /// The log-likelihood of an effect against that of none, over a dispersion that makes up for what is unknown as
    /// well.
    fn evidence(&self, effect: f64) -> f64 {
        let of = |step: &Step| dialtone_explain::poisson(step.k, step.usual, step.growth(effect));
        let dispersion = self.dispersion + self.unknown / self.information(1.0);
        self.steps.iter().map(of).sum::<f64>() / dispersion
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Poor, expected and expected of the new version.
    type Told = (f64, f64, f64);

    fn stratum(before: Told, since: &[Told]) -> Stratum {
        let dosed = |&(k, e, e_new): &Told| Dosed { k, e, e_new };
        let mut stratum = Stratum {
            before: dosed(&before),
            ..Stratum::default()
        };
        for (stage, told) in stratum.stages.iter_mut().zip(since) {
            *stage = dosed(told);
        }
        stratum
    }

    const USUAL: Told = (500.0, 500.0, 0.0);

    /// Four such sites; outside all is as ever.
    fn four(before: Told, since: &[Told]) -> Rollout {
        let ever = (5000.0, 5000.0, 0.0);
        Rollout {
            outside: stratum(ever, &[ever; STAGES]),
            strata: vec![stratum(before, since); 4],
            drift: 0.005,
            dispersion: 1.5,
        }
    }

    fn said(rollout: &Rollout) -> [f64; 3] {
        let effect = rollout.effect().expect("a dose");
        effect.effect.map(|effect| (100.0 * effect).round() / 100.0)
    }

    fn is(said: [f64; 3], expected: [f64; 3]) -> bool {
        said.iter()
            .zip(expected)
            .all(|(said, expected)| (said - expected).abs() < 0.015)
    }

    /// A fifth gets the version, and is 214 of 100 expected, the others 286 of 400: 2.14 / 0.715 = threefold. But
    /// together they are 500 of 500, as before. I = 4 · 500 · 0.2² = 80, φ I = 120, V = 4 · 100² (1/700 + 0.005) + 400²
    /// / 5050 = 289: √409 / 80 = 0.25.
    #[test]
    fn first_adopters_were_always_worse_new_against_old_says_threefold_and_by_dose_nothing_changed() {
        let rollout = four(USUAL, &[(214.0 + 286.0, 500.0, 100.0)]);
        assert!(is(said(&rollout), [1.0, 0.54, 1.54]), "{:?}", said(&rollout));
        let effect = rollout.effect().expect("a dose");
        assert!(effect.evidence < 1e-9);
        assert!(effect.denies(3.0), "1.54 < √3 = 1.73");
        assert!(!effect.denies(2.0), "of a doubling it cannot tell: 1.54 > 1.41");
    }

    /// A tenth, three tenths and six tenths of the calls have it: 500 · 1.2, 500 · 1.6 and 500 · 2.2.
    #[test]
    fn what_grows_with_the_dose_is_the_versions_doing() {
        let rollout = four(
            USUAL,
            &[(600.0, 500.0, 50.0), (800.0, 500.0, 150.0), (1100.0, 500.0, 300.0)],
        );
        assert!(is(said(&rollout), [3.0, 2.66, 3.41]), "{:?}", said(&rollout));
        let effect = rollout.effect().expect("a dose");
        assert!(effect.evidence > 100.0 && !effect.denies(3.0) && !effect.denies(50.0));
    }

    #[test]
    fn without_a_dose_nothing_is_said() {
        assert_eq!(four(USUAL, &[(1500.0, 500.0, 0.0)]).effect(), None);
        assert_eq!(four(USUAL, &[(1500.0, 500.0, 5.0)]).effect(), None, "hardly anyone");
        let unknown = four((0.0, 0.0, 0.0), &[(1500.0, 500.0, 250.0)]);
        assert_eq!(unknown.effect(), None, "nobody remembers how it was");
        let piloted = (500.0, 500.0, 100.0);
        assert_eq!(four(piloted, &[piloted]).effect(), None, "a fifth had it before");
    }

    /// Everybody is twice as poor: m = 10050 / 5050 = 1.99, and 1000 of 995 are 0.005 / 0.2 = 0.025 more than no
    /// effect.
    #[test]
    fn what_everybody_else_did_meanwhile_is_not_the_versions_doing() {
        let mut rollout = four(USUAL, &[(1000.0, 500.0, 100.0)]);
        rollout.outside.stages[0].k = 10_000.0;
        assert!(is(said(&rollout), [1.02, 0.6, 1.53]), "{:?}", said(&rollout));
    }

    /// The version is rolled out everywhere, but four of eight sites have not got it yet, and are half as poor again as
    /// they were: m = 3050 / 2050 = 1.49, 750 of 744.
    #[test]
    fn sites_that_have_not_got_it_yet_stand_for_everybody_else() {
        let mut rollout = four(USUAL, &[(750.0, 500.0, 100.0)]);
        rollout.outside = Stratum::default();
        rollout.strata.extend([stratum(USUAL, &[(750.0, 500.0, 0.0)]); 4]);
        assert!(is(said(&rollout), [1.04, 0.58, 1.59]), "{:?}", said(&rollout));
    }

    /// A tenth more where a fifth has it is half as much again; that it is not three times as much is sure, that it is
    /// something is not.
    #[test]
    fn a_harm_that_the_doses_see_as_well_is_not_denied_for_being_smaller() {
        let mild = four(USUAL, &[(550.0, 500.0, 100.0)]);
        let effect = mild.effect().expect("a dose");
        assert!(is(said(&mild), [1.5, 1.0, 2.09]), "{:?}", said(&mild));
        assert!(
            effect.denies(5.0) && !effect.denies(4.0),
            "√5 = 2.24, √4 = 2: {effect:?}"
        );
        let more = Rollout {
            strata: vec![mild.strata[0]; 20],
            ..mild
        };
        let effect = more.effect().expect("a dose");
        assert!(is(said(&more), [1.5, 1.24, 1.79]), "{:?}", said(&more));
        assert!(effect.evidence > NO_HARM && !effect.denies(5.0), "{effect:?}");
    }

    /// Five expected before and since, of which one has it: from nothing to almost fivefold.
    #[test]
    fn a_few_calls_deny_nothing() {
        let few = four((5.0, 5.0, 0.0), &[(5.0, 5.0, 1.0)]);
        let effect = few.effect().expect("a dose");
        assert!(
            (4.5..4.8).contains(&effect.effect[2]) && !effect.denies(20.0),
            "{effect:?}"
        );
    }
}
