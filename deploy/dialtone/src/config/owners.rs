//! `owners.toml`: the accountable teams, every wrong rule reported at once with its place.

use std::path::Path;

use anyhow::Context;
use dialtone_processor::config::Owners;
use toml::{Table, Value};

use super::{Problem, Problems, settings::read};

/// The teams of a file.
pub fn read_owners(path: &Path) -> anyhow::Result<Owners> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    owners(&name, &text)
}

/// The teams of a text of this name.
pub fn owners(name: &str, text: &str) -> anyhow::Result<Owners> {
    let (mut settings, mut problems) = (Vec::new(), Vec::new());
    read(name, text, &mut settings, &mut problems);
    let mut merged = Table::new();
    // So that a missing default is told once, at the end, and not of each rule.
    merged.insert("default".into(), Value::String("nobody".into()));
    for setting in &settings {
        match setting.tried::<Owners>(&merged) {
            Some(what) => problems.push(setting.is_wrong(what)),
            None => setting.put(&mut merged),
        }
    }
    if problems.is_empty() && !settings.iter().any(|setting| setting.path == ["default"]) {
        problems.push(Problem {
            place: format!("{name}:1:1"),
            key: "default".into(),
            what: "is missing: the team of whatever no rule covers".into(),
        });
    }
    if !problems.is_empty() {
        return Err(Problems(problems).into());
    }
    Ok(Value::Table(merged).try_into()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Owners> {
        owners("f", text)
    }

    #[test]
    fn rules_are_read_in_their_order() {
        let owners = read(
            "default = \"service-desk\"\n[[owner]]\nteam = \"lan\"\nscope = { site = \"Bern\" }\n\
             [[owner]]\nteam = \"wan\"\nlayer = \"wan\"\n",
        );
        let owners = owners.expect("owners");
        let teams: Vec<_> = owners.rules.iter().map(|rule| rule.team.as_str()).collect();
        assert_eq!((owners.default.as_str(), teams), ("service-desk", vec!["lan", "wan"]));
    }

    #[test]
    fn times_and_teams_of_escalation_and_dissolved_teams_are_read() {
        let owners = read(
            "default = \"service-desk\"\nescalate_after = \"30m\"\ndissolved = [\"lan\"]\n[[owner]]\nteam = \"lan\"\n\
             escalate_after = \"15m\"\nescalate_to = \"network-lead\"\nsuccessor = \"campus\"\n",
        );
        let owners = owners.expect("owners");
        let rule = &owners.rules[0];
        let minutes = |span: Option<dialtone_schemas::Span>| span.map(|span| span.to_string());
        assert_eq!(minutes(owners.escalate_after).as_deref(), Some("30m"));
        assert_eq!(minutes(rule.escalate_after).as_deref(), Some("15m"));
        assert_eq!(
            rule.escalate_to.as_ref().map(|team| team.as_str()),
            Some("network-lead")
        );
        assert_eq!(rule.successor.as_ref().map(|team| team.as_str()), Some("campus"));
        assert_eq!(owners.dissolved[0].as_str(), "lan");
        let error = read("default = \"desk\"\nescalate_after = \"soon\"\n").expect_err("no time");
        assert!(error.to_string().contains("f:2:1: escalate_after"), "{error}");
    }

    #[test]
    fn every_wrong_rule_is_told_with_its_line() {
        let text = "default = \"service-desk\"\n\n[[owner]]\nteam = \"lan\"\nscoop = {}\n\n\
                    [[owner]]\nlayer = \"wan\"\n\n[[owner]]\nteam = \"voice\"\nlayer = \"vioce\"\n";
        let error = read(text).expect_err("three problems").to_string();
        let lines: Vec<&str> = error.lines().skip(1).collect();
        for (line, beginning) in lines.iter().zip([
            "  f:5:1: owner[0]: unknown field `scoop`",
            "  f:7:1: owner[1]: missing field `team`",
            "  f:10:1: owner[2]: unknown variant `vioce`",
        ]) {
            assert!(line.starts_with(beginning), "{line}");
        }
        assert_eq!(lines.len(), 3, "{error}");
    }

    #[test]
    fn a_default_is_required() {
        let error = read("[[owner]]\nteam = \"lan\"\n").expect_err("no default").to_string();
        assert!(error.contains("f:1:1: default: is missing"), "{error}");
    }
}
