//! The sums of one window and class, until it closes.

use std::collections::BTreeMap;

use dialtone_schemas::{Channel, EventId, Leaf, Sums, Text, summary::ChannelSums};
use serde::{Deserialize, Serialize};

use super::judge::{Channels, Judgement};

/// What one event adds to a window; taken away again when a higher revision replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// Whose.
    pub tenant: Text,
    /// The call.
    pub call: Text,
    /// The near end.
    pub near: Leaf,
    /// The far end, where known.
    pub far: Option<Leaf>,
    /// The individual device.
    pub device: Option<Text>,
    /// Who used it.
    pub user: Option<Text>,
    /// As judged.
    pub judgement: Judgement,
    /// Channels on which the end was still at risk.
    pub at_risk: Channels,
    /// Channels on which it was poor for the first time.
    pub first_poor: Channels,
    /// Does its media count (and not that of the intervals before it)?
    pub media: bool,
    /// The end's first event.
    pub new_end: bool,
    /// Does it enter the histograms (once a window)?
    pub binned: bool,
}

impl Contribution {
    fn sums(&self) -> Sums {
        let mut sums = Sums {
            events: 1,
            ends: i64::from(self.new_end),
            ..Sums::default()
        };
        for channel in Channel::ALL {
            *sums.channel_mut(channel) = self.channel(channel);
        }
        if self.binned {
            let histograms = [
                &mut sums.loss_histogram,
                &mut sums.jitter_histogram,
                &mut sums.delay_histogram,
                &mut sums.missing_r_histogram,
            ];
            for (histogram, bin) in histograms.into_iter().zip(self.judgement.bins) {
                if let Some(bin) = bin {
                    histogram.add(bin, 1);
                }
            }
        }
        sums
    }

    fn channel(&self, channel: Channel) -> ChannelSums {
        let judged = self.judgement.judged.contains(channel);
        let media = judged && self.media && Channels::QUALITY.contains(channel);
        let media_ms = if media { self.judgement.media_ms } else { 0 };
        ChannelSums {
            at_risk: i64::from(self.at_risk.contains(channel)),
            poor: i64::from(self.first_poor.contains(channel)),
            media_ms,
            poor_ms: if self.judgement.poor.contains(channel) {
                media_ms
            } else {
                0
            },
        }
    }

    fn is_poor(&self) -> bool {
        Channel::ALL
            .into_iter()
            .any(|channel| self.first_poor.contains(channel))
    }

    /// The id hash that decides which exemplars and which good pairs are kept.
    fn hash(&self) -> u128 {
        EventId::derive([self.tenant.as_str(), self.call.as_str()]).0
    }
}

/// Most exemplars a leaf names.
const EXEMPLARS: usize = 3;

/// Sums with the calls that stand for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The sums.
    pub sums: Sums,
    exemplars: BTreeMap<u128, Text>,
}

impl Row {
    fn add(&mut self, contribution: &Contribution, sign: i64) {
        self.sums.merge(&contribution.sums(), sign);
        if sign < 0 {
            self.exemplars.remove(&contribution.hash());
        } else if contribution.is_poor() {
            self.exemplars.insert(contribution.hash(), contribution.call.clone());
            if self.exemplars.len() > EXEMPLARS {
                self.exemplars.pop_last();
            }
        }
    }

    /// The calls with the smallest hashes.
    pub fn exemplars(&self) -> Vec<Text> {
        self.exemplars.values().cloned().collect()
    }
}

/// All sums of one window and class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowTable {
    /// By tenant and near leaf.
    pub leaves: BTreeMap<(Text, Leaf), Row>,
    /// What had no room as a leaf of its own, by tenant.
    pub overflow: BTreeMap<Text, Row>,
    /// By tenant, near and far leaf; the flag tells poor pairs (all kept) from good ones (sampled).
    pub pairs: BTreeMap<(Text, Leaf, Leaf, bool), Row>,
    /// By tenant and individual device.
    pub devices: BTreeMap<(Text, Text), DeviceRow>,
}

/// What an individual device showed in a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// Where it called from first.
    pub near: Leaf,
    /// Who used it first, where that is known.
    pub user: Option<Text>,
    /// Its sums.
    pub row: Row,
}

/// Bounds of a window.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Leaves, pairs and devices each.
    pub leaves: usize,
    /// One in so many good pairs.
    pub pair_sampling: i64,
}

impl WindowTable {
    /// Adds what an event contributes, or takes it away with `sign = -1` (W-1).
    pub fn add(&mut self, contribution: &Contribution, sign: i64, room: Room) {
        self.add_leaf(contribution, sign, room);
        self.add_pair(contribution, sign, room);
        self.add_device(contribution, sign, room);
    }

    fn add_leaf(&mut self, contribution: &Contribution, sign: i64, room: Room) {
        let key = (contribution.tenant.clone(), contribution.near.clone());
        if self.leaves.len() >= room.leaves && !self.leaves.contains_key(&key) {
            self.overflow
                .entry(contribution.tenant.clone())
                .or_default()
                .add(contribution, sign);
            return;
        }
        let row = self.leaves.entry(key.clone()).or_default();
        row.add(contribution, sign);
        if row.sums.is_zero() {
            self.leaves.remove(&key);
        }
    }

    fn add_pair(&mut self, contribution: &Contribution, sign: i64, room: Room) {
        let Some(far) = &contribution.far else { return };
        if contribution.at_risk == Channels::default() {
            return;
        }
        let poor = contribution.is_poor();
        let sampled = contribution
            .hash()
            .is_multiple_of(u128::from(room.pair_sampling.max(1).unsigned_abs()));
        if !poor && !sampled {
            return;
        }
        let key = (
            contribution.tenant.clone(),
            contribution.near.clone(),
            far.clone(),
            poor,
        );
        if self.pairs.len() >= room.leaves && !self.pairs.contains_key(&key) {
            return;
        }
        let row = self.pairs.entry(key.clone()).or_default();
        row.add(contribution, sign);
        if row.sums.is_zero() {
            self.pairs.remove(&key);
        }
    }

    fn add_device(&mut self, contribution: &Contribution, sign: i64, room: Room) {
        let Some(device) = &contribution.device else { return };
        let key = (contribution.tenant.clone(), device.clone());
        if self.devices.len() >= room.leaves && !self.devices.contains_key(&key) {
            return;
        }
        let device = self.devices.entry(key.clone()).or_insert_with(|| DeviceRow {
            near: contribution.near.clone(),
            user: None,
            row: Row::default(),
        });
        if sign > 0 && device.user.is_none() {
            device.user.clone_from(&contribution.user);
        }
        device.row.add(contribution, sign);
        if device.row.sums.is_zero() {
            self.devices.remove(&key);
        }
    }
}
