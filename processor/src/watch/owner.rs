//! Whose it is: the layer of a cause, and the one team that owns it.

use std::collections::BTreeSet;

use dialtone_schemas::{Dimension, Incident, Scope, Span, Text, incident::Layer};

use crate::config::{OwnerRule, Owners};

/// Doubts that are told at once where people look for something else; `dialtone validate` tells all.
const TOLD: usize = 20;
/// Values without an owner, and incidents of unknown teams, that are named.
const NAMED: usize = 5;
/// A value of which no more call-ends than this are remembered is gone.
pub(super) const GONE: f64 = 0.5;

/// Which dimension of a scope decides its layer: of several the one named first here. A fault of an ISP at one site is the
/// ISP's; one of a headset at one site is the headset's; one of a policy at one site is the policy's.
pub(super) const BY_DIMENSION: [(Dimension, Layer); 14] = [
    (Dimension::Carrier, Layer::Carrier),
    (Dimension::Relay, Layer::Relay),
    (Dimension::Isp, Layer::Wan),
    (Dimension::Policy, Layer::Service),
    (Dimension::Driver, Layer::Peripheral),
    (Dimension::Headset, Layer::Peripheral),
    (Dimension::Firmware, Layer::Device),
    (Dimension::Device, Layer::Device),
    (Dimension::Segment, Layer::AccessNetwork),
    (Dimension::Building, Layer::AccessNetwork),
    (Dimension::Site, Layer::Site),
    (Dimension::Connection, Layer::AccessNetwork),
    (Dimension::Client, Layer::Service),
    (Dimension::Codec, Layer::Service),
];

/// The kind of connection that is no access network: a VPN's concentrators are the WAN's.
const VPN: &str = "vpn";

/// The layer of a cause.
pub fn layer_of(scope: &Scope, is_one_device: bool) -> Layer {
    if is_one_device {
        return Layer::Device;
    }
    let mut named = BY_DIMENSION.iter().filter_map(|(of, _)| Some((*of, scope.get(*of)?)));
    named
        .next()
        .map_or(Layer::Unknown, |(dimension, value)| layer_at(dimension, value))
}

/// The layer at which a value of a dimension is passed.
pub(super) fn layer_at(dimension: Dimension, value: &Text) -> Layer {
    if dimension == Dimension::Connection && value.as_str() == VPN {
        return Layer::Wan;
    }
    layer_by(dimension)
}

/// The layer at which most values of a dimension are passed.
fn layer_by(dimension: Dimension) -> Layer {
    let layer = BY_DIMENSION.iter().find(|(of, _)| *of == dimension);
    layer.map_or(Layer::Unknown, |(_, layer)| *layer)
}

/// An owner, and what happens if it does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The accountable team.
    pub team: Text,
    /// Whom to reach.
    pub contact: Option<Text>,
    /// What to do.
    pub runbook: Option<Text>,
    /// How long it may take to acknowledge, and who is called then.
    pub escalation: Option<(Span, Text)>,
}

/// The owner of a cause: that of the rule with the most conditions among those that fit (a layer is one), then the first; the
/// default where none fits.
pub fn owner_of(owners: &Owners, layer: Layer, scope: &Scope) -> Owner {
    owner_by(owners, rule_of(owners, layer, scope))
}

/// The rule that names the owner of a cause; none where none fits.
fn rule_of<'a>(owners: &'a Owners, layer: Layer, scope: &Scope) -> Option<&'a OwnerRule> {
    let fits = |rule: &&OwnerRule| rule.layer.is_none_or(|of| of == layer) && scope.implies(&rule.scope);
    let mut best: Option<&OwnerRule> = None;
    for rule in owners.rules.iter().filter(fits) {
        if best.is_none_or(|best| conditions(rule) > conditions(best)) {
            best = Some(rule);
        }
    }
    best
}

