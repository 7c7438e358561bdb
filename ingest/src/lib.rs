//! Receive, normalise, place, publish: from a report in its source's own format to a published event.
//!
//! | to see … | open |
//! |---|---|
//! | what happens to every event, whatever the door | [`normalise`] |
//! | how it is judged, placed, stripped of persons | [`emodel`], [`place`], [`privacy`] |
//! | a way in | [`receive`] |
//! | how it gets to the broker, and what the sender is told | [`service`] |
//! | how far event time has got | [`clock`] |

pub mod clock;
pub mod config;
pub mod count;
pub mod emodel;
mod identity;
pub mod normalise;
pub mod place;
pub mod privacy;
mod publish;
pub mod receive;
pub mod refusal;
pub mod service;
pub mod setup;

#[cfg(test)]
mod sample;

pub use config::IngestConfig;
pub use count::{Counts, Door};
pub use normalise::{IngestRules, Normaliser};
pub use place::Sites;
pub use privacy::{Privacy, PrivacyKey, PrivacyRules};
pub use refusal::{Reason, Refusal};
pub use service::{IngestService, Now};
