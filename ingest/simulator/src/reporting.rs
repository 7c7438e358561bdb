//! What becomes of reports on their way: some never come, some come twice, some come late, and from one site none come for a
//! while. The calls behind them go on, and their other ends tell of them.

use dialtone_schemas::{Dimension, Event, EventTime, Text, time};
use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    population::Kind,
    random::{Dice, Stream, whole},
    report::Sent,
    span::Span,
    world::World,
};

/// How reports are lost, repeated and delayed. The defaults are what a collector of a large enterprise sees.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reporting {
    /// Share of the call-ends that never report.
    pub never: f64,
    /// Share of the reports that are sent a second time.
    pub duplicates: f64,
    /// So long no report gets out of one site.
    pub gap: Span,
    /// By so much the clocks of one site's phones are slow.
    pub clock_off: Span,
    /// Median of the delay of the provider's call records.
    pub graph_delay_median: Span,
    /// Standard deviation of that delay's logarithm.
    pub graph_delay_sigma: f64,
}

impl Default for Reporting {
    fn default() -> Self {
        Self {
            never: 0.05,
            duplicates: 0.02,
            gap: Span(40 * time::MINUTE),
            clock_off: Span(7 * time::MINUTE),
            graph_delay_median: Span(25 * time::MINUTE),
            graph_delay_sigma: 0.5,
        }
    }
}

impl Reporting {
    /// Every report comes, once, in time, with the right time on it.
    pub const fn perfect() -> Self {
        Self {
            never: 0.0,
            duplicates: 0.0,
            gap: Span(0),
            clock_off: Span(0),
            graph_delay_median: Span(0),
            graph_delay_sigma: 0.0,
        }
    }
}

/// A collector gap: what the ends of a site send in it never arrives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Whose reports.
    pub site: Text,
    /// The first instant of it.
    pub from: EventTime,
    /// The first instant after it.
    pub until: EventTime,
}

/// Phones whose clocks are slow: they stamp too early a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOff {
    /// Whose phones.
    pub site: Text,
    /// By how much.
    pub slow_by_seconds: i64,
}

/// The provider's record of a call comes so long after its end at the latest, ...
const LATEST: i64 = time::DAY;
/// ... and what is sent a second time so long after the first one.
const SECOND: [i64; 2] = [3, 60];
/// No report comes later after its end.
pub(crate) const HEARD_WITHIN: i64 = LATEST + SECOND[1] * time::SECOND;

/// A gap begins no sooner after the beginning of the judged part.
const FIRST_GAP: i64 = 30 * time::MINUTE;
/// Where the load is below this share of the busiest hour's, a gap would hide nothing.
const AWAKE: f64 = 0.25;

/// Where and when reports of one run go astray, drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disorder {
    pub(crate) gap: Option<Gap>,
    pub(crate) clock_off: Option<ClockOff>,
}

impl Disorder {
    /// Neither lies where something is broken: a fault is to be found by what it does.
    pub(crate) fn new(world: &World) -> Self {
        let mut dice = Dice::new(world.seed, Stream::Disorder, 0);
        let sites = sound_sites(world);
        let slow = clock_off(world, &sites, &mut dice);
        let is_slow = |site: &usize| Some(&world.estate.sites[*site].name) == slow.as_ref().map(|clock| &clock.site);
        let others: Vec<usize> = sites.iter().copied().filter(|site| !is_slow(site)).collect();
        let sites = if others.is_empty() { sites } else { others };
        Self {
            gap: gap(world, sites, &mut dice),
            clock_off: slow,
        }
    }
}

/// At the first sound site in an order that the seed alone draws: what is broken moves it only if it lies there.
fn clock_off(world: &World, sound: &[usize], dice: &mut Dice) -> Option<ClockOff> {
    let slow_by_seconds = world.scenario.reporting.clock_off.0 / time::SECOND;
    let order = dice.shuffled((0..world.estate.sites.len()).collect());
    let site = order.into_iter().find(|site| sound.contains(site))?;
    (slow_by_seconds > 0).then(|| ClockOff {
        site: world.estate.sites[site].name.clone(),
        slow_by_seconds,
    })
}

