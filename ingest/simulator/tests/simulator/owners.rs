//! The owners file is as such files are, and the truth names the team that its rules yield.

use crate::audit::short;
use dialtone_schemas::{Dimension, Scope, Text};
use dialtone_simulator::Simulation;

fn owner(name: &str) -> (String, String) {
    let simulation = Simulation::new(&short(name), 3);
    let owner = simulation.truth().causes[0].owner.to_string();
    (owner, simulation.owners_toml())
}

/// `[[owner]]` tables, each as its lines.
fn rules(toml: &str) -> Vec<&str> {
    toml.split("[[owner]]\n").skip(1).collect()
}

#[test]
fn of_two_rules_that_fit_the_same_carrier_the_first_has_it() {
    let mut scenario = short("carrier_route");
    let telnova = Text::new("telnova").expect("a name");
    scenario.faults[0].scope = Some(Scope::new([(Dimension::Carrier, telnova)]));
    let simulation = Simulation::new(&scenario, 3);
    let toml = simulation.owners_toml();
    let place = |part: &str| {
        rules(&toml)
            .iter()
            .position(|rule| rule.contains(part))
            .expect("a rule")
    };
    let (all, one) = (place("layer = \"carrier\""), place("scope = { carrier = \"telnova\" }"));
    assert!(all < one && !rules(&toml)[one].contains("layer"), "one condition each");
    assert_eq!(simulation.truth().causes[0].owner.as_str(), "voice-carriers");
}

#[test]
fn what_no_rule_names_is_the_default_teams() {
    let (owner, toml) = owner("relay_region");
    assert!(!toml.contains("layer = \"relay\"") && toml.contains("default = \"service-desk\"\n"));
    assert_eq!(owner, "service-desk");
}

#[test]
fn what_was_a_dissolved_teams_is_its_successors() {
    let (owner, toml) = owner("headset_driver");
    assert!(toml.contains("dissolved = [\"workplace-peripherals\"]\n"));
    let theirs = rules(&toml)
        .into_iter()
        .find(|rule| rule.contains("layer = \"peripheral\""))
        .expect("a rule");
    assert!(
        theirs.contains("team = \"workplace-peripherals\"\n") && theirs.contains("successor = \"endpoint-hardware\"\n")
    );
    assert_eq!(owner, "endpoint-hardware");
}

#[test]
fn a_sites_own_team_goes_before_the_team_of_all_sites() {
    let (owner, toml) = owner("site_uplink");
    assert!(owner.starts_with("site-it-"), "{owner}");
    assert!(
        toml.contains("layer = \"site\"\ncontact")
            && toml.contains(&format!("team = \"{owner}\"\nlayer = \"site\"\nscope"))
    );
}
