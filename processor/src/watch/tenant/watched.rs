//! What is watched before an incident opens: scopes where evidence gathers, and those that were warned of. Nobody is called for one. An
//! incident that opens on the same calls goes on under its id; else it is let go without a word to anybody but who looks.

use dialtone_explain::Condition;
use dialtone_schemas::{
    Alert, Control, EventTime, Incident, Scope, State, Text, Window, alert::AlertReason, control::ControlKind,
    incident::Onset, time,
};
use serde::{Deserialize, Serialize};

use super::{
    Tenant,
    hear::hear,
    live::{line, round, says_effect},
    moved::Early,
    told::alert_id,
    warn::{AHEAD, SAME},
};
use crate::{
    config::{Owners, WatchConfig},
    watch::{
        baseline::real,
        book::{Basis, id_of},
        detect::{Alarm, NEAR},
        dictionary::covers,
        evidence::Counts,
        locate::Evidence,
        owner::{layer_of, owner_named, owner_of},
    },
};

/// A scope is watched when its cell is near to being noticed, and no longer when so many nats more are missing ...
const APART: f64 = 4.0;
/// ... at so many looks in a row ...
const LOOKS: u8 = 3;
/// ... that far apart, ...
const EVERY: i64 = 5 * time::MINUTE;
/// ... or after so long, whatever it shows: where nobody calls, evidence stands.
const LONGEST: i64 = 4 * time::HOUR;
/// Moved levels are worth watching for so long, unless poor call-ends gather meanwhile.
const MOVED: i64 = time::HOUR;
/// At most so many are watched at once, the strongest first.
const MOST: usize = 8;
/// Of the cells that are near in a minute, so many are looked at, the strongest.
const LOOKED_AT: usize = 10;
/// What is told of one is what its calls have shown for so long.
const LATELY: i64 = time::HOUR;
/// What is over is remembered for so long: watched again, it is watched since the first time, under the same id, which nothing else is given.
const MEMORY: i64 = 3 * time::HOUR;

/// A scope that is watched, or was of late.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Watched {
    /// As it was told last, with what people have said of it since.
    incident: Incident,
    conditions: Vec<Condition>,
    /// Where its evidence gathers.
    channel: usize,
    /// Since when, this time.
    since: EventTime,
    /// It is not let go before then: the hour of a warning.
    until: EventTime,
    /// Looks in a row at which its evidence was gone.
    gone: u8,
    /// It was let go though its evidence stood: it is not watched again before it is forgotten.
    is_worn_out: bool,
    /// An incident goes on under its id.
    is_taken: bool,
    /// The levels of this metric have moved since this window.
    moved: Option<(usize, Window)>,
    /// People have said something of it that is not told yet.
    is_said: bool,
}

impl Watched {
    /// As it is told, since when it is watched and until when at least.
    const fn new(
        incident: Incident,
        conditions: Vec<Condition>,
        channel: usize,
        (since, until): (EventTime, EventTime),
    ) -> Self {
        Self {
            incident,
            conditions,
            channel,
            since,
            until,
            gone: 0,
            is_worn_out: false,
            is_taken: false,
            moved: None,
            is_said: false,
        }
    }

    /// Its levels have moved, too: it is watched on, for no longer than anything is.
    fn moves(&mut self, early: &Early, now: EventTime) {
        self.until = now.plus(MOVED).min(self.since.plus(LONGEST)).max(self.until);
        self.moved.get_or_insert((early.metric, early.onset));
    }

    fn is_live(&self) -> bool {
        !self.is_taken && self.incident.state == State::Watch
    }

    /// The message about what people have said of it.
    fn pass_on(&mut self, now: EventTime, owners: &Owners) -> Alert {
        self.is_said = false;
        let incident = &mut self.incident;
        if incident.reassigned.is_some() {
            let owner = owner_named(owners, &incident.owner);
            (incident.contact, incident.runbook) = (owner.contact, owner.runbook);
        }
        (incident.revision, incident.updated) = (incident.revision + 1, now);
        let title = format!("watched: {}: people have said something of it", incident.scope);
        told(&self.incident, AlertReason::Updated, title)
    }

    /// The message that it is watched no longer.
    fn close(&mut self, now: EventTime) -> Alert {
        let incident = &mut self.incident;
        (incident.state, incident.closed) = (State::Closed, Some(now));
        (incident.revision, incident.updated) = (incident.revision + 1, now);
        let title = format!("{} is watched no longer", incident.scope);
        told(&self.incident, AlertReason::Resolved, title)
    }
}

