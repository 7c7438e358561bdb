//! The same devices, and the same people, inside an incident's scope and outside: each is compared with itself, and tells of rivals what calls
//! do not.

use dialtone_explain::{Crossover as Found, Kept, crossover, kept_by_the_same};
use dialtone_schemas::{
    Scope, Window,
    incident::{Crossover, Rival, UserCrossover},
};

use super::{Tenant, diagnose::counted, live::round};
use crate::watch::{book::Case, device::Stratum, dictionary::covers};

/// What those say that called on both sides: of all calls, and apart from each rival.
#[derive(Debug, Default)]
pub(super) struct Same {
    devices: Vec<Crossover>,
    users: Vec<UserCrossover>,
}

impl Same {
    fn add(&mut self, [devices, people]: [Option<Found>; 2], apart_from: &Scope) {
        self.devices.extend(devices.map(|found| Crossover {
            apart_from: apart_from.clone(),
            devices: counted(found.compared),
            odds_ratio: round(found.odds_ratio, 100.0),
            low: round(found.low, 100.0),
            high: round(found.high, 100.0),
        }));
        self.users.extend(people.map(|found| UserCrossover {
            apart_from: apart_from.clone(),
            users: counted(found.compared),
            odds_ratio: round(found.odds_ratio, 100.0),
            low: round(found.low, 100.0),
            high: round(found.high, 100.0),
        }));
    }

    /// As it is told; nothing of people where nobody's name is known.
    pub(super) fn told(self) -> (Option<Vec<Crossover>>, Option<Vec<UserCrossover>>) {
        (Some(self.devices), Some(self.users).filter(|users| !users.is_empty()))
    }
}

impl Tenant {
    /// The devices, and the people on whatever device, that called inside and outside the scope since the onset, compared with themselves; and
    /// apart from each rival. Of rivals that the strata of calls do not tell from the cause they have the last word.
    pub(super) fn same(&self, case: &Case, onset: Window, rivals: &mut [Rival]) -> Same {
        let strata = [self.devices.by_device(onset), self.devices.by_person(onset)];
        let is_inside = |leaf: u32| case.covers(self.dictionary.codes(leaf));
        let mut same = Same::default();
        same.add(
            strata.each_ref().map(|of| on_both_sides(of, is_inside)),
            &Scope::default(),
        );
        for rival in rivals {
            let Some(conditions) = self.dictionary.conditions(&rival.scope) else {
                continue;
            };
            let is_in_rival = |leaf: u32| covers(&conditions, self.dictionary.codes(leaf));
            let of_cause = strata.each_ref().map(|of| apart(of, is_inside, is_in_rival));
            if rival.calls_missing.is_some() {
                let of_rival = strata.each_ref().map(|of| apart(of, is_in_rival, is_inside));
                separate(rival, &of_cause, &of_rival);
            }
            same.add(of_cause, &rival.scope);
        }
        same
    }
}

