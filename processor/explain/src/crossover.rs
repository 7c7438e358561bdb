//! The same device inside and outside a scope: its own habits, its user and its headset are compared with themselves; or the same person, on
//! whatever device.
//!
//! A case-crossover comparison (Maclure 1991): each device, or each person, is a stratum of its own, so only those that called on both sides, and
//! were poor at least once and not always, say anything. The odds ratio is that of Mantel and Haenszel (1959), the variance of its logarithm that of
//! Robins, Breslow and Greenland (1986), which holds for many small strata.

use crate::score::TWO_SIDED;

/// Call-ends and poor ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Calls {
    /// At risk.
    pub n: f64,
    /// Poor.
    pub k: f64,
}

impl Calls {
    /// Adds others.
    pub fn add(&mut self, n: f64, k: f64) {
        self.n += n;
        self.k += k;
    }
}

/// The calls of one device, or of one person.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Crossing {
    /// Those inside the scope.
    pub inside: Calls,
    /// The others.
    pub outside: Calls,
}

impl Crossing {
    /// Did it call on both sides?
    fn is_both(&self) -> bool {
        self.inside.n > 0.0 && self.outside.n > 0.0
    }

    /// Poor and good ones inside, poor and good ones outside.
    fn cells(&self) -> [f64; 4] {
        let Self { inside, outside } = self;
        [inside.k, inside.n - inside.k, outside.k, outside.n - outside.k]
    }
}

/// By how much more often calls of the same devices, or of the same people, are poor inside a scope than outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossover {
    /// Devices, or people, that called on both sides.
    pub compared: usize,
    /// The conditional odds ratio.
    pub odds_ratio: f64,
    /// The ends of its 95 % interval.
    pub low: f64,
    /// ... the upper one.
    pub high: f64,
    /// Of those, the ones that say anything: neither always good nor always poor.
    pub telling: usize,
    /// What they say together over what they say each, in standard deviations, above 0 that calls inside are poor: `Σ u / √Σ u²` with
    /// `u = Σ (a d − b c)/t` of one of them. Whatever binds its calls together, it counts once.
    pub agreement: f64,
}

/// Half a call-end of either kind on either side, as of one more: no odds are none, and none are infinite.
const PRIOR: f64 = 0.5;

/// Compares devices, or people, with themselves. With `a` poor and `b` good call-ends inside, `c` poor and `d` good ones outside, `t` all of them:
///
/// `R = Σ a d/t`, `S = Σ b c/t`, odds ratio `R/S`, and with `P = (a + d)/t`, `Q = (b + c)/t` the variance of its logarithm
/// `Σ P R/2R² + Σ (P S + Q R)/2RS + Σ Q S/2S²`.
///
/// What of one of them is alike in all else is one comparison; it may have several. None where none of them called on both sides of any.
pub fn crossover<const N: usize>(strata: impl IntoIterator<Item = [Crossing; N]>) -> Option<Crossover> {
    let (mut sums, mut witnesses) = (Sums::default(), Witnesses::default());
    for comparisons in strata {
        let mut own = Sums::default();
        let both: Vec<Crossing> = comparisons.into_iter().filter(Crossing::is_both).collect();
        both.iter().for_each(|crossing| own.add(crossing.cells()));
        if !both.is_empty() {
            witnesses.hear(&own);
        }
        sums.join(&own);
    }
    if witnesses.compared == 0 {
        return None;
    }
    sums.add([PRIOR; 4]);
    let (ratio, error) = (sums.r / sums.s, sums.variance().sqrt());
    let end = |by: f64| (ratio.ln() + by * error).exp();
    Some(Crossover {
        compared: witnesses.compared,
        odds_ratio: ratio,
        low: end(-TWO_SIDED),
        high: end(TWO_SIDED),
        telling: witnesses.telling,
        agreement: witnesses.agreement(),
    })
}

/// The sums over strata that the odds ratio and its variance are made of.
#[derive(Debug, Default)]
struct Sums {
    r: f64,
    s: f64,
    pr: f64,
    ps_qr: f64,
    qs: f64,
}

impl Sums {
    fn add(&mut self, [a, b, c, d]: [f64; 4]) {
        let t = a + b + c + d;
        let (r, s, p, q) = (a * d / t, b * c / t, (a + d) / t, (b + c) / t);
        self.r += r;
        self.s += s;
        self.pr += p * r;
        self.ps_qr += p * s + q * r;
        self.qs += q * s;
    }

    fn join(&mut self, others: &Self) {
        self.r += others.r;
        self.s += others.s;
        self.pr += others.pr;
        self.ps_qr += others.ps_qr;
        self.qs += others.qs;
    }