/// What a warning says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forecast {
    /// The rate as a multiple of the usual one.
    pub(super) effect: f64,
    /// By then it will have crossed its line.
    pub(super) crosses_by: EventTime,
}

/// A cell that is near to being noticed.
#[derive(Clone, Debug)]
struct Near {
    channel: usize,
    conditions: Vec<Condition>,
    /// Nats that it lacks.
    missing: f64,
}

/// Why a scope is watched.
#[derive(Clone, Debug)]
enum Reason {
    /// Its poor call-ends are near to being noticed.
    Gathers(Near),
    /// The levels of all its call-ends have moved.
    Moved(Early),
}

impl Reason {
    /// Its conditions and channel.
    fn of(&self) -> (&[Condition], usize) {
        match self {
            Self::Gathers(near) => (&near.conditions, near.channel),
            Self::Moved(early) => (&early.conditions, 0),
        }
    }
}

impl Tenant {
    /// The last revision that was sent of what is, or was, watched; what an incident has taken over is that incident's.
    pub(super) fn sent_watched(&self, id: &Text) -> Option<&Incident> {
        let own = self.watched.iter().filter(|watched| !watched.is_taken);
        let mut own = own.map(|watched| &watched.incident);
        own.find(|incident| incident.id == *id)
    }

    /// What is watched now, as it was told last.
    pub(super) fn on_watch(&self) -> impl Iterator<Item = &Incident> {
        let live = self.watched.iter().filter(|watched| watched.is_live());
        live.map(|watched| &watched.incident)
    }

    /// What people say of what is watched stays with it, and goes on with the incident that it becomes. There is nothing to be accepted. False if
    /// it is not watched.
    pub(super) fn hear_of_watched(&mut self, control: &Control) -> bool {
        let says = control.kind != ControlKind::Accept;
        let is_it = |watched: &&mut Watched| {
            says && watched.is_live() && control.incident_id.as_ref() == Some(&watched.incident.id)
        };
        let Some(watched) = self.watched.iter_mut().find(is_it) else {
            return false;
        };
        let owner = watched.incident.owner.clone();
        hear(&mut watched.incident, control);
        if watched.incident.owner != owner {
            (watched.incident.acknowledged, watched.incident.acknowledged_by) = (None, None);
        }
        watched.is_said = true;
        true
    }

    /// What people have said of what is watched, as revisions.
    fn pass_on(&mut self, now: EventTime, owners: &Owners) -> Vec<Alert> {
        let said = self
            .watched
            .iter_mut()
            .filter(|watched| watched.is_said && watched.is_live());
        said.map(|watched| watched.pass_on(now, owners)).collect()
    }

    /// Begins to watch scopes whose evidence gathers, and lets go of those where it is gone. `near` are the cells of a minute that are near
    /// to being noticed, by channel; `early` are scopes whose levels have moved while few of their call-ends are poor.
    pub(super) fn keep_watch(
        &mut self,
        now: EventTime,
        near: &[Vec<Alarm>; 3],
        early: Vec<Early>,
        config: &WatchConfig,
    ) -> Vec<Alert> {
        let mut told = self.pass_on(now, &config.owners);
        if now.floor(EVERY) == now {
            told.extend(self.let_go(now, config));
        }
        let moved = early.into_iter().map(Reason::Moved);
        for reason in moved.chain(self.nearest(near, config).into_iter().map(Reason::Gathers)) {
            told.extend(self.watch_for(&reason, now, config));
        }
        told
    }

    /// The scopes that are watched or warned of, on whatever channel.
    pub(super) fn all_watched_scopes(&self) -> impl Iterator<Item = &[Condition]> {
        let live = self.watched.iter().filter(|watched| watched.is_live());
        live.map(|watched| watched.conditions.as_slice())
    }

    /// The scopes that are watched for their quality.
    pub(super) fn watched_scopes(&self) -> impl Iterator<Item = &[Condition]> {
        let live = self
            .watched
            .iter()
            .filter(|watched| watched.is_live() && watched.channel == 0);
        live.map(|watched| watched.conditions.as_slice())
    }

    /// The scopes that are watched since their levels have moved.
    pub(super) fn watched_for_levels(&self) -> Vec<Early> {
        let live = self.watched.iter().filter(|watched| watched.is_live());
        let moved = live.filter_map(|watched| {
            let (metric, onset) = watched.moved?;
            Some(Early {
                conditions: watched.conditions.clone(),
                metric,
                onset,
            })
        });
        moved.collect()
    }

