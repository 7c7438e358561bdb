//! The people and rooms that call: where they sit, what they call with, when they are at home.

use dialtone_schemas::{EventTime, Leaf, Text};

use crate::{
    catalogue::{CLIENTS, HEADSETS, HOME_ISPS, Hardware, LAPTOPS, PHONES, POLICIES, ROOM_CLIENT, ROOMS},
    estate::{Connection, Estate},
    load::day_of_week,
    noise::Whose,
    random::{Dice, Stream, name},
    scenario::Enterprise,
    zone::Zone,
};

/// What somebody calls with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Laptop,
    Phone,
    Room,
}

/// A place to call from: the placed leaf and the address behind it.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) leaf: Leaf,
    pub(crate) address: Text,
    pub(crate) connection: Connection,
    pub(crate) whose: Whose,
}

/// Somebody, or a room, that calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) kind: Kind,
    pub(crate) site: usize,
    pub(crate) user: Text,
    pub(crate) device_id: Text,
    pub(crate) office: Desk,
    /// Another office, from then on.
    pub(crate) moved: Option<(EventTime, Desk)>,
    home: Option<Desk>,
    /// Bit n: at home on day n of the week, from Monday on.
    home_days: u8,
    /// Place in the order in which a rollout reaches the devices, 0 to 1.
    pub(crate) rollout_rank: f64,
    /// Calls started, relative to a person.
    pub(crate) weight: f64,
}

impl Caller {
    /// Where the caller sits at that time, by the clocks of the site.
    pub(crate) fn desk(&self, at: EventTime, zone: &Zone) -> &Desk {
        let weekday = day_of_week(zone.shown(at));
        let is_home_day = self.home_days >> weekday & 1 == 1;
        match (&self.home, &self.moved) {
            (Some(home), _) if is_home_day => home,
            (_, Some((from, office))) if at >= *from => office,
            _ => &self.office,
        }
    }
}

/// Everybody, with the sums that a draw by weight needs.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) callers: Vec<Caller>,
    /// Per site: who is there, and the running sum of their weights.
    sites: Vec<(Vec<usize>, Vec<f64>)>,
}

impl Population {
    pub(crate) fn new(sizes: &Enterprise, estate: &Estate, seed: u64) -> Self {
        let mut hiring = Hiring {
            dice: Dice::new(seed, Stream::Population, 0),
            estate,
            sizes,
            callers: Vec::new(),
            users: 0,
        };
        let total: f64 = estate.sites.iter().map(|s| s.place.weight).sum();
        let mut sites = Vec::new();
        for (number, site) in estate.sites.iter().enumerate() {
            let first = hiring.callers.len();
            #[allow(clippy::cast_precision_loss, reason = "at most 200,000 users")]
            let users = (sizes.users as f64 * site.place.weight / total).round();
            let mut hired = 0.0;
            while hired < users {
                hiring.person(number);
                hired += 1.0;
            }
            for building in 0..site.buildings.len() {
                (0..sizes.rooms_per_building).for_each(|room| hiring.room(number, building, room));
            }
            let members: Vec<usize> = (first..hiring.callers.len()).collect();
            let mut sum = 0.0;
            let sums = members.iter().map(|i| {
                sum += hiring.callers[*i].weight;
                sum
            });
            let sums = sums.collect();
            sites.push((members, sums));
        }
        Self {
            callers: hiring.callers,
            sites,
        }
    }

    /// The weight of all callers of a site: with the load, the calls it starts.
    pub(crate) fn weight(&self, site: usize) -> f64 {
        self.sites
            .get(site)
            .and_then(|(_, sums)| sums.last())
            .copied()
            .unwrap_or(0.0)
    }

    /// Somebody of a site, by weight.
    pub(crate) fn draw(&self, site: usize, dice: &mut Dice) -> usize {
        let (members, sums) = &self.sites[site];
        let target = dice.unit() * self.weight(site);
        let i = sums.partition_point(|sum| *sum <= target).min(members.len() - 1);
        members[i]
    }
}

/// Of the days of the week, from Monday on.
const FRIDAY: u8 = 4;

/// A room starts as many calls as this many people.
const ROOM_WEIGHT: f64 = 8.0;

struct Hiring<'a> {
    dice: Dice,
    estate: &'a Estate,
    sizes: &'a Enterprise,
    callers: Vec<Caller>,
    users: usize,
}

