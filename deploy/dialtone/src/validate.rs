//! `dialtone validate`: what is in force, with secrets masked.

use std::process::ExitCode;

use anyhow::Result;

use crate::{config::Config, say};

/// Words in a key that make its value a secret.
const SECRET: [&str; 4] = ["password", "secret", "token", "key.pem"];

/// Prints the effective configuration. That it could be loaded means that it holds; files it names are read as well.
pub fn run(config: &Config) -> Result<ExitCode> {
    config.sites()?;
    config.owners()?;
    let mut table = config.to_table()?;
    mask(&mut table);
    say::line(toml::to_string_pretty(&table)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

fn mask(table: &mut toml::Table) {
    for (key, value) in table.iter_mut() {
        match value {
            toml::Value::Table(below) => mask(below),
            toml::Value::String(text) if SECRET.iter().any(|word| key.to_lowercase().contains(word)) => {
                *text = "***".to_owned();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let mut table: toml::Table =
            toml::from_str("[kafka.properties]\n\"sasl.password\" = \"hunter2\"\n\"client.id\" = \"x\"").expect("toml");
        mask(&mut table);
        let text = table.to_string();
        assert!(
            !text.contains("hunter2") && text.contains("***") && text.contains("\"x\""),
            "{text}"
        );
    }
}
