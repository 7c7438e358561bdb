//! Everything known of one incident, for a person.

use dialtone_schemas::{
    ChangeVerdict, EventTime, Incident, Scope, Text,
    incident::{Crossover, LayerStanding, Rival, UserCrossover},
    time,
};

use super::{
    list::{severity, state, what},
    tell::word,
};
use crate::{changes::did, say};

/// Line by line, each under its name; what is not known has none. `absorber` is the incident that absorbed it, where that is known.
pub(super) fn lines(incident: &Incident, absorber: Option<&Incident>) -> Vec<String> {
    let mut lines = vec![format!(
        "{}  {}  {}, {}; revision {} of {}",
        incident.id,
        what(incident),
        severity(incident.severity),
        state(incident.state),
        incident.revision,
        incident.updated
    )];
    let mut say = |name: &str, texts: Vec<String>| lines.extend(say::named(name, texts));
    say("owner", owner(incident));
    say("since", vec![times(incident)]);
    say("closed", absorbed(incident, absorber));
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
    say("told apart", rivals(incident));
    say("devices", devices(incident));
    say("users", users(incident));
    say("path", path(incident));
    say("explains", explains(incident));
    say("changes", changes(incident));
    say("work", work(incident));
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
        ("watched", incident.watched),
        ("warned of", incident.warned),
        ("opened", incident.opened),
        ("named", incident.localised),
        ("expected to cross its line by", incident.crosses_by),
        ("closed", incident.closed),
    ] {
        if let Some(at) = at {
            text.push_str(&format!("; {what} {at}"));
        }
    }
    text
}

/// Which incident explains it.
fn absorbed(incident: &Incident, absorber: Option<&Incident>) -> Vec<String> {
    let about = absorber.map_or_else(String::new, |absorber| format!(" ({})", what(absorber)));
    let by = absorber.map(|absorber| &absorber.id).or(incident.absorbed_by.as_ref());
    let said = by.map(|by| format!("absorbed by {by}{about}, which explains it"));
    said.into_iter().collect()
}

fn shows(incident: &Incident) -> String {
    if incident.effect > 0.0 {
        let interval = incident.effect_low.zip(incident.effect_high);
        let interval = interval.map_or_else(String::new, |(low, high)| format!(" (95 %: {low} to {high})"));
        format!("{}× the expected{interval}, by {}", incident.effect, incident.metric)
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
    if let Some(devices) = incident.devices {
        text.push_str(&format!(
            ", of {devices} {} or more",
            if devices == 1 { "device" } else { "devices" }
        ));
    }
    if let Some(users) = incident.users {
        text.push_str(&format!(
            ", {users} {} or more",
            if users == 1 { "person" } else { "people" }
        ));
    }
    if let Some(rate) = incident.burn_rate {
        text.push_str(&format!("; the error budget goes {rate} times as fast as it may"));
    }
    let peak = incident.peak_at.zip(incident.peak_poor_minutes);
    let peak = peak.filter(|_| incident.closed.is_none());
    let peak = peak.map(|(at, minutes)| format!("{minutes} in the busiest hour to come, from {at}"));
    [text].into_iter().chain(peak).collect()
}

/// The devices that called inside and outside its scope, compared with themselves.
fn devices(incident: &Incident) -> Vec<String> {
    let line = |of: &Crossover| both_sides(of.devices, &of.apart_from, (of.odds_ratio, of.low, of.high));
    incident.crossovers.iter().flatten().map(line).collect()
}

/// The people who did, on whatever device.
fn users(incident: &Incident) -> Vec<String> {
    let line = |of: &UserCrossover| both_sides(of.users, &of.apart_from, (of.odds_ratio, of.low, of.high));
    incident.user_crossovers.iter().flatten().map(line).collect()
}

fn both_sides(count: i64, apart_from: &Scope, (odds_ratio, low, high): (f64, f64, f64)) -> String {
    let apart = if apart_from.conditions().len() == 0 {
        String::new()
    } else {
        format!(", apart from {apart_from}")
    };
    format!(
        "{count} on both sides{apart}: odds of a poor call {odds_ratio} times as high inside (95 %: {low} to {high})"
    )
}

/// What tells it from scopes that have most of the same calls, or what would.
fn rivals(incident: &Incident) -> Vec<String> {
    let line = |rival: &Rival| {
        let same = format!("{} ({:.0} % of the calls the same)", rival.scope, 100.0 * rival.jaccard);
        let by = by_the_same(incident, rival);
        let held = format!("{} times outside it, at least {}{by}", rival.held, rival.held_low);
        match rival.calls_missing {
            Some(missing) => format!(
                "{same}: not separable by the data, {missing} more call-ends of {} outside {} would tell",
                incident.scope, rival.scope
            ),
            None if rival.held_low > 1.0 => format!("{same}: {held}"),
            None => format!("{same}: {held}, so this may be the cause"),
        }
    };
    incident.rivals.iter().flatten().map(line).collect()
}

/// Do the same devices tell it from this rival, or the same people, where nothing else does? Then the figures are theirs.
fn by_the_same(incident: &Incident, rival: &Rival) -> &'static str {
    let is_theirs = |apart_from: &Scope, odds_ratio: f64, low: f64| {
        let same = odds_ratio.total_cmp(&rival.held).is_eq() && low.total_cmp(&rival.held_low).is_eq();
        *apart_from == rival.scope && same
    };
    let mut devices = incident.crossovers.iter().flatten();
    let mut users = incident.user_crossovers.iter().flatten();
    if devices.any(|of| is_theirs(&of.apart_from, of.odds_ratio, of.low)) {
        ", by the same devices"
    } else if users.any(|of| is_theirs(&of.apart_from, of.odds_ratio, of.low)) {
        ", by the same people"
    } else {
        ""
    }
}

