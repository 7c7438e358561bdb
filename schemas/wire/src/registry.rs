//! The schema registry: ids on the wire are the registry's, ids inside are the built-in ones. They are exchanged at this edge.
//!
//! Subjects follow TopicNameStrategy: `<topic>-value`.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use apache_avro::Schema;
use bytes::Bytes;
use dialtone_schemas::{
    Alert, Change, ChangeVerdict, Complaint, Control, Event, Incident, Record, RecordKind, Reject, Summary, avro,
    topic::Topic,
};
use schema_registry_converter::{
    async_impl::schema_registry::{self as api, SrSettings},
    error::SRCError,
    schema_registry_common::{SchemaType, SuppliedSchema},
};
use tokio::runtime::Handle;

use crate::{
    Payload,
    config::{KafkaConfig, RegistryConfig},
};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Ids remembered; a log with more schemas than this is not ours, and the rest is passed on as it is.
const MAX_IDS: usize = 4096;

/// The kind of record each topic carries.
pub const fn kind_of(topic: Topic) -> RecordKind {
    match topic {
        Topic::Events | Topic::Late => RecordKind::Event,
        Topic::Changes => RecordKind::Change,
        Topic::Complaints => RecordKind::Complaint,
        Topic::Control => RecordKind::Control,
        Topic::Summaries => RecordKind::Summary,
        Topic::Incidents => RecordKind::Incident,
        Topic::Alerts => RecordKind::Alert,
        Topic::ChangeVerdicts => RecordKind::ChangeVerdict,
        Topic::Rejects => RecordKind::Reject,
    }
}

/// Why the registry is of no use.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It does not answer, or refuses.
    #[error("schema registry {url}: {doing}: {reason}")]
    Call {
        /// Where it is.
        url: String,
        /// What was attempted.
        doing: String,
        /// Its answer.
        reason: String,
        /// May trying again help?
        retriable: bool,
    },
    /// The registry holds a version that ours cannot follow.
    #[error("subject {subject}: our schema is not compatible with what is registered; nothing was changed")]
    Incompatible {
        /// Of the registry.
        subject: String,
    },
    /// A schema is not registered, and registering at start is off.
    #[error(
        "subject {subject} has no schema of ours: run `dialtone schema register`, or set kafka.registry.auto_register"
    )]
    NotRegistered {
        /// Of the registry.
        subject: String,
    },
}

/// One subject, as `schema check` and `schema register` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: RecordKind,
    /// The id of our schema there; none if it is not registered.
    pub id: Option<u32>,
    /// May our schema be registered there?
    pub compatible: bool,
}

/// A registry, spoken to with Confluent's API.
#[derive(Clone, Debug)]
pub struct Registry {
    url: String,
    settings: SrSettings,
}

impl Registry {
    /// A registry at this address. Nothing is asked yet.
    pub fn new(config: &RegistryConfig) -> Result<Self, RegistryError> {
        let mut builder = SrSettings::new_builder(config.url.trim_end_matches('/').to_owned());
        builder.set_timeout(ANSWER);
        if let Some(token) = &config.token {
            builder.set_token_authorization(token);
        }
        if let Some(username) = &config.username {
            builder.set_basic_authorization(username, config.password.as_deref());
        }
        let settings = builder
            .build()
            .map_err(|error| failed(&config.url, "use its address", &error))?;
        Ok(Self {
            url: config.url.clone(),
            settings,
        })
    }

    /// Looks at every subject without changing anything.
    pub async fn check(&self, config: &KafkaConfig) -> Result<Vec<Subject>, RegistryError> {
        let known = api::get_all_subjects(&self.settings)
            .await
            .map_err(|e| failed(&self.url, "list the subjects", &e))?;
        let mut subjects = Vec::new();
        for topic in Topic::ALL {
            let (name, kind) = (subject_of(config, topic), kind_of(topic));
            let (id, compatible) = if known.contains(&name) {
                (self.id_in(&name, kind).await?, self.is_compatible(&name, kind).await?)
            } else {
                (None, true)
            };
            subjects.push(Subject {
                name,
                kind,
                id,
                compatible,
            });
        }
        Ok(subjects)
    }

