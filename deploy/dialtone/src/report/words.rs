//! The report in words: what both the terminal and the page say.

use dialtone_processor::watch::{
    budget::{Budget, CallBudget},
    calibration::Calibrated,
    dose::is_less_than_half_way,
    owner::in_short,
    readiness::{Changed, Line, Owed, Readiness, Standing, Worse},
};
use dialtone_schemas::{ChangeVerdict, Channel, EventTime, Ruling, Text};

/// Lines of the list that are shown in any case; of the rest only those that somebody must look at.
const SHOWN: usize = 20;

/// The whole report.
pub(super) fn of(ready: &Readiness) -> Vec<String> {
    let mut lines = vec![title(ready)];
    lines.extend(watched(ready).into_iter().map(|line| format!("  {line}")));
    section(&mut lines, "Poor minutes in the busiest hour to come", list(ready));
    section(
        &mut lines,
        "What changed in the last day",
        ready.changes.iter().map(changed).collect(),
    );
    section(
        &mut lines,
        "What has got slowly worse (against four to five weeks ago)",
        ready.slowly_worse.iter().map(worse).collect(),
    );
    section(
        &mut lines,
        "What is left of the error budgets (28 days)",
        budgets(ready),
    );
    section(&mut lines, "Who owes what", ready.owed.iter().map(owed).collect());
    let doubts = doubts(ready);
    if !doubts.is_empty() {
        section(&mut lines, "Owners in doubt", doubts);
    }
    if !ready.without_calendar.is_empty() {
        section(&mut lines, "Clocks in doubt", ready.without_calendar.clone());
    }
    section(&mut lines, "Who found it first (7 days)", found_first(ready));
    section(&mut lines, "How far the thresholds can be trusted", trust(ready));
    lines
}

fn section(lines: &mut Vec<String>, title: &str, of: Vec<String>) {
    lines.push(String::new());
    lines.push(title.to_owned());
    if of.is_empty() {
        lines.push("  nothing".to_owned());
    }
    lines.extend(of.into_iter().map(|line| format!("  {line}")));
}

/// Whose, and when.
pub(super) fn title(ready: &Readiness) -> String {
    format!("{}, {}", ready.tenant, ready.at)
}

/// What is watched, and how complete its reports are.
pub(super) fn watched(ready: &Readiness) -> Vec<String> {
    let watching = &ready.watching;
    let coverage = ready.coverage.map_or_else(
        || "no day before it to compare with".to_owned(),
        |share| {
            format!(
                "{:.0} % of the call-ends that the days before had promised",
                100.0 * share
            )
        },
    );
    let mut lines = vec![format!(
        "{} scopes on up to {} channels, {} cells in all; {} of {} sites reported in the last day, {coverage}",
        watching.scopes, watching.channels, watching.cells, watching.sites_reporting, watching.sites
    )];
    if let Some(until) = ready.warming_up_until {
        lines.push(format!("warming up until {until}: nothing is told before"));
    }
    lines
}

/// The costliest, then who is boring, who cannot be seen well, and of whom nothing is known.
fn list(ready: &Readiness) -> Vec<String> {
    let is_shown =
        |(place, line): &(usize, &Line)| *place < SHOWN || !matches!(line.standing, Standing::Boring | Standing::Blind);
    let shown = ready.lines.iter().enumerate().filter(is_shown);
    let mut lines: Vec<String> = shown.map(|(_, of)| line(of)).collect();
    if ready.lines.len() > lines.len() {
        lines.push(format!(
            "and {} boring or blind ones that cost less",
            ready.lines.len() - lines.len()
        ));
    }
    for standing in [Standing::Boring, Standing::Blind, Standing::NoData] {
        let names = named(ready, standing);
        if !names.is_empty() {
            lines.push(format!("{} ({}): {}", standing.name(), names.len(), names.join(", ")));
        }
    }
    lines
}

/// The scopes that stand so.
pub(super) fn named(ready: &Readiness, standing: Standing) -> Vec<String> {
    let so = ready.lines.iter().filter(|line| line.standing == standing);
    so.map(|line| line.scope.to_string()).collect()
}

fn line(line: &Line) -> String {
    let [minutes, peak] = figures(line);
    format!(
        "{minutes:>8}  {peak:>5}  {:10}  {}{}",
        line.standing.name(),
        line.scope,
        remark(line)
    )
}

/// Poor minutes, and the hour.
pub(super) fn figures(line: &Line) -> [String; 2] {
    [
        line.poor_minutes
            .map_or_else(|| "?".to_owned(), |minutes| format!("{minutes:.1}")),
        line.peak.map_or_else(|| "?".to_owned(), hour),
    ]
}

