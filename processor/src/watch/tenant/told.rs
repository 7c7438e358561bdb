//! What people are told about incidents.

use dialtone_schemas::{
    Alert, Change, ChangeKind, EventTime, Incident, Text,
    alert::AlertReason,
    incident::{Onset, Verdict},
    time,
};

use super::{Tenant, silent::is_telemetry};
use crate::{
    config::WatchConfig,
    watch::{
        book::Case,
        owner::{Owner, owner_named, owner_of},
        past::Past,
    },
};

/// Work during which an incident begins touches so much of its calls at least.
const OF_CAUSE: f64 = 0.5;
/// Announced work without an end is believed to take so long.
const OPEN_ENDED: i64 = 4 * time::HOUR;

impl Tenant {
    /// The alerts about new revisions.
    pub(super) fn tell(&mut self, now: EventTime, config: &WatchConfig) -> Vec<Alert> {
        let mut alerts = Vec::new();
        let works: Vec<Option<Work>> = self.cases.iter().map(|case| self.work_around(case, now)).collect();
        for (case, work) in self.cases.iter_mut().zip(works) {
            match work {
                Some(Work { change, until }) => case.withhold(change, until),
                // It is about another scope than was thought, and that was not worked on.
                None if has_moved(case) && case.withheld.is_some() => case.withhold_no_longer(now),
                None => {}
            }
            let owner = owner(case, config);
            (case.incident.owner, case.incident.contact) = (owner.team, owner.contact);
            case.incident.runbook = owner.runbook;
            case.drop_answer_of_another();
            remember(case, &self.past);
            if let Some((after, to)) = owner.escalation.filter(|_| !is_nobodys(case)) {
                case.escalate(now, after.micros(), to);
            }
            alerts.extend(tell_of(case, now));
        }
        alerts
    }

    /// The announced work during which an incident began, or began again, if it touches most of its calls: looked for before it is told
    /// of, and when its scope is another.
    fn work_around(&self, case: &Case, now: EventTime) -> Option<Work> {
        let is_again = case.is_again();
        let is_moved = has_moved(case) && case.withheld.is_some();
        if case.sent.is_some() && !is_again && !is_moved {
            return self.work_reported_anew(case);
        }
        let Onset { from, to } = if is_again {
            Onset { from: now, to: now }
        } else {
            case.incident.onset
        };
        let around = |change: &&Change| {
            let is_announced = change.kind == ChangeKind::Maintenance && change.started_at <= to;
            is_announced && from < should_end(change) && self.overlap_with(change, case).of_cause >= OF_CAUSE
        };
        let work = self
            .changes
            .values()
            .filter(around)
            .max_by_key(|change| should_end(change))?;
        Some(Work {
            change: work.change_id.clone(),
            until: should_end(work),
        })
    }

    /// The announced work that withholds a call, as it was reported last.
    fn work_reported_anew(&self, case: &Case) -> Option<Work> {
        let change = case.incident.maintenance.as_ref().filter(|_| case.withheld.is_some())?;
        let work = self
            .changes
            .get(change)
            .filter(|work| work.kind == ChangeKind::Maintenance)?;
        Some(Work {
            change: work.change_id.clone(),
            until: should_end(work),
        })
    }
}

/// Is it about another scope than was told last?
fn has_moved(case: &Case) -> bool {
    case.sent.as_ref().is_some_and(|sent| sent.scope != case.incident.scope)
}

/// Announced work: which change, and when it should be over.
struct Work {
    change: Text,
    until: EventTime,
}

/// When announced work should be over; work that names no end is given four hours.
fn should_end(change: &Change) -> EventTime {
    change.finished_at.unwrap_or_else(|| change.started_at.plus(OPEN_ENDED))
}

/// People's word goes before the rules', until they give it to another.
fn owner(case: &Case, config: &WatchConfig) -> Owner {
    let incident = &case.incident;
    if incident.reassigned.is_some() {
        owner_named(&config.owners, &incident.owner)
    } else {
        owner_of(&config.owners, incident.layer, &incident.scope)
    }
}

