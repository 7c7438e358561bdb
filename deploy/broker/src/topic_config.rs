//! What can be configured of a topic, by the names Kafka gives it.

use std::collections::BTreeMap;

use crate::config::BrokerConfig;
use crate::log::LogRules;

/// Values that a topic sets for itself; the broker's defaults fill the rest.
pub(crate) type Overrides = BTreeMap<String, String>;

/// How a client shows the value (the numbers are the protocol's).
const BOOLEAN_LIST_AND_NUMBERS: [(&str, i8); 10] = [
    ("cleanup.policy", 7),
    ("compression.type", 2),
    ("delete.retention.ms", 5),
    ("max.message.bytes", 3),
    ("message.timestamp.type", 2),
    ("min.cleanable.dirty.ratio", 6),
    ("retention.bytes", 5),
    ("retention.ms", 5),
    ("segment.bytes", 3),
    ("segment.ms", 5),
];

const WEEK_MS: i64 = 7 * 24 * 3600 * 1000;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// One configuration as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) kind: i8,
    pub(crate) is_override: bool,
}

/// Everything that is in force for a topic.
pub(crate) fn entries(overrides: &Overrides, broker: &BrokerConfig) -> Vec<Entry> {
    BOOLEAN_LIST_AND_NUMBERS
        .iter()
        .map(|&(name, kind)| {
            let own = overrides.get(name).cloned();
            let is_override = own.is_some();
            Entry {
                name,
                value: own.unwrap_or_else(|| default_of(name, broker)),
                kind,
                is_override,
            }
        })
        .collect()
}

fn default_of(name: &str, broker: &BrokerConfig) -> String {
    let or_unlimited = |value: Option<String>| value.unwrap_or_else(|| "-1".to_owned());
    match name {
        "cleanup.policy" => "delete".to_owned(),
        "compression.type" => "producer".to_owned(),
        "message.timestamp.type" => "CreateTime".to_owned(),
        "delete.retention.ms" => DAY_MS.to_string(),
        "max.message.bytes" => broker.max_message_bytes.to_string(),
        "min.cleanable.dirty.ratio" => "0.5".to_owned(),
        "retention.bytes" => or_unlimited(broker.retention_bytes.map(|bytes| bytes.to_string())),
        "retention.ms" => or_unlimited(broker.retention.map(|time| time.as_millis().to_string())),
        "segment.bytes" => broker.segment_bytes.to_string(),
        _ => WEEK_MS.to_string(),
    }
}

/// The rules a set of overrides amounts to, or which one is wrong.
pub(crate) fn rules(overrides: &Overrides, broker: &BrokerConfig) -> Result<LogRules, String> {
    if let Some(unknown) = overrides
        .keys()
        .find(|key| !BOOLEAN_LIST_AND_NUMBERS.iter().any(|(name, _)| name == key))
    {
        return Err(format!("unknown topic config {unknown}"));
    }
    let value = |name: &str| overrides.get(name).cloned().unwrap_or_else(|| default_of(name, broker));
    let fixed = |name: &str, only: &str| match value(name) {
        given if given == only => Ok(()),
        given => Err(format!("{name}={given}: this broker supports {only} only")),
    };
    fixed("compression.type", "producer")?;
    fixed("message.timestamp.type", "CreateTime")?;
    let number = |name: &str, least: i64| match value(name).parse::<i64>() {
        Ok(number) if number >= least => Ok(number),
        _ => Err(format!("{name}={}: not a number of at least {least}", value(name))),
    };
    let limit = |name: &str| number(name, -1).map(|n| (n >= 0).then_some(n));
    let (deletes, compacts) = policies(&value("cleanup.policy"))?;
    let dirty_ratio = match value("min.cleanable.dirty.ratio").parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
        _ => return Err("min.cleanable.dirty.ratio: not a number from 0 to 1".to_owned()),
    };
    Ok(LogRules {
        segment_bytes: number("segment.bytes", 14)?.unsigned_abs(),
        segment_ms: number("segment.ms", 1)?,
        retention_ms: limit("retention.ms")?,
        retention_bytes: limit("retention.bytes")?.map(i64::unsigned_abs),
        deletes,
        compacts,
        delete_retention_ms: number("delete.retention.ms", 0)?,
        dirty_ratio,
        max_message_bytes: u32::try_from(number("max.message.bytes", 0)?).unwrap_or(u32::MAX),
    })
}

fn policies(value: &str) -> Result<(bool, bool), String> {
    let (mut deletes, mut compacts) = (false, false);
    for policy in value.split(',').map(str::trim) {
        match policy {
            "delete" => deletes = true,
            "compact" => compacts = true,
            other => return Err(format!("cleanup.policy={other}: neither delete nor compact")),
        }
    }
    Ok((deletes, compacts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<LogRules, String> {
        rules(
            &Overrides::from([(name.to_owned(), value.to_owned())]),
            &BrokerConfig::new("/nowhere"),
        )
    }

    #[test]
    fn the_defaults_are_the_brokers() {
        let rules = rules(&Overrides::new(), &BrokerConfig::new("/nowhere")).unwrap();
        assert_eq!((rules.deletes, rules.compacts), (true, false));
        assert_eq!((rules.retention_ms, rules.retention_bytes), (Some(WEEK_MS), None));
        assert_eq!(rules.segment_bytes, 256 << 20);
    }

    #[test]
    fn an_override_wins_and_minus_one_means_no_limit() {
        assert_eq!(with("retention.ms", "5").unwrap().retention_ms, Some(5));
        assert_eq!(with("retention.ms", "-1").unwrap().retention_ms, None);
        let both = with("cleanup.policy", "compact,delete").unwrap();
        assert!(both.compacts && both.deletes);
    }

    #[test]
    fn what_is_unknown_or_unsupported_is_refused_by_name() {
        for (name, value) in [
            ("retention.msec", "5"),
            ("retention.ms", "soon"),
            ("cleanup.policy", "keep"),
            ("compression.type", "gzip"),
            ("message.timestamp.type", "LogAppendTime"),
            ("segment.bytes", "1"),
        ] {
            assert!(with(name, value).unwrap_err().contains(name), "{name}");
        }
    }
}
