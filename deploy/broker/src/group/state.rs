//! The rules of one classic consumer group: a state machine that knows neither clock nor network.
//!
//! ```text
//!            join                    all have joined, or time is up
//!   Empty ─────────▶ Preparing ───────────────────────────────▶ Completing
//!     ▲                 ▲ ▲                                          │
//!     │ nobody joined   │ └────── join, leave, silence ──────────────┤
//!     └─────────────────┘                                            │ leader sends
//!                       └──────── join, leave, silence ── Stable ◀───┘ assignments
//! ```
//!
//! A join or a sync is answered when its turn comes, so each brings a ticket, and every call
//! returns the answers that have become due. Who gets which partition is the leading client's
//! affair: assignments pass through unread, and so every assignor works.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kafka_protocol::ResponseError;

/// Names a join or sync that waits for its answer.
pub(crate) type Ticket = u64;

/// A request to join, as the client put it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Join {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: i64,
    pub(crate) rebalance_timeout_ms: i64,
    pub(crate) protocol_type: String,
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// The client knows that it must join twice, the second time with the id it was given.
    pub(crate) joins_twice: bool,
    /// The id to give, should one be needed.
    pub(crate) fresh_member_id: String,
}

/// A member's place in a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    /// Everybody, for the leader; nobody, for the others.
    pub(crate) members: Vec<(String, Option<String>, Bytes)>,
}

/// Why a join was refused, and the member id that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinRefused {
    pub(crate) code: ResponseError,
    pub(crate) member_id: String,
}

/// A member's assignment, with the protocol it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) assignment: Bytes,
}

/// An answer that has become due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Join(Ticket, Result<Joined, JoinRefused>),
    Sync(Ticket, Result<Synced, ResponseError>),
}

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    Preparing { until_ms: i64 },
    Completing,
    Stable,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Preparing { .. } => "PreparingRebalance",
            Self::Completing => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A member of the group.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    session_timeout_ms: i64,
    rebalance_timeout_ms: i64,
    pub(crate) protocols: Vec<(String, Bytes)>,
    pub(crate) assignment: Bytes,
    silent_at_ms: i64,
    joining: Option<Ticket>,
    syncing: Option<Ticket>,
}

/// Bounds of a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupLimits {
    pub(crate) members: usize,
    pub(crate) session_timeout_ms: (i64, i64),
    pub(crate) initial_delay_ms: i64,
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    limits: GroupLimits,
    state: State,
    generation: i32,
    protocol_type: String,
    protocol: String,
    leader: String,
    members: BTreeMap<String, Member>,
    /// Ids given out but not yet used to join, and until when they may be.
    expected: BTreeMap<String, i64>,
}

