//! The driver: runs one fold along its chain. No clock, no thread, no network: each step is a call.
//!
//! The story: load the newest checkpoint → restore → send its outbox again and wait → absorb → append the next checkpoint →
//! send its outbox → wait for every acknowledgement → absorb … Effects leave only after the object that holds them exists,
//! and the next object is only created after they were acknowledged; so a recovery repeats at most one outbox.

use std::{collections::BTreeMap, time::Duration};

use dialtone_schemas::topic::Topic;

use super::{
    Fold, FoldError,
    chain::{Appended, Chain, ChainError, Checkpoint},
};
use crate::{Delivery, LogRecord, OutRecord, Payload, Place, PublishError};

/// When a checkpoint is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Effects wait at most this long.
    pub every: Duration,
    /// Without effects, what was absorbed waits at most this long.
    pub at_rest: Duration,
    /// Records absorbed since the last one.
    pub records: usize,
    /// Bytes absorbed since the last one. Twice this, or twice the records, and no more is absorbed before a checkpoint (F-4).
    pub bytes: usize,
    /// Records in the outbox.
    pub outbox: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            at_rest: Duration::from_secs(15),
            records: 200_000,
            bytes: 64 * 1024 * 1024,
            outbox: 50_000,
        }
    }
}

/// Writing checkpoints may take one part in so many of the time.
const CHECKPOINT_SHARE: u32 = 10;

/// Why a fold cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The chain.
    #[error("chain {prefix}")]
    Chain {
        /// Which.
        prefix: String,
        /// Why.
        source: ChainError,
    },
    /// The fold, at a record.
    #[error("{topic} partition {partition} offset {offset}", topic = place.0.suffix(), partition = place.1)]
    Record {
        /// Where.
        place: Place,
        /// The record's offset.
        offset: i64,
        /// Why.
        source: FoldError,
    },
    /// The fold's snapshot.
    #[error("chain {prefix}: snapshot")]
    Snapshot {
        /// Of which chain.
        prefix: String,
        /// Why.
        source: FoldError,
    },
    /// The chain was written under other partition counts.
    #[error(
        "chain {prefix} was written with {then:?} partitions, now there are {now:?}: records of one key would be in two \
         partitions. Go back to the former counts, or begin anew with another kafka.topic_prefix and another state folder"
    )]
    Partitions {
        /// Of which chain.
        prefix: String,
        /// In the chain.
        then: BTreeMap<Topic, i32>,
        /// On the broker.
        now: BTreeMap<Topic, i32>,
    },
    /// The group has got further than a chain that has not begun.
    #[error(
        "chain {prefix} has not begun, but its group has committed {topic} partition {partition} offset {offset}: the state \
         folder (processor.state_dir) is lost, empty or another. Beginning anew would give numbers twice. Restore the folder, \
         or begin anew with another kafka.topic_prefix",
        topic = place.0.suffix(), partition = place.1
    )]
    Forgotten {
        /// Of which chain.
        prefix: String,
        /// A place that was committed.
        place: Place,
        /// How far.
        offset: i64,
    },
    /// The broker will never take a record of the outbox.
    #[error("chain {prefix}: record {index} of the outbox for {topic}: {reason}", topic = topic.suffix())]
    Refused {
        /// Of which chain.
        prefix: String,
        /// Which record of what is being sent.
        index: usize,
        /// Where to.
        topic: Topic,
        /// Why.
        reason: String,
    },
}

impl DriveError {
    /// Only the store did not answer: nothing is wrong, trying again may help.
    pub const fn is_store(&self) -> bool {
        matches!(
            self,
            Self::Chain {
                source: ChainError::Store(_),
                ..
            }
        )
    }
}

/// What a checkpoint did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The chain goes on with ours: now send [`Driver::outgoing`].
    Appended,
    /// There was nothing to write, or the last outbox is not acknowledged yet.
    Nothing,
    /// Another goes on with the chain: drop this driver and recover.
    Lost,
}

/// What became of a sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Everything is acknowledged.
    Done,
    /// What [`Driver::outgoing`] says now must be sent again.
    Again(PublishError),
}

