//! Classic consumer groups: the rules of membership, who drives them, and the committed offsets.

pub(crate) mod coordinator;
pub(crate) mod offsets;
pub(crate) mod state;
