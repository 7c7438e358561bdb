//! Several causes at once: accept the best scope, expect what it does, look again.

use crate::{
    Settings, added,
    scan::{Candidate, order, scan},
    score::{inside_outside, more_sets},
    table::{Condition, Table},
};

/// Scopes that cover the same calls to this degree are one answer.
const SAME: f64 = 0.95;
/// A cause must be better than nothing by so many nats.
const MARGIN: f64 = 3.0;
/// A further cause must explain this share of what the first one explained.
const SHARE_OF_FIRST: f64 = 0.12;
/// A scope with fewer conditions is preferred where it loses no more than so many nats.
const OCCAM: f64 = 2.0;
/// Most causes named at once.
const MAX_CAUSES: usize = 8;
/// Most alternatives named beside a cause.
const MAX_ALTERNATIVES: usize = 4;

/// An accepted cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// The scope with its evidence, given the causes accepted before it.
    pub best: Candidate,
    /// Other scopes that cover the same calls.
    pub aliases: Vec<Vec<Condition>>,
    /// Other scopes, with their share of the evidence among all of these.
    pub alternatives: Vec<(Candidate, f64)>,
    /// The share of the evidence that the cause itself has.
    pub share: f64,
}

/// The causes that together explain the excess, strongest first. After each accepted cause `also_explains` may take from
/// the table what the cause does beyond its own scope (at the far ends of its calls).
pub fn causes(
    table: &Table,
    settings: &Settings<'_>,
    mut also_explains: impl FnMut(&mut Table, &Candidate),
) -> Vec<Cause> {
    let mut table = table.clone();
    let mut accepted: Vec<Cause> = Vec::new();
    while accepted.len() < MAX_CAUSES {
        let candidates = reconsider(&table, settings, scan(&table, settings));
        let Some(cause) = choose(&table, &candidates, settings) else {
            break;
        };
        let enough = accepted
            .first()
            .map_or(MARGIN, |first| MARGIN.max(SHARE_OF_FIRST * first.best.score));
        if cause.best.score < enough {
            break;
        }
        expect(&mut table, &cause.best);
        also_explains(&mut table, &cause.best);
        accepted.push(cause);
    }
    accepted
}

/// A fault may multiply what a scope shows, or add the same share of poor call-ends wherever it strikes: then the good half of a
/// scope seems to suffer much more than the other. Each candidate is given the story that suits it better. One that is not worth
/// its price beyond what its kind of scope drifts by itself is none.
fn reconsider(table: &Table, settings: &Settings<'_>, candidates: Vec<Candidate>) -> Vec<Candidate> {
    let dispersion = settings.dispersion.max(1.0);
    let (total_k, total_e) = table
        .rows()
        .iter()
        .fold((0.0, 0.0), |(k, e), row| (k + row.k, e + row.e));
    let beyond = |c: &Candidate| {
        let zone = settings.indifference.map_or(1.0, |zones| zones.of(&c.conditions));
        let indifferent = (zone - 1.0) * c.e;
        let llr = inside_outside(c.k, c.e + indifferent, total_k, total_e + indifferent) + added::gain(table, c, zone);
        c.score - (c.llr - llr) / dispersion
    };
    let suited = |mut c: Candidate| {
        let gain = added::gain(table, &c, 1.0);
        c.llr += gain;
        c.score += gain / dispersion;
        c
    };
    let priced = |mut c: Candidate| {
        if settings.is_thing(&c.conditions) {
            c.score += more_sets(table.attributes(), c.conditions.len());
        }
        c
    };
    let worth = candidates.into_iter().map(priced).filter(|c| beyond(c) >= MARGIN);
    let mut candidates: Vec<Candidate> = worth.map(suited).collect();
    candidates.sort_by(order);
    candidates
}

/// The best candidate, in the form a person would give it, with what equals it and what rivals it.
fn choose(table: &Table, candidates: &[Candidate], settings: &Settings<'_>) -> Option<Cause> {
    let top = simplest(candidates, settings)?;
    let is_in_top = table.mask(&top.conditions);
    let (same, other): (Vec<&Candidate>, Vec<&Candidate>) = candidates
        .iter()
        .partition(|c| table.shared(&is_in_top, &c.conditions) >= SAME);
    // Of equal scopes the one with the fewest conditions; of those the one first in the order of the attributes.
    let best = same
        .iter()
        .min_by_key(|c| (c.conditions.len(), c.conditions.clone()))
        .copied()?;
    let best = Candidate {
        score: top.score,
        ..best.clone()
    };
    let weight = |c: &Candidate| (c.score - top.score).exp();
    let total = 1.0 + other.iter().map(|c| weight(c)).sum::<f64>();
    Some(Cause {
        aliases: same
            .iter()
            .filter(|c| c.conditions != best.conditions && c.conditions.len() <= 2)
            .map(|c| c.conditions.clone())
            .collect(),
        alternatives: other
            .iter()
            .take(MAX_ALTERNATIVES)
            .map(|c| ((*c).clone(), weight(c) / total))
            .collect(),
        share: 1.0 / total,
        best,
    })
}

