//! The building file of Microsoft's Call Quality Dashboard.

use std::{fmt, net::IpAddr};

use csv::StringRecord;
use dialtone_schemas::Text;
use ipnet::IpNet;

use super::{Place, Sites};

/// Longest file taken: a million rows fit.
const MAX_BYTES: usize = 256 * 1024 * 1024;
/// Problems beyond this are counted, not listed.
const MAX_LISTED: usize = 100;

// Columns of the file, in order. The ones in between are for reports of other tools.
const NETWORK_IP: usize = 0;
const NETWORK_NAME: usize = 1;
const NETWORK_RANGE: usize = 2;
const BUILDING_NAME: usize = 3;
const CITY: usize = 7;
const INSIDE_CORP: usize = 12;
const VPN: usize = 14;

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub text: String,
}

/// Everything that is wrong with a building file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The first hundred.
    pub listed: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Problem { line, text }) in self.listed.iter().enumerate() {
            write!(f, "{}line {line}: {text}", if i == 0 { "" } else { "\n" })?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

/// One network of the file.
struct Row {
    line: u64,
    network: IpNet,
    place: Place,
}

pub(super) fn read(file: &[u8]) -> Result<Sites, Problems> {
    let mut problems = Vec::new();
    let mut rows = Vec::new();
    if file.len() > MAX_BYTES {
        problems.push(Problem {
            line: 1,
            text: format!("the file has {} bytes: at most {MAX_BYTES} are taken", file.len()),
        });
        return Err(listed(problems));
    }
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(delimiter(file))
        .from_reader(file);
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                match row(line, &record) {
                    Ok(row) => rows.push(row),
                    Err(texts) => problems.extend(texts.into_iter().map(|text| Problem { line, text })),
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                problems.push(Problem {
                    line,
                    text: "is not UTF-8 text".to_owned(),
                });
            }
        }
    }
    overlaps(&mut rows, &mut problems);
    if problems.is_empty() {
        Ok(sites(rows))
    } else {
        Err(listed(problems))
    }
}

/// A file with a tab in its first line is separated by tabs.
fn delimiter(file: &[u8]) -> u8 {
    let first = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.contains(&b'\t') { b'\t' } else { b',' }
}

/// A line's network and place, or everything that is wrong with it.
fn row(line: u64, record: &StringRecord) -> Result<Row, Vec<String>> {
    if !(14..=15).contains(&record.len()) {
        return Err(vec![format!(
            "has {} columns: expected 14, or 15 with VPN",
            record.len()
        )]);
    }
    let mut wrong = Vec::new();
    let network = network(record, &mut wrong);
    let mut name = |column: usize, title: &str| match &record[column] {
        "" => None,
        value => Text::new(value)
            .map_err(|error| wrong.push(format!("{title}: {error}")))
            .ok(),
    };
    let segment = name(NETWORK_NAME, "NetworkName");
    let building = name(BUILDING_NAME, "BuildingName");
    let city = name(CITY, "City");
    let mut flag = |column: usize, title: &str| match record.get(column).unwrap_or_default() {
        "" | "0" => false,
        "1" => true,
        text if text.eq_ignore_ascii_case("true") => true,
        text if text.eq_ignore_ascii_case("false") => false,
        _ => {
            wrong.push(format!("{title}: expected 0 or 1"));
            false
        }
    };
    let (inside_corp, vpn) = (flag(INSIDE_CORP, "InsideCorp"), flag(VPN, "VPN"));
    match network {
        Some(network) if wrong.is_empty() => {
            let segment = segment.or_else(|| Text::new(network.to_string()).ok());
            let Some(segment) = segment else {
                return Err(vec!["NetworkName cannot be used".to_owned()]);
            };
            let place = Place {
                site: city.or_else(|| building.clone()),
                building,
                segment,
                inside_corp,
                vpn,
            };
            Ok(Row { line, network, place })
        }
        _ => Err(wrong),
    }
}

fn network(record: &StringRecord, wrong: &mut Vec<String>) -> Option<IpNet> {
    let (ip, range) = (&record[NETWORK_IP], &record[NETWORK_RANGE]);
    let address = ip
        .parse::<IpAddr>()
        .map_err(|_not_one| wrong.push(format!("NetworkIP {ip:?} is no address")))
        .ok();
    let lengths = if matches!(address, Some(IpAddr::V6(_))) {
        16..=128
    } else {
        8..=32
    };
    let length = range.parse::<u8>().ok().filter(|length| lengths.contains(length));
    if length.is_none() {
        wrong.push(format!(
            "NetworkRange {range:?}: expected a prefix length of {} to {}",
            lengths.start(),
            lengths.end()
        ));
    }
    let network = IpNet::new(address?, length?).ok()?;
    if network != network.trunc() {
        wrong.push(format!(
            "NetworkIP {ip} is not the first address of its network, {}",
            network.trunc()
        ));
    }
    Some(network)
}

/// A network within another, or the same one twice: whose is it? Sorted by their first address, a network overlaps one
/// before it if and only if it lies within the widest-reaching of those.
fn overlaps(rows: &mut [Row], problems: &mut Vec<Problem>) {
    rows.sort_by_key(|row| (row.network.network(), row.network.prefix_len(), row.line));
    let mut around: Option<&Row> = None;
    for row in rows.iter() {
        match around {
            Some(outer) if outer.network.contains(&row.network) => {
                let (first, second) = if outer.line < row.line {
                    (outer, row)
                } else {
                    (row, outer)
                };
                let text = format!("{} overlaps {} of line {}", second.network, first.network, first.line);
                problems.push(Problem {
                    line: second.line,
                    text,
                });
            }
            _ => around = Some(row),
        }
    }
}

fn sites(rows: Vec<Row>) -> Sites {
    let mut sites = Sites::default();
    for row in rows {
        sites.insert(row.network, row.place);
    }
    sites
}

fn listed(mut problems: Vec<Problem>) -> Problems {
    problems.sort();
    let more = problems.len().saturating_sub(MAX_LISTED);
    problems.truncate(MAX_LISTED);
    Problems { listed: problems, more }
}
