//! Stories of incidents that open again: what they show, and what they have cost.

use dialtone_schemas::{Change, EventTime, Incident, Repair, State, Window, incident::Onset, time};

use super::drive::{Drive, day, leaf, site, text, two};
use crate::watch::{
    book::{Basis, Case},
    device::Reported,
    evidence::Counts,
};

/// The one incident there is.
fn one(drive: &Drive) -> &Case {
    let [case] = drive.tenant.cases.as_slice() else {
        panic!("the same incident: {:#?}", drive.tenant.cases)
    };
    case
}

/// Bad from Tuesday nine o'clock on, well from half past nine, bad from half past ten, well from eleven, and bad since half past twelve: ten times as poor, which is
/// 10.8 poor minutes a minute too many. In the last hour it was bad for half an hour.
#[test]
fn what_turns_bad_again_and_again_shows_what_it_does_while_it_is_bad() {
    let mut drive = Drive::new();
    drive.until(day(1, 9), |_| two(0.02, 0.02));
    for (half_hours, share) in [(1, 0.2), (3, 0.02), (4, 0.2), (7, 0.02), (8, 0.2)] {
        let end = day(1, 9).plus(30 * half_hours * time::MINUTE);
        drive.until(end, |_| two(share, 0.02));
    }
    let case = one(&drive);
    assert_eq!((case.is_at_work(), case.was_well.len()), (true, 2));
    assert!((8.5..10.5).contains(&case.incident.effect), "{}", case.incident.effect);
    let cost = case.incident.poor_minutes_an_hour.expect("known");
    assert!((600.0..690.0).contains(&cost), "60 · 10.8 = 648: {cost}");
}

/// Four times as poor from nine to eleven, which is 3.6 poor minutes a minute too many, and again from twenty to eight in the evening on. When that is noticed, it has cost
/// as much in each minute since.
#[test]
fn what_opens_again_after_more_than_six_hours_has_cost_something_before_it_was_noticed() {
    let mut drive = Drive::new();
    let began = day(1, 19).plus(40 * time::MINUTE);
    for (end, share) in [(day(1, 9), 0.02), (day(1, 11), 0.08), (began, 0.02)] {
        drive.until(end, |_| two(share, 0.02));
    }
    let before = one(&drive).incident.excess_poor_minutes;
    assert_eq!(one(&drive).incident.state, State::Closed);
    while !one(&drive).is_at_work() && drive.now() < began.plus(time::HOUR) {
        drive.minute(&two(0.08, 0.02));
    }
    let minutes = drive.now().since(began) / time::MINUTE;
    assert!((3..60).contains(&minutes), "{minutes}");
    let since = one(&drive).incident.excess_poor_minutes - before;
    let a_minute = since / f64::from(i32::try_from(minutes).expect("few"));
    assert!((2.4..4.6).contains(&a_minute), "{since} in {minutes} minutes");
}

/// Four times as poor from nine to eleven, and again from one o'clock on. At noon, when all was well, somebody changes something there. The forty minutes since one say
/// that it goes on, which they would not with the hour before them.
#[test]
fn a_change_made_while_all_was_well_is_judged_by_what_came_back() {
    let mut drive = Drive::new();
    for (hour, share) in [(9, 0.02), (11, 0.08), (12, 0.02)] {
        drive.until(day(1, hour), |_| two(share, 0.02));
    }
    let change: Change = serde_json::from_value(serde_json::json!({
        "change_id": "CHG-1", "kind": "config", "scope": {"site": ["berlin"]}, "started_at": drive.now()
    }))
    .expect("a change");
    drive.tenant.change(change.clone());
    drive.until(day(1, 13), |_| two(0.02, 0.02));
    drive.until(day(1, 13).plus(40 * time::MINUTE), |_| two(0.08, 0.02));
    let verdict = drive.tenant.trials[&change.change_id].last().expect("a verdict");
    assert_eq!(verdict.repairs.as_ref(), Some(&one(&drive).incident.id));
    assert_eq!(verdict.repair, Some(Repair::NoEffect));
}

