//! The newest revision of every incident, from the compacted topic.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Result, bail};
use dialtone_schemas::{Incident, State, Text, avro, topic::Topic};
use dialtone_wire::{KafkaConfig, LogRecord, Payload, registry::Translator};

use crate::topic;

/// The topic must be read to its end in this time.
const WAIT: Duration = Duration::from_secs(60);
/// Incidents held; beyond, closed ones are let go.
const MOST: usize = 50_000;
/// What absorbed what absorbed an incident is followed so far.
const MOST_ABSORBERS: usize = 10;

/// What is known of incidents.
#[derive(Debug, Default)]
pub(super) struct Known {
    incidents: BTreeMap<Text, Incident>,
    /// Records that are no incident.
    pub(super) unreadable: u64,
    /// Incidents that were let go.
    pub(super) let_go: u64,
}

/// Reads the topic to its present end.
pub(super) async fn newest(kafka: &KafkaConfig, translator: Option<Arc<Translator>>) -> Result<Known> {
    topic::read(
        kafka,
        (Topic::Incidents, "the incidents"),
        translator,
        WAIT,
        Known::take,
    )
    .await
}

impl Known {
    /// A record of the topic: of one key the highest revision counts, whatever came last; one without value takes it back.
    pub(super) fn take(&mut self, record: &LogRecord) {
        match &record.payload {
            Payload::Value(value) => match avro::record_from_frame_or_json(value) {
                Ok(incident) => self.keep(incident, MOST),
                Err(_) => self.unreadable += 1,
            },
            Payload::Empty => self
                .incidents
                .retain(|id, _| id.as_str().as_bytes() != record.key.as_ref()),
            Payload::Clock(_) | Payload::Absent(_) | Payload::Config(_) => {}
        }
    }

    /// A revision of an incident that is known takes no more room.
    fn keep(&mut self, incident: Incident, most: usize) {
        if self
            .incidents
            .get(&incident.id)
            .is_some_and(|known| known.revision > incident.revision)
        {
            return;
        }
        let is_known = self.incidents.contains_key(&incident.id);
        if self.incidents.len() >= most && !is_known {
            let before = self.incidents.len();
            self.incidents.retain(|_, known| known.state != State::Closed);
            self.let_go += (before - self.incidents.len()) as u64;
        }
        if is_known || self.incidents.len() < most {
            self.incidents.insert(incident.id.clone(), incident);
        } else {
            self.let_go += 1;
        }
    }

