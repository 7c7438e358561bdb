//! Leads before complaints. A median of them may be infinite, to either side, and JSON has no infinity: what it is, is said beside it.

use serde::Serialize;

/// What a median of leads is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadIs {
    /// Null: there was no cause.
    #[default]
    NothingPlanted,
    /// Null, for minus infinity: the causes in the middle were missed.
    Missed,
    /// So many minutes.
    Minutes,
    /// Null, for infinity: of the causes in the middle, named all of them, nobody complained so often.
    WithoutComplaint,
}

impl LeadIs {
    /// Of a median.
    pub(super) fn of(median: f64) -> Self {
        if median.is_nan() {
            Self::NothingPlanted
        } else if median.is_finite() {
            Self::Minutes
        } else if median > 0.0 {
            Self::WithoutComplaint
        } else {
            Self::Missed
        }
    }
}

/// Leads before complaints; missed causes count as minus infinity, such without a complaint as infinity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Leads {
    /// From OPEN to the first complaint.
    pub first_median_min: Option<f64>,
    /// To the third.
    pub third_median_min: Option<f64>,
    /// Causes named before the first complaint; null where there was no cause.
    pub before_first_share: Option<f64>,
    /// Before the third.
    pub before_third_share: Option<f64>,
    /// What the median to the first complaint is.
    pub first_median_is: LeadIs,
    /// What that to the third is.
    pub third_median_is: LeadIs,
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            fate::{CauseFate, tests::cause},
            totals::{Totals, tests::run},
        },
        *,
    };

    /// One that breaks and one that grows, both small, 5 and 20 minutes ahead; a large one that grows, 30 minutes ahead; a large one that
    /// breaks, missed. The lower of 20 and 30 is 20, that of 5 and 20 is 5. Nobody complains three times.
    #[test]
    fn causes_that_grow_have_leads_of_their_own_and_so_have_large_ones_that_break() {
        let growing = |lead: f64, size: f64| CauseFate {
            is_growing: true,
            ..cause(Some(10.0), Some(lead), size)
        };
        let small = cause(Some(10.0), Some(5.0), 1.0);
        let causes = vec![
            small,
            growing(20.0, 0.4),
            growing(30.0, 2.0),
            cause(None, Some(1.0), 2.0),
        ];
        let totals = Totals::of(&[run(causes, 0)]);
        let first = |class: &str| {
            (
                totals.leads[class].first_median_min,
                totals.leads[class].before_first_share,
            )
        };
        assert_eq!(first("up_to_1"), (Some(5.0), Some(1.0)));
        assert_eq!(first("ramps"), (Some(20.0), Some(1.0)));
        assert_eq!(first("above_1_abrupt"), (None, Some(0.0)));
        assert_eq!(totals.leads["above_1_abrupt"].first_median_is, LeadIs::Missed);
        assert_eq!(totals.leads["ramps"].third_median_is, LeadIs::WithoutComplaint);
        assert!(totals.intervals.contains_key("leads.ramps.third_median_min"));
    }

    #[test]
    fn infinite_medians_are_told_apart() {
        let said = [f64::NAN, f64::NEG_INFINITY, -5.0, f64::INFINITY].map(LeadIs::of);
        let expected = [
            LeadIs::NothingPlanted,
            LeadIs::Missed,
            LeadIs::Minutes,
            LeadIs::WithoutComplaint,
        ];
        assert_eq!(said, expected);
        assert_eq!(
            serde_json::to_value(LeadIs::WithoutComplaint).ok(),
            Some("without_complaint".into())
        );
    }
}
