//! The latest verdict about every change, from the topic that has all of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Result, bail};
use dialtone_schemas::{ChangeVerdict, Incident, Ruling, Text, avro, topic::Topic};
use dialtone_wire::{KafkaConfig, LogRecord, Payload, registry::Translator};

use crate::{config::edits, say, topic};

/// Verdicts held; beyond, a tenth of them is let go: first those of which nothing more will be said and that harmed nothing, then the oldest.
const MOST: usize = 50_000;
/// What is let go at a time is one part in so many.
const BATCHES: usize = 10;

/// What is known of changes.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// By change and tenant: two tenants may use the same id.
    verdicts: BTreeMap<(Text, Text), ChangeVerdict>,
    /// Records that are no verdict.
    unreadable: u64,
    /// Verdicts that were let go.
    let_go: u64,
}

/// Reads the topic to its present end, which must be reached in this time.
pub(crate) async fn newest(kafka: &KafkaConfig, translator: Option<Arc<Translator>>, wait: Duration) -> Result<Known> {
    let verdicts = (Topic::ChangeVerdicts, "the verdicts about changes");
    topic::read(kafka, verdicts, translator, wait, Known::take).await
}

impl Known {
    /// A record of the topic: of one change the latest verdict counts, whatever came last.
    fn take(&mut self, record: &LogRecord) {
        if let Payload::Value(value) = &record.payload {
            match avro::record_from_frame_or_json(value) {
                Ok(verdict) => self.keep(verdict, MOST),
                Err(_) => self.unreadable += 1,
            }
        }
    }

    /// A change that is reported anew, long after, is numbered anew: the time of a verdict goes before its revision. What is said of a change
    /// that is known takes no more room.
    fn keep(&mut self, verdict: ChangeVerdict, most: usize) {
        let key = (verdict.change_id.clone(), verdict.tenant.clone());
        let place = |of: &ChangeVerdict| (of.at, of.revision);
        if self
            .verdicts
            .get(&key)
            .is_some_and(|known| place(known) > place(&verdict))
        {
            return;
        }
        if self.verdicts.len() >= most && !self.verdicts.contains_key(&key) {
            self.let_go_of((most / BATCHES).max(1));
        }
        self.verdicts.insert(key, verdict);
    }

    /// Lets go of so many: settled ones first, and of these and of the others the oldest.
    fn let_go_of(&mut self, many: usize) {
        let standing = |(key, known): (&(Text, Text), &ChangeVerdict)| (!is_settled(known), known.at, key.clone());
        let mut all: Vec<_> = self.verdicts.iter().map(standing).collect();
        all.sort_unstable();
        for (_, _, key) in all.into_iter().take(many) {
            self.verdicts.remove(&key);
            self.let_go += 1;
        }
    }

    /// Says, beside the answer, what is not in it.
    pub(super) fn say_what_is_missing(&self) {
        if self.unreadable > 0 {
            say::note(format!("{} records of the topic are no verdicts", self.unreadable));
        }
        if self.let_go > 0 {
            say::note(format!("{} verdicts are left out: too many", self.let_go));
        }
    }

    /// All of them, by change.
    pub(super) fn all(&self) -> impl Iterator<Item = &ChangeVerdict> {
        self.verdicts.values()
    }

    /// Those about what was to end an incident, by when it took effect.
    pub(crate) fn repairs(&self, incident: &Incident) -> Vec<&ChangeVerdict> {
        let is_repair = |of: &&ChangeVerdict| of.tenant == incident.tenant && of.repairs.as_ref() == Some(&incident.id);
        let mut repairs: Vec<&ChangeVerdict> = self.all().filter(is_repair).collect();
        repairs.sort_by_key(|of| of.started_at);
        repairs
    }

