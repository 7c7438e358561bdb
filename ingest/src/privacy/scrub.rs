//! Free text: what in it could name a person is taken out. A rule of thumb behind the rules of each field, not in their
//! place: sources put people into fields that are meant for models.

use std::net::IpAddr;

use dialtone_schemas::Text;

/// What stands where something personal stood.
const REMOVED: &str = "[removed]";

/// A name of a model, a version, a site: without e-mail addresses, URIs, numbers, MAC addresses and owners ("Anna's").
/// Versions look like IP addresses, so those stay.
pub(super) fn name(value: &Text) -> Option<Text> {
    words(value, |word| is_personal_word(word) || is_owner(word))
}

/// A reason, a grade, a user agent: the same, and without IP addresses.
pub(super) fn free_text(value: &Text) -> Option<Text> {
    words(value, |word| {
        is_personal_word(word) || is_owner(word) || is_address(word)
    })
}

/// Does the text name a person, a number or a machine's address?
pub(super) fn is_personal(value: &str) -> bool {
    value
        .split_whitespace()
        .any(|word| is_personal_word(word) || is_address(word) || is_owner(word))
}

/// An id is personal as well if it carries a host (`1234@10.0.0.5`) or an address anywhere.
pub(super) fn is_personal_id(id: &str) -> bool {
    is_personal(id)
        || id.contains('@')
        || id
            .split(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'))
            .any(is_address)
}

/// The twelve hex digits of a MAC address that the text is or ends in (`phone-0004f2a1b2c3`), in lower case.
pub(super) fn mac(text: &str) -> Option<String> {
    let whole: String = text.chars().filter(|c| !":-.".contains(*c)).collect();
    let digits = if is_hex12(&whole) {
        whole
    } else if is_guid(text) {
        return None; // its last group is as long
    } else {
        text.rsplit(['-', '_', ' ', '/', ':']).next()?.to_owned()
    };
    is_hex12(&digits).then(|| digits.to_ascii_lowercase())
}

/// `805ec0123456`: a MAC address without separators. Only digits could be a number of anything, and are personal all the same.
pub(crate) fn is_hex12(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `e523d2ed-2966-4b6b-925b-754a88034cc5`: not one made of time and a MAC address (versions 1, 2 and 6 of RFC 9562).
fn is_guid(text: &str) -> bool {
    let text = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let text = text.trim_start_matches('{').trim_end_matches('}');
    let groups: Vec<&str> = text.split('-').collect();
    let is_hex = groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()));
    is_hex && groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && !groups[2].starts_with(['1', '2', '6'])
}

fn words(value: &Text, is_wrong: impl Fn(&str) -> bool) -> Option<Text> {
    // Nearly every value is clean: those cost no allocation.
    if !value.as_str().split_whitespace().any(&is_wrong) && !has_spaced_number(value.as_str()) {
        return Some(value.clone());
    }
    if has_spaced_number(value.as_str()) {
        return Text::new(REMOVED).ok();
    }
    let clean: Vec<&str> = value
        .as_str()
        .split_whitespace()
        .map(|word| if is_wrong(word) { REMOVED } else { word })
        .collect();
    Text::lenient(&clean.join(" "))
}

fn is_personal_word(word: &str) -> bool {
    let lower = word.trim_matches(|c: char| "<>()[]{},;\"'".contains(c));
    has_scheme(lower) || is_mail(lower) || is_phone_number(lower) || is_mac_with_separators(lower) || is_hex12(lower)
}

fn has_scheme(word: &str) -> bool {
    let starts = |scheme: &str| {
        word.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    ["sip:", "sips:", "tel:", "mailto:", "im:"].into_iter().any(starts)
}

fn is_mail(word: &str) -> bool {
    word.split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
}

/// `+49301234567`, `0049-30-1234567`: an international prefix and at least seven digits.
fn is_phone_number(word: &str) -> bool {
    let rest = word.strip_prefix('+').or_else(|| word.strip_prefix("00"));
    rest.is_some_and(|rest| {
        rest.chars().all(|c| c.is_ascii_digit() || "-./()".contains(c))
            && rest.chars().filter(char::is_ascii_digit).count() >= 7
    })
}

/// `+49 30 1234567`: the digits of a number are often set apart.
fn has_spaced_number(text: &str) -> bool {
    text.split('+').skip(1).any(|rest| {
        let digits = rest
            .chars()
            .take_while(|c| c.is_ascii_digit() || " -./()".contains(*c))
            .filter(char::is_ascii_digit);
        digits.count() >= 7 && rest.starts_with(|c: char| c.is_ascii_digit())
    })
}

fn is_mac_with_separators(word: &str) -> bool {
    word.len() == 17
        && [':', '-'].into_iter().any(|separator| {
            let parts: Vec<&str> = word.split(separator).collect();
            parts.len() == 6
                && parts
                    .iter()
                    .all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
        })
}

fn is_owner(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '"']);
    word.len() > 2 && (word.ends_with("'s") || word.ends_with("’s"))
}

