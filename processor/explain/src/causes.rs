//! Several causes at once: accept the best scope, expect what it does, look again.

use crate::{
    Settings, added,
    scan::{Candidate, order, scan_with_parents},
    score::{inside_outside, more_sets},
    table::{Condition, Table},
};

/// Scopes that cover the same calls to this degree are one answer.
const SAME: f64 = 0.95;
/// A cause must be better than nothing by so many nats.
const MARGIN: f64 = 3.0;
/// A further cause must explain this share of what the first one explained when it was accepted.
const SHARE_OF_FIRST: f64 = 0.12;
/// A scope with fewer conditions is preferred where it loses no more than so many nats.
const OCCAM: f64 = 2.0;
/// So often the causes are looked for again, each given all the others.
const ROUNDS: usize = 3;
/// Most causes named at once.
const MAX_CAUSES: usize = 8;
/// Most alternatives named beside a cause.
const MAX_ALTERNATIVES: usize = 4;

/// An accepted cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// The scope with its evidence, given the other causes. Its score is that of the scope that would be named whatever was judged of causes before.
    pub best: Candidate,
    /// Other scopes that cover the same calls.
    pub aliases: Vec<Vec<Condition>>,
    /// Other scopes, their scores with what was judged before, and their share of the evidence among all of these.
    pub alternatives: Vec<(Candidate, f64)>,
    /// The share of the evidence that the cause itself has.
    pub share: f64,
}

/// What explains a table.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The causes that together explain the excess, strongest first.
    pub causes: Vec<Cause>,
    /// The table, with what the causes do expected.
    pub left_over: Table,
}

/// The causes of what is poor beyond the expected. `also_explains` takes from the table what a cause does beyond its own scope (at the far
/// ends of its calls); the table has the others expected by then.
///
/// They are accepted one after the other, each given those before it. Then each is looked for again given all the others, until they
/// stay, three times at most: a first cause that was accepted for what two of them do gives way to its parent, its child or a sibling, or is
/// dropped.
pub fn causes(table: &Table, settings: &Settings<'_>, also_explains: impl FnMut(&mut Table, &Candidate)) -> Explained {
    let mut search = Search {
        table,
        settings,
        also_explains,
        accepted: Vec::new(),
        enough: MARGIN,
    };
    search.accept_more();
    for _ in 0..ROUNDS {
        if search.accepted.len() < 2 || !(search.look_again() | search.accept_more()) {
            break;
        }
    }
    search.explained()
}

/// What a cause does to the calls of its scope.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Effect {
    /// So many times as many are poor.
    Factor(f64),
    /// This share of all of them is poor beyond what was expected.
    Share(f64),
}

/// The causes found so far.
struct Search<'a, F> {
    table: &'a Table,
    settings: &'a Settings<'a>,
    also_explains: F,
    accepted: Vec<(Cause, Effect)>,
    /// What a further one must explain.
    enough: f64,
}

impl<F: FnMut(&mut Table, &Candidate)> Search<'_, F> {
    /// The table as all causes but this one let expect.
    fn given(&mut self, but: Option<usize>) -> Table {
        let mut table = self.table.clone();
        let others = self.accepted.iter().enumerate().filter(|(i, _)| Some(*i) != but);
        for (_, (cause, effect)) in others.clone() {
            expect(&mut table, &cause.best, *effect);
        }
        for (_, (cause, _)) in others {
            (self.also_explains)(&mut table, &cause.best);
        }
        table
    }

    /// The best cause of what a table shows, if it explains enough: that is asked of the evidence alone, and only which one it is of the causes
    /// that were judged before.
    fn best(&self, table: &Table) -> Option<(Cause, Effect)> {
        let candidates = reconsider(table, self.settings, scan_with_parents(table, self.settings));
        let by_evidence = simplest(&candidates, self.settings);
        let score = by_evidence.filter(|top| top.score >= self.enough)?.score;
        let mut cause = choose(table, &as_judged(candidates, self.settings, self.enough), self.settings)?;
        cause.best.score = score;
        let effect = effect(table, &cause.best);
        Some((cause, effect))
    }

    /// Accepts what explains enough beside what is accepted. Does anything?
    fn accept_more(&mut self) -> bool {
        let before = self.accepted.len();
        while self.accepted.len() < MAX_CAUSES {
            let table = self.given(None);
            let Some(found) = self.best(&table) else { break };
            if self.accepted.is_empty() {
                self.enough = MARGIN.max(SHARE_OF_FIRST * found.0.best.score);
            }
            self.accepted.push(found);
        }
        self.accepted.len() > before
    }

    /// Looks for each cause again, given all the others. Is any another one now?
    fn look_again(&mut self) -> bool {
        let mut is_another = false;
        let mut i = 0;
        while i < self.accepted.len() {
            let table = self.given(Some(i));
            let found = self.best(&table);
            let is_new = |(cause, _): &(Cause, Effect)| cause.best.conditions != self.accepted[i].0.best.conditions;
            is_another |= found.as_ref().is_none_or(is_new);
            if let Some(found) = found {
                self.accepted[i] = found;
                i += 1;
            } else {
                self.accepted.remove(i);
            }
        }
        is_another
    }

    fn explained(mut self) -> Explained {
        let left_over = self.given(None);
        let mut causes: Vec<Cause> = self.accepted.into_iter().map(|(cause, _)| cause).collect();
        causes.sort_by(|a, b| order(&a.best, &b.best));
        Explained { causes, left_over }
    }
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

