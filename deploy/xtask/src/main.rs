//! The project's own checks: `cargo xtask check`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a developer reads it")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

/// Which of our crates a crate may name. The direction of the data; stages never depend on each other.
const MAY_DEPEND_ON: [(&str, &[&str]); 11] = [
    ("dialtone-schemas", &[]),
    ("dialtone-wire", &["dialtone-schemas"]),
    ("dialtone-ingest", &["dialtone-schemas", "dialtone-wire"]),
    ("dialtone-simulator", &["dialtone-schemas"]),
    ("dialtone-explain", &[]),
    (
        "dialtone-processor",
        &["dialtone-schemas", "dialtone-wire", "dialtone-explain"],
    ),
    ("dialtone-sinks", &["dialtone-schemas", "dialtone-wire"]),
    ("dialtone-broker", &[]),
    ("dialtone", &["*"]),
    ("dialtone-tests", &["*"]),
    ("xtask", &[]),
];
/// Libraries that only one crate may name, so that everything else builds in seconds and can be told from it.
const ONLY: [(&str, &[&str]); 4] = [
    ("rdkafka", &["dialtone-wire"]),
    ("deltalake-core", &["dialtone-sinks"]),
    ("kafka-protocol", &["dialtone-broker"]),
    ("clap", &["dialtone"]),
];
/// The top-level names are given; anything else is a stray.
const TOP: [&str; 6] = ["ingest", "processor", "sinks", "schemas", "tests", "deploy"];
/// A file of one idea; longer ones are two ideas (tests in a sibling file do not count).
const MAX_LINES: usize = 800;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("check") => match check() {
            Ok(problems) if problems.is_empty() => {
                println!("the workspace is as it should be");
                ExitCode::SUCCESS
            }
            Ok(problems) => {
                problems.iter().for_each(|problem| eprintln!("{problem}"));
                eprintln!("{} problems", problems.len());
                ExitCode::FAILURE
            }
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: cargo xtask check");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<Vec<String>> {
    let root = root()?;
    let workspace: Table = read(&root.join("Cargo.toml"))?;
    let members = members(&root, &workspace)?;
    let mut problems = Vec::new();
    problems.extend(directions(&members));
    problems.extend(inheritance(&members));
    problems.extend(documents(&root, &workspace)?);
    problems.extend(top_level(&root)?);
    problems.extend(sources(&root, &members)?);
    Ok(problems)
}

/// The workspace that the current folder lies in: not the one this was built in, which may be another checkout.
fn root() -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let is_root = |folder: &&Path| {
        let text = fs::read_to_string(folder.join("Cargo.toml"));
        text.is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
    };
    let root = here.ancestors().find(is_root);
    Ok(root.context("no workspace above the current folder")?.to_owned())
}

fn read(path: &Path) -> Result<Table> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{}", path.display()))
}

/// A member of the workspace.
struct Member {
    name: String,
    folder: PathBuf,
    manifest: Table,
}

fn members(root: &Path, workspace: &Table) -> Result<Vec<Member>> {
    let listed = workspace
        .get("workspace")
        .and_then(|w| w.get("members"))
        .and_then(Value::as_array);
    let mut members = Vec::new();
    for path in listed.context("no members")?.iter().filter_map(Value::as_str) {
        let folder = root.join(path);
        let manifest = read(&folder.join("Cargo.toml"))?;
        let name = manifest
            .get("package")
            .and_then(|p| p.get("name"))
            .and_then(Value::as_str);
        let Some(name) = name.map(str::to_owned) else {
            bail!("{path} has no name")
        };
        members.push(Member { name, folder, manifest });
    }
    Ok(members)
}

fn dependencies<'a>(manifest: &'a Table, section: &str) -> impl Iterator<Item = &'a str> {
    manifest
        .get(section)
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(|table| table.keys().map(String::as_str))
}

