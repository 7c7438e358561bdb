//! The scan of a large enterprise's evidence: 50,000 leaves of 14 attributes, scopes of up to three conditions, against the
//! same search written straightforwardly.
//!
//! Apart from it the refit over both ends of 50,000 pairs of leaves: what one cause takes from the far ends of its calls, of a headset with its
//! driver (one leaf in 160: the pass over the pairs is most of it) and of a kind of connection (one in four: some 9,000 pairs say which share is
//! the most likely one), and all causes with a refit after each that is accepted, as the processor finds them. What the processor does to sum the
//! pairs and to look up leaves is not in it.
//!
//! `cargo bench -p dialtone-explain`
#![allow(missing_docs, clippy::cast_precision_loss, reason = "a benchmark")]

use std::{collections::HashMap, hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use dialtone_explain::{Condition, Pair, Row, Settings, Table, causes, far_ends, inside_outside, price, scan};

const LEAVES: u32 = 50_000;
const PAIRS: u32 = 50_000;
/// Values of each attribute: sites, buildings, segments, connections, ISPs, models, headsets, drivers, firmware, clients,
/// carriers, relays, codecs, policies.
const VALUES: [u32; 14] = [60, 110, 200, 4, 40, 12, 20, 8, 12, 9, 6, 5, 7, 4];

/// A number that looks like chance, and is the same in every run.
fn mixed(leaf: u32, salt: u32) -> u32 {
    let mut x = u64::from(leaf) << 32 | u64::from(salt);
    x = (x ^ (x >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x >> 33) as u32
}

/// Twenty minutes of calls: 1 to 9 in each leaf, 3 % of them poor, and some of a thousand where headset 3 meets driver 2.
fn evidence(poor_of_fault: u32) -> Table {
    let mut table = Table::new(VALUES.len());
    for leaf in 0..LEAVES {
        let mut codes: Vec<u32> = (0..14).map(|a| 1 + mixed(leaf, a) % VALUES[a as usize]).collect();
        // A segment lies in one building, a building in one site.
        codes[1] = 1 + codes[2] * 110 / 201;
        codes[0] = 1 + codes[1] * 60 / 111;
        let calls = 1 + mixed(leaf, 100) % 9;
        let rate = if (codes[6], codes[7]) == (3, 2) {
            poor_of_fault
        } else {
            30
        };
        let poor = (0..calls).filter(|call| mixed(leaf, 200 + call) % 1000 < rate).count();
        let row = Row {
            n: f64::from(calls),
            k: poor as f64,
            e: 0.03 * f64::from(calls),
            weight: f64::from(calls),
        };
        table.push(&codes, row);
    }
    table
}

/// As many pairs of leaves, each with 1 to 3 calls: 3 % of them poor, and one in five where the far end lies in a cause.
fn pairs(table: &Table, cause: &[Condition]) -> Vec<Pair> {
    let of = |pair: u32| {
        let (near, far) = (mixed(pair, 300) % LEAVES, mixed(pair, 301) % LEAVES);
        let calls = 1 + mixed(pair, 302) % 3;
        let rate = if table.covers(cause, far as usize) { 200 } else { 30 };
        let poor = (0..calls).filter(|call| mixed(pair, 400 + call) % 1000 < rate).count();
        Pair {
            near,
            far,
            n: f64::from(calls),
            k: poor as f64,
            e: 0.03 * f64::from(calls),
        }
    };
    (0..PAIRS).map(of).collect()
}

/// What a cause does to the far ends of its calls, where by its table so many times as many are expected to be poor at the near ends as usual.
fn taken(table: &Table, usual: &[f64], pairs: &[Pair], cause: &[Condition]) -> Vec<(u32, f64)> {
    let is_inside = |leaf: u32| table.covers(cause, leaf as usize);
    let factor = |leaf: u32| table.rows()[leaf as usize].e / usual[leaf as usize];
    far_ends(pairs.iter().copied(), is_inside, factor)
}

/// Takes it from the table.
fn take(table: &mut Table, usual: &[f64], pairs: &[Pair], cause: &[Condition]) {
    for (leaf, poor) in taken(table, usual, pairs, cause) {
        let row = &mut table.rows_mut()[leaf as usize];
        row.k = (row.k - poor).max(0.0);
    }
}

/// Every cell of every cuboid, summed in a map.
fn straightforward(table: &Table, settings: &Settings<'_>) -> f64 {
    let total = table
        .rows()
        .iter()
        .fold((0.0, 0.0), |sum, row| (sum.0 + row.k, sum.1 + row.e));
    let mut best = f64::NEG_INFINITY;
    for a in 0..14 {
        for b in a..14 {
            for c in b..14 {
                if b == c && a != b {
                    continue;
                }
                let mut cells: HashMap<[u32; 3], (f64, f64, f64)> = HashMap::new();
                for (i, row) in table.rows().iter().enumerate() {
                    let codes = table.codes(i);
                    let cell = cells.entry([codes[a], codes[b], codes[c]]).or_default();
                    *cell = (cell.0 + row.n, cell.1 + row.k, cell.2 + row.e);
                }
                let depth = 1 + usize::from(b != a) + usize::from(c != b);
                let count = cells.len() as f64;
                for (n, k, e) in cells.into_values().filter(|(_, k, e)| k - e >= settings.min_excess) {
                    let score = inside_outside(k, e, total.0, total.1) - price(14, depth, count, n);
                    best = best.max(score);
                }
            }
        }
    }
    best
}

fn compare(criterion: &mut Criterion) {
    let (table, settings) = (evidence(200), Settings::default());
    let nothing_wrong = evidence(30);
    let found = scan(&table, &settings);
    assert_eq!(
        found[0].conditions.len(),
        2,
        "the headset with its driver: {:?}",
        found[0]
    );
    let best = straightforward(&table, &settings);
    assert!(best.total_cmp(&found[0].score).is_eq(), "{best} is the best score");
    let mut group = criterion.benchmark_group("50,000 leaves, 14 attributes, depth 3");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    group.bench_function("straightforward", |bench| {
        bench.iter(|| straightforward(black_box(&table), &settings));
    });
    group.bench_function("scan", |bench| {
        bench.iter(|| scan(black_box(&table), &settings));
    });
    group.bench_function("scan where nothing is wrong", |bench| {
        bench.iter(|| scan(black_box(&nothing_wrong), &settings));
    });
    group.bench_function("causes", |bench| {
        bench.iter(|| causes(black_box(&table), &settings, |_, _| {}));
    });
    group.finish();
}

fn refit(criterion: &mut Criterion) {
    let (table, settings) = (evidence(200), Settings::default());
    let usual: Vec<f64> = table.rows().iter().map(|row| row.e).collect();
    let condition = |attribute, code| Condition { attribute, code };
    let headset = [condition(6, 3), condition(7, 2)];
    let connection = [condition(3, 1)];
    let mut group = criterion.benchmark_group("50,000 pairs of leaves, both ends");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    for (name, cause) in [
        ("refit of a headset with its driver", &headset[..]),
        ("refit of a kind of connection", &connection[..]),
    ] {
        let pairs = pairs(&table, cause);
        assert!(!taken(&table, &usual, &pairs, cause).is_empty(), "{name}");
        group.bench_function(name, |bench| {
            bench.iter(|| taken(black_box(&table), &usual, black_box(&pairs), cause));
        });
    }
    let pairs = pairs(&table, &headset);
    group.bench_function("causes, refitted", |bench| {
        bench.iter(|| {
            causes(black_box(&table), &settings, |table, cause| {
                take(table, &usual, &pairs, &cause.conditions);
            })
        });
    });
    group.finish();
}

criterion_group!(benches, compare, refit);
criterion_main!(benches);
