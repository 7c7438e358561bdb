//! What phones write where RFC 6035 says something else, and what they mean by it. Each forgiveness leaves a warning.

use std::net::IpAddr;

use dialtone_schemas::{
    EventTime, Text,
    measure::{Decibel, Millis, Mos, RFactor, Ratio},
};

use crate::privacy::is_hex12;

/// Of RFC 3611: a level, an R or a MOS of 127 is none. RFC 6035 says to leave them out; phones do not.
const NONE_7_BITS: f64 = 127.0;
/// A duration of two bytes, all ones: unknown or longer.
const NONE_16_BITS: f64 = 65_535.0;
/// Warnings of one report.
const MAX_WARNINGS: usize = 24;

/// Collects what had to be forgiven.
#[derive(Debug, Default)]
pub(super) struct Warnings(Vec<Text>);

impl Warnings {
    pub(super) fn add(&mut self, text: &str) {
        let text = Text::lenient(text);
        if self.0.len() < MAX_WARNINGS && text.as_ref().is_some_and(|text| !self.0.contains(text)) {
            self.0.extend(text);
        }
    }

    pub(super) fn into_texts(self) -> Vec<Text> {
        self.0
    }
}

/// A named value on its way to a quantity.
pub(super) struct Figure<'a> {
    pub(super) name: &'a str,
    pub(super) text: Option<&'a str>,
}

impl Figure<'_> {
    /// The number; sign, decimals, a decimal comma and the unit behind it (`5.0%`, `200ms`, `-18 dBm`) are read.
    fn number(&self, warnings: &mut Warnings) -> Option<f64> {
        let is_unit = |c: char| c.is_ascii_alphabetic() || c == '%' || c.is_whitespace();
        let text = self.text?.trim().trim_end_matches(is_unit);
        let number = text
            .parse::<f64>()
            .or_else(|_| text.replacen(',', ".", 1).parse())
            .ok()
            .filter(|n| n.is_finite());
        if number.is_none() {
            warnings.add(&format!("{}: not a number, left out", self.name));
        }
        number
    }

    fn known(&self, none: f64, warnings: &mut Warnings) -> Option<f64> {
        let number = self.number(warnings)?;
        if (number - none).abs() < 1e-9 {
            warnings.add(&format!("{}={none} stands for unknown", self.name));
            return None;
        }
        Some(number)
    }

    fn in_range<T, E>(
        &self,
        value: Option<f64>,
        new: impl Fn(f64) -> Result<T, E>,
        warnings: &mut Warnings,
    ) -> Option<T> {
        let value = new(value?).ok();
        if value.is_none() {
            warnings.add(&format!("{}: out of range, left out", self.name));
        }
        value
    }

    /// Per cent.
    pub(super) fn percent(&self, warnings: &mut Warnings) -> Option<Ratio> {
        let value = self.number(warnings);
        self.in_range(value, Ratio::from_percent, warnings)
    }

    /// Milliseconds; 65535 is unknown.
    pub(super) fn millis(&self, warnings: &mut Warnings) -> Option<Millis> {
        let value = self.known(NONE_16_BITS, warnings);
        self.in_range(value, Millis::new, warnings)
    }

    /// Milliseconds that cannot be 0: RFC 3611 sends 0 for what it does not know.
    pub(super) fn millis_above_zero(&self, warnings: &mut Warnings) -> Option<Millis> {
        self.millis(warnings).filter(|millis| millis.get() > 0.0)
    }

    /// A level; 127 is unknown.
    pub(super) fn level(&self, warnings: &mut Warnings) -> Option<Decibel> {
        let value = self.known(NONE_7_BITS, warnings);
        self.in_range(value, Decibel::new, warnings)
    }

    /// R, to 120 in wide band; 127 is unknown.
    pub(super) fn r(&self, warnings: &mut Warnings) -> Option<RFactor> {
        let value = self.known(NONE_7_BITS, warnings);
        self.in_range(
            value,
            |r| {
                if r <= 120.0 {
                    RFactor::new(r).map_err(drop)
                } else {
                    Err(())
                }
            },
            warnings,
        )
    }

    /// A MOS; 0 and 127 are unknown, 10 to 50 are tenths.
    pub(super) fn mos(&self, warnings: &mut Warnings) -> Option<Mos> {
        let value = self.known(NONE_7_BITS, warnings)?;
        if value == 0.0 {
            warnings.add(&format!("{}=0 stands for unknown", self.name));
            return None;
        }
        let value = match (10.0..=50.0).contains(&value) {
            true => {
                warnings.add(&format!("{}: read as tenths", self.name));
                value / 10.0
            }
            false => value,
        };
        self.in_range(Some(value), Mos::new, warnings)
    }

    /// A small whole number.
    pub(super) fn whole(&self, warnings: &mut Warnings) -> Option<i32> {
        let number = self.number(warnings)?;
        #[allow(clippy::cast_possible_truncation, reason = "within the bounds just checked")]
        let whole = (0.0..=1e9).contains(&number).then_some(number as i32);
        whole
    }
}

/// An instant; `0` and what is none are unknown.
pub(super) fn instant(text: Option<&str>) -> Option<EventTime> {
    let text = text?.trim();
    EventTime::parse(text)
        .or_else(|_| EventTime::parse(&format!("{text}Z")))
        .ok()
}

/// `IP=10.0.0.1 PORT=5000 SSRC=0x1234`, with the dialects of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) ip: Option<IpAddr>,
    pub(super) ssrc: Option<u32>,
}

