//! What the summaries say, by leaf and window: the ring that onsets and causes are read from.

use std::collections::BTreeMap;

use dialtone_schemas::{Channel, Summary, Text, Window};
use serde::{Deserialize, Serialize};

/// Channels on which rates are watched; the four quality channels show as one and are told apart afterwards.
pub const WATCHED: [Channel; 3] = [Channel::Quality, Channel::Setup, Channel::Drop];
/// The channels that tell what kind of poor it was.
pub const KINDS: [Channel; 4] = [Channel::Loss, Channel::Jitter, Channel::Delay, Channel::Mos];

/// Call-ends at risk, poor and expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    /// At risk.
    pub n: f64,
    /// Poor.
    pub k: f64,
    /// Poor ones that the baseline expects.
    pub e: f64,
}

impl Sum {
    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.n += other.n;
        self.k += other.k;
        self.e += other.e;
    }

    /// What is left without some of it.
    pub fn without(&self, part: &Self) -> Self {
        let left = |all: f64, part: f64| (all - part).max(0.0);
        Self {
            n: left(self.n, part.n),
            k: left(self.k, part.k),
            e: left(self.e, part.e),
        }
    }

    /// Poor ones as a multiple of the expected, pulled to one by so many.
    pub fn ratio(&self, prior: f64) -> f64 {
        (self.k + prior) / (self.e + prior)
    }
}

/// Counts of one leaf in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// At risk, by watched channel.
    pub n: [i64; 3],
    /// First poor, by watched channel.
    pub k: [i64; 3],
    /// First poor, by kind.
    pub kinds: [i64; 4],
    /// Media judged, in ms.
    pub media_ms: i64,
    /// Poor media, in ms.
    pub poor_ms: i64,
    /// Events of whatever kind: the volume.
    pub events: i64,
}

impl Counts {
    /// The counts of a summary, each standing for `weight`.
    pub fn of(summary: &Summary) -> Self {
        let Some(sums) = &summary.sums else {
            return Self::default();
        };
        let w = summary.weight;
        Self {
            n: WATCHED.map(|c| sums.channel(c).at_risk * w),
            k: WATCHED.map(|c| sums.channel(c).poor * w),
            kinds: KINDS.map(|c| sums.channel(c).poor * w),
            media_ms: sums.quality.media_ms * w,
            poor_ms: sums.quality.poor_ms * w,
            events: sums.events * w,
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        for i in 0..3 {
            self.n[i] += other.n[i];
            self.k[i] += other.k[i];
        }
        for i in 0..4 {
            self.kinds[i] += other.kinds[i];
        }
        self.media_ms += other.media_ms;
        self.poor_ms += other.poor_ms;
        self.events += other.events;
    }
}

/// Call-ends of one leaf in one window by metric and histogram bin; entries of the same bin add up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bins(Vec<(u8, u16, i64)>);

impl Bins {
    /// Adds the histograms of a summary: loss, jitter, delay and what is missing to R = 100.
    pub fn add(&mut self, summary: &Summary) {
        let Some(sums) = &summary.sums else { return };
        let histograms = [
            &sums.loss_histogram,
            &sums.jitter_histogram,
            &sums.delay_histogram,
            &sums.missing_r_histogram,
        ];
        for (metric, histogram) in (0u8..).zip(histograms) {
            self.0.extend(
                histogram
                    .bins()
                    .map(|(bin, count)| (metric, bin, count * summary.weight)),
            );
        }
    }

    /// Adds others.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(&others.0);
    }

    /// Of these entries: metric, bin and count.
    pub fn of(entries: impl Iterator<Item = (u8, u16, i64)>) -> Self {
        Self(entries.collect())
    }

    /// The counts by metric and bin.
    pub fn merged(&self) -> BTreeMap<(u8, u16), i64> {
        let mut merged = BTreeMap::new();
        for (metric, bin, count) in self.iter() {
            *merged.entry((metric, bin)).or_default() += count;
        }
        merged
    }

    /// Metric, bin and count of each entry.
    pub fn iter(&self) -> impl Iterator<Item = (u8, u16, i64)> + '_ {
        self.0.iter().copied()
    }
}

/// One window of evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// By leaf.
    pub leaves: BTreeMap<u32, Counts>,
    /// Where all call-ends lie, by leaf.
    pub bins: BTreeMap<u32, Bins>,
    /// By near and far leaf: all poor pairs.
    pub pairs: BTreeMap<(u32, u32), Counts>,
    /// Poor exemplars by leaf: (hash order is the summaries' own).
    pub exemplars: BTreeMap<u32, Vec<Text>>,
}

/// Slices by window, as far back as the memory reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    slices: BTreeMap<Window, Slice>,
}

impl Ring {
    /// The slice of a window, made if need be.
    pub fn slice(&mut self, window: Window) -> &mut Slice {
        self.slices.entry(window).or_default()
    }

    /// Slices from a window on, oldest first.
    pub fn since(&self, window: Window) -> impl DoubleEndedIterator<Item = (&Window, &Slice)> {
        self.slices.range(window..)
    }

    /// All slices, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = (&Window, &Slice)> {
        self.slices.iter()
    }

    /// Takes the slices that are older than `window`, oldest first.
    pub fn take_before(&mut self, window: Window) -> Vec<(Window, Slice)> {
        let kept = self.slices.split_off(&window);
        std::mem::replace(&mut self.slices, kept).into_iter().collect()
    }
}
