//! One misconfigured room phone: individual devices among the worst of their windows.
//!
//! A device is reported once it was poor, and from then on whether it is or not; what made it known is no evidence, what
//! comes after is. It has a detector of its own, with the rate of its leaf as the expected one.

mod strata;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dialtone_explain::Step;
use dialtone_schemas::{EventTime, Text, Window, time};
use serde::{Deserialize, Serialize};

use super::{
    baseline::real,
    calibration::{Calibrated, Calibration},
    detect::step,
    evidence::{Counts, Sum},
    locate::Began,
};
pub use strata::Stratum;

const ALTERNATIVES: [f64; 3] = [4.0, 10.0, 25.0];
/// Calls of one device share a user's habits and a day's desk.
pub(super) const DISPERSION: f64 = 1.5;
/// A device's onset is not put earlier than its first poor call by more than so many minutes.
const LONGEST_GAP: usize = 15;
/// A device is forgotten when nothing was reported of it for so long.
pub(super) const MEMORY: i64 = 6 * time::HOUR;
/// At least so many calls first poor before one device is a cause.
const MIN_POOR: f64 = 4.0;

/// What is known of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Its leaf.
    pub leaf: u32,
    log_m: [f64; ALTERNATIVES.len()],
    windows: VecDeque<Row>,
    exemplars: Vec<Text>,
    /// Who used it: as many as rows may point to.
    users: Vec<Text>,
}

/// Users of one device that are told apart.
const MOST_USERS: usize = 16;

/// What was reported of a device for one window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    window: Window,
    /// Where it called from.
    leaf: u32,
    counts: Counts,
    /// Which partition of its calls reported it.
    partition: i32,
    /// Is it what made the device known to that partition? That is always poor, and no evidence.
    is_first: bool,
    /// Poor call-ends by the rate of its leaf.
    expected: f64,
    /// Which of its users it was, if that is known.
    user: Option<u8>,
}

impl Row {
    fn sum(&self) -> Sum {
        Sum {
            n: real(self.counts.n[0]),
            k: real(self.counts.k[0]),
            e: self.expected,
        }
    }
}

impl Device {
    /// Which of its users somebody is; one more than are told apart is nobody.
    fn user(&mut self, user: Option<&Text>) -> Option<u8> {
        let user = user?;
        let at = self.users.iter().position(|known| known == user).or_else(|| {
            let has_room = self.users.len() < MOST_USERS;
            has_room.then(|| {
                self.users.push(user.clone());
                self.users.len() - 1
            })
        })?;
        u8::try_from(at).ok()
    }

    /// At risk, poor and expected since a window.
    pub fn since(&self, window: Window) -> (f64, f64, f64) {
        self.summed(|row| row.window >= window)
    }

    /// The same by the leaves it called from.
    pub fn since_by_leaf(&self, window: Window) -> BTreeMap<u32, Sum> {
        let mut leaves: BTreeMap<u32, Sum> = BTreeMap::new();
        for row in self.windows.iter().filter(|row| row.window >= window) {
            leaves.entry(row.leaf).or_default().add(row.sum());
        }
        leaves
    }

    /// At risk, poor and expected since a window and until an instant. What made it known is no evidence of how it was.
    pub fn before(&self, since: Window, until: EventTime) -> (f64, f64, f64) {
        self.summed(|row| row.window >= since && row.window.end() <= until && !row.is_first)
    }

    fn summed(&self, is_one: impl Fn(&Row) -> bool) -> (f64, f64, f64) {
        let mut sum = Sum::default();
        let rows = self.windows.iter().filter(|row| is_one(row));
        rows.for_each(|row| sum.add(row.sum()));
        (sum.n, sum.k, sum.e)
    }

    /// How many people had a poor call-end on it since a window, where one whose name is not known is none.
    pub fn poor_users(&self, since: Window) -> usize {
        touched([self], since, |_| true).users
    }