/// The dependency direction, and who may name what.
fn directions(members: &[Member]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = MAY_DEPEND_ON.into_iter().collect();
    let ours: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let mut problems = Vec::new();
    for member in members {
        let Some(may) = allowed.get(member.name.as_str()) else {
            problems.push(format!("{}: not in xtask's table of directions", member.name));
            continue;
        };
        for dependency in dependencies(&member.manifest, "dependencies") {
            if ours.contains(dependency) && !may.contains(&"*") && !may.contains(&dependency) {
                problems.push(format!("{} must not depend on {dependency}", member.name));
            }
            let owners = ONLY
                .iter()
                .find(|(library, _)| *library == dependency)
                .map(|(_, owners)| *owners);
            if member.name != "dialtone-tests" && owners.is_some_and(|owners| !owners.contains(&member.name.as_str())) {
                problems.push(format!("{} must not name {dependency}", member.name));
            }
        }
    }
    problems
}

/// One version table, one lint table.
fn inheritance(members: &[Member]) -> Vec<String> {
    let mut problems = Vec::new();
    for member in members {
        let lints = member
            .manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"))
            .and_then(Value::as_bool);
        if lints != Some(true) {
            problems.push(format!("{}: [lints] workspace = true is missing", member.name));
        }
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let table = member
                .manifest
                .get(section)
                .and_then(Value::as_table)
                .into_iter()
                .flatten();
            for (name, value) in table {
                if value.get("workspace").and_then(Value::as_bool) != Some(true) {
                    problems.push(format!("{}: {name} must come from the workspace's table", member.name));
                }
            }
        }
    }
    problems
}

/// The documents that must follow the code.
fn documents(root: &Path, workspace: &Table) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let text = |name: &str| fs::read_to_string(root.join(name)).with_context(|| format!("{name} is missing"));
    let architecture = text("ARCHITECTURE.md")?;
    for name in [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE",
        "processor/DESIGN.md",
    ] {
        text(name)?;
    }
    let table = workspace
        .get("workspace")
        .and_then(|w| w.get("dependencies"))
        .and_then(Value::as_table);
    for dependency in table.context("no dependencies")?.keys() {
        if !architecture.contains(&format!("`{dependency}`")) {
            problems.push(format!(
                "ARCHITECTURE.md: no sentence for the dependency `{dependency}`"
            ));
        }
    }
    for id in INVARIANTS {
        if !architecture.contains(&format!("| {id} |")) {
            problems.push(format!("ARCHITECTURE.md: invariant {id} is missing"));
        }
    }
    for link in links(&architecture) {
        if !link.contains("://") && !link.starts_with('#') && !root.join(&link).try_exists()? {
            problems.push(format!("ARCHITECTURE.md: link to {link}, which is not there"));
        }
    }
    Ok(problems)
}

/// The promises, as ARCHITECTURE.md lists them.
const INVARIANTS: [&str; 15] = [
    "C-1", "C-2", "T-1", "T-2", "T-3", "F-1", "F-2", "F-3", "F-4", "W-1", "W-2", "S-1", "S-2", "D-1", "P-1",
];

/// The targets of a Markdown text's links.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(str::to_owned)
        .collect()
}

fn top_level(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() && !name.starts_with('.') && name != "target" && !TOP.contains(&name.as_str()) {
            problems.push(format!("{name}/ is none of the top-level folders"));
        }
    }
    Ok(problems)
}

/// Promises to do something later, and files that are two ideas.
fn sources(root: &Path, members: &[Member]) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let later = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    for member in members {
        let mut folders = vec![member.folder.join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                if path.extension().is_none_or(|extension| extension != "rs") {
                    continue;
                }
                let text = fs::read_to_string(&path)?;
                let shown = path.strip_prefix(root).unwrap_or(&path).display();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let is_tests = path.file_stem().is_some_and(|stem| stem == "tests");
                if !is_tests && code.lines().count() > MAX_LINES {
                    problems.push(format!("{shown}: more than {MAX_LINES} lines before its tests"));
                }
                problems.extend(
                    later
                        .iter()
                        .filter(|word| text.contains(**word))
                        .map(|w| format!("{shown}: {w}")),
                );
            }
        }
    }
    Ok(problems)
}
