//! How an incident came to stand as it does: each of its revisions, from the topic that has all of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Result;
use dialtone_schemas::{Alert, Text, alert::AlertReason, avro, topic::Topic};
use dialtone_wire::{KafkaConfig, LogRecord, Payload, registry::Translator};

use super::list::{severity, state, what};
use crate::{say, topic};

/// The topic must be read to its end in this time.
const WAIT: Duration = Duration::from_secs(60);

/// One line for each revision that the topic still has, the oldest first; one that says so where it has none. What cannot be read is counted
/// beside.
pub(super) async fn of(id: &Text, kafka: &KafkaConfig, translator: Option<Arc<Translator>>) -> Result<Vec<String>> {
    let id = id.clone();
    let take = move |told: &mut Told, record: &LogRecord| told.take(&id, record);
    let told = topic::read(kafka, (Topic::Alerts, "the alerts"), translator, WAIT, take).await?;
    if told.unreadable > 0 {
        say::note(format!("{} records about it are no alerts", told.unreadable));
    }
    Ok(told.lines())
}

/// What the topic has about one incident.
#[derive(Debug, Default)]
struct Told {
    revisions: BTreeMap<i64, Alert>,
    /// Records that are no alert.
    unreadable: u64,
}

impl Told {
    fn take(&mut self, id: &Text, record: &LogRecord) {
        let Payload::Value(value) = &record.payload else {
            return;
        };
        if id.as_str().as_bytes() != record.key.as_ref() {
            return;
        }
        match avro::record_from_frame_or_json::<Alert>(value) {
            Ok(alert) => {
                self.revisions.insert(alert.incident.revision, alert);
            }
            Err(_) => self.unreadable += 1,
        }
    }

    fn lines(&self) -> Vec<String> {
        if self.revisions.is_empty() {
            return vec!["the broker keeps no revision of it".to_owned()];
        }
        lines(self.revisions.values())
    }
}

fn lines<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<String> {
    let rows: Vec<_> = alerts.map(row).collect();
    say::aligned(&rows)
}

fn row(alert: &Alert) -> [String; 7] {
    let incident = &alert.incident;
    let called = if alert.page {
        "somebody was called"
    } else {
        "nobody was called"
    };
    [
        alert.at.to_string(),
        state(incident.state).to_owned(),
        what(incident),
        incident.owner.to_string(),
        severity(incident.severity).to_owned(),
        reason(alert.reason).to_owned(),
        called.to_owned(),
    ]
}

const fn reason(reason: AlertReason) -> &'static str {
    match reason {
        AlertReason::Opened => "opened",
        AlertReason::Escalated => "escalated",
        AlertReason::Updated => "updated",
        AlertReason::Resolved => "resolved",
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::tests::{at, incident, text};
    use super::*;

    #[test]
    fn of_what_is_kept_no_longer_it_is_said_and_what_is_no_alert_is_counted() {
        let record = |key: &'static str| LogRecord {
            place: (Topic::Alerts, 0),
            offset: 0,
            key: key.into(),
            payload: Payload::Value("nonsense".into()),
        };
        let mut told = Told::default();
        told.take(&text("i-1"), &record("i-1"));
        told.take(&text("i-1"), &record("i-2"));
        assert_eq!(told.unreadable, 1, "that of another does not count");
        assert_eq!(told.lines(), ["the broker keeps no revision of it"]);
    }

    #[test]
    fn each_revision_says_how_it_stood_why_it_was_told_and_whether_somebody_was_called() {
        let opened = Alert {
            alert_id: text("i-1/0"),
            reason: AlertReason::Opened,
            page: true,
            at: at("2026-03-02T09:05:00Z"),
            title: String::new(),
            incident: incident("i-1"),
        };
        let mut updated = Alert {
            reason: AlertReason::Updated,
            page: false,
            at: at("2026-03-02T09:12:00Z"),
            ..opened.clone()
        };
        updated.incident.owner = text("wan");
        assert_eq!(
            lines([&opened, &updated].into_iter()),
            [
                "2026-03-02T09:05:00Z  localised  site=berlin  lan  minor  opened   somebody was called",
                "2026-03-02T09:12:00Z  localised  site=berlin  wan  minor  updated  nobody was called",
            ]
        );
    }
}