/// The same inside a scope and outside.
fn on_both_sides(strata: &[Stratum<'_>], is_inside: impl Fn(u32) -> bool) -> Option<Found> {
    crossover(strata.iter().map(|of| [of.crossing(|leaf| Some(is_inside(leaf)))]))
}

/// The same inside a scope and outside, among calls that are alike as to another one: what is inside the other is one comparison, the rest
/// another.
fn apart(strata: &[Stratum<'_>], is_inside: impl Fn(u32) -> bool, is_in_other: impl Fn(u32) -> bool) -> Option<Found> {
    let compared = |of: &Stratum<'_>| {
        [true, false].map(|side| of.crossing(|leaf| (is_in_other(leaf) == side).then(|| is_inside(leaf))))
    };
    crossover(strata.iter().map(compared))
}

/// Nothing but the same devices tells the cause from this rival, or where they do not either, the same people: where they say that the cause
/// keeps its effect, the figures are theirs.
fn separate(rival: &mut Rival, of_cause: &[Option<Found>; 2], of_rival: &[Option<Found>; 2]) {
    let kept = |(cause, other): (&Option<Found>, &Option<Found>)| kept_by_the_same(cause.as_ref(), other.as_ref());
    let shows = |of: &Option<Found>| of.as_ref().is_some_and(|of| of.low > 1.0);
    // Of devices that show both nobody else is asked: they are the finer comparison.
    let mut asked = of_cause.iter().zip(of_rival);
    let told = asked.find(|of| kept(*of).is_some() || shows(of.0) && shows(of.1));
    let Some((kept, of_cause)) = told.and_then(|of| Some((kept(of)?, of.0))) else {
        return;
    };
    rival.calls_missing = None;
    if let (Kept::Suspect, Some(found)) = (kept, of_cause) {
        (rival.held, rival.held_low) = (round(found.odds_ratio, 100.0), round(found.low, 100.0));
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Dimension, Incident, Leaf, incident::Onset};

    use super::*;
    use crate::watch::{
        book::Basis,
        device::Reported,
        evidence::Counts,
        tenant::drive::{at, leaf, site, text},
    };

    /// A call in Berlin and one of a branch, both by Nordnet, and one in Berlin by another provider.
    fn places() -> [Leaf; 3] {
        let of = |site, isp| Leaf {
            isp: Some(text(isp)),
            ..leaf(site, "Aural 20")
        };
        [of("berlin", "Nordnet"), of("branch", "Nordnet"), of("berlin", "Sudnet")]
    }

    /// A device calls at these places minute by minute, good or poor.
    fn call(tenant: &mut Tenant, id: &str, user: Option<&str>, calls: &[(usize, i64)]) {
        let leaves = places().map(|leaf| tenant.dictionary.leaf(&leaf));
        let user = user.map(text);
        for (minute, (place, poor)) in (1..).zip(calls) {
            let counts = Counts {
                n: [1, 0, 0],
                k: [*poor, 0, 0],
                ..Counts::default()
            };
            let of = Reported {
                leaf: leaves[*place],
                window: Window::of_end(at(minute)),
                counts: &counts,
                partition: 0,
                expected: 0.05,
                exemplars: &[],
                user: user.as_ref(),
            };
            tenant.devices.add(&text(id), &of);
        }
    }

    /// So many laptops of nobody's call at these places, and are known by a poor call before that.
    fn laptops(count: i64, calls: &[(usize, i64)]) -> Tenant {
        let mut tenant = Tenant::new(text("acme"));
        for laptop in 0..count {
            let all = [&[(0, 1)][..], calls].concat();
            call(&mut tenant, &format!("mac-{laptop}"), None, &all);
        }
        tenant
    }

    /// So many people have a desk phone in one place, which is poor there, and a laptop in another one, which is good; both are known by a poor
    /// call before that.
    fn people(tenant: &mut Tenant, count: i64, desk: usize, laptop: usize) {
        for person in 0..count {
            let (phone, mac) = (format!("phone-{person}"), format!("own-{person}"));
            let user = format!("u:{person}");
            call(tenant, &phone, Some(&user), &[(desk, 1), (desk, 1)]);
            call(tenant, &mac, Some(&user), &[(laptop, 1), (laptop, 0)]);
        }
    }

    /// An incident of Berlin since midnight.
    fn of_berlin(tenant: &Tenant) -> Case {
        let onset = Onset { from: at(0), to: at(1) };
        let incident = Incident::opened(text("i-1"), text("acme"), site("berlin"), text("lan"), onset, at(10));
        let conditions = tenant.dictionary.conditions(&site("berlin")).expect("known");
        Case::new(incident, Basis::Rate(0), conditions)
    }

    /// What is said of Nordnet, which strata of calls do not tell from Berlin.
    fn nordnet(tenant: &Tenant) -> (Rival, Same) {
        let case = of_berlin(tenant);
        let mut rivals = [Rival {
            scope: Scope::new([(Dimension::Isp, text("Nordnet"))]),
            jaccard: 0.8,
            held: 1.3,
            held_low: 0.7,
            calls_missing: Some(120),
        }];
        let same = tenant.same(&case, Window::of_end(at(1)), &mut rivals);
        let [rival] = rivals;
        (rival, same)
    }

    fn holds_by(rival: &Rival, held: f64, low: f64) -> bool {
        rival.calls_missing.is_none() && (rival.held - held).abs() < 1e-9 && (rival.held_low - low).abs() < 1e-9
    }

    /// Six laptops are poor once in Berlin and good once at a branch of the same provider: (6 · 0.5 + 0.125) / 0.125 = 25, 1.27 at least.
    #[test]
    fn laptops_that_leave_the_site_and_keep_its_provider_tell_what_strata_cannot() {
        let (rival, same) = nordnet(&laptops(6, &[(0, 1), (1, 0)]));
        assert!(holds_by(&rival, 25.0, 1.27), "{rival:?}");
        let apart = same.devices.iter().find(|of| of.apart_from == rival.scope);
        assert!(apart.is_some_and(|of| of.devices == 6), "{same:?}");
        assert_eq!(same.told().1, None, "of people nothing is known");
    }

    /// As soon as they are in Berlin by another provider they are well.
    #[test]
    fn laptops_that_keep_the_site_and_leave_its_provider_say_that_this_may_be_the_cause() {
        let (rival, _) = nordnet(&laptops(6, &[(0, 1), (2, 0)]));
        assert_eq!((rival.calls_missing, rival.held_low < 1.0), (None, true), "{rival:?}");
    }

    #[test]
    fn five_laptops_leave_it_open_and_so_do_six_that_stay() {
        for (count, calls) in [(5, [(0, 1), (1, 0)]), (6, [(0, 1), (0, 1)])] {
            let (rival, _) = nordnet(&laptops(count, &calls));
            assert_eq!(rival.calls_missing, Some(120), "{rival:?}");
        }
    }

    /// Six people are poor once on the desk phone in Berlin and good once on the laptop at the branch, which is their home: no device was on both
    /// sides, and the people's 25 are 1.27 at least. Of five nothing is told.
    #[test]
    fn people_who_are_poor_at_their_desks_and_well_at_home_tell_what_no_device_can() {
        let of = |count| {
            let mut tenant = Tenant::new(text("acme"));
            people(&mut tenant, count, 0, 1);
            nordnet(&tenant)
        };
        let (rival, same) = of(6);
        assert!(holds_by(&rival, 25.0, 1.27), "{rival:?}");
        assert!(same.devices.is_empty(), "{same:?}");
        let told: Vec<(&Scope, i64)> = same.users.iter().map(|of| (&of.apart_from, of.users)).collect();
        assert_eq!(told, [(&Scope::default(), 6), (&rival.scope, 6)]);
        let is_right = |of: &UserCrossover| (of.odds_ratio - 25.0).abs() < 1e-9 && (of.low - 1.27).abs() < 1e-9;
        assert!(same.users.iter().all(is_right), "{same:?}");
        assert_eq!(of(5).0.calls_missing, Some(120));
    }

    /// Six people are well on laptops in Berlin by another provider, and say by themselves that it is Nordnet; six laptops of nobody's that are
    /// well at the branch say that it is Berlin.
    #[test]
    fn where_devices_tell_people_are_not_asked() {
        let mut by_people = Tenant::new(text("acme"));
        people(&mut by_people, 6, 0, 2);
        let (rival, _) = nordnet(&by_people);
        assert_eq!((rival.calls_missing, rival.held_low < 1.0), (None, true), "{rival:?}");
        let mut by_both = laptops(6, &[(0, 1), (1, 0)]);
        people(&mut by_both, 6, 0, 2);
        let (rival, _) = nordnet(&by_both);
        assert!(holds_by(&rival, 25.0, 1.27), "{rival:?}");
    }
}