    /// Registers what is missing, after everything was found compatible.
    pub async fn register(&self, config: &KafkaConfig) -> Result<Vec<Subject>, RegistryError> {
        let mut subjects = self.check(config).await?;
        if let Some(bad) = subjects.iter().find(|subject| !subject.compatible) {
            return Err(RegistryError::Incompatible {
                subject: bad.name.clone(),
            });
        }
        for subject in subjects.iter_mut().filter(|subject| subject.id.is_none()) {
            let posted = api::post_schema(&self.settings, subject.name.clone(), supplied(subject.kind)).await;
            let posted = posted.map_err(|e| failed(&self.url, &format!("register {}", subject.name), &e))?;
            subject.id = Some(posted.id);
        }
        Ok(subjects)
    }

    /// The id of our very schema among the versions of a subject.
    async fn id_in(&self, subject: &str, kind: RecordKind) -> Result<Option<u32>, RegistryError> {
        let doing = format!("read {subject}");
        let versions = api::get_all_versions(&self.settings, subject.to_owned()).await;
        for version in versions.map_err(|e| failed(&self.url, &doing, &e))? {
            let found = api::get_schema_by_subject_and_version(&self.settings, subject, Some(version)).await;
            let found = found.map_err(|e| failed(&self.url, &doing, &e))?;
            if Schema::parse_str(&found.schema).is_ok_and(|schema| same(&schema, kind)) {
                return Ok(Some(found.id));
            }
        }
        Ok(None)
    }

    async fn is_compatible(&self, subject: &str, kind: RecordKind) -> Result<bool, RegistryError> {
        let answer = api::is_compatible_schema(&self.settings, subject.to_owned(), supplied(kind)).await;
        answer.map_err(|e| failed(&self.url, &format!("check {subject}"), &e))
    }

    /// The table of ids for the edge, read from the registry; missing schemas are registered if the configuration says so.
    pub async fn translator(&self, config: &KafkaConfig, auto_register: bool) -> Result<Translator, RegistryError> {
        let subjects = if auto_register {
            self.register(config).await?
        } else {
            self.check(config).await?
        };
        let mut outward = BTreeMap::new();
        for subject in subjects {
            let Some(id) = subject.id else {
                return Err(RegistryError::NotRegistered { subject: subject.name });
            };
            // Two subjects with one schema have one id; should a registry give two, the first is used.
            outward.entry(subject.kind.built_in_id()).or_insert(id);
        }
        Ok(Translator::new(
            Source::Registry(self.clone(), Handle::current()),
            outward,
        ))
    }
}

/// The translator that the configuration asks for: none where no registry is configured.
pub async fn translator_of(config: &KafkaConfig) -> Result<Option<Arc<Translator>>, RegistryError> {
    match &config.registry {
        None => Ok(None),
        Some(registry) => {
            let translator = Registry::new(registry)?
                .translator(config, registry.auto_register)
                .await?;
            Ok(Some(Arc::new(translator)))
        }
    }
}

fn failed(url: &str, doing: &str, error: &SRCError) -> RegistryError {
    RegistryError::Call {
        url: url.to_owned(),
        doing: doing.to_owned(),
        reason: error.to_string(),
        retriable: error.retriable,
    }
}

fn subject_of(config: &KafkaConfig, topic: Topic) -> String {
    format!("{}-value", config.topic_name(topic))
}

fn supplied(kind: RecordKind) -> SuppliedSchema {
    SuppliedSchema::new(None, SchemaType::Avro, kind.avsc().to_owned())
}

/// Docs and order of attributes aside, is it our schema?
fn same(schema: &Schema, kind: RecordKind) -> bool {
    schema.canonical_form() == avro::schema(kind).canonical_form()
}

/// What a registry's id stands for.
#[derive(Clone, Debug)]
enum Meaning {
    /// Our schema: only the id is exchanged.
    Same(RecordKind),
    /// Another version of one of our records: read with its own schema and written with ours (C-1).
    Version(RecordKind, Arc<Schema>),
    /// Nothing of ours: left as it is, so that the fold rejects it with its bytes.
    Foreign,
}

#[derive(Debug)]
enum Source {
    Registry(Registry, Handle),
    #[cfg(test)]
    Table(BTreeMap<u32, String>),
}