    fn variance(&self) -> f64 {
        self.pr / (2.0 * self.r.powi(2)) + self.ps_qr / (2.0 * self.r * self.s) + self.qs / (2.0 * self.s.powi(2))
    }
}

/// How far they say the same.
#[derive(Debug, Default)]
struct Witnesses {
    compared: usize,
    telling: usize,
    sum: f64,
    squares: f64,
}

impl Witnesses {
    fn hear(&mut self, own: &Sums) {
        let says = own.r - own.s;
        self.compared += 1;
        self.telling += usize::from(own.r + own.s > 0.0);
        self.sum += says;
        self.squares += says.powi(2);
    }

    fn agreement(&self) -> f64 {
        if self.squares > 0.0 {
            self.sum / self.squares.sqrt()
        } else {
            0.0
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// At risk and poor inside, and outside.
    pub(crate) fn device(inside: (f64, f64), outside: (f64, f64)) -> [Crossing; 1] {
        let calls = |(n, k)| Calls { n, k };
        [Crossing {
            inside: calls(inside),
            outside: calls(outside),
        }]
    }

    /// Twenty laptops with two calls on Wi-Fi and two at the dock: sixteen were poor once on Wi-Fi, four once at the dock. One of each says
    /// 1 · 2/4 = 0.5 or 1 · 2/4 = 0.5 for the other side: (8 + 0.125) / (2 + 0.125) = 3.82. Together they say (8 − 2) / √(20 · 0.25) = 2.68.
    #[test]
    fn laptops_that_are_poor_on_wifi_and_not_at_the_dock_speak_against_the_wifi() {
        let on_wifi = std::iter::repeat_n(device((2.0, 1.0), (2.0, 0.0)), 16);
        let at_dock = std::iter::repeat_n(device((2.0, 0.0), (2.0, 1.0)), 4);
        let found = crossover(on_wifi.chain(at_dock)).expect("both sides");
        assert_eq!(found.compared, 20);
        assert!((found.odds_ratio - 8.125 / 2.125).abs() < 1e-9, "{found:?}");
        assert!(found.low > 1.0 && found.high > 10.0, "{found:?}");
        assert_eq!(found.telling, 20);
        assert!((found.agreement - 2.683).abs() < 0.001, "{found:?}");
    }

    /// Ten that are always poor, and ten that never are: each is on both sides as it always is.
    #[test]
    fn a_user_who_is_poor_everywhere_says_nothing_of_the_place() {
        let always = std::iter::repeat_n(device((5.0, 5.0), (2.0, 2.0)), 10);
        let never = std::iter::repeat_n(device((1.0, 0.0), (9.0, 0.0)), 10);
        let found = crossover(always.chain(never)).expect("both sides");
        assert!((found.odds_ratio - 1.0).abs() < 1e-9 && found.low < 0.1, "{found:?}");
        assert_eq!((found.compared, found.telling), (20, 0));
        assert!(found.agreement.abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn devices_that_stay_where_they_are_cannot_be_compared_with_themselves() {
        let stays = [device((5.0, 5.0), (0.0, 0.0)), device((0.0, 0.0), (5.0, 0.0))];
        assert_eq!(crossover(stays), None);
    }

    /// One matched pair table: 30 devices poor inside only, 10 poor outside only, one call on each side: the ratio of the discordant ones,
    /// (15.125) / (5.125), and of its logarithm the variance is near 1/30 + 1/10 = 0.133.
    #[test]
    fn of_single_calls_it_is_the_ratio_of_the_discordant_pairs() {
        let inside = std::iter::repeat_n(device((1.0, 1.0), (1.0, 0.0)), 30);
        let outside = std::iter::repeat_n(device((1.0, 0.0), (1.0, 1.0)), 10);
        let found = crossover(inside.chain(outside)).expect("both sides");
        assert!((found.odds_ratio - 15.125 / 5.125).abs() < 1e-9);
        let variance = ((found.high / found.low).ln() / (2.0 * TWO_SIDED)).powi(2);
        assert!((variance - 0.133).abs() < 0.005, "{variance}");
    }

    /// Three laptops, each poor inside and good outside, on Wi-Fi and again by cable: six comparisons, (6 · 0.5 + 0.125) / 0.125 = 25, of three
    /// devices.
    #[test]
    fn a_device_that_is_compared_twice_is_one() {
        let [once] = device((1.0, 1.0), (1.0, 0.0));
        let found = crossover([[once; 2]; 3]).expect("both sides");
        assert!((found.odds_ratio - 25.0).abs() < 1e-9, "{found:?}");
        assert_eq!((found.compared, found.telling), (3, 3));
    }
}
