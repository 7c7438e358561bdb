//! Numbers that have a type and make no sense all the same: each would be obeyed silently.

use std::{fmt::Display, ops::RangeInclusive};

use dialtone_schemas::{Span, time};
use tracing_subscriber::EnvFilter;

use super::Config;

/// What is out of its range, with its key.
pub(super) fn out_of_range(config: &Config) -> Vec<(String, String)> {
    let problems = numbers(config).into_iter().chain(counts(config)).chain(spans(config));
    problems.chain(level(config)).collect()
}

fn numbers(config: &Config) -> Vec<(String, String)> {
    let (thresholds, watch) = (&config.processor.summarise.thresholds, &config.processor.watch);
    let slo = watch.slo;
    let ranges: [(&str, f64, RangeInclusive<f64>); 14] = [
        ("summarise.thresholds.loss_ratio", thresholds.loss_ratio, 0.0..=1.0),
        ("summarise.thresholds.jitter_ms", thresholds.jitter_ms, 0.0..=60_000.0),
        ("summarise.thresholds.rtt_ms", thresholds.rtt_ms, 0.0..=60_000.0),
        ("summarise.thresholds.mos", thresholds.mos, 1.0..=5.0),
        ("watch.false_alarms_per_day", watch.false_alarms_per_day, 1e-6..=1000.0),
        ("watch.indifference", watch.indifference, 1.0..=10.0),
        ("watch.min_excess", watch.min_excess, 0.0..=1e6),
        ("watch.slo.wired", slo.wired, 1e-6..=1.0),
        ("watch.slo.wifi", slo.wifi, 1e-6..=1.0),
        ("watch.slo.vpn", slo.vpn, 1e-6..=1.0),
        ("watch.slo.mobile", slo.mobile, 1e-6..=1.0),
        ("watch.slo.other", slo.other, 1e-6..=1.0),
        ("watch.slo.setup", slo.setup, 1e-6..=1.0),
        ("watch.slo.drop", slo.drop, 1e-6..=1.0),
    ];
    // NaN is in no range.
    let wrong = ranges.into_iter().filter(|(_, value, range)| !range.contains(value));
    wrong
        .map(|(key, value, range)| problem(key, value, range.start(), range.end()))
        .collect()
}

fn counts(config: &Config) -> Vec<(String, String)> {
    let (summarise, sink) = (&config.processor.summarise, &config.sink);
    let least = [
        ("processor.summarise.max_leaves", summarise.max_leaves, 100),
        ("processor.summarise.max_ids", summarise.max_ids, 1000),
        ("processor.summarise.max_ends", summarise.max_ends, 1000),
        ("sink.max_records", sink.max_records, 1),
        ("sink.max_bytes", sink.max_bytes, 1 << 20),
    ];
    let few = least.into_iter().filter(|(_, value, least)| value < least);
    let few = few.map(|(key, value, least)| (key.to_owned(), format!("{value}: at least {least}")));
    let devices = summarise.max_devices;
    let devices = (devices > 1000).then(|| problem("summarise.max_devices", devices, 0, 1000));
    let sampling = summarise.pair_sampling;
    let sampling =
        (!(1..=1_000_000).contains(&sampling)).then(|| problem("summarise.pair_sampling", sampling, 1, 1_000_000));
    few.chain(devices).chain(sampling).collect()
}

fn spans(config: &Config) -> Vec<(String, String)> {
    let (lateness, watch) = (&config.processor.summarise.lateness, &config.processor.watch);
    let ranges: [(&str, Span, i64, i64); 10] = [
        (
            "summarise.lateness.interval",
            lateness.interval,
            10 * time::SECOND,
            time::DAY,
        ),
        (
            "summarise.lateness.final",
            lateness.at_end,
            10 * time::SECOND,
            time::DAY,
        ),
        (
            "summarise.lateness.graph",
            lateness.graph,
            10 * time::SECOND,
            7 * time::DAY,
        ),
        ("watch.warm_up", watch.warm_up, time::MINUTE, 60 * time::DAY),
        ("watch.hold_off", watch.hold_off, time::MINUTE, time::DAY),
        ("watch.half_life", watch.half_life, time::HOUR, 3650 * time::DAY),
        ("watch.quiet", watch.quiet, time::MINUTE, time::DAY),
        ("watch.memory", watch.memory, time::HOUR, 2 * time::DAY),
        ("watch.reopen", watch.reopen, time::MINUTE, 14 * time::DAY),
        ("watch.max_ahead", watch.max_ahead, time::MINUTE, time::DAY),
    ];
    let wrong = ranges
        .into_iter()
        .filter(|(_, span, least, most)| !(*least..=*most).contains(&span.micros()));
    wrong
        .map(|(key, span, least, most)| problem(key, span, Span::from_micros(least), Span::from_micros(most)))
        .collect()
}

/// A word that is no level would be taken for the name of a part of the program, and everything else fall silent.
fn level(config: &Config) -> Option<(String, String)> {
    let level = &config.log.level;
    let words = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |directive: &str| {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        words.iter().any(|word| word.eq_ignore_ascii_case(level.trim()))
    };
    let holds = level.split(',').all(is_level) && EnvFilter::try_new(level).is_ok();
    let what = || format!("{level:?} is none of off, error, warn, info, debug, trace, nor `part=level` of these");
    (!holds).then(|| ("log.level".to_owned(), what()))
}

fn problem(key: &str, value: impl Display, least: impl Display, most: impl Display) -> (String, String) {
    (
        format!("processor.{key}"),
        format!("{value} is not between {least} and {most}"),
    )
}
