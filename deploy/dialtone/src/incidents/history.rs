//! How an incident came to stand as it does: each of its revisions, from the topic that has all of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use dialtone_schemas::{Alert, Text, alert::AlertReason, avro, topic::Topic};
use dialtone_wire::{KafkaConfig, LogRecord, Payload, registry::Translator, whole};

use super::list::{severity, state, what};
use crate::say;

/// The topic must be read to its end in this time.
const WAIT: Duration = Duration::from_secs(60);

/// One line for each revision that the topic still has, the oldest first.
pub(super) async fn of(id: &Text, kafka: &KafkaConfig, translator: Option<Arc<Translator>>) -> Result<Vec<String>> {
    let at = kafka.properties.get("bootstrap.servers").cloned().unwrap_or_default();
    let (kafka, id) = (kafka.clone(), id.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let mut revisions = BTreeMap::new();
        whole::read(&kafka, Topic::Alerts, translator, WAIT, |record| {
            let alert = Some(&record).filter(|record| id.as_str().as_bytes() == record.key.as_ref());
            if let Some(alert) = alert.and_then(alert_of) {
                revisions.insert(alert.incident.revision, alert);
            }
        })
        .map(|()| revisions)
    });
    let revisions: BTreeMap<i64, Alert> = reading
        .await?
        .with_context(|| format!("the alerts cannot be read from {at}"))?;
    Ok(lines(revisions.values()))
}

/// In the frame or as JSON, as incidents are.
fn alert_of(record: &LogRecord) -> Option<Alert> {
    let Payload::Value(value) = &record.payload else {
        return None;
    };
    avro::record_from_built_in_frame(value)
        .ok()
        .or_else(|| serde_json::from_slice(value).ok())
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
