//! Against published values, and against an independent implementation's where its file is at hand.

use super::{mos, wideband, *};
use std::io::Write as _;

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "found {found}, expected {expected} ± {tolerance}"
    );
}

/// Delay as the reference has it: the echo path is as long as the way itself, the loop twice as long.
fn delayed(ms: f64) -> Parameters {
    Parameters {
        t_ms: ms,
        ta_ms: ms,
        tr_ms: 2.0 * ms,
        ..Parameters::default()
    }
}

#[test]
fn the_default_connection_has_the_published_r_and_terms() {
    let rating = rating(&Parameters::default());
    close(rating.r, 93.206_207_723_3, 1e-9);
    close(rating.ro, 94.768_822, 1e-6);
    close(rating.is, 1.413_568, 1e-6);
    close(rating.id, 0.149_046, 1e-6);
    close(mos::mos_from_r(rating.r), 4.409_406, 1e-6);
}

/// G.107 table B.1, printed with two digits.
#[test]
fn r_becomes_the_mos_and_shares_of_table_b_1() {
    for (r, mos, good, poor) in [
        (90.0, 4.34, 97.0, 0.0),
        (80.0, 4.03, 89.0, 1.0),
        (70.0, 3.6, 73.0, 6.0),
        (60.0, 3.1, 50.0, 17.0),
        (50.0, 2.58, 27.0, 38.0),
    ] {
        close(mos::mos_from_r(r), mos, 0.01);
        close(mos::good_or_better_percent(r), good, 0.5);
        close(mos::poor_or_worse_percent(r), poor, 0.5);
    }
}

#[test]
fn delay_costs_what_the_reference_says() {
    for (ms, r) in [
        (20.0, 92.531_343),
        (50.0, 91.756_161),
        (100.0, 90.663_73),
        (150.0, 89.539_132),
        (177.3, 88.051_877),
        (200.0, 85.804_718),
        (250.0, 79.177_101),
        (300.0, 72.666_36),
        (400.0, 62.246_827),
        (500.0, 54.803_171),
    ] {
        close(rating(&delayed(ms)).r, r, 1e-5);
    }
    close(rating(&delayed(177.3)).idd, 1.172_058, 1e-6);
}

#[test]
fn loss_costs_what_the_codec_makes_of_it() {
    let lossy = |ie, bpl, ppl_percent| {
        rating(&Parameters {
            ie,
            bpl,
            ppl_percent,
            ..Parameters::default()
        })
        .r
    };
    close(lossy(0.0, 4.3, 1.0), 75.281_679, 1e-5);
    close(lossy(0.0, 4.3, 2.0), 63.047_478, 1e-5);
    close(lossy(0.0, 25.1, 2.0), 86.195_138, 1e-5);
    close(lossy(0.0, 25.1, 5.0), 77.425_477, 1e-5);
    close(lossy(11.0, 19.0, 2.0), 74.206_208, 1e-5);
    close(lossy(15.0, 16.1, 20.0), 33.884_878, 1e-5);
    close(lossy(5.0, 10.0, 0.0), 88.206_208, 1e-5);
}

#[test]
fn all_terms_work_together() {
    let bursty = Parameters {
        ppl_percent: 3.0,
        bpl: 25.1,
        burst_r: 2.0,
        ..delayed(200.0)
    };
    close(rating(&bursty).r, 75.090_432, 1e-5);
    let echo = Parameters {
        telr: 45.0,
        ..delayed(100.0)
    };
    close(rating(&echo).r, 70.145_693, 1e-5);
    let transcoded = Parameters {
        qdu: 4.0,
        ..Parameters::default()
    };
    close(rating(&transcoded).r, 88.203_149, 1e-5);
    let mobile = Parameters {
        ie: 5.0,
        advantage: 10.0,
        ..Parameters::default()
    };
    close(rating(&mobile).r, 98.206_208, 1e-5);
    close(mos::mos_from_r(98.206_208), 4.484_331, 1e-5);
}

/// G.107 appendix I.
#[test]
fn mos_becomes_r_again() {
    for (mos, r) in [
        (1.0, 6.515_308),
        (2.58, 50.095_226),
        (3.1, 60.0),
        (3.6, 70.063_996),
        (4.41, 93.236_954),
        (4.5, 100.0),
    ] {
        close(mos::r_from_mos(mos).expect("in range"), r, 1e-5);
    }
    for r in [7.0, 25.0, 50.0, 75.0, 93.2, 99.9] {
        close(mos::r_from_mos(mos::mos_from_r(r)).expect("in range"), r, 1e-6);
    }
    assert_eq!(mos::r_from_mos(0.99), None);
    assert_eq!(mos::r_from_mos(4.51), None);
    assert_eq!(mos::r_from_mos(f64::NAN), None);
}

