//! Stories of what one open incident must not hide, and of what nobody is left to tell.

use dialtone_schemas::{
    Change, Dimension, Incident, Leaf, Repair, Scope, State,
    alert::AlertReason,
    incident::{Layer, Onset, Severity, Verdict},
    time,
};

use super::{
    Told,
    drive::{Calls, Drive, day, leaf, site, text},
};
use crate::watch::{
    book::{Basis, Case},
    volume::Silence,
};

/// Ten call-ends a minute on each of two segments of Berlin and ten in Lyon, with these shares of poor ones.
fn three(first: f64, second: f64) -> Vec<Calls> {
    let on = |segment: &str| Leaf {
        segment: Some(text(segment)),
        ..leaf("berlin", "Aural 20")
    };
    vec![
        (on("berlin-1"), 10, first),
        (on("berlin-2"), 10, second),
        (leaf("lyon", "Aural 20"), 10, 0.02),
    ]
}

/// Berlin is worse from Tuesday nine o'clock on: 1.6 poor call-ends a minute too many, which is major.
fn with_an_incident() -> (Drive, Incident) {
    let mut drive = Drive::new();
    drive.until(day(1, 9), |_| three(0.02, 0.02));
    let told = drive.until(day(1, 11), |_| three(0.1, 0.1));
    let opened = told.alerts.iter().find(|alert| alert.page).expect("told of");
    assert_eq!(
        (&opened.incident.scope, opened.incident.severity),
        (&site("berlin"), Severity::Major)
    );
    (drive, opened.incident.clone())
}

/// The last that is told of an incident, and whether it called somebody meanwhile, for worse.
fn last_of<'a>(told: &'a Told, about: &Incident) -> (&'a Incident, bool) {
    let of = || told.alerts.iter().filter(|alert| alert.incident.id == about.id);
    let last = of().next_back().expect("told of again");
    let is_worse = of().any(|alert| alert.page && alert.reason == AlertReason::Escalated);
    (&last.incident, is_worse)
}

/// Two hours later eight of ten calls cannot be set up there: the same incident, now critical, calls again.
#[test]
fn calls_that_fail_inside_an_open_incident_make_it_critical() {
    let (mut drive, open) = with_an_incident();
    drive.failed.insert(text("berlin"), 8);
    let told = drive.until(day(1, 11).plus(20 * time::MINUTE), |_| three(0.1, 0.1));
    let (last, is_worse) = last_of(&told, &open);
    assert_eq!((last.severity, is_worse), (Severity::Critical, true));
    let by_setup = last
        .evidence
        .iter()
        .find(|line| line.group.as_str() == "inside by setup");
    let by_setup = by_setup.expect("what made it so is told");
    assert!(5 * by_setup.poor >= 3 * by_setup.at_risk, "{by_setup:?}");
    let opened = told
        .alerts
        .iter()
        .filter(|alert| alert.incident.scope != site("berlin"));
    assert_eq!(opened.count(), 0, "and it is one trouble");
}

/// Two hours later the second segment says nothing any more: of ten a minute 8 nats in three minutes, and 0.43 a minute after that.
#[test]
fn a_segment_that_falls_silent_inside_an_open_incident_is_told() {
    let (mut drive, _) = with_an_incident();
    let quiet = |_| {
        three(0.1, 0.1)
            .into_iter()
            .filter(|(leaf, _, _)| leaf.segment != Some(text("berlin-2")))
    };
    let told = drive.until(day(1, 11).plus(40 * time::MINUTE), |now| quiet(now).collect());
    let segment = Scope::new([(Dimension::Segment, text("berlin-2"))]);
    let out = told.alerts.iter().find(|alert| alert.incident.scope == segment);
    let out = out.expect("an outage is told");
    assert_eq!(
        (out.page, out.incident.metric.as_str(), out.incident.severity),
        (true, "volume", Severity::Critical)
    );
}

