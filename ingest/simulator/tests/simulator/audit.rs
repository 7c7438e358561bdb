//! Counts what a run delivered as a detector would see it: placed by the building file, poor by the reported figures.

use std::collections::BTreeMap;

use dialtone_schemas::{Event, EventTime, Leaf, Scope, Text, time};
use dialtone_simulator::{Cause, Scenario, Simulation, scenario::Span};

/// One end of one call.
#[derive(Clone, Debug)]
pub(crate) struct CallEnd {
    pub(crate) leaf: Leaf,
    /// The other end, when it is ours.
    pub(crate) far: Option<Leaf>,
    pub(crate) device_id: Text,
    pub(crate) over: EventTime,
    pub(crate) is_poor: bool,
}

/// Call-ends, and how many were poor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Share {
    pub(crate) poor: f64,
    pub(crate) all: f64,
}

impl Share {
    pub(crate) fn rate(self) -> f64 {
        self.poor / self.all.max(1.0)
    }

    pub(crate) fn odds(self) -> f64 {
        self.poor / (self.all - self.poor).max(0.5)
    }
}

/// Places addresses by a building file.
pub(crate) struct Places(BTreeMap<(u32, u32), [Text; 3]>);

impl Places {
    pub(crate) fn new(sites_csv: &str) -> Self {
        let rows = sites_csv.lines().map(|line| {
            let columns: Vec<&str> = line.split(',').collect();
            let prefix: u32 = columns[2].parse().expect("a prefix");
            let text = |i: usize| Text::new(columns[i]).expect("a name");
            (
                (prefix, number(columns[0]) >> (32 - prefix)),
                [text(7), text(3), text(1)],
            )
        });
        Self(rows.collect())
    }

    pub(crate) fn place(&self, leaf: &mut Leaf, address: &str) {
        let address = number(address);
        let names = (8..=28)
            .rev()
            .find_map(|prefix| self.0.get(&(prefix, address >> (32 - prefix))));
        let [site, building, segment] = names
            .expect("every address lies in a network of the building file")
            .clone();
        (leaf.site, leaf.building, leaf.segment) = (Some(site), Some(building), Some(segment));
    }
}

fn number(address: &str) -> u32 {
    address.parse::<std::net::Ipv4Addr>().expect("an IPv4 address").into()
}

/// Loss, jitter and round trip as reported, or R below 70 by the simple E-model.
pub(crate) fn is_poor(event: &Event) -> bool {
    let Some(loss) = event.loss_ratio() else { return false };
    let discard = event.packets.discard_ratio.map_or(0.0, |r| r.get());
    let jitter = event.delay.jitter_ms.map_or(0.0, |m| m.get());
    let rtt = event.delay.rtt_ms.map_or(0.0, |m| m.get());
    let (percent, one_way) = (100.0 * (loss + discard), rtt / 2.0 + 2.0 * jitter + 20.0);
    let r = 93.2 - 0.024 * one_way - 0.11 * (one_way - 177.3).max(0.0) - 95.0 * percent / (percent + 25.1);
    loss >= 0.05 || jitter >= 30.0 || rtt >= 400.0 || r < 70.0
}

/// Runs to the end; the call-ends in order of their ids.
pub(crate) fn call_ends(simulation: &mut Simulation) -> Vec<CallEnd> {
    let places = Places::new(&simulation.sites_csv());
    let mut ends: BTreeMap<(Text, Text), CallEnd> = BTreeMap::new();
    let mut now = simulation.truth().warm_up_until.plus(-26 * time::HOUR);
    while now < simulation.end() {
        now = now.plus(10 * time::MINUTE);
        for event in simulation.advance(now).events {
            let key = (event.call_id.clone(), event.leg_id.clone().expect("a leg"));
            let end = ends.entry(key).or_insert_with(|| {
                let mut leaf = event.near.clone();
                places.place(
                    &mut leaf,
                    event.near_endpoint.address.as_ref().expect("an address").as_str(),
                );
                let far = event.far.clone().map(|mut far| {
                    let there = event
                        .far_endpoint
                        .as_ref()
                        .and_then(|end| end.address.as_ref())
                        .expect("an address");
                    places.place(&mut far, there.as_str());
                    far
                });
                let device_id = event.near_endpoint.device_id.clone().expect("a device");
                CallEnd {
                    leaf,
                    far,
                    device_id,
                    over: event.end,
                    is_poor: false,
                }
            });
            end.over = end.over.max(event.end);
            end.is_poor |= is_poor(&event);
        }
    }
    ends.into_values().collect()
}

/// Shares of poor call-ends in a cause's scope and outside of all causes, while it lasts.
pub(crate) fn inside_outside(cause: &Cause, all: &[Cause], ends: &[CallEnd], end: EventTime) -> (Share, Share) {
    let lies_in = |c: &Cause, e: &CallEnd| covers(&c.scope, c.device_id.as_ref(), e);
    let until = cause.until.unwrap_or(end);
    let (mut inside, mut outside) = (Share::default(), Share::default());
    for e in ends.iter().filter(|e| e.over > cause.onset && e.over <= until) {
        let share = match (lies_in(cause, e), all.iter().any(|c| lies_in(c, e))) {
            (true, _) => &mut inside,
            (false, false) => &mut outside,
            (false, true) => continue,
        };
        share.all += 1.0;
        share.poor += f64::from(u8::from(e.is_poor));
    }
    (inside, outside)
}

/// Shares of poor call-ends from a cause's onset on: in its scope, talking to its scope, neither.
pub(crate) fn near_far_neither(cause: &Cause, ends: &[CallEnd]) -> [Share; 3] {
    let mut shares = [Share::default(); 3];
    for end in ends.iter().filter(|e| e.over > cause.onset) {
        let is_far = end.far.as_ref().is_some_and(|leaf| cause.scope.covers(leaf));
        let place = if cause.scope.covers(&end.leaf) {
            0
        } else {
            2 - usize::from(is_far)
        };
        shares[place].all += 1.0;
        shares[place].poor += f64::from(u8::from(end.is_poor));
    }
    shares
}

pub(crate) fn covers(scope: &Scope, device_id: Option<&Text>, end: &CallEnd) -> bool {
    scope.covers(&end.leaf) && device_id.is_none_or(|id| *id == end.device_id)
}

/// A built-in scenario with an hour of history instead of three weeks: the judged part stays where it is.
pub(crate) fn short(name: &str) -> Scenario {
    let (_, toml) = dialtone_simulator::scenario::built_in()
        .iter()
        .find(|(n, _)| *n == name)
        .expect("built in");
    let mut scenario = Scenario::from_toml(toml)
        .expect("a scenario")
        .with_history_of(Span(time::HOUR));
    // What a change does good is told apart from what a fault does where it is asked for.
    scenario.changes.improving = 0.0;
    scenario
}
