//! Which segments are too old or too many. Decisions only; the log deletes.

use super::LogRules;

/// What retention needs to know of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentFacts {
    pub(crate) bytes: u64,
    /// Latest record time, or the time of writing where the records have none.
    pub(crate) newest_ms: i64,
}

/// How many segments, from the oldest, may go. The answer may include the active one (the
/// last): every record in it has outlived the time limit, so it is closed first.
pub(crate) fn doomed(segments: &[SegmentFacts], rules: &LogRules, now_ms: i64) -> usize {
    if !rules.deletes {
        return 0;
    }
    expired(segments, rules, now_ms).max(oversize(segments, rules))
}

fn expired(segments: &[SegmentFacts], rules: &LogRules, now_ms: i64) -> usize {
    let Some(limit) = rules.retention_ms else { return 0 };
    segments
        .iter()
        .take_while(|segment| segment.bytes > 0 && now_ms.saturating_sub(segment.newest_ms) > limit)
        .count()
}

/// Size alone never takes the active segment, and never goes below the limit.
fn oversize(segments: &[SegmentFacts], rules: &LogRules) -> usize {
    let Some(limit) = rules.retention_bytes else { return 0 };
    let mut left: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let mut count = 0;
    for segment in segments.iter().take(segments.len().saturating_sub(1)) {
        if left.saturating_sub(segment.bytes) < limit {
            break;
        }
        left -= segment.bytes;
        count += 1;
    }
    count
}

/// Whether the active segment should be closed before `incoming` more bytes.
pub(crate) fn should_roll(bytes: u64, opened_ms: i64, incoming: u64, rules: &LogRules, now_ms: i64) -> bool {
    bytes > 0 && (bytes + incoming > rules.segment_bytes || now_ms.saturating_sub(opened_ms) >= rules.segment_ms)
}

#[cfg(test)]
pub(crate) mod samples {
    use super::LogRules;

    pub(crate) const RULES: LogRules = LogRules {
        segment_bytes: 1000,
        segment_ms: i64::MAX,
        retention_ms: None,
        retention_bytes: None,
        deletes: true,
        compacts: false,
        delete_retention_ms: 0,
        dirty_ratio: 0.0,
        max_message_bytes: 1 << 20,
    };
}

#[cfg(test)]
mod tests {
    use super::samples::RULES;
    use super::*;

    fn segments(of: &[(u64, i64)]) -> Vec<SegmentFacts> {
        of.iter()
            .map(|&(bytes, newest_ms)| SegmentFacts { bytes, newest_ms })
            .collect()
    }

    #[test]
    fn a_segment_goes_when_its_newest_record_is_too_old() {
        let rules = LogRules {
            retention_ms: Some(100),
            ..RULES
        };
        let log = segments(&[(10, 0), (10, 50), (10, 120)]);
        assert_eq!(doomed(&log, &rules, 100), 0);
        assert_eq!(doomed(&log, &rules, 101), 1);
        assert_eq!(doomed(&log, &rules, 151), 2);
        assert_eq!(doomed(&log, &rules, 221), 3);
    }

    #[test]
    fn an_old_segment_behind_a_young_one_waits_for_it() {
        let rules = LogRules {
            retention_ms: Some(100),
            ..RULES
        };
        assert_eq!(doomed(&segments(&[(10, 500), (10, 0), (10, 500)]), &rules, 550), 0);
    }

    #[test]
    fn size_keeps_at_least_the_limit_and_the_active_segment() {
        let rules = LogRules {
            retention_bytes: Some(20),
            ..RULES
        };
        assert_eq!(doomed(&segments(&[(10, 0), (10, 0), (10, 0)]), &rules, 0), 1);
        assert_eq!(doomed(&segments(&[(10, 0), (15, 0)]), &rules, 0), 0);
        assert_eq!(doomed(&segments(&[(10, 0), (500, 0)]), &rules, 0), 1);
    }

    #[test]
    fn a_log_that_only_compacts_deletes_nothing() {
        let rules = LogRules {
            retention_ms: Some(1),
            retention_bytes: Some(1),
            deletes: false,
            ..RULES
        };
        assert_eq!(doomed(&segments(&[(10, 0), (10, 0)]), &rules, 1000), 0);
    }

    #[test]
    fn an_empty_segment_is_never_closed() {
        assert!(!should_roll(0, 0, 5000, &RULES, 0));
        assert!(!should_roll(900, 0, 100, &RULES, 0));
        assert!(should_roll(900, 0, 101, &RULES, 0));
        assert!(should_roll(
            1,
            0,
            1,
            &LogRules {
                segment_ms: 10,
                ..RULES
            },
            10
        ));
    }
}
