//! The scan of a large enterprise's evidence: 50,000 leaves of 14 attributes, scopes of up to three conditions, against the
//! same search written straightforwardly.
//!
//! `cargo bench -p dialtone-explain`
#![allow(missing_docs, clippy::cast_precision_loss, reason = "a benchmark")]

use std::{collections::HashMap, hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use dialtone_explain::{Row, Settings, Table, causes, inside_outside, price, scan};

const LEAVES: u32 = 50_000;
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

criterion_group!(benches, compare);
criterion_main!(benches);