/// A team that people named: as its first rule describes it. It is the owner even if no rule knows it, or if it is dissolved.
pub fn owner_named(owners: &Owners, team: &Text) -> Owner {
    let rule = owners.rules.iter().find(|rule| rule.team == *team);
    let known = owner_by(owners, rule);
    if known.team == *team {
        return known;
    }
    Owner {
        team: team.clone(),
        contact: None,
        runbook: None,
        escalation: escalation(owners, None, team),
    }
}

fn owner_by(owners: &Owners, rule: Option<&OwnerRule>) -> Owner {
    let is_alive = |team: &&Text| !owners.dissolved.contains(*team);
    let whose = rule.map(|rule| (rule, is_alive(&&rule.team)));
    let (team, contact, runbook) = match whose {
        Some((rule, true)) => (&rule.team, &rule.contact, &rule.runbook),
        Some((rule, false)) => match rule.successor.as_ref().filter(is_alive) {
            // Whom of the dissolved team one could reach is of no use any more.
            Some(successor) => (successor, contact_of(owners, successor), &rule.runbook),
            None => (&owners.default, &owners.contact, &owners.runbook),
        },
        None => (&owners.default, &owners.contact, &owners.runbook),
    };
    Owner {
        team: team.clone(),
        contact: contact.clone(),
        runbook: runbook.clone(),
        escalation: escalation(owners, rule, team),
    }
}

/// Whom of a team to reach: as its first rule says.
fn contact_of<'a>(owners: &'a Owners, team: &Text) -> &'a Option<Text> {
    let rule = owners.rules.iter().find(|rule| rule.team == *team);
    rule.map_or(&None, |rule| &rule.contact)
}

/// There is nobody to escalate to where the next team is the owner itself.
fn escalation(owners: &Owners, rule: Option<&OwnerRule>, owner: &Text) -> Option<(Span, Text)> {
    let after = rule.and_then(|rule| rule.escalate_after).or(owners.escalate_after)?;
    let named = rule
        .and_then(|rule| rule.escalate_to.as_ref())
        .or(owners.escalate_to.as_ref());
    let to = named
        .filter(|team| !owners.dissolved.contains(*team))
        .unwrap_or(&owners.default);
    (to != owner).then(|| (after, to.clone()))
}

fn conditions(rule: &OwnerRule) -> usize {
    rule.scope.depth() + usize::from(rule.layer.is_some())
}

/// What a person should know of the rules, in their words: gaps, overlaps, teams that are no more. Where nobody has written any, nothing
/// is in doubt.
pub fn doubts(owners: &Owners) -> Vec<String> {
    let mut doubts = Vec::new();
    if *owners == Owners::default() {
        return doubts;
    }
    for (i, rule) in owners.rules.iter().enumerate() {
        let rivals = (0..i).filter(|j| is_overlap(&owners.rules[*j], rule));
        doubts.extend(rivals.map(|j| {
            let first = &owners.rules[j];
            format!(
                "owner[{j}] ({}) and owner[{i}] ({}) have the same number of conditions and can fit one cause: the first has it",
                first.team, rule.team
            )
        }));
        doubts.extend(misfit(rule).map(|why| format!("owner[{i}] ({}) {why}", rule.team)));
        if owners.dissolved.contains(&rule.team) {
            let heir = owner_by(owners, Some(rule)).team;
            doubts.push(format!(
                "owner[{i}]: {} is dissolved, what is its own goes to {heir}",
                rule.team
            ));
        }
        doubts.extend(dead_end(
            owners,
            &format!("owner[{i}].escalate_to"),
            rule.escalate_to.as_ref(),
        ));
    }
    doubts.extend(dead_end(owners, "escalate_to", owners.escalate_to.as_ref()));
    if owners.dissolved.contains(&owners.default) {
        doubts.push(format!(
            "default: {} is dissolved, and has no successor",
            owners.default
        ));
    }
    let gaps = Layer::ALL.iter().filter(|layer| is_gap(owners, **layer));
    let gaps: Vec<&str> = gaps.map(|layer| layer.name()).collect();
    if !gaps.is_empty() {
        doubts.push(format!(
            "no rule names the layers {}: the default, {}, has them",
            gaps.join(", "),
            owners.default
        ));
    }
    doubts
}

