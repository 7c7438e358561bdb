//! The ways in: one file or folder for each. A door reads its source's format into events and knows nothing else.

pub mod graph;
pub mod http;
pub mod json;
pub(crate) mod lines;
mod quota;
pub mod sip_rtcpxr;
