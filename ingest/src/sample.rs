//! What the tests of this crate begin with.

use dialtone_schemas::{Event, Text};

use crate::{PrivacyKey, PrivacyRules, Sites, emodel::ScoringRules, normalise::IngestRules};

/// Two networks: an office's Wi-Fi and a VPN.
pub(crate) const SITES: &str = "10.1.0.0,berlin-wifi-2,22,berlin-b1,Leased,Office,Office,Berlin,10115,DE,,emea,1,0,0\n\
                                10.200.0.0,vpn-emea,16,vpn-emea,,,,remote-emea,,,,,0,0,1\n";

pub(crate) fn text(value: &str) -> Text {
    Text::new(value).expect("a text")
}

pub(crate) fn rules() -> IngestRules {
    IngestRules {
        sites: Sites::read(SITES.as_bytes()).expect("a building file"),
        key: PrivacyKey::from_bytes([7; 32]),
        privacy: PrivacyRules::default(),
        scoring: ScoringRules::default(),
    }
}

/// A minute of G.711 with 2 % loss, 80 ms round trip, 5 ms jitter, as a door takes it.
pub(crate) fn event() -> Event {
    serde_json::from_value(serde_json::json!({
        "kind": "interval",
        "call_id": "6dg37f1890463",
        "leg_id": "a",
        "start": "2026-03-02T09:00:00Z",
        "end": "2026-03-02T09:01:00Z",
        "near": {"codec": "pcmu"},
        "near_endpoint": {"address": "10.1.0.77", "user": "anna@example.org", "device_id": "lap-0001"},
        "media": {"concealment": true},
        "packets": {"loss_ratio": 0.02},
        "delay": {"rtt_ms": 80, "jitter_ms": 5},
    }))
    .expect("an event")
}