/// The layers of the path, each with what tells.
fn path(incident: &Incident) -> Vec<String> {
    let line = |layer: &LayerStanding| {
        let name = layer.layer.name();
        let standing = layer.standing.name();
        if layer.at_risk == 0 {
            return format!("{name:<14} {standing}");
        }
        let figures = if is_silence(incident) {
            let came = layer.at_risk - layer.poor;
            format!("{came} of {} expected reports a minute come", layer.at_risk)
        } else {
            format!(
                "{} poor of {:.1} expected, {} call-ends",
                layer.poor, layer.expected, layer.at_risk
            )
        };
        format!("{name:<14} {standing:<9}  {}: {figures}", layer.scope)
    };
    incident.layers.iter().flatten().map(line).collect()
}

/// Is it about calls or reports that do not come?
fn is_silence(incident: &Incident) -> bool {
    matches!(incident.metric.as_str(), "volume" | "telemetry")
}

fn explains(incident: &Incident) -> Vec<String> {
    let Some(ratio) = incident.explained_ratio else {
        return Vec::new();
    };
    let outside = if incident.is_outside_the_dimensions() {
        ": most of the cause lies outside the observed dimensions"
    } else {
        ""
    };
    vec![format!(
        "{:.0} % of what is poor beyond the expected{outside}",
        100.0 * ratio
    )]
}

fn work(incident: &Incident) -> Vec<String> {
    let work = incident.maintenance.iter();
    work.map(|work| format!("it began during {work}: nobody is called before that should be over"))
        .collect()
}

