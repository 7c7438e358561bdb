//! Work that makes calls worse: told of ahead or afterwards, over when it should be or later.

use crate::audit::{CallEnd, call_ends, inside_outside, short};
use dialtone_schemas::{Change, ChangeKind, EventTime, time};
use dialtone_simulator::{
    Cause, Scenario, Simulation, Truth,
    scenario::{Notice, Span},
};

/// What was planted, and the change of each planted work.
fn told(scenario: &Scenario) -> (Truth, Vec<Change>) {
    let mut simulation = Simulation::new(scenario, 2);
    let truth = simulation.truth().clone();
    let changes = simulation.advance(simulation.end()).changes;
    let change_of = |cause: &Cause| {
        let mut of_cause = changes
            .iter()
            .filter(|c| cause.change_id.as_ref() == Some(&c.change_id));
        of_cause.next().cloned().expect("it was told of")
    };
    let of_works = truth.causes.iter().map(change_of).collect();
    (truth, of_works)
}

/// Odds of a poor call-end in the scope of a cause over those outside of all causes, from one time to another.
fn odds_ratio(truth: &Truth, cause: &Cause, ends: &[CallEnd], from: EventTime, until: EventTime) -> f64 {
    let then = Cause {
        onset: from,
        until: Some(until),
        ..cause.clone()
    };
    let (inside, outside) = inside_outside(&then, &truth.causes, ends, truth.end);
    inside.odds() / outside.odds()
}

#[test]
fn announced_work_is_told_of_ahead_with_its_planned_end_and_where_it_is() {
    let (truth, changes) = told(&short("announced_work"));
    assert_eq!(changes.len(), 2);
    for (cause, change) in truth.causes.iter().zip(&changes) {
        let work = cause.work.as_ref().expect("it is work");
        assert_eq!((change.kind, work.is_announced), (ChangeKind::Maintenance, true));
        assert_eq!(work.change_id, change.change_id);
        assert_eq!(
            (change.started_at, change.finished_at),
            (cause.onset, Some(work.planned_until))
        );
        assert!(change.started_at.since(change.time_reported()) >= time::HOUR);
        let mut conditions = cause.scope.conditions();
        assert!(conditions.all(|(dimension, value)| change.scope.0[&dimension] == [value.clone()]));
        assert_eq!(change.scope.0.len(), cause.scope.depth());
        assert_eq!(change.team.as_ref(), Some(&cause.owner));
    }
    let overran = |cause: &Cause| {
        let planned = cause.work.as_ref().expect("it is work").planned_until;
        cause.until.expect("it ends").since(planned) / time::MINUTE
    };
    assert_eq!(truth.causes.iter().map(overran).collect::<Vec<_>>(), [0, 75]);
    assert!(truth.maintenance.is_empty(), "there is no other work");
}

#[test]
fn calls_are_worse_while_the_work_goes_on_and_not_afterwards() {
    let mut simulation = Simulation::new(&short("announced_work"), 1);
    let ends = call_ends(&mut simulation);
    let truth = simulation.truth();
    let [in_time, overrunning] = truth.causes.as_slice() else {
        panic!("two works: {:?}", truth.causes)
    };
    let ratio = |cause, from, until| odds_ratio(truth, cause, &ends, from, until);
    let over = in_time.until.expect("it ends");
    let (during, after) = (
        ratio(in_time, in_time.onset, over),
        ratio(in_time, over.plus(15 * time::MINUTE), truth.end),
    );
    assert!(during > 4.0 && during > 3.0 * after, "{during:.1}, then {after:.1}");
    let planned = overrunning.work.as_ref().expect("it is work").planned_until;
    let (during, beyond) = (
        ratio(overrunning, overrunning.onset, planned),
        ratio(overrunning, planned, overrunning.until.expect("it ends")),
    );
    assert!(during > 2.0 && beyond > 2.0, "{during:.1}, then {beyond:.1}");
}