/// The cubic dips to 0.98884 at R = 3.22: nobody's opinion is below 1.
#[test]
fn mos_stays_between_one_and_four_and_a_half() {
    for r in [-50.0, 0.0, 3.22, 6.4] {
        close(mos::mos_from_r(r), 1.0, 1e-3);
        assert!(mos::mos_from_r(r) >= 1.0);
    }
    assert_eq!(mos::mos_from_r(100.0).to_bits(), 4.5_f64.to_bits());
    assert_eq!(mos::mos_from_r(148.0).to_bits(), 4.5_f64.to_bits());
}

/// G.113 (09/2024) appendix IV.
#[test]
fn wide_band_codecs_have_the_published_mos() {
    let with = |ie| Parameters {
        ie,
        ..Parameters::default()
    };
    for (ie, mos) in [
        (0.0, 4.5),
        (1.0, 4.494),
        (8.0, 4.4206),
        (13.0, 4.3371),
        (41.0, 3.5123),
        (56.0, 2.922),
    ] {
        close(wideband::mos_from_r(wideband::rating(&with(ie))), mos, 5e-5);
    }
    let lossy = Parameters {
        ie: 20.0,
        bpl: 4.3,
        ppl_percent: 2.0,
        ..Parameters::default()
    };
    close(codec_and_loss(&lossy), 43.8095, 5e-5);
    close(wideband::mos_from_r(wideband::rating(&lossy)), 3.4062, 5e-5);
}

#[test]
fn low_sensitivity_forgives_delay() {
    let at = |delay_sensitivity, least_noticed_ms| {
        delay_alone(&Parameters {
            ta_ms: 300.0,
            delay_sensitivity,
            least_noticed_ms,
            ..Parameters::default()
        })
    };
    close(at(1.0, 100.0), 14.760_695, 1e-5);
    assert!(at(0.55, 120.0) < at(1.0, 100.0) && at(0.4, 150.0) < at(0.55, 120.0));
}

/// More than a hundred values of another implementation, where its file lies beside the repository.
#[test]
fn another_implementation_agrees() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/samples/oracle/emodel_oracle.json"
    );
    let Ok(text) = std::fs::read_to_string(path) else {
        drop(writeln!(std::io::stderr(), "SKIPPED: {path} is not there"));
        return;
    };
    let oracle: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let rows = |name: &str| oracle[name].as_array().expect("rows").clone();
    let number = |row: &serde_json::Value, key: &str| row[key].as_f64().expect("a number");
    for row in rows("computed_delay_G711") {
        let found = rating(&delayed(number(&row, "T=Ta_ms")));
        close(found.r, number(&row, "R"), 1e-5);
        close(found.idd, number(&row, "Idd"), 1e-5);
        close(mos::mos_from_r(found.r), number(&row, "MOS"), 1e-5);
    }
    for row in rows("computed_loss") {
        let (ie, bpl, ppl_percent) = (number(&row, "Ie"), number(&row, "Bpl"), number(&row, "Ppl"));
        let found = rating(&Parameters {
            ie,
            bpl,
            ppl_percent,
            ..Parameters::default()
        });
        close(found.ie_eff, number(&row, "Ie_eff"), 1e-5);
        close(found.r, number(&row, "R_nodelay"), 1e-5);
    }
    for row in rows("computed_combined") {
        let mut p = Parameters::default();
        for (name, value) in row["args"].as_object().expect("arguments") {
            let value = value.as_f64().expect("a number");
            match name.as_str() {
                "T" => p.t_ms = value,
                "Ta" => p.ta_ms = value,
                "Tr" => p.tr_ms = value,
                "Ppl" => p.ppl_percent = value,
                "Bpl" => p.bpl = value,
                "Ie" => p.ie = value,
                "BurstR" => p.burst_r = value,
                "TELR" => p.telr = value,
                "qdu" => p.qdu = value,
                "A" => p.advantage = value,
                other => panic!("unknown argument {other}"),
            }
        }
        close(rating(&p).r, number(&row, "R"), 1e-5);
    }
    for row in rows("inverse_G107_AppI") {
        close(
            mos::r_from_mos(number(&row, "MOS")).expect("in range"),
            number(&row, "R"),
            1e-5,
        );
    }
}
