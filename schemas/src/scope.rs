//! A scope: the smallest description of what is broken.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Dimension, Leaf, Text};

/// A set of `dimension = value` conditions, all of which must hold. The empty scope is everything.
///
/// It travels as a map from the dimension's name to the value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(BTreeMap<Dimension, Text>);

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(dimension, value)| (dimension.name(), value)))
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        by_dimension(deserializer).map(Self)
    }
}

/// A map from the dimension's name to a value. In JSON and Arrow a null value is an absent one; Avro has no such values.
pub(crate) fn by_dimension<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Dimension, T>, D::Error> {
    let named: Vec<(String, T)> = if deserializer.is_human_readable() {
        let nullable = BTreeMap::<String, Option<T>>::deserialize(deserializer)?;
        nullable
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    } else {
        BTreeMap::<String, T>::deserialize(deserializer)?.into_iter().collect()
    };
    named
        .into_iter()
        .map(|(name, value)| Ok((name.parse::<Dimension>().map_err(de::Error::custom)?, value)))
        .collect()
}

impl Scope {
    /// A scope of these conditions.
    pub fn new(conditions: impl IntoIterator<Item = (Dimension, Text)>) -> Self {
        Self(conditions.into_iter().collect())
    }

    /// Does this leaf fulfil every condition?
    pub fn covers(&self, leaf: &Leaf) -> bool {
        self.0
            .iter()
            .all(|(dimension, value)| leaf.get(*dimension) == Some(value))
    }

    /// The conditions, in the order of the dimensions.
    pub fn conditions(&self) -> impl ExactSizeIterator<Item = (Dimension, &Text)> {
        self.0.iter().map(|(dimension, value)| (*dimension, value))
    }

    /// The value demanded of one dimension.
    pub fn get(&self, dimension: Dimension) -> Option<&Text> {
        self.0.get(&dimension)
    }

    /// Number of conditions.
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// Is every condition of `other` one of ours? Then whatever we cover, `other` covers.
    pub fn implies(&self, other: &Self) -> bool {
        other
            .conditions()
            .all(|(dimension, value)| self.get(dimension) == Some(value))
    }
}

impl fmt::Display for Scope {
    /// `site=berlin segment=berlin-wifi-2`; the empty scope is `everything`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("everything");
        }
        for (i, (dimension, value)) in self.0.iter().enumerate() {
            write!(f, "{}{dimension}={value}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_the_leaves_that_fulfil_every_condition() {
        let text = |s: &str| Text::new(s).expect("text");
        let scope = Scope::new([(Dimension::Site, text("berlin")), (Dimension::Connection, text("wifi"))]);
        let mut leaf = Leaf {
            site: Some(text("berlin")),
            ..Leaf::default()
        };
        assert!(!scope.covers(&leaf), "an unknown connection is not wifi");
        leaf.connection = Some(text("wifi"));
        assert!(scope.covers(&leaf));
        assert!(Scope::default().covers(&leaf));
        assert_eq!(scope.to_string(), "site=berlin connection=wifi");
        assert_eq!(
            serde_json::to_string(&scope).expect("json"),
            r#"{"site":"berlin","connection":"wifi"}"#
        );
        assert!(scope.implies(&Scope::default()) && !Scope::default().implies(&scope));
    }
}
