//! `dialtone changes list|show`: what is said of changes.

mod list;
mod read;
mod show;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use dialtone_schemas::Repair;
use dialtone_wire::registry::translator_of;

use crate::{cli::ChangesAction, config::Config, incidents::cluster, say};
pub(crate) use read::newest;

/// The topic must be read to its end in this time.
const WAIT: Duration = Duration::from_secs(60);

/// Reads the verdicts, and says those that the command line asks for.
pub async fn run(action: &ChangesAction, config: Config) -> Result<ExitCode> {
    let kafka = cluster(&config);
    let translator = translator_of(&kafka).await.context("schema registry")?;
    let known = newest(&kafka, translator, WAIT).await?;
    match action {
        ChangesAction::List(args) => list::say(&known, args)?,
        ChangesAction::Show(args) => {
            known.say_what_is_missing();
            let verdict = known.find(&args.id, args.tenant.as_ref())?;
            if args.json {
                say::line(serde_json::to_string(verdict)?);
            } else {
                show::lines(verdict).iter().for_each(say::line);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a change did for the incident that it was to end.
pub(crate) const fn did(repair: Option<Repair>) -> &'static str {
    match repair {
        Some(Repair::Confirmed) => "confirmed, quality came back after it",
        Some(Repair::NoEffect) => "no effect, the fault remains",
        Some(Repair::Moved) => "moved elsewhere, another scope turned bad",
        None => "not known yet",
    }
}

/// What tests say of a change.
#[cfg(test)]
pub(crate) mod example {
    use dialtone_schemas::ChangeVerdict;

    /// A route's change with 29 poor of 400 call-ends where 9.06 were expected, and whatever else is to be said of it.
    pub(crate) fn verdict(rest: serde_json::Value) -> ChangeVerdict {
        let mut whole = serde_json::json!({
            "verdict_id": "CHG-1/0", "change_id": "CHG-1", "tenant": "acme", "revision": 0, "at": "2026-03-02T10:00:00Z",
            "ruling": "harmful", "channel": "quality", "is_final": false, "kind": "route", "started_at": "2026-03-02T08:55:00Z",
            "team": "voice", "effect": 3.2, "effect_low": 2.0, "effect_high": 5.0, "at_risk": 400, "poor": 29, "expected": 9.06
        });
        if let (Some(whole), serde_json::Value::Object(rest)) = (whole.as_object_mut(), rest) {
            whole.extend(rest);
        }
        serde_json::from_value(whole).expect("a verdict")
    }
}
