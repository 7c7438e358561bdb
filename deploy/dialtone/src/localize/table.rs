//! A plain table as a file has it: CSV, as it is or packed with gzip or zstd, its columns in any order.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    path::Path,
};

use anyhow::{Context, Result, bail};
use dialtone_explain::{Condition, Observation, Volumes};

use crate::{cli::Kind, replay};

/// Attributes beside the figures, at most: the lattice has a set for every few of them.
const MAX_ATTRIBUTES: usize = 16;
/// Rows of a file, at most.
const MAX_ROWS: usize = 5_000_000;
/// Bytes of a file, unpacked.
const MAX_BYTES: u64 = 1 << 30;

/// What a file holds.
#[derive(Debug)]
pub(super) struct Plain {
    attributes: Vec<Attribute>,
    rows: usize,
    /// The figures.
    pub(super) figures: Figures,
}

/// The figures of the rows.
#[derive(Debug)]
pub(super) enum Figures {
    /// Poor of calls, by minute.
    Rate(Vec<Observation>),
    /// What came, and what was predicted.
    Volume(Volumes),
}

impl Plain {
    /// Reads a file, of this kind or of the one that its columns say.
    pub(super) fn read(path: &Path, kind: Option<Kind>) -> Result<Self> {
        let name = path.display();
        let (mut rows, header, columns) = begun(path, kind)?;
        let named = |column: &usize| Attribute {
            name: header.get(*column).unwrap_or("").to_owned(),
            ..Attribute::default()
        };
        let mut attributes: Vec<Attribute> = columns.attributes.iter().map(named).collect();
        let mut figures = match columns.kind {
            Kind::Rate => Figures::Rate(Vec::new()),
            Kind::Volume => Figures::Volume(Volumes::new(columns.attributes.len())),
        };
        let mut row = csv::StringRecord::new();
        let mut count = 0;
        while rows.read_record(&mut row).with_context(|| format!("{name}"))? {
            count += 1;
            if count > MAX_ROWS || rows.position().byte() >= MAX_BYTES {
                bail!("{name} has more than {MAX_ROWS} rows or {MAX_BYTES} bytes: sum them up first");
            }
            let line = row.position().map_or(0, csv::Position::line);
            let taken = columns.take(&row, &mut attributes, &mut figures);
            taken.with_context(|| format!("{name}:{line}"))?;
        }
        Ok(Self {
            attributes,
            rows: count,
            figures,
        })
    }

    /// Which kind a file holds, by its header alone.
    pub(super) fn kind(path: &Path, kind: Option<Kind>) -> Result<Kind> {
        begun(path, kind).map(|(_, _, columns)| columns.kind)
    }

    /// Why nothing can be asked of it, if it holds nothing.
    pub(super) fn says_nothing(&self) -> Option<&'static str> {
        let is_zero = match &self.figures {
            Figures::Rate(observations) => observations.iter().all(|seen| seen.calls <= 0.0),
            Figures::Volume(volumes) => volumes.is_empty(),
        };
        match self.rows {
            0 => Some("the table is empty"),
            _ if is_zero => Some("all its counts are zero"),
            _ => None,
        }
    }

    /// A scope as people write it.
    pub(super) fn scope(&self, conditions: &[Condition]) -> BTreeMap<String, String> {
        let named = |condition: &Condition| {
            let attribute = self.attributes.get(condition.attribute)?;
            let value = attribute.values.get((condition.code as usize).checked_sub(1)?)?;
            Some((attribute.name.clone(), value.clone()))
        };
        conditions.iter().filter_map(named).collect()
    }

    /// How many attributes.
    pub(super) fn depth(&self) -> usize {
        self.attributes.len()
    }
}

/// The rows of a table, as they are read.
type Rows = csv::Reader<io::Take<Box<dyn io::BufRead>>>;