/// The candidates by what they are worth with the causes that were judged before, best first. What explains too little by itself comes before none
/// that explains enough.
fn as_judged(mut candidates: Vec<Candidate>, settings: &Settings<'_>, enough: f64) -> Vec<Candidate> {
    let worth = |candidate: &Candidate| settings.judged(&candidate.conditions);
    let is_enough = |candidate: &Candidate| candidate.score >= enough;
    let least = candidates
        .iter()
        .filter(|c| is_enough(c))
        .map(worth)
        .fold(0.0, f64::min);
    for candidate in &mut candidates {
        candidate.score += if is_enough(candidate) { worth(candidate) } else { least };
    }
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
    // Of equal scopes the one with the fewest conditions; of those what was right before, and the one first in the order of the attributes.
    let judged = |c: &Candidate| settings.judged(&c.conditions);
    let by_form = |a: &Candidate, b: &Candidate| {
        let by_number = a.conditions.len().cmp(&b.conditions.len());
        let by_judged = || judged(b).total_cmp(&judged(a));
        by_number
            .then_with(by_judged)
            .then_with(|| a.conditions.cmp(&b.conditions))
    };
    let best = same.iter().copied().min_by(|a, b| by_form(a, b))?;
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

/// The factor, or the share added, whichever explains more.
fn effect(table: &Table, cause: &Candidate) -> Effect {
    if added::gain(table, cause, 1.0) > 0.0 {
        Effect::Share(added::share(table, cause, 1.0))
    } else {
        Effect::Factor((cause.k / cause.e.max(1e-9)).max(1.0))
    }
}

/// From now on the table expects what the cause does to its scope.
fn expect(table: &mut Table, cause: &Candidate, effect: Effect) {
    let covered: Vec<usize> = table.covered(&cause.conditions).collect();
    for row in covered {
        let row = &mut table.rows_mut()[row];
        row.e = match effect {
            Effect::Factor(factor) => row.e * factor,
            Effect::Share(share) => share.mul_add(row.n, row.e),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Row, Sets, scan};

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

    /// Through the first carrier six calls in ten fail, and nearly all with the first headset, of which that many were expected anyhow: its source tells
    /// of nothing else. The other headsets with that carrier stand out by two hundred times, at each site and building, and leave the carrier, with 1,650 poor of
    /// 365 expected, no place among the forty best.
    #[test]
    fn a_scope_is_named_though_forty_parts_of_it_stand_out_more() {
        let mut table = estate(|_, headset, carrier| match (carrier, headset) {
            (1, 1) => 95.0,
            (1, _) => 60.0,
            _ => 0.3,
        });
        for row in 0..table.rows().len() {
            let is_told_of_failures_only = table.codes(row)[2] == 1 && table.codes(row)[3] == 1;
            table.rows_mut()[row].e = if is_told_of_failures_only { 60.0 } else { 0.3 };
        }
        let carrier = vec![condition(3, 1)];
        let kept = scan(&table, &Settings::default());
        assert!(kept.iter().all(|candidate| candidate.conditions != carrier));
        let found = causes(&table, &Settings::default(), |_, _| {}).causes;
        let named: Vec<_> = found.iter().map(|cause| &cause.best.conditions).collect();
        assert_eq!(named, [&carrier]);
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
            .causes
            .into_iter()
            .map(|c| c.best.conditions)
            .collect();
        assert_eq!(named.len(), 2, "{named:?}");
        assert!(
            named.contains(&vec![condition(0, 2)]) && named.contains(&vec![condition(2, 3)]),
            "{named:?}"
        );
    }

    /// Six sites, each with 80 and 20 call-ends by two providers, one expected poor of a hundred; at the first site so many of the 80 are poor.
    fn lines(poor: f64) -> Table {
        let mut table = Table::new(4);
        for site in 1..=6 {
            for (isp, n) in [(1, 80.0), (2, 20.0)] {
                let e = n / 100.0;
                let k = if (site, isp) == (1, 1) { poor } else { e };
                table.push(&[site, isp, 1, 1], Row { n, k, e, weight: n });
            }
        }
        table
    }

    /// So many confirmed causes that named these attributes.
    fn confirmed(attributes: &[usize], times: usize) -> Sets {
        let mut sets = Sets::default();
        (0..times).for_each(|_| sets.judge(attributes.to_vec(), true));
        sets
    }

    /// The causes of a table where these were judged before.
    fn given(table: &Table, sets: Option<&Sets>) -> Vec<Cause> {
        let settings = Settings {
            sets,
            ..Settings::default()
        };
        causes(table, &settings, |_, _| {}).causes
    }

    /// 12 of the 80 call-ends of an access line are poor.
    /// The site's access line has 12 of 0.8 expected, the site 12.2 of 1: the line explains 12 ln 15 − 12.2 ln 12.2 = 2.0 nats more and
    /// costs ln(12/6) + ln(6/4) − ½ ln(100/80) = 1.0 more: better by one, and the site is preferred for two. As one thing it is no finer.
    #[test]
    fn what_names_one_thing_is_no_finer_than_its_site() {
        let table = lines(12.0);
        let things: [&[usize]; 1] = [&[0, 1]];
        let named = |things: &[&[usize]]| {
            let settings = Settings {
                things,
                ..Settings::default()
            };
            let first = causes(&table, &settings, |_, _| {}).causes.into_iter().next();
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

    /// Everywhere a headset is three times as poor as it should be, and at the first site another one five times. There the first is common, so
    /// that the site is accepted before either, by a likelihood ratio of 158 nats beside 135 for its second headset and 110 for the first one
    /// everywhere. Given the first one, half of the site is as expected, and its second headset is the better scope.
    #[test]
    fn a_scope_that_was_accepted_for_what_two_causes_do_gives_way_to_its_child() {
        let mut table = Table::new(2);
        let mut push = |site, headset, n: f64, k| {
            let e = 0.03 * n;
            table.push(&[site, headset], Row { n, k, e, weight: n });
        };
        push(1, 1, 2000.0, 180.0);
        push(1, 2, 2000.0, 300.0);
        for site in 2..=6 {
            push(site, 1, 1000.0, 90.0);
            push(site, 2, 2000.0, 60.0);
            push(site, 3, 2000.0, 60.0);
        }
        let found = causes(&table, &Settings::default(), |_, _| {});
        let named: Vec<_> = found.causes.iter().map(|cause| cause.best.conditions.clone()).collect();
        assert_eq!(named, [vec![condition(0, 1), condition(1, 2)], vec![condition(1, 1)]]);
        let left = found.left_over.rows().iter();
        assert!(
            left.map(|row| (row.k - row.e).abs()).sum::<f64>() < 1.0,
            "nothing is left over"
        );
    }

    #[test]
    fn a_building_that_is_the_whole_site_is_an_alias_of_it() {
        let found = causes(
            &estate(|site, _, _| if site == 5 { 12.0 } else { 3.0 }),
            &Settings::default(),
            |_, _| {},
        )
        .causes;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].best.conditions, [condition(0, 5)]);
        assert!(found[0].aliases.contains(&vec![condition(1, 5)]));
        assert!(found[0].share > 0.9, "nothing else explains it");
    }

    /// The access line is better than its site by 0.99 nats, and the site is preferred for two. Six confirmed access lines are worth ln(10/4) = 0.92,
    /// which is not enough; eight are worth ln(12/4) = 1.10, and the line is named. Its score stays what the evidence says, and the site an
    /// alternative.
    #[test]
    fn after_eight_confirmed_access_lines_the_line_is_named_and_not_its_site() {
        let (table, line) = (lines(12.0), [condition(0, 1), condition(1, 1)]);
        let named = |times: usize| given(&table, Some(&confirmed(&[0, 1], times))).remove(0);
        assert_eq!(named(0).best.conditions, [condition(0, 1)]);
        assert_eq!(named(6).best.conditions, [condition(0, 1)]);
        let eight = named(8);
        assert_eq!(eight.best.conditions, line);
        assert!((eight.best.score - named(0).best.score).abs() < 1e-12);
        assert!(
            eight
                .alternatives
                .iter()
                .any(|(other, _)| other.conditions == [condition(0, 1)])
        );
    }

    /// By their calls a site and its only building cannot be told apart: one confirmed building, or one wrong site, decides.
    #[test]
    fn of_a_site_and_its_only_building_that_is_named_which_was_right_before() {
        let table = estate(|site, _, _| if site == 5 { 12.0 } else { 3.0 });
        let mut wrong_site = Sets::default();
        wrong_site.judge(vec![0], false);
        for sets in [confirmed(&[1], 1), wrong_site] {
            let found = given(&table, Some(&sets));
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].best.conditions, [condition(1, 5)]);
            assert!(found[0].aliases.contains(&vec![condition(0, 5)]));
        }
    }

    /// Seven of the line's 80 are poor: less than a nat beyond its price. A thousand confirmed lines, worth three, make no cause of it.
    #[test]
    fn what_was_right_before_makes_no_cause_of_what_is_none() {
        let often = confirmed(&[0, 1], 1000);
        assert_eq!(given(&lines(7.0), Some(&often)), []);
    }

    #[test]
    fn where_nothing_was_judged_all_is_as_without() {
        for table in [lines(12.0), estate(|site, _, _| if site == 5 { 12.0 } else { 3.0 })] {
            assert_eq!(given(&table, Some(&Sets::default())), given(&table, None));
        }
    }
}