    /// Its evidence where all that surrounds it is so many times as poor as usual: less by what it showed since a window says less then, as far as
    /// one of the alternatives explains it best.
    pub fn evidence_beside(&self, window: Window, worse: f64) -> f64 {
        let (_, k, e) = self.since(window);
        let says = |e: f64| {
            let of = |ratio| dialtone_explain::poisson(k, e, ratio) / DISPERSION;
            ALTERNATIVES.into_iter().map(of).fold(0.0, f64::max)
        };
        self.log_mixture() - (says(e) - says(e * worse))
    }

    /// Would this partition not report the device unless it was poor? It does for as long after a poor call as rows are remembered.
    fn is_new_to(&self, partition: i32) -> bool {
        let is_why = |row: &Row| row.partition == partition && row.counts.k[0] > 0;
        !self.windows.iter().rev().any(is_why)
    }

    /// At risk, poor and expected in some windows, and everything counted in them.
    pub fn sums(&self, is_one: impl Fn(Window) -> bool) -> (Sum, Counts) {
        let (mut sum, mut counts) = (Sum::default(), Counts::default());
        for row in self.windows.iter().filter(|row| is_one(row.window)) {
            sum.add(row.sum());
            counts.add(&row.counts);
        }
        (sum, counts)
    }

    /// Since when it has been bad: earliest, most likely and latest window. It may have been so before its first poor call, for
    /// as long as one waits for a call of its.
    pub fn onset(&self) -> Option<Began> {
        let (windows, steps): (Vec<Window>, Vec<Step>) = self.minutes()?.into_iter().unzip();
        let found = dialtone_explain::onset(&steps, DISPERSION)?;
        let used = self
            .windows
            .iter()
            .filter(|row| row.window >= windows[found.best])
            .count()
            .max(1);
        let gap = (windows.len() - found.best).div_ceil(used).min(LONGEST_GAP);
        let from = windows[found.from]
            .start()
            .plus(-i64::try_from(gap).unwrap_or(0) * Window::SPAN);
        Some(Began {
            from: Window::of_end(from.plus(Window::SPAN)),
            best: windows[found.best],
            to: windows[found.to],
            grows: found.grows,
        })
    }

    /// Every minute from the first reported one to the last. Good calls are only reported by partitions that know the device
    /// already; a minute without a report is taken for one of its usual use, and good.
    fn minutes(&self) -> Option<Vec<(Window, Step)>> {
        let (first, last) = (
            self.windows.iter().map(|row| row.window).min()?,
            self.windows.iter().map(|row| row.window).max()?,
        );
        let count = last.start().since(first.start()) / Window::SPAN + 1;
        let (n, _, e) = self.since(first);
        let usual = Step::of(n / real(count), 0.0, e / real(count));
        let mut reported: BTreeMap<Window, Step> = BTreeMap::new();
        for row in &self.windows {
            let step = reported.entry(row.window).or_default();
            let (n, poor) = (real(row.counts.n[0]), real(row.counts.k[0]));
            *step = Step::of(step.at_risk + n, step.poor + poor, step.expected + row.expected);
        }
        let minute = |i: i64| {
            let window = Window::of_end(first.end().plus(i * Window::SPAN));
            (window, reported.remove(&window).unwrap_or_else(|| usual.clone()))
        };
        Some((0..count).map(minute).collect())
    }

    /// Calls that were poor.
    pub fn exemplars(&self) -> &[Text] {
        &self.exemplars
    }

    fn log_mixture(&self) -> f64 {
        self.log_m.iter().copied().fold(f64::NEG_INFINITY, f64::max) - real(3).ln()
    }
}

/// What was reported of a device for one window.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    /// Where it called from.
    pub leaf: u32,
    /// When.
    pub window: Window,
    /// What was counted.
    pub counts: &'a Counts,
    /// By which partition of its calls.
    pub partition: i32,
    /// Poor call-ends by the rate of its leaf.
    pub expected: f64,
    /// Calls that were poor.
    pub exemplars: &'a [Text],
    /// Who used it.
    pub user: Option<&'a Text>,
}

/// Whom trouble touches, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Devices.
    pub devices: usize,
    /// People.
    pub users: usize,
}