/// At a site of the middle third by size, of those that work at that time.
fn gap(world: &World, mut sites: Vec<usize>, dice: &mut Dice) -> Option<Gap> {
    let span = world.scenario.reporting.gap.0;
    let room = world.scenario.evaluate.0 - FIRST_GAP - span;
    let when = dice.between(0, room.max(0) / time::SECOND + 1) * time::SECOND;
    let from = world.scenario.judged_from().plus(FIRST_GAP + when);
    if sites.iter().any(|site| world.intensity(*site, from) >= AWAKE) {
        sites.retain(|site| world.intensity(*site, from) >= AWAKE);
    }
    let weight = |site: &usize| world.population.weight(*site);
    sites.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    let third = sites.len() / 3;
    let middle = sites.get(third..sites.len() - third).unwrap_or_default();
    let site = middle.get(dice.below(middle.len())).filter(|_| span > 0 && room >= 0)?;
    Some(Gap {
        site: world.estate.sites[*site].name.clone(),
        from,
        until: from.plus(span),
    })
}

/// Sites that no fault names, nor any part of them.
fn sound_sites(world: &World) -> Vec<usize> {
    let estate = &world.estate;
    let is_named = |site: &Text| {
        let is_part = |dimension, value: &Text| match dimension {
            Dimension::Site => value == site,
            Dimension::Building | Dimension::Segment => estate
                .segments
                .iter()
                .any(|s| s.site == *site && (s.name == *value || s.building == *value)),
            _ => false,
        };
        let mut scopes = world.faults.iter().map(|fault| &fault.scope);
        scopes.any(|scope| scope.conditions().any(|(dimension, value)| is_part(dimension, value)))
    };
    (0..estate.sites.len())
        .filter(|site| !is_named(&estate.sites[*site].name))
        .collect()
}

/// The reports of one end of one call on their way. What the provider reports of a call, it reports of both ends at once: they
/// share their fate, and no site's collector has a part in it.
#[derive(Debug)]
pub(crate) struct Journey<'a> {
    rules: &'a Reporting,
    dice: Dice,
    gap: Option<&'a Gap>,
    slow_by: i64,
    never: bool,
    /// Of the provider's records, from the end of the call.
    delay: Option<i64>,
}

impl<'a> Journey<'a> {
    pub(crate) fn new(world: &'a World, disorder: &'a Disorder, call: &Call, i: usize) -> Self {
        let rules = &world.scenario.reporting;
        let end = &call.ends[i];
        let number = if call.by_provider || i == 0 { 0 } else { 1 };
        let mut dice = Dice::new(world.seed, Stream::Reporting, call.number << 1 | number);
        let is_at = |site: &Text| !call.by_provider && end.leaf.site.as_ref() == Some(site);
        let clock = disorder.clock_off.as_ref();
        let clock = clock.filter(|clock| end.kind == Kind::Phone && is_at(&clock.site));
        let never = dice.chance(rules.never);
        #[allow(clippy::cast_precision_loss, reason = "seconds of hours")]
        let median = (rules.graph_delay_median.0 / time::SECOND) as f64;
        let delay = whole(dice.lognormal(median, rules.graph_delay_sigma)).min(LATEST / time::SECOND);
        Self {
            rules,
            dice,
            gap: disorder.gap.as_ref().filter(|gap| is_at(&gap.site)),
            slow_by: clock.map_or(0, |clock| clock.slow_by_seconds * time::SECOND),
            never,
            delay: (call.by_provider && median > 0.0).then_some(delay * time::SECOND),
        }
    }

    /// The report as it arrives: not at all, once or twice.
    pub(crate) fn arrivals(&mut self, sent: Sent) -> Vec<Sent> {
        let twice = self.dice.chance(self.rules.duplicates);
        let later = self.dice.between(SECOND[0], SECOND[1]) * time::SECOND;
        let at = self.delay.map_or(sent.at, |delay| sent.event.end.plus(delay));
        if self.never || !self.gets_out(at) {
            return Vec::new();
        }
        let event = Box::new(Event {
            start: sent.event.start.plus(-self.slow_by),
            end: sent.event.end.plus(-self.slow_by),
            ..*sent.event
        });
        let mut arrivals = Vec::with_capacity(2);
        if twice && self.gets_out(at.plus(later)) {
            let event = event.clone();
            arrivals.push(Sent {
                at: at.plus(later),
                event,
            });
        }
        arrivals.insert(0, Sent { at, event });
        arrivals
    }

    fn gets_out(&self, at: EventTime) -> bool {
        self.gap.is_none_or(|gap| !(gap.from..gap.until).contains(&at))
    }
}
