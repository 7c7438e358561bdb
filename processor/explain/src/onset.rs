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

/// Steps before the end in which a ramp's beginning is looked for.
const RAMP_MEMORY: usize = 180;
/// A ramp must explain so many nats more than a step: it is the odder story.
const RAMP_MARGIN: f64 = 2.0;
/// Slopes tried: the rate grows by so many times itself in a step.
const SLOPES: [f64; 12] = [0.01, 0.015, 0.02, 0.03, 0.045, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8];

/// Profile likelihood of the onset: for each start, the rate from there on is the one seen, or grows steadily from the
/// expected one, whichever explains more. `series` holds poor and expected call-ends for each step, oldest first; the fault
/// lasts to the end of it. Ratios are divided by `dispersion`.
pub fn onset(series: &[(f64, f64)], dispersion: f64) -> Option<Onset> {
    let dispersion = dispersion.max(1.0);
    let step = interval(series, &steps(series, dispersion))?;
    match interval(series, &ramps(series, dispersion)) {
        Some(ramp) if ramp.llr > step.llr + RAMP_MARGIN => Some(ramp),
        _ => Some(step),
    }
}

/// For each start, the ratio of "the rate seen from here on" to the expected one.
fn steps(series: &[(f64, f64)], dispersion: f64) -> Vec<f64> {
    let mut llr = vec![0.0; series.len()];
    let (mut k, mut e) = (0.0, 0.0);
    for (i, (poor, expected)) in series.iter().enumerate().rev() {
        k += poor;
        e += expected;
        llr[i] = if e > 0.0 && k > e {
            (k * (k / e).ln() - (k - e)) / dispersion
        } else {
            0.0
        };
    }
    llr
}

/// For each start, the ratio of the best of the [`SLOPES`] to the expected rate.
fn ramps(series: &[(f64, f64)], dispersion: f64) -> Vec<f64> {
    let mut llr = vec![0.0; series.len()];
    for start in series.len().saturating_sub(RAMP_MEMORY)..series.len() {
        let best = SLOPES.iter().map(|slope| {
            let mut factor = 1.0;
            series[start..].iter().fold(0.0, |sum, (poor, expected)| {
                factor += slope;
                sum + crate::poisson(*poor, *expected, factor)
            })
        });
        llr[start] = best.fold(0.0, f64::max) / dispersion;
    }
    llr
}

/// The most likely start, with those within 2 nats of it on either side.
fn interval(series: &[(f64, f64)], llr: &[f64]) -> Option<Onset> {
    let best = (0..llr.len()).max_by(|a, b| llr[*a].total_cmp(&llr[*b]).then(a.cmp(b)))?;
    if llr[best] <= 0.0 {
        return None;
    }
    let near = |i: &usize| llr[*i] >= llr[best] - 2.0;
    let from = (0..=best).rev().take_while(|i| near(i)).last().unwrap_or(best);
    // Steps in which nothing was seen or expected say nothing: a start there is a start at the next one.
    let from = (from..=best)
        .find(|i| series[*i].0 > 0.0 || series[*i].1 > 0.0)
        .unwrap_or(best);
    let to = (best..llr.len()).take_while(near).last().unwrap_or(best);
    Some(Onset {
        best,
        from,
        to,
        llr: llr[best],
    })
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

    /// From step 60 on the rate grows by 5 % of itself each step: after 60 steps it is four times the expected one.
    #[test]
    fn the_beginning_of_a_slow_ramp_is_found_and_not_where_it_became_obvious() {
        let rate = |i: u32| {
            if i < 60 {
                2.0
            } else {
                2.0 * f64::from(i - 60).mul_add(0.05, 1.0)
            }
        };
        let series: Vec<(f64, f64)> = (0..120).map(|i| (rate(i), 2.0)).collect();
        let found = onset(&series, 1.0).expect("worse");
        assert!((56..=66).contains(&found.best), "{found:?}");
    }

    #[test]
    fn what_did_not_exist_before_did_not_get_worse_before() {
        let mut series = vec![(0.0, 0.0); 20];
        series.extend([(6.0, 1.0); 5]);
        assert_eq!(
            onset(&series, 1.0).map(|found| (found.from, found.best)),
            Some((20, 20))
        );
    }

    #[test]
    fn where_nothing_got_worse_there_is_no_onset() {
        assert_eq!(onset(&[(1.0, 1.0); 10], 1.0), None);
        assert_eq!(onset(&[], 1.0), None);
    }
}