/// One fold on its chain.
#[derive(Debug)]
pub struct Driver<F> {
    chain: Chain,
    fold: F,
    partitions: BTreeMap<Topic, i32>,
    config: String,
    /// The newest object's name, where it ends, and the positions it holds.
    newest: String,
    mark: i64,
    positions: BTreeMap<Place, i64>,
    /// Effects of the newest object that are not acknowledged.
    outgoing: Vec<OutRecord>,
    /// Effects that are in no object yet.
    unsaved: Vec<OutRecord>,
    records: usize,
    bytes: usize,
    last: Duration,
    cost: Duration,
}

impl<F: Fold> Driver<F> {
    /// Takes the chain up where it stands; begins it with `fresh` if there is none.
    ///
    /// `partitions` are the counts on the broker, `config` a hash of the configuration.
    pub fn recover(
        chain: Chain,
        partitions: &BTreeMap<Topic, i32>,
        config: &str,
        now: Duration,
        fresh: impl FnOnce() -> F,
    ) -> Result<Self, DriveError> {
        let prefix = chain.prefix().to_owned();
        let of_chain = |source| DriveError::Chain {
            prefix: prefix.clone(),
            source,
        };
        let of_fold = |source| DriveError::Snapshot {
            prefix: prefix.clone(),
            source,
        };
        let mut fold = fresh();
        let mut newest = chain.newest().map_err(of_chain)?;
        if newest.is_none() {
            let genesis = Checkpoint {
                from: fold.mark(),
                to: fold.mark(),
                positions: fold.positions(),
                partitions: partitions.clone(),
                config: config.to_owned(),
                state: fold.snapshot().map_err(of_fold)?,
                ..Checkpoint::default()
            };
            if let Appended::Won(name) = chain.begin(&genesis).map_err(of_chain)? {
                newest = Some((name, genesis));
            } else {
                newest = chain.newest().map_err(of_chain)?;
            }
        }
        let Some((name, checkpoint)) = newest else {
            let reason = "its beginning was created by another and is gone".to_owned();
            return Err(of_chain(ChainError::Corrupt {
                name: prefix.clone(),
                reason,
            }));
        };
        if checkpoint.partitions != *partitions {
            return Err(DriveError::Partitions {
                prefix,
                then: checkpoint.partitions,
                now: partitions.clone(),
            });
        }
        fold.restore(&checkpoint.state).map_err(of_fold)?;
        if fold.mark() != checkpoint.to || fold.positions() != checkpoint.positions {
            let reason = format!("its state stands at {}, it says {}", fold.mark(), checkpoint.to);
            return Err(of_chain(ChainError::Corrupt { name, reason }));
        }
        if checkpoint.config != config {
            tracing::info!(chain = prefix, "the chain was last written under another configuration");
        }
        Ok(Self {
            chain,
            fold,
            partitions: partitions.clone(),
            config: config.to_owned(),
            newest: name,
            mark: checkpoint.to,
            positions: checkpoint.positions,
            outgoing: checkpoint.outbox,
            unsaved: Vec::new(),
            records: 0,
            bytes: 0,
            last: now,
            cost: Duration::ZERO,
        })
    }

    /// The fold.
    pub const fn fold(&self) -> &F {
        &self.fold
    }

    /// The next offset wanted of each place: where reading goes on.
    pub fn positions(&self) -> BTreeMap<Place, i64> {
        self.fold.positions()
    }

    /// The positions of the newest object: what may be committed once it is settled (F-2).
    pub const fn durable(&self) -> &BTreeMap<Place, i64> {
        &self.positions
    }

    /// Is there room for more? If not, a checkpoint must be written first (F-4).
    pub const fn has_room(&self, limits: &Limits) -> bool {
        self.records < 2 * limits.records && self.bytes < 2 * limits.bytes && self.unsaved.len() < 2 * limits.outbox
    }

    /// May more of this place be absorbed? A place that the fold waits for always may: no checkpoint comes before it goes on.
    pub fn has_room_for(&self, place: Place, limits: &Limits) -> bool {
        self.has_room(limits) || self.fold.waits_for(place)
    }

    /// The next record of one of the fold's places.
    pub fn absorb(&mut self, record: &LogRecord) -> Result<(), DriveError> {
        let absorbed = self.fold.absorb(record);
        absorbed.map_err(|source| DriveError::Record {
            place: record.place,
            offset: record.offset,
            source,
        })?;
        self.records += 1;
        self.bytes += record.key.len()
            + if let Payload::Value(frame) = &record.payload {
                frame.len()
            } else {
                16
            };
        self.unsaved.append(&mut self.fold.take_outbox());
        Ok(())
    }