/// Why a rule does not fit what it seems to be written for: its values are those of another layer.
fn misfit(rule: &OwnerRule) -> Option<String> {
    let wanted = rule.layer.filter(|layer| *layer != Layer::Device)?;
    let of_rule = layer_of(&rule.scope, false);
    if of_rule == wanted {
        return None;
    }
    let decides = |(of, value): &(Dimension, &Text)| layer_by(*of) == wanted && layer_at(*of, value) == of_rule;
    if let Some((of, value)) = rule.scope.conditions().find(decides) {
        return Some(format!(
            "has the layer {}, but {}={value} is of {}",
            wanted.name(),
            of.name(),
            of_rule.name()
        ));
    }
    // What a cause names besides may be of another layer: that of a headset at one site is the headset's.
    let mut besides = BY_DIMENSION.iter().take_while(|(of, _)| rule.scope.get(*of).is_none());
    (!besides.any(|(_, layer)| *layer == wanted)).then(|| {
        format!(
            "fits no cause: {} is of the layer {}, not {}",
            rule.scope,
            of_rule.name(),
            wanted.name()
        )
    })
}

/// Does no rule name this layer, and none whatever it is?
fn is_gap(owners: &Owners, layer: Layer) -> bool {
    let claims = |rule: &OwnerRule| rule.layer == Some(layer) || conditions(rule) == 0;
    layer != Layer::Unknown && !owners.rules.iter().any(claims)
}

/// Of what is observed, with its call-ends: what would fall to the default because no rule fits, though some rule names its layer. In
/// words, what has the most call-ends first. Layers that no rule names are in doubt as a whole.
pub fn unowned(owners: &Owners, observed: impl Iterator<Item = (Scope, f64)>) -> Vec<String> {
    if *owners == Owners::default() {
        return Vec::new();
    }
    let is_unowned = |(scope, calls): &(Scope, f64)| {
        let layer = layer_of(scope, false);
        *calls > GONE && !is_gap(owners, layer) && rule_of(owners, layer, scope).is_none()
    };
    let mut found: Vec<(Scope, f64)> = observed.filter(is_unowned).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let said = |(scope, calls): &(Scope, f64)| {
        format!(
            "no rule owns {scope} ({} call-ends), it would fall to the default, {}",
            thousands(*calls),
            owners.default
        )
    };
    let mut told: Vec<String> = found.iter().take(NAMED).map(said).collect();
    let more = found.len() - told.len();
    if more > 0 {
        told.push(format!("and {more} more that no rule owns"));
    }
    told
}

/// The teams that the rules name and that are not dissolved.
pub fn teams(owners: &Owners) -> BTreeSet<&Text> {
    let of_rules = owners.rules.iter().flat_map(|rule| {
        let others = [rule.escalate_to.as_ref(), rule.successor.as_ref()];
        others.into_iter().chain([Some(&rule.team)])
    });
    let of_all = [Some(&owners.default), owners.escalate_to.as_ref()];
    let named = of_rules.chain(of_all).flatten();
    named.filter(|team| !owners.dissolved.contains(*team)).collect()
}

/// Incidents that people gave to a team that no rule names, or that is dissolved. In words.
pub fn strangers<'a>(owners: &Owners, incidents: impl Iterator<Item = &'a Incident>) -> Vec<String> {
    if *owners == Owners::default() {
        return Vec::new();
    }
    let known = teams(owners);
    let is_with_stranger = |incident: &&Incident| incident.reassigned.is_some() && !known.contains(&incident.owner);
    let said = |incident: &Incident| {
        let why = if owners.dissolved.contains(&incident.owner) {
            "which is dissolved"
        } else {
            "which owners.toml does not name"
        };
        format!("{} is with {}, {why}", incident.id, incident.owner)
    };
    let mut told: Vec<String> = incidents.filter(is_with_stranger).map(said).collect();
    let more = told.len().saturating_sub(NAMED);
    told.truncate(NAMED);
    if more > 0 {
        told.push(format!("and {more} more are with such teams"));
    }
    told
}

