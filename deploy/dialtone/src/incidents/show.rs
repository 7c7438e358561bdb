//! Everything known of one incident, for a person.

use dialtone_schemas::{EventTime, Incident, Text};

use super::{
    list::{severity, state, what},
    tell::word,
};

/// Line by line, each under its name; what is not known has none.
pub(super) fn lines(incident: &Incident) -> Vec<String> {
    let mut lines = vec![format!(
        "{}  {}  {}, {}; revision {} of {}",
        incident.id,
        what(incident),
        severity(incident.severity),
        state(incident.state),
        incident.revision,
        incident.updated
    )];
    let mut say = |name: &str, texts: Vec<String>| {
        let named = texts.iter().enumerate().map(|(i, text)| {
            let name = if i == 0 { name } else { "" };
            format!("  {name:<10} {text}")
        });
        lines.extend(named);
    };
    say("owner", owner(incident));
    say("since", vec![times(incident)]);
    say("shows", vec![shows(incident)]);
    say("costs", costs(incident));
    say("evidence", evidence(incident));
    say("also", incident.aliases.iter().map(ToString::to_string).collect());
    let others = incident.alternatives.iter();
    say(
        "or else",
        others
            .map(|a| format!("{} ({:.0} %)", a.scope, 100.0 * a.score))
            .collect(),
    );
    say("changes", changes(incident));
    say("complaints", vec![complaints(incident)]);
    say("people", people(incident));
    say("before", before(incident));
    say("calls", calls(&incident.exemplar_calls));
    lines
}

fn owner(incident: &Incident) -> Vec<String> {
    let parts = [
        Some(&incident.owner),
        incident.contact.as_ref(),
        incident.runbook.as_ref(),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().map(ToString::to_string).collect();
    vec![parts.join(", ")]
}

fn times(incident: &Incident) -> String {
    let mut text = format!("{} to {}", incident.onset.from, incident.onset.to);
    for (what, at) in [
        ("opened", incident.opened),
        ("named", incident.localised),
        ("closed", incident.closed),
    ] {
        if let Some(at) = at {
            text.push_str(&format!("; {what} {at}"));
        }
    }
    text
}

fn shows(incident: &Incident) -> String {
    if incident.effect > 0.0 {
        format!("{}× the expected, by {}", incident.effect, incident.metric)
    } else {
        format!("silence, by {}", incident.metric)
    }
}

fn costs(incident: &Incident) -> Vec<String> {
    let mut text = format!("{} poor minutes beyond the expected", incident.excess_poor_minutes);
    if let Some(cost) = incident.poor_minutes_an_hour {
        text.push_str(&format!(", {cost} an hour of late"));
    }
    if let Some(ends) = incident.poor_call_ends {
        text.push_str(&format!("; {ends} call-ends poor"));
    }
    vec![text]
}

fn evidence(incident: &Incident) -> Vec<String> {
    let line = |e: &dialtone_schemas::incident::Evidence| {
        format!(
            "{:<9} {:>9} {:>9} {:>10.1}",
            e.group.as_str(),
            e.at_risk,
            e.poor,
            e.expected
        )
    };
    if incident.evidence.is_empty() {
        return Vec::new();
    }
    let head = format!("{:<9} {:>9} {:>9} {:>10}", "", "at risk", "poor", "expected");
    [head].into_iter().chain(incident.evidence.iter().map(line)).collect()
}

fn changes(incident: &Incident) -> Vec<String> {
    if incident.suspected_changes.is_empty() {
        return vec!["none suspected".to_owned()];
    }
    let suspects = incident.suspected_changes.iter();
    suspects
        .map(|s| format!("{} ({:.0} %)", s.change_id, 100.0 * s.score))
        .collect()
}

fn complaints(incident: &Incident) -> String {
    let mut text = incident.complaints.to_string();
    for (which, at) in [("first", incident.first_complaint), ("third", incident.third_complaint)] {
        if let Some(at) = at {
            text.push_str(&format!(", the {which} {at}"));
        }
    }
    text
}

/// What people said and did.
fn people(incident: &Incident) -> Vec<String> {
    let by = |team: Option<&Text>| team.map_or_else(String::new, |team| format!(" by {team}"));
    let why = |reason: Option<&Text>| reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let at = |at: Option<EventTime>, text: &str| at.map(|at| format!("{text} {at}"));
    let verdict = incident.verdict.map(|verdict| {
        format!(
            "the named cause is {}{}",
            word(verdict),
            why(incident.verdict_reason.as_ref())
        )
    });
    let escalated = incident.escalated_to.as_ref().zip(incident.escalated);
    let said = [
        at(incident.acknowledged, "acknowledged").map(|text| text + &by(incident.acknowledged_by.as_ref())),
        at(incident.silenced_until, "silenced until"),
        at(incident.reassigned, "given to its owner").map(|text| text + &why(incident.reassigned_reason.as_ref())),
        escalated.map(|(to, at)| format!("not acknowledged in time: {to} called {at}")),
        verdict,
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if said.is_empty() {
        vec!["nobody has acknowledged it".to_owned()]
    } else {
        said
    }
}

fn before(incident: &Incident) -> Vec<String> {
    match (incident.earlier, &incident.earlier_id) {
        (Some(count @ 1..), Some(last)) => {
            vec![format!("{count} about the same in the 30 days before, the last {last}")]
        }
        _ => Vec::new(),
    }
}

fn calls(calls: &[Text]) -> Vec<String> {
    let calls: Vec<&str> = calls.iter().map(Text::as_str).collect();
    if calls.is_empty() {
        Vec::new()
    } else {
        vec![calls.join(", ")]
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::incident::Evidence;

    use super::super::list::tests::{at, incident, text};
    use super::*;

    #[test]
    fn a_person_reads_whose_it_is_what_it_costs_and_what_was_said() {
        let mut incident = incident("i-1");
        (incident.effect, incident.excess_poor_minutes) = (5.5, 41.5);
        incident.poor_minutes_an_hour = Some(30.0);
        incident.poor_call_ends = Some(30);
        incident.contact = Some(text("lan@example.com"));
        incident.runbook = Some(text("https://wiki.example.com/lan"));
        incident.evidence = vec![Evidence {
            group: text("inside"),
            at_risk: 90,
            poor: 30,
            expected: 2.5,
        }];
        incident.acknowledged = Some(at("2026-03-02T09:10:00Z"));
        incident.acknowledged_by = Some(text("lan"));
        (incident.earlier, incident.earlier_id) = (Some(2), Some(text("i-0")));
        assert_eq!(
            lines(&incident),
            [
                "i-1  site=berlin  minor, localised; revision 0 of 2026-03-02T09:05:00Z",
                "  owner      lan, lan@example.com, https://wiki.example.com/lan",
                "  since      2026-03-02T09:00:00Z to 2026-03-02T09:00:00Z; opened 2026-03-02T09:05:00Z; named 2026-03-02T09:05:00Z",
                "  shows      5.5× the expected, by mos",
                "  costs      41.5 poor minutes beyond the expected, 30 an hour of late; 30 call-ends poor",
                "  evidence               at risk      poor   expected",
                "             inside           90        30        2.5",
                "  changes    none suspected",
                "  complaints 0",
                "  people     acknowledged 2026-03-02T09:10:00Z by lan",
                "  before     2 about the same in the 30 days before, the last i-0",
            ]
        );
    }
}
