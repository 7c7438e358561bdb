//! A ranking for people: the most likely scope first, then those that a person would rather have named.

use crate::scan::Candidate;

/// Each condition beyond the first is worth this share of the evidence: people name a scope by as little as they can.
const DEPTH_DISCOUNT: f64 = 0.7;

/// The most likely candidate (by score), then all others by their evidence, discounted for each condition beyond the first.
/// Each is given with its discounted evidence, in nats.
pub fn ranked(candidates: &[Candidate], dispersion: f64) -> Vec<(&Candidate, f64)> {
    let evidence = |candidate: &Candidate| {
        let beyond_first = i32::try_from(candidate.conditions.len()).unwrap_or(i32::MAX) - 1;
        candidate.llr / dispersion.max(1.0) * DEPTH_DISCOUNT.powi(beyond_first)
    };
    let Some((first, others)) = candidates.split_first() else {
        return Vec::new();
    };
    let mut others: Vec<_> = others
        .iter()
        .map(|candidate| (candidate, evidence(candidate)))
        .collect();
    others.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.conditions.cmp(&b.0.conditions)));
    std::iter::once((first, evidence(first))).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Condition;

    fn candidate(attributes: &[usize], llr: f64, score: f64) -> Candidate {
        let condition = |attribute: &usize| Condition {
            attribute: *attribute,
            code: 1,
        };
        Candidate {
            conditions: attributes.iter().map(condition).collect(),
            n: 100.0,
            k: 50.0,
            e: 10.0,
            llr,
            score,
        }
    }

    /// 0.7 × 60 = 42 is more than 40, and 0.49 × 80 = 39.2 is less.
    #[test]
    fn the_most_likely_comes_first_and_the_others_by_discounted_evidence() {
        let candidates = [
            candidate(&[0, 1, 2], 80.0, 70.0),
            candidate(&[2], 40.0, 35.0),
            candidate(&[0, 1], 60.0, 30.0),
            candidate(&[0, 1, 3], 80.0, 20.0),
        ];
        let order: Vec<usize> = ranked(&candidates, 1.0)
            .iter()
            .filter_map(|(found, _)| candidates.iter().position(|candidate| candidate == *found))
            .collect();
        assert_eq!(order, [0, 2, 1, 3]);
    }
}