    /// The one with this id, or the only one whose id begins so.
    pub(super) fn find(&self, id: &Text, tenant: Option<&Text>) -> Result<&ChangeVerdict> {
        let exact = self.those(tenant, |known| known == id.as_str());
        let found = if exact.is_empty() {
            self.those(tenant, |known| known.starts_with(id.as_str()))
        } else {
            exact
        };
        match found.as_slice() {
            [one] => Ok(one),
            [] => bail!("no change begins with {id}{}", self.hint(id, tenant)),
            several => {
                let named = several.iter().map(|of| format!("{} ({})", of.change_id, of.tenant));
                Err(topic::not_one(id, "change", &named.collect::<Vec<_>>()))
            }
        }
    }

    fn those(&self, tenant: Option<&Text>, is_it: impl Fn(&str) -> bool) -> Vec<&ChangeVerdict> {
        let is_theirs = |of: &ChangeVerdict| tenant.is_none_or(|tenant| of.tenant == *tenant);
        let all = self.all();
        all.filter(|of| is_theirs(of) && is_it(of.change_id.as_str())).collect()
    }

    /// Where nothing is found: what may have been meant.
    fn hint(&self, id: &Text, tenant: Option<&Text>) -> String {
        let known = self.those(tenant, |_| true).into_iter();
        let nearest = known.min_by_key(|of| (edits(of.change_id.as_str(), id.as_str()), of.change_id.clone()));
        nearest.map_or_else(
            || ": there is no verdict about any".to_owned(),
            |of| format!("; did you mean {}?", of.change_id),
        )
    }
}

