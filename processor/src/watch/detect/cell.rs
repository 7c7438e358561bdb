//! One cell: its evidence, and how it differs from the model by its own history and by today.

use serde::{Deserialize, Serialize};

use super::{HELD, SAME_DRIFT, WITHIN, look::Look};

/// Rates that are looked for, as multiples of the indifferent one.
pub(in crate::watch) const ALTERNATIVES: [f64; 5] = [1.5, 2.0, 3.0, 5.0, 8.0];
/// Expected poor call-ends that pull a cell's own history towards its model, until its cuboid has shown how much its cells differ.
pub(super) const HISTORY_PRIOR: f64 = 8.0;
/// Today is pulled towards the history by 1/τ² expected poor call-ends, of the cuboid's drift τ², and by no less than this.
const TODAY_LEAST: f64 = 8.0;
/// What a block still counts for today a block later: half of it after two hours.
const TODAY_KEEPS: f64 = 0.891;
/// ln of the number of alternatives.
const LN_ALTERNATIVES: f64 = 1.609_438;
/// No indifference is wider.
const WIDEST: f64 = 3.0;

/// Poor and expected ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Sum {
    pub(super) k: f64,
    pub(super) e: f64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.k += other.k;
        self.e += other.e;
    }
}

/// What is known of the cells of one cuboid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kin {
    /// The variance of their log-rates as they wander by themselves.
    pub(super) drift: f64,
    /// The dispersion of single calls.
    pub(super) fine: f64,
    /// Expected poor call-ends that pull the history of one of them to its model.
    pub(super) history: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cell {
    /// ln M_λ for each alternative.
    log_m: [f64; ALTERNATIVES.len()],
    /// This minute, until it is judged.
    minute: Sum,
    /// This block and those before, not yet history.
    blocks: [Sum; HELD],
    /// What was expected in each of them, whatever was forgotten since.
    busy: [f64; HELD],
    /// All of the past.
    history: Sum,
    /// The last hours of it, the younger the more.
    today: Sum,
    /// Blocks since its last call.
    pub(super) idle: u16,
    /// The same evidence of its mirror image, block by block.
    mirror: [f64; ALTERNATIVES.len()],
}

impl Cell {
    /// Adds to the minute. Is it the first of this minute?
    pub(super) fn add(&mut self, sum: Sum) -> bool {
        let is_first = self.minute.e <= 0.0;
        self.minute.add(sum);
        is_first
    }

    /// How this cell's rate differs from the model's: by its own history, and by how today differs from that.
    pub(super) fn own(&self, kin: Kin) -> f64 {
        let history = (self.history.k + kin.history) / (self.history.e + kin.history);
        let prior = today_prior(kin.drift);
        let today = (self.today.k + prior) / (self.today.e * history + prior);
        history * today
    }

    /// The rate that is still indifferent, as a multiple of the expected one: what is not known of this cell (φ/E is the variance of
    /// a log-rate known from E expected ones), by its history and of today.
    pub(super) fn indifference(&self, kin: Kin, least: f64) -> f64 {
        let unknown = kin.fine / (self.history.e + kin.history) + 1.0 / (self.today.e + today_prior(kin.drift));
        (WITHIN * unknown.sqrt()).exp().clamp(least, WIDEST.max(least))
    }

    /// What must be expected in two blocks: as long as drift is the same.
    fn lately(&self) -> f64 {
        2.0 * self.busy.into_iter().fold(0.0, f64::max)
    }

    /// The minute is over: what it says for each alternative.
    pub(super) fn judge(&mut self, kin: Kin, least: f64) {
        let Sum { k, e } = std::mem::take(&mut self.minute);
        let own = self.own(kin);
        let expected = self.indifference(kin, least) * e * own;
        let dispersion = self.dispersion(kin);
        for (log_m, ratio) in self.log_m.iter_mut().zip(ALTERNATIVES) {
            let evidence = dialtone_explain::poisson(k, expected, ratio) / dispersion;
            *log_m = step(*log_m, evidence);
        }
        self.blocks[0].add(Sum { k, e });
        self.busy[0] += e;
    }

    /// Of single calls, and of the drift for as long as it is the same.
    fn dispersion(&self, kin: Kin) -> f64 {
        kin.fine + kin.drift * self.lately() * self.own(kin)
    }

    /// What its past has shown, seen and expected.
    pub(super) const fn past(&self) -> (f64, f64) {
        (self.history.k, self.history.e)
    }

