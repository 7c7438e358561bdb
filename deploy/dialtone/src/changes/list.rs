//! One line for each change, the harmful ones first.

use std::cmp::Reverse;

use anyhow::Result;
use dialtone_schemas::{ChangeVerdict, Ruling, Text};

use super::{did, read::Known};
use crate::{
    cli::{ListChanges, Ruled},
    report::words::undecided,
    say,
};

/// Says the list.
pub(super) fn say(known: &Known, args: &ListChanges) -> Result<()> {
    let chosen = chosen(known.all(), args);
    if args.json {
        for verdict in &chosen {
            say::line(serde_json::to_string(verdict)?);
        }
    } else {
        let rows: Vec<_> = chosen.iter().map(|verdict| row(verdict)).collect();
        say::aligned(&rows).iter().for_each(say::line);
        if chosen.is_empty() {
            say::note(format!("none of {} changes", known.all().count()));
        }
    }
    known.say_what_is_missing();
    Ok(())
}

/// Those asked for: harmful ones, the latest first; undecided ones, the soonest to be decided first and at last those that never will be;
/// harmless ones, the latest first.
fn chosen<'a>(all: impl Iterator<Item = &'a ChangeVerdict>, args: &ListChanges) -> Vec<&'a ChangeVerdict> {
    let is_meant = |verdict: &&ChangeVerdict| {
        args.ruling.is_none_or(|ruled| ruled == ruled_of(verdict))
            && args.tenant.as_ref().is_none_or(|tenant| *tenant == verdict.tenant)
    };
    let mut chosen: Vec<&ChangeVerdict> = all.filter(is_meant).collect();
    chosen.sort_by_key(|verdict| {
        let (is_never, due) = match verdict.ruling {
            Ruling::NotEnoughCalls => (verdict.is_final, verdict.expected_by),
            Ruling::Harmful | Ruling::Harmless => (false, None),
        };
        let is_when_unknown = is_never || due.is_none();
        let names = (verdict.change_id.clone(), verdict.tenant.clone());
        (
            place(verdict.ruling),
            is_never,
            is_when_unknown,
            due,
            Reverse(verdict.at),
            names,
        )
    });
    chosen
}

const fn place(ruling: Ruling) -> u8 {
    match ruling {
        Ruling::Harmful => 0,
        Ruling::NotEnoughCalls => 1,
        Ruling::Harmless => 2,
    }
}

const fn ruled_of(verdict: &ChangeVerdict) -> Ruled {
    match verdict.ruling {
        Ruling::Harmful => Ruled::Harmful,
        Ruling::Harmless => Ruled::Harmless,
        Ruling::NotEnoughCalls => Ruled::Undecided,
    }
}

fn row(verdict: &ChangeVerdict) -> [String; 7] {
    [
        verdict.change_id.to_string(),
        ruling(verdict),
        verdict.kind.name().to_owned(),
        verdict.team.as_ref().map_or("no team", Text::as_str).to_owned(),
        linked(verdict),
        format!("since {}", verdict.started_at),
        format!("as of {}", verdict.at),
    ]
}

/// What is said of it, and what can be done with it.
pub(super) fn ruling(verdict: &ChangeVerdict) -> String {
    let said = match verdict.ruling {
        Ruling::Harmful if verdict.effect_low > 1.0 => format!("harmful, {:.1} times as poor", verdict.effect),
        Ruling::Harmful => "harmful".to_owned(),
        Ruling::Harmless => {
            let within = verdict.harmless_within.unwrap_or(verdict.effect_high);
            format!("harmless to within {within} times")
        }
        Ruling::NotEnoughCalls if verdict.is_final => "never enough calls".to_owned(),
        Ruling::NotEnoughCalls => return undecided(verdict),
    };
    if verdict.is_final {
        format!("{said}, for good")
    } else {
        said
    }
}

/// The incidents that it has to do with.
fn linked(verdict: &ChangeVerdict) -> String {
    let caused = verdict.incident_id.as_ref().map(|id| format!("see {id}"));
    let repaired = verdict.repairs.as_ref();
    let repaired = repaired.map(|id| format!("repair of {id}: {}", did(verdict.repair)));
    let linked: Vec<String> = caused.into_iter().chain(repaired).collect();
    if linked.is_empty() {
        "no incident".to_owned()
    } else {
        linked.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::example::verdict;
    use super::*;

    fn ids(all: &[ChangeVerdict], ruling: Option<Ruled>) -> Vec<String> {
        let args = ListChanges {
            ruling,
            tenant: None,
            json: false,
        };
        let chosen = chosen(all.iter(), &args).into_iter();
        chosen.map(|of| of.change_id.to_string()).collect()
    }

    #[test]
    fn harmful_ones_come_first_then_those_that_will_soon_be_decided() {
        let undecided = |id: &str, by: Option<&str>, is_final: bool| {
            verdict(json!({
                "change_id": id, "ruling": "not_enough_calls", "expected_by": by, "is_final": is_final
            }))
        };
        let all = [
            verdict(json!({"change_id": "a", "ruling": "harmless", "harmless_within": 1.5})),
            undecided("b", None, true),
            undecided("c", None, false),
            undecided("d", Some("2026-03-02T11:00:00Z"), false),
            undecided("e", Some("2026-03-02T10:20:00Z"), false),
            verdict(json!({"change_id": "f", "at": "2026-03-02T08:00:00Z"})),
            verdict(json!({"change_id": "g", "at": "2026-03-02T09:00:00Z"})),
        ];
        assert_eq!(ids(&all, None), ["g", "f", "e", "d", "c", "b", "a"]);
        assert_eq!(ids(&all, Some(Ruled::Harmful)), ["g", "f"]);
        assert_eq!(ids(&all, Some(Ruled::Harmless)), ["a"]);
        assert_eq!(ids(&all, Some(Ruled::Undecided)), ["e", "d", "c", "b"]);
    }

    #[test]
    fn a_line_says_what_is_said_of_a_change_whose_it_is_and_what_it_did_for_which_incident() {
        let harmful = verdict(json!({"incident_id": "i-1"}));
        let harmless = verdict(json!({
            "change_id": "CHG-22", "ruling": "harmless", "harmless_within": 1.5, "is_final": true, "team": null,
            "kind": "firmware", "repairs": "i-2", "repair": "no_effect"
        }));
        assert_eq!(
            say::aligned(&[row(&harmful), row(&harmless)]),
            [
                "CHG-1   harmful, 3.2 times as poor              route     voice    see i-1                                      \
                 since 2026-03-02T08:55:00Z  as of 2026-03-02T10:00:00Z",
                "CHG-22  harmless to within 1.5 times, for good  firmware  no team  repair of i-2: no effect, the fault remains  \
                 since 2026-03-02T08:55:00Z  as of 2026-03-02T10:00:00Z",
            ]
        );
        let waiting = verdict(json!({
            "ruling": "not_enough_calls", "calls_missing": 120, "expected_by": "2026-03-02T10:20:00Z"
        }));
        assert_eq!(
            ruling(&waiting),
            "not enough calls yet: 120 more call-ends would tell, expected by 2026-03-02T10:20:00Z"
        );
    }
}
