//! The fourteen dimensions along which causes are looked for, named here once.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Text;

macro_rules! dimensions {
    ($($(#[$doc:meta])* $variant:ident $field:ident),* $(,)?) => {
        /// One of the analysed dimensions of the near end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Dimension { $($(#[$doc])* $variant),* }

        impl Dimension {
            /// All of them, in the order of the contract.
            pub const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// The name used in records, configuration, tables and pages.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($field)),* }
            }
        }

        /// One combination of the [`Dimension`]s: what is known of one end of a call. Unknown is `None`, never `""`.
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Leaf { $($(#[$doc])* pub $field: Option<Text>),* }

        impl Leaf {
            /// The value of one dimension.
            pub fn get(&self, dimension: Dimension) -> Option<&Text> {
                match dimension { $(Dimension::$variant => self.$field.as_ref()),* }
            }

            /// Sets the value of one dimension.
            pub fn set(&mut self, dimension: Dimension, value: Option<Text>) {
                match dimension { $(Dimension::$variant => self.$field = value),* }
            }
        }
    };
}

dimensions! {
    /// The site: what a building file calls the network's place (city campus, plant, branch).
    Site site,
    /// The building on the site.
    Building building,
    /// The network segment, by its name or its prefix.
    Segment segment,
    /// wired, wifi, vpn, mobile.
    Connection connection,
    /// The provider of the access line.
    Isp isp,
    /// The device's make and model, never the individual device.
    Device device,
    /// The headset's or speaker's model.
    Headset headset,
    /// The audio driver with its version.
    Driver driver,
    /// The device's firmware version.
    Firmware firmware,
    /// The client with its version.
    Client client,
    /// The carrier or trunk.
    Carrier carrier,
    /// The media relay or its region.
    Relay relay,
    /// The codec.
    Codec codec,
    /// The policy in force (codec order, QoS marking, bandwidth).
    Policy policy,
}

impl Dimension {
    /// Position in [`Dimension::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dimension {
    type Err = UnknownDimension;
    fn from_str(name: &str) -> Result<Self, UnknownDimension> {
        Self::ALL
            .into_iter()
            .find(|d| d.name() == name)
            .ok_or_else(|| UnknownDimension(name.to_owned()))
    }
}

/// A name that is none of [`Dimension::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown dimension {0:?}: expected one of {names}", names = Dimension::ALL.map(Dimension::name).join(", "))]
pub struct UnknownDimension(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_is_found_by_its_name_and_holds_its_place() {
        for (i, dimension) in Dimension::ALL.into_iter().enumerate() {
            assert_eq!(dimension.index(), i);
            assert_eq!(dimension.name().parse(), Ok(dimension));
            let mut leaf = Leaf::default();
            leaf.set(dimension, Text::new("x").ok());
            assert_eq!(
                Dimension::ALL
                    .into_iter()
                    .filter(|d| leaf.get(*d).is_some())
                    .collect::<Vec<_>>(),
                [dimension]
            );
        }
        assert!("sites".parse::<Dimension>().is_err());
    }
}