/// What is to be said of a line besides.
pub(super) fn remark(line: &Line) -> String {
    match (&line.incident_id, line.standing) {
        (Some(id), _) => format!(", by {id}, {}", line.owner.as_ref().map_or("nobody", Text::as_str)),
        (None, Standing::NoData) => line.last_call.map_or_else(
            || ", no call-end yet".to_owned(),
            |last| format!(", no call-end since {last}"),
        ),
        (None, Standing::Blind) => match (line.call_ends, line.sees) {
            (Some(calls), Some(times)) => {
                format!(", {calls:.0} call-ends, cannot see less than {times:.1} times in half a day")
            }
            (Some(calls), None) => format!(", {calls:.0} call-ends, cannot see anything"),
            (None, _) => ", no day seen yet".to_owned(),
        },
        (None, _) => String::new(),
    }
}

/// The hour and minute of an instant.
fn hour(at: EventTime) -> String {
    at.to_string().get(11..16).unwrap_or("?").to_owned()
}

fn day_and_hour(at: EventTime) -> String {
    at.to_string().get(5..16).unwrap_or("?").replace('T', " ")
}

/// A change with its verdict.
pub(super) fn changed(changed: &Changed) -> String {
    let change = &changed.change;
    let summary = change
        .summary
        .as_ref()
        .map_or(String::new(), |summary| format!(" ({summary})"));
    let said = changed
        .verdict
        .as_ref()
        .map_or_else(|| "not judged yet".to_owned(), verdict);
    format!(
        "{} {}{summary}: {said}",
        day_and_hour(change.started_at),
        change.change_id
    )
}

/// Is new against old worse beyond doubt, and is it no less beyond doubt not the version's doing by the totals of the same places: less than half way
/// there, as it is denied?
fn is_of_the_people(verdict: &ChangeVerdict) -> bool {
    let is_less = |high: f64| is_less_than_half_way(high, verdict.effect);
    verdict.effect_low > 1.0 && verdict.dose_effect_high.is_some_and(is_less)
}

/// What a new version does by its share of the same places' calls.
pub(crate) fn by_dose(verdict: &ChangeVerdict) -> Option<String> {
    let (low, high) = verdict.dose_effect_low.zip(verdict.dose_effect_high)?;
    let effect = verdict.dose_effect?;
    Some(format!(
        "by its share of the calls {effect:.1} times (95 %: {low:.1} to {high:.1})"
    ))
}

/// Why nothing can be said of a change yet, and by when something can.
pub(crate) fn undecided(verdict: &ChangeVerdict) -> String {
    let missing = match verdict.calls_missing {
        Some(missing) => format!("{missing} more call-ends would tell"),
        None if is_of_the_people(verdict) => {
            format!(
                "those who have it are {:.1} times as poor, but so they were before",
                verdict.effect
            )
        }
        None if verdict.at_risk == 0 => "no call of what it touches was ever seen".to_owned(),
        None => "it wanders too far by itself to rule out double the rate".to_owned(),
    };
    let by = verdict
        .expected_by
        .map_or(String::new(), |by| format!(", expected by {by}"));
    format!("not enough calls yet: {missing}{by}")
}

/// What is said of a change, in words.
pub(crate) fn verdict(verdict: &ChangeVerdict) -> String {
    let figures = format!(
        "{} {} poor of {:.1} expected",
        verdict.channel, verdict.poor, verdict.expected
    );
    let mut said = match verdict.ruling {
        Ruling::Harmful => {
            let incident = verdict
                .incident_id
                .as_ref()
                .map_or(String::new(), |id| format!(", see {id}"));
            if verdict.effect_low > 1.0 {
                format!("harmful, {:.1} times as poor ({figures}{incident})", verdict.effect)
            } else {
                format!("harmful ({figures}{incident})")
            }
        }
        Ruling::Harmless => {
            let within = verdict.harmless_within.unwrap_or(verdict.effect_high);
            format!("harmless to within {within} times ({figures})")
        }
        Ruling::NotEnoughCalls => undecided(verdict),
    };
    if let Some(by_dose) = by_dose(verdict) {
        said.push_str(&format!("; {by_dose}"));
    }
    if let (Some(incident), Some(repair)) = (&verdict.repairs, verdict.repair) {
        said.push_str(&format!(
            "; as a repair of {incident}: {}",
            repair.name().replace('_', " ")
        ));
    }
    said
}

/// What a bad call-end of a channel is.
const fn ill(channel: Channel) -> &'static str {
    match channel {
        Channel::Setup => "not set up",
        Channel::Drop => "dropped",
        _ => "poor",
    }
}

