//! The physics: what an end's access line, the path between the ends and the faults on them do to the packets of a minute.

use dialtone_schemas::EventTime;

use crate::{
    call::{Call, End},
    estate::Connection,
    fault::Fault,
    random::{Dice, Stream},
    scenario::Strain,
    world::World,
};

impl Strain {
    /// This strain and then that one: losses as of independent hops, jitter as of independent variations.
    #[must_use]
    pub(crate) fn then(self, next: Self) -> Self {
        Self {
            loss: 1.0 - (1.0 - self.loss) * (1.0 - next.loss),
            discard: 1.0 - (1.0 - self.discard) * (1.0 - next.discard),
            jitter_ms: self.jitter_ms.hypot(next.jitter_ms),
            delay_ms: self.delay_ms + next.delay_ms,
        }
    }

    #[must_use]
    pub(crate) fn scaled(self, share: f64) -> Self {
        Self {
            loss: self.loss * share,
            discard: self.discard * share,
            jitter_ms: self.jitter_ms * share,
            delay_ms: self.delay_ms * share,
        }
    }
}

/// What one end receives in one interval, and the round trip it measures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quality {
    pub(crate) loss: f64,
    pub(crate) discard: f64,
    pub(crate) jitter_ms: f64,
    pub(crate) rtt_ms: f64,
}

/// What one end's side of the call does to the stream towards it, and to the stream it sends.
#[derive(Clone, Copy, Debug, Default)]
struct Access {
    down: Strain,
    up: Strain,
}

/// Probability that a bad spell lasts for another interval.
const SPELL_GOES_ON: f64 = 0.4;

/// A call as it goes on.
#[derive(Debug)]
pub(crate) struct Passage<'a> {
    world: &'a World,
    call: &'a Call,
    dice: Dice,
    damage: Dice,
    old_damage: Dice,
    /// Is this end in a bad spell?
    spells: [bool; 2],
}

impl<'a> Passage<'a> {
    pub(crate) fn new(world: &'a World, call: &'a Call) -> Self {
        Self {
            world,
            call,
            // The call's own numbers were used to draw it; its quality has the upper half of the stream numbers.
            dice: Dice::new(world.seed, Stream::Call, call.number | 1 << 55),
            damage: Dice::new(world.seed, Stream::Damage, call.number),
            old_damage: Dice::new(world.seed, Stream::OldDamage, call.number),
            spells: [false; 2],
        }
    }

    /// The next interval, as each end receives it.
    pub(crate) fn interval(&mut self, at: EventTime) -> Vec<Quality> {
        let path = self.path(at);
        let access: Vec<Access> = (0..self.call.ends.len()).map(|i| self.access(i, at)).collect();
        let other = |i: usize| {
            access
                .iter()
                .enumerate()
                .find(|(j, _)| *j != i)
                .map_or(Access::default(), |(_, a)| *a)
        };
        access
            .iter()
            .enumerate()
            .map(|(i, near)| {
                let far = other(i);
                let heard = far.up.then(path).then(near.down);
                let back = near.up.then(path).then(far.down);
                Quality {
                    loss: heard.loss,
                    discard: (heard.discard + (heard.jitter_ms - 25.0).max(0.0) / 1500.0).min(1.0),
                    jitter_ms: heard.jitter_ms,
                    rtt_ms: heard.delay_ms + back.delay_ms,
                }
            })
            .collect()
    }

    /// Relay, carrier, distance: felt by both ends alike.
    fn path(&mut self, at: EventTime) -> Strain {
        let mut path = Strain {
            loss: self.dice.lognormal(0.0003, 1.0),
            discard: 0.0,
            jitter_ms: self.dice.lognormal(1.8, 0.4),
            delay_ms: self.call.path_delay_ms * self.dice.lognormal(1.0, 0.08),
        };
        let Some(end) = self.call.ends.first() else { return path };
        for (faults, damage) in [
            (&self.world.faults, &mut self.damage),
            (&self.world.old, &mut self.old_damage),
        ] {
            for fault in faults.iter().filter(|fault| fault.is_on_path()) {
                path = path.then(harm(self.world, fault, end, at, damage));
            }
        }
        path
    }

    fn access(&mut self, i: usize, at: EventTime) -> Access {
        let end = &self.call.ends[i];
        let down = self.quiet(end.connection);
        let up = self.quiet(end.connection);
        let spell = self.spell(i, at);
        let felt_up = if self.dice.chance(0.4) { 0.5 } else { 0.0 };
        let mut access = Access {
            down: down.then(spell),
            up: up.then(spell.scaled(felt_up)),
        };
        for (faults, damage) in [
            (&self.world.faults, &mut self.damage),
            (&self.world.old, &mut self.old_damage),
        ] {
            for fault in faults.iter().filter(|fault| !fault.is_on_path()) {
                let harm = harm(self.world, fault, end, at, damage);
                access.down = access.down.then(harm);
                access.up = access.up.then(harm.scaled(fault.far));
            }
        }
        access
    }

    /// What a line does when nothing is wrong.
    fn quiet(&mut self, connection: Connection) -> Strain {
        let (loss, jitter_ms, delay_ms) = match connection {
            Connection::Wired => (0.0005, 2.5, 4.0),
            Connection::Wifi => (0.0012, 5.0, 7.0),
            Connection::Vpn => (0.0012, 5.5, 22.0),
        };
        Strain {
            loss: self.dice.lognormal(loss, 1.0).min(0.5),
            discard: 0.0,
            jitter_ms: self.dice.lognormal(jitter_ms, 0.4),
            delay_ms: self.dice.lognormal(delay_ms, 0.2),
        }
    }

