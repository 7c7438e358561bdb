//! Who owns what: the teams of the enterprise, as the file that dialtone reads and as the truth it is measured against. The
//! file is as such files are: two teams claim the same, nobody claims the relays, and one team is no more.

use std::fmt::Write;

use dialtone_schemas::{Dimension, Scope, Text};

use crate::{estate::Estate, fault::Fault, random::name};

/// Owner of whatever nobody else owns: of the relays.
const DEFAULT: &str = "service-desk";
/// A team that is no more, and who has its work now.
const DISSOLVED: (&str, &str) = ("workplace-peripherals", "endpoint-hardware");
/// Its team claims this carrier, as the team of all carriers does, whose rule comes first.
const OVERLAP: (&str, &str) = ("telnova", "telnova-account");

/// Teams by layer of the cause.
const LAYERS: [(&str, &str); 7] = [
    ("device", "endpoint-hardware"),
    ("peripheral", DISSOLVED.0),
    ("access_network", "campus-network"),
    ("site", "network-operations"),
    ("wan", "wan-providers"),
    ("carrier", "voice-carriers"),
    ("service", "voice-platform"),
];

/// One entry of the owners file.
#[derive(Clone, Debug)]
struct Rule {
    team: Text,
    layer: Option<&'static str>,
    scope: Scope,
}

impl Rule {
    fn fits(&self, layer: &str, scope: &Scope) -> bool {
        self.layer.is_none_or(|of| of == layer) && scope.implies(&self.scope)
    }

    fn conditions(&self) -> usize {
        self.scope.depth() + usize::from(self.layer.is_some())
    }
}

fn rules(estate: &Estate) -> Vec<Rule> {
    let layers = LAYERS.iter().map(|(layer, team)| Rule {
        team: name(team),
        layer: Some(layer),
        scope: Scope::default(),
    });
    let rival = Rule {
        team: name(OVERLAP.1),
        layer: None,
        scope: Scope::new([(Dimension::Carrier, name(OVERLAP.0))]),
    };
    let sites = estate.sites.iter().map(|site| Rule {
        team: name(format!("site-it-{}", site.name)),
        layer: Some("site"),
        scope: Scope::new([(Dimension::Site, site.name.clone())]),
    });
    layers.chain([rival]).chain(sites).collect()
}

/// The owners file.
pub(crate) fn owners_toml(estate: &Estate) -> String {
    let mut toml = format!(
        "# Who owns which cause. The most specific entry wins, then the first.\ndefault = \"{DEFAULT}\"\n\
         dissolved = [\"{}\"]\n",
        DISSOLVED.0
    );
    for rule in rules(estate) {
        entry(&mut toml, &rule).expect("a String takes every line");
    }
    toml
}

fn entry(toml: &mut String, rule: &Rule) -> std::fmt::Result {
    let team = &rule.team;
    writeln!(toml, "\n[[owner]]\nteam = \"{team}\"")?;
    if let Some(layer) = rule.layer {
        writeln!(toml, "layer = \"{layer}\"")?;
    }
    for (dimension, value) in rule.scope.conditions() {
        writeln!(toml, "scope = {{ {} = \"{value}\" }}", dimension.name())?;
    }
    if team.as_str() == DISSOLVED.0 {
        writeln!(toml, "successor = \"{}\"", DISSOLVED.1)?;
    }
    writeln!(
        toml,
        "contact = \"{team}@example.com\"\nrunbook = \"https://runbooks.example.com/{team}\""
    )
}

/// The one team that owns this cause: of the rules that fit the one with the most conditions, then the first; its successor
/// where the team is no more.
pub(crate) fn owner_of(fault: &Fault, estate: &Estate) -> Text {
    of(fault.kind.layer(), &fault.scope, estate)
}

/// Likewise of what breaks on this layer, there.
pub(crate) fn of(layer: &str, scope: &Scope, estate: &Estate) -> Text {
    let rules = rules(estate);
    let mut best: Option<&Rule> = None;
    for rule in rules.iter().filter(|rule| rule.fits(layer, scope)) {
        if best.is_none_or(|best| rule.conditions() > best.conditions()) {
            best = Some(rule);
        }
    }
    match best {
        Some(rule) if rule.team.as_str() == DISSOLVED.0 => name(DISSOLVED.1),
        Some(rule) => rule.team.clone(),
        None => name(DEFAULT),
    }
}