/// How often it was the same before: looked up when it opens, and when its scope is another or it turns out to be lost reports, or an outage.
fn remember(case: &mut Case, past: &Past) {
    let incident = &case.incident;
    let is_known = |sent: &Incident| {
        let is_as_lost = sent.is_of_reports() == incident.is_of_reports();
        is_as_lost && sent.scope == incident.scope && sent.device_id == incident.device_id
    };
    if !case.sent.as_ref().is_some_and(is_known) {
        let (count, last) = past.before(&case.incident);
        case.incident.earlier = i64::try_from(count).ok();
        case.incident.earlier_id = last;
    }
}

/// The message about a new revision, if there is one. Whoever would be called while it is silenced is called when that is over.
fn tell_of(case: &mut Case, now: EventTime) -> Option<Alert> {
    let is_nobodys = is_nobodys(case);
    case.owed &= !is_nobodys;
    let is_taken = case.is_taken();
    let reason = case.revision(now)?;
    let is_call = matches!(reason, AlertReason::Opened | AlertReason::Escalated);
    let calls = is_call && case.is_open() && !is_taken && !is_nobodys && case.withheld.is_none();
    let page = calls && !case.is_silenced(now);
    let alert = alert(case, reason, page, now);
    if page {
        case.called(now);
    } else {
        case.owed |= calls;
    }
    Some(alert)
}

/// Lost reports are nobody's bad call; but that none come at all, from anywhere, is for somebody to look at.
fn is_nobodys(case: &Case) -> bool {
    is_telemetry(case) && !case.is_outside()
}

/// The message about a revision.
fn alert(case: &Case, reason: AlertReason, page: bool, now: EventTime) -> Alert {
    let incident = &case.incident;
    let mut title = title(case, now);
    if page && case.owed {
        title.push_str(&format!("; it was silenced, {} is called now", incident.owner));
    }
    Alert {
        alert_id: alert_id(incident),
        reason,
        page,
        at: now,
        title,
        incident: incident.clone(),
    }
}

/// Of one revision of one incident.
pub(super) fn alert_id(incident: &Incident) -> Text {
    #[allow(clippy::expect_used, reason = "an id and a number are a text")]
    Text::new(format!("{}/{}", incident.id, incident.revision)).expect("a text")
}

