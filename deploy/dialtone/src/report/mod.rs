//! `dialtone report`: ready for the day? From the lake, as of an hour before anybody calls.

mod page;
pub(crate) mod words;

use anyhow::{Result, bail};
use dialtone_processor::watch::{calendar::Calendar, readiness::Readiness, zone::Zone};
use dialtone_schemas::{EventTime, Text, time};

use crate::{cli, config::Config, refold::as_of, say};

/// An hour before a working day begins, by the clocks of a site.
const BEFORE_WORK: i64 = 7 * time::HOUR;
/// The same where no zone is known, in UTC.
const BEFORE_WORK_UTC: i64 = 6 * time::HOUR;

/// Does what the command line says.
pub async fn run(args: &cli::Report, config: &Config) -> Result<()> {
    for readiness in ready(args, config).await? {
        if args.json {
            say::line(serde_json::to_string(&readiness)?);
        } else if args.html {
            say::line(page::of(&readiness));
        } else {
            words::of(&readiness).iter().for_each(say::line);
        }
    }
    Ok(())
}

/// How the day will be, for each tenant wanted, as the fold knew it at that hour.
pub async fn ready(args: &cli::Report, config: &Config) -> Result<Vec<Readiness>> {
    let at = args
        .at
        .unwrap_or_else(|| before_work(args.day, &config.processor.watch.calendars));
    let watching = as_of(args.lake.as_ref(), at, args.history, config).await?;
    let mut ready = watching.watch().readiness();
    if let Some(named) = &args.tenant {
        let known: Vec<&str> = ready.iter().map(|of| of.tenant.as_str()).collect();
        if !known.contains(&named.as_str()) {
            bail!("--tenant: expected one of {}", known.join(", "));
        }
    }
    ready.retain(|of| args.tenant.as_ref().is_none_or(|named: &Text| of.tenant == *named));
    if let Some(of) = ready.first().filter(|of| at.since(of.at) > time::MINUTE) {
        say::note(format!("the lake reaches only to {}: as it was then", of.at));
    }
    if ready.is_empty() {
        bail!("nothing was seen until {at}: does the day lie in the lake?");
    }
    Ok(ready)
}

/// An hour before anybody begins a day's work, by the easternmost zone of the calendars: far in the east that is the evening before in UTC.
fn before_work(day: EventTime, calendars: &[Calendar]) -> EventTime {
    let zones = calendars.iter().filter_map(|calendar| calendar.zone.as_ref());
    let first = zones.map(|zone| when_clocks_show(zone, day.plus(BEFORE_WORK))).min();
    first.unwrap_or_else(|| day.plus(BEFORE_WORK_UTC))
}

/// The instant at which the clocks of a zone show what UTC's show at `shown`; far enough from the nights when clocks are changed.
fn when_clocks_show(zone: &Zone, shown: EventTime) -> EventTime {
    let ahead = |at: EventTime| zone.shown(at).since(at);
    let about = shown.plus(-ahead(shown));
    shown.plus(-ahead(about))
}

#[cfg(test)]
mod tests {
    use dialtone_processor::{
        WatchConfig,
        config::Owners,
        watch::{calendar::Calendar, ownership::Ownership, readiness::Readiness, tenant::Tenant, zone::Zone},
    };
    use dialtone_schemas::{EventTime, Text};

    use super::{before_work, page, words};
    use crate::config::owners;

    fn ready(owners: Owners) -> Readiness {
        let config = WatchConfig {
            owners,
            ..WatchConfig::default()
        };
        let at = EventTime::parse("2026-03-02T06:00:00Z").expect("a time");
        Tenant::new(Text::new("acme").expect("a text")).readiness(at, &config)
    }

