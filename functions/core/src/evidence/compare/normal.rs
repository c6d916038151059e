//! The normal distribution.

use statrs::function::erf::{erfc, erfc_inv};

/// The normal quantile of a lower tail.
pub(super) fn quantile(tail: f64) -> f64 {
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * tail)
}

/// How likely a normal value is above `z`.
pub(super) fn above(z: f64) -> f64 {
    0.5 * erfc(z / std::f64::consts::SQRT_2)
}