    /// The scopes that lack least, with poor call-ends enough for somebody to mind. When an incident opens, most of its neighbours lose their
    /// evidence to it: they are no longer near.
    fn nearest(&self, near: &[Vec<Alarm>; 3], config: &WatchConfig) -> Vec<Near> {
        let threshold = self.noticed_from(config);
        let mut nearest = Vec::new();
        for (channel, alarms) in near.iter().enumerate() {
            let scopes = alarms.iter().filter(|alarm| !alarm.conditions.is_empty());
            nearest.extend(scopes.take(LOOKED_AT).filter_map(|alarm| {
                let look = self.detectors[channel].look(&alarm.conditions, config.indifference, threshold)?;
                let missing = look.threshold - look.evidence;
                let is_near = missing <= NEAR && look.poor - look.expected >= config.min_excess;
                is_near.then(|| Near {
                    channel,
                    conditions: alarm.conditions.clone(),
                    missing: missing.max(0.0),
                })
            }));
        }
        nearest.sort_by(|a, b| a.missing.total_cmp(&b.missing));
        nearest.truncate(LOOKED_AT);
        nearest
    }

    /// Begins to watch a scope, unless it is watched already, or an incident's, or there are enough.
    fn watch_for(&mut self, reason: &Reason, now: EventTime, config: &WatchConfig) -> Option<Alert> {
        let (conditions, channel) = reason.of();
        if self.is_held(conditions) {
            return None;
        }
        if let (Reason::Moved(early), Some(i)) = (reason, self.most_alike(conditions)) {
            self.watched[i].moves(early, now);
            return None;
        }
        let live = self.watched.iter().filter(|watched| watched.is_live());
        if live.count() >= MOST || self.is_watched(conditions) {
            return None;
        }
        let incident = self.to_be_watched(conditions, channel, now, config);
        let why = match reason {
            Reason::Gathers(near) => format!("evidence gathers, {:.1} nats are missing", near.missing),
            Reason::Moved(_) => "the levels of its call-ends have moved, few of them are poor yet".to_owned(),
        };
        let title = format!("watched: {}: {why}", incident.scope);
        let told = told(&incident, AlertReason::Updated, title);
        let mut watched = Watched::new(incident, conditions.to_vec(), channel, (now, now));
        if let Reason::Moved(early) = reason {
            watched.moves(early, now);
        }
        self.keep(watched);
        Some(told)
    }

    /// Watches a scope that is warned of; where half of its calls are watched already, that is about this scope now, and keeps its id.
    pub(super) fn watch_warned(
        &mut self,
        conditions: &[Condition],
        forecast: &Forecast,
        now: EventTime,
        config: &WatchConfig,
    ) -> Alert {
        let mut incident = self.to_be_watched(conditions, 0, now, config);
        let (mut channel, mut since, mut until, mut moved) = (0, now, now.plus(AHEAD), None);
        let mut is_said = false;
        if let Some(i) = self.most_alike(conditions) {
            let watched = &self.watched[i];
            (channel, since, moved) = (watched.channel, watched.since, watched.moved);
            is_said = watched.is_said;
            until = until.max(watched.until);
            let known = &watched.incident;
            (incident.id, incident.revision) = (known.id.clone(), known.revision + 1);
            (incident.watched, incident.warned, incident.onset) = (known.watched, known.warned, known.onset);
            keep_word(&mut incident, known);
        }
        incident.effect = round(forecast.effect, 100.0);
        (incident.effect_low, incident.effect_high) = (None, None);
        incident.warned = incident.warned.or(Some(now));
        incident.crosses_by = Some(forecast.crosses_by);
        let title = format!(
            "early warning: {} is expected to cross its line within the hour ({:.0} %, as such warnings came true), as it climbs by {}",
            incident.scope,
            100.0 * self.warned.share(),
            forecast.crosses_by
        );
        let told = told(&incident, AlertReason::Updated, title);
        let mut watched = Watched::new(incident, conditions.to_vec(), channel, (since, until));
        (watched.moved, watched.is_said) = (moved, is_said);
        self.keep(watched);
        told
    }

    /// An incident that opens on half of the calls of what is watched, or the other way round, goes on under that one's id, with what people said
    /// of it. What lies in no dimension has all calls, and is another trouble.
    pub(super) fn take_over(&mut self, incident: &mut Incident, conditions: &[Condition]) {
        if conditions.is_empty() {
            return;
        }
        let Some(i) = self.most_alike(conditions) else {
            return;
        };
        let watched = &mut self.watched[i];
        incident.id.clone_from(&watched.incident.id);
        incident.revision = watched.incident.revision + 1;
        incident.watched = watched.incident.watched;
        keep_word(incident, &watched.incident);
        (watched.is_taken, watched.incident.updated) = (true, incident.updated);
    }

