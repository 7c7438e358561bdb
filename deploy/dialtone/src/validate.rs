//! `dialtone validate`: what is in force, with secrets masked.

use std::process::ExitCode;

use anyhow::Result;
use dialtone_processor::watch::owner::doubts;
use dialtone_wire::is_secret;

use crate::{config::Config, say};

/// Prints the effective configuration. That it could be loaded means that it holds; files it names are read as well. What is
/// doubtful about the owners' rules (gaps, overlaps, dissolved teams) and which sites no calendar names is said beside it: it is obeyed all the
/// same.
pub fn run(config: &Config) -> Result<ExitCode> {
    config.sites()?;
    let owners = config.owners()?;
    if !config.processor.owners.as_os_str().is_empty() {
        let place = config.processor.owners.display();
        doubts(&owners)
            .iter()
            .for_each(|doubt| say::note(format!("{place}: {doubt}")));
    }
    for site in config.without_calendar()? {
        say::note(format!(
            "no calendar names site {site} of the building file: its clocks are UTC's, and it has no holidays"
        ));
    }
    let mut table = config.to_table()?;
    mask(&mut table);
    say::line(toml::to_string_pretty(&table)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

fn mask(table: &mut toml::Table) {
    for (key, value) in table.iter_mut() {
        mask_value(value, is_secret(key));
    }
}

fn mask_value(value: &mut toml::Value, is_secret: bool) {
    match value {
        toml::Value::Table(below) => mask(below),
        toml::Value::Array(items) => items.iter_mut().for_each(|item| mask_value(item, is_secret)),
        toml::Value::String(text) if is_secret => *text = "***".to_owned(),
        toml::Value::String(text) => {
            if let Some(masked) = without_user(text) {
                *text = masked;
            }
        }
        _ => {}
    }
}

/// `http://user:password@host/…` without the user.
fn without_user(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (_, host) = authority.rsplit_once('@')?;
    Some(format!("{scheme}://***@{host}{}", &rest[authority.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let mut table: toml::Table =
            toml::from_str(
                "[kafka.properties]\n\"sasl.password\" = \"hunter2\"\n\"client.id\" = \"x\"\n\
                 \"sasl.oauthbearer.config\" = \"hunter2\"\n[kafka.registry]\nurl = \"http://u:hunter2@host:8081/a@b\"\n\
                 [[doors]]\nsecrets = [\"hunter2\"]",
            )
            .expect("toml");
        mask(&mut table);
        let text = table.to_string();
        assert!(
            !text.contains("hunter2") && text.contains("***") && text.contains("\"x\""),
            "{text}"
        );
        assert!(text.contains("http://***@host:8081/a@b"), "{text}");
    }
}
