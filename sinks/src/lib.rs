//! Keep and tell: the lake of Delta tables that analysts query.
//!
//! Alerts and incidents go out through their topics, written by watch; this crate keeps every record of every topic.

pub mod lake;

pub use lake::{Appended, Lake, LakeError};
