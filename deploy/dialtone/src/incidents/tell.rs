//! What a person says about an incident, as a record of the control topic.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use dialtone_processor::{config::Owners, watch::owner::teams};
use dialtone_schemas::{
    Control, EventTime, Incident, State, Text, avro,
    control::ControlKind,
    incident::Verdict,
    topic::{Topic, event_key},
};
use dialtone_wire::{KafkaConfig, KafkaPublisher, OutRecord, Payload, Publish, registry::Translator};

use super::list::what;
use crate::{
    cli::{About, IncidentsAction, SilenceIncident},
    config::{Config, edits},
};

/// What is on its way has this long when closing.
const CLOSE: Duration = Duration::from_secs(5);
/// Known teams that are named where one is not known.
const MOST_NAMED: usize = 10;

/// Which incident it is about; none where nothing is said.
pub(super) const fn about(action: &IncidentsAction) -> Option<&About> {
    match action {
        IncidentsAction::List(_) | IncidentsAction::Explain(_) | IncidentsAction::Show(_) => None,
        IncidentsAction::Silence(SilenceIncident { about, .. })
        | IncidentsAction::Ack { about }
        | IncidentsAction::Reassign { about, .. }
        | IncidentsAction::Verdict { about, .. }
        | IncidentsAction::Accept { about, .. } => Some(about),
    }
}

/// A team that the owners' file does not name is a slip of the pen, as like as not: it is refused unless it is meant.
pub(super) fn check_team(action: &IncidentsAction, config: &Config) -> Result<()> {
    let file = &config.processor.owners;
    match action {
        IncidentsAction::Reassign {
            to,
            even_unknown: false,
            ..
        } if !file.as_os_str().is_empty() => {
            let owners = config.owners();
            let owners = owners.with_context(|| {
                format!("--to: whether {to} is a team cannot be told; --even-unknown gives it to {to} all the same")
            })?;
            is_known(to, &owners, &file.display().to_string())
        }
        _ => Ok(()),
    }
}

/// Does the file know this team? An error names those that it knows, the nearest first.
fn is_known(team: &Text, owners: &Owners, file: &str) -> Result<()> {
    let known = teams(owners);
    if known.contains(team) {
        return Ok(());
    }
    let mut known: Vec<&str> = known.into_iter().map(Text::as_str).collect();
    known.sort_by_key(|known| edits(known, team.as_str()));
    let more = match known.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    known.truncate(MOST_NAMED);
    bail!(
        "--to: {file} knows no team {team}, but {}{more}; --even-unknown gives it to {team} all the same",
        known.join(", ")
    )
}

/// The record that says it.
pub(super) fn control(incident: &Incident, action: &IncidentsAction, now: EventTime) -> Result<Control> {
    let team = about(action).and_then(|about| about.by.clone());
    let says = |kind| Control {
        team: team.clone(),
        ..Control::about(incident, kind, now)
    };
    let control = match action {
        IncidentsAction::Silence(silence) => Control {
            until: silence.until.or(silence.length.map(|length| now.plus(length.micros()))),
            ..says(ControlKind::Silence)
        },
        IncidentsAction::Reassign { to, reason, .. } => Control {
            to: Some(to.clone()),
            reason: Some(reason.clone()),
            ..says(ControlKind::Reassign)
        },
        IncidentsAction::Verdict { verdict, reason, .. } => Control {
            body: Some(word(*verdict).to_owned()),
            reason: reason.clone(),
            ..says(ControlKind::Verdict)
        },
        IncidentsAction::Accept { reason, .. } => Control {
            reason: Some(reason.clone()),
            ..says(ControlKind::Accept)
        },
        IncidentsAction::Ack { .. } => says(ControlKind::Acknowledge),
        IncidentsAction::List(_) | IncidentsAction::Explain(_) | IncidentsAction::Show(_) => {
            bail!("nothing is said")
        }
    };
    control.check()?;
    Ok(control)
}

pub(super) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Right => "right",
        Verdict::Wrong => "wrong",
    }
}

/// Writes it, and waits until the broker has it.
pub(super) async fn send(kafka: &KafkaConfig, translator: Option<Arc<Translator>>, control: &Control) -> Result<()> {
    let publisher = KafkaPublisher::connect(kafka, translator).await.context("producer")?;
    let tenant = control.tenant.as_ref().map_or("", |tenant| tenant.as_str());
    let record = OutRecord {
        topic: Topic::Control,
        partition: Some(0),
        key: event_key(tenant, control.control_id.as_str()).into(),
        payload: Payload::Value(Bytes::from(avro::built_in_frame_from(control)?)),
        headers: Vec::new(),
    };
    let deliveries = publisher.publish(vec![record]).await;
    publisher.close(CLOSE).await?;
    for delivery in deliveries {
        delivery.context("it was not acknowledged by the broker, and may or may not be obeyed: say it again")?;
    }
    Ok(())
}