    /// How it stands.
    pub(super) fn look(&self, kin: Kin, least: f64, threshold: f64) -> Look {
        let own = self.own(kin);
        let sum = self.blocks.iter().fold(Sum::default(), |mut sum, block| {
            sum.add(*block);
            sum
        });
        Look {
            evidence: self.log_mixture(),
            threshold,
            poor: sum.k,
            expected: sum.e * own,
            expected_per_minute: self.lately() * own / f64::from(SAME_DRIFT),
            own,
            indifference: self.indifference(kin, least),
            dispersion: self.dispersion(kin),
        }
    }

    /// ln of the mean of M over the alternatives.
    pub(super) fn log_mixture(&self) -> f64 {
        log_of_mean(&self.log_m)
    }

    /// A block is over: what would it say if its poor call-ends lay as far on the other side of the expected ones?
    pub(super) fn mirror(&mut self, kin: Kin, least: f64) {
        let Sum { k, e } = self.blocks[0];
        let expected = e * self.own(kin);
        let mirrored = (2.0 * expected - k).max(0.0);
        let indifferent = self.indifference(kin, least) * expected;
        let dispersion = self.dispersion(kin);
        for (log_m, ratio) in self.mirror.iter_mut().zip(ALTERNATIVES) {
            let evidence = dialtone_explain::poisson(mirrored, indifferent, ratio) / dispersion;
            *log_m = step(*log_m, evidence);
        }
    }

    /// ln of the mean of the mirror image's M.
    pub(super) fn mirrored(&self) -> f64 {
        log_of_mean(&self.mirror)
    }

    /// A block is over: the blocks move on, and the oldest becomes history. Returns it, with what this cell by itself was expected
    /// to show in it.
    pub(super) fn age(&mut self, kin: Kin) -> Sum {
        let oldest = self.blocks[HELD - 1];
        let of_this_cell = Sum {
            e: oldest.e * self.own(kin),
            ..oldest
        };
        self.history.add(oldest);
        self.today = Sum {
            k: self.today.k * TODAY_KEEPS + oldest.k,
            e: self.today.e * TODAY_KEEPS + oldest.e,
        };
        self.idle = if self.busy[0] > 0.0 { 0 } else { self.idle + 1 };
        self.blocks.rotate_right(1);
        self.blocks[0] = Sum::default();
        self.busy.rotate_right(1);
        self.busy[0] = 0.0;
        of_this_cell
    }

    /// What it has shown lately teaches nothing, though the evidence stands: so much of it.
    pub(super) fn set_apart(&mut self, most: f64) {
        self.blocks = [Sum::default(); HELD];
        // The mean over the alternatives is no less than that, where one of them has so much.
        let most = most + LN_ALTERNATIVES;
        self.log_m.iter_mut().for_each(|log_m| *log_m = log_m.min(most));
    }

    /// Forgets the evidence, and what it was drawn from: it is explained, or nothing.
    pub(super) fn forget(&mut self) {
        self.log_m = [0.0; ALTERNATIVES.len()];
        self.mirror = [0.0; ALTERNATIVES.len()];
        self.blocks = [Sum::default(); HELD];
    }
}

fn today_prior(drift: f64) -> f64 {
    (1.0 / drift).max(TODAY_LEAST)
}

/// ln of the mean of what these are the logarithms of, without leaving the range of a double.
pub(in crate::watch) fn log_of_mean(logs: &[f64; ALTERNATIVES.len()]) -> f64 {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    #[allow(clippy::cast_precision_loss, reason = "five")]
    let count = logs.len() as f64;
    top + (logs.iter().map(|log| (log - top).exp()).sum::<f64>() / count).ln()
}