#[test]
fn unannounced_work_is_told_of_half_an_hour_after_it_should_be_over() {
    let mut scenario = short("announced_work");
    for fault in &mut scenario.faults {
        fault.work = Some(Notice::Unannounced);
    }
    let (truth, changes) = told(&scenario);
    for (cause, change) in truth.causes.iter().zip(&changes) {
        let work = cause.work.as_ref().expect("it is work");
        assert!(!work.is_announced);
        let afterwards = change.time_reported().since(work.planned_until);
        assert_eq!((afterwards, change.kind), (30 * time::MINUTE, ChangeKind::Maintenance));
    }
}

/// What is told of work, and for how long it was planned, is another line of the change calendar and nothing else.
#[test]
fn that_a_fault_is_work_changes_no_report_and_no_other_change() {
    let run = |set: &dyn Fn(&mut Scenario)| {
        let mut scenario = short("announced_work");
        set(&mut scenario);
        let mut simulation = Simulation::new(&scenario, 3);
        let works: Vec<_> = simulation.truth().causes.iter().map(|c| c.change_id.clone()).collect();
        let mut arrived = simulation.advance(simulation.end());
        let is_other = |change: &Change| !works.contains(&Some(change.change_id.clone()));
        arrived.changes.retain(is_other);
        arrived
    };
    let announced = run(&|_| {});
    let longer = run(&|scenario| {
        let fault = &mut scenario.faults[0];
        (fault.work, fault.planned) = (Some(Notice::Unannounced), Some(Span(2 * time::HOUR)));
    });
    assert!(announced == longer);
    let no_work = run(&|scenario| {
        for fault in &mut scenario.faults {
            (fault.work, fault.planned) = (None, None);
        }
    });
    assert!(announced.events == no_work.events && announced.complaints == no_work.complaints);
}

#[test]
fn what_is_said_of_work_must_make_sense() {
    let problems = |fault: &str| {
        let text = format!(
            "name = \"x\"\nstart = \"2026-03-03T06:00:00Z\"\nhistory = \"1h\"\nevaluate = \"2h\"\n\
             [[fault]]\nat = \"10m\"\n{fault}"
        );
        Scenario::from_toml(&text).err().map(|error| error.to_string())
    };
    let site = "kind = \"site_uplink\"\n";
    let (announced, unannounced) = ("work = \"announced\"\n", "work = \"unannounced\"\n");
    let planned = |span: &str| format!("planned = \"{span}\"\n");
    for (fault, problem) in [
        (format!("{site}{announced}"), "fault 1: work: needs planned"),
        (format!("{site}{}", planned("1h")), "fault 1: planned: only work has it"),
        (
            format!("{site}{announced}{}", planned("0m")),
            "fault 1: planned: expected more",
        ),
        (
            format!("{site}{announced}{}change = true\n", planned("1h")),
            "fault 1: change: the work is",
        ),
        (
            format!("{announced}{}", planned("1h")),
            "fault 1: work: neither what the seed draws",
        ),
        (
            format!("kind = \"firmware_rollout\"\n{announced}{}", planned("1h")),
            "fault 1: work: neither what",
        ),
        (
            format!("{site}{unannounced}{}", planned("80m")),
            "fault 1: planned: half an hour after it should be over",
        ),
        (
            format!("{site}{announced}{}", planned("3h")),
            "fault 1: planned: half an hour after it should be over",
        ),
        (
            format!("{site}work = \"soon\"\n{}", planned("1h")),
            "unknown variant `soon`",
        ),
    ] {
        let said = problems(&fault).unwrap_or_default();
        assert!(said.contains(problem), "{fault}: {said}");
    }
    for fault in [
        format!("{site}{announced}{}", planned("79m")),
        format!("{site}{unannounced}{}", planned("79m")),
    ] {
        assert_eq!(problems(&fault), None, "{fault}");
    }
}