    /// Is a checkpoint due? Never before the last outbox is acknowledged, nor while the fold's mark stands still.
    pub fn is_due(&self, now: Duration, limits: &Limits) -> bool {
        if !self.outgoing.is_empty() || self.records == 0 || self.fold.mark() == self.mark {
            return false;
        }
        let since = now.saturating_sub(self.last);
        let wait = if self.unsaved.is_empty() {
            limits.at_rest
        } else {
            limits.every
        };
        let full = self.records >= limits.records || self.bytes >= limits.bytes || self.unsaved.len() >= limits.outbox;
        full || since >= wait.max(self.cost * CHECKPOINT_SHARE)
    }

    /// Appends a checkpoint. If the store does not answer, the effects are kept and it can be tried again.
    pub fn checkpoint(&mut self, now: Duration) -> Result<Outcome, DriveError> {
        let mark = self.fold.mark();
        if !self.outgoing.is_empty() || mark == self.mark {
            return Ok(Outcome::Nothing);
        }
        let prefix = || self.chain.prefix().to_owned();
        let state = self.fold.snapshot().map_err(|source| DriveError::Snapshot {
            prefix: prefix(),
            source,
        })?;
        let mut checkpoint = Checkpoint {
            from: self.mark,
            to: mark,
            positions: self.fold.positions(),
            partitions: self.partitions.clone(),
            config: self.config.clone(),
            previous: Some(self.newest.clone()),
            state,
            outbox: std::mem::take(&mut self.unsaved),
        };
        let appended = self.chain.append(&checkpoint);
        let outbox = std::mem::take(&mut checkpoint.outbox);
        match appended {
            Err(source) => {
                self.unsaved = outbox;
                self.last = now; // the store is not asked again at once
                Err(DriveError::Chain {
                    prefix: prefix(),
                    source,
                })
            }
            Ok(Appended::Lost) => Ok(Outcome::Lost),
            Ok(Appended::Won(name)) => {
                self.newest = name;
                self.mark = mark;
                self.positions = checkpoint.positions;
                self.outgoing = outbox;
                (self.records, self.bytes, self.last) = (0, 0, now);
                Ok(Outcome::Appended)
            }
        }
    }

    /// How long the last checkpoint took: the next one comes so much later that checkpoints take a bounded share of the time.
    pub const fn took(&mut self, cost: Duration) {
        self.cost = cost;
    }

    /// What is to be sent now, in order; after a recovery, what may have been sent before.
    pub fn outgoing(&self) -> &[OutRecord] {
        &self.outgoing
    }

    /// Is every effect told and acknowledged?
    pub const fn is_quiet(&self) -> bool {
        self.outgoing.is_empty() && self.unsaved.is_empty()
    }

    /// The answers to a sending of the whole of [`Driver::outgoing`]. After a failed delivery everything from it on is sent
    /// again, so that no later record stands before an earlier one for good.
    pub fn settle(&mut self, deliveries: &[Delivery]) -> Result<Settled, DriveError> {
        let answered = deliveries.iter().take(self.outgoing.len()).enumerate();
        let mut failed = None;
        for (index, delivery) in answered {
            if let Err(error) = delivery {
                failed = Some((index, error.clone()));
                break;
            }
        }
        if failed.is_none() && deliveries.len() < self.outgoing.len() {
            let topic = self.outgoing[deliveries.len()].topic.suffix().to_owned();
            failed = Some((
                deliveries.len(),
                PublishError::Unavailable {
                    topic,
                    reason: "no answer".to_owned(),
                },
            ));
        }
        match failed {
            None => {
                self.outgoing.clear();
                Ok(Settled::Done)
            }
            Some((index, PublishError::Refused { reason, .. })) => {
                let topic = self.outgoing[index].topic;
                Err(DriveError::Refused {
                    prefix: self.chain.prefix().to_owned(),
                    index,
                    topic,
                    reason,
                })
            }
            Some((index, error)) => {
                self.outgoing.drain(..index);
                Ok(Settled::Again(error))
            }
        }
    }
}
