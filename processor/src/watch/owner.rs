//! Whose it is: the layer of a cause, and the one team that owns it.

use dialtone_schemas::{Dimension, Scope, Text, incident::Layer};

use crate::config::Owners;

/// Which dimension of a scope decides its layer: of several the one named first here. A fault of an ISP at one site is the
/// ISP's; one of a headset at one site is the headset's; one of a policy at one site is the policy's.
const BY_DIMENSION: [(Dimension, Layer); 14] = [
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

/// The layer of a cause.
pub fn layer_of(scope: &Scope, is_one_device: bool) -> Layer {
    if is_one_device {
        return Layer::Device;
    }
    let decides = BY_DIMENSION
        .iter()
        .find(|(dimension, _)| scope.get(*dimension).is_some());
    decides.map_or(Layer::Unknown, |(_, layer)| *layer)
}

/// The team of a cause: of the rules that fit the one with the most conditions (a layer is one), then the first; the
/// default where none fits.
pub fn owner_of(owners: &Owners, layer: Layer, scope: &Scope) -> Text {
    let fits = |rule: &&crate::config::OwnerRule| rule.layer.is_none_or(|of| of == layer) && scope.implies(&rule.scope);
    let conditions = |rule: &crate::config::OwnerRule| rule.scope.depth() + usize::from(rule.layer.is_some());
    let mut best: Option<&crate::config::OwnerRule> = None;
    for rule in owners.rules.iter().filter(fits) {
        if best.is_none_or(|best| conditions(rule) > conditions(best)) {
            best = Some(rule);
        }
    }
    best.map_or_else(|| owners.default.clone(), |rule| rule.team.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OwnerRule;

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
        }
    }

    #[test]
    fn the_most_exact_rule_names_the_team_and_the_default_what_nobody_claims() {
        let berlin = Scope::new([(Dimension::Site, text("berlin"))]);
        let owners = Owners {
            default: text("desk"),
            rules: vec![
                rule("network", Some(Layer::Site), Scope::default()),
                rule("network-berlin", Some(Layer::Site), berlin.clone()),
            ],
        };
        assert_eq!(owner_of(&owners, Layer::Site, &berlin), text("network-berlin"));
        assert_eq!(
            owner_of(&owners, Layer::Site, &Scope::new([(Dimension::Site, text("lyon"))])),
            text("network")
        );
        assert_eq!(owner_of(&owners, Layer::Carrier, &berlin), text("desk"));
    }

    #[test]
    fn a_provider_at_one_site_is_the_providers_fault() {
        let scope = Scope::new([(Dimension::Site, text("berlin")), (Dimension::Isp, text("Nordnet"))]);
        assert_eq!(layer_of(&scope, false), Layer::Wan);
        assert_eq!(layer_of(&Scope::default(), false), Layer::Unknown);
        assert_eq!(layer_of(&scope, true), Layer::Device);
    }
}