    /// A bad spell of no fault's making: a busy cell, a retraining line, a laptop that hangs.
    fn spell(&mut self, i: usize, at: EventTime) -> Strain {
        let end = &self.call.ends[i];
        let odds = odds(self.world, end, at);
        let begins = self.dice.chance(odds / (1.0 + odds));
        let goes_on = self.dice.chance(SPELL_GOES_ON);
        self.spells[i] = begins || (self.spells[i] && goes_on);
        let kind = self.dice.weighted(&[0.5, 0.35, 0.15]);
        let size = self.dice.lognormal(1.0, 0.4);
        match (self.spells[i], kind) {
            (false, _) => Strain::default(),
            (true, 0) => Strain {
                loss: (0.07 * size).min(0.6),
                jitter_ms: 8.0,
                ..Strain::default()
            },
            (true, 1) => Strain {
                loss: 0.005,
                jitter_ms: 34.0 * size,
                ..Strain::default()
            },
            (true, _) => Strain {
                delay_ms: 180.0 * size,
                jitter_ms: 6.0,
                ..Strain::default()
            },
        }
    }
}

/// The odds that a bad spell of no fault's making begins in an interval.
fn odds(world: &World, end: &End, at: EventTime) -> f64 {
    let hazard = match end.connection {
        Connection::Wired => 0.0030,
        Connection::Wifi => 0.0085,
        Connection::Vpn => 0.0095,
    };
    // Lines are built for the busiest hour; what goes beyond it is more calls, not worse ones.
    let site = end.whose.site.min(world.estate.sites.len() - 1);
    let busy = 0.8 + 0.4 * world.intensity(site, at).min(1.0);
    let better = world.improvements.iter().filter(|better| better.covers(&end.leaf, at));
    let improved: f64 = better.map(|better| better.factor).product();
    hazard * busy * world.noise.factor(end.whose, at) * improved
}

/// The odds of a bad interval, where a spell begins with these: it lasts on, so that of intervals more are bad than begin a spell.
/// Of a chain that begins with p and goes on with s or p, p / (1 − s (1 − p)) are.
fn bad_odds(begins: f64) -> f64 {
    let p = begins / (1.0 + begins);
    let bad = p / (1.0 - SPELL_GOES_ON * (1.0 - p));
    bad / (1.0 - bad)
}

/// What a fault does to one interval of an end, or of the path behind it. Odds are those of the end, of a path those of the call's first.
fn harm(world: &World, fault: &Fault, end: &End, at: EventTime, dice: &mut Dice) -> Strain {
    let strength = fault.strength(at);
    // Always the same three numbers of the stream, whether used or not: faults do not disturb each other.
    let (hit, size) = (dice.unit(), dice.lognormal(1.0, 0.35));
    if strength <= 0.0 || !fault.covers(&end.leaf, &end.device_id) {
        return Strain::default();
    }
    let steady = fault.steady.scaled(strength);
    let usual = fault.odds.map_or(0.0, |_| bad_odds(odds(world, end, at)));
    match hit < fault.hit_share(usual, strength) {
        true => steady.then(Strain {
            loss: (fault.hit.loss * size).min(0.8),
            ..fault.hit.strain().scaled(size)
        }),
        false => steady,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use dialtone_schemas::{Dimension, change::Selector};

    use super::*;
    use crate::{call::calls_of_minute, innocent::Improvement, scenario::Scenario};

    /// A change that leaves half of the odds does so from then on, to whom it touches.
    #[test]
    fn an_improvement_leaves_its_share_of_the_odds_from_then_on() {
        let scenario = Scenario::from_toml(include_str!("../scenarios/demo.toml")).expect("a scenario");
        let mut world = World::healthy(&scenario, 1);
        let from = scenario.judged_from();
        let calls = calls_of_minute(&world, from);
        let end = &calls[0].ends[0];
        let site = end.leaf.site.clone().expect("placed");
        let usual = odds(&world, end, from);
        world.improvements = vec![Improvement {
            change_id: crate::random::name("CHG-1"),
            from,
            scope: Selector(BTreeMap::from([(Dimension::Site, vec![site])])),
            factor: 0.5,
        }];
        assert!((odds(&world, end, from) / usual - 0.5).abs() < 1e-12);
        let others = calls
            .iter()
            .flat_map(|call| &call.ends)
            .find(|other| other.leaf.site != end.leaf.site);
        let other = others.expect("another site");
        let before = from.plus(-1);
        let factor = |end: &End, at| {
            let hazard = odds(&world, end, at);
            let healthy = World::healthy(&scenario, 1);
            hazard / odds(&healthy, end, at)
        };
        assert!((factor(other, from) - 1.0).abs() < 1e-12 && (factor(end, before) - 1.0).abs() < 1e-12);
    }

    /// Odds of 0.01 that a spell begins, p = 0.0099: a chain that is bad with p after a good interval and with p + 0.4 (1 − p) = 0.4059 after a
    /// bad one is bad in 0.0099 / (0.0099 + 0.5941) = 1.64 % of all.
    #[test]
    fn more_intervals_are_bad_than_begin_a_spell() {
        let bad = bad_odds(0.01);
        assert!((bad / (1.0 + bad) - 0.0164).abs() < 1e-4, "{bad}");
    }
}
