//! The report as a page of its own: no script, no link, nothing to load.

use dialtone_processor::watch::readiness::{Line, Readiness, Standing};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::words;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1b1f}\
h1{font-size:1.3rem}h2{font-size:1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
td,th{padding:.25rem .6rem;text-align:left;border-bottom:1px solid #e3e3e8}.n{text-align:right;font-variant-numeric:tabular-nums}\
.incident{color:#b3261e;font-weight:600}.suspicious{color:#8a5000}.boring{color:#2e6b34}.blind,.no-data{color:#6b6b76}\
@media(prefers-color-scheme:dark){body{background:#16161a;color:#e6e6ea}td,th{border-color:#33333b}\
.incident{color:#ff8a80}.suspicious{color:#ffb95c}.boring{color:#8fd694}.blind,.no-data{color:#9a9aa6}}";

/// The page.
pub(super) fn of(ready: &Readiness) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Ready for the day: " (words::title(ready)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Ready for the day: " (words::title(ready)) }
                @for line in words::watched(ready) { p { (line) } }
                h2 { "Poor minutes in the busiest hour to come" }
                table {
                    thead { tr { th.n { "Poor minutes" } th { "Hour" } th { "Stands" } th { "Where" } } }
                    tbody { @for line in &ready.lines { (row(line)) } }
                }
                @for standing in [Standing::Boring, Standing::Blind, Standing::NoData] { (count(ready, standing)) }
                (section("What changed in the last day", ready.changes.iter().map(words::changed)))
                (section("What has got slowly worse (against four to five weeks ago)", ready.slowly_worse.iter().map(words::worse)))
                (section("What is left of the error budgets (28 days)", words::budgets(ready).into_iter()))
                (section("Who owes what", ready.owed.iter().map(words::owed)))
                @if !ready.owners_in_doubt.is_empty() || !ready.unowned.is_empty() {
                    (section("Owners in doubt", words::doubts(ready).into_iter()))
                }
                @if !ready.without_calendar.is_empty() {
                    (section("Clocks in doubt", ready.without_calendar.iter().cloned()))
                }
                (section("Who found it first (7 days)", words::found_first(ready).into_iter()))
                (section("How far the thresholds can be trusted", words::trust(ready).into_iter()))
            }
        }
    };
    page.into_string()
}

fn row(line: &Line) -> Markup {
    let [minutes, peak] = words::figures(line);
    html! {
        tr {
            td.n { (minutes) }
            td { (peak) }
            td class=(class(line.standing)) { (line.standing.name()) }
            td { (line.scope) (words::remark(line)) }
        }
    }
}

fn count(ready: &Readiness, standing: Standing) -> Markup {
    let names = words::named(ready, standing);
    html! { @if !names.is_empty() { p { span class=(class(standing)) { (standing.name()) } ": " (names.len()) } } }
}

fn class(standing: Standing) -> String {
    standing.name().replace(' ', "-")
}

fn section(title: &str, lines: impl Iterator<Item = String>) -> Markup {
    let lines: Vec<String> = lines.collect();
    html! {
        h2 { (title) }
        @if lines.is_empty() { p { "Nothing." } } @else { ul { @for line in lines { li { (line) } } } }
    }
}
