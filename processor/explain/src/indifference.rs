//! Rates that are above the expected one and not yet worth naming: what scopes drift by themselves, by the attributes they name.

use crate::Condition;

/// For each attribute and each two of them, the rate inside that is still indifferent, as a multiple of the expected one.
#[derive(Clone, Debug, PartialEq)]
pub struct Indifference {
    attributes: usize,
    /// Of attributes i and j at `i * attributes + j`, in either order; of one alone where they are the same.
    zones: Vec<f64>,
}

impl Indifference {
    /// Asks for each attribute and each two of them.
    pub fn new(attributes: usize, zone: impl Fn(&[usize]) -> f64) -> Self {
        let pairs = (0..attributes).flat_map(|i| (0..attributes).map(move |j| (i.min(j), i.max(j))));
        let zones = pairs.map(|(i, j)| if i == j { zone(&[i]) } else { zone(&[i, j]) });
        Self {
            attributes,
            zones: zones.map(|zone| zone.max(1.0)).collect(),
        }
    }

    /// Of a scope with these conditions: of three or more, that of the two which are worst.
    pub fn of(&self, conditions: &[Condition]) -> f64 {
        let zone = |i: usize, j: usize| self.zones.get(i * self.attributes + j).copied().unwrap_or(1.0);
        if let [one] = conditions {
            return zone(one.attribute, one.attribute);
        }
        let pairs = conditions
            .iter()
            .enumerate()
            .flat_map(|(n, a)| conditions[n + 1..].iter().map(move |b| (a, b)));
        pairs.map(|(a, b)| zone(a.attribute, b.attribute)).fold(1.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_attributes_are_as_indifferent_as_the_two_that_drift_most() {
        let zones = Indifference::new(4, |attributes| match attributes {
            [1] => 1.5,
            [1, 3] => 1.8,
            _ => 1.2,
        });
        let of = [&[1][..], &[0, 1], &[3, 1], &[0, 1, 3], &[]].map(|attributes: &[usize]| {
            let conditions: Vec<Condition> = attributes
                .iter()
                .map(|a| Condition { attribute: *a, code: 1 })
                .collect();
            zones.of(&conditions)
        });
        assert!(
            of.iter()
                .zip([1.5, 1.2, 1.8, 1.8, 1.0])
                .all(|(a, b)| (a - b).abs() < 1e-12),
            "{of:?}"
        );
    }
}
