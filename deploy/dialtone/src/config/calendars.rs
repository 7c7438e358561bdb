//! `[[processor.watch.calendar]]` of a text that holds nothing else: what the simulator writes down of its sites.

use anyhow::Context;
use dialtone_processor::config::Calendar;
use toml::Table;

/// A configuration's own calendars, or where it has none those that the simulator has written down.
pub fn or_simulated(own: Vec<Calendar>, text: &str) -> anyhow::Result<Vec<Calendar>> {
    if own.is_empty() {
        calendars(text).context("the simulated calendars")
    } else {
        Ok(own)
    }
}

/// The calendars of a text, as a configuration has them.
fn calendars(text: &str) -> anyhow::Result<Vec<Calendar>> {
    let table: Table = toml::from_str(text)?;
    let watch = table.get("processor").and_then(|processor| processor.get("watch"));
    match watch.and_then(|watch| watch.get("calendar")) {
        Some(calendars) => Ok(calendars.clone().try_into()?),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendars_are_read_as_a_configuration_has_them() {
        let text = "[[processor.watch.calendar]]\ncountry = \"IE\"\nsites = [\"dublin\"]\nzone = \"Europe/Dublin\"\n\
                    holidays = [\"2026-03-17\"]\n\n\
                    [[processor.watch.calendar]]\nsites = [\"cork\"]\nzone = \"Europe/Dublin\"\n";
        let read = calendars(text).expect("calendars");
        let sites = read.iter().flat_map(|calendar| &calendar.sites);
        let sites: Vec<&str> = sites.map(|site| site.as_str()).collect();
        assert_eq!(sites, ["dublin", "cork"]);
        assert_eq!(read[0].holidays.len(), 1);
        assert!(calendars("").expect("nothing").is_empty());
        assert!(calendars(&text.replace("Europe", "Europa")).is_err());
    }
}
