//! Who complains, and when: some of those whose call was poor, later; and a few whose call was not.

use std::collections::BTreeMap;

use dialtone_schemas::{Complaint, Leaf, Text, time};

use crate::{
    call::{Call, End},
    random::{Dice, Stream, name, whole},
    world::World,
};

/// What a user may complain about: a poor call.
#[derive(Clone, Debug)]
pub(crate) struct Grievance {
    pub(crate) complaint: Complaint,
    /// It is told where people complain at so many times the usual rate, or more.
    pub(crate) told_from: f64,
}

/// Nobody complains so many minutes after a call.
const LATEST_MIN: f64 = 24.0 * 60.0;

/// Grievances are known up to this multiple of the usual readiness to complain.
const MOST_READY: f64 = 2.0;

/// Poor calls of each caller on the day they were counted.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    poor_calls: BTreeMap<usize, (i32, u32)>,
}

impl Patience {
    /// The user's call was poor; perhaps that is a complaint, or would be if people complained more readily.
    pub(crate) fn tried(&mut self, world: &World, call: &Call, end: &End, dice: &mut Dice) -> Option<Grievance> {
        let rules = &world.scenario.complaints;
        let over = call.start.plus(call.span.max(0));
        let count = self.poor_calls.entry(end.caller).or_default();
        if count.0 != over.day() {
            *count = (over.day(), 0);
        }
        count.1 += 1;
        let readiness = if count.1 == 1 { rules.first } else { rules.later };
        let told_from = dice.unit() / readiness.max(f64::MIN_POSITIVE);
        let delay = dice
            .lognormal(rules.delay_median_min, rules.delay_sigma)
            .min(LATEST_MIN);
        // A call that never was has no id to quote.
        let knows_call = dice.chance(0.3) && call.span > 0;
        let says = [!dice.chance(rules.without_site), dice.chance(0.3)];
        let number = dice.bits();
        let near = where_it_was(world, &end.leaf, says, number);
        (told_from < MOST_READY).then(|| Grievance {
            told_from,
            complaint: Complaint {
                complaint_id: ticket(number),
                tenant: None,
                complained_at: over.plus(whole(delay * 60.0) * time::SECOND),
                about: Some(call.start.floor(time::MINUTE)),
                call_id: knows_call.then(|| call.id.clone()),
                user: Some(end.user.clone()),
                near,
                category: Some(name(["distorted", "interruptions", "no_sound"][dice.below(3)])),
                system: Some(name("service-desk")),
            },
        })
    }
}

/// Complaints that no poor call stands behind, over the whole run.
pub(crate) fn background(world: &World) -> Vec<Complaint> {
    let mut dice = Dice::new(world.seed, Stream::Background, 0);
    let rules = &world.scenario.complaints;
    #[allow(clippy::cast_precision_loss, reason = "at most 200,000 users")]
    let per_day = rules.background_per_1000 * world.scenario.enterprise.users as f64 / 1000.0;
    let (start, end) = (world.scenario.start, world.scenario.end());
    let mut complaints = Vec::new();
    let mut day = start.floor(time::DAY);
    while day < end {
        for _ in 0..dice.poisson(per_day) {
            let caller = &world.population.callers[dice.below(world.population.callers.len())];
            let zone = &world.zones[caller.site];
            let at = zone.instant(day.plus(dice.between(8 * 3600, 18 * 3600) * time::SECOND));
            let leaf = caller.desk(at, zone).leaf.clone();
            let number = dice.bits();
            let says = [!dice.chance(rules.without_site), false];
            complaints.push(Complaint {
                complaint_id: ticket(number),
                tenant: None,
                complained_at: at,
                about: None,
                call_id: None,
                user: Some(caller.user.clone()),
                near: where_it_was(world, &leaf, says, number),
                category: None,
                system: Some(name("service-desk")),
            });
        }
        day = day.plus(time::DAY);
    }
    complaints.retain(|c| (start..end).contains(&c.complained_at));
    complaints
}

/// What the service desk writes down: mostly the site, sometimes the headset, sometimes nothing; and now and then a wrong site.
fn where_it_was(world: &World, leaf: &Leaf, [site, headset]: [bool; 2], number: u64) -> Leaf {
    Leaf {
        site: site.then(|| site_named(world, leaf, number)).flatten(),
        headset: leaf.headset.clone().filter(|_| headset),
        ..Leaf::default()
    }
}

/// Where the call was, or any other site: the one that the user is assigned to, or the other end's.
fn site_named(world: &World, leaf: &Leaf, number: u64) -> Option<Text> {
    let mut dice = Dice::new(world.seed, Stream::WrongSite, number >> 8);
    let is_wrong = dice.chance(world.scenario.complaints.wrong_site);
    let sites = world.estate.sites.iter().map(|site| &site.name);
    let others: Vec<&Text> = sites.filter(|name| leaf.site.as_ref() != Some(*name)).collect();
    match others.get(dice.below(others.len())) {
        Some(other) if is_wrong => Some((*other).clone()),
        _ => leaf.site.clone(),
    }
}

fn ticket(number: u64) -> Text {
    name(format!("INC{:012}", number % 1_000_000_000_000))
}