/// An incident of dropped calls about a scope, with what people and the scan said of it, and then Berlin falls silent at nine. What is open afterwards, and
/// is that one of those that were?
fn noticed_by(scope: &Scope, change: impl Fn(&mut Case)) -> Vec<(Incident, bool)> {
    let mut drive = Drive::new();
    drive.until(day(1, 9), |_| three(0.02, 0.02));
    let now = drive.now();
    let tenant = &mut drive.tenant;
    let conditions = tenant.dictionary.conditions(scope).expect("known");
    let onset = Onset { from: now, to: now };
    let incident = Incident::opened(text("i-drops"), text("acme"), scope.clone(), text("wan"), onset, now);
    let mut case = Case::new(incident, Basis::Rate(2), conditions);
    (case.incident.explained_ratio, case.incident.burn_rate) = (Some(0.3), Some(14.4));
    (case.incident.users, case.incident.rivals) = (Some(9), Some(Vec::new()));
    case.also = Some((1, (1.0, 1.0, 0.1)));
    change(&mut case);
    tenant.cases.push(case);
    let berlin = tenant.dictionary.conditions(&site("berlin")).expect("known");
    let silence = Silence {
        condition: berlin.first().copied(),
        missing: 60.0,
        expected: 20.0,
        seen: 0.0,
        drop: 0.2,
        minutes: 3,
        evidence: 20.0,
    };
    tenant.open_silences(now.plus(3 * time::MINUTE), vec![silence], &drive.config);
    let open = drive.tenant.cases.iter().filter(|case| case.is_open());
    open.map(|case| (case.incident.clone(), case.also.is_some())).collect()
}

/// Berlin's first segment has half of its calls, a headset has all of them and half as many again. What dropped on the segment becomes the site's silence, and
/// nothing is said any more of how poor its calls were. What people spoke of and what began an hour before are another trouble. What has a third of its calls
/// elsewhere stays what it is.
#[test]
fn what_dropped_as_a_site_fell_silent_becomes_the_silence_of_the_site() {
    let segment = Scope::new([(Dimension::Segment, text("berlin-1"))]);
    let taken = noticed_by(&segment, |_| {});
    let [(incident, is_poor_too)] = taken.as_slice() else {
        panic!("one trouble: {taken:#?}")
    };
    assert_eq!(
        (
            incident.id.as_str(),
            &incident.scope,
            incident.metric.as_str(),
            is_poor_too
        ),
        ("i-drops", &site("berlin"), "volume", &false)
    );
    assert_eq!((incident.severity, incident.layer), (Severity::Critical, Layer::Site));
    assert_eq!(
        (incident.explained_ratio, incident.burn_rate, incident.users),
        (None, None, None)
    );
    assert_eq!(incident.rivals, None);
    let headset = Scope::new([(Dimension::Headset, text("Aural 20"))]);
    let apart = [
        noticed_by(&segment, |case| case.incident.verdict = Some(Verdict::Wrong)),
        noticed_by(&segment, |case| case.incident.silenced_until = Some(day(1, 13))),
        noticed_by(&segment, |case| case.incident.onset.from = day(1, 8)),
        noticed_by(&site("berlin"), |case| case.incident.onset.from = day(1, 8)),
    ];
    assert_eq!(apart.map(|open| open.len()), [2; 4], "and an outage is told by itself");
    let of_headset = noticed_by(&headset, |_| {});
    let scopes: Vec<&Scope> = of_headset.iter().map(|(incident, _)| &incident.scope).collect();
    assert_eq!(scopes, [&headset], "which has all calls of the silence");
    assert_eq!(noticed_by(&site("berlin"), |_| {}).len(), 1, "of the same name");
}

/// Half of the calls of two sites are by client 5.3, which is five times as poor from Tuesday nine o'clock on; at eleven everybody is back at 5.2, or
/// gone home.
fn rolled_back(calls_go_on: bool) -> Drive {
    let by = |client: &str, n: i64, share: f64| {
        ["berlin", "lyon"].map(|site| {
            let leaf = Leaf {
                client: Some(text(client)),
                ..leaf(site, "Aural 20")
            };
            (leaf, n, share)
        })
    };
    let both = |share: f64| [by("5.2", 30, 0.02), by("5.3", 30, share)].concat();
    let mut drive = Drive::new();
    drive.until(day(1, 9), |_| both(0.02));
    drive.until(day(1, 11), |_| both(0.1));
    let rollback: Change = serde_json::from_value(serde_json::json!({
        "change_id": "CHG-1", "kind": "client", "scope": {"client": ["5.3"]}, "to_version": "5.2", "started_at": drive.now()
    }))
    .expect("a change");
    drive.tenant.change(rollback);
    let left = if calls_go_on {
        by("5.2", 60, 0.02)
    } else {
        by("5.2", 1, 0.02)
    };
    drive.until(day(1, 13), |_| left.to_vec());
    drive
}

