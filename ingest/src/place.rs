//! Placement: which site, building and segment an address belongs to, by longest prefix.

use std::{collections::BTreeSet, net::IpAddr};

use dialtone_schemas::{Endpoint, Leaf, Text};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

mod building_file;

pub use building_file::{Problem, Problems};

/// What the building file says of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// City, or the building's name where the file has no city.
    pub site: Option<Text>,
    /// BuildingName.
    pub building: Option<Text>,
    /// NetworkName, or the prefix where it has none.
    pub segment: Text,
    /// InsideCorp.
    pub inside_corp: bool,
    /// VPN.
    pub vpn: bool,
}

/// All networks with their places.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    v4: PrefixMap<Ipv4Net, Place>,
    v6: PrefixMap<Ipv6Net, Place>,
    networks: usize,
}

impl Sites {
    /// Reads a building file as Microsoft's Call Quality Dashboard takes it: comma or tab separated, 14 or 15 columns, no
    /// header. Every problem of the file is named, with its line.
    pub fn read(file: &[u8]) -> Result<Self, Problems> {
        building_file::read(file)
    }

    /// How many networks there are.
    pub fn networks(&self) -> usize {
        self.networks
    }

    /// The names of the sites that its networks lie at.
    pub fn names(&self) -> BTreeSet<&Text> {
        let places = self.v4.values().chain(self.v6.values());
        places.filter_map(|place| place.site.as_ref()).collect()
    }

    /// The place of an address; of several networks around it, the smallest's.
    pub fn place(&self, address: IpAddr) -> Option<&Place> {
        match address.to_canonical() {
            IpAddr::V4(ip) => self.v4.get_lpm(&Ipv4Net::from(ip)).map(|(_, place)| place),
            IpAddr::V6(ip) => self.v6.get_lpm(&Ipv6Net::from(ip)).map(|(_, place)| place),
        }
    }

    /// Fills in what the report did not say of where an end is.
    pub fn settle(&self, leaf: &mut Leaf, endpoint: &mut Endpoint) {
        let address = endpoint
            .address
            .as_ref()
            .and_then(|address| address.as_str().parse().ok());
        let Some(place) = address.and_then(|address| self.place(address)) else {
            return;
        };
        leaf.site = leaf.site.take().or_else(|| place.site.clone());
        leaf.building = leaf.building.take().or_else(|| place.building.clone());
        leaf.segment = leaf.segment.take().or_else(|| Some(place.segment.clone()));
        if place.vpn && leaf.connection.is_none() {
            leaf.connection = Text::new("vpn").ok();
        }
        endpoint.inside_corp = endpoint.inside_corp.or(Some(place.inside_corp));
    }

    fn insert(&mut self, network: IpNet, place: Place) {
        match network {
            IpNet::V4(net) => drop(self.v4.insert(net, place)),
            IpNet::V6(net) => drop(self.v6.insert(net, place)),
        }
        self.networks += 1;
    }
}

#[cfg(test)]
mod tests;