impl Group {
    pub(crate) fn new(limits: GroupLimits) -> Self {
        Self {
            limits,
            state: State::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: String::new(),
            leader: String::new(),
            members: BTreeMap::new(),
            expected: BTreeMap::new(),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn protocol_type(&self) -> &str {
        &self.protocol_type
    }

    pub(crate) fn protocol(&self) -> &str {
        &self.protocol
    }

    pub(crate) fn members(&self) -> &BTreeMap<String, Member> {
        &self.members
    }

    /// Whether nothing is lost by forgetting the group.
    pub(crate) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.expected.is_empty()
    }

    // ---- joining ----

    pub(crate) fn join(&mut self, join: Join, ticket: Ticket, now_ms: i64) -> Vec<Answer> {
        let mut answers = Vec::new();
        let asked_as = join.member_id.clone();
        if let Err(refused) = self.admit(join, ticket, now_ms, &mut answers) {
            let member_id = refused.1.unwrap_or(asked_as);
            answers.push(Answer::Join(
                ticket,
                Err(JoinRefused {
                    code: refused.0,
                    member_id,
                }),
            ));
        }
        answers
    }

    fn admit(
        &mut self,
        join: Join,
        ticket: Ticket,
        now_ms: i64,
        answers: &mut Vec<Answer>,
    ) -> Result<(), (ResponseError, Option<String>)> {
        let refuse = |code| Err((code, None));
        let (shortest, longest) = self.limits.session_timeout_ms;
        if !(shortest..=longest).contains(&join.session_timeout_ms) {
            return refuse(ResponseError::InvalidSessionTimeout);
        }
        if !self.speaks(&join) {
            return refuse(ResponseError::InconsistentGroupProtocol);
        }
        if join.member_id.is_empty() {
            return self.admit_stranger(join, ticket, now_ms, answers);
        }
        if let Some(instance) = &join.instance_id {
            match self.static_member(instance) {
                Some(id) if id != join.member_id => return refuse(ResponseError::FencedInstanceId),
                None => return refuse(ResponseError::UnknownMemberId),
                Some(_) => {}
            }
        }
        if self.expected.remove(&join.member_id).is_some() {
            let id = join.member_id.clone();
            self.enter(id, join, ticket, now_ms, answers);
            return Ok(());
        }
        if !self.members.contains_key(&join.member_id) {
            return refuse(ResponseError::UnknownMemberId);
        }
        self.rejoin(join, ticket, now_ms, answers);
        Ok(())
    }

    fn admit_stranger(
        &mut self,
        join: Join,
        ticket: Ticket,
        now_ms: i64,
        answers: &mut Vec<Answer>,
    ) -> Result<(), (ResponseError, Option<String>)> {
        if let Some(old) = join
            .instance_id
            .as_deref()
            .and_then(|instance| self.static_member(instance))
        {
            self.take_over(&old, join, ticket, now_ms, answers);
            return Ok(());
        }
        if self.members.len() + self.expected.len() >= self.limits.members {
            return Err((ResponseError::GroupMaxSizeReached, None));
        }
        let id = join.fresh_member_id.clone();
        if join.joins_twice && join.instance_id.is_none() {
            self.expected.insert(id.clone(), now_ms + join.session_timeout_ms);
            return Err((ResponseError::MemberIdRequired, Some(id)));
        }
        self.enter(id, join, ticket, now_ms, answers);
        Ok(())
    }

    /// Whether the candidate shares a protocol with everybody here.
    fn speaks(&self, join: &Join) -> bool {
        if join.protocol_type.is_empty() || join.protocols.is_empty() {
            return false;
        }
        let others: Vec<_> = self.members.iter().filter(|(id, _)| **id != join.member_id).collect();
        let is_shared = |name: &String| {
            others
                .iter()
                .all(|(_, m)| m.protocols.iter().any(|(own, _)| own == name))
        };
        others.is_empty()
            || (self.protocol_type == join.protocol_type && join.protocols.iter().any(|(name, _)| is_shared(name)))
    }

    fn static_member(&self, instance: &str) -> Option<String> {
        let same = |member: &Member| member.instance_id.as_deref() == Some(instance);
        self.members
            .iter()
            .find(|(_, member)| same(member))
            .map(|(id, _)| id.clone())
    }

    fn enter(&mut self, id: String, join: Join, ticket: Ticket, now_ms: i64, answers: &mut Vec<Answer>) {
        self.protocol_type.clone_from(&join.protocol_type);
        self.members.insert(id, member_of(join, ticket, now_ms));
        self.prepare(now_ms, answers);
        self.complete_if_all_joined(now_ms, answers);
    }

    /// A static member came back under its instance id and gets a new member id. If nothing
    /// else changed the generation goes on as it is.
    fn take_over(&mut self, old_id: &str, join: Join, ticket: Ticket, now_ms: i64, answers: &mut Vec<Answer>) {
        let Some(old) = self.members.remove(old_id) else { return };
        fence(&old, old_id, answers);
        let id = join.fresh_member_id.clone();
        let unchanged = self.state == State::Stable && old.protocols == join.protocols;
        let old_leader = self.leader.clone();
        if old_leader == old_id {
            self.leader.clone_from(&id);
        }
        let mut member = member_of(join, ticket, now_ms);
        member.assignment = old.assignment;
        if unchanged {
            member.joining = None;
            self.members.insert(id.clone(), member);
            // Named after the old leader, the newcomer knows it need not assign again.
            let joined = Joined {
                leader: old_leader,
                members: Vec::new(),
                ..self.joined(&id)
            };
            answers.push(Answer::Join(ticket, Ok(joined)));
            return;
        }
        self.members.insert(id, member);
        self.prepare(now_ms, answers);
        self.complete_if_all_joined(now_ms, answers);
    }

    fn rejoin(&mut self, join: Join, ticket: Ticket, now_ms: i64, answers: &mut Vec<Answer>) {
        let is_leader = self.leader == join.member_id;
        let Some(member) = self.members.get_mut(&join.member_id) else {
            return;
        };
        let changed = member.protocols != join.protocols;
        member.protocols = join.protocols;
        member.session_timeout_ms = join.session_timeout_ms;
        member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        member.silent_at_ms = now_ms + member.session_timeout_ms;
        let starts_over = match self.state {
            State::Preparing { .. } | State::Empty => true,
            State::Completing => changed,
            State::Stable => changed || is_leader,
        };
        if !starts_over {
            answers.push(Answer::Join(ticket, Ok(self.joined(&join.member_id))));
            return;
        }
        // A second request of the same member takes the place of the first.
        if let Some(stale) = member.joining.replace(ticket) {
            let refused = JoinRefused {
                code: ResponseError::RebalanceInProgress,
                member_id: join.member_id,
            };
            answers.push(Answer::Join(stale, Err(refused)));
        }
        self.prepare(now_ms, answers);
        self.complete_if_all_joined(now_ms, answers);
    }

    // ---- rebalancing ----

    /// Begins a rebalance, unless one is being prepared already.
    fn prepare(&mut self, now_ms: i64, answers: &mut Vec<Answer>) {
        let wait_ms = match self.state {
            State::Preparing { .. } => return,
            State::Empty => self.limits.initial_delay_ms,
            State::Completing | State::Stable => self.rebalance_timeout_ms(),
        };
        for member in self.members.values_mut() {
            if let Some(ticket) = member.syncing.take() {
                member.silent_at_ms = now_ms + member.session_timeout_ms;
                answers.push(Answer::Sync(ticket, Err(ResponseError::RebalanceInProgress)));
            }
        }
        self.state = State::Preparing {
            until_ms: now_ms + wait_ms,
        };
    }

    fn rebalance_timeout_ms(&self) -> i64 {
        self.members
            .values()
            .map(|member| member.rebalance_timeout_ms)
            .max()
            .unwrap_or(0)
    }

    fn complete_if_all_joined(&mut self, now_ms: i64, answers: &mut Vec<Answer>) {
        let State::Preparing { until_ms } = self.state else {
            return;
        };
        // A brand-new group waits its initial delay even though everybody present has joined.
        let is_gathering = self.generation == 0 && self.limits.initial_delay_ms > 0;
        let all_here = self.expected.is_empty() && self.members.values().all(|member| member.joining.is_some());
        if (all_here && !is_gathering) || now_ms >= until_ms && (self.generation > 0 || is_gathering) {
            self.complete(now_ms, answers);
        }
    }

    /// Ends the joining phase with whoever is here.
    fn complete(&mut self, now_ms: i64, answers: &mut Vec<Answer>) {
        self.members
            .retain(|_, member| member.joining.is_some() || member.instance_id.is_some());
        self.generation = self.generation.wrapping_add(1).max(1);
        let Some(protocol) = self.favourite_protocol() else {
            self.state = State::Empty;
            self.protocol.clear();
            self.leader.clear();
            return;
        };
        self.protocol = protocol;
        self.state = State::Completing;
        let present = |member: &Member| member.joining.is_some();
        if !self.members.get(&self.leader).is_some_and(present) {
            let first = self
                .members
                .iter()
                .find(|(_, m)| present(m))
                .or_else(|| self.members.iter().next());
            self.leader = first.map(|(id, _)| id.clone()).unwrap_or_default();
        }
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.silent_at_ms = now_ms + member.session_timeout_ms;
                member.assignment = Bytes::new();
                if let Some(ticket) = member.joining.take() {
                    answers.push(Answer::Join(ticket, Ok(joined)));
                }
            }
        }
    }

    /// The protocol everybody speaks that most members put first.
    fn favourite_protocol(&self) -> Option<String> {
        let mut shared: Option<BTreeSet<&String>> = None;
        for member in self.members.values() {
            let own: BTreeSet<_> = member.protocols.iter().map(|(name, _)| name).collect();
            shared = Some(shared.map_or(own.clone(), |shared| &shared & &own));
        }
        let shared = shared?;
        let mut votes: BTreeMap<&String, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((choice, _)) = member.protocols.iter().find(|(name, _)| shared.contains(name)) {
                *votes.entry(choice).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|&(_, count)| count)
            .map(|(name, _)| name.clone())
    }

    fn joined(&self, id: &str) -> Joined {
        let members = if id == self.leader { self.roster() } else { Vec::new() };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member_id: id.to_owned(),
            members,
        }
    }

    fn roster(&self) -> Vec<(String, Option<String>, Bytes)> {
        let metadata = |member: &Member| {
            let own = member.protocols.iter().find(|(name, _)| *name == self.protocol);
            own.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
        };
        self.members
            .iter()
            .map(|(id, member)| (id.clone(), member.instance_id.clone(), metadata(member)))
            .collect()
    }

    // ---- syncing ----

    pub(crate) fn sync(
        &mut self,
        caller: &Caller,
        protocol: Option<(&str, &str)>,
        assignments: Vec<(String, Bytes)>,
        ticket: Ticket,
        now_ms: i64,
    ) -> Vec<Answer> {
        let refuse = |code| vec![Answer::Sync(ticket, Err(code))];
        if let Err(code) = self.check(caller) {
            return refuse(code);
        }
        if protocol.is_some_and(|(of, name)| of != self.protocol_type || name != self.protocol) {
            return refuse(ResponseError::InconsistentGroupProtocol);
        }
        match self.state {
            State::Empty => refuse(ResponseError::UnknownMemberId),
            State::Preparing { .. } => refuse(ResponseError::RebalanceInProgress),
            State::Stable => {
                self.heard_of(&caller.member_id, now_ms);
                let assignment = self
                    .members
                    .get(&caller.member_id)
                    .map(|m| m.assignment.clone())
                    .unwrap_or_default();
                vec![Answer::Sync(ticket, Ok(self.synced(assignment)))]
            }
            State::Completing => self.wait_or_assign(caller, assignments, ticket, now_ms),
        }
    }

    fn wait_or_assign(
        &mut self,
        caller: &Caller,
        assignments: Vec<(String, Bytes)>,
        ticket: Ticket,
        now_ms: i64,
    ) -> Vec<Answer> {
        let mut answers = Vec::new();
        if let Some(member) = self.members.get_mut(&caller.member_id)
            && let Some(stale) = member.syncing.replace(ticket)
        {
            answers.push(Answer::Sync(stale, Err(ResponseError::RebalanceInProgress)));
        }
        if caller.member_id != self.leader {
            return answers;
        }
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment;
            }
        }
        self.state = State::Stable;
        let waiting: Vec<_> = self
            .members
            .values_mut()
            .filter_map(|member| {
                let ticket = member.syncing.take()?;
                member.silent_at_ms = now_ms + member.session_timeout_ms;
                Some((ticket, member.assignment.clone()))
            })
            .collect();
        answers.extend(
            waiting
                .into_iter()
                .map(|(t, assignment)| Answer::Sync(t, Ok(self.synced(assignment)))),
        );
        answers
    }

    fn synced(&self, assignment: Bytes) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment,
        }
    }

    // ---- living ----

    pub(crate) fn heartbeat(&mut self, caller: &Caller, now_ms: i64) -> Result<(), ResponseError> {
        self.check(caller)?;
        self.heard_of(&caller.member_id, now_ms);
        match self.state {
            State::Preparing { .. } => Err(ResponseError::RebalanceInProgress),
            State::Empty => Err(ResponseError::UnknownMemberId),
            State::Completing | State::Stable => Ok(()),
        }
    }

    /// Whether this caller may commit offsets. A generation below zero is a client that
    /// assigns its partitions itself, which is fine while nobody is a member.
    pub(crate) fn may_commit(&mut self, caller: &Caller, now_ms: i64) -> Result<(), ResponseError> {
        if caller.generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        self.check(caller)?;
        if self.state == State::Completing {
            return Err(ResponseError::RebalanceInProgress);
        }
        self.heard_of(&caller.member_id, now_ms);
        Ok(())
    }

    fn check(&self, caller: &Caller) -> Result<(), ResponseError> {
        if let Some(instance) = &caller.instance_id {
            match self.static_member(instance) {
                Some(id) if id != caller.member_id => return Err(ResponseError::FencedInstanceId),
                None => return Err(ResponseError::UnknownMemberId),
                Some(_) => {}
            }
        }
        if !self.members.contains_key(&caller.member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
        if caller.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(())
    }

    fn heard_of(&mut self, id: &str, now_ms: i64) {
        if let Some(member) = self.members.get_mut(id) {
            member.silent_at_ms = now_ms + member.session_timeout_ms;
        }
    }

    /// Removes a member at its own (or an operator's) wish.
    pub(crate) fn leave(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        now_ms: i64,
    ) -> (Result<(), ResponseError>, Vec<Answer>) {
        let mut answers = Vec::new();
        let id = match instance_id {
            Some(instance) => match self.static_member(instance) {
                None => return (Err(ResponseError::UnknownMemberId), answers),
                Some(id) if !member_id.is_empty() && id != member_id => {
                    return (Err(ResponseError::FencedInstanceId), answers);
                }
                Some(id) => id,
            },
            None => member_id.to_owned(),
        };
        if self.expected.remove(&id).is_some() {
            self.complete_if_all_joined(now_ms, &mut answers);
            return (Ok(()), answers);
        }
        if !self.members.contains_key(&id) {
            return (Err(ResponseError::UnknownMemberId), answers);
        }
        self.remove(&id, now_ms, &mut answers);
        (Ok(()), answers)
    }

    fn remove(&mut self, id: &str, now_ms: i64, answers: &mut Vec<Answer>) {
        let Some(member) = self.members.remove(id) else { return };
        if let Some(ticket) = member.joining {
            let refused = JoinRefused {
                code: ResponseError::UnknownMemberId,
                member_id: id.to_owned(),
            };
            answers.push(Answer::Join(ticket, Err(refused)));
        }
        if let Some(ticket) = member.syncing {
            answers.push(Answer::Sync(ticket, Err(ResponseError::UnknownMemberId)));
        }
        self.prepare(now_ms, answers);
        self.complete_if_all_joined(now_ms, answers);
    }

    /// Lets time pass: silent members go, late ones are no longer waited for.
    pub(crate) fn pass_time(&mut self, now_ms: i64) -> Vec<Answer> {
        let mut answers = Vec::new();
        self.expected.retain(|_, until_ms| now_ms < *until_ms);
        let silent: Vec<_> = self
            .members
            .iter()
            .filter(|(_, m)| m.joining.is_none() && m.syncing.is_none() && now_ms >= m.silent_at_ms)
            .map(|(id, _)| id.clone())
            .collect();
        for id in silent {
            self.remove(&id, now_ms, &mut answers);
        }
        if let State::Preparing { until_ms } = self.state
            && now_ms >= until_ms
            && (self.members.values().any(|member| member.joining.is_some()) || self.members.is_empty())
            && (self.generation > 0 || self.expected.is_empty() || self.limits.initial_delay_ms > 0)
        {
            self.complete(now_ms, &mut answers);
        }
        self.complete_if_all_joined(now_ms, &mut answers);
        answers
    }
}

/// Who says so: the member of a generation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) generation: i32,
}

fn member_of(join: Join, ticket: Ticket, now_ms: i64) -> Member {
    Member {
        instance_id: join.instance_id,
        client_id: join.client_id,
        client_host: join.client_host,
        session_timeout_ms: join.session_timeout_ms,
        rebalance_timeout_ms: join.rebalance_timeout_ms,
        protocols: join.protocols,
        assignment: Bytes::new(),
        silent_at_ms: now_ms + join.session_timeout_ms,
        joining: Some(ticket),
        syncing: None,
    }
}

/// The old holder of an instance id learns that it has been replaced.
fn fence(old: &Member, old_id: &str, answers: &mut Vec<Answer>) {
    if let Some(ticket) = old.joining {
        let refused = JoinRefused {
            code: ResponseError::FencedInstanceId,
            member_id: old_id.to_owned(),
        };
        answers.push(Answer::Join(ticket, Err(refused)));
    }
    if let Some(ticket) = old.syncing {
        answers.push(Answer::Sync(ticket, Err(ResponseError::FencedInstanceId)));
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