    /// Of what is watched with half of the smaller one's calls, that with most of them.
    fn most_alike(&self, conditions: &[Condition]) -> Option<usize> {
        let live = self.watched.iter().enumerate().filter(|(_, watched)| watched.is_live());
        let shared = live.map(|(i, watched)| (i, self.overlap(&watched.conditions, conditions)));
        let alike = shared.filter(|(_, shared)| shared.of_smaller >= SAME);
        let most = alike.max_by(|(i, a), (j, b)| a.jaccard.total_cmp(&b.jaccard).then(j.cmp(i)));
        most.map(|(i, _)| i)
    }

    /// Has an open incident half of its calls? One outside the dimensions has all of them, and hides none; nor does a single device.
    pub(super) fn is_held(&self, conditions: &[Condition]) -> bool {
        let mut open = self.cases.iter().filter(|case| case.is_open() && case.has_scope());
        open.any(|case| {
            is_part(conditions, &case.conditions) || self.overlap(conditions, &case.conditions).of_first >= SAME
        })
    }

    /// Is it watched already, or has it been for too long?
    fn is_watched(&self, conditions: &[Condition]) -> bool {
        let known = |watched: &&Watched| watched.is_live() || watched.is_worn_out;
        let mut known = self.watched.iter().filter(known);
        known.any(|watched| {
            is_part(conditions, &watched.conditions)
                || is_part(&watched.conditions, conditions)
                || self.overlap(conditions, &watched.conditions).of_smaller >= SAME
        })
    }

    /// Lets go of what has fallen back, of what an incident has, and of what has been watched for long enough.
    fn let_go(&mut self, now: EventTime, config: &WatchConfig) -> Vec<Alert> {
        self.watched
            .retain(|watched| watched.is_live() || now.since(watched.incident.updated) < MEMORY);
        let mut told = Vec::new();
        for i in 0..self.watched.len() {
            if !self.watched[i].is_live() {
                continue;
            }
            let is_gone = self.is_gone(&self.watched[i], config);
            let is_held = self.is_held(&self.watched[i].conditions);
            let watched = &mut self.watched[i];
            watched.gone = if is_gone { watched.gone.saturating_add(1) } else { 0 };
            let may_go = now >= watched.until;
            let has_fallen_back = may_go && watched.gone >= LOOKS;
            let is_worn_out = may_go && now.since(watched.since) >= LONGEST;
            if is_held || has_fallen_back || is_worn_out {
                // Of what has moved the poor call-ends need not say anything.
                let has_gone = has_fallen_back && !(is_worn_out && watched.moved.is_some());
                watched.is_worn_out = !is_held && !has_gone;
                told.push(watched.close(now));
            }
        }
        told
    }

    /// Is so much missing that it would not be watched for its evidence?
    fn is_gone(&self, watched: &Watched, config: &WatchConfig) -> bool {
        let threshold = self.noticed_from(config);
        let look = self.detectors[watched.channel].look(&watched.conditions, config.indifference, threshold);
        look.is_none_or(|look| look.evidence < look.threshold - NEAR - APART)
    }

    /// Keeps what was told last under an id.
    fn keep(&mut self, watched: Watched) {
        let is_known = |known: &Watched| known.incident.id == watched.incident.id;
        match self.watched.iter().position(is_known) {
            Some(i) => self.watched[i] = watched,
            None => self.watched.push(watched),
        }
    }

    /// What is told of a scope that is watched from now on, or again.
    fn to_be_watched(
        &self,
        conditions: &[Condition],
        channel: usize,
        now: EventTime,
        config: &WatchConfig,
    ) -> Incident {
        let scope = self.dictionary.scope(conditions);
        let layer = layer_of(&scope, false);
        let owner = owner_of(&config.owners, layer, &scope);
        let is_again = |watched: &&Watched| !watched.is_taken && watched.conditions == conditions;
        let before = self.watched.iter().find(is_again).map(|watched| &watched.incident);
        let id = before.map_or_else(|| self.free_id(&scope, channel, now), |before| before.id.clone());
        let onset = Onset {
            from: now.plus(-LATELY),
            to: now,
        };
        let mut incident = Incident {
            revision: before.map_or(0, |before| before.revision + 1),
            state: State::Watch,
            opened: None,
            localised: None,
            layer,
            contact: owner.contact,
            runbook: owner.runbook,
            watched: before.and_then(|before| before.watched).or(Some(now)),
            ..Incident::opened(id, self.name.clone(), scope, owner.team, onset, now)
        };
        if let Some(before) = before {
            keep_word(&mut incident, before);
            // Whoever worked on it has not acknowledged that it is back.
            (incident.acknowledged, incident.acknowledged_by) = (None, None);
        }
        self.say_what_shows(&mut incident, conditions, channel, now);
        incident
    }

