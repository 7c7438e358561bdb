//! `dialtone incidents explain`: why nothing was told of a scope at a time.

use anyhow::{Context, Result, anyhow, bail};
use dialtone_processor::{
    offline::Watching,
    watch::{
        Explained,
        detect::Look,
        volume::{Heard, Quiet, Unheard, WATCHED},
    },
};
use dialtone_schemas::{Channel, Dimension, Incident, Scope, Text};

use crate::{cli, config::Config, refold::as_of, say};

/// What could be seen is told for so many minutes.
const HOUR: f64 = 60.0;
/// Scopes of more conditions are not watched.
const MOST_CONDITIONS: usize = 3;

/// Folds the lake's logs until then, and asks.
pub(super) async fn say(args: &cli::ExplainScope, config: &Config) -> Result<()> {
    let scope = scope(&args.scope)?;
    let watching = as_of(args.lake.as_ref(), args.at, args.history, config).await?;
    let tenant = tenant(&watching, args.tenant.as_ref())?;
    let explained = watching.watch().explain(&tenant, &scope);
    let explained = explained.with_context(|| format!("nothing was known of {tenant} at {}", args.at))?;
    let explained = explained.map_err(|unknown| anyhow!("no call of {unknown} was ever seen until {}", args.at))?;
    if let Some(end) = watching.watch().next_tick().filter(|tick| tick.time() < args.at) {
        say::note(format!("the lake reaches only to {}: as it was then", end.time()));
    }
    if args.json {
        say::line(serde_json::to_string(&explained)?);
    } else {
        lines(&scope, &explained).iter().for_each(say::line);
    }
    Ok(())
}

/// The scope that was typed. A call-end has one value of a dimension: who asks for two would be told of the last alone.
fn scope(conditions: &[(Dimension, Text)]) -> Result<Scope> {
    let scope = Scope::new(conditions.iter().cloned());
    let other = conditions
        .iter()
        .find(|(dimension, value)| scope.get(*dimension) != Some(value));
    if let Some((dimension, value)) = other {
        let last = scope.get(*dimension).map_or("", Text::as_str);
        bail!("--scope: {dimension} is either {value} or {last}: ask for one after the other");
    }
    if scope.depth() > MOST_CONDITIONS {
        bail!("--scope: at most {MOST_CONDITIONS} conditions, not {}", scope.depth());
    }
    Ok(scope)
}

fn tenant(watching: &Watching, named: Option<&Text>) -> Result<Text> {
    let known: Vec<&Text> = watching.watch().tenants().collect();
    match (named, known.as_slice()) {
        (Some(named), known) if known.contains(&named) => Ok(named.clone()),
        (None, [one]) => Ok((*one).clone()),
        (_, []) => bail!("nothing was seen until then: does --at lie in the lake?"),
        (_, known) => {
            let known: Vec<&str> = known.iter().map(|tenant| tenant.as_str()).collect();
            bail!("--tenant: expected one of {}", known.join(", "))
        }
    }
}

fn lines(scope: &Scope, explained: &Explained) -> Vec<String> {
    let mut lines = vec![scope.to_string()];
    if let Some(until) = explained.warming_up_until {
        lines.push(format!("  warming up until {until}: nothing is told before"));
    }
    for incident in &explained.incidents {
        lines.push(format!(
            "  incident {} of {} since {} holds it{}",
            incident.id,
            incident.scope,
            incident.onset.from,
            taken_for(incident)
        ));
    }
    lines.extend(explained.channels.iter().map(|(channel, look)| match look {
        Some(look) => line(*channel, look),
        None => format!("  {}: no call of it was seen, so nothing can be", channel.name()),
    }));
    let levels = explained.levels.iter();
    lines.extend(levels.filter_map(|(metric, look)| Some(level_line(metric, look.as_ref()?))));
    lines.extend(explained.silence.iter().map(|(of, heard)| silence_line(of, heard)));
    lines
}

/// What a silence is taken for.
fn taken_for(incident: &Incident) -> &'static str {
    match incident.metric.as_str() {
        "volume" => ": no calls come of it",
        "telemetry" => ": only its reports are missing, by those who talk to it",
        _ => "",
    }
}

fn line(channel: Channel, look: &Look) -> String {
    let missing = match look.minutes_missing() {
        _ if look.evidence >= look.threshold => "it was noticed".to_owned(),
        Some(minutes) => format!("{minutes:.0} minutes are missing if it goes on like this"),
        None => "like this it never would be noticed".to_owned(),
    };
    let visible = look.visible_within(HOUR).map_or_else(
        || "no call is expected, so nothing can be seen".to_owned(),
        |times| format!("within an hour {times:.1} times could be seen"),
    );
    format!(
        "  {}: evidence {:.1} of {:.1} nats: {missing}. Lately {:.0} poor of {:.1} expected ({:.2} a minute); up to {:.2} times is \
         indifferent; {visible}",
        channel.name(),
        look.evidence,
        look.threshold,
        look.poor,
        look.expected,
        look.expected_per_minute,
        look.indifference
    )
}

/// The levels open nothing by themselves: they say where causes are looked for, before enough call-ends are poor.
fn level_line(metric: &str, look: &Look) -> String {
    let stand = if look.evidence >= look.threshold {
        "the levels have moved"
    } else {
        "the levels have not moved"
    };
    format!(
        "  levels of {metric}: evidence {:.1} of {:.1} nats: {stand}. Lately a score of {:.0} where {:.0} was expected",
        look.evidence, look.threshold, look.poor, look.expected
    )
}

