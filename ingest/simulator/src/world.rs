//! Everything that is fixed before the first call: the estate, the people, the noise, the faults.

use dialtone_schemas::EventTime;

use crate::{
    catalogue::{CLIENTS, HEADSETS},
    estate::Estate,
    fault::Fault,
    innocent::Improvement,
    load, moving,
    moving::OfficeMove,
    noise::{Draws, Extent},
    population::Population,
    scenario::Scenario,
    zone::Zone,
};

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    pub(crate) estate: Estate,
    /// The zone of each site.
    pub(crate) zones: Vec<Zone>,
    pub(crate) population: Population,
    pub(crate) office_move: Option<OfficeMove>,
    pub(crate) noise: Draws,
    pub(crate) faults: Vec<Fault>,
    /// New versions that do no harm.
    pub(crate) rollouts: Vec<Fault>,
    /// What broke in the history, and was mended: nobody was told.
    pub(crate) old: Vec<Fault>,
    /// Changes that make calls better.
    pub(crate) improvements: Vec<Improvement>,
}

impl World {
    /// A world in which nothing is broken.
    pub(crate) fn healthy(scenario: &Scenario, seed: u64) -> Self {
        let estate = Estate::new(&scenario.enterprise);
        let mut population = Population::new(&scenario.enterprise, &estate, seed);
        let office_move = moving::move_office(&mut population, &estate, scenario, seed);
        let extent = Extent {
            start: scenario.start,
            end: scenario.end(),
            users: population.callers.len(),
            segments: estate.segments.len(),
            sites: estate.sites.len(),
            headsets: HEADSETS.len(),
            clients: CLIENTS.len(),
        };
        let sites = estate.sites.iter();
        let zones = sites.map(|site| Zone::new(site.place.zone, extent.start, extent.end));
        let zones = zones.collect();
        let noise = Draws::new(&scenario.noise, seed, extent);
        Self {
            scenario: scenario.clone(),
            seed,
            estate,
            zones,
            population,
            office_move,
            noise,
            faults: Vec::new(),
            rollouts: Vec::new(),
            old: Vec::new(),
            improvements: Vec::new(),
        }
    }

    /// The load of a site at that time, relative to its busiest hour.
    pub(crate) fn intensity(&self, site: usize, at: EventTime) -> f64 {
        let place = &self.estate.sites[site].place;
        load::intensity(at, place, &self.zones[site], &self.scenario.enterprise)
    }
}