/// A file whose header has been read: its rows, the header, and which column holds what.
fn begun(path: &Path, kind: Option<Kind>) -> Result<(Rows, csv::StringRecord, Columns)> {
    let name = path.display();
    let file = replay::open(path).with_context(|| format!("cannot read {name}"))?;
    let mut rows = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(file.take(MAX_BYTES));
    let header = rows.headers().with_context(|| format!("{name}"))?.clone();
    let columns = Columns::new(&header, kind).with_context(|| format!("{name}"))?;
    Ok((rows, header, columns))
}

/// Which column holds what.
struct Columns {
    kind: Kind,
    /// `min`, `value`, `cnt`, or `real`, `predict`.
    figures: Vec<usize>,
    attributes: Vec<usize>,
}

impl Columns {
    fn new(header: &csv::StringRecord, kind: Option<Kind>) -> Result<Self> {
        let find = |names: &[&str]| -> Option<Vec<usize>> {
            names
                .iter()
                .map(|name| header.iter().position(|column| column == *name))
                .collect()
        };
        let (rate, volume) = (find(&["min", "value", "cnt"]), find(&["real", "predict"]));
        let (kind, figures) = match (kind, rate, volume) {
            (Some(Kind::Rate) | None, Some(rate), _) => (Kind::Rate, rate),
            (Some(Kind::Volume) | None, _, Some(volume)) => (Kind::Volume, volume),
            (Some(Kind::Rate), None, _) => bail!("a table of rates has the columns min, value and cnt"),
            (Some(Kind::Volume), _, None) => bail!("a table of volumes has the columns real and predict"),
            (None, None, None) => {
                bail!("expected the columns min, value and cnt (rates) or real and predict (volumes)")
            }
        };
        if let Some(twice) = (1..header.len()).find(|i| header.iter().take(*i).any(|name| Some(name) == header.get(*i)))
        {
            bail!("two columns are named {:?}", header.get(twice).unwrap_or(""));
        }
        let attributes: Vec<usize> = (0..header.len()).filter(|column| !figures.contains(column)).collect();
        if attributes.is_empty() || attributes.len() > MAX_ATTRIBUTES {
            bail!(
                "expected 1 to {MAX_ATTRIBUTES} attributes beside the figures, found {}",
                attributes.len()
            );
        }
        Ok(Self {
            kind,
            figures,
            attributes,
        })
    }

    fn take(&self, row: &csv::StringRecord, attributes: &mut [Attribute], figures: &mut Figures) -> Result<()> {
        let values = self.attributes.iter().map(|column| row.get(*column).unwrap_or(""));
        let codes = attributes
            .iter_mut()
            .zip(values)
            .map(|(attribute, value)| attribute.code(value))
            .collect::<Vec<_>>();
        let number = |which: usize| -> Result<f64> {
            let text = row.get(self.figures[which]).unwrap_or("");
            let number: f64 = text.parse().with_context(|| format!("{text:?} is no number"))?;
            if !number.is_finite() {
                bail!("{text:?} is no finite number");
            }
            Ok(number)
        };
        match figures {
            Figures::Volume(volumes) => volumes.push(&codes, number(0)?, number(1)?),
            Figures::Rate(observations) => {
                let at = row.get(self.figures[0]).unwrap_or("");
                let (poor, calls) = (number(1)?, number(2)?);
                if !(0.0..=calls).contains(&poor) {
                    bail!("value {poor} is not between 0 and cnt {calls}");
                }
                observations.push(Observation {
                    codes,
                    at: at.parse().with_context(|| format!("min {at:?} is no whole number"))?,
                    calls,
                    poor,
                });
            }
        }
        Ok(())
    }
}

/// One attribute with its values.
#[derive(Debug, Default)]
struct Attribute {
    name: String,
    /// Code 1 is the first.
    values: Vec<String>,
    codes: BTreeMap<String, u32>,
}

impl Attribute {
    /// The code of a value, in the order of their appearance; an empty value is unknown.
    fn code(&mut self, value: &str) -> u32 {
        if value.is_empty() {
            return 0;
        }
        if let Some(code) = self.codes.get(value) {
            return *code;
        }
        self.values.push(value.to_owned());
        let code = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.codes.insert(value.to_owned(), code);
        code
    }
}