/// A count as people write it: 1,240.
pub(super) fn thousands(count: f64) -> String {
    let digits = format!("{count:.0}");
    let mut written = String::new();
    for (digit, left) in digits.chars().zip((1..=digits.len()).rev()) {
        written.push(digit);
        if left > 1 && left % 3 == 1 {
            written.push(',');
        }
    }
    written
}

/// The first of many doubts, and how many more there are.
pub fn in_short(doubts: &[String]) -> Vec<String> {
    let mut told: Vec<String> = doubts.iter().take(TOLD).cloned().collect();
    let more = doubts.len() - told.len();
    if more > 0 {
        told.push(format!("and {more} more: `dialtone validate` tells them all"));
    }
    told
}

/// Is one cause possible that both fit, with neither the more exact? The order of the rules then decides.
fn is_overlap(a: &OwnerRule, b: &OwnerRule) -> bool {
    let one_layer = a.layer.is_none() || b.layer.is_none() || a.layer == b.layer;
    let agrees = |(dimension, value)| b.scope.get(dimension).is_none_or(|other| other == value);
    a.team != b.team && conditions(a) == conditions(b) && one_layer && a.scope.conditions().all(agrees)
}

fn dead_end(owners: &Owners, key: &str, team: Option<&Text>) -> Option<String> {
    let team = team.filter(|team| owners.dissolved.contains(*team))?;
    Some(format!(
        "{key}: {team} is dissolved, {} is called instead",
        owners.default
    ))
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{EventTime, incident::Onset, time};

    use super::*;

    fn text(value: &str) -> Text {
        Text::new(value).expect("text")
    }

    fn rule(team: &str, layer: Option<Layer>, scope: Scope) -> OwnerRule {
        OwnerRule {
            team: text(team),
            layer,
            scope,
            contact: None,
            runbook: None,
            escalate_after: None,
            escalate_to: None,
            successor: None,
        }
    }

    fn owners(rules: Vec<OwnerRule>) -> Owners {
        Owners {
            default: text("desk"),
            rules,
            ..Owners::default()
        }
    }

    fn site(name: &str) -> Scope {
        Scope::new([(Dimension::Site, text(name))])
    }

    #[test]
    fn the_most_exact_rule_names_the_team_and_the_default_what_nobody_claims() {
        let owners = owners(vec![
            rule("network", Some(Layer::Site), Scope::default()),
            rule("network-berlin", Some(Layer::Site), site("berlin")),
        ]);
        let team = |layer, scope: &Scope| owner_of(&owners, layer, scope).team;
        assert_eq!(team(Layer::Site, &site("berlin")), text("network-berlin"));
        assert_eq!(team(Layer::Site, &site("lyon")), text("network"));
        assert_eq!(team(Layer::Carrier, &site("berlin")), text("desk"));
    }

    #[test]
    fn a_provider_at_one_site_is_the_providers_fault() {
        let scope = Scope::new([(Dimension::Site, text("berlin")), (Dimension::Isp, text("Nordnet"))]);
        assert_eq!(layer_of(&scope, false), Layer::Wan);
        assert_eq!(layer_of(&Scope::default(), false), Layer::Unknown);
        assert_eq!(layer_of(&scope, true), Layer::Device);
    }

    #[test]
    fn a_vpn_is_the_wans_and_wifi_the_access_networks() {
        let by = |connection| layer_of(&Scope::new([(Dimension::Connection, text(connection))]), false);
        assert_eq!((by("vpn"), by("wifi")), (Layer::Wan, Layer::AccessNetwork));
    }

    #[test]
    fn a_rules_own_time_and_team_go_before_those_of_all() {
        let (half, quarter) = (
            Span::from_micros(30 * time::MINUTE),
            Span::from_micros(15 * time::MINUTE),
        );
        let owners = Owners {
            escalate_after: Some(half),
            escalate_to: Some(text("lead")),
            ..owners(vec![
                OwnerRule {
                    escalate_after: Some(quarter),
                    escalate_to: Some(text("network-lead")),
                    ..rule("network", Some(Layer::Site), Scope::default())
                },
                rule("lead", Some(Layer::Wan), Scope::default()),
            ])
        };
        let escalation = |layer| owner_of(&owners, layer, &Scope::default()).escalation;
        assert_eq!(escalation(Layer::Site), Some((quarter, text("network-lead"))));
        assert_eq!(escalation(Layer::Carrier), Some((half, text("lead"))), "the default's");
        assert_eq!(escalation(Layer::Wan), None, "nobody is called over its own head");
    }

    #[test]
    fn what_was_a_dissolved_teams_goes_to_its_successor_or_to_the_default() {
        let owners = Owners {
            dissolved: vec![text("lan"), text("voice")],
            contact: Some(text("desk@example.com")),
            ..owners(vec![
                OwnerRule {
                    successor: Some(text("campus")),
                    contact: Some(text("nobody@example.com")),
                    ..rule("lan", Some(Layer::Site), Scope::default())
                },
                rule("voice", Some(Layer::Carrier), Scope::default()),
            ])
        };
        let owner = |layer| owner_of(&owners, layer, &Scope::default());
        assert_eq!(
            (owner(Layer::Site).team, owner(Layer::Site).contact),
            (text("campus"), None)
        );
        let heir = owner(Layer::Carrier);
        assert_eq!(
            (heir.team, heir.contact),
            (text("desk"), Some(text("desk@example.com")))
        );
        let said = doubts(&owners);
        assert_eq!(
            said[..2],
            [
                "owner[0]: lan is dissolved, what is its own goes to campus",
                "owner[1]: voice is dissolved, what is its own goes to desk"
            ]
        );
    }

    #[test]
    fn two_rules_that_can_fit_one_cause_alike_are_told_and_layers_that_nobody_names() {
        let rules = vec![
            rule("wan", Some(Layer::Wan), Scope::default()),
            rule("berlin", None, site("berlin")),
            rule("lyon", None, site("lyon")),
            rule("wan-berlin", Some(Layer::Wan), site("berlin")),
        ];
        let overlap = |i: usize, j: usize| is_overlap(&rules[i], &rules[j]);
        assert!(overlap(0, 1), "a provider's fault at Berlin");
        assert!(!overlap(1, 2), "no cause is at two sites");
        assert!(!overlap(0, 3), "two conditions are more exact than one");
        let said = doubts(&owners(rules));
        assert_eq!(said.len(), 3, "wan with berlin, wan with lyon, and the gaps: {said:?}");
        assert!(
            said[2].starts_with("no rule names the layers device, peripheral, access_network, site, carrier, relay")
        );
        let all = doubts(&owners(vec![rule("everything", None, Scope::default())]));
        assert_eq!(all, [""; 0], "a rule without conditions leaves no gap");
        assert_eq!(doubts(&Owners::default()), [""; 0], "nobody has written any");
    }

    /// A VPN is the WAN's, and a carrier's fault is never a site's. A headset's at one site is the headset's: that rule is meant;
    /// so is that of those segments of a site that are reached by VPN.
    #[test]
    fn a_rule_whose_values_are_of_another_layer_than_it_says_is_told() {
        let of = |dimension, value| Scope::new([(dimension, text(value))]);
        let rules = vec![
            rule("access", Some(Layer::AccessNetwork), of(Dimension::Connection, "vpn")),
            rule("berlin", Some(Layer::Site), of(Dimension::Carrier, "telco")),
            rule("headsets", Some(Layer::Peripheral), site("berlin")),
            rule("wifi", Some(Layer::AccessNetwork), of(Dimension::Connection, "wifi")),
            rule("phones", Some(Layer::Device), site("berlin")),
            rule(
                "berlins",
                Some(Layer::AccessNetwork),
                Scope::new([(Dimension::Connection, text("vpn")), (Dimension::Site, text("berlin"))]),
            ),
            rule("desk", None, Scope::default()),
        ];
        assert_eq!(
            doubts(&owners(rules)),
            [
                "owner[0] (access) has the layer access_network, but connection=vpn is of wan",
                "owner[1] (berlin) fits no cause: carrier=telco is of the layer carrier, not site",
            ]
        );
    }

    /// Carriers have owners, but for the new ones. That the relay has none is said of all relays; `a` has gone.
    #[test]
    fn what_is_observed_and_no_rule_owns_is_told_by_its_calls() {
        let carrier = |name: &str| Scope::new([(Dimension::Carrier, text(name))]);
        let owners = owners(vec![rule("voice", Some(Layer::Carrier), carrier("oldtel"))]);
        let relay = Scope::new([(Dimension::Relay, text("eu-1"))]);
        let observed = [
            (carrier("oldtel"), 9000.0),
            (relay, 5000.0),
            (carrier("newtel"), 1240.2),
            (carrier("megatel"), 1_234_567.0),
            (carrier("a"), 0.2),
        ];
        let told = |few: &[(Scope, f64)]| unowned(&owners, few.iter().cloned());
        assert_eq!(
            told(&observed),
            [
                "no rule owns carrier=megatel (1,234,567 call-ends), it would fall to the default, desk",
                "no rule owns carrier=newtel (1,240 call-ends), it would fall to the default, desk",
            ]
        );
        let seven = ["b", "c", "d", "e", "f", "g", "h"].map(|name| (carrier(name), 100.0));
        let said = told(&seven);
        assert_eq!(said.len(), 6);
        assert!(
            said[0].starts_with("no rule owns carrier=b (100 call-ends)"),
            "{said:?}"
        );
        assert_eq!(said[5], "and 2 more that no rule owns");
        assert_eq!(
            unowned(&Owners::default(), seven.into_iter()),
            [""; 0],
            "nobody has written any"
        );
    }

    /// LAN and the desk are known, voice is no more, nobody knows WNA; that the last incident is another's the rules say.
    #[test]
    fn what_people_gave_to_a_team_that_nobody_knows_is_told() {
        let owners = Owners {
            dissolved: vec![text("voice")],
            ..owners(vec![
                rule("lan", Some(Layer::Site), Scope::default()),
                rule("voice", Some(Layer::Carrier), Scope::default()),
            ])
        };
        assert_eq!(teams(&owners), BTreeSet::from([&text("desk"), &text("lan")]));
        let at = EventTime::from_micros(0);
        let with = |id: &str, team: &str| Incident {
            reassigned: Some(at),
            ..Incident::opened(
                text(id),
                text("acme"),
                site("berlin"),
                text(team),
                Onset { from: at, to: at },
                at,
            )
        };
        let by_rule = Incident {
            reassigned: None,
            ..with("i-4", "wan")
        };
        let few = [with("i-1", "lan"), with("i-2", "wna"), with("i-3", "voice"), by_rule];
        assert_eq!(
            strangers(&owners, few.iter()),
            [
                "i-2 is with wna, which owners.toml does not name",
                "i-3 is with voice, which is dissolved"
            ]
        );
        let seven = [1, 2, 3, 4, 5, 6, 7].map(|number| with(&format!("i-{number}"), "wna"));
        let said = strangers(&owners, seven.iter());
        assert_eq!((said.len(), said[5].as_str()), (6, "and 2 more are with such teams"));
        assert_eq!(
            strangers(&Owners::default(), seven.iter()),
            [""; 0],
            "nobody has written any"
        );
    }

    /// Seven teams claim the same layer: 7 · 6 / 2 = 21 overlaps, and the layers that nobody claims are one doubt more.
    #[test]
    fn of_many_doubts_twenty_are_told_and_how_many_more_there_are() {
        let teams = ["a", "b", "c", "d", "e", "f", "g"];
        let rules = teams.map(|team| rule(team, Some(Layer::Site), Scope::default()));
        let all = doubts(&owners(rules.into()));
        assert_eq!(all.len(), 22);
        let told = in_short(&all);
        assert_eq!(told[..20], all[..20]);
        assert_eq!(told[20..], ["and 2 more: `dialtone validate` tells them all"]);
        assert_eq!(in_short(&all[..20]), all[..20], "twenty are not too many");
    }
}
