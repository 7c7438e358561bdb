//! What somebody set: each key of a file, each table of an array of tables, with its line and column.

use std::ops::Range;

use dialtone_wire::config::is_secret;
use serde::de::DeserializeOwned;
use toml::{Table, Value};
use toml_edit::{ArrayOfTables, Document, Item, Key};

use super::{Problem, problem::line_and_column};

/// Tables that are one setting each: their keys mean something only together.
const WHOLE: [&str; 2] = ["kafka.registry", "ingest.scoring.codecs.*"];

/// One key that somebody set, or one table of an array of tables.
pub(super) struct Setting {
    pub(super) path: Vec<String>,
    element: Option<usize>,
    value: Value,
    place: String,
    /// The keys of the table, with their places.
    keys: Vec<(String, String)>,
}

impl Setting {
    pub(super) fn new(path: Vec<String>, value: Value, place: String) -> Self {
        Self {
            path,
            element: None,
            value,
            place,
            keys: Vec::new(),
        }
    }

    pub(super) fn dotted(&self) -> String {
        let element = self.element.map_or_else(String::new, |element| format!("[{element}]"));
        self.path.join(".") + &element
    }

    /// The place of the first of its keys that is meant, or its own.
    pub(super) fn place_of(&self, is_meant: impl Fn(&str) -> bool) -> String {
        let key = self.keys.iter().find(|(key, _)| is_meant(key));
        key.map_or(&self.place, |(_, place)| place).clone()
    }

    /// The array that it is an element of.
    pub(super) fn array(&self) -> Option<String> {
        self.element.map(|_| self.path.join("."))
    }

    pub(super) fn put(&self, table: &mut Table) {
        if self.element.is_none() {
            return put(table, &self.path, self.value.clone());
        }
        match get_mut(table, &self.path) {
            Some(Value::Array(elements)) => elements.push(self.value.clone()),
            _ => put(table, &self.path, Value::Array(vec![self.value.clone()])),
        }
    }

    /// Tried on top of what was set before it: what is wrong with it?
    pub(super) fn tried<T: DeserializeOwned>(&self, before: &Table) -> Option<String> {
        let mut with = before.clone();
        if self.element.is_some() {
            // Alone: those before it have been tried.
            put(&mut with, &self.path, Value::Array(Vec::new()));
        }
        self.put(&mut with);
        let tried: Result<T, _> = Value::Table(with).try_into();
        tried
            .err()
            .map(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    }

    /// It is wrong: where, and in which words.
    pub(super) fn is_wrong(&self, what: String) -> Problem {
        let named = what.split('`').nth(1);
        Problem {
            place: self.place_of(|key| Some(key) == named),
            key: self.dotted(),
            what: if self.holds_a_secret() {
                without_value(&what)
            } else {
                what
            },
        }
    }

    fn holds_a_secret(&self) -> bool {
        let mut keys = self.value.as_table().into_iter().flat_map(Table::keys);
        is_secret(&self.dotted()) || keys.any(|key| is_secret(key))
    }
}

/// Of a secret it is said what was expected, not what is there.
fn without_value(what: &str) -> String {
    match what.split_once(", expected ") {
        Some((beginning, expected)) if beginning.starts_with("invalid") => format!("expected {expected}"),
        _ => what.to_owned(),
    }
}

/// Where a key was set that holds this one: the last to set it is obeyed.
pub(super) fn place_of(settings: &[Setting], key: &str) -> Option<String> {
    settings.iter().rev().find_map(|setting| {
        let below = key.strip_prefix(&setting.dotted())?;
        let within = below.strip_prefix('.').unwrap_or_default();
        let is_below = below.is_empty() || below.starts_with(['.', '[']);
        is_below.then(|| setting.place_of(|key| key == within))
    })
}

/// Walks a file; keys of tables become settings, each with its line and column.
pub(super) fn read(name: &str, text: &str, settings: &mut Vec<Setting>, problems: &mut Vec<Problem>) {
    let place = |span| {
        let (line, column) = line_and_column(text, span);
        format!("{name}:{line}:{column}")
    };
    let mut no_toml = |what: &str, span| {
        problems.push(Problem {
            place: place(span),
            key: String::new(),
            what: what.to_owned(),
        });
    };
    let document: Document<&str> = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => return no_toml(error.message(), error.span()),
    };
    let values: Table = match toml::from_str(text) {
        Ok(values) => values,
        Err(error) => return no_toml(error.message(), error.span()),
    };
    let mut walk = vec![(Vec::new(), document.as_item())];
    while let Some((path, item)) = walk.pop() {
        let Some(table) = item.as_table_like() else { continue };
        let mut below = Vec::new();
        for (key, child) in table.iter() {
            let path: Vec<String> = path.iter().cloned().chain([key.to_owned()]).collect();
            let is_table = matches!(child, Item::Table(_)) || child.as_inline_table().is_some();
            let value = get(&values, &path);
            if is_table && !is_whole(&path) {
                below.push((path, child));
            } else if let (Some(tables), Some(Value::Array(values))) = (child.as_array_of_tables(), value) {
                settings.extend(elements(&path, tables, values, place));
            } else if let Some(value) = value {
                let span = table.key(key).and_then(Key::span).or_else(|| child.span());
                settings.push(Setting::new(path, value.clone(), place(span)));
            }
        }
        walk.extend(below.into_iter().rev());
    }
}

/// Each table of an array, as a setting of its own.
fn elements(
    path: &[String],
    tables: &ArrayOfTables,
    values: &[Value],
    place: impl Fn(Option<Range<usize>>) -> String,
) -> Vec<Setting> {
    let setting = |(i, (table, value)): (usize, (&toml_edit::Table, &Value))| Setting {
        element: Some(i),
        keys: table
            .iter()
            .map(|(key, child)| {
                let span = table.key(key).and_then(Key::span).or_else(|| child.span());
                (key.to_owned(), place(span))
            })
            .collect(),
        ..Setting::new(path.to_vec(), value.clone(), place(table.span()))
    };
    tables.iter().zip(values).enumerate().map(setting).collect()
}

fn is_whole(path: &[String]) -> bool {
    let fits = |pattern: &str| {
        let parts: Vec<&str> = pattern.split('.').collect();
        parts.len() == path.len() && parts.iter().zip(path).all(|(part, key)| *part == "*" || part == key)
    };
    WHOLE.iter().any(|pattern| fits(pattern))
}

fn get<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (last, above) = path.split_last()?;
    let mut table = table;
    for key in above {
        table = table.get(key)?.as_table()?;
    }
    table.get(last)
}

fn get_mut<'a>(table: &'a mut Table, path: &[String]) -> Option<&'a mut Value> {
    let (last, above) = path.split_last()?;
    let mut table = table;
    for key in above {
        table = table.get_mut(key)?.as_table_mut()?;
    }
    table.get_mut(last)
}

fn put(table: &mut Table, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        table.insert(first.clone(), value);
    } else if let Some(below) = table
        .entry(first.clone())
        .or_insert_with(|| Value::Table(Table::new()))
        .as_table_mut()
    {
        put(below, rest, value);
    }
}