/// `mos at site=berlin since …`, how often it was so before, the work it began in, and who is called because nobody answered.
fn title(case: &Case, now: EventTime) -> String {
    let incident = &case.incident;
    let place = match &incident.device_id {
        Some(device) => format!("at {device}"),
        None if incident.scope.conditions().len() == 0 => "everywhere".to_owned(),
        None => format!("at {}", incident.scope),
    };
    let mut title = format!("{} {place} since {}", incident.metric, incident.onset.from);
    if let Some(times @ 1..) = incident.earlier {
        title.push_str(&format!(", {times} before it in 30 days"));
    }
    if let Some(warned) = incident.warned {
        title.push_str(&format!(", as warned at {warned}"));
    }
    if let Some(by) = incident.crosses_by.filter(|by| *by > now) {
        title.push_str(&format!(", expected to cross its line by {by}"));
    }
    match is_telemetry(case) {
        true if case.is_outside() => title.push_str(", nothing is reported any more"),
        true => title.push_str(", its calls go on and only their reports are missing"),
        false => {}
    }
    if incident.is_outside_the_dimensions() {
        title.push_str(", most of the cause lies outside the observed dimensions");
    }
    if let Some(by) = &incident.absorbed_by {
        title.push_str(&format!(", absorbed by {by}, which explains it"));
    }
    match (&incident.maintenance, case.withheld) {
        (Some(work), Some(until)) if until > now => title.push_str(&format!(", during {work} until {until}")),
        (Some(work), _) => title.push_str(&format!(", {work} should be over")),
        _ => {}
    }
    if incident.verdict == Some(Verdict::Wrong) {
        title.push_str(", said not to be the cause");
    }
    match &incident.escalated_to {
        Some(to) if incident.escalated == Some(now) => {
            title.push_str(&format!("; {} has not acknowledged it, {to} is called", incident.owner));
        }
        _ => {}
    }
    title
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{
        Control, Dimension, Scope, Span, State,
        control::ControlKind,
        incident::{Layer, Severity},
    };

    use super::*;
    use crate::{
        config::{OwnerRule, Owners},
        watch::book::Basis,
    };

    fn text(text: &str) -> Text {
        Text::new(text).expect("a text")
    }

    fn at(minute: i64) -> EventTime {
        EventTime::parse("2026-03-02T09:00:00Z")
            .expect("a time")
            .plus(minute * time::MINUTE)
    }

    /// LAN owns sites, and has half an hour before its lead is called.
    fn config() -> WatchConfig {
        let lan = OwnerRule {
            team: text("lan"),
            layer: Some(Layer::Site),
            scope: Scope::default(),
            contact: Some(text("lan@example.com")),
            runbook: Some(text("https://wiki.example.com/lan")),
            escalate_after: Some(Span::from_micros(30 * time::MINUTE)),
            escalate_to: Some(text("lan-lead")),
            successor: None,
        };
        WatchConfig {
            owners: Owners {
                default: text("desk"),
                rules: vec![lan],
                ..Owners::default()
            },
            ..WatchConfig::default()
        }
    }

    /// A tenant with one incident, at Berlin, that has just opened.
    fn tenant() -> Tenant {
        let mut tenant = Tenant::new(text("acme"));
        tenant.cases.push(case("i-1", 0));
        tenant
    }

    fn case(id: &str, minute: i64) -> Case {
        let scope = Scope::new([(Dimension::Site, text("berlin"))]);
        let onset = Onset {
            from: at(minute),
            to: at(minute),
        };
        let incident = Incident {
            layer: Layer::Site,
            ..Incident::opened(text(id), text("acme"), scope, text("desk"), onset, at(minute))
        };
        Case::new(incident, Basis::Rate(0), Vec::new())
    }

    fn control(id: &str, kind: ControlKind, minute: i64) -> Control {
        Control {
            control_id: text(id),
            ..Control::about(&case("i-1", 0).incident, kind, at(minute))
        }
    }

    /// The one alert of a minute.
    fn told(tenant: &mut Tenant, minute: i64) -> Alert {
        let mut alerts = tenant.tell(at(minute), &config());
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        alerts.remove(0)
    }

    /// Reasons and pages of the minutes from `from` on.
    fn calls(tenant: &mut Tenant, from: i64, to: i64) -> Vec<(i64, Option<Text>)> {
        let mut calls = Vec::new();
        for minute in from..to {
            let alerts = tenant.tell(at(minute), &config());
            calls.extend(
                alerts
                    .into_iter()
                    .filter(|a| a.page)
                    .map(|a| (minute, a.incident.escalated_to)),
            );
        }
        calls
    }

    #[test]
    fn the_owners_contact_and_runbook_travel_with_the_call() {
        let alert = told(&mut tenant(), 0);
        assert_eq!((alert.reason, alert.page), (AlertReason::Opened, true));
        assert_eq!(alert.incident.owner, text("lan"));
        assert_eq!(alert.incident.contact, Some(text("lan@example.com")));
        assert_eq!(alert.incident.runbook, Some(text("https://wiki.example.com/lan")));
    }

    #[test]
    fn what_nobody_acknowledges_in_the_owners_half_hour_calls_the_next_team_once() {
        let mut tenant = tenant();
        assert_eq!(calls(&mut tenant, 0, 30), [(0, None)]);
        let alert = told(&mut tenant, 30);
        assert_eq!((alert.reason, alert.page), (AlertReason::Escalated, true));
        assert_eq!(alert.incident.escalated_to, Some(text("lan-lead")));
        assert_eq!(alert.incident.owner, text("lan"), "it stays the owner's");
        assert!(
            alert
                .title
                .ends_with("; lan has not acknowledged it, lan-lead is called"),
            "{}",
            alert.title
        );
        assert_eq!(calls(&mut tenant, 31, 300), [], "once");
    }

    /// The sender's clock is two hours slow: that it was acknowledged is told by the order of the log.
    #[test]
    fn an_acknowledgement_counts_whatever_its_senders_clock_says() {
        let mut tenant = tenant();
        told(&mut tenant, 0);
        assert!(tenant.control(&control("c-1", ControlKind::Acknowledge, -115)));
        assert_eq!(calls(&mut tenant, 5, 300), []);
    }

    #[test]
    fn what_is_acknowledged_calls_nobody_else() {
        let mut tenant = tenant();
        told(&mut tenant, 0);
        assert!(tenant.control(&Control {
            team: Some(text("lan")),
            ..control("c-1", ControlKind::Acknowledge, 29)
        }));
        let alert = told(&mut tenant, 29);
        assert_eq!((alert.reason, alert.page), (AlertReason::Updated, false));
        assert_eq!(alert.incident.acknowledged_by, Some(text("lan")));
        assert_eq!(calls(&mut tenant, 30, 300), []);
    }

    /// Berlin's router is worked on from 08:50 to 09:20, as announced.
    fn work(tenant: &mut Tenant) {
        let leaf = dialtone_schemas::Leaf {
            site: Some(text("berlin")),
            ..dialtone_schemas::Leaf::default()
        };
        let leaf = tenant.dictionary.leaf(&leaf);
        let counts = crate::watch::evidence::Counts {
            events: 9,
            ..Default::default()
        };
        tenant.baseline.weigh(leaf, &counts);
        let work = serde_json::json!({"change_id": "CHG-7", "kind": "maintenance", "scope": {"site": ["berlin"]},
            "started_at": at(-10), "finished_at": at(20)});
        tenant.change(serde_json::from_value(work).expect("a change"));
    }

    #[test]
    fn what_begins_during_announced_work_calls_nobody_until_the_work_should_be_over() {
        let mut tenant = tenant();
        work(&mut tenant);
        let alert = told(&mut tenant, 0);
        assert_eq!((alert.reason, alert.page), (AlertReason::Opened, false));
        assert_eq!(alert.incident.maintenance, Some(text("CHG-7")));
        assert!(alert.title.contains(", during CHG-7 until "), "{}", alert.title);
        assert_eq!(calls(&mut tenant, 1, 80), [(35, None), (65, Some(text("lan-lead")))]);
    }

    /// Reported as until 09:20, and at 09:05 as until 09:40; what was reported before that and comes again changes nothing.
    #[test]
    fn work_that_is_reported_to_take_longer_calls_nobody_until_then() {
        let mut tenant = tenant();
        work(&mut tenant);
        assert_eq!(told(&mut tenant, 0).reason, AlertReason::Opened);
        let mut longer = tenant.changes[&text("CHG-7")].clone();
        (longer.reported_at, longer.finished_at) = (Some(at(5)), Some(at(40)));
        tenant.change(longer);
        work(&mut tenant);
        assert_eq!(calls(&mut tenant, 6, 60), [(55, None)]);
    }

    #[test]
    fn what_is_over_before_the_work_has_called_nobody() {
        let mut tenant = tenant();
        work(&mut tenant);
        told(&mut tenant, 0);
        tenant.cases[0].incident.state = State::Recovering;
        assert_eq!(calls(&mut tenant, 1, 45), []);
        tenant.cases[0].incident.state = State::Closed;
        assert_eq!(calls(&mut tenant, 45, 120), []);
    }

    /// It was back when the work ended, and turns bad again twenty minutes later.
    #[test]
    fn work_that_only_seemed_to_be_over_calls_when_it_turns_out_not_to_be() {
        let mut tenant = tenant();
        work(&mut tenant);
        told(&mut tenant, 0);
        tenant.cases[0].incident.state = State::Recovering;
        assert_eq!(calls(&mut tenant, 15, 40), []);
        tenant.cases[0].incident.state = State::Localised;
        assert_eq!(calls(&mut tenant, 40, 45), [(40, None)]);
    }

    /// The work should be over at 20, which is believed not to be so at 35; somebody wants silence until 30.
    #[test]
    fn what_overruns_while_it_is_silenced_calls_afterwards() {
        let mut tenant = tenant();
        work(&mut tenant);
        told(&mut tenant, 0);
        assert!(tenant.control(&Control {
            until: Some(at(30)),
            ..control("c-1", ControlKind::Silence, 10)
        }));
        assert_eq!(calls(&mut tenant, 10, 50), [(35, None)]);
    }

    /// Berlin is worked on; a minute later it turns out to be another scope, of which no call is known here.
    #[test]
    fn what_turns_out_to_be_elsewhere_calls_at_once() {
        let mut tenant = tenant();
        work(&mut tenant);
        told(&mut tenant, 0);
        let elsewhere = dialtone_explain::Condition {
            attribute: Dimension::Isp.index(),
            code: 9,
        };
        tenant.cases[0].conditions = vec![elsewhere];
        tenant.cases[0].incident.scope = Scope::new([(Dimension::Isp, text("nordnet"))]);
        assert_eq!(calls(&mut tenant, 1, 20), [(1, None)]);
    }

    #[test]
    fn work_elsewhere_or_over_before_changes_nothing() {
        let mut tenant = tenant();
        work(&mut tenant);
        tenant.cases[0].incident.onset = Onset {
            from: at(21),
            to: at(22),
        };
        let alert = told(&mut tenant, 25);
        assert_eq!((alert.page, alert.incident.maintenance), (true, None));
    }

    #[test]
    fn while_it_is_silenced_nobody_is_called_and_afterwards_at_once() {
        let mut tenant = tenant();
        told(&mut tenant, 0);
        assert!(tenant.control(&Control {
            until: Some(at(60)),
            ..control("c-1", ControlKind::Silence, 10)
        }));
        assert_eq!(calls(&mut tenant, 10, 100), [(60, Some(text("lan-lead")))]);
    }

    /// It is given to this team at this minute.
    fn reassign(id: &str, to: &str, minute: i64) -> Control {
        Control {
            to: Some(text(to)),
            reason: Some(text("the provider's line")),
            ..control(id, ControlKind::Reassign, minute)
        }
    }

    /// Told of at once, and silenced from the tenth minute to the sixtieth; nobody is called before the twentieth.
    fn silenced(mut tenant: Tenant) -> Tenant {
        told(&mut tenant, 0);
        assert!(tenant.control(&Control {
            until: Some(at(60)),
            ..control("c-s", ControlKind::Silence, 10)
        }));
        assert_eq!(calls(&mut tenant, 10, 20), []);
        tenant
    }

    /// WAN has no rule, and nobody to call after it; LAN has half an hour from the call on.
    #[test]
    fn a_new_owner_is_called_when_the_silence_is_over_and_has_its_own_time() {
        let mut given_to_wan = silenced(tenant());
        assert!(given_to_wan.control(&reassign("c-1", "wan", 20)));
        assert_eq!(calls(&mut given_to_wan, 20, 300), [(60, None)]);
        let mut given_back = tenant();
        assert!(given_back.control(&reassign("c-1", "wan", 0)));
        let mut given_back = silenced(given_back);
        assert!(given_back.control(&reassign("c-2", "lan", 20)));
        assert_eq!(
            calls(&mut given_back, 20, 300),
            [(60, None), (90, Some(text("lan-lead")))]
        );
    }

    #[test]
    fn what_opens_again_while_it_is_silenced_calls_when_the_silence_is_over() {
        let mut tenant = silenced(tenant());
        tenant.cases[0].incident.state = State::Closed;
        assert_eq!(told(&mut tenant, 20).reason, AlertReason::Resolved);
        tenant.cases[0].reopen(at(20), 6 * time::HOUR);
        assert_eq!(calls(&mut tenant, 40, 300), [(60, None), (90, Some(text("lan-lead")))]);
    }

    #[test]
    fn what_gets_critical_while_it_is_silenced_calls_when_the_silence_is_over_and_says_why() {
        let mut tenant = silenced(tenant());
        tenant.cases[0].incident.severity = Severity::Critical;
        assert_eq!(calls(&mut tenant, 20, 60), []);
        let alert = told(&mut tenant, 60);
        assert_eq!((alert.reason, alert.page), (AlertReason::Escalated, true));
        assert!(
            alert.title.ends_with("; it was silenced, lan is called now"),
            "{}",
            alert.title
        );
        assert_eq!(calls(&mut tenant, 61, 300), [(90, Some(text("lan-lead")))]);
    }

    #[test]
    fn what_is_acknowledged_or_over_when_the_silence_is_calls_nobody_for_it() {
        let critical = || {
            let mut tenant = silenced(tenant());
            tenant.cases[0].incident.severity = Severity::Critical;
            assert_eq!(calls(&mut tenant, 20, 30), []);
            tenant
        };
        let mut acknowledged = critical();
        assert!(acknowledged.control(&control("c-1", ControlKind::Acknowledge, 30)));
        assert_eq!(calls(&mut acknowledged, 30, 300), []);
        let mut recovering = critical();
        recovering.cases[0].incident.state = State::Recovering;
        assert_eq!(calls(&mut recovering, 30, 70), []);
        recovering.cases[0].incident.state = State::Localised;
        assert_eq!(
            calls(&mut recovering, 70, 300),
            [(70, None), (100, Some(text("lan-lead")))],
            "it only seemed to be over"
        );
        let mut closed = critical();
        closed.cases[0].incident.state = State::Closed;
        assert_eq!(calls(&mut closed, 30, 300), []);
    }

    #[test]
    fn what_opens_again_or_is_given_to_another_team_is_acknowledged_no_longer() {
        let acknowledged = || {
            let mut tenant = tenant();
            told(&mut tenant, 0);
            assert!(tenant.control(&Control {
                team: Some(text("lan")),
                ..control("c-1", ControlKind::Acknowledge, 5)
            }));
            assert_eq!(told(&mut tenant, 5).incident.acknowledged, Some(at(5)));
            tenant
        };
        let stands = |alert: Alert| (alert.page, alert.incident.acknowledged, alert.incident.acknowledged_by);
        let mut given = acknowledged();
        assert!(given.control(&reassign("c-2", "wan", 6)));
        assert_eq!(stands(told(&mut given, 6)), (true, None, None));
        let mut again = acknowledged();
        again.cases[0].incident.state = State::Closed;
        told(&mut again, 20);
        again.cases[0].reopen(at(20), 6 * time::HOUR);
        assert_eq!(stands(told(&mut again, 40)), (true, None, None));
    }

    /// Given to WAN and acknowledged for it within one minute.
    #[test]
    fn a_new_owner_that_has_acknowledged_it_is_not_called() {
        let mut tenant = tenant();
        told(&mut tenant, 0);
        assert!(tenant.control(&reassign("c-1", "wan", 5)));
        assert!(tenant.control(&control("c-2", ControlKind::Acknowledge, 5)));
        let alert = told(&mut tenant, 5);
        assert_eq!((alert.page, alert.incident.acknowledged), (false, Some(at(5))));
    }

    #[test]
    fn what_recovers_calls_nobody_and_what_opens_again_begins_anew() {
        let mut tenant = tenant();
        told(&mut tenant, 0);
        tenant.cases[0].incident.state = State::Recovering;
        assert_eq!(calls(&mut tenant, 1, 60), []);
        tenant.cases[0].incident.state = State::Closed;
        tenant.tell(at(60), &config());
        tenant.cases[0].reopen(at(20), 6 * time::HOUR);
        assert_eq!(calls(&mut tenant, 61, 200), [(61, None), (91, Some(text("lan-lead")))]);
    }

    #[test]
    fn people_give_it_to_another_team_for_good_and_that_team_is_called_with_its_own_time() {
        let mut tenant = tenant();
        told(&mut tenant, 0);
        assert!(tenant.control(&reassign("c-1", "wan", 5)));
        let alert = told(&mut tenant, 5);
        assert_eq!((alert.reason, alert.page), (AlertReason::Escalated, true));
        assert_eq!((alert.incident.owner, alert.incident.contact), (text("wan"), None));
        assert_eq!(alert.incident.id, text("i-1"));
        assert_eq!(alert.incident.reassigned_reason, Some(text("the provider's line")));
        // WAN has no rule, and nobody says how long a team without one may take.
        assert_eq!(calls(&mut tenant, 6, 300), []);
        assert_eq!(tenant.cases[0].incident.owner, text("wan"), "over owners.toml");
        assert!(tenant.control(&reassign("c-2", "lan", 300)));
        assert_eq!(
            calls(&mut tenant, 300, 400),
            [(300, None), (330, Some(text("lan-lead")))]
        );
    }

    #[test]
    fn a_verdict_stays_on_the_incident() {
        let mut tenant = tenant();
        told(&mut tenant, 0);
        assert!(tenant.control(&Control {
            body: Some("wrong".to_owned()),
            reason: Some(text("it was the carrier")),
            ..control("c-1", ControlKind::Verdict, 5)
        }));
        let alert = told(&mut tenant, 5);
        assert_eq!((alert.reason, alert.page), (AlertReason::Updated, false));
        assert_eq!(alert.incident.verdict, Some(Verdict::Wrong));
        assert_eq!(alert.incident.verdict_reason, Some(text("it was the carrier")));
    }

    /// A site was named. Said to be wrong a site is worth ln(4/5), said to be right after all ln(5/4). What was never told has no cause that could be
    /// judged, and neither has a device, nor what lies in no dimension.
    #[test]
    fn a_verdict_counts_for_the_dimensions_that_were_named_and_the_last_word_counts() {
        let at_a_site = dialtone_explain::Condition {
            attribute: Dimension::Site.index(),
            code: 1,
        };
        let worth = |tenant: &Tenant| tenant.judged.sets().nats(&[at_a_site]);
        let says = |id: &str, verdict: &str| Control {
            body: Some(verdict.to_owned()),
            ..control(id, ControlKind::Verdict, 5)
        };
        let mut tenant = tenant();
        assert!(tenant.control(&says("c-0", "wrong")), "nobody was told of it yet");
        assert!(worth(&tenant).abs() < 1e-12);
        told(&mut tenant, 0);
        for (id, verdict, odds) in [("c-1", "wrong", 0.8_f64), ("c-2", "right", 1.25)] {
            assert!(tenant.control(&says(id, verdict)));
            assert!((worth(&tenant) - odds.ln()).abs() < 1e-12, "{verdict}");
        }
        let of_none = |change: fn(&mut Incident)| {
            let mut tenant = self::tenant();
            change(&mut tenant.cases[0].incident);
            told(&mut tenant, 0);
            assert!(tenant.control(&says("c-1", "right")));
            tenant.judged == crate::watch::judgements::JudgedCauses::default()
        };
        assert!(of_none(|incident| incident.device_id = Some(text("d-1"))));
        assert!(of_none(|incident| incident.scope = Scope::default()));
        assert!(of_none(|incident| incident.explained_ratio = Some(0.3)));
        assert!(!of_none(|_| {}), "a site is one");
    }

    #[test]
    fn what_says_nothing_changes_nothing() {
        let mut tenant = tenant();
        told(&mut tenant, 0);
        let unknown = Control {
            incident_id: Some(text("i-2")),
            ..control("c-1", ControlKind::Acknowledge, 5)
        };
        let maybe = Control {
            body: Some("maybe".to_owned()),
            ..control("c-2", ControlKind::Verdict, 5)
        };
        let to_nobody = control("c-3", ControlKind::Reassign, 5);
        for control in [unknown, maybe, to_nobody] {
            assert!(!tenant.control(&control), "{control:?}");
            assert!(tenant.control(&control), "a repeat is dropped before it is looked at");
        }
        assert_eq!(tenant.tell(at(5), &config()), []);
    }

    /// An incident of which two before it were over long ago.
    fn third() -> Tenant {
        let mut tenant = Tenant::new(text("acme"));
        for id in ["i-1", "i-2"] {
            let mut past = case(id, 0).incident;
            past.closed = Some(at(10));
            tenant.past.close(&past);
        }
        tenant.cases.push(case("i-3", 60));
        tenant
    }

    #[test]
    fn the_third_time_says_so() {
        let mut tenant = third();
        let alert = told(&mut tenant, 60);
        assert_eq!(
            (alert.incident.earlier, alert.incident.earlier_id),
            (Some(2), Some(text("i-2")))
        );
        assert!(alert.title.ends_with(", 2 before it in 30 days"), "{}", alert.title);
    }

    #[test]
    fn what_is_over_and_said_to_be_wrong_is_no_earlier_time_unless_it_was_right_after_all() {
        let mut tenant = tenant();
        told(&mut tenant, 0);
        let over = &mut tenant.cases[0].incident;
        (over.state, over.closed) = (State::Closed, Some(at(10)));
        let over = over.clone();
        tenant.past.close(&over);
        let next = case("i-2", 60).incident;
        assert_eq!(tenant.past.before(&next).0, 1);
        for (id, verdict, times) in [("c-1", "wrong", 0), ("c-2", "right", 1)] {
            assert!(tenant.control(&Control {
                body: Some(verdict.to_owned()),
                ..control(id, ControlKind::Verdict, 15)
            }));
            assert_eq!(tenant.past.before(&next).0, times, "{verdict}");
        }
    }

    /// An outage that came for the third time turns out to be lost reports, and is an outage after all.
    #[test]
    fn lost_reports_are_not_the_third_outage() {
        let mut tenant = third();
        let mut earlier = |metric: &str, minute: i64| {
            tenant.cases[0].incident.metric = text(metric);
            told(&mut tenant, minute).incident.earlier
        };
        let times = [("volume", 60), ("telemetry", 61), ("volume", 62)].map(|(metric, minute)| earlier(metric, minute));
        assert_eq!(times, [Some(2), Some(0), Some(2)]);
    }
}