fn evidence(incident: &Incident) -> Vec<String> {
    let line = |e: &dialtone_schemas::incident::Evidence| {
        format!(
            "{:<14} {:>9} {:>9} {:>10.1}",
            e.group.as_str(),
            e.at_risk,
            e.poor,
            e.expected
        )
    };
    if incident.evidence.is_empty() {
        return Vec::new();
    }
    let head = format!("{:<14} {:>9} {:>9} {:>10}", "", "at risk", "poor", "expected");
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

/// What changes did that were to end it, by their verdicts.
pub(super) fn repairs(verdicts: &[&ChangeVerdict]) -> Vec<String> {
    say::named("repair", verdicts.iter().map(|verdict| repair(verdict)))
}

/// What a change did that was to end it.
fn repair(verdict: &ChangeVerdict) -> String {
    format!("{}: {} (as of {})", verdict.change_id, did(verdict.repair), verdict.at)
}

fn complaints(incident: &Incident) -> String {
    let mut text = incident.complaints.to_string();
    for (which, at) in [("first", incident.first_complaint), ("third", incident.third_complaint)] {
        if let Some(at) = at {
            text.push_str(&format!(", the {which} {at}"));
        }
        if let (Some(at), Some(opened)) = (at, incident.opened) {
            let minutes = at.since(opened) / time::MINUTE;
            let side = if minutes >= 0 { "after" } else { "before" };
            text.push_str(&format!(" ({} min {side} it was told)", minutes.abs()));
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
        at(incident.accepted, "accepted as the new normal").map(|text| text + &why(incident.accepted_reason.as_ref())),
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
    use dialtone_schemas::{
        Dimension,
        incident::{Evidence, Layer, Standing},
    };

    use super::super::list::tests::{at, incident, text};
    use super::*;
    use crate::changes::example;

    fn repair_of_it(id: &str, did: &str) -> ChangeVerdict {
        example::verdict(serde_json::json!({"change_id": id, "ruling": "harmless", "repairs": "i-1", "repair": did}))
    }

    #[test]
    fn a_person_reads_whose_it_is_what_it_costs_and_what_was_said() {
        let mut incident = incident("i-1");
        (incident.effect, incident.excess_poor_minutes) = (5.5, 41.5);
        incident.poor_minutes_an_hour = Some(30.0);
        incident.poor_call_ends = Some(30);
        (incident.effect_low, incident.effect_high) = (Some(3.9), Some(7.8));
        (incident.devices, incident.users) = (Some(21), Some(18));
        (incident.peak_at, incident.peak_poor_minutes) = (Some(at("2026-03-02T13:00:00Z")), Some(65.5));
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
            lines(&incident, None),
            [
                "i-1  site=berlin  minor, localised; revision 0 of 2026-03-02T09:05:00Z",
                "  owner      lan, lan@example.com, https://wiki.example.com/lan",
                "  since      2026-03-02T09:00:00Z to 2026-03-02T09:00:00Z; opened 2026-03-02T09:05:00Z; named 2026-03-02T09:05:00Z",
                "  shows      5.5× the expected (95 %: 3.9 to 7.8), by mos",
                "  costs      41.5 poor minutes beyond the expected, 30 an hour of late; 30 call-ends poor, of 21 devices or more, 18 people or more",
                "             65.5 in the busiest hour to come, from 2026-03-02T13:00:00Z",
                "  evidence                    at risk      poor   expected",
                "             inside                90        30        2.5",
                "  changes    none suspected",
                "  complaints 0",
                "  people     acknowledged 2026-03-02T09:10:00Z by lan",
                "  before     2 about the same in the 30 days before, the last i-0",
            ]
        );
    }

    #[test]
    fn a_person_reads_which_incident_absorbed_it_and_what_that_is_about() {
        let absorbed = Incident {
            absorbed_by: Some(text("i-2")),
            ..incident("i-1")
        };
        let says = |absorber: Option<&Incident>| lines(&absorbed, absorber)[3].clone();
        assert_eq!(
            says(Some(&incident("i-2"))),
            "  closed     absorbed by i-2 (site=berlin), which explains it"
        );
        assert_eq!(
            says(None),
            "  closed     absorbed by i-2, which explains it",
            "that is forgotten"
        );
    }

    #[test]
    fn a_person_reads_below_it_how_its_repairs_went() {
        let (ninth, tenth) = (repair_of_it("CHG-9", "no_effect"), repair_of_it("CHG-10", "confirmed"));
        assert_eq!(
            repairs(&[&ninth, &tenth]),
            [
                "  repair     CHG-9: no effect, the fault remains (as of 2026-03-02T10:00:00Z)",
                "             CHG-10: confirmed, quality came back after it (as of 2026-03-02T10:00:00Z)",
            ]
        );
        assert_eq!(repairs(&[]), [""; 0]);
    }

    #[test]
    fn a_person_reads_of_an_outage_what_goes_on_beside_it() {
        let mut incident = incident("i-1");
        (incident.metric, incident.effect) = (text("volume"), 0.0);
        let layer = |layer, standing, scope, poor| LayerStanding {
            layer,
            standing,
            scope: Scope::new([scope]),
            at_risk: 40,
            poor,
            expected: 0.0,
        };
        incident.layers = Some(vec![
            layer(Layer::Wan, Standing::Cleared, (Dimension::Isp, text("Nordnet")), 1),
            layer(
                Layer::Carrier,
                Standing::Suspected,
                (Dimension::Carrier, text("Telnova")),
                40,
            ),
        ]);
        let lines = lines(&incident, None);
        for said in [
            "  path       wan            cleared    isp=Nordnet: 39 of 40 expected reports a minute come",
            "             carrier        suspected  carrier=Telnova: 0 of 40 expected reports a minute come",
        ] {
            assert!(lines.iter().any(|line| line == said), "{said} in {lines:#?}");
        }
    }

    #[test]
    fn a_person_reads_what_is_cleared_what_cannot_be_told_apart_and_what_is_left_unexplained() {
        let isp = Scope::new([(Dimension::Isp, text("Nordnet"))]);
        let mut incident = incident("i-1");
        incident.layers = Some(vec![
            LayerStanding {
                layer: Layer::Wan,
                standing: Standing::Cleared,
                scope: isp.clone(),
                at_risk: 800,
                poor: 20,
                expected: 19.5,
            },
            LayerStanding {
                layer: Layer::Carrier,
                standing: Standing::Unknown,
                scope: Scope::default(),
                at_risk: 0,
                poor: 0,
                expected: 0.0,
            },
        ]);
        let rival = |held_low, calls_missing| Rival {
            scope: isp.clone(),
            jaccard: 0.8,
            held: 3.0,
            held_low,
            calls_missing,
        };
        let crossover = |apart_from| Crossover {
            apart_from,
            devices: 12,
            odds_ratio: 3.8,
            low: 1.2,
            high: 12.3,
        };
        incident.crossovers = Some(vec![crossover(Scope::default()), crossover(isp.clone())]);
        incident.user_crossovers = Some(vec![UserCrossover {
            apart_from: isp.clone(),
            users: 6,
            odds_ratio: 25.0,
            low: 1.27,
            high: 493.0,
        }]);
        let by_the_same = |held, held_low| Rival {
            held,
            ..rival(held_low, None)
        };
        let strata = [rival(2.1, None), rival(0.9, Some(120)), rival(0.9, None)];
        let same = [by_the_same(3.8, 1.2), by_the_same(25.0, 1.27)];
        incident.rivals = Some(strata.into_iter().chain(same).collect());
        (incident.explained_ratio, incident.maintenance) = (Some(0.4), Some(text("CHG-7")));
        incident.burn_rate = Some(14.4);
        let lines = lines(&incident, None);
        for said in [
            "  told apart isp=Nordnet (80 % of the calls the same): 3 times outside it, at least 2.1",
            "             isp=Nordnet (80 % of the calls the same): not separable by the data, 120 more call-ends of site=berlin outside isp=Nordnet would tell",
            "             isp=Nordnet (80 % of the calls the same): 3 times outside it, at least 0.9, so this may be the cause",
            "             isp=Nordnet (80 % of the calls the same): 3.8 times outside it, at least 1.2, by the same devices",
            "             isp=Nordnet (80 % of the calls the same): 25 times outside it, at least 1.27, by the same people",
            "  devices    12 on both sides: odds of a poor call 3.8 times as high inside (95 %: 1.2 to 12.3)",
            "             12 on both sides, apart from isp=Nordnet: odds of a poor call 3.8 times as high inside (95 %: 1.2 to 12.3)",
            "  users      6 on both sides, apart from isp=Nordnet: odds of a poor call 25 times as high inside (95 %: 1.27 to 493)",
            "  path       wan            cleared    isp=Nordnet: 20 poor of 19.5 expected, 800 call-ends",
            "             carrier        unknown",
            "  explains   40 % of what is poor beyond the expected: most of the cause lies outside the observed dimensions",
            "  work       it began during CHG-7: nobody is called before that should be over",
        ] {
            assert!(lines.iter().any(|line| line == said), "{said} in {lines:#?}");
        }
        assert!(
            lines
                .iter()
                .any(|line| line.ends_with("goes 14.4 times as fast as it may")),
            "{lines:#?}"
        );
    }
}