/// A quarter of an hour without a call by 5.3, of which half of 1,800 would be, and a quarter of quiet: it is over, and the rollback has ended it. Where
/// hardly anybody calls it is not known to be over: 60 of 3,600 in half an hour would be half by 5.3, but three quarters of 3,600 are asked for.
#[test]
fn an_incident_of_what_nobody_uses_any_more_is_over_and_its_rollback_confirmed() {
    let of = |drive: &Drive| {
        let scope = Scope::new([(Dimension::Client, text("5.3"))]);
        let case = drive.tenant.cases.iter().find(|case| case.incident.scope == scope);
        let repair = drive
            .tenant
            .trials
            .get(&text("CHG-1"))
            .and_then(|trial| trial.last()?.repair);
        (case.expect("an incident").incident.state, repair)
    };
    assert_eq!(of(&rolled_back(true)), (State::Closed, Some(Repair::Confirmed)));
    assert_eq!(of(&rolled_back(false)).0, State::Localised);
}

/// From Tuesday nine o'clock nobody says anything: the default team is called within five minutes, for reports that are lost; when they come again
/// it is over.
#[test]
fn a_tenant_that_falls_silent_calls_somebody() {
    let mut drive = Drive::new();
    drive.until(day(1, 9), |_| three(0.02, 0.02));
    let told = drive.until(day(1, 9).plus(30 * time::MINUTE), |_| Vec::new());
    let [alert, rest @ ..] = told.alerts.as_slice() else {
        panic!("somebody is told")
    };
    let about = &alert.incident;
    assert_eq!(
        (&about.scope, about.metric.as_str(), about.severity, alert.page),
        (&Scope::default(), "telemetry", Severity::Major, true)
    );
    assert!(about.updated <= day(1, 9).plus(10 * time::MINUTE), "{}", about.updated);
    assert!(rest.iter().all(|alert| alert.incident.id == about.id && !alert.page));
    let told = drive.until(day(1, 11), |_| three(0.02, 0.02));
    let reasons: Vec<AlertReason> = told.alerts.iter().map(|alert| alert.reason).collect();
    assert_eq!(reasons.last(), Some(&AlertReason::Resolved), "{reasons:?}");
}

/// Berlin's calls all go over one provider, and nobody else's do. What was closed as the site's opens again as the site's, though by then somebody in Lyon has made
/// a call over that provider, so that the two are no longer quite the same.
#[test]
fn what_comes_back_by_another_name_is_the_same_incident() {
    let over = |site: &str, isp: &str, n: i64, share: f64| {
        let leaf = Leaf {
            isp: Some(text(isp)),
            ..leaf(site, "Aural 20")
        };
        (leaf, n, share)
    };
    let calls = |berlin: f64| vec![over("berlin", "Nordnet", 60, berlin), over("lyon", "Sudnet", 60, 0.02)];
    let mut drive = Drive::new();
    drive.until(day(1, 9), |_| calls(0.02));
    let told = drive.until(day(1, 10), |_| calls(0.1));
    let first = told
        .alerts
        .iter()
        .find(|alert| alert.page)
        .expect("told of")
        .incident
        .clone();
    drive.until(day(1, 12), |_| calls(0.02));
    let again = drive.until(day(1, 13), |_| {
        let mut all = calls(0.1);
        all.push(over("lyon", "Nordnet", 1, 0.1));
        all
    });
    let opened = again.alerts.iter().find(|alert| alert.page).expect("told of again");
    assert_eq!((&opened.incident.id, opened.reason), (&first.id, AlertReason::Opened));
}