    /// Singapore is eight hours ahead, Berlin one, and two from the 29th of March on.
    #[test]
    fn the_report_is_of_seven_in_the_morning_where_the_day_begins_first() {
        let at = |day: &str, zones: &[Option<&str>]| {
            let calendar = |zone: &Option<&str>| Calendar {
                country: None,
                sites: Vec::new(),
                zone: zone.and_then(Zone::named),
                holidays: Vec::new(),
                public_holidays: false,
            };
            let calendars: Vec<Calendar> = zones.iter().map(calendar).collect();
            let day = EventTime::parse(&format!("{day}T00:00:00Z")).expect("a day");
            before_work(day, &calendars).to_string()
        };
        let (berlin, singapore) = (Some("Europe/Berlin"), Some("Asia/Singapore"));
        assert_eq!(at("2026-03-03", &[berlin, singapore, None]), "2026-03-02T23:00:00Z");
        assert_eq!(at("2026-03-28", &[berlin]), "2026-03-28T06:00:00Z");
        assert_eq!(at("2026-03-29", &[berlin]), "2026-03-29T05:00:00Z");
        assert_eq!(at("2026-03-03", &[Some("America/New_York")]), "2026-03-03T12:00:00Z");
        assert_eq!(at("2026-03-03", &[None]), "2026-03-03T06:00:00Z");
    }

    /// Five opened, one of them lost reports and one said to be wrong; of the other three two were found first, one of which nobody complained of.
    #[test]
    fn who_found_it_first_is_told_with_what_nobody_complained_of_and_what_nobody_explains() {
        let mut of = ready(Owners::default());
        assert_eq!(words::found_first(&of), ["no incident opened; 0 complaints"]);
        of.found_first = Ownership {
            opened: 1,
            complaints: 2,
            unexplained: 1,
            ..Ownership::default()
        };
        assert_eq!(
            words::found_first(&of),
            ["no incident was a trouble of its own; of 2 complaints 1 belong to no incident"],
            "lost reports, of which one complained who named their scope"
        );
        of.found_first = Ownership {
            opened: 5,
            incidents: 4,
            before_first: 2,
            before_third: 3,
            found_first_ratio: Some(2.0 / 3.0),
            complaints: 9,
            unexplained: 2,
            wrong: 1,
            without_complaint: 1,
        };
        assert_eq!(
            words::found_first(&of),
            [
                "67 % of 3 incidents were found before anybody complained, 3 before a third did; nobody complained of 1; of 9 complaints 2 \
                 belong to no incident",
                "1 said to be wrong, counted neither for nor against",
            ]
        );
    }

    /// A list of its own, where it holds anything.
    #[test]
    fn sites_without_a_calendar_are_in_words_page_and_json() {
        let mut of = ready(Owners::default());
        let all = |of: &Readiness| {
            [
                words::of(of).join("\n"),
                page::of(of),
                serde_json::to_string(of).expect("json"),
            ]
        };
        let [text, page, json] = all(&of);
        assert!(!text.contains("Clocks") && !page.contains("Clocks"), "{text}{page}");
        assert!(json.contains(r#""without_calendar":[]"#), "{json}");
        of.without_calendar = vec!["no calendar names it".to_owned()];
        let [text, page, json] = all(&of);
        assert!(
            text.contains("\n\nClocks in doubt\n  no calendar names it\n\n"),
            "{text}"
        );
        assert!(
            page.contains("<h2>Clocks in doubt</h2><ul><li>no calendar names it</li></ul>"),
            "{page}"
        );
        assert!(
            json.contains(r#""without_calendar":["no calendar names it"]"#),
            "{json}"
        );
    }

    /// One team has everything, and is dissolved. Where nobody has written rules, nobody is in doubt.
    #[test]
    fn owners_in_doubt_have_a_list_of_their_own_where_there_are_any() {
        let rules = "default = \"desk\"\ndissolved = [\"lan\"]\n[[owner]]\nteam = \"lan\"\n";
        let doubtful = ready(owners("f", rules).expect("owners"));
        let sure = ready(Owners::default());
        let doubt = "owner[0]: lan is dissolved, what is its own goes to desk";
        let (text, page) = (|of: &Readiness| words::of(of).join("\n"), page::of);
        let said = text(&doubtful);
        assert!(said.contains(&format!("\n\nOwners in doubt\n  {doubt}\n\n")), "{said}");
        let said = page(&doubtful);
        assert!(
            said.contains(&format!("<h2>Owners in doubt</h2><ul><li>{doubt}</li></ul>")),
            "{said}"
        );
        assert!(!text(&sure).contains("in doubt") && !page(&sure).contains("in doubt"));
        let json = |of: &Readiness| serde_json::to_value(of).expect("json")["owners_in_doubt"].clone();
        assert_eq!(json(&doubtful), serde_json::json!([doubt]));
        assert_eq!(json(&sure), serde_json::json!([]));
    }
}
