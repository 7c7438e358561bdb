//! Snapshots of folds: the layout they have, and the state in postcard, whose fields have no names. What another version wrote would be read
//! as something else; by its layout it is refused.

use dialtone_wire::FoldError;
use serde::{Serialize, de::DeserializeOwned};

/// What a snapshot begins with.
pub(crate) type Layout = [u8; 2];

/// The snapshot of a state.
pub(crate) fn of<T: Serialize>(state: &T, layout: Layout) -> Result<Vec<u8>, FoldError> {
    Ok(postcard::to_extend(state, layout.to_vec())?)
}

/// The state of a snapshot that has this layout.
pub(crate) fn state_of<T: DeserializeOwned>(snapshot: &[u8], layout: Layout) -> Result<T, FoldError> {
    let state = snapshot.strip_prefix(&layout).ok_or(FoldError::Layout)?;
    Ok(postcard::from_bytes(state)?)
}
