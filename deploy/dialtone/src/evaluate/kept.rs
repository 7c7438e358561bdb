//! What was simulated once need not be simulated again: it is kept in a folder, by what it is made of.

use std::{io::Write as _, path::Path};

use anyhow::{Context, Result};
use serde::{Serialize, de::DeserializeOwned};

use crate::config::Config;

/// What lies in the folder, if there is one; otherwise made, and kept there for the next time. What is kept belongs to what it is made of, to
/// this version, and to these settings of the stages before watch.
pub(super) fn or_made<T: Serialize + DeserializeOwned>(
    folder: Option<&Path>,
    config: &Config,
    name: &str,
    made_of: &str,
    make: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let Some(folder) = folder else { return make() };
    let of = format!(
        "{} {made_of} {:?} {} {:?}",
        env!("CARGO_PKG_VERSION"),
        config.processor.summarise,
        config.kafka.partitions,
        config.ingest
    );
    let letters = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(letters).collect();
    let file = folder.join(format!("{name}-{}", &blake3::hash(of.as_bytes()).to_hex()[..16]));
    if let Ok(bytes) = std::fs::read(&file) {
        return postcard::from_bytes(&bytes).with_context(|| format!("{} is nothing that was kept", file.display()));
    }
    let made = make()?;
    keep(folder, &file, &postcard::to_stdvec(&made)?).with_context(|| format!("cannot keep {}", file.display()))?;
    Ok(made)
}

/// Under another name first: somebody else may be at the same.
fn keep(folder: &Path, file: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut part = tempfile::NamedTempFile::new_in(folder)?;
    part.write_all(bytes)?;
    part.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    #[test]
    fn what_was_kept_is_made_once_and_made_again_of_something_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let config = load(None, std::iter::empty()).expect("defaults");
        let of =
            |made_of: &str, made: i32| or_made(Some(dir.path()), &config, "a run", made_of, || Ok(made)).expect("it");
        assert_eq!([of("x", 1), of("x", 2), of("y", 3), of("x", 4)], [1, 1, 3, 1]);
        assert_eq!(or_made(None, &config, "a run", "x", || Ok(5)).expect("it"), 5);
    }
}
