//! An office moves: in a run of more than three days, the people of one segment work from another site, from a day on. Their
//! laptops, phones and habits stay the same; their rooms stay where they are.

use dialtone_schemas::{EventTime, Text, time};
use serde::{Deserialize, Serialize};

use crate::{
    estate::{Connection, Estate},
    noise::Whose,
    population::{Desk, Kind, Population},
    random::{Dice, Stream, name},
    scenario::Scenario,
};

/// Who works somewhere else, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfficeMove {
    /// Whose people move.
    pub segment: Text,
    /// Where they work then.
    pub site: Text,
    /// The first instant of the first day there.
    pub from: EventTime,
}

/// In a shorter run nobody moves.
const SHORTEST: i64 = 3 * time::DAY;

/// Moves them, if they move at all.
pub(crate) fn move_office(
    population: &mut Population,
    estate: &Estate,
    scenario: &Scenario,
    seed: u64,
) -> Option<OfficeMove> {
    let span = scenario.end().since(scenario.start);
    if !scenario.enterprise.office_move || span <= SHORTEST {
        return None;
    }
    let mut dice = Dice::new(seed, Stream::Move, 0);
    // In an order that the seed alone draws: what is broken only keeps its own people where they are.
    let offices = dice.shuffled(offices(population));
    let is_named = |segment: &usize| is_named(&estate.segments[*segment].name, scenario);
    let segment = offices.into_iter().find(|segment| !is_named(segment))?;
    let old_home = &estate.segments[segment];
    let is_other = |site: &usize| estate.sites[*site].name != old_home.site;
    let sites: Vec<usize> = (0..estate.sites.len()).filter(is_other).collect();
    let site = *sites.get(dice.below(sites.len()))?;
    let day = dice.between(1, span / time::DAY);
    let from = scenario.start.floor(time::DAY).plus(day * time::DAY);
    let building = &estate.sites[site].buildings[0];
    let places = match old_home.connection {
        Connection::Wifi => &building.wifi,
        Connection::Wired | Connection::Vpn => &building.wired,
    };
    let movers = population.callers.iter_mut();
    for mover in movers.filter(|c| c.kind != Kind::Room && c.office.whose.segment == segment) {
        let place = places[dice.below(places.len())];
        let address = estate.segments[place].address(dice.below(60_000));
        mover.moved = Some((from, desk(&mover.office, estate, site, place, address)));
    }
    Some(OfficeMove {
        segment: old_home.name.clone(),
        site: estate.sites[site].name.clone(),
        from,
    })
}

/// Does a fault name it?
fn is_named(segment: &Text, scenario: &Scenario) -> bool {
    let mut scopes = scenario.faults.iter().filter_map(|fault| fault.scope.as_ref());
    scopes.any(|scope| scope.conditions().any(|(_, value)| value == segment))
}

/// Segments in which people sit.
fn offices(population: &Population) -> Vec<usize> {
    let people = population.callers.iter().filter(|caller| caller.kind != Kind::Room);
    let mut offices: Vec<usize> = people.map(|caller| caller.office.whose.segment).collect();
    offices.sort_unstable();
    offices.dedup();
    offices
}

/// The same desk at another place, on that site's main line.
fn desk(old: &Desk, estate: &Estate, site: usize, segment: usize, address: Text) -> Desk {
    let mut leaf = old.leaf.clone();
    estate.segments[segment].place(&mut leaf);
    leaf.isp = Some(name(estate.sites[site].place.isps[0]));
    Desk {
        leaf,
        address,
        connection: estate.segments[segment].connection,
        whose: Whose {
            segment,
            site,
            ..old.whose
        },
    }
}
