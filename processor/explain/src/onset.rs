//! Since when: the start that makes "worse from here on" most likely.

/// The onset by position in the series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Onset {
    /// Most likely first bad step.
    pub best: usize,
    /// Earliest start within 2 nats of the best.
    pub from: usize,
    /// Latest start within 2 nats of the best.
    pub to: usize,
    /// The likelihood ratio of the best.
    pub llr: f64,
}

/// Profile likelihood of the onset: for each start, the rate from there on is the one seen. `series` holds poor and expected
/// call-ends for each step, oldest first; the fault lasts to the end of it. Ratios are divided by `dispersion`.
pub fn onset(series: &[(f64, f64)], dispersion: f64) -> Option<Onset> {
    let mut llr = vec![0.0; series.len()];
    let (mut k, mut e) = (0.0, 0.0);
    for (i, (poor, expected)) in series.iter().enumerate().rev() {
        k += poor;
        e += expected;
        llr[i] = if e > 0.0 && k > e { (k * (k / e).ln() - (k - e)) / dispersion.max(1.0) } else { 0.0 };
    }
    let best = (0..llr.len()).max_by(|a, b| llr[*a].total_cmp(&llr[*b]).then(a.cmp(b)))?;
    if llr[best] <= 0.0 {
        return None;
    }
    let near = |i: &usize| llr[*i] >= llr[best] - 2.0;
    let from = (0..=best).rev().take_while(|i| near(i)).last().unwrap_or(best);
    let to = (best..llr.len()).take_while(near).last().unwrap_or(best);
    Some(Onset { best, from, to, llr: llr[best] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_at_which_it_got_worse_is_found() {
        let series: Vec<(f64, f64)> = (0..30).map(|i| if i < 20 { (1.0, 1.0) } else { (6.0, 1.0) }).collect();
        let found = onset(&series, 1.0).expect("worse");
        assert_eq!(found.best, 20);
        assert!(found.from >= 18 && found.to <= 21, "{found:?}");
    }

    #[test]
    fn where_nothing_got_worse_there_is_no_onset() {
        assert_eq!(onset(&[(1.0, 1.0); 10], 1.0), None);
        assert_eq!(onset(&[], 1.0), None);
    }
}
