//! Drives the groups: hands requests to the rules, keeps who waits for an answer, lets time pass.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kafka_protocol::ResponseError;
use tokio::sync::oneshot;
use tracing::error;

use super::offsets::{Change, Offsets};
use super::state::{Answer, Caller, Group, GroupLimits, Join, JoinRefused, Joined, Synced, Ticket};
use crate::clock::now_ms;
use crate::config::BrokerConfig;

/// Shortest and longest session timeout a member may ask for.
const SESSION_TIMEOUT_MS: (i64, i64) = (100, 1_800_000);

type JoinResult = Result<Joined, JoinRefused>;
type SyncResult = Result<Synced, ResponseError>;

#[derive(Debug)]
enum Waiter {
    Join(oneshot::Sender<JoinResult>),
    Sync(oneshot::Sender<SyncResult>),
}

/// Everything about groups, under one lock.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) offsets: Offsets,
    groups: BTreeMap<String, Group>,
    waiting: BTreeMap<Ticket, Waiter>,
    next_ticket: Ticket,
    limits: GroupLimits,
    group_limit: usize,
    offsets_retention_ms: i64,
    metadata_bytes: usize,
}

/// The groups and their lock.
#[derive(Debug)]
pub(crate) struct Coordinator(Mutex<Groups>);

impl Coordinator {
    pub(crate) fn new(offsets: Offsets, config: &BrokerConfig) -> Self {
        let ms = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Self(Mutex::new(Groups {
            offsets,
            groups: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next_ticket: 0,
            limits: GroupLimits {
                members: config.limits.group_members,
                session_timeout_ms: SESSION_TIMEOUT_MS,
                initial_delay_ms: ms(config.initial_rebalance_delay),
            },
            group_limit: config.limits.groups,
            offsets_retention_ms: ms(config.offsets_retention),
            metadata_bytes: config.limits.offset_metadata_bytes,
        }))
    }

    pub(crate) fn groups(&self) -> MutexGuard<'_, Groups> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Groups {
    /// Joins a group, creating it if need be. The answer comes when the group is complete.
    pub(crate) fn join(&mut self, id: &str, join: Join) -> Result<oneshot::Receiver<JoinResult>, ResponseError> {
        let is_new = !self.groups.contains_key(id);
        if is_new && !join.member_id.is_empty() {
            return Err(ResponseError::UnknownMemberId);
        }
        if is_new && !self.offsets.knows_group(id) && self.count() >= self.group_limit {
            return Err(ResponseError::PolicyViolation);
        }
        let (sender, receiver) = oneshot::channel();
        let ticket = self.ticket(Waiter::Join(sender));
        let limits = self.limits;
        let group = self.groups.entry(id.to_owned()).or_insert_with(|| Group::new(limits));
        let answers = group.join(join, ticket, now_ms());
        self.deliver(answers);
        Ok(receiver)
    }

    pub(crate) fn sync(
        &mut self,
        id: &str,
        caller: &Caller,
        protocol: Option<(&str, &str)>,
        assignments: Vec<(String, bytes::Bytes)>,
    ) -> Result<oneshot::Receiver<SyncResult>, ResponseError> {
        if !self.groups.contains_key(id) {
            return Err(ResponseError::UnknownMemberId);
        }
        let (sender, receiver) = oneshot::channel();
        let ticket = self.ticket(Waiter::Sync(sender));
        let group = self.groups.get_mut(id).ok_or(ResponseError::UnknownMemberId)?;
        let answers = group.sync(caller, protocol, assignments, ticket, now_ms());
        self.deliver(answers);
        Ok(receiver)
    }

    pub(crate) fn heartbeat(&mut self, id: &str, caller: &Caller) -> Result<(), ResponseError> {
        self.groups
            .get_mut(id)
            .ok_or(ResponseError::UnknownMemberId)?
            .heartbeat(caller, now_ms())
    }

    pub(crate) fn leave(&mut self, id: &str, member: &str, instance: Option<&str>) -> Result<(), ResponseError> {
        let group = self.groups.get_mut(id).ok_or(ResponseError::UnknownMemberId)?;
        let (result, answers) = group.leave(member, instance, now_ms());
        self.deliver(answers);
        result
    }

    /// Whether this caller may commit to the group; a group without members takes anyone's.
    pub(crate) fn may_commit(&mut self, id: &str, caller: &Caller) -> Result<(), ResponseError> {
        if let Some(group) = self.groups.get_mut(id) {
            return group.may_commit(caller, now_ms());
        }
        if caller.generation >= 0 {
            return Err(ResponseError::UnknownMemberId);
        }
        let is_new = !self.offsets.knows_group(id);
        if is_new && self.count() >= self.group_limit {
            Err(ResponseError::PolicyViolation)
        } else {
            Ok(())
        }
    }

    pub(crate) fn takes_metadata(&self, metadata: &str) -> bool {
        metadata.len() <= self.metadata_bytes
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    /// All groups: those with members and those with offsets alone.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.groups.keys().chain(self.offsets.group_names()).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn count(&self) -> usize {
        self.groups.len().max(self.names().len())
    }

    fn ticket(&mut self, waiter: Waiter) -> Ticket {
        self.next_ticket += 1;
        self.waiting.insert(self.next_ticket, waiter);
        self.next_ticket
    }

    /// A waiter whose connection is gone takes no answer, and needs none.
    fn deliver(&mut self, answers: Vec<Answer>) {
        for answer in answers {
            match answer {
                Answer::Join(ticket, result) => {
                    if let Some(Waiter::Join(sender)) = self.waiting.remove(&ticket) {
                        sender.send(result).ok();
                    }
                }
                Answer::Sync(ticket, result) => {
                    if let Some(Waiter::Sync(sender)) = self.waiting.remove(&ticket) {
                        sender.send(result).ok();
                    }
                }
            }
        }
    }

    /// Lets time pass in every group.
    pub(crate) fn pass_time(&mut self) {
        let now = now_ms();
        let answers: Vec<_> = self
            .groups
            .values_mut()
            .flat_map(|group| group.pass_time(now))
            .collect();
        self.deliver(answers);
    }

    /// Forgets groups without members, and their offsets once those are too old.
    pub(crate) fn sweep(&mut self) {
        self.groups.retain(|_, group| !group.is_idle());
        let too_old = self
            .offsets
            .groups_silent_since(now_ms().saturating_sub(self.offsets_retention_ms));
        let forgotten: Vec<_> = too_old
            .into_iter()
            .filter(|group| !self.groups.contains_key(group))
            .map(|group| Change::ForgetGroup { group })
            .collect();
        self.record(forgotten);
    }

    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.record(vec![Change::ForgetTopic {
            topic: topic.to_owned(),
        }]);
    }

    fn record(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        if let Err(source) = self.offsets.record(changes) {
            error!(%source, "offset journal takes no changes");
        }
    }

    pub(crate) fn commit(&mut self, changes: Vec<Change>) -> io::Result<()> {
        if changes.is_empty() {
            Ok(())
        } else {
            self.offsets.record(changes)
        }
    }
}