impl Hiring<'_> {
    fn person(&mut self, site: usize) {
        self.users += 1;
        let number = self.users;
        let user = name(format!("u{number:04}@example.com"));
        // How many still have a desk phone differs from site to site: 20 to 45 %.
        #[allow(clippy::cast_precision_loss, reason = "a remainder")]
        let phones = 0.2 + 0.05 * (site % 6) as f64;
        match self.dice.chance(phones) {
            true => self.phone(site, user),
            false => self.laptop(site, user, number),
        }
    }

    fn phone(&mut self, site: usize, user: Text) {
        // Bought per site: one model for most, another for the rest.
        let model = (site + self.dice.weighted(&[0.75, 0.25])) % PHONES.len();
        let segment = self.segment(site, Connection::Wired);
        let mut leaf = self.leaf(site, segment);
        self.hardware(&mut leaf, &PHONES[model]);
        let mac = self.dice.bits() & 0xff_ffff;
        let office = self.desk(site, segment, leaf, (usize::MAX, usize::MAX));
        self.hire(
            Kind::Phone,
            site,
            user,
            name(format!("phone-0004f2{mac:06x}")),
            office,
            None,
        );
    }

    fn laptop(&mut self, site: usize, user: Text, number: usize) {
        let (connection, region) = match self.dice.chance(0.6) {
            true => (Connection::Wifi, self.estate.sites[site].place.region),
            false => (Connection::Wired, self.estate.sites[site].place.region),
        };
        let segment = self.segment(site, connection);
        let headset = (site + [0, 2, 3][self.dice.weighted(&[0.55, 0.3, 0.15])]) % HEADSETS.len();
        let driver = HEADSETS[headset].drivers[self.dice.weighted(&HEADSETS[headset].drivers.map(|d| d.1))].0;
        let client = self.dice.weighted(&CLIENTS.map(|c| c.1));
        let model = LAPTOPS[(site + self.dice.weighted(&[0.6, 0.4])) % LAPTOPS.len()];
        let mut leaf = self.leaf(site, segment);
        leaf.device = Some(name(model));
        leaf.headset = Some(name(HEADSETS[headset].model));
        leaf.driver = Some(name(driver));
        leaf.client = Some(name(CLIENTS[client].0));
        let pool = self.estate.vpn[region];
        let mut home = leaf.clone();
        self.estate.segments[pool].place(&mut home);
        home.isp = Some(name(HOME_ISPS[region][self.dice.weighted(&[0.6, 0.4])]));
        let home = self.desk(site, pool, home, (headset, client));
        let office = self.desk(site, segment, leaf, (headset, client));
        self.hire(
            Kind::Laptop,
            site,
            user,
            name(format!("lap-{number:04}")),
            office,
            Some(home),
        );
    }

    fn room(&mut self, site: usize, building: usize, room: usize) {
        let there = &self.estate.sites[site];
        let label = format!(
            "{}-{:02}",
            there.name,
            building * self.sizes.rooms_per_building + room + 1
        );
        let segment = there.buildings[building].wired[room % 3];
        let mut leaf = self.leaf(site, segment);
        let model = (site + self.dice.weighted(&[0.7, 0.3])) % ROOMS.len();
        self.hardware(&mut leaf, &ROOMS[model]);
        leaf.client = Some(name(ROOM_CLIENT));
        let office = self.desk(site, segment, leaf, (usize::MAX, usize::MAX));
        self.hire(
            Kind::Room,
            site,
            name(format!("room.{label}@example.com")),
            name(format!("room-{label}")),
            office,
            None,
        );
    }

    fn segment(&mut self, site: usize, connection: Connection) -> usize {
        let buildings = &self.estate.sites[site].buildings;
        // The first building is the largest.
        let building = &buildings[self.dice.weighted(&[0.5, 0.3, 0.2][..buildings.len().min(3)])];
        let segments = if connection == Connection::Wifi {
            &building.wifi
        } else {
            &building.wired
        };
        segments[self.dice.below(segments.len())]
    }

    /// What follows from the place: network, line, policy.
    fn leaf(&mut self, site: usize, segment: usize) -> Leaf {
        let isps = self.estate.sites[site].place.isps;
        // Large sites have bought more voice priority, small ones have less bandwidth.
        let skew = if site < 4 { [1.0, 1.6, 0.5] } else { [1.0, 0.7, 1.4] };
        let policies: Vec<f64> = POLICIES
            .iter()
            .zip(skew)
            .map(|((_, share), skew)| share * skew)
            .collect();
        let mut leaf = Leaf {
            isp: Some(name(isps[self.dice.weighted(&[0.82, 0.18])])),
            policy: Some(name(POLICIES[self.dice.weighted(&policies)].0)),
            ..Leaf::default()
        };
        self.estate.segments[segment].place(&mut leaf);
        leaf
    }

    fn hardware(&mut self, leaf: &mut Leaf, hardware: &Hardware) {
        leaf.device = Some(name(hardware.model));
        leaf.firmware = Some(name(
            hardware.firmware[self.dice.weighted(&hardware.firmware.map(|f| f.1))].0,
        ));
    }

    fn desk(&mut self, site: usize, segment: usize, leaf: Leaf, (headset, client): (usize, usize)) -> Desk {
        let place = &self.estate.segments[segment];
        Desk {
            leaf,
            address: place.address(self.dice.below(60_000)),
            connection: place.connection,
            whose: Whose {
                user: self.callers.len(),
                segment,
                site,
                headset,
                client,
            },
        }
    }

    fn hire(&mut self, kind: Kind, site: usize, user: Text, device_id: Text, office: Desk, home: Option<Desk>) {
        let home_days = (0..7).fold(0, |days, day| {
            let share = if day == FRIDAY {
                self.sizes.vpn_friday
            } else {
                self.sizes.home
            };
            days | u8::from(self.dice.chance(share)) << day
        });
        let weight = if kind == Kind::Room {
            ROOM_WEIGHT
        } else {
            self.dice.lognormal(0.9, 0.5)
        };
        let rollout_rank = self.dice.unit();
        self.callers.push(Caller {
            kind,
            site,
            user,
            device_id,
            office,
            moved: None,
            home,
            home_days,
            rollout_rank,
            weight,
        });
    }
}