    /// An id that nothing had of late: of the same scope, channel and hour an incident may be, so these count from the other end.
    fn free_id(&self, scope: &Scope, channel: usize, now: EventTime) -> Text {
        let is_free = |id: &Text| self.watched.iter().all(|watched| watched.incident.id != *id);
        let id = |clash: u32| id_of(&self.name, scope, None, Basis::Rate(channel), now, u32::MAX - 1 - clash);
        (0..).map(id).find(is_free).unwrap_or_else(|| id(0))
    }

    /// Its effect, evidence and metric, as of late.
    fn say_what_shows(&self, incident: &mut Incident, conditions: &[Condition], channel: usize, now: EventTime) {
        let (mut n, mut k, mut expected, mut kinds) = (0.0, 0.0, 0.0, [0.0; 4]);
        let lately = self.inside_since(conditions, channel, Window::of_end(now.plus(1 - LATELY)));
        for (_, counts, e) in lately.flat_map(|(_, shown)| shown) {
            n += real(counts.n[channel]);
            k += real(counts.k[channel]);
            expected += e;
            (0..4).for_each(|kind| kinds[kind] += real(counts.kinds[kind]));
        }
        let a_minute = expected / real(LATELY / time::MINUTE);
        let dispersion = self.evidence(channel, 1.0).dispersion(conditions, a_minute);
        says_effect(incident, (n, k, expected), dispersion);
        incident.evidence = vec![line("inside", (n, k, expected))];
        incident.metric = self.metric(channel, n, kinds);
    }

    /// What each leaf of a scope showed in each window since one, and the poor call-ends that were expected of it.
    pub(super) fn inside_since(
        &self,
        conditions: &[Condition],
        channel: usize,
        since: Window,
    ) -> impl Iterator<Item = (Window, Vec<(u32, &Counts, f64)>)> {
        self.inside_of(self.evidence(channel, 1.0), conditions, since)
    }

    /// The same, by what some evidence expects.
    pub(super) fn inside_of<'a>(
        &'a self,
        evidence: Evidence<'a>,
        conditions: &[Condition],
        since: Window,
    ) -> impl Iterator<Item = (Window, Vec<(u32, &'a Counts, f64)>)> {
        let channel = evidence.channel;
        let leaves = self.dictionary.leaves();
        let is_inside: Vec<bool> = leaves.iter().map(|codes| covers(conditions, codes)).collect();
        self.ring.since(since).map(move |(window, slice)| {
            let hour = evidence.hour(*window);
            let inside = slice
                .leaves
                .iter()
                .filter(|(leaf, _)| is_inside.get(**leaf as usize) == Some(&true));
            let shown: Vec<_> = inside
                .map(|(leaf, counts)| (*leaf, counts, evidence.expected(&hour, *leaf, counts.n[channel])))
                .collect();
            (*window, shown)
        })
    }
}

/// What people said of what was watched stays said of what it becomes: whose it is, until when it is silenced, the verdict; and, where the owner is
/// the same, that somebody works on it.
fn keep_word(incident: &mut Incident, said: &Incident) {
    incident.silenced_until = said.silenced_until;
    (incident.verdict, incident.verdict_reason) = (said.verdict, said.verdict_reason.clone());
    if said.reassigned.is_some() {
        (incident.reassigned, incident.reassigned_reason) = (said.reassigned, said.reassigned_reason.clone());
        (incident.contact, incident.runbook) = (said.contact.clone(), said.runbook.clone());
        incident.owner = said.owner.clone();
    }
    if incident.owner == said.owner {
        (incident.acknowledged, incident.acknowledged_by) = (said.acknowledged, said.acknowledged_by.clone());
    }
}

/// Has a scope every condition of another, so that all of its calls are that one's?
fn is_part(conditions: &[Condition], of: &[Condition]) -> bool {
    of.iter().all(|condition| conditions.contains(condition))
}

/// The message about one that is watched. Opened is said of incidents: this is an update, and calls nobody.
fn told(incident: &Incident, reason: AlertReason, title: String) -> Alert {
    Alert {
        alert_id: alert_id(incident),
        reason,
        page: false,
        at: incident.updated,
        title,
        incident: incident.clone(),
    }
}