/// Exchanges ids at the edge.
pub struct Translator {
    source: Source,
    /// Built-in id to the registry's.
    outward: BTreeMap<u32, u32>,
    /// The registry's id to its meaning.
    inward: RwLock<BTreeMap<u32, Meaning>>,
}

impl fmt::Debug for Translator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Translator")
            .field("outward", &self.outward)
            .finish_non_exhaustive()
    }
}

impl Translator {
    fn new(source: Source, outward: BTreeMap<u32, u32>) -> Self {
        let kind = |built_in: u32| RecordKind::ALL.into_iter().find(|kind| kind.built_in_id() == built_in);
        let same = outward
            .iter()
            .filter_map(|(built_in, id)| Some((*id, Meaning::Same(kind(*built_in)?))));
        let inward = RwLock::new(same.collect());
        Self {
            source,
            outward,
            inward,
        }
    }

    /// A frame under the registry's id.
    pub(crate) fn to_registry(&self, frame: &Bytes) -> Bytes {
        match avro::split_frame(frame)
            .ok()
            .and_then(|(id, datum)| Some((*self.outward.get(&id)?, datum)))
        {
            Some((id, datum)) => framed(id, datum),
            None => frame.clone(),
        }
    }

    fn meaning(&self, payload: &Payload) -> Option<(u32, Option<Meaning>)> {
        let Payload::Value(frame) = payload else { return None };
        let (id, _) = avro::split_frame(frame).ok()?;
        Some((
            id,
            self.inward
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .get(&id)
                .cloned(),
        ))
    }

    /// Is this under an id that has not been looked up yet?
    pub(crate) fn is_unknown(&self, payload: &Payload) -> bool {
        matches!(self.meaning(payload), Some((_, None)))
    }

    /// Looks the id up if it is unknown. A registry that does not answer leaves it unknown: the reader waits and asks again.
    /// Blocks; not for async code.
    pub(crate) fn learn(&self, payload: &Payload) {
        let Some((id, None)) = self.meaning(payload) else {
            return;
        };
        let meaning = match self.ask(id) {
            Ok(text) => meaning_of(&text),
            Err(RegistryError::Call {
                retriable: false,
                reason,
                ..
            }) => {
                tracing::warn!(
                    id,
                    reason,
                    "the registry does not know a schema id: its records will be rejected"
                );
                Meaning::Foreign
            }
            Err(error) => {
                tracing::warn!(id, %error, "schema id cannot be looked up: reading waits");
                return;
            }
        };
        let mut inward = self.inward.write().unwrap_or_else(PoisonError::into_inner);
        if inward.len() >= MAX_IDS {
            inward.retain(|_, meaning| matches!(meaning, Meaning::Same(_) | Meaning::Version(..)));
        }
        inward.insert(id, meaning);
    }

    fn ask(&self, id: u32) -> Result<String, RegistryError> {
        match &self.source {
            Source::Registry(registry, handle) => {
                let asked = handle.block_on(api::get_schema_by_id(id, &registry.settings));
                asked
                    .map(|schema| schema.schema)
                    .map_err(|e| failed(&registry.url, &format!("read schema {id}"), &e))
            }
            #[cfg(test)]
            Source::Table(table) => table.get(&id).cloned().ok_or_else(|| RegistryError::Call {
                url: String::new(),
                doing: String::new(),
                reason: "not found".to_owned(),
                retriable: false,
            }),
        }
    }

    /// A payload under the built-in id; as it is where that cannot be done.
    pub(crate) fn to_built_in(&self, payload: Payload) -> Payload {
        let Some((_, Some(meaning))) = self.meaning(&payload) else {
            return payload;
        };
        let Payload::Value(frame) = &payload else {
            return payload;
        };
        let datum = &frame[5..]; // it has a meaning, so it has a frame
        match meaning {
            Meaning::Same(kind) => Payload::Value(framed(kind.built_in_id(), datum)),
            Meaning::Version(kind, writer) => match rewritten(kind, &writer, datum) {
                Ok(frame) => Payload::Value(frame.into()),
                Err(error) => {
                    tracing::debug!(%error, "record of another schema version cannot be read");
                    payload
                }
            },
            // A foreign schema may have an id that is one of ours: it must not be read as ours.
            Meaning::Foreign => Payload::Value(framed(u32::MAX, datum)),
        }
    }
}