/// Will nothing more be said, and is nobody waiting for what was?
fn is_settled(verdict: &ChangeVerdict) -> bool {
    verdict.is_final && verdict.ruling == Ruling::Harmless && verdict.repairs.is_none()
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Dimension, EventTime, Scope, avro, incident::Onset};
    use serde_json::json;

    use super::super::example;
    use super::*;

    fn text(value: &str) -> Text {
        Text::new(value).expect("a text")
    }

    fn record(value: Vec<u8>) -> LogRecord {
        LogRecord {
            place: (Topic::ChangeVerdicts, 0),
            offset: 0,
            key: "acme|CHG-1".into(),
            payload: Payload::Value(value.into()),
        }
    }

    fn known(verdicts: &[serde_json::Value]) -> Known {
        let mut known = Known::default();
        for verdict in verdicts {
            let verdict = example::verdict(verdict.clone());
            known.take(&record(avro::built_in_frame_from(&verdict).expect("a frame")));
        }
        known
    }

    #[test]
    fn of_one_change_the_latest_verdict_counts_also_where_revisions_begin_anew() {
        let of = |revision: i64, at: &str| json!({"revision": revision, "at": at});
        let revision = |verdicts: &[serde_json::Value]| {
            let known = known(verdicts);
            known.find(&text("CHG-1"), None).expect("found").revision
        };
        let (nine, ten) = ("2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z");
        assert_eq!(revision(&[of(0, nine), of(2, ten), of(1, nine)]), 2);
        assert_eq!(revision(&[of(5, nine), of(0, ten)]), 0, "reported anew");
        assert_eq!(revision(&[of(0, ten), of(1, ten)]), 1);
    }

    #[test]
    fn what_travels_as_json_is_read_and_what_is_neither_is_counted() {
        let mut known = Known::default();
        let json = serde_json::to_vec(&example::verdict(json!({}))).expect("json");
        known.take(&record(json));
        known.take(&record(b"nonsense".to_vec()));
        assert_eq!((known.all().count(), known.unreadable), (1, 1));
    }

    /// Twenty are held, and two let go at a time. The 21st puts out the two settled ones, which are not the oldest; the 22nd finds room; the
    /// 23rd puts out the two oldest, and the 24th finds room. What is said anew of the one that is the oldest then is taken, though there is none.
    #[test]
    fn where_there_are_too_many_the_settled_go_first_then_the_oldest_and_known_ones_are_still_revised() {
        let mut known = Known::default();
        let mut take = |minute: usize, rest: serde_json::Value| {
            let mut verdict = example::verdict(rest);
            verdict.change_id = text(&format!("CHG-{minute:02}"));
            known.keep(verdict, 20);
        };
        let at = |minute: usize| format!("2026-03-02T09:{minute:02}:00Z");
        for minute in 0..24 {
            let ruling = if [7, 8].contains(&minute) {
                "harmless"
            } else {
                "harmful"
            };
            take(
                minute,
                json!({"at": at(minute), "ruling": ruling, "harmless_within": 1.5, "is_final": true}),
            );
        }
        take(2, json!({"at": at(30), "poor": 31}));
        let minutes: Vec<String> = known.all().map(|of| of.change_id.to_string()).collect();
        let held = (2..24).filter(|minute| ![7, 8].contains(minute));
        assert_eq!(
            minutes,
            held.map(|minute| format!("CHG-{minute:02}")).collect::<Vec<_>>()
        );
        assert_eq!(
            (known.let_go, known.find(&text("CHG-02"), None).expect("held").poor),
            (4, 31)
        );
    }

    /// `CHG-112` is one letter from `CHG-11` and two from `CHG-1`; `rel-7` is three from `REL-7`, and four from `CHG-1`.
    #[test]
    fn a_beginning_is_enough_where_it_is_unique_and_a_typo_names_the_nearest() {
        let known = known(&[
            json!({"change_id": "CHG-1"}),
            json!({"change_id": "CHG-11"}),
            json!({"change_id": "REL-7"}),
        ]);
        let found = |id: &str| known.find(&text(id), None).map(|of| of.change_id.to_string());
        let refused = |id: &str| found(id).expect_err("refused").to_string();
        assert_eq!(found("R").expect("one"), "REL-7");
        assert_eq!(found("CHG-1").expect("the whole id"), "CHG-1");
        assert_eq!(refused("CHG"), "CHG is not one change: CHG-1 (acme), CHG-11 (acme)");
        assert_eq!(
            refused("CHG-112"),
            "no change begins with CHG-112; did you mean CHG-11?"
        );
        assert_eq!(refused("rel-7"), "no change begins with rel-7; did you mean REL-7?");
        let nothing = Known::default().find(&text("x"), None).expect_err("none").to_string();
        assert_eq!(nothing, "no change begins with x: there is no verdict about any");
    }

    #[test]
    fn one_id_of_two_tenants_is_two_changes() {
        let known = known(&[json!({}), json!({"tenant": "globex", "poor": 3})]);
        let error = known.find(&text("CHG-1"), None).expect_err("two").to_string();
        assert_eq!(error, "CHG-1 is not one change: CHG-1 (acme), CHG-1 (globex)");
        let one = known.find(&text("CHG"), Some(&text("globex"))).expect("one");
        assert_eq!(one.poor, 3);
    }

    #[test]
    fn repairs_of_an_incident_are_those_of_its_tenant_in_their_order() {
        let repair = |id: &str, tenant: &str, at: &str| json!({"change_id": id, "tenant": tenant, "repairs": "i-1", "repair": "no_effect", "started_at": at});
        let known = known(&[
            repair("CHG-3", "acme", "2026-03-02T09:30:00Z"),
            repair("CHG-4", "acme", "2026-03-02T09:20:00Z"),
            repair("CHG-5", "globex", "2026-03-02T09:10:00Z"),
            json!({"change_id": "CHG-6", "repairs": "i-2"}),
        ]);
        let at = EventTime::parse("2026-03-02T09:00:00Z").expect("a time");
        let scope = Scope::new([(Dimension::Site, text("berlin"))]);
        let onset = Onset { from: at, to: at };
        let incident = Incident::opened(text("i-1"), text("acme"), scope, text("lan"), onset, at);
        let repairs: Vec<&str> = known
            .repairs(&incident)
            .iter()
            .map(|of| of.change_id.as_str())
            .collect();
        assert_eq!(repairs, ["CHG-4", "CHG-3"]);
    }
}
