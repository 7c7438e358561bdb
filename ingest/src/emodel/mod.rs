//! The E-model: from what a network did to a call to how people would judge it. ITU-T G.107 (06/2015) in full.
//!
//! R = Ro − Is − Id − Ie,eff + A: the signal above its noise, less what comes with speech, less delay and echo, less codec
//! and loss, plus what people forgive. Wide band is [`wideband`], codecs are [`codec`], R and MOS are [`mos`], and an
//! event's figures find their way into the formula in [`score`].

pub mod codec;
pub mod mos;
pub mod score;
pub mod wideband;

pub use codec::{Bandwidth, Codec, Codecs};
pub use score::{Scorer, ScoringRules};

/// Everything G.107 asks for; [`Parameters::default`] is its table 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// SLR, send loudness rating, dB.
    pub slr: f64,
    /// RLR, receive loudness rating, dB.
    pub rlr: f64,
    /// STMR, sidetone masking rating, dB.
    pub stmr: f64,
    /// LSTR, listener sidetone rating, dB.
    pub lstr: f64,
    /// Ds, D-value of the telephone at the send side.
    pub ds: f64,
    /// Dr, D-value of the telephone at the receive side. LSTR already holds it (LSTR = STMR + Dr).
    pub dr: f64,
    /// TELR, talker echo loudness rating, dB.
    pub telr: f64,
    /// WEPL, weighted echo path loss, dB.
    pub wepl: f64,
    /// T, mean one-way delay of the echo path, ms.
    pub t_ms: f64,
    /// Tr, round-trip delay in the four-wire loop, ms.
    pub tr_ms: f64,
    /// Ta, absolute delay in echo-free connections, ms.
    pub ta_ms: f64,
    /// qdu, quantisation distortion units.
    pub qdu: f64,
    /// Ie, equipment impairment factor of the codec without loss.
    pub ie: f64,
    /// Bpl, robustness of the codec against loss.
    pub bpl: f64,
    /// Ppl, packets lost or discarded, in per cent.
    pub ppl_percent: f64,
    /// BurstR, mean length of bursts over that of random loss; 1 for random loss.
    pub burst_r: f64,
    /// Nc, circuit noise at the 0 dBr point, dBm0p.
    pub nc: f64,
    /// Nfor, noise floor at the receive side, dBmp.
    pub nfor: f64,
    /// Ps, room noise at the send side, dB(A).
    pub ps: f64,
    /// Pr, room noise at the receive side, dB(A).
    pub pr: f64,
    /// A, what the user forgives for another advantage (mobility).
    pub advantage: f64,
    /// sT, sensitivity to delay: 1 default, 0.55 low, 0.4 very low.
    pub delay_sensitivity: f64,
    /// mT, least delay that is noticed, ms: 100 default, 120 low, 150 very low.
    pub least_noticed_ms: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            slr: 8.0,
            rlr: 2.0,
            stmr: 15.0,
            lstr: 18.0,
            ds: 3.0,
            dr: 3.0,
            telr: 65.0,
            wepl: 110.0,
            t_ms: 0.0,
            tr_ms: 0.0,
            ta_ms: 0.0,
            qdu: 1.0,
            ie: 0.0,
            bpl: 4.3,
            ppl_percent: 0.0,
            burst_r: 1.0,
            nc: -70.0,
            nfor: -64.0,
            ps: 35.0,
            pr: 35.0,
            advantage: 0.0,
            delay_sensitivity: 1.0,
            least_noticed_ms: 100.0,
        }
    }
}

/// R with the terms it is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rating {
    /// The transmission rating. It may be below 0 and, with an advantage, above 100.
    pub r: f64,
    /// Ro, signal to noise.
    pub ro: f64,
    /// Is, what comes simultaneously with speech.
    pub is: f64,
    /// Id, delay and echo.
    pub id: f64,
    /// Idd, the part of Id that is delay alone.
    pub idd: f64,
    /// Ie,eff, codec and loss.
    pub ie_eff: f64,
}

/// R of a narrow-band connection.
pub fn rating(p: &Parameters) -> Rating {
    let no = noise(p);
    let ro = 15.0 - 1.5 * (p.slr + no);
    let ist = sidetone(p);
    let is = too_loud(p, no) + ist + quantisation(p, ro);
    let idd = delay_alone(p);
    let id = talker_echo(p, no, ist) + listener_echo(p, ro) + idd;
    let ie_eff = codec_and_loss(p);
    Rating {
        r: ro - is - id - ie_eff + p.advantage,
        ro,
        is,
        id,
        idd,
        ie_eff,
    }
}