impl Address {
    pub(super) fn read(name: &str, ip: Option<&str>, ssrc: Option<&str>, warnings: &mut Warnings) -> Self {
        let address = ip.and_then(|ip| {
            let bare = ip.trim().trim_matches(['[', ']']);
            let read = bare.parse::<IpAddr>().ok();
            let read = read.or_else(|| {
                let address = ip.trim().parse::<std::net::SocketAddr>().ok()?.ip();
                warnings.add(&format!("{name}: a port within IP"));
                Some(address)
            });
            if read.is_none() {
                warnings.add(&format!("{name}: IP is not an address, left out"));
            }
            read
        });
        let ssrc = ssrc.and_then(|text| {
            let text = text.trim();
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
            if digits.is_none() {
                warnings.add(&format!("{name}: SSRC without 0x"));
            }
            u32::from_str_radix(digits.unwrap_or(text), 16)
                .ok()
                .filter(|ssrc| *ssrc != 0)
        });
        Self { ip: address, ssrc }
    }
}

/// `Maker Model firmware` or `model/firmware`: the model, and the firmware's version.
pub(super) fn device_and_firmware(agent: &str) -> (Option<Text>, Option<Text>) {
    let mut agent = agent.trim();
    // Some phones end with their MAC address: it names one phone, not a model.
    while let Some((before, _)) = agent.rsplit_once([' ', '/', '-']).filter(|(_, last)| is_hex12(last)) {
        agent = before.trim_end();
    }
    // A plain number is a model's: VVX 411.
    let is_version = |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && word[1..].contains(['.', '_', '-']);
    let split = agent
        .rsplit_once([' ', '/'])
        .filter(|(model, version)| !model.is_empty() && is_version(version));
    match split {
        Some((model, version)) => (Text::lenient(model), Text::lenient(version)),
        None => (Text::lenient(agent), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a, T>(text: &'a str, read: impl Fn(&Figure<'a>, &mut Warnings) -> Option<T>) -> (Option<T>, usize) {
        let mut warnings = Warnings::default();
        let value = read(
            &Figure {
                name: "X",
                text: Some(text),
            },
            &mut warnings,
        );
        (value, warnings.0.len())
    }

    #[test]
    fn sentinels_are_unknown_and_said_so() {
        assert_eq!(read("127", Figure::level), (None, 1));
        assert_eq!(read("127", Figure::r), (None, 1));
        assert_eq!(read("0", Figure::mos), (None, 1));
        assert_eq!(read("65535", Figure::millis), (None, 1));
        assert_eq!(read("-18", Figure::level).0.map(Decibel::get), Some(-18.0));
    }

    #[test]
    fn decimals_and_tenths_are_read() {
        assert_eq!(read("45.50", Figure::millis).0.map(Millis::get), Some(45.5));
        assert_eq!(read("5,5", Figure::percent).0.map(Ratio::get), Some(0.055));
        assert_eq!(read("41", Figure::mos), (Mos::new(4.1).ok(), 1));
        assert_eq!(read("4.1", Figure::mos), (Mos::new(4.1).ok(), 0));
        assert_eq!(read("250", Figure::percent), (None, 1));
        assert_eq!(read("lots", Figure::percent), (None, 1));
    }

    #[test]
    fn addresses_are_read_in_their_dialects() {
        let mut warnings = Warnings::default();
        let mut address = |ip: &str, ssrc: &str| Address::read("LocalAddr", Some(ip), Some(ssrc), &mut warnings);
        assert_eq!(
            address("10.0.0.1", "0x1a3b5c7d"),
            Address {
                ip: "10.0.0.1".parse().ok(),
                ssrc: Some(0x1a3b_5c7d)
            }
        );
        assert_eq!(
            address("50.207.16.19:49194", "1a3b5c7d"),
            Address {
                ip: "50.207.16.19".parse().ok(),
                ssrc: Some(0x1a3b_5c7d)
            }
        );
        assert_eq!(address("10.0.3.321", "0x00000000"), Address::default());
        assert_eq!(address("[2001:db8::1]", "x").ip, "2001:db8::1".parse().ok());
        assert_eq!(warnings.0.len(), 3);
    }

    #[test]
    fn an_agent_is_a_device_and_its_firmware() {
        let read = |agent| {
            let (device, firmware) = device_and_firmware(agent);
            (
                device.map(String::from).unwrap_or_default(),
                firmware.map(String::from).unwrap_or_default(),
            )
        };
        assert_eq!(read("Teller D3 5.1.2"), ("Teller D3".to_owned(), "5.1.2".to_owned()));
        let t46 = ("Yealink SIP-T46S".to_owned(), "66.85.0.5".to_owned());
        assert_eq!(
            read("Yealink SIP-T46S 66.85.0.5 805ec0123456"),
            t46,
            "the MAC names one phone"
        );
        assert_eq!(
            read("Polycom VVX 411"),
            ("Polycom VVX 411".to_owned(), String::new()),
            "a model's number"
        );
        assert_eq!(
            read("snom821/873_19_20130321"),
            ("snom821".to_owned(), "873_19_20130321".to_owned())
        );
        assert_eq!(
            read("Yealink SIP-T41P 36.81.0.10"),
            ("Yealink SIP-T41P".to_owned(), "36.81.0.10".to_owned())
        );
        assert_eq!(read("Phone"), ("Phone".to_owned(), String::new()));
    }
}
