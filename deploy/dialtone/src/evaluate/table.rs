//! What people read: a run on a line, and all figures of the totals.

use anyhow::Result;
use serde_json::Value;

use super::{
    fate::{CauseFate, Fate},
    totals::Totals,
};

/// What stands where there is nothing to tell.
const NOTHING: &str = "–";

/// A run on a line.
pub(super) fn row(fate: &Fate) -> String {
    let named = fate.causes.iter().filter(|cause| cause.named).count();
    let missed = fate.causes.iter().filter(|cause| !cause.named);
    let missed: Vec<String> = missed.map(|cause| format!("missed {}", cause.scope)).collect();
    format!(
        "{:18} {:5}  {named}/{} named  {} false{}  after {} min (about the right scope after {})  {}",
        fate.scenario,
        fate.seed,
        fate.causes.len(),
        fate.false_incidents,
        match fate.false_in_history {
            0 => String::new(),
            before => format!(", {before} in its history"),
        },
        of_each(fate, |cause| cause.delay_min),
        of_each(fate, |cause| cause.named_min),
        [
            missed,
            of_outages(fate),
            of_first_calls(fate),
            of_works(fate),
            fate.raised.clone()
        ]
        .concat()
        .join("; ")
    )
}

/// Minutes of the causes that have any.
fn of_each(fate: &Fate, minutes: fn(&CauseFate) -> Option<f64>) -> String {
    let of = |cause| minutes(cause).map(|minutes| format!("{minutes:.0}"));
    let all: Vec<String> = fate.causes.iter().filter_map(of).collect();
    match all.is_empty() {
        true => NOTHING.to_owned(),
        false => all.join(", "),
    }
}

/// How soon hard outages were told of, and could be: at best as soon as the reports that are missing are enough, without the time until their
/// window is closed.
fn of_outages(fate: &Fate) -> Vec<String> {
    let minutes = |minutes: Option<f64>| minutes.map_or(NOTHING.to_owned(), |minutes| format!("{minutes:.0}"));
    let of = |cause: &CauseFate| {
        let (delay, best) = (minutes(cause.delay_min), minutes(cause.outage_achievable_min));
        format!(
            "outage of {} told after {delay} min, {best} at best without the closing of a window",
            cause.scope
        )
    };
    fate.causes.iter().filter(|cause| cause.is_outage).map(of).collect()
}

/// Who was called first though it was another's.
fn of_first_calls(fate: &Fate) -> Vec<String> {
    let is_wrong = |cause: &&CauseFate| cause.owner_right_at_first_page == Some(false);
    let of = |cause: &CauseFate| format!("called another team first, not the owner of {}", cause.scope);
    fate.causes.iter().filter(is_wrong).map(of).collect()
}

/// What announced works should not have done.
fn of_works(fate: &Fate) -> Vec<String> {
    let of = |cause: &CauseFate| {
        let work = cause.announced_work.filter(|work| work.noticed)?;
        let wrong = if work.paged_during {
            "called during the work at"
        } else if work.overran && !work.paged_after {
            "nobody called though it overran, the work at"
        } else if !work.overran && work.paged_after {
            "called though over in time, the work at"
        } else {
            return None;
        };
        Some(format!("{wrong} {}", cause.scope))
    };
    fate.causes.iter().filter_map(of).collect()
}

/// Every figure on a line, with its interval.
pub(super) fn table(totals: &Totals) -> Result<String> {
    let line = |(name, value): (String, Value)| {
        let interval = totals
            .intervals
            .get(&name)
            .and_then(|interval| between(&value, *interval));
        let interval = interval.unwrap_or_default();
        format!("{name:40} {}{interval}{}", shown(&value), remark(&name))
    };
    let figures = figures("", serde_json::to_value(totals)?);
    let lines = figures.into_iter().filter(|(name, _)| !name.starts_with("intervals."));
    Ok(lines.map(line).collect::<Vec<_>>().join("\n"))
}

/// A figure; a dash for one that is null.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.to_owned(),
        Value::String(word) => word.clone(),
        Value::Number(number) if number.is_f64() => number.as_f64().map_or(NOTHING.to_owned(), figure),
        _ => value.to_string(),
    }
}

/// Where a figure lies, an open end as dots. Of what is not known at all nothing is said.
fn between(value: &Value, (low, high): (Option<f64>, Option<f64>)) -> Option<String> {
    let end = |end: Option<f64>| end.map_or("…".to_owned(), figure);
    let is_known = !value.is_null() || low.is_some() || high.is_some();
    is_known.then(|| format!("  ({} to {})", end(low), end(high)))
}

fn figure(figure: f64) -> String {
    format!("{figure:.3}")
}

/// Every figure by its name; one within another by both names.
fn figures(name: &str, value: Value) -> Vec<(String, Value)> {
    let Value::Object(within) = value else {
        return vec![(name.to_owned(), value)];
    };
    let named = |key: String| match name {
        "" => key,
        _ => format!("{name}.{key}"),
    };
    let of_each = within.into_iter().flat_map(|(key, value)| figures(&named(key), value));
    of_each.collect()
}

/// What a name leaves open.
fn remark(name: &str) -> &'static str {
    match name {
        "cells" => "  (summed over the channels already; scopes are fewer)",
        "channels" => "  (that there are; few scopes are watched on all)",
        "outages_small" => "  (fewer than 20 reports a minute: in no median)",
        "outage_achievable_median_min" => {
            "  (who knew the rate of reports would know, without the closing of a window)"
        }
        "f1_of_oracle" => "  (what poor call-ends alone can tell)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{fate::tests::cause, totals::tests::run},
        *,
    };

    #[test]
    fn a_figure_within_another_has_a_line_and_its_interval() {
        let said = table(&Totals::of(&[run(vec![cause(Some(13.0), Some(5.0), 0.4)], 0)])).expect("a table");
        let line = |name: &str| said.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        let lead = line("leads.up_to_1.before_third_share").expect("a line");
        assert!(
            lead.ends_with(" 1.000  (0.207 to 1.000)"),
            "1 / (1 + 3.84) = .207: {lead}"
        );
        let delay = line("delay_median_min").expect("a line");
        assert!(delay.ends_with(" 13.000  (… to …)"), "of one value: {delay}");
        let is = line("leads.half_rate.first_median_is").expect("a line");
        assert!(is.ends_with(" without_complaint"), "{is}");
        assert!(line("cells").is_some_and(|line| line.contains("summed")), "{said}");
        assert_eq!(line("intervals"), None);
    }

    #[test]
    fn of_nothing_a_dash_is_all_that_is_said() {
        let said = table(&Totals::of(&[])).expect("a table");
        for name in ["recall ", "delay_median_min ", "leads.up_to_1.before_third_share "] {
            let line = said.lines().find(|line| line.starts_with(name)).expect("a line");
            assert!(line.ends_with(" –"), "{line}");
        }
    }

    #[test]
    fn a_run_says_how_soon_an_outage_was_told_and_whom_it_called_first() {
        let outage = CauseFate {
            is_outage: true,
            outage_achievable_min: Some(2.0),
            owner_right_at_first_page: Some(false),
            named_min: Some(6.0),
            ..cause(Some(4.0), None, 0.4)
        };
        let said = row(&run(vec![outage, cause(None, None, 0.4)], 0));
        for part in [
            "1/2 named",
            "after 4 min (about the right scope after 6)",
            "missed site=bern",
            "outage of site=bern told after 4 min, 2 at best without the closing of a window",
            "called another team first, not the owner of site=bern",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
}
