//! Watch.
#[derive(Debug)] pub struct Watch;
