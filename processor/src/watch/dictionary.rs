//! Names into numbers: values of dimensions and whole leaves get small codes in the order they are first folded.

use std::collections::BTreeMap;

use dialtone_explain::Condition;
use dialtone_schemas::{Dimension, Leaf, Scope, Text, change::Selector};
use serde::{Deserialize, Serialize};

/// Number of dimensions.
pub const D: usize = Dimension::ALL.len();
/// Leaves a tenant may have; what comes beyond is counted under the unknown leaf (W-2).
const MAX_LEAVES: usize = 200_000;

/// The codes of one leaf, by dimension; 0 is unknown.
pub type Codes = [u32; D];

/// The dictionary of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dictionary {
    values: [BTreeMap<Text, u32>; D],
    names: [Vec<Text>; D],
    leaves: BTreeMap<Codes, u32>,
    codes: Vec<Codes>,
}

impl Dictionary {
    /// The number of a leaf, a new one if need be.
    pub fn leaf(&mut self, leaf: &Leaf) -> u32 {
        let mut codes = [0; D];
        if self.codes.len() < MAX_LEAVES {
            for (i, dimension) in Dimension::ALL.into_iter().enumerate() {
                if let Some(value) = leaf.get(dimension) {
                    codes[i] = self.value(i, value);
                }
            }
        } else {
            codes = self.known(leaf);
            if !self.leaves.contains_key(&codes) {
                codes = [0; D];
            }
        }
        if let Some(id) = self.leaves.get(&codes) {
            return *id;
        }
        let id = u32::try_from(self.codes.len()).unwrap_or(u32::MAX);
        self.codes.push(codes);
        self.leaves.insert(codes, id);
        id
    }

    /// The codes of a leaf as far as its values are known; nothing is added.
    pub fn known(&self, leaf: &Leaf) -> Codes {
        let mut codes = [0; D];
        for (i, dimension) in Dimension::ALL.into_iter().enumerate() {
            codes[i] = leaf
                .get(dimension)
                .and_then(|v| self.values[i].get(v))
                .copied()
                .unwrap_or(0);
        }
        codes
    }

    fn value(&mut self, dimension: usize, value: &Text) -> u32 {
        if let Some(code) = self.values[dimension].get(value) {
            return *code;
        }
        self.names[dimension].push(value.clone());
        let code = u32::try_from(self.names[dimension].len()).unwrap_or(u32::MAX);
        self.values[dimension].insert(value.clone(), code);
        code
    }

    /// The codes of a leaf's number.
    pub fn codes(&self, leaf: u32) -> &Codes {
        &self.codes[leaf as usize]
    }

    /// All leaves in the order of their numbers.
    pub fn leaves(&self) -> &[Codes] {
        &self.codes
    }

    /// The name behind a code.
    pub fn name(&self, dimension: usize, code: u32) -> Option<&Text> {
        self.names[dimension].get((code as usize).checked_sub(1)?)
    }

    /// One more than the highest code of a dimension.
    pub fn values(&self, dimension: usize) -> u32 {
        u32::try_from(self.names[dimension].len()).map_or(u32::MAX, |names| names + 1)
    }

    /// The scope of these conditions.
    pub fn scope(&self, conditions: &[Condition]) -> Scope {
        Scope::new(
            conditions
                .iter()
                .filter_map(|c| Some((Dimension::ALL[c.attribute], self.name(c.attribute, c.code)?.clone()))),
        )
    }

    /// What a selector names.
    pub fn selection(&self, selector: &Selector) -> Selection {
        let of = |(dimension, values): (&Dimension, &Vec<Text>)| {
            let codes = values
                .iter()
                .filter_map(|value| self.values[dimension.index()].get(value));
            (dimension.index(), codes.copied().collect())
        };
        Selection(selector.0.iter().map(of).collect())
    }

    /// The conditions of a scope; none if one of its values was never seen, so that it covers nothing.
    pub fn conditions(&self, scope: &Scope) -> Option<Vec<Condition>> {
        scope
            .conditions()
            .map(|(dimension, value)| {
                let attribute = dimension.index();
                Some(Condition {
                    attribute,
                    code: *self.values[attribute].get(value)?,
                })
            })
            .collect()
    }
}

/// What a selector names, in codes: of each dimension any of its values. A value that was never seen is no leaf's.
#[derive(Debug)]
pub struct Selection(Vec<(usize, Vec<u32>)>);

impl Selection {
    /// Are these codes selected?
    pub fn covers(&self, codes: &Codes) -> bool {
        let has_one = |(dimension, values): &(usize, Vec<u32>)| values.contains(&codes[*dimension]);
        self.0.iter().all(has_one)
    }

    /// Whatever the value of a dimension.
    pub fn drop_dimension(&mut self, dimension: Dimension) {
        self.0.retain(|(of, _)| *of != dimension.index());
    }
}

/// Do these codes fulfil every condition?
pub fn covers(conditions: &[Condition], codes: &Codes) -> bool {
    conditions.iter().all(|c| codes[c.attribute] == c.code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn text(value: &str) -> Text {
        Text::new(value).expect("a text")
    }

    fn leaf(site: &str, isp: Option<&str>) -> Leaf {
        Leaf {
            site: Some(text(site)),
            isp: isp.map(text),
            ..Leaf::default()
        }
    }

    #[test]
    fn a_selection_covers_what_its_selector_does() {
        let leaves = [
            leaf("bern", Some("alpnet")),
            leaf("bern", None),
            leaf("lyon", Some("alpnet")),
            leaf("lyon", Some("rhonelan")),
        ];
        let mut dictionary = Dictionary::default();
        leaves.iter().for_each(|leaf| {
            dictionary.leaf(leaf);
        });
        let selector = |sites: &[&str], isps: Option<&[&str]>| {
            let values = |names: &[&str]| names.iter().map(|name| text(name)).collect();
            let sites = (Dimension::Site, values(sites));
            let isps = isps.map(|isps| (Dimension::Isp, values(isps)));
            Selector(BTreeMap::from_iter([sites].into_iter().chain(isps)))
        };
        let selectors = [
            (selector(&["bern", "oslo"], None), 2),
            (selector(&["bern", "lyon"], Some(&["alpnet"])), 2),
            (selector(&["oslo"], None), 0),
            (Selector::default(), 4),
        ];
        for (selector, expected) in selectors {
            let selection = dictionary.selection(&selector);
            let is_covered = |leaf: &&Leaf| selection.covers(&dictionary.known(leaf));
            let covered: Vec<&Leaf> = leaves.iter().filter(is_covered).collect();
            assert_eq!(covered.len(), expected);
            assert!(covered.iter().all(|leaf| selector.covers(leaf)));
        }
    }
}
