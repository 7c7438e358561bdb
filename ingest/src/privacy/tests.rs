use super::*;
use crate::sample;

fn privacy(rules: PrivacyRules) -> Privacy {
    Privacy::new(PrivacyKey::from_bytes([7; 32]), rules)
}

#[test]
fn the_same_user_has_the_same_name_at_every_door_and_another_in_another_tenant() {
    let privacy = privacy(PrivacyRules::default());
    let http = privacy.user("acme", "anna@example.org");
    assert_eq!(http, privacy.user("acme", "Anna <sip:anna@example.org>"));
    assert_ne!(http, privacy.user("other", "anna@example.org"));
    assert!(http.as_str().starts_with("u:") && http.as_str().len() == 34, "{http}");
}

#[test]
fn a_mac_is_hashed_in_every_spelling_and_an_asset_name_kept() {
    let privacy = privacy(PrivacyRules::default());
    let device = |id: &str| privacy.device("acme", Text::new(id).expect("text"));
    assert_eq!(device("00:04:f2:a1:b2:c3"), device("phone-0004F2A1B2C3"));
    assert!(device("0004f2a1b2c3").as_str().starts_with("d:"));
    assert_eq!(device("room-berlin-01").as_str(), "room-berlin-01");
}

#[test]
fn asset_names_and_addresses_follow_the_rules() {
    let rules = PrivacyRules {
        addresses: Addresses::Keep,
        asset_names: AssetNames::Hash,
        ..PrivacyRules::default()
    };
    let mut event = sample::event();
    privacy(rules).seal_event("acme", &mut event);
    assert_eq!(
        event.near_endpoint.address.as_ref().map(Text::as_str),
        Some("10.1.0.77")
    );
    assert!(
        event
            .near_endpoint
            .device_id
            .is_some_and(|id| id.as_str().starts_with("d:"))
    );
}

#[test]
fn addresses_become_networks() {
    for (sent, kept) in [
        ("10.1.0.77", "10.1.0.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("10.2.3.0/24", "10.2.3.0/24"),
        ("10.0.0.0/8", "10.0.0.0/8"),
    ] {
        assert_eq!(address::network(sent).as_ref().map(Text::as_str), Some(kept));
    }
    assert_eq!(address::network("10.0.3.321"), None);
    assert_eq!(address::network("anna"), None);
}

#[test]
fn the_key_is_never_shown() {
    let shown = format!("{:?}", privacy(PrivacyRules::default()));
    assert!(
        !shown.contains(&hex::encode([7; 32])) && !shown.contains("7, 7"),
        "{shown}"
    );
}
