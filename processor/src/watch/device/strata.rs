//! The same device, or the same person on whatever device, inside a scope and outside: calls that are compared with their own kind.

use std::collections::BTreeMap;

use dialtone_explain::Crossing;
use dialtone_schemas::{Text, Window};

use super::{Device, Devices, Row};
use crate::watch::baseline::real;

/// The calls of one device, or of one person.
#[derive(Clone, Debug, Default)]
pub struct Stratum<'a>(Vec<&'a Row>);

impl Stratum<'_> {
    /// Those inside a scope and those outside, of the leaves that count.
    pub fn crossing(&self, is_inside: impl Fn(u32) -> Option<bool>) -> Crossing {
        let mut crossing = Crossing::default();
        for row in &self.0 {
            let side = match is_inside(row.leaf) {
                Some(true) => &mut crossing.inside,
                Some(false) => &mut crossing.outside,
                None => continue,
            };
            side.add(real(row.counts.n[0]), real(row.counts.k[0]));
        }
        crossing
    }
}

impl Device {
    /// What it showed after it was known, since a window. Each partition has its own calls of a device, and reports good ones once it has seen a
    /// poor one: the poor one would speak against wherever it was first.
    fn shown(&self, since: Window) -> impl Iterator<Item = &Row> {
        self.windows
            .iter()
            .filter(move |row| row.window >= since && !row.is_first)
    }
}

impl Devices {
    /// What was shown since a window, by device.
    pub fn by_device(&self, since: Window) -> Vec<Stratum<'_>> {
        let devices = self.known.values();
        devices.map(|device| Stratum(device.shown(since).collect())).collect()
    }

    /// The same by person, over all devices that are followed. Whose call it was must be known.
    pub fn by_person(&self, since: Window) -> Vec<Stratum<'_>> {
        let mut people: BTreeMap<&Text, Stratum<'_>> = BTreeMap::new();
        for device in self.known.values() {
            for row in device.shown(since) {
                let user = row.user.and_then(|user| device.users.get(usize::from(user)));
                if let Some(user) = user {
                    people.entry(user).or_default().0.push(row);
                }
            }
        }
        people.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{EventTime, time};

    use super::*;
    use crate::watch::{device::Reported, evidence::Counts};

    fn text(text: &str) -> Text {
        Text::new(text).expect("a text")
    }

    fn start() -> Window {
        Window::of_end(EventTime::parse("2026-03-02T09:00:00Z").expect("a time"))
    }

    /// Calls of devices, one a minute: whose device, who used it, at which leaf, poor or not, and which partition says so.
    fn reported<'a>(calls: impl IntoIterator<Item = (&'a str, Option<&'a str>, u32, i64, i32)>) -> Devices {
        let mut devices = Devices::default();
        for (minute, (id, user, leaf, poor, partition)) in (0..).zip(calls) {
            let counts = Counts {
                n: [1, 0, 0],
                k: [poor, 0, 0],
                ..Counts::default()
            };
            let user = user.map(text);
            let of = Reported {
                leaf,
                window: Window::of_end(start().end().plus(minute * time::MINUTE)),
                counts: &counts,
                partition,
                expected: 0.05,
                exemplars: &[],
                user: user.as_ref(),
            };
            devices.add(&text(id), &of);
        }
        devices
    }

    /// At risk and poor inside, and outside, where leaf 1 is inside, leaf 2 outside, and no other counts.
    fn sides(strata: &[Stratum<'_>]) -> Vec<[(f64, f64); 2]> {
        let side = |leaf: u32| match leaf {
            1 => Some(true),
            2 => Some(false),
            _ => None,
        };
        let of = |stratum: &Stratum<'_>| {
            let crossing = stratum.crossing(side);
            [crossing.inside, crossing.outside].map(|calls| (calls.n, calls.k))
        };
        strata.iter().map(of).collect()
    }

    /// A laptop moves to and fro between leaf 1 and leaf 2 and is poor at leaf 1; the call that made it known was there too, and one at leaf 3
    /// is left out.
    #[test]
    fn a_device_is_compared_with_itself_by_what_came_after_it_was_known() {
        let calls = [1, 1, 2, 1, 2, 3].map(|leaf| ("mac-1", None, leaf, i64::from(leaf == 1), 0));
        let devices = reported(calls);
        assert_eq!(sides(&devices.by_device(start())), [[(2.0, 2.0), (2.0, 0.0)]]);
        assert!(devices.by_person(start()).is_empty(), "it is nobody's");
    }

    /// A laptop is poor at leaf 1, so says partition 0, and so says partition 1, which would not have said that it was good; then it is good at
    /// leaf 2 by either, and poor at leaf 1 by partition 1.
    #[test]
    fn what_made_a_device_known_to_a_partition_is_no_evidence_of_where_it_was() {
        let calls = [(0, 1), (1, 1), (0, 2), (1, 2), (1, 1)];
        let calls = calls.map(|(partition, leaf)| ("mac-1", None, leaf, i64::from(leaf == 1), partition));
        let devices = reported(calls);
        assert_eq!(sides(&devices.by_device(start())), [[(1.0, 1.0), (2.0, 0.0)]]);
    }

    /// Ann's phone is at leaf 1 and her laptop at leaf 2; the phone is Bob's as well. What made them known is left out.
    #[test]
    fn a_person_is_compared_with_herself_over_all_her_devices() {
        let devices = reported([
            ("phone", Some("ann"), 1, 1, 0),
            ("laptop", Some("ann"), 2, 1, 0),
            ("phone", Some("ann"), 1, 1, 0),
            ("phone", Some("bob"), 1, 0, 0),
            ("laptop", Some("ann"), 2, 0, 0),
        ]);
        let (laptop, phone) = ([(0.0, 0.0), (1.0, 0.0)], [(2.0, 1.0), (0.0, 0.0)]);
        assert_eq!(sides(&devices.by_device(start())), [laptop, phone]);
        let (ann, bob) = ([(1.0, 1.0), (1.0, 0.0)], [(1.0, 0.0), (0.0, 0.0)]);
        assert_eq!(sides(&devices.by_person(start())), [ann, bob]);
    }
}