/// The first candidate, or the best of its parents that explains nearly as much: chance always finds a part of a scope that
/// looks a little worse than the whole. What names one thing is as simple as its parents, and they are few.
fn simplest<'c>(candidates: &'c [Candidate], settings: &Settings<'_>) -> Option<&'c Candidate> {
    let mut top = candidates.first()?;
    let is_parent = |parent: &Candidate, child: &Candidate| {
        parent.conditions.len() < child.conditions.len()
            && parent
                .conditions
                .iter()
                .all(|condition| child.conditions.contains(condition))
    };
    let lost = |top: &Candidate| if settings.is_thing(&top.conditions) { 0.0 } else { OCCAM };
    while let Some(parent) = candidates
        .iter()
        .find(|c| is_parent(c, top) && c.score >= top.score - lost(top))
    {
        top = parent;
    }
    Some(top)
}

/// From now on the table expects what the cause does to its scope: the factor, or the share added, whichever explains more.
fn expect(table: &mut Table, cause: &Candidate) {
    let factor = (cause.k / cause.e.max(1e-9)).max(1.0);
    let share = (added::gain(table, cause, 1.0) > 0.0).then(|| added::share(table, cause, 1.0));
    let covered: Vec<usize> = table.covered(&cause.conditions).collect();
    for row in covered {
        let row = &mut table.rows_mut()[row];
        row.e = share.map_or(row.e * factor, |share| share.mul_add(row.n, row.e));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Row;

    /// 6 sites, each with its own building (an alias), × 4 headsets × 3 carriers.
    fn estate(poor: impl Fn(u32, u32, u32) -> f64) -> Table {
        let mut table = Table::new(4);
        for site in 1..=6 {
            for headset in 1..=4 {
                for carrier in 1..=3 {
                    let row = Row {
                        n: 100.0,
                        k: poor(site, headset, carrier),
                        e: 3.0,
                        weight: 100.0,
                    };
                    table.push(&[site, site, headset, carrier], row);
                }
            }
        }
        table
    }

    fn condition(attribute: usize, code: u32) -> Condition {
        Condition { attribute, code }
    }

    #[test]
    fn two_causes_are_both_named_and_nothing_else() {
        let table = estate(|site, headset, _| match (site, headset) {
            (2, 3) => 30.0,
            (2, _) => 12.0,
            (_, 3) => 9.0,
            _ => 3.0,
        });
        let named: Vec<_> = causes(&table, &Settings::default(), |_, _| {})
            .into_iter()
            .map(|c| c.best.conditions)
            .collect();
        assert_eq!(named.len(), 2, "{named:?}");
        assert!(
            named.contains(&vec![condition(0, 2)]) && named.contains(&vec![condition(2, 3)]),
            "{named:?}"
        );
    }

    /// Six sites, each with 80 and 20 call-ends by two providers, one expected poor of a hundred; at the first site 12 of the 80 are poor.
    /// The site's access line has 12 of 0.8 expected, the site 12.2 of 1: the line explains 12 ln 15 − 12.2 ln 12.2 = 2.0 nats more and
    /// costs ln(12/6) + ln(6/4) − ½ ln(100/80) = 1.0 more: better by one, and the site is preferred for two. As one thing it is no finer.
    #[test]
    fn what_names_one_thing_is_no_finer_than_its_site() {
        let mut table = Table::new(4);
        for site in 1..=6 {
            for (isp, n) in [(1, 80.0), (2, 20.0)] {
                let e = n / 100.0;
                let poor = if (site, isp) == (1, 1) { 12.0 } else { e };
                table.push(
                    &[site, isp, 1, 1],
                    Row {
                        n,
                        k: poor,
                        e,
                        weight: n,
                    },
                );
            }
        }
        let things: [&[usize]; 1] = [&[0, 1]];
        let named = |things: &[&[usize]]| {
            let settings = Settings {
                things,
                ..Settings::default()
            };
            let first = causes(&table, &settings, |_, _| {}).into_iter().next();
            first.expect("a cause")
        };
        let line = [condition(0, 1), condition(1, 1)];
        let (usual, as_one) = (named(&[]), named(&things));
        assert_eq!(usual.best.conditions, [condition(0, 1)]);
        assert_eq!(as_one.best.conditions, line);
        let beside = usual.alternatives.iter().find(|(other, _)| other.conditions == line);
        let (beside, _) = beside.expect("the line is an alternative");
        assert!(
            (as_one.best.score - beside.score - 1.5_f64.ln()).abs() < 1e-9,
            "6 pairs of 4 attributes"
        );
    }

    #[test]
    fn a_building_that_is_the_whole_site_is_an_alias_of_it() {
        let found = causes(
            &estate(|site, _, _| if site == 5 { 12.0 } else { 3.0 }),
            &Settings::default(),
            |_, _| {},
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].best.conditions, [condition(0, 5)]);
        assert!(found[0].aliases.contains(&vec![condition(1, 5)]));
        assert!(found[0].share > 0.9, "nothing else explains it");
    }
}
