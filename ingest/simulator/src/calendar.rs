//! The sites' clocks and holidays as whoever runs the platform writes them down: a calendar for each country, without
//! those who are at home, whose pools belong to regions of several countries.

use std::{collections::BTreeMap, fmt::Write};

use crate::{holiday, world::World};

/// A country and a zone in it.
type Land = (&'static str, &'static str);

/// Tables of a configuration of dialtone: each site in one of them, with its zone, and with the holidays of the run
/// where these are kept. Those of the countries that watch knows by itself are turned off: who is simulated works on them.
pub(crate) fn calendars_toml(world: &World) -> String {
    let mut lands: BTreeMap<Land, Vec<usize>> = BTreeMap::new();
    for (i, site) in world.estate.sites.iter().enumerate() {
        lands.entry((site.place.country, site.place.zone)).or_default().push(i);
    }
    let mut toml = String::from("# What the clocks of the sites show, and the holidays of their countries.\n");
    for (land, sites) in lands {
        entry(&mut toml, world, land, &sites).expect("a String takes every line");
    }
    toml
}

fn entry(toml: &mut String, world: &World, (country, zone): Land, sites: &[usize]) -> std::fmt::Result {
    let names = sites.iter().map(|site| world.estate.sites[*site].name.as_str());
    let names: Vec<&str> = names.collect();
    writeln!(toml, "\n[[processor.watch.calendar]]\ncountry = \"{country}\"")?;
    writeln!(toml, "sites = {names:?}\nzone = \"{zone}\"")?;
    let holidays = sites.first().map_or(Vec::new(), |site| holidays(world, *site));
    if !holidays.is_empty() {
        writeln!(toml, "holidays = {holidays:?}")?;
    }
    writeln!(toml, "public_holidays = false")
}

/// The days of the run on which a site hardly works: none where holidays are as any other day.
fn holidays(world: &World, site: usize) -> Vec<String> {
    let (scenario, zone) = (&world.scenario, &world.zones[site]);
    if !scenario.enterprise.holidays {
        return Vec::new();
    }
    let days = zone.shown(scenario.start).day()..=zone.shown(scenario.end().plus(-1)).day();
    holiday::dates(world.estate.sites[site].place.country, days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    /// From a Monday to the Wednesday after Saint Patrick's Day, at one site more than there are places.
    fn calendars(holidays: bool) -> String {
        let text = format!(
            "name = \"march\"\nstart = \"2026-03-16T06:00:00Z\"\nhistory = \"0h\"\nevaluate = \"2d\"\n\
             [enterprise]\nsites = 13\nusers = 200\nholidays = {holidays}\n"
        );
        let scenario = Scenario::from_toml(&text).expect("a scenario");
        calendars_toml(&World::healthy(&scenario, 1))
    }

    #[test]
    fn each_country_has_a_calendar_with_its_sites_and_the_holidays_of_the_run() {
        let toml = calendars(true);
        assert_eq!(toml.matches("[[processor.watch.calendar]]\n").count(), 9);
        assert_eq!(toml.matches("\nholidays = ").count(), 1, "in Ireland");
        assert_eq!(toml.matches("\npublic_holidays = false\n").count(), 9);
        assert!(
            toml.contains(
                "\n[[processor.watch.calendar]]\ncountry = \"DE\"\n\
                 sites = [\"berlin\", \"munich\", \"hamburg\", \"berlin-2\"]\nzone = \"Europe/Berlin\"\n\
                 public_holidays = false\n\n"
            ),
            "{toml}"
        );
        assert!(
            toml.contains(
                "\n[[processor.watch.calendar]]\ncountry = \"IE\"\nsites = [\"dublin\"]\nzone = \"Europe/Dublin\"\n\
                 holidays = [\"2026-03-17\"]\npublic_holidays = false\n"
            ),
            "{toml}"
        );
    }

    #[test]
    fn where_no_holidays_are_kept_none_are_written_down() {
        let toml = calendars(false);
        assert_eq!(toml.matches("\nholidays = ").count(), 0);
        assert_eq!(toml.matches("zone = ").count(), 9);
    }
}
