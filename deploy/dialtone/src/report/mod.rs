//! `dialtone report`: ready for the day? From the lake, as of an hour before anybody calls.

mod page;
pub(crate) mod words;

use anyhow::{Result, bail};
use dialtone_processor::watch::readiness::Readiness;
use dialtone_schemas::{Text, time};

use crate::{cli, config::Config, refold::as_of, say};

/// The hour of the day of which the report is, in UTC.
const HOUR: i64 = 6;

/// Does what the command line says.
pub async fn run(args: &cli::Report, config: &Config) -> Result<()> {
    for readiness in ready(args, config).await? {
        if args.json {
            say::line(serde_json::to_string(&readiness)?);
        } else if args.html {
            say::line(page::of(&readiness));
        } else {
            words::of(&readiness).iter().for_each(say::line);
        }
    }
    Ok(())
}

/// How the day will be, for each tenant wanted, as the fold knew it at that hour.
pub async fn ready(args: &cli::Report, config: &Config) -> Result<Vec<Readiness>> {
    let at = args.at.unwrap_or_else(|| args.day.plus(HOUR * time::HOUR));
    let watching = as_of(args.lake.as_ref(), at, args.history, config).await?;
    let mut ready = watching.watch().readiness();
    if let Some(named) = &args.tenant {
        let known: Vec<&str> = ready.iter().map(|of| of.tenant.as_str()).collect();
        if !known.contains(&named.as_str()) {
            bail!("--tenant: expected one of {}", known.join(", "));
        }
    }
    ready.retain(|of| args.tenant.as_ref().is_none_or(|named: &Text| of.tenant == *named));
    if let Some(of) = ready.first().filter(|of| at.since(of.at) > time::MINUTE) {
        say::note(format!("the lake reaches only to {}: as it was then", of.at));
    }
    if ready.is_empty() {
        bail!("nothing was seen until {at}: does the day lie in the lake?");
    }
    Ok(ready)
}

#[cfg(test)]
mod tests {
    use dialtone_processor::{
        WatchConfig,
        config::Owners,
        watch::{readiness::Readiness, tenant::Tenant},
    };
    use dialtone_schemas::{EventTime, Text};

    use super::{page, words};
    use crate::config::owners;

    fn ready(owners: Owners) -> Readiness {
        let config = WatchConfig {
            owners,
            ..WatchConfig::default()
        };
        let at = EventTime::parse("2026-03-02T06:00:00Z").expect("a time");
        Tenant::new(Text::new("acme").expect("a text")).readiness(at, &config)
    }

    /// One team has everything, and is dissolved. Where nobody has written rules, nobody is in doubt.
    #[test]
    fn owners_in_doubt_have_a_list_of_their_own_where_there_are_any() {
        let rules = "default = \"desk\"\ndissolved = [\"lan\"]\n[[owner]]\nteam = \"lan\"\n";
        let doubtful = ready(owners("f", rules).expect("owners"));
        let sure = ready(Owners::default());
        let doubt = "owner[0]: lan is dissolved, what is its own goes to desk";
        let (text, page) = (|of: &Readiness| words::of(of).join("\n"), page::of);
        let said = text(&doubtful);
        assert!(said.contains(&format!("\n\nOwners in doubt\n  {doubt}\n\n")), "{said}");
        let said = page(&doubtful);
        assert!(
            said.contains(&format!("<h2>Owners in doubt</h2><ul><li>{doubt}</li></ul>")),
            "{said}"
        );
        assert!(!text(&sure).contains("in doubt") && !page(&sure).contains("in doubt"));
        let json = |of: &Readiness| serde_json::to_value(of).expect("json")["owners_in_doubt"].clone();
        assert_eq!(json(&doubtful), serde_json::json!([doubt]));
        assert_eq!(json(&sure), serde_json::json!([]));
    }
}
