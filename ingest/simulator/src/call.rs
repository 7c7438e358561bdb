//! A call: who calls whom, over which path, how long. Nothing here knows of faults, but for the firmware a rollout brought.

use dialtone_schemas::{EventId, EventTime, Leaf, Text, time};

use crate::{
    estate::Connection,
    noise::Whose,
    population::Kind,
    random::{Dice, Stream, name, whole},
    world::World,
};

/// One of our ends of a call.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) caller: usize,
    pub(crate) kind: Kind,
    /// Placed: with the site, building and segment that the building file will give it.
    pub(crate) leaf: Leaf,
    pub(crate) address: Text,
    pub(crate) user: Text,
    pub(crate) device_id: Text,
    pub(crate) connection: Connection,
    pub(crate) whose: Whose,
    pub(crate) reports: Reports,
}

/// When an end reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reports {
    /// Every minute, and at the end.
    EveryMinute,
    /// At the end only.
    AtTheEnd,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    NeverSetUp,
    Dropped,
}

/// A call with one or two ends of ours. The other end of a call with one is a telephone or a meeting.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) number: u64,
    pub(crate) id: Text,
    pub(crate) start: EventTime,
    pub(crate) span: i64,
    pub(crate) ends: Vec<End>,
    /// Delay of the path between the access lines, one way.
    pub(crate) path_delay_ms: f64,
    pub(crate) outcome: Outcome,
    /// Does the provider of the meeting service report it, for both ends at once?
    pub(crate) by_provider: bool,
}

/// Probability that a call of ours is never set up, and that it drops.
const NEVER_SET_UP: f64 = 0.003;
const DROPPED: f64 = 0.005;
/// Share of the calls between a room and a laptop that the meeting service's provider reports.
const BY_PROVIDER: f64 = 0.3;
/// Nobody talks longer.
pub(crate) const LONGEST: i64 = 2 * time::HOUR;

/// The calls that start in the minute, from all sites, in order of their numbers.
pub(crate) fn calls_of_minute(world: &World, minute: EventTime) -> Vec<Call> {
    let serial = u64::try_from(minute.since(world.scenario.start) / time::MINUTE).unwrap_or(0);
    let mut arrivals = Dice::new(world.seed, Stream::Arrivals, serial);
    let towards: Vec<f64> = (0..world.estate.sites.len())
        .map(|site| world.population.weight(site) * world.intensity(site, minute).max(0.01))
        .collect();
    let per_user = world.scenario.enterprise.calls_per_user_busy_hour / 60.0;
    let mut calls = Vec::new();
    for site in 0..world.estate.sites.len() {
        let mean = per_user * world.population.weight(site) * world.intensity(site, minute);
        for _ in 0..arrivals.poisson(mean) {
            let number = serial << 16 | calls.len() as u64;
            calls.push(Drawing::new(world, number, minute).call(site, &towards));
        }
    }
    calls
}

struct Drawing<'a> {
    world: &'a World,
    dice: Dice,
    number: u64,
    start: EventTime,
}

impl<'a> Drawing<'a> {
    fn new(world: &'a World, number: u64, minute: EventTime) -> Self {
        let mut dice = Dice::new(world.seed, Stream::Call, number);
        let start = minute.plus(dice.between(0, 60_000) * 1000);
        Self {
            world,
            dice,
            number,
            start,
        }
    }

    fn call(mut self, site: usize, towards: &[f64]) -> Call {
        let caller = self.world.population.draw(site, &mut self.dice);
        let is_room = self.world.population.callers[caller].kind == Kind::Room;
        let kinds = if is_room { [0.6, 0.05, 0.35] } else { [0.56, 0.3, 0.14] };
        let median = if is_room { 6.0 } else { 2.2 };
        let span = whole(self.dice.lognormal(median, 0.9) * 60_000.0).max(4000) * 1000;
        let mut call = Call {
            number: self.number,
            id: call_id(self.world.seed, self.number),
            start: self.start,
            span: span.min(LONGEST),
            ends: vec![self.end(caller)],
            path_delay_ms: 0.0,
            outcome: Outcome::Completed,
            by_provider: false,
        };
        match self.dice.weighted(&kinds) {
            0 => self.ring_colleague(&mut call, caller, site, towards),
            1 => self.ring_telephone(&mut call, site),
            _ => self.join_meeting(&mut call, site),
        }
        let fate = self.dice.unit();
        if fate < NEVER_SET_UP {
            call.outcome = Outcome::NeverSetUp;
        } else if fate < NEVER_SET_UP + DROPPED {
            call.outcome = Outcome::Dropped;
        }
        call
    }