/// No, the power sum of all noises at the 0 dBr point (7-2 to 7-7).
fn noise(p: &Parameters) -> f64 {
    let olr = p.slr + p.rlr;
    let room_at_send = p.ps - p.slr - p.ds - 100.0 + 0.004 * (p.ps - olr - p.ds - 14.0).powi(2);
    let effective_room = p.pr + 10.0 * (1.0 + decibels((10.0 - p.lstr) / 10.0)).log10();
    let room_at_receive = p.rlr - 121.0 + effective_room + 0.008 * (effective_room - 35.0).powi(2);
    let floor = p.nfor + p.rlr;
    let power: f64 = [p.nc, room_at_send, room_at_receive, floor]
        .into_iter()
        .map(|n| decibels(n / 10.0))
        .sum();
    10.0 * power.log10()
}

/// Iolr, too low an overall loudness rating (7-9, 7-10).
fn too_loud(p: &Parameters, no: f64) -> f64 {
    let x = (p.slr + p.rlr + 0.2 * (64.0 + no - p.rlr)) / 8.0;
    20.0 * ((1.0 + x.powi(8)).powf(1.0 / 8.0) - x)
}

/// Ist, sidetone that is not optimal (7-11, 7-12).
fn sidetone(p: &Parameters) -> f64 {
    let stmr_o = -10.0 * (decibels(-p.stmr / 10.0) + (-p.t_ms / 4.0).exp() * decibels(-p.telr / 10.0)).log10();
    let bend = |offset: f64, width: f64, power: i32| {
        (1.0 + ((stmr_o + offset) / width).powi(power)).powf(1.0 / f64::from(power))
    };
    12.0 * bend(-13.0, 6.0, 8) - 28.0 * bend(1.0, 19.4, 35) - 13.0 * bend(-3.0, 33.0, 13) + 29.0
}

/// Iq, quantising distortion (7-13 to 7-17).
fn quantisation(p: &Parameters, ro: f64) -> f64 {
    let q = 37.0 - 15.0 * p.qdu.log10();
    let g = 1.07 + 0.258 * q + 0.0602 * q * q;
    let y = (ro - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0;
    let z = 46.0 / 30.0 - g / 40.0;
    15.0 * (1.0 + decibels(y) + decibels(z)).log10()
}

/// Idte, talker echo (7-19 to 7-24).
fn talker_echo(p: &Parameters, no: f64, ist: f64) -> f64 {
    let t = p.t_ms;
    let mut terv = p.telr - 40.0 * ((1.0 + t / 10.0) / (1.0 + t / 150.0)).log10() + 6.0 * (-0.3 * t * t).exp();
    if p.stmr < 9.0 {
        terv += ist / 2.0;
    }
    let re = 80.0 + 2.5 * (terv - 14.0);
    let roe = -1.5 * (no - p.rlr);
    let half = (roe - re) / 2.0;
    let idte = (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-t).exp());
    if p.stmr > 20.0 { idte.hypot(ist) } else { idte }
}

/// Idle, listener echo (7-25, 7-26).
fn listener_echo(p: &Parameters, ro: f64) -> f64 {
    let rle = 10.5 * (p.wepl + 7.0) * (p.tr_ms + 1.0).powf(-0.25);
    let half = (ro - rle) / 2.0;
    half + (half * half + 169.0).sqrt()
}

/// Idd, delay that is too long for a conversation even without echo (7-27, 7-28).
pub(crate) fn delay_alone(p: &Parameters) -> f64 {
    if p.ta_ms <= p.least_noticed_ms {
        return 0.0;
    }
    let x = (p.ta_ms / p.least_noticed_ms).log2();
    let power = 6.0 * p.delay_sensitivity;
    let bend = |x: f64| (1.0 + x.powf(power)).powf(1.0 / power);
    25.0 * (bend(x) - 3.0 * bend(x / 3.0) + 2.0)
}

/// Ie,eff (7-29); the same in wide band, with the codec's Ie,WB and Bpl (G.107.1).
pub(crate) fn codec_and_loss(p: &Parameters) -> f64 {
    p.ie + (95.0 - p.ie) * p.ppl_percent / (p.ppl_percent / p.burst_r + p.bpl)
}

fn decibels(bels: f64) -> f64 {
    10.0_f64.powf(bels)
}

#[cfg(test)]
mod tests;
