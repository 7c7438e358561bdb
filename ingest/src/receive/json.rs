//! Events, changes and complaints as JSON, as the HTTP door and `dialtone replay` take them.

use serde::de::DeserializeOwned;

use crate::refusal::{Reason, Refusal};

/// Deepest nesting taken: an event needs three levels.
pub const MAX_DEPTH: usize = 32;
/// Unknown keys named in one refusal.
const MAX_UNKNOWN: usize = 10;

/// Reads one JSON object. A key that means nothing here is refused with its path, so that a typo cannot lose a figure
/// silently; so is a value out of range.
pub fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Refusal> {
    let json = without_mark(json);
    refuse_deep(json)?;
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let mut reader = serde_json::Deserializer::from_slice(json);
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let read = serde_ignored::deserialize(tracked, |path| {
        if unknown.len() < MAX_UNKNOWN {
            unknown.push(path.to_string());
        }
    });
    let value = read.map_err(|error: serde_json::Error| refusal(&error, &track.path().to_string()))?;
    reader.end().map_err(|error| refusal(&error, "."))?;
    if unknown.is_empty() {
        Ok(value)
    } else {
        Err(Refusal::new(
            Reason::UnknownField,
            format!("unknown field {}", unknown.join(", ")),
        ))
    }
}

/// Without the byte-order mark that some systems write before UTF-8.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn refusal(error: &serde_json::Error, path: &str) -> Refusal {
    let reason = if error.is_data() {
        Reason::InvalidValue
    } else {
        Reason::MalformedJson
    };
    let detail = if path == "." {
        error.to_string()
    } else {
        format!("{path}: {error}")
    };
    Refusal::new(reason, detail)
}

/// Refuses what is nested deeper than [`MAX_DEPTH`], before anything is built from it.
pub(crate) fn refuse_deep(json: &[u8]) -> Result<(), Refusal> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Refusal::new(
                Reason::MalformedJson,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::Event;

    use super::*;

    const EVENT: &str = r#"{"kind":"final","call_id":"c","start":"2026-03-02T09:00:00Z","end":"2026-03-02T09:01:00Z"}"#;

    fn refused(json: &str) -> Refusal {
        read::<Event>(json.as_bytes()).expect_err("refused")
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_line() {
        assert!(read::<Event>(format!("\u{feff}{EVENT}").as_bytes()).is_ok());
    }

    #[test]
    fn a_whole_event_is_read() {
        let event: Event = read(EVENT.as_bytes()).expect("an event");
        assert_eq!(event.call_id.as_str(), "c");
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_path() {
        let refusal = refused(&EVENT.replace("\"kind\"", "\"packets\":{\"los_ratio\":0.1},\"kind\""));
        assert_eq!(
            (refusal.reason, refusal.detail.as_str()),
            (Reason::UnknownField, "unknown field packets.los_ratio")
        );
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_its_path_and_range() {
        let refusal = refused(&EVENT.replace("\"kind\"", "\"packets\":{\"loss_ratio\":2},\"kind\""));
        assert_eq!(refusal.reason, Reason::InvalidValue);
        assert!(
            refusal
                .detail
                .starts_with("packets.loss_ratio: Ratio of 2: expected 0 to 1"),
            "{refusal}"
        );
        assert_eq!(refused(&EVENT.replace("final", "finale")).reason, Reason::InvalidValue);
        assert_eq!(
            refused(&EVENT.replace("\"call_id\":\"c\",", "")).reason,
            Reason::InvalidValue
        );
    }

    #[test]
    fn what_is_no_json_or_more_than_one_is_refused() {
        assert_eq!(refused("{").reason, Reason::MalformedJson);
        assert_eq!(refused("not json").reason, Reason::MalformedJson);
        assert_eq!(refused(&format!("{EVENT}{EVENT}")).reason, Reason::MalformedJson);
    }

    #[test]
    fn nesting_is_bounded_but_brackets_in_strings_do_not_count() {
        assert_eq!(refused(&"[".repeat(1000)).detail, "nested deeper than 32 levels");
        assert_eq!(refuse_deep(format!("\"{}\\\"[\"", "[".repeat(100)).as_bytes()), Ok(()));
    }

    proptest::proptest! {
        /// Whatever bytes come: a value or a refusal.
        #[test]
        fn mutated_lines_never_panic(at in 0_usize..200, bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..6)) {
            let mut line = EVENT.as_bytes().to_vec();
            let at = at.min(line.len());
            let end = (at + bytes.len()).min(line.len());
            line.splice(at..end, bytes);
            drop(read::<Event>(&line));
        }
    }
}
