//! Everything known of the verdict about one change, for a person.

use dialtone_schemas::ChangeVerdict;

use super::{did, list::ruling};
use crate::{report::words::by_dose, say};

/// Line by line, each under its name; what is not known has none.
pub(super) fn lines(verdict: &ChangeVerdict) -> Vec<String> {
    let head = format!(
        "{}  {}; revision {} of {}",
        verdict.change_id,
        ruling(verdict),
        verdict.revision,
        verdict.at
    );
    let caused = verdict.incident_id.as_ref().map(ToString::to_string);
    let repaired = verdict.repairs.as_ref();
    let repaired = repaired.map(|id| format!("of {id}: {}", did(verdict.repair)));
    let named = [
        ("change", Some(change(verdict))),
        ("effect", Some(effect(verdict))),
        ("inside", Some(inside(verdict))),
        ("outside", Some(outside(verdict))),
        ("dose", by_dose(verdict)),
        ("caused", caused),
        ("repair", repaired),
        ("next", Some(next(verdict).to_owned())),
    ];
    let lines = named.into_iter().flat_map(|(name, text)| say::named(name, text));
    [head].into_iter().chain(lines).collect()
}

/// What kind it is, whose, since when, and how it was described.
fn change(verdict: &ChangeVerdict) -> String {
    let team = verdict.team.as_ref();
    let team = team.map_or_else(String::new, |team| format!(" by {team}"));
    let summary = verdict.summary.as_ref();
    let summary = summary.map_or_else(String::new, |summary| format!(": {summary}"));
    format!(
        "{}{team} of {}, since {}{summary}",
        verdict.kind.name(),
        verdict.tenant,
        verdict.started_at
    )
}

fn effect(verdict: &ChangeVerdict) -> String {
    let (low, high) = (verdict.effect_low, verdict.effect_high);
    format!(
        "{}× the expected (95 %: {low} to {high}), on channel {}",
        verdict.effect, verdict.channel
    )
}

/// What the calls showed that it touches.
fn inside(verdict: &ChangeVerdict) -> String {
    format!("{} poor of {} call-ends that it touches", verdict.poor, verdict.at_risk)
}

/// What they would have shown without it.
fn outside(verdict: &ChangeVerdict) -> String {
    format!(
        "{} poor of them expected without it, by the hours before it and the calls that it does not touch",
        verdict.expected
    )
}

const fn next(verdict: &ChangeVerdict) -> &'static str {
    if verdict.is_final {
        "nothing more will be said of it"
    } else {
        "it is looked at again"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::example;
    use super::*;

    #[test]
    fn a_person_reads_what_is_said_of_a_change_and_by_which_figures() {
        let verdict = example::verdict(json!({
            "summary": "new trunk", "revision": 3, "dose_effect": 2.9, "dose_effect_low": 1.8, "dose_effect_high": 4.4,
            "incident_id": "i-1", "repairs": "i-0", "repair": "moved", "is_final": true
        }));
        assert_eq!(
            lines(&verdict),
            [
                "CHG-1  harmful, 3.2 times as poor, for good; revision 3 of 2026-03-02T10:00:00Z",
                "  change     route by voice of acme, since 2026-03-02T08:55:00Z: new trunk",
                "  effect     3.2× the expected (95 %: 2 to 5), on channel quality",
                "  inside     29 poor of 400 call-ends that it touches",
                "  outside    9.06 poor of them expected without it, by the hours before it and the calls that it does not touch",
                "  dose       by its share of the calls 2.9 times (95 %: 1.8 to 4.4)",
                "  caused     i-1",
                "  repair     of i-0: moved elsewhere, another scope turned bad",
                "  next       nothing more will be said of it",
            ]
        );
    }

    #[test]
    fn what_is_not_known_of_a_change_has_no_line() {
        let verdict = example::verdict(json!({"ruling": "harmless", "harmless_within": 1.5, "team": null}));
        let names: Vec<String> = lines(&verdict)
            .iter()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .collect();
        assert_eq!(names, ["change", "effect", "inside", "outside", "next"]);
    }
}