/// A scope that no day was out of the ordinary for.
pub(super) fn worse(of: &Worse) -> String {
    format!(
        "{}, {}: {:.2} % of its call-ends are to be expected {}, {:.2} % on {} ({:.1} times), {} owns it",
        of.scope,
        of.channel.name(),
        100.0 * of.now,
        ill(of.channel),
        100.0 * of.then,
        of.since,
        of.now / of.then.max(1e-9),
        of.owner
    )
}

/// What is doubtful about the owners: of the rules by themselves, and of what is observed.
pub(super) fn doubts(ready: &Readiness) -> Vec<String> {
    let mut doubts = in_short(&ready.owners_in_doubt);
    doubts.extend(ready.unowned.iter().cloned());
    doubts
}

/// How the budgets stand.
pub(super) fn budgets(ready: &Readiness) -> Vec<String> {
    let of_calls = ready.call_budgets.iter().map(call_budget);
    ready.budgets.iter().map(budget).chain(of_calls).collect()
}

fn call_budget(budget: &CallBudget) -> String {
    format!(
        "{}: {:.0} % left ({:.2} % of {} call-ends were {}, {:.1} % may be)",
        budget.channel.name(),
        100.0 * budget.left,
        100.0 * budget.poor_share,
        budget.call_ends,
        ill(budget.channel),
        100.0 * budget.target
    )
}

fn budget(budget: &Budget) -> String {
    format!(
        "{}: {:.0} % left ({:.2} % of {} call minutes were poor, {:.0} % may be)",
        budget.connection,
        100.0 * budget.left,
        100.0 * budget.poor_share,
        budget.minutes,
        100.0 * budget.target
    )
}

/// The one number for "we own this".
pub(super) fn found_first(ready: &Readiness) -> Vec<String> {
    let found = &ready.found_first;
    let mut said = match found.found_first_ratio {
        Some(ratio) => vec![format!(
            "{:.0} % of {} incidents were found before anybody complained, {} before a third did; nobody complained of {}; of {} complaints {} \
             belong to no incident",
            100.0 * ratio,
            found.incidents - found.wrong,
            found.before_third,
            found.without_complaint,
            found.complaints,
            found.unexplained
        )],
        None if found.opened == 0 => vec![format!("no incident opened; {} complaints", found.complaints)],
        None if found.incidents == 0 => vec![format!(
            "no incident was a trouble of its own; of {} complaints {} belong to no incident",
            found.complaints, found.unexplained
        )],
        None => vec![format!(
            "of {} complaints {} belong to no incident",
            found.complaints, found.unexplained
        )],
    };
    if found.wrong > 0 {
        said.push(format!(
            "{} said to be wrong, counted neither for nor against",
            found.wrong
        ));
    }
    said
}

/// What quiet days say of the thresholds.
pub(super) fn trust(ready: &Readiness) -> Vec<String> {
    let of_channel = |(channel, of): (&&str, &Calibrated)| {
        if of.quiet_days == 0 {
            return format!("{channel}: no quiet day yet, the guarantee for independent minutes alone");
        }
        let needs = format!("{} sets of attributes need up to", of.raised);
        let raised = [needs.as_str(), "no threshold had to be raised"];
        taught(channel, of, raised, "false alarms a day are to be expected")
    };
    let of_named = |(channel, of): (&&str, &Calibrated)| {
        let raised = ["it needs", "it needs no more than by the guarantee"];
        let cause = format!("a cause on {channel}");
        taught(&cause, of, raised, "a day would be named for nothing")
    };
    let mut lines: Vec<String> = ready.calibration.iter().map(of_channel).collect();
    lines.extend(ready.named.iter().filter(|(_, of)| of.quiet_days > 0).map(of_named));
    if let Some(share) = ready.false_share {
        lines.push(format!(
            "of the week's incidents {:.1} % are to be expected to be false",
            100.0 * share
        ));
    }
    lines
}

/// What quiet days have taught of something: whether more evidence is asked for or not, and what is false all the same.
fn taught(of_what: &str, of: &Calibrated, [needs, needs_no_more]: [&str; 2], is_false: &str) -> String {
    let raised = if of.raised > 0 {
        format!("{needs} {:.1} nats more", of.raised_most)
    } else {
        needs_no_more.to_owned()
    };
    format!(
        "{of_what}: {} quiet days: {raised}; {:.4} {is_false}",
        of.quiet_days, of.false_a_day
    )
}

