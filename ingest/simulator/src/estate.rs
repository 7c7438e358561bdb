//! The ground the enterprise stands on: sites, their buildings, the segments in them, and the file that maps networks to them.

use std::fmt::Write;

use dialtone_schemas::{Leaf, Text};

use crate::{
    catalogue::{PLACES, Place, REGIONS},
    random::name,
    scenario::Enterprise,
};

/// How an end is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    Wired,
    Wifi,
    Vpn,
}

impl Connection {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Wired => "wired",
            Self::Wifi => "wifi",
            Self::Vpn => "vpn",
        }
    }
}

/// A network segment and what the building file says of it.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) name: Text,
    pub(crate) building: Text,
    pub(crate) site: Text,
    pub(crate) connection: Connection,
    network: [u8; 3],
    prefix: u8,
    country: &'static str,
    region: &'static str,
}

impl Segment {
    /// The address of the segment's host number `n`.
    pub(crate) fn address(&self, n: usize) -> Text {
        let size = 1_usize << (32 - self.prefix);
        let host = 10 + n % (size - 20);
        let [a, b, c] = self.network;
        name(format!("{a}.{b}.{}.{}", usize::from(c) + host / 256, host % 256))
    }

    /// What follows for whoever sits here.
    pub(crate) fn place(&self, leaf: &mut Leaf) {
        leaf.site = Some(self.site.clone());
        leaf.building = Some(self.building.clone());
        leaf.segment = Some(self.name.clone());
        leaf.connection = Some(name(self.connection.name()));
    }
}

/// A building with its segments, by number.
#[derive(Clone, Debug)]
pub(crate) struct Building {
    pub(crate) wired: Vec<usize>,
    pub(crate) wifi: Vec<usize>,
}

/// A site.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) name: Text,
    pub(crate) place: Place,
    pub(crate) buildings: Vec<Building>,
    /// Do its phones report only at the end of a call?
    pub(crate) final_reports_only: bool,
}

/// All sites and segments.
#[derive(Clone, Debug)]
pub(crate) struct Estate {
    pub(crate) sites: Vec<Site>,
    pub(crate) segments: Vec<Segment>,
    /// The VPN pool of each region, by number.
    pub(crate) vpn: [usize; 3],
}

impl Estate {
    pub(crate) fn new(sizes: &Enterprise) -> Self {
        let mut estate = Self {
            sites: Vec::new(),
            segments: Vec::new(),
            vpn: [0; 3],
        };
        for i in 0..sizes.sites {
            let site = estate.site(i, i + sizes.final_reports_only() >= sizes.sites);
            estate.sites.push(site);
        }
        for (region, pool) in (0_u8..).zip(0..REGIONS.len()) {
            estate.vpn[pool] = estate.segments.len();
            estate.segments.push(vpn_pool(region, pool));
        }
        estate
    }

    fn site(&mut self, number: usize, final_reports_only: bool) -> Site {
        let place = PLACES[number % PLACES.len()];
        let site = match number / PLACES.len() {
            0 => name(place.site),
            round => name(format!("{}-{}", place.site, round + 1)),
        };
        let buildings = (0..place.buildings)
            .map(|b| self.building(number, &site, place, b))
            .collect();
        Site {
            name: site,
            place,
            buildings,
            final_reports_only,
        }
    }

    fn building(&mut self, site_number: usize, site: &Text, place: Place, b: u8) -> Building {
        let building = name(format!("{site}-b{}", b + 1));
        let second = u8::try_from(10 + site_number).expect("at most 60 sites");
        let mut segment = |connection: Connection, label: String, third: u8, prefix: u8| {
            self.segments.push(Segment {
                name: name(format!("{building}-{label}")),
                building: building.clone(),
                site: site.clone(),
                connection,
                network: [10, second, third],
                prefix,
                country: place.country,
                region: REGIONS[place.region],
            });
            self.segments.len() - 1
        };
        let wired = (0..3).map(|floor| {
            segment(
                Connection::Wired,
                format!("wired-{}", floor + 1),
                b * 32 + floor * 2,
                23,
            )
        });
        let wired = wired.collect();
        let access_points = if place.weight > 15.0 { 2 } else { 1 };
        let wifi = (0..access_points)
            .map(|w| segment(Connection::Wifi, format!("wifi-{}", w + 1), b * 32 + 16 + w * 4, 22))
            .collect();
        Building { wired, wifi }
    }

    /// The estate as a building file of Microsoft's Call Quality Dashboard: 15 columns, no header.
    pub(crate) fn sites_csv(&self) -> String {
        let mut csv = String::new();
        for s in &self.segments {
            let [a, b, c] = s.network;
            let is_vpn = s.connection == Connection::Vpn;
            let (inside, vpn) = if is_vpn { (0, 1) } else { (1, 0) };
            let use_of = if is_vpn { "Remote access" } else { "Office" };
            writeln!(
                csv,
                "{a}.{b}.{c}.0,{},{},{},Leased,{use_of},{use_of},{},,{},,{},{inside},0,{vpn}",
                s.name, s.prefix, s.building, s.site, s.country, s.region
            )
            .expect("a String takes every line");
        }
        csv
    }
}

/// Home users of a region share one pool. It is a place of its own: a site's trouble is not theirs.
fn vpn_pool(number: u8, region: usize) -> Segment {
    let region = REGIONS[region];
    Segment {
        name: name(format!("vpn-{region}")),
        building: name(format!("vpn-{region}")),
        site: name(format!("remote-{region}")),
        connection: Connection::Vpn,
        network: [10, 200 + number, 0],
        prefix: 16,
        country: "",
        region,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_building_file_has_fifteen_columns_and_no_network_twice() {
        let csv = Estate::new(&Enterprise {
            sites: 60,
            ..Enterprise::default()
        })
        .sites_csv();
        assert!(csv.lines().all(|line| line.split(',').count() == 15));
        let networks: std::collections::BTreeSet<_> = csv.lines().filter_map(|line| line.split(',').next()).collect();
        assert_eq!(networks.len(), csv.lines().count());
    }

    #[test]
    fn a_host_lies_in_its_segment() {
        let estate = Estate::new(&Enterprise::default());
        let wifi = estate
            .segments
            .iter()
            .find(|s| s.name.as_str() == "berlin-b2-wifi-2")
            .expect("berlin has it");
        assert_eq!(wifi.network, [10, 10, 52]);
        assert_eq!(wifi.address(0).as_str(), "10.10.52.10");
        assert_eq!(wifi.address(1003).as_str(), "10.10.55.245");
    }
}