    fn ring_colleague(&mut self, call: &mut Call, caller: usize, site: usize, towards: &[f64]) {
        let population = &self.world.population;
        let there = if self.dice.chance(0.3) {
            site
        } else {
            self.dice.weighted(towards)
        };
        let mut callee = population.draw(there, &mut self.dice);
        if callee == caller {
            callee = if caller + 1 < population.callers.len() {
                caller + 1
            } else {
                0
            };
        }
        call.ends.push(self.end(callee));
        let relay = self.relay(site);
        let (here, there) = (self.region(site), self.region(population.callers[callee].site));
        let are_phones = call.ends.iter().any(|end| end.kind == Kind::Phone);
        let codec = self.codec(&call.ends[0], if are_phones { "g722" } else { "opus" });
        call.path_delay_ms = distance_ms(here, there);
        self.perhaps_by_provider(call);
        set_path(call, relay, None, codec);
    }

    /// Some calls between a room and a laptop are reported by the provider of the meeting service, after their end.
    fn perhaps_by_provider(&mut self, call: &mut Call) {
        let is_its_call = self.dice.chance(BY_PROVIDER);
        let kinds = call.ends.iter().map(|end| end.kind);
        if is_its_call && kinds.clone().any(|k| k == Kind::Room) && kinds.clone().any(|k| k == Kind::Laptop) {
            call.id = provider_id(&call.id, self.dice.bits());
            call.by_provider = true;
            call.ends.iter_mut().for_each(|end| end.reports = Reports::AtTheEnd);
        }
    }

    fn ring_telephone(&mut self, call: &mut Call, site: usize) {
        let place = &self.world.estate.sites[site].place;
        let carrier = place.carriers[self.dice.weighted(&[0.8, 0.2])];
        let codec = if place.region == 2 { "pcmu" } else { "pcma" };
        let codec = self.codec(&call.ends[0], codec);
        call.path_delay_ms = 28.0;
        let relay = self.relay(site);
        set_path(call, relay, Some(carrier), codec);
    }

    fn join_meeting(&mut self, call: &mut Call, site: usize) {
        let codec = self.codec(&call.ends[0], "opus");
        call.path_delay_ms = 16.0;
        let relay = self.relay(site);
        set_path(call, relay, None, codec);
    }

    fn end(&mut self, caller: usize) -> End {
        let who = &self.world.population.callers[caller];
        let site = &self.world.estate.sites[who.site];
        let desk = who.desk(self.start, &self.world.zones[who.site]);
        let mut leaf = desk.leaf.clone();
        for fault in self.world.faults.iter().chain(&self.world.rollouts) {
            if let Some(firmware) = fault.rolled_out(&leaf, who.rollout_rank, self.start) {
                leaf.firmware = Some(firmware.clone());
            }
        }
        let at_the_end = who.kind == Kind::Phone && site.final_reports_only;
        End {
            caller,
            kind: who.kind,
            leaf,
            address: desk.address.clone(),
            user: who.user.clone(),
            device_id: who.device_id.clone(),
            connection: desk.connection,
            whose: desk.whose,
            reports: if at_the_end {
                Reports::AtTheEnd
            } else {
                Reports::EveryMinute
            },
        }
    }

    fn relay(&mut self, site: usize) -> &'static str {
        self.world.estate.sites[site].place.relays[self.dice.weighted(&[0.88, 0.12])]
    }

    fn region(&self, site: usize) -> usize {
        self.world.estate.sites[site].place.region
    }

    /// The low-bandwidth policy puts G.729 first.
    fn codec(&mut self, end: &End, usual: &'static str) -> &'static str {
        let is_low = end
            .leaf
            .policy
            .as_ref()
            .is_some_and(|policy| policy.as_str() == "low-bandwidth");
        if self.dice.chance(0.7) && is_low { "g729" } else { usual }
    }
}

fn set_path(call: &mut Call, relay: &str, carrier: Option<&str>, codec: &str) {
    for end in &mut call.ends {
        end.leaf.relay = Some(name(relay));
        end.leaf.carrier = carrier.map(name);
        end.leaf.codec = Some(name(codec));
    }
}

/// One-way delay between regions: great-circle fibre with detours, in milliseconds.
fn distance_ms(here: usize, there: usize) -> f64 {
    match (here.min(there), here.max(there)) {
        (a, b) if a == b => 14.0,
        (0, 1) => 82.0,
        (0, 2) => 52.0,
        _ => 105.0,
    }
}

fn call_id(seed: u64, number: u64) -> Text {
    let id = EventId::derive(["simulated call", &seed.to_string(), &number.to_string()]).to_string();
    name(&id[..16])
}

/// The provider names its calls by GUIDs.
fn provider_id(id: &Text, bits: u64) -> Text {
    let (low, id) = (format!("{bits:016x}"), id.as_str());
    name(format!(
        "{}-{}-4{}-8{}-{}",
        &id[..8],
        &id[8..12],
        &id[13..16],
        &low[1..4],
        &low[4..16]
    ))
}
