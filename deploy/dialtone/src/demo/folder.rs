//! The folder of a run: everything of it lies there.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use dialtone_ingest::config::{SipConfig, TokenConfig};
use dialtone_schemas::{Incident, Span, Text, time};
use dialtone_simulator::Simulation;

use crate::{
    config::{Config, or_simulated},
    replay::write_incidents,
};

/// What marks a folder as that of a run.
const MARK: &str = "truth.json";

/// The folder of a run.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    token: String,
}

impl Folder {
    /// Makes the folder; one that holds a run is refused, or emptied when told so.
    pub fn prepare(dir: Option<&Path>, overwrite: bool) -> Result<Self> {
        let path = match dir {
            Some(dir) => dir.to_owned(),
            None => std::env::temp_dir().join(format!("dialtone-demo-{}", std::process::id())),
        };
        if path.join(MARK).try_exists()? {
            if !overwrite {
                bail!(
                    "{} holds a run already: choose another --dir, or say --overwrite",
                    path.display()
                );
            }
            for part in ["broker", "state", "lake"] {
                let part = path.join(part);
                if part.try_exists()? {
                    fs::remove_dir_all(&part).with_context(|| format!("cannot empty {}", part.display()))?;
                }
            }
            fs::remove_file(path.join(MARK))?;
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let path = path.canonicalize()?;
        let mut secret = [0u8; 16];
        fs::File::open("/dev/urandom")
            .and_then(|mut random| std::io::Read::read_exact(&mut random, &mut secret))
            .context("no random numbers for the token")?;
        let token = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { path, token })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the embedded broker keeps its logs.
    pub fn broker(&self) -> PathBuf {
        self.path.join("broker")
    }

    /// Where the lake is.
    pub fn lake(&self) -> PathBuf {
        self.path.join("lake")
    }

    /// What the feeder shows at the HTTP door.
    pub fn token(&self) -> String {
        self.token.clone()
    }

    /// Sites, owners, truth and token; and the configuration that points at them, with the sites' zones and holidays.
    pub fn write(&self, simulation: &Simulation, scenario: &str, mut config: Config) -> Result<Config> {
        let write = |name: &str, text: &str| -> Result<PathBuf> {
            let path = self.path.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(path)
        };
        config.ingest.sites = Some(write("sites.csv", &simulation.sites_csv())?);
        config.processor.owners = write("owners.toml", &simulation.owners_toml())?;
        let own = std::mem::take(&mut config.processor.watch.calendars);
        config.processor.watch.calendars = or_simulated(own, &simulation.calendars_toml())?;
        write("scenario.toml", scenario)?;
        write(
            MARK,
            &format!("{}\n", serde_json::to_string_pretty(simulation.truth())?),
        )?;
        let token = self.path.join("token");
        write_private(&token, &self.token)?;
        // The demo has a broker of its own: nothing that leads to another belongs here.
        config.kafka.properties.clear();
        config.kafka.registry = None;

        let tenant = Text::new("demo")?;
        let any = (std::net::Ipv4Addr::LOCALHOST, 0).into();
        config.ingest.http.listen = any;
        let may_send = serde_json::from_str::<TokenConfig>(r#"{"tenant": "demo"}"#)?.may_send;
        config.ingest.http.tokens = vec![TokenConfig {
            tenant: tenant.clone(),
            sha256: None,
            file: Some(token),
            may_send,
        }];
        let mut sip = SipConfig::new(tenant, vec!["127.0.0.0/8".parse()?]);
        sip.listen = any;
        config.ingest.sip = vec![sip];
        config.ingest.privacy.key_file = self.path.join("privacy.key");
        config.processor.state_dir = self.path.join("state");
        config.processor.live = false;
        config.processor.checkpoint = Span::from_micros(time::SECOND);
        config.sink.lake_dir = self.lake();
        config.sink.commit = Span::from_micros(5 * time::SECOND);
        Ok(config)
    }

    /// The configuration with the broker in it; written down, so that the run can be looked at with the other commands.
    pub fn with_broker(&self, mut config: Config, bootstrap: &str) -> Result<Config> {
        config
            .kafka
            .properties
            .insert("bootstrap.servers".into(), bootstrap.into());
        let text = format!(
            "# The configuration of this run. Secrets lie in files of their own.\n{}",
            toml::to_string_pretty(&config.to_table()?)?
        );
        write_private(&self.path.join("dialtone.toml"), &text)?;
        Ok(config)
    }

    /// One incident a line.
    pub fn keep_incidents(&self, incidents: &[Incident]) -> Result<()> {
        write_incidents(Some(&self.path.join("incidents.ndjson")), incidents)
    }
}

/// For the owner's eyes only.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(file.write_all(text.as_bytes())?)
}
