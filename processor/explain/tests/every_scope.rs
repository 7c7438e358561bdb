//! The scan finds what a search of every scope finds: the same scopes in the same order with the same sums, to the last bit.
#![allow(missing_docs, clippy::cast_precision_loss, reason = "a test")]

use std::collections::BTreeMap;

use dialtone_explain::{Candidate, Condition, Row, Settings, Table, inside_outside, price, scan};
use proptest::prelude::*;

/// Every set of up to so many attributes, as the bits of a number.
fn sets(attributes: usize, depth: usize) -> impl Iterator<Item = u32> {
    (1_u32..1 << attributes).filter(move |set| set.count_ones() as usize <= depth)
}

/// No scope is named whose values do not fit into 64 bits side by side.
fn fits(table: &Table, set: u32) -> bool {
    let of_set = (0..table.attributes()).filter(|attribute| set & 1 << attribute != 0);
    let bits = of_set.map(|attribute| u32::BITS - table.all_codes().cardinality(attribute).leading_zeros());
    bits.sum::<u32>() <= u64::BITS
}

/// The cells of one cuboid, summed row by row.
fn cells(table: &Table, set: u32) -> BTreeMap<Vec<Condition>, (f64, f64, f64)> {
    let mut cells: BTreeMap<Vec<Condition>, (f64, f64, f64)> = BTreeMap::new();
    for (i, row) in table.rows().iter().enumerate() {
        let codes = table.codes(i).iter().enumerate();
        let of_set = codes.filter(|(attribute, _)| set & 1 << attribute != 0);
        let conditions: Vec<Condition> = of_set
            .map(|(attribute, code)| Condition { attribute, code: *code })
            .collect();
        if conditions.iter().all(|condition| condition.code != 0) {
            let cell = cells.entry(conditions).or_default();
            *cell = (cell.0 + row.n, cell.1 + row.k, cell.2 + row.e);
        }
    }
    cells
}

fn every_scope(table: &Table, settings: &Settings<'_>) -> Vec<Candidate> {
    let total_k = table.rows().iter().map(|row| row.k).sum();
    let total_e = table.rows().iter().map(|row| row.e).sum();
    let mut all = Vec::new();
    for set in sets(table.attributes(), settings.max_depth).filter(|set| fits(table, *set)) {
        let cells = cells(table, set);
        let count = cells.len() as f64;
        for (conditions, (n, k, e)) in cells {
            if k > 0.0 && k - e >= settings.min_excess {
                let llr = inside_outside(k, e, total_k, total_e);
                let price = price(table.attributes(), conditions.len(), count, n);
                let score = llr / settings.dispersion.max(1.0) - price;
                all.push(Candidate {
                    conditions,
                    n,
                    k,
                    e,
                    llr,
                    score,
                });
            }
        }
    }
    all.sort_by(|a, b| {
        let by_score = b.score.total_cmp(&a.score);
        by_score.then_with(|| a.conditions.cmp(&b.conditions))
    });
    all.truncate(settings.keep);
    all
}

/// Few values, so that cells hold many rows; or so many that no two rows share one; codes near the highest there can be.
fn code(kind: u8) -> BoxedStrategy<u32> {
    match kind {
        0 => (0_u32..3).boxed(),
        1 => (0_u32..6).boxed(),
        2 => (1_u32..40).boxed(),
        3 => prop_oneof![Just(0), (u32::MAX - 4..=u32::MAX)].boxed(),
        _ => (1_u32..1_000_000).boxed(),
    }
}

/// Whole and fractional, none and many, and expected ones from next to nothing up.
fn row() -> impl Strategy<Value = Row> {
    let poor = prop_oneof![
        4 => Just(0.0),
        3 => (1_u32..9).prop_map(f64::from),
        2 => 0.0..20.0_f64,
        1 => 100.0..200.0_f64,
    ];
    let expected = prop_oneof![
        4 => Just(0.25),
        3 => 0.0..2.0_f64,
        1 => Just(0.0),
        1 => Just(1e-12),
        1 => Just(1e-300),
    ];
    (1_u32..300, poor, expected).prop_map(|(n, k, e)| Row {
        n: f64::from(n),
        k,
        e,
        weight: 1.0,
    })
}

fn table() -> impl Strategy<Value = Table> {
    prop::collection::vec(0_u8..5, 1..6).prop_flat_map(|kinds| {
        let codes: Vec<_> = kinds.iter().map(|kind| code(*kind)).collect();
        let rows = prop::collection::vec((codes, row()), 0..150);
        // The same value under two attributes makes ties; they are decided by the order of the attributes.
        (rows, any::<bool>(), Just(kinds.len())).prop_map(|(rows, alias, attributes)| {
            let mut table = Table::new(attributes);
            for (mut codes, row) in rows {
                if alias {
                    codes[attributes - 1] = codes[0];
                }
                table.push(&codes, row);
            }
            table
        })
    })
}

fn settings() -> impl Strategy<Value = Settings<'static>> {
    let min_excess = prop_oneof![Just(5.0), Just(0.0), Just(-3.0), 0.0..30.0_f64];
    let dispersion = prop_oneof![Just(1.0), 0.5..4.0_f64];
    let keep = prop_oneof![Just(40_usize), 0_usize..6];
    (1_usize..5, min_excess, dispersion, keep).prop_map(|(max_depth, min_excess, dispersion, keep)| Settings {
        indifference: None,
        things: &[],
        sets: None,
        max_depth,
        min_excess,
        dispersion,
        keep,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_scan_finds_what_a_search_of_every_scope_finds(table in table(), settings in settings()) {
        prop_assert_eq!(scan(&table, &settings), every_scope(&table, &settings));
    }
}

/// A number that looks like chance, and is the same in every run.
fn mixed(leaf: u32, salt: u32) -> u32 {
    let mut x = u64::from(leaf) << 32 | u64::from(salt);
    x = (x ^ (x >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x >> 33) as u32
}

/// Large enough that cells are summed in each of the ways there are: 3,000 leaves, seven attributes of 3 to 3,000 values.
fn large(rate: impl Fn(&[u32]) -> u32) -> Table {
    let values = [3, 4, 7, 20, 150, 3000, 3000];
    let mut table = Table::new(values.len());
    for leaf in 0..3000 {
        let codes: Vec<u32> = (0_u32..)
            .zip(values)
            .map(|(salt, values)| mixed(leaf, salt) % (values + 1))
            .collect();
        let calls = 1 + mixed(leaf, 100) % 30;
        let poor = (0..calls)
            .filter(|call| mixed(leaf, 200 + call) % 1000 < rate(&codes))
            .count();
        let row = Row {
            n: f64::from(calls),
            k: poor as f64 * 0.7,
            e: 0.02 * f64::from(calls),
            weight: 1.0,
        };
        table.push(&codes, row);
    }
    table
}

#[test]
fn a_large_table_with_a_fault_or_without_is_searched_as_completely() {
    let with_a_fault = large(|codes| if (codes[1], codes[2]) == (3, 5) { 300 } else { 30 });
    for table in [with_a_fault, large(|_| 30)] {
        for min_excess in [5.0, 0.0] {
            let settings = Settings {
                min_excess,
                ..Settings::default()
            };
            assert_eq!(scan(&table, &settings), every_scope(&table, &settings));
        }
    }
}

#[test]
fn next_to_nothing_expected_of_all_rows_is_searched_as_completely() {
    let mut table = large(|_| 30);
    table.rows_mut().iter_mut().for_each(|row| row.e *= 1e-304);
    let settings = Settings::default();
    assert_eq!(scan(&table, &settings), every_scope(&table, &settings));
}