/// The devices followed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Devices {
    known: BTreeMap<Text, Device>,
    /// Poor, expected and poor milliseconds of the devices reported this minute.
    fresh: BTreeMap<Text, (f64, f64, i64)>,
    calibration: Calibration<()>,
}

impl Devices {
    /// What a device showed at a leaf in one window; `expected` poor call-ends by the rate of the leaf.
    pub fn add(&mut self, id: &Text, of: &Reported<'_>) {
        let Reported {
            leaf,
            window,
            counts,
            partition,
            expected,
            exemplars,
            user,
        } = *of;
        let fresh = self.fresh.entry(id.clone()).or_default();
        *fresh = (
            fresh.0 + real(counts.k[0]),
            fresh.1 + expected,
            fresh.2 + counts.poor_ms,
        );
        let is_first = !self.known.contains_key(id);
        let device = self.known.entry(id.clone()).or_insert_with(|| Device {
            leaf,
            log_m: [0.0; 3],
            windows: VecDeque::new(),
            exemplars: Vec::new(),
            users: Vec::new(),
        });
        let row = Row {
            window,
            leaf,
            counts: *counts,
            partition,
            is_first: device.is_new_to(partition),
            expected,
            user: device.user(user),
        };
        device.leaf = leaf;
        device.windows.push_back(row);
        device.exemplars.extend(exemplars.iter().cloned());
        let surplus = device.exemplars.len().saturating_sub(5);
        device.exemplars.drain(..surplus);
        if is_first {
            return;
        }
        for (log_m, ratio) in device.log_m.iter_mut().zip(ALTERNATIVES) {
            *log_m = step(
                *log_m,
                dialtone_explain::poisson(real(counts.k[0]), expected, ratio) / DISPERSION,
            );
        }
    }

    /// The devices whose evidence passes `threshold`, or what quiet days ask for, by name.
    pub fn alarms(&mut self, threshold: f64) -> Vec<(Text, Device)> {
        let is_poor = |device: &Device| device.since(Window::of_end(EventTime::MIN)).1 >= MIN_POOR;
        let needed = self.calibration.threshold(&(), threshold);
        let mut alarms = Vec::new();
        for (id, device) in self.known.iter().filter(|(_, device)| is_poor(device)) {
            let evidence = device.log_mixture();
            self.calibration.note((), evidence);
            if evidence >= needed {
                alarms.push((id.clone(), device.clone()));
            }
        }
        alarms
    }

    /// A day is over: was it one without a bad device, of so many that there may be?
    pub fn night(&mut self, is_quiet: bool, devices: usize, threshold: f64) {
        self.calibration
            .night(is_quiet, &BTreeMap::from([((), devices)]), threshold);
    }

    /// What quiet days have taught of the threshold; by the guarantee it is this.
    pub fn calibrated(&self, threshold: f64) -> Calibrated {
        self.calibration.stand(threshold)
    }

    /// The devices of these leaves, by name.
    pub fn of<'a>(&'a self, covers: impl Fn(u32) -> bool + 'a) -> impl Iterator<Item = (&'a Text, &'a Device)> + 'a {
        self.known.iter().filter(move |(_, device)| covers(device.leaf))
    }

    /// How many devices had a poor call-end since a window, at leaves that count; and how many people, where one whose name is not known is
    /// none.
    pub fn poor(&self, since: Window, is_inside: impl Fn(u32) -> bool) -> Touched {
        touched(self.known.values(), since, is_inside)
    }

    /// A device, if anything was reported of it lately.
    pub fn get(&self, id: &Text) -> Option<&Device> {
        self.known.get(id)
    }

    /// Poor, expected and poor milliseconds of a device this minute.
    pub fn fresh(&self, id: &Text) -> (f64, f64, i64) {
        self.fresh.get(id).copied().unwrap_or_default()
    }

    /// Forgets the evidence of one device.
    pub fn forget(&mut self, id: &Text) {
        if let Some(device) = self.known.get_mut(id) {
            device.log_m = [0.0; 3];
        }
    }