fn framed(id: u32, datum: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(datum.len() + 5);
    frame.push(0);
    frame.extend_from_slice(&id.to_be_bytes());
    frame.extend_from_slice(datum);
    frame.into()
}

fn meaning_of(text: &str) -> Meaning {
    let Ok(schema) = Schema::parse_str(text) else {
        return Meaning::Foreign;
    };
    let named = |kind: &RecordKind| schema.name().is_some() && schema.name() == avro::schema(*kind).name();
    match RecordKind::ALL.into_iter().find(named) {
        Some(kind) if same(&schema, kind) => Meaning::Same(kind),
        Some(kind) => Meaning::Version(kind, Arc::new(schema)),
        None => Meaning::Foreign,
    }
}

fn rewritten(kind: RecordKind, writer: &Schema, datum: &[u8]) -> Result<Vec<u8>, avro::AvroError> {
    fn of<R: Record>(writer: &Schema, datum: &[u8]) -> Result<Vec<u8>, avro::AvroError> {
        avro::built_in_frame_from(&avro::record_from_datum::<R>(writer, datum)?)
    }
    match kind {
        RecordKind::Event => of::<Event>(writer, datum),
        RecordKind::Change => of::<Change>(writer, datum),
        RecordKind::Complaint => of::<Complaint>(writer, datum),
        RecordKind::Summary => of::<Summary>(writer, datum),
        RecordKind::Incident => of::<Incident>(writer, datum),
        RecordKind::Alert => of::<Alert>(writer, datum),
        RecordKind::Reject => of::<Reject>(writer, datum),
        RecordKind::Control => of::<Control>(writer, datum),
        RecordKind::ChangeVerdict => of::<ChangeVerdict>(writer, datum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialtone_schemas::Tick;

    fn marker() -> (Summary, Bytes) {
        let summary = Summary::marker(7, Tick::floor(dialtone_schemas::EventTime::from_micros(1_000_000_000)));
        let frame = avro::built_in_frame_from(&summary).unwrap().into();
        (summary, frame)
    }

    fn translator(table: &[(u32, &str)]) -> Translator {
        let table = table.iter().map(|(id, text)| (*id, (*text).to_owned())).collect();
        Translator::new(
            Source::Table(table),
            BTreeMap::from([(RecordKind::Summary.built_in_id(), 1234)]),
        )
    }

    #[test]
    fn ids_are_exchanged_at_the_edge_and_come_back() {
        let (_, frame) = marker();
        let translator = translator(&[]);
        let outside = translator.to_registry(&frame);
        assert_eq!(avro::split_frame(&outside).unwrap().0, 1234);
        assert!(!translator.is_unknown(&Payload::Value(outside.clone())));
        assert_eq!(translator.to_built_in(Payload::Value(outside)), Payload::Value(frame));
    }

    /// C-1
    #[test]
    fn a_later_version_of_our_record_is_read_with_its_own_schema() {
        let later = RecordKind::Summary
            .avsc()
            .trim_end()
            .strip_suffix('}')
            .unwrap()
            .trim_end()
            .strip_suffix(']')
            .unwrap();
        let later = format!("{later}, {{\"name\": \"added_later\", \"type\": \"string\", \"default\": \"\"}}]}}");
        let (summary, frame) = marker();
        let translator = translator(&[(77, &later)]);
        let mut written = framed(77, &frame[5..]).to_vec();
        written.extend_from_slice(&[4, b'h', b'i']);
        let payload = Payload::Value(written.into());
        assert!(translator.is_unknown(&payload), "before it was looked up");
        translator.learn(&payload);
        let Payload::Value(read) = translator.to_built_in(payload) else {
            panic!("a value")
        };
        assert_eq!(avro::record_from_built_in_frame::<Summary>(&read).unwrap(), summary);
    }

    #[test]
    fn a_foreign_schema_under_one_of_our_ids_is_never_read_as_ours() {
        let (_, frame) = marker();
        let translator = translator(&[(RecordKind::Summary.built_in_id(), r#""string""#)]);
        let payload = Payload::Value(frame);
        translator.learn(&payload);
        let Payload::Value(read) = translator.to_built_in(payload) else {
            panic!("a value")
        };
        assert!(avro::record_from_built_in_frame::<Summary>(&read).is_err());
    }
}
