//! One form for one person, whatever form a source writes them in.

/// `"Anna" <sip:Anna@example.org:5060;user=phone>` is `anna@example.org`; `tel:+49-30 1234` is `+49301234`.
pub(super) fn canonical(identity: &str) -> String {
    let inner = match (identity.find('<'), identity.rfind('>')) {
        (Some(open), Some(close)) if open < close => identity.get(open + 1..close).unwrap_or(identity),
        _ => identity,
    };
    let lower = inner.trim().to_lowercase();
    let bare = ["sips:", "sip:", "tel:", "mailto:", "im:"]
        .iter()
        .find_map(|scheme| lower.strip_prefix(scheme))
        .unwrap_or(&lower);
    let bare = bare.split([';', '?']).next().unwrap_or(bare);
    let bare = match bare.rsplit_once(':') {
        Some((host, port)) if bare.contains('@') && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => bare,
    };
    if is_number(bare) {
        bare.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect()
    } else {
        bare.to_owned()
    }
}

fn is_number(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || "+-. ()/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_form() {
        for form in [
            "anna@example.org",
            "sip:Anna@example.org",
            "\"Anna K\" <sips:anna@example.org:5061;user=phone>",
        ] {
            assert_eq!(canonical(form), "anna@example.org", "{form}");
        }
        for form in ["+49 30 1234-5", "tel:+49301234.5", "+49 (30) 12345"] {
            assert_eq!(canonical(form), "+493012345", "{form}");
        }
        assert_eq!(canonical(">odd<"), ">odd<");
    }
}
