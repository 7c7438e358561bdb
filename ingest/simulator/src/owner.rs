//! Who owns what: the teams of the enterprise, as the file that dialtone reads and as the truth it is measured against.

use std::fmt::Write;

use dialtone_schemas::{Dimension, Text};

use crate::{estate::Estate, fault::Fault, random::name};

/// Owner of whatever nobody else owns.
const DEFAULT: &str = "service-desk";

/// Teams by layer of the cause.
const LAYERS: [(&str, &str); 8] = [
    ("device", "endpoint-hardware"),
    ("peripheral", "workplace-peripherals"),
    ("access_network", "campus-network"),
    ("site", "network-operations"),
    ("wan", "wan-providers"),
    ("carrier", "voice-carriers"),
    ("relay", "media-platform"),
    ("service", "voice-platform"),
];

/// The owners file.
pub(crate) fn owners_toml(estate: &Estate) -> String {
    let mut toml = format!("# Who owns which cause. The most specific entry wins.\ndefault = \"{DEFAULT}\"\n");
    for (layer, team) in LAYERS {
        entry(&mut toml, team, layer, None);
    }
    for site in &estate.sites {
        entry(&mut toml, &site_team(&site.name), "site", Some(&site.name));
    }
    toml
}

fn entry(toml: &mut String, team: &str, layer: &str, site: Option<&Text>) {
    let scope = site.map_or_else(String::new, |site| format!("scope = {{ site = \"{site}\" }}\n"));
    write!(
        toml,
        "\n[[owner]]\nteam = \"{team}\"\nlayer = \"{layer}\"\n{scope}contact = \"{team}@example.com\"\n\
         runbook = \"https://runbooks.example.com/{team}\"\n"
    )
    .expect("a String takes every line");
}

fn site_team(site: &Text) -> String {
    format!("site-it-{site}")
}

/// The one team that owns this cause.
pub(crate) fn owner_of(fault: &Fault, estate: &Estate) -> Text {
    let layer = fault.kind.layer();
    let site = fault
        .scope
        .get(Dimension::Site)
        .filter(|site| estate.sites.iter().any(|s| s.name == **site));
    match (layer, site) {
        ("site", Some(site)) => name(site_team(site)),
        _ => name(
            LAYERS
                .iter()
                .find(|(l, _)| *l == layer)
                .map_or(DEFAULT, |(_, team)| team),
        ),
    }
}
