//! Receive, normalise, place, publish: from a report in its source's own format to a published event.
//!
//! | to see … | open |
//! |---|---|
//! | what happens to every event, whatever the door | [`normalise`] |
//! | how it is judged, placed, stripped of persons | [`emodel`], [`place`], [`privacy`] |
//! | a way in | [`receive`] |

pub mod emodel;
pub mod identity;
pub mod normalise;
pub mod place;
pub mod privacy;
pub mod receive;
pub mod refusal;

#[cfg(test)]
mod sample;

pub use normalise::{IngestRules, Normaliser};
pub use place::Sites;
pub use privacy::{Privacy, PrivacyKey, PrivacyRules};
pub use refusal::{Reason, Refusal};