/// What one team owes.
pub(super) fn owed((team, owed): (&Text, &Owed)) -> String {
    let list = |what: &str, ids: &[Text]| {
        let ids: Vec<&str> = ids.iter().map(Text::as_str).collect();
        (!ids.is_empty()).then(|| format!("{what} {}", ids.join(", ")))
    };
    let debts = [
        list("must acknowledge", &owed.unacknowledged),
        list("works on", &owed.acknowledged),
        list("made harmful changes:", &owed.harmful_changes),
    ];
    format!("{team}: {}", debts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Dimension, Scope};

    use super::*;

    fn said(rest: serde_json::Value) -> String {
        let mut whole = serde_json::json!({
            "verdict_id": "CHG-1/0", "change_id": "CHG-1", "tenant": "acme", "revision": 0, "at": 0, "channel": "quality",
            "is_final": false, "kind": "route", "started_at": 0, "effect": 3.2, "effect_low": 2.0, "effect_high": 5.0,
            "at_risk": 400, "poor": 29, "expected": 9.06
        });
        if let (Some(whole), serde_json::Value::Object(rest)) = (whole.as_object_mut(), rest) {
            whole.extend(rest);
        }
        verdict(&serde_json::from_value(whole).expect("a verdict"))
    }

    /// Two in a thousand of 120,000 attempts failed, where one in a hundred may.
    #[test]
    fn a_budget_of_calls_says_what_is_left_of_it() {
        let setup = CallBudget {
            channel: Channel::Setup,
            target: 0.01,
            call_ends: 120_000,
            poor_share: 0.002,
            left: 0.8,
        };
        assert_eq!(
            call_budget(&setup),
            "setup: 80 % left (0.20 % of 120000 call-ends were not set up, 1.0 % may be)"
        );
        let drop = CallBudget {
            channel: Channel::Drop,
            target: 0.03,
            ..setup
        };
        assert!(call_budget(&drop).ends_with("call-ends were dropped, 3.0 % may be)"));
    }

    #[test]
    fn what_quiet_days_have_taught_is_told_in_the_words_of_what_it_is_about() {
        let of = |raised: usize| Calibrated {
            quiet_days: 9,
            raised,
            raised_most: 2.04,
            false_a_day: 0.016,
        };
        let told = |raised: usize| taught("silence", &of(raised), ["it needs", "it needs no more"], "a day");
        assert_eq!(told(1), "silence: 9 quiet days: it needs 2.0 nats more; 0.0160 a day");
        assert_eq!(told(0), "silence: 9 quiet days: it needs no more; 0.0160 a day");
    }

    #[test]
    fn what_got_slowly_worse_is_told_with_its_channel_and_its_owner() {
        let text = |text: &str| Text::new(text).expect("a text");
        let dropping = Worse {
            scope: Scope::new([(Dimension::Site, text("berlin"))]),
            channel: Channel::Drop,
            owner: text("network"),
            then: 0.01,
            now: 0.03,
            since: EventTime::parse("2026-03-02T00:00:00Z").expect("a time"),
        };
        assert_eq!(
            worse(&dropping),
            "site=berlin, drop: 3.00 % of its call-ends are to be expected dropped, 1.00 % on 2026-03-02T00:00:00Z \
             (3.0 times), network owns it"
        );
    }

    #[test]
    fn a_verdict_says_what_can_be_done_with_a_change() {
        assert_eq!(
            said(serde_json::json!({"ruling": "harmful", "incident_id": "i-1"})),
            "harmful, 3.2 times as poor (quality 29 poor of 9.1 expected, see i-1)"
        );
        assert_eq!(
            said(
                serde_json::json!({"ruling": "harmless", "harmless_within": 1.5, "repairs": "i-2", "repair": "no_effect"})
            ),
            "harmless to within 1.5 times (quality 29 poor of 9.1 expected); as a repair of i-2: no effect"
        );
        assert_eq!(
            said(
                serde_json::json!({"ruling": "not_enough_calls", "calls_missing": 120, "expected_by": "2026-03-02T10:20:00Z"})
            ),
            "not enough calls yet: 120 more call-ends would tell, expected by 2026-03-02T10:20:00Z"
        );
        let dosed = |ruling: &str, dose: [f64; 3]| {
            said(serde_json::json!({
                "ruling": ruling, "dose_effect": dose[0], "dose_effect_low": dose[1], "dose_effect_high": dose[2]
            }))
        };
        assert_eq!(
            dosed("harmful", [2.9, 1.8, 4.4]),
            "harmful, 3.2 times as poor (quality 29 poor of 9.1 expected); by its share of the calls 2.9 times \
             (95 %: 1.8 to 4.4)"
        );
        assert_eq!(
            dosed("not_enough_calls", [1.0, 0.54, 1.54]),
            "not enough calls yet: those who have it are 3.2 times as poor, but so they were before; by its share of \
             the calls 1.0 times (95 %: 0.5 to 1.5)"
        );
    }
}
