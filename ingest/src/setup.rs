//! From a configuration to the rules it names: the building file is read, the privacy key read or created.

use std::{fs, io, path::PathBuf};

use crate::{
    config::IngestConfig,
    normalise::IngestRules,
    place::{Problems, Sites},
    privacy::{KeyError, PrivacyKey},
};

/// Why ingest cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The building file cannot be read.
    #[error("sites: {} cannot be read", path.display())]
    SitesFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The building file is wrong.
    #[error("sites: {}:\n{problems}", path.display())]
    Sites {
        /// Which.
        path: PathBuf,
        /// Line by line.
        problems: Problems,
    },
    /// There is no privacy key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl IngestRules {
    /// What a configuration names. Relative paths are the caller's to resolve.
    pub fn read(config: &IngestConfig) -> Result<Self, SetupError> {
        let sites = match &config.sites {
            None => Sites::default(),
            Some(path) => {
                let failed = |source| SetupError::SitesFile {
                    path: path.clone(),
                    source,
                };
                let file = fs::read(path).map_err(failed)?;
                Sites::read(&file).map_err(|problems| SetupError::Sites {
                    path: path.clone(),
                    problems,
                })?
            }
        };
        Ok(Self {
            sites,
            key: PrivacyKey::read_or_create(&config.privacy.key_file)?,
            privacy: config.privacy.rules,
            scoring: config.scoring.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_becomes_rules_and_a_wrong_building_file_is_shown_by_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let sites = dir.path().join("sites.csv");
        let mut config = IngestConfig {
            sites: Some(sites.clone()),
            ..IngestConfig::default()
        };
        config.privacy.key_file = dir.path().join("privacy.key");
        fs::write(&sites, crate::sample::SITES).expect("written");
        assert_eq!(
            IngestRules::read(&config)
                .map(|rules| rules.sites.networks())
                .expect("rules"),
            2
        );
        fs::write(&sites, "10.0.0.0,a\n").expect("written");
        let error = IngestRules::read(&config).map(drop).expect_err("wrong").to_string();
        assert!(
            error.ends_with("sites.csv:\nline 1: has 2 columns: expected 14, or 15 with VPN"),
            "{error}"
        );
    }
}
