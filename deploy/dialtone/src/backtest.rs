//! `dialtone backtest`: what watch would have told of days that lie in the lake, beside what it told then.

use anyhow::{Context, Result, bail};
use dialtone_schemas::{EventTime, Incident, time};
use dialtone_sinks::lake::Reader;
use serde::Serialize;

use crate::{
    cli,
    config::Config,
    past::MOST_ROWS,
    refold::{days, is_lake, refold},
    say,
};

/// Incidents about the same scope whose onsets lie no further apart are the same.
const SAME_ONSET: i64 = 30 * time::MINUTE;
/// Revisions of an incident are looked for until so long after the days asked for.
const TAIL_DAYS: i32 = 2;

/// One cause, as it was told then and as it would be told now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Then.
    pub then: Option<Incident>,
    /// Now.
    pub now: Option<Incident>,
}

/// Does what the command line says.
pub async fn run(args: &cli::Backtest, config: &Config) -> Result<()> {
    let pairs = compare(args, config).await?;
    for pair in &pairs {
        say::line(if args.json {
            serde_json::to_string(pair)?
        } else {
            row(pair)
        });
    }
    let count = |of: fn(&Pair) -> bool| pairs.iter().filter(|pair| of(pair)).count();
    let both = count(|pair| pair.then.is_some() && pair.now.is_some());
    say::note(format!(
        "{both} then and now, {} only then, {} only now",
        count(|pair| pair.now.is_none()),
        count(|pair| pair.then.is_none())
    ));
    Ok(())
}

/// The incidents opened from `from` to `to`, then and now, in the order of their opening.
pub async fn compare(args: &cli::Backtest, config: &Config) -> Result<Vec<Pair>> {
    let (from, to) = (args.from, args.to);
    if from >= to {
        bail!("--from {from} does not lie before --to {to}");
    }
    let lake = &args.lake;
    is_lake(lake)?;
    let cannot = || format!("the lake {} cannot be read", lake.display());
    let history = from.plus(-args.history.micros());
    let then = Reader::new(lake, days(from, to, TAIL_DAYS), MOST_ROWS)
        .incidents()
        .await
        .with_context(cannot)?;
    let watching = refold((lake, days(history, to, 1)), config, EventTime::MAX).await?;
    let opened = |incident: &Incident| incident.opened.is_some_and(|opened| (from..to).contains(&opened));
    let only = |incidents: Vec<Incident>| incidents.into_iter().filter(opened).collect();
    Ok(paired(only(then), only(watching.incidents())))
}

/// Those with one id side by side, then those with one scope and nearly one onset.
fn paired(then: Vec<Incident>, mut now: Vec<Incident>) -> Vec<Pair> {
    let mut take = |is_it: &dyn Fn(&Incident) -> bool| now.iter().position(is_it).map(|i| now.remove(i));
    let by_id: Vec<_> = then.iter().map(|old| take(&|new| new.id == old.id)).collect();
    let pair = |(old, same_id): (Incident, Option<Incident>)| Pair {
        now: same_id.or_else(|| take(&|new| is_same(new, &old))),
        then: Some(old),
    };
    let mut pairs: Vec<Pair> = then.into_iter().zip(by_id).map(pair).collect();
    pairs.extend(now.into_iter().map(|new| Pair {
        then: None,
        now: Some(new),
    }));
    pairs.sort_by_key(|pair| {
        let incident = pair.then.as_ref().or(pair.now.as_ref());
        incident.map(|incident| (incident.opened, incident.id.clone()))
    });
    pairs
}

fn is_same(a: &Incident, b: &Incident) -> bool {
    let apart = a.onset.from.since(b.onset.from).abs();
    a.tenant == b.tenant && a.scope == b.scope && a.device_id == b.device_id && apart <= SAME_ONSET
}

fn row(pair: &Pair) -> String {
    let (mark, incident) = match (&pair.then, &pair.now) {
        (Some(_), Some(now)) => ("=", now),
        (Some(then), None) => ("-", then),
        (None, Some(now)) => ("+", now),
        (None, None) => return String::new(),
    };
    let opened = |incident: &Option<Incident>| {
        let opened = incident.as_ref().and_then(|incident| incident.opened);
        opened.map_or_else(|| "not at all".to_owned(), |opened| opened.to_string())
    };
    let what = incident
        .device_id
        .as_ref()
        .map_or_else(|| incident.scope.to_string(), ToString::to_string);
    format!(
        "{mark} {what} ({}), since {}: opened then {}, now {}",
        incident.owner,
        incident.onset.from,
        opened(&pair.then),
        opened(&pair.now)
    )
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Dimension, Scope, Text, incident::Onset};

    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text).expect("a text")
    }

    fn incident(id: &str, site: &str, minute: i64) -> Incident {
        let at = EventTime::from_micros(minute * time::MINUTE);
        let scope = Scope::new([(Dimension::Site, text(site))]);
        Incident::opened(
            text(id),
            text("acme"),
            scope,
            text("noc"),
            Onset { from: at, to: at },
            at,
        )
    }

    #[test]
    fn incidents_are_paired_by_id_or_by_scope_and_onset_and_the_others_stand_alone() {
        let then = vec![
            incident("a", "berlin", 0),
            incident("b", "lyon", 10),
            incident("c", "rome", 20),
        ];
        let now = vec![
            incident("a", "madrid", 2),
            incident("x", "lyon", 39),
            incident("y", "rome", 51),
        ];
        let ids = |pair: &Pair| [&pair.then, &pair.now].map(|i| i.as_ref().map(|i| i.id.to_string()));
        let found: Vec<_> = paired(then, now).iter().map(ids).collect();
        let some = |id: &str| Some(id.to_owned());
        assert_eq!(
            found,
            [
                [some("a"), some("a")],
                [some("b"), some("x")],
                [some("c"), None],
                [None, some("y")],
            ]
        );
    }

    #[test]
    fn an_id_goes_before_a_scope() {
        let then = vec![incident("a", "berlin", 0), incident("b", "berlin", 20)];
        let found = paired(then, vec![incident("b", "berlin", 10)]);
        assert!(found[0].now.is_none() && found[1].now.is_some(), "{found:?}");
    }

    #[test]
    fn a_row_says_when_it_opened_then_and_now() {
        let pair = Pair {
            then: None,
            now: Some(incident("a", "berlin", 60)),
        };
        let expected =
            "+ site=berlin (noc), since 1970-01-01T01:00:00Z: opened then not at all, now 1970-01-01T01:00:00Z";
        assert_eq!(row(&pair), expected);
    }
}