    /// All of them, by id.
    pub(super) fn all(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    /// The one that absorbed an incident, if one did and it is known; or that absorbed that one, and so on.
    pub(super) fn absorber_of(&self, incident: &Incident) -> Option<&Incident> {
        let absorber = |incident: &Incident| self.incidents.get(incident.absorbed_by.as_ref()?);
        let first = absorber(incident)?;
        std::iter::successors(Some(first), |incident| absorber(incident))
            .take(MOST_ABSORBERS)
            .last()
    }

    /// The one with this id, or the only one whose id begins so.
    pub(super) fn find(&self, id: &Text) -> Result<&Incident> {
        if let Some(exact) = self.incidents.get(id) {
            return Ok(exact);
        }
        let begins = |incident: &&Incident| incident.id.as_str().starts_with(id.as_str());
        let candidates: Vec<&Incident> = self.all().filter(begins).collect();
        match candidates.as_slice() {
            [one] => Ok(one),
            [] => bail!("no incident begins with {id}: see `dialtone incidents list --all`"),
            several => {
                let named = several.iter().map(|i| format!("{} ({})", i.id, i.scope));
                Err(topic::not_one(id, "incident", &named.collect::<Vec<_>>()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::avro;

    use super::super::list::tests::incident as example;
    use super::*;

    fn text(value: &str) -> Text {
        Text::new(value).expect("a text")
    }

    fn record(payload: Payload) -> LogRecord {
        LogRecord {
            place: (Topic::Incidents, 0),
            offset: 0,
            key: "i-ab1".into(),
            payload,
        }
    }

    fn known(incidents: &[(&str, i64)]) -> Known {
        let mut known = Known::default();
        for (id, revision) in incidents {
            let mut incident = example(id);
            incident.revision = *revision;
            let frame = avro::built_in_frame_from(&incident).expect("a frame");
            known.take(&record(Payload::Value(frame.into())));
        }
        known
    }

    #[test]
    fn the_highest_revision_counts_whatever_came_last() {
        let mut known = known(&[("i-ab1", 1), ("i-ab1", 3), ("i-ab1", 2)]);
        assert_eq!(known.find(&text("i-ab1")).expect("found").revision, 3);
        known.take(&record(Payload::Empty));
        assert_eq!(known.all().count(), 0, "taken back");
    }

    /// The first was absorbed by the second, and that by the third, which is forgotten in the other case. Two that name each other end nowhere.
    #[test]
    fn who_absorbed_what_absorbed_it_is_followed() {
        let of = |by: &[(&str, &str)]| {
            let mut known = known(&[("i-ab1", 1), ("i-ab2", 1), ("i-ab3", 1)]);
            for (id, by) in by {
                let incident = known.incidents.get_mut(&text(id)).expect("known");
                incident.absorbed_by = Some(text(by));
            }
            let first = known.find(&text("i-ab1")).expect("known");
            known.absorber_of(first).map(|absorber| absorber.id.clone())
        };
        assert_eq!(of(&[("i-ab1", "i-ab2"), ("i-ab2", "i-ab3")]), Some(text("i-ab3")));
        assert_eq!(of(&[("i-ab1", "i-ab2"), ("i-ab2", "i-gone")]), Some(text("i-ab2")));
        assert_eq!(of(&[]), None);
        assert!(of(&[("i-ab1", "i-ab2"), ("i-ab2", "i-ab1")]).is_some());
    }

    /// There is room for two. A third is let go while both are open; when one is closed, it goes.
    #[test]
    fn where_there_are_too_many_those_that_are_known_are_still_revised() {
        let mut known = Known::default();
        let mut take = |id: &str, revision: i64, state: State| {
            let incident = Incident {
                revision,
                state,
                ..example(id)
            };
            known.keep(incident, 2);
            let held: Vec<(String, i64)> = known.all().map(|one| (one.id.to_string(), one.revision)).collect();
            (held, known.let_go)
        };
        let held =
            |of: [(&str, i64); 2], let_go: u64| (of.map(|(id, revision)| (id.to_owned(), revision)).to_vec(), let_go);
        take("i-1", 0, State::Open);
        take("i-2", 0, State::Open);
        assert_eq!(take("i-3", 0, State::Open), held([("i-1", 0), ("i-2", 0)], 1));
        assert_eq!(take("i-2", 1, State::Closed), held([("i-1", 0), ("i-2", 1)], 1));
        assert_eq!(take("i-4", 0, State::Open), held([("i-1", 0), ("i-4", 0)], 2));
    }

    #[test]
    fn what_travels_as_json_is_read_and_what_is_neither_is_counted() {
        let mut known = Known::default();
        let json = serde_json::to_vec(&example("i-ab1")).expect("json");
        known.take(&record(Payload::Value(json.into())));
        known.take(&record(Payload::Value("nonsense".into())));
        assert_eq!((known.all().count(), known.unreadable), (1, 1));
    }

    #[test]
    fn a_beginning_that_only_one_has_is_enough_and_one_that_several_have_names_them() {
        let known = known(&[("i-ab1", 0), ("i-ab2", 0), ("i-c", 0), ("i-cd", 0)]);
        assert_eq!(known.find(&text("i-ab2")).expect("whole").id, text("i-ab2"));
        assert_eq!(known.find(&text("i-cd")).expect("one").id, text("i-cd"));
        assert_eq!(known.find(&text("i-c")).expect("the whole id").id, text("i-c"));
        let error = known.find(&text("i-a")).expect_err("two").to_string();
        assert_eq!(
            error,
            "i-a is not one incident: i-ab1 (site=berlin), i-ab2 (site=berlin)"
        );
        let error = known.find(&text("x")).expect_err("none").to_string();
        assert_eq!(error, "no incident begins with x: see `dialtone incidents list --all`");
    }
}
