//! Wide band, ITU-T G.107.1: the scale goes to 129 instead of 93.2.
//!
//! Reports hold nothing about echo and levels of wide-band terminals, so that Is is 0 and Id is delay alone.

use super::{Parameters, codec_and_loss, delay_alone, mos};

/// Ro of a wide-band connection.
const RO: f64 = 129.0;
/// What a wide-band R is divided by to be read as MOS.
const SCALE: f64 = 1.29;

/// R of a wide-band connection: `ie` and `bpl` are the wide-band ones.
pub fn rating(p: &Parameters) -> f64 {
    RO - delay_alone(p) - codec_and_loss(p) + p.advantage
}

/// MOS of a wide-band R.
pub fn mos_from_r(r: f64) -> f64 {
    mos::mos_from_r(r / SCALE)
}
