//! The contract: what travels between dialtone's stages.
//!
//! A *report* is what a source sends, in its own format. A receiver turns it into **events**; everything after that
//! speaks only the types of this crate. No I/O, no clock, no async: values, their limits, and their encodings.
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | report | what a phone, an SBC, Teams or a browser sends, in its own format |
//! | event | one media stream, one direction, one interval, judged and placed: [`Event`] |
//! | call-end | one end of one call as seen by one stream direction; counted once per channel |
//! | near, far | the end that received the media, and the end that sent it: [`Leaf`] |
//! | leaf | one combination of the fourteen [`Dimension`]s of the near end |
//! | channel | one way for a call-end to be bad: [`Channel`] |
//! | summary | additive sums of one leaf, pair or device over one window, or a marker: [`Summary`] |
//! | marker | a summary that says how far event time has got on one partition |
//! | window | 60 s of event time; an event belongs to the one of its end minus 1 µs |
//! | tick | 10 s of event time; what is folded at a tick is folded in one order everywhere |
//! | clock record | a record without value whose header says how far event time has got |
//! | class | how late a source may be: interval, final, graph: [`Class`] |
//! | scope | a set of `dimension = value` conditions: [`Scope`] |
//! | incident | one cause with its life cycle; every change of it is a revision: [`Incident`] |
//! | alert | the message about an incident's revision that goes to people and systems: [`Alert`] |
//! | change | something somebody did: a route, a policy, a firmware: [`Change`] |
//! | complaint | a user said that a call was bad: [`Complaint`] |
//! | control | what the fold is told from outside: configuration, acknowledgement, silence, reassignment, verdict, a new normal: [`Control`] |
//! | reassignment | people give an incident to another team; it stays there, whatever the owners' rules say |
//! | verdict | people say whether the named cause was right or wrong |
//! | verdict of a change | harmful, harmless to within a factor, or not enough calls yet: [`ChangeVerdict`] |
//! | repair | what a change did for the incident it was to end: confirmed, no effect, moved elsewhere |
//! | escalation | nobody acknowledged in the owner's time: the next team is called |
//! | reject | what could not become an event, with its reason and original bytes: [`Reject`] |

#![warn(missing_docs)]

pub mod alert;
pub mod arrow;
pub mod avro;
pub mod change;
pub mod change_verdict;
pub mod complaint;
pub mod control;
pub mod dimension;
pub mod event;
pub mod histogram;
pub mod incident;
pub mod json_schema;
pub mod measure;
pub mod record;
pub mod reject;
pub mod scope;
pub mod span;
pub mod summary;
pub mod text;
pub mod time;
pub mod topic;

pub use alert::Alert;
pub use change::{Change, ChangeKind};
pub use change_verdict::{ChangeVerdict, Repair, Ruling};
pub use complaint::Complaint;
pub use control::Control;
pub use dimension::{Dimension, Leaf};
pub use event::{Direction, Endpoint, Event, EventId, Modality, ReportKind, Source};
pub use histogram::{Histogram, Scale};
pub use incident::{Incident, State};
pub use record::{Record, RecordKind};
pub use reject::Reject;
pub use scope::Scope;
pub use span::Span;
pub use summary::{Channel, Class, Summary, SummaryKind, Sums};
pub use text::Text;
pub use time::{EventTime, Tick, Window};