/// How quiet one condition is, or why nobody listens.
fn silence_line(of: &Scope, heard: &Heard) -> String {
    let said = match heard {
        Heard::Watched(quiet) => quiet_line(quiet),
        Heard::Unwatched(why) => format!("it is not listened to: {}", unheard(why)),
    };
    format!("  silence of {of}: {said}")
}

fn quiet_line(quiet: &Quiet) -> String {
    let missing = match quiet.minutes_missing {
        _ if quiet.is_noticed() => "it was noticed".to_owned(),
        Some(minutes) => format!("{minutes:.0} minutes are missing if no more comes"),
        None => "like this it never would be noticed".to_owned(),
    };
    format!(
        "evidence {:.1} of {:.1} nats: {missing}. Lately {:.1} reports a minute of {:.1} expected; {:.0} missing in {} minutes, of {:.0} \
         that must be",
        quiet.evidence, quiet.threshold, quiet.seen, quiet.expected, quiet.missing, quiet.minutes, quiet.missing_needed
    )
}

fn unheard(why: &Unheard) -> String {
    match why {
        Unheard::OtherDimension => {
            let listened_to = WATCHED.map(Dimension::name).join(", ");
            format!("only the values of {listened_to} fall silent as one")
        }
        Unheard::NeverHeard => "nothing was ever reported from inside it".to_owned(),
        Unheard::TenantSilent => "the whole tenant sends nothing, and that is no cause".to_owned(),
        Unheard::Learning => "too few minutes are known to say what is usual".to_owned(),
        Unheard::BesideOutage => "it shares calls with a scope that is out, and learns anew without them".to_owned(),
        Unheard::TooFew { expected, needed } => {
            format!("{expected:.1} reports a minute are expected, fewer than {needed:.0}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_of_one_dimension_and_a_fourth_condition_are_refused() {
        let typed = |conditions: &[(Dimension, &str)]| {
            let text = |(dimension, value): &(Dimension, &str)| (*dimension, Text::new(value).expect("a text"));
            let conditions: Vec<_> = conditions.iter().map(text).collect();
            scope(&conditions).map_err(|error| error.to_string())
        };
        let (site, isp, codec, relay) = (Dimension::Site, Dimension::Isp, Dimension::Codec, Dimension::Relay);
        assert_eq!(
            typed(&[(site, "lyon"), (site, "berlin")]).expect_err("two"),
            "--scope: site is either lyon or berlin: ask for one after the other"
        );
        let one = typed(&[(site, "lyon"), (isp, "Nordnet"), (site, "lyon")]).expect("one");
        assert_eq!(one.to_string(), "site=lyon isp=Nordnet");
        let four = [(site, "lyon"), (isp, "Nordnet"), (codec, "opus"), (relay, "eu-1")];
        assert_eq!(typed(&four).expect_err("four"), "--scope: at most 3 conditions, not 4");
    }

    #[test]
    fn a_line_says_what_is_missing_and_what_could_be_seen() {
        let look = Look {
            evidence: 6.0,
            threshold: 21.0,
            poor: 40.0,
            expected: 10.0,
            expected_per_minute: 0.5,
            own: 1.0,
            indifference: 1.25,
            dispersion: 1.5,
        };
        let expected = "  quality: evidence 6.0 of 21.0 nats: 24 minutes are missing if it goes on like this. Lately 40 poor of 10.0 \
                        expected (0.50 a minute); up to 1.25 times is indifferent; within an hour 3.2 times could be seen";
        assert_eq!(line(Channel::Quality, &look), expected);
        let expected = "  levels of jitter: evidence 6.0 of 21.0 nats: the levels have not moved. Lately a score of 40 where 10 was expected";
        assert_eq!(level_line("jitter", &look), expected);
    }

    #[test]
    fn a_line_says_how_quiet_it_is_or_why_nobody_listens() {
        let scope = Scope::new([(Dimension::Site, Text::new("lyon").expect("a text"))]);
        let quiet = Quiet {
            evidence: 3.6,
            threshold: 18.1,
            expected: 60.0,
            seen: 40.0,
            drop: 0.2,
            minutes: 2,
            missing: 60.0,
            missing_needed: 30.0,
            minutes_missing: Some(2.0),
        };
        let expected = "  silence of site=lyon: evidence 3.6 of 18.1 nats: 2 minutes are missing if no more comes. Lately 40.0 reports a \
                        minute of 60.0 expected; 60 missing in 2 minutes, of 30 that must be";
        assert_eq!(silence_line(&scope, &Heard::Watched(quiet)), expected);
        let few = Unheard::TooFew {
            expected: 1.5,
            needed: 4.0,
        };
        let expected = "  silence of site=lyon: it is not listened to: 1.5 reports a minute are expected, fewer than 4";
        assert_eq!(silence_line(&scope, &Heard::Unwatched(few)), expected);
        let expected = "it is not listened to: only the values of site, building, segment, connection, isp, carrier, relay fall silent as one";
        let of_headset = silence_line(&scope, &Heard::Unwatched(Unheard::OtherDimension));
        assert!(of_headset.ends_with(expected), "{of_headset}");
        let json = serde_json::json!({"unwatched": {"too_few": {"expected": 1.5, "needed": 4.0}}});
        assert_eq!(serde_json::to_value(Heard::Unwatched(few)).expect("json"), json);
    }
}