/// What was done, for who did it.
pub(super) fn done(incident: &Incident, control: &Control) -> String {
    let (id, owner) = (&incident.id, &incident.owner);
    let named = format!("{id} ({}, {owner})", what(incident));
    let told = match (control.kind, control.until, &control.to) {
        (ControlKind::Silence, Some(until), _) => format!("{named} is silenced until {until}"),
        (ControlKind::Reassign, _, Some(to)) => format!("{named} is given to {to}"),
        (ControlKind::Verdict, ..) => {
            let verdict = control.body.as_deref().unwrap_or_default();
            format!("{named}: the named cause is {verdict}")
        }
        (ControlKind::Accept, ..) => format!("{named}: what it shows is the new normal"),
        _ => format!("{named} is acknowledged"),
    };
    let but = match incident.state {
        State::Closed => "; it is closed, and is revised only while watch remembers it",
        State::Watch if control.kind == ControlKind::Accept => "; it has not opened, and there is nothing to accept",
        State::Watch => "; it is watched, and this goes on with it if it opens",
        _ => "",
    };
    format!(
        "{told}: {} is in the log, and shows on the incident a minute or two later{but}",
        control.control_id
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::list::tests::{at, incident, text};
    use super::*;
    use crate::{
        cli::{Cli, Command},
        config::{load, owners},
    };

    fn action(line: &str) -> Result<IncidentsAction> {
        let words = ["dialtone", "incidents"].into_iter().chain(line.split(' '));
        let Command::Incidents { action } = Cli::try_parse_from(words)?.command else {
            panic!("incidents")
        };
        Ok(action)
    }

    fn says(line: &str) -> Result<Control> {
        control(&incident("i-1"), &action(line)?, at("2026-03-02T10:00:00Z"))
    }

    fn said(line: &str) -> Control {
        says(line).expect("a record")
    }

    #[test]
    fn what_is_typed_becomes_a_record_about_the_incident_of_its_tenant() {
        let ack = said("ack i-1 --by lan");
        assert_eq!((ack.kind, &ack.team), (ControlKind::Acknowledge, &Some(text("lan"))));
        assert_eq!((ack.tenant, ack.incident_id), (Some(text("acme")), Some(text("i-1"))));
        assert_eq!(said("silence i-1 --for 2h").until, Some(at("2026-03-02T12:00:00Z")));
        let until = said("silence i-1 --until 2026-03-02T11:00:00Z").until;
        assert_eq!(until, Some(at("2026-03-02T11:00:00Z")));
        let wan = said("reassign i-1 --to wan --reason theirs");
        assert_eq!((wan.to, wan.reason), (Some(text("wan")), Some(text("theirs"))));
        let accept = said("accept i-1 --reason codec");
        assert_eq!((accept.kind, accept.reason), (ControlKind::Accept, Some(text("codec"))));
        let wrong = said("verdict i-1 wrong --reason carrier");
        assert_eq!(
            (wrong.verdict(), wrong.reason),
            (Some(Verdict::Wrong), Some(text("carrier")))
        );
    }

    #[test]
    fn what_says_too_little_is_refused_before_anything_is_read() {
        let refused = |line: &str| says(line).expect_err("refused").to_string();
        assert!(refused("silence i-1").contains("--for <SPAN>"));
        assert!(refused("silence i-1 --for soon").contains("not a length of time"));
        assert!(refused("reassign i-1 --to wan").contains("--reason <TEXT>"));
        assert!(refused("accept i-1").contains("--reason <TEXT>"));
        assert!(refused("verdict i-1 maybe").contains("expected `right` or `wrong`"));
    }

    /// `wna` is two letters from `wan` and from `lan` three; voice is no more.
    #[test]
    fn a_team_that_the_owners_file_does_not_name_is_refused_with_the_nearest_first_unless_it_is_meant() {
        let rules = "default = \"desk\"\ndissolved = [\"voice\"]\n[[owner]]\nteam = \"lan\"\nlayer = \"site\"\n\
                     [[owner]]\nteam = \"wan\"\nlayer = \"wan\"\n[[owner]]\nteam = \"voice\"\nlayer = \"carrier\"\n";
        let owners = owners("f", rules).expect("owners");
        let refused = |team: &str| is_known(&text(team), &owners, "f").expect_err("unknown").to_string();
        assert!(is_known(&text("wan"), &owners, "f").is_ok());
        assert_eq!(
            refused("wna"),
            "--to: f knows no team wna, but wan, lan, desk; --even-unknown gives it to wna all the same"
        );
        assert!(refused("voice").starts_with("--to: f knows no team voice, but "));
        let is_meant = |line: &str| {
            let action = action(line).expect("an action");
            matches!(action, IncidentsAction::Reassign { even_unknown: true, .. })
        };
        assert!(is_meant("reassign i-1 --to wna --reason new --even-unknown"));
        assert!(!is_meant("reassign i-1 --to wna --reason new"));
    }

    #[test]
    fn where_the_teams_cannot_be_read_it_is_said_how_to_do_without() {
        let mut config = load(None, std::iter::empty()).expect("defaults");
        config.processor.owners = "gone/owners.toml".into();
        let checked = |line: &str| check_team(&action(line).expect("an action"), &config);
        let line = "reassign i-1 --to wan --reason theirs";
        let refused = checked(line).expect_err("refused").to_string();
        assert!(refused.contains("--even-unknown gives it to wan"), "{refused}");
        assert!(checked(&format!("{line} --even-unknown")).is_ok());
    }

    #[test]
    fn what_is_said_of_what_is_watched_goes_on_with_it() {
        let watched = Incident {
            state: State::Watch,
            ..incident("i-1")
        };
        assert!(done(&watched, &said("ack i-1")).ends_with("; it is watched, and this goes on with it if it opens"));
        assert!(done(&watched, &said("accept i-1 --reason codec")).ends_with("and there is nothing to accept"));
    }

    #[test]
    fn two_that_are_said_at_once_are_two_and_one_said_twice_is_one() {
        let (ack, silence) = (said("ack i-1"), said("silence i-1 --for 2h"));
        assert_ne!(ack.control_id, silence.control_id);
        assert_eq!(ack, said("ack i-1"));
    }

    #[test]
    fn who_did_it_is_told_what_was_done() {
        let done = done(&incident("i-1"), &said("reassign i-1 --to wan --reason theirs"));
        assert!(
            done.starts_with("i-1 (site=berlin, lan) is given to wan: reassign-"),
            "{done}"
        );
    }
}