/// An address with or without a port.
fn is_address(word: &str) -> bool {
    let word = word.trim_matches(|c: char| "<>()[]{},;\"'".contains(c));
    let is_ip = |text: &str| (text.contains(':') || text.contains('.')) && text.parse::<IpAddr>().is_ok();
    is_ip(word)
        || word
            .rsplit_once(':')
            .is_some_and(|(host, _)| is_ip(host.trim_matches(['[', ']'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Text {
        Text::new(value).expect("text")
    }

    #[test]
    fn a_mac_address_without_separators_is_taken_out_too() {
        let text = Text::new("Yealink SIP-T46S 66.85.0.5 805ec0123456").expect("a text");
        let clean = name(&text).map(String::from);
        assert_eq!(clean.as_deref(), Some("Yealink SIP-T46S 66.85.0.5 [removed]"));
        assert!(is_personal("805EC0123456"));
    }

    #[test]
    fn names_of_things_stay_as_they_are() {
        for value in [
            "Corvus H20",
            "usb-audio 3.1",
            "66.86.0.15",
            "berlin-b2-wifi-2",
            "10.9.0.0/24",
            "Teller D3",
            "c++ 1.0",
        ] {
            assert_eq!(name(&text(value)), Some(text(value)));
        }
    }

    #[test]
    fn people_are_taken_out_of_names() {
        for (value, clean) in [
            ("Anna’s AirPods", "[removed] AirPods"),
            ("trunk to +4930123456", "[removed]"),
            ("call +49 30 123 4567 back", "[removed]"),
            ("owner <anna@example.org>", "owner [removed]"),
            ("sip:anna", "[removed]"),
            ("at 00:1f:5b:cc:21:0f", "at [removed]"),
        ] {
            assert_eq!(name(&text(value)), Some(text(clean)), "{value}");
        }
        assert_eq!(
            free_text(&text("no route to 10.0.0.5:5060")),
            Some(text("no route to [removed]"))
        );
        assert_eq!(
            free_text(&text("no route to [2001:db8::5]:5060")),
            Some(text("no route to [removed]"))
        );
    }

    #[test]
    fn a_mac_is_found_in_every_spelling() {
        for spelling in [
            "0004F2A1B2C3",
            "00:04:f2:a1:b2:c3",
            "00-04-F2-A1-B2-C3",
            "0004.f2a1.b2c3",
            "phone-0004f2a1b2c3",
        ] {
            assert_eq!(mac(spelling).as_deref(), Some("0004f2a1b2c3"), "{spelling}");
        }
        assert_eq!(mac("room-berlin-01"), None);
        assert_eq!(mac("lap-0001"), None);
        assert_eq!(mac("e523d2ed-2966-4b6b-925b-754a88034cc5"), None, "a GUID");
        assert_eq!(mac("urn:uuid:e523d2ed-2966-4b6b-925b-754a88034cc5"), None);
        let of_time_and_mac = "c232ab00-9414-11ec-b3c8-0004f2a1b2c3";
        assert_eq!(mac(of_time_and_mac).as_deref(), Some("0004f2a1b2c3"), "version 1");
    }

    #[test]
    fn an_id_with_a_host_is_personal_and_a_guid_is_not() {
        assert!(is_personal_id("4321@10.0.0.5") && is_personal_id("call-10.0.0.5-7") && is_personal_id("+4930123456"));
        assert!(!is_personal_id("e523d2ed-2966-4b6b-925b-754a88034cc5"));
        assert!(!is_personal_id("6dg37f1890463"));
    }
}