/// An incident of a room's phone that has just begun.
fn of_a_phone() -> (Drive, EventTime) {
    let mut drive = Drive::new();
    drive.until(day(0, 1), |_| two(0.02, 0.02));
    let now = drive.now();
    let onset = Onset { from: now, to: now };
    let incident = Incident {
        device_id: Some(text("room")),
        ..Incident::opened(text("i-1"), text("acme"), site("berlin"), text("lan"), onset, now)
    };
    let conditions = drive.tenant.dictionary.conditions(&site("berlin")).expect("known");
    drive.tenant.cases.push(Case::new(incident, Basis::Rate(0), conditions));
    (drive, now)
}

/// So many minutes with a call-end of the phone in each, of a minute, which is poor or not; a twentieth of one is expected to be. When they are over.
fn calls(drive: &mut Drive, from: EventTime, minutes: i64, poor: i64) -> EventTime {
    let (id, leaf) = (text("room"), drive.tenant.dictionary.leaf(&leaf("berlin", "Aural 20")));
    let counts = Counts {
        n: [1, 0, 0],
        k: [poor, 0, 0],
        poor_ms: 60_000 * poor,
        ..Counts::default()
    };
    for minute in 1..=minutes {
        let now = from.plus(minute * time::MINUTE);
        let of = Reported {
            leaf,
            window: Window::of_end(now),
            counts: &counts,
            partition: 0,
            expected: 0.05,
            exemplars: &[],
            user: None,
        };
        drive.tenant.devices.add(&id, &of);
        drive.tenant.live(now, &drive.config);
        for case in &mut drive.tenant.cases {
            case.sent = Some(case.incident.clone());
        }
        drive.tenant.devices.expire(now);
    }
    from.plus(minutes * time::MINUTE)
}

/// 0.95 poor minutes a minute too many, for one hour, six and twelve.
#[test]
fn what_a_device_has_cost_is_not_forgotten_after_six_hours() {
    let (mut drive, mut now) = of_a_phone();
    for (hours, right) in [(1, 57.0), (5, 342.0), (6, 684.0)] {
        now = calls(&mut drive, now, 60 * hours, 1);
        let cost = one(&drive).incident.excess_poor_minutes;
        assert!((cost - right).abs() < 0.11, "{cost}, not {right}");
    }
}

/// Bad for an hour, well for another, and bad for twenty minutes. After thirteen good calls it was recovering: of 60 + 13 + 20 call-ends 80 were poor where 4.65 were expected,
/// which is 17.2 times and 75.35 too many. The twenty minutes alone were 19 too many, and 57 an hour.
#[test]
fn what_a_device_shows_leaves_out_when_it_was_well() {
    let (mut drive, start) = of_a_phone();
    let now = calls(&mut drive, start, 60, 1);
    let now = calls(&mut drive, now, 60, 0);
    assert_eq!(one(&drive).incident.state, State::Closed);
    drive.tenant.cases[0].reopen(now, 6 * time::HOUR);
    calls(&mut drive, now, 20, 1);
    let incident = &one(&drive).incident;
    assert!((16.5..18.0).contains(&incident.effect), "{}", incident.effect);
    let cost = incident.excess_poor_minutes;
    assert!((75.0..75.7).contains(&cost), "{cost}");
    let an_hour = incident.poor_minutes_an_hour.expect("known");
    assert!((an_hour - 57.0).abs() < 0.11, "{an_hour}");
}

/// Bad for an hour, well for four hundred minutes, and bad for ten until that is noticed: in the minute after them it has cost 11 · 0.95 = 10.45 more.
#[test]
fn what_a_device_has_cost_before_it_was_noticed_again_counts_after_six_hours() {
    let (mut drive, start) = of_a_phone();
    let now = calls(&mut drive, start, 60, 1);
    let began = calls(&mut drive, now, 400, 0);
    let before = one(&drive).incident.excess_poor_minutes;
    let now = calls(&mut drive, began, 10, 1);
    drive.tenant.cases[0].reopen(began, 6 * time::HOUR);
    calls(&mut drive, now, 1, 1);
    let since = one(&drive).incident.excess_poor_minutes - before;
    assert!((since - 10.45).abs() < 0.11, "{since}");
}
