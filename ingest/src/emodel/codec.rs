//! What is known of codecs: Ie and Bpl with where they come from.

use std::collections::BTreeMap;

use dialtone_schemas::Text;
use serde::{Deserialize, Serialize};

/// Which formula a codec's figures belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bandwidth {
    /// G.107.
    Narrow,
    /// G.107.1.
    Wide,
}

impl Bandwidth {
    const fn formula(self) -> &'static str {
        match self {
            Self::Narrow => "g107-2015",
            Self::Wide => "g107.1-2015",
        }
    }
}

/// A codec as the E-model sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codec {
    /// Formula.
    pub bandwidth: Bandwidth,
    /// Equipment impairment without loss.
    pub ie: f64,
    /// Robustness where lost packets are concealed.
    pub bpl: f64,
    /// Robustness where the report says that they are not; `bpl` when absent.
    #[serde(default)]
    pub bpl_without_concealment: Option<f64>,
    /// No standard states these figures: somebody chose them. It is said of each score.
    #[serde(default)]
    pub assumed: bool,
}

impl Codec {
    const fn standard(ie: f64, bpl: f64) -> Self {
        Self {
            bandwidth: Bandwidth::Narrow,
            ie,
            bpl,
            bpl_without_concealment: None,
            assumed: false,
        }
    }

    const fn assumed(bandwidth: Bandwidth, ie: f64) -> Self {
        Self {
            bandwidth,
            ie,
            bpl: CONCEALED,
            bpl_without_concealment: Some(NOT_CONCEALED),
            assumed: true,
        }
    }

    /// Bpl, by whether the receiver conceals.
    pub(super) fn robustness(&self, conceals: bool) -> f64 {
        if conceals {
            self.bpl
        } else {
            self.bpl_without_concealment.unwrap_or(self.bpl)
        }
    }
}

/// Bpl of G.711 with the concealment of its appendix I (G.113 table I.3).
const CONCEALED: f64 = 25.1;
/// Bpl of G.711 without (same table).
const NOT_CONCEALED: f64 = 4.3;

/// Names that sources have for one codec, and the one of ours.
const ALIASES: [(&str, &str); 22] = [
    ("g711", "pcmu"),
    ("g711u", "pcmu"),
    ("g711mu", "pcmu"),
    ("g.711mu", "pcmu"),
    ("g711ulaw", "pcmu"),
    ("g.711 ulaw", "pcmu"),
    ("ulaw", "pcmu"),
    ("mulaw", "pcmu"),
    ("g711a", "pcma"),
    ("g.711a", "pcma"),
    ("g711alaw", "pcma"),
    ("g.711 alaw", "pcma"),
    ("alaw", "pcma"),
    ("g.729", "g729"),
    ("g729a", "g729"),
    ("g729ab", "g729"),
    ("g.722", "g722"),
    ("g.723", "g723"),
    ("g723.1", "g723"),
    ("silkwide", "silk"),
    ("silknarrow", "silk"),
    ("satinfullband", "satin"),
];

/// One name for one codec, whatever the source calls it.
pub fn canonical(name: &str) -> Option<Text> {
    let lower = name.trim().to_ascii_lowercase();
    let name = ALIASES
        .iter()
        .find(|(alias, _)| *alias == lower)
        .map_or(lower.as_str(), |(_, ours)| ours);
    match name {
        "unknown" | "invalid" => None,
        name => Text::lenient(name),
    }
}

/// The codec of a static RTP payload type (RFC 3551).
pub fn of_payload_type(payload_type: i32) -> Option<&'static str> {
    match payload_type {
        0 => Some("pcmu"),
        3 => Some("gsm"),
        4 => Some("g723"),
        8 => Some("pcma"),
        9 => Some("g722"),
        15 => Some("g728"),
        18 => Some("g729"),
        _ => None,
    }
}

/// All codecs that can be scored, by their canonical name.
#[derive(Clone, Debug, PartialEq)]
pub struct Codecs(BTreeMap<String, Codec>);

impl Default for Codecs {
    /// Narrow band by G.113 appendix I (2007). No standard states Opus on a scale shared with G.711, nor Bpl of G.722: the
    /// assumed pairs take Ie 0 (Opus, at the rates used for speech) and Ie,WB 13 (G.722 at 64 kbit/s; other tables say 14)
    /// with the robustness of G.711. Silk, Satin and the rest have none until configured.
    fn default() -> Self {
        let g711 = Codec {
            bpl_without_concealment: Some(NOT_CONCEALED),
            ..Codec::standard(0.0, CONCEALED)
        };
        let named = [
            ("pcmu", g711.clone()),
            ("pcma", g711),
            ("g729", Codec::standard(11.0, 19.0)),
            ("g723", Codec::standard(15.0, 16.1)),
            ("gsm-efr", Codec::standard(5.0, 10.0)),
            ("opus", Codec::assumed(Bandwidth::Narrow, 0.0)),
            ("g722", Codec::assumed(Bandwidth::Wide, 13.0)),
        ];
        Self(
            named
                .into_iter()
                .map(|(name, codec)| (name.to_owned(), codec))
                .collect(),
        )
    }
}

impl Codecs {
    /// The defaults, with these added or put in their place.
    pub fn with(configured: &BTreeMap<String, Codec>) -> Self {
        let mut all = Self::default();
        all.0.extend(
            configured
                .iter()
                .map(|(name, codec)| (name.to_ascii_lowercase(), codec.clone())),
        );
        all
    }

    /// The codec of a canonical name.
    pub fn get(&self, name: &str) -> Option<&Codec> {
        self.0.get(name)
    }
}

/// How a score with this codec was reached, such as `g107-2015/g711-plc`.
pub(super) fn method(name: &str, codec: &Codec, conceals: bool) -> String {
    let label = match (name, conceals) {
        ("pcmu" | "pcma", true) => "g711-plc",
        ("pcmu" | "pcma", false) => "g711",
        (name, _) => name,
    };
    format!(
        "{}/{label}{}",
        codec.bandwidth.formula(),
        if codec.assumed { "-assumed" } else { "" }
    )
}