/// One step of a Shiryaev–Roberts detector on the log scale, `M ← e^evidence · (M + 1)`, without leaving the range of a double.
pub(in crate::watch) fn step(log_m: f64, evidence: f64) -> f64 {
    evidence + if log_m > 30.0 { log_m } else { log_m.exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn kin(drift: f64, fine: f64) -> Kin {
        Kin {
            drift,
            fine,
            history: HISTORY_PRIOR,
        }
    }

    /// 400 expected and 800 poor in the past: (800 + 8) / (400 + 8) = 1.98 times the model. Since then 30 expected by the model, 59.4
    /// by its own history, and 120 poor: with a drift of 1/11 today is (120 + 11) / (59.4 + 11) = 1.86 times that.
    #[test]
    fn a_cell_is_expected_to_be_as_it_always_was_and_as_it_has_been_today() {
        let cell = Cell {
            history: Sum { k: 800.0, e: 400.0 },
            today: Sum { k: 120.0, e: 30.0 },
            ..Cell::default()
        };
        let own = cell.own(kin(1.0 / 11.0, 1.0));
        assert!((own - 1.98 * 1.86).abs() < 0.01, "{own}");
        assert!((Cell::default().own(kin(0.04, 1.0)) - 1.0).abs() < 1e-9);
    }

    /// Days that differ by sd 0.25: exp(1.282 · 0.25) = 1.38 where the history says all and of today nothing is known;
    /// exp(1.282 · √(1/8 + 0.0625)) = 1.74 where nothing is known at all.
    #[test]
    fn what_is_not_known_of_a_cell_widens_its_indifference() {
        let known = Cell {
            history: Sum { k: 1e9, e: 1e9 },
            ..Cell::default()
        };
        assert!((known.indifference(kin(0.0625, 1.0), 1.25) - 1.38).abs() < 0.01);
        assert!((Cell::default().indifference(kin(0.0625, 1.0), 1.25) - 1.74).abs() < 0.01);
        let together = Cell::default().indifference(kin(0.0625, 2.0), 1.25);
        assert!(
            (together - 2.05).abs() < 0.01,
            "calls that are poor in twos, √(2/8 + 0.0625): {together}"
        );
        assert!(
            (known.indifference(kin(0.005, 1.0), 1.25) - 1.25).abs() < 1e-9,
            "and never below the least"
        );
    }

    /// 30 expected in a block are 60 in two: with a drift of 0.05 that is 1.3 + 0.05 · 60 = 4.3, before and after.
    #[test]
    fn a_cell_that_forgets_its_evidence_is_no_surer_of_itself_afterwards() {
        let mut cell = Cell::default();
        cell.add(Sum { k: 30.0, e: 30.0 });
        cell.judge(kin(0.05, 1.3), 1.25);
        let before = cell.dispersion(kin(0.05, 1.3));
        cell.forget();
        assert!((before - 4.3).abs() < 1e-9 && (cell.dispersion(kin(0.05, 1.3)) - before).abs() < 1e-9);
    }

    /// 20 expected in each block, and 5 poor: 15 too few. Their mirror image has 35, which is what a cell with 35 poor would show.
    #[test]
    fn a_mirror_image_is_as_poor_as_the_cell_is_good() {
        let block = |k| {
            let mut cell = Cell {
                history: Sum { k: 1e5, e: 1e5 },
                ..Cell::default()
            };
            for _ in 0..6 {
                cell.add(Sum { k, e: 20.0 });
                cell.judge(kin(0.01, 1.0), 1.25);
                cell.mirror(kin(0.01, 1.0), 1.25);
                cell.blocks[0] = Sum::default();
            }
            cell
        };
        let (good, poor, usual) = (block(5.0), block(35.0), block(20.0));
        assert!(
            good.mirrored() > 3.0 && good.log_mixture() < 1.0,
            "{} {}",
            good.mirrored(),
            good.log_mixture()
        );
        assert!(
            (good.mirrored() - poor.log_mixture()).abs() < 1.5,
            "{} {}",
            good.mirrored(),
            poor.log_mixture()
        );
        assert!(usual.mirrored() < 1.0 && poor.mirrored() < 1.0);
    }

    #[test]
    fn what_is_forgotten_never_becomes_history() {
        let mut cell = Cell::default();
        cell.add(Sum { k: 9.0, e: 1.0 });
        cell.judge(kin(0.04, 1.0), 1.25);
        cell.forget();
        (0..2 * HELD).for_each(|_| assert!(cell.age(kin(0.04, 1.0)).k <= 0.0));
        assert!((cell.own(kin(0.04, 1.0)) - 1.0).abs() < 1e-9);
        cell.add(Sum { k: 9.0, e: 1.0 });
        cell.judge(kin(0.04, 1.0), 1.25);
        let last = (0..HELD).map(|_| cell.age(kin(0.04, 1.0))).last();
        assert!(last.is_some_and(|block| block.k > 8.0));
        assert!(
            cell.own(kin(0.04, 1.0)) > 1.5,
            "but what is not forgotten does, an hour later"
        );
    }
}
