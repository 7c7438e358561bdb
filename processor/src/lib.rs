//! Summarise and watch: the two folds.
//!
//! [`Summarise`] turns one partition of events into numbered sums per window; [`Watch`] merges the sums of all
//! partitions with changes, complaints and control into one order, compares them with a baseline and keeps incidents.
//! Neither knows a clock, a broker or a file. `DESIGN.md` has the statistics with worked numbers.

pub mod clock;
pub mod config;
pub mod offline;
mod snapshot;
pub mod summarise;
pub mod watch;

pub use config::{SummariseConfig, WatchConfig};
pub use offline::Offline;
pub use summarise::Summarise;
pub use watch::Watch;

/// Channels that a cell is watched on: quality, setup, drop, the levels of loss, jitter, delay and R, and the volume beside them.
pub const WATCHED_CHANNELS: usize = watch::evidence::WATCHED.len() + watch::levels::METRICS + 1;