    /// The minute is over; forgets what is too old.
    pub fn expire(&mut self, now: EventTime) {
        self.fresh.clear();
        for device in self.known.values_mut() {
            while device
                .windows
                .front()
                .is_some_and(|row| now.since(row.window.end()) > MEMORY)
            {
                device.windows.pop_front();
            }
        }
        self.known.retain(|_, device| !device.windows.is_empty());
    }
}

/// How many of these had a poor call-end since a window, at leaves that count; and how many people.
fn touched<'a>(all: impl IntoIterator<Item = &'a Device>, since: Window, is_inside: impl Fn(u32) -> bool) -> Touched {
    let is_poor = |row: &Row| row.window >= since && row.counts.k[0] > 0 && is_inside(row.leaf);
    let (mut devices, mut users) = (0, BTreeSet::new());
    for device in all {
        let mut poor = device.windows.iter().filter(|row| is_poor(row)).peekable();
        devices += usize::from(poor.peek().is_some());
        users.extend(poor.filter_map(|row| device.users.get(usize::from(row.user?))));
    }
    Touched {
        devices,
        users: users.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn reported<'a>(leaf: u32, window: Window, counts: &'a Counts, user: Option<&'a Text>) -> Reported<'a> {
        Reported {
            leaf,
            window,
            counts,
            partition: 0,
            expected: 0.05,
            exemplars: &[],
            user,
        }
    }

    /// One call-end, poor or not.
    fn one_call(poor: i64) -> Counts {
        Counts {
            n: [1, 0, 0],
            k: [poor, 0, 0],
            ..Counts::default()
        }
    }

    /// One poor call in each of fourteen minutes, at a leaf.
    fn fourteen_poor(devices: &mut Devices, id: &Text, leaf: u32, start: EventTime) {
        for minute in 0..14 {
            let window = Window::of_end(start.plus(minute * time::MINUTE));
            devices.add(id, &reported(leaf, window, &one_call(1), None));
        }
    }

    /// Ann is poor on her laptop and on a shared phone, which is good in Eve's hands, Bob on his laptop, and a room's phone belongs to nobody; Eve's
    /// laptop is good, and one at another leaf is poor: four devices, two people.
    #[test]
    fn people_with_two_devices_are_one_and_a_room_is_none() {
        let text = |text: &str| Text::new(text).expect("a text");
        let window = Window::of_end(EventTime::parse("2026-03-02T09:00:00Z").expect("a time"));
        let mut devices = Devices::default();
        let all = [
            ("a-laptop", Some("ann"), 0, 1),
            ("phone", Some("ann"), 0, 1),
            ("phone", Some("eve"), 0, 0),
            ("b-laptop", Some("bob"), 0, 1),
            ("room", None, 0, 1),
            ("e-laptop", Some("eve"), 0, 0),
            ("f-laptop", Some("finn"), 7, 1),
        ];
        for (id, user, leaf, poor) in all {
            let counts = one_call(poor);
            devices.add(&text(id), &reported(leaf, window, &counts, user.map(text).as_ref()));
        }
        let touched = devices.poor(window, |leaf| leaf == 0);
        assert_eq!((touched.devices, touched.users), (4, 2));
    }

    /// A phone has fourteen poor calls in as many minutes, each where a twentieth was expected. Of thirteen each says (ln 25 − 24 · 0.05) / 1.5 = 1.35,
    /// less ln 3 for what was tried, and 0.9 for the records before each (M + 1): 17.3. As much on seven quiet days asks for 17.3 − 0.37 + 4.4 = 21.3 instead of 14, with
    /// 4.4 = ln(1 / (10 · 1440 e^−14)).
    #[test]
    fn what_devices_do_on_quiet_days_is_asked_of_them_on_any() {
        let text = |text: &str| Text::new(text).expect("a text");
        let start = EventTime::parse("2026-03-02T09:00:00Z").expect("a time");
        let bad = |devices: &mut Devices, day: i64| {
            fourteen_poor(devices, &text("mac-1"), 0, start.plus(day * time::DAY));
            let noticed = devices.alarms(14.0).len();
            devices.expire(start.plus((day + 1) * time::DAY));
            noticed
        };
        let mut devices = Devices::default();
        assert_eq!(bad(&mut devices, 0), 1);
        for day in 1..8 {
            bad(&mut devices, day);
            devices.night(true, 10, 14.0);
        }
        let beyond = devices.calibrated(14.0).raised_most;
        assert!((beyond - 7.3).abs() < 0.1, "{beyond}");
        assert_eq!(bad(&mut devices, 8), 0);
    }

    /// The phone above has 17.3 nats. Fourteen poor ones of 0.7 expected say (14 ln 25 − 24 · 0.7) / 1.5 = 18.8; where all around it is six times as
    /// poor, 4.2 are expected, and (14 ln 4 − 3 · 4.2) / 1.5 = 4.5: 14.3 less.
    #[test]
    fn a_device_that_is_like_what_surrounds_it_shows_little() {
        let id = Text::new("mac-1").expect("a text");
        let start = EventTime::parse("2026-03-02T09:00:00Z").expect("a time");
        let mut devices = Devices::default();
        fourteen_poor(&mut devices, &id, 3, start);
        let (device, since) = (devices.get(&id).expect("known"), Window::of_end(start));
        let nats = [1.0, 6.0].map(|worse| device.evidence_beside(since, worse));
        assert!((nats[0] - 17.3).abs() < 0.1 && (nats[1] - 3.0).abs() < 0.1, "{nats:?}");
        let Sum { n, k, e } = device.since_by_leaf(since)[&3];
        assert!((n - 14.0).abs() < 1e-9 && (k - 14.0).abs() < 1e-9 && (e - 0.7).abs() < 1e-9);
    }

    /// Ten windows with one poor call each, then good ones: both are told apart by minute, and all of it is counted.
    #[test]
    fn a_device_is_judged_by_what_was_reported_of_it_this_minute() {
        let id = Text::new("mac-1").expect("a text");
        let start = EventTime::parse("2026-03-02T09:00:00Z").expect("a time");
        let mut devices = Devices::default();
        for minute in 0..20 {
            let window = Window::of_end(start.plus(minute * time::MINUTE));
            let poor = i64::from(minute < 10);
            let counts = Counts {
                n: [1, 0, 0],
                k: [poor, 0, 0],
                poor_ms: 30_000 * poor,
                ..Counts::default()
            };
            devices.add(&id, &reported(0, window, &counts, None));
            assert_eq!(devices.fresh(&id), (real(poor), 0.05, 30_000 * poor));
            devices.expire(window.end());
            assert_eq!(devices.fresh(&id), (0.0, 0.0, 0), "the minute is over");
        }
        let device = devices.get(&id).expect("known");
        assert_eq!(device.sums(|_| true).1.poor_ms, 300_000);
        devices.expire(start.plus(7 * time::HOUR));
        assert!(devices.get(&id).is_none(), "nothing was reported for six hours");
    }

    /// A laptop moves to and fro between leaf 1 and leaf 2 and is poor at leaf 1.
    #[test]
    fn a_device_that_was_poor_somewhere_counts_once_and_there() {
        let id = Text::new("mac-1").expect("a text");
        let start = EventTime::parse("2026-03-02T09:00:00Z").expect("a time");
        let mut devices = Devices::default();
        for (minute, leaf) in (0..).zip([1, 1, 2, 1, 2, 3]) {
            let window = Window::of_end(start.plus(minute * time::MINUTE));
            let counts = one_call(i64::from(leaf == 1));
            devices.add(&id, &reported(leaf, window, &counts, None));
        }
        let poor = |minute: i64, leaf: u32| {
            let since = Window::of_end(start.plus(minute * time::MINUTE));
            devices.poor(since, |of| of == leaf).devices
        };
        assert_eq!((poor(0, 1), poor(0, 2)), (1, 0), "it counts once where it was poor");
        assert_eq!(poor(4, 1), 0, "and not later");
    }
}
