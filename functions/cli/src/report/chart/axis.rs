//! Scales and the places of their marks.

use exposure_core::evidence::exact::Estimate;

use super::super::number::short;

/// From values to a share of the length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// From nothing to an upper end.
    FromZero(f64),
    /// From one over a factor to the factor, 1 in the middle, equal factors equally far apart.
    Factor(f64),
    /// From nothing to all.
    Share,
}

impl Scale {
    /// From nothing to a little more than every value, and the interval's end unless that is far beyond all values:
    /// it is drawn as open then.
    pub(crate) fn of_rates<'a>(estimates: impl Iterator<Item = &'a Estimate> + Clone) -> Self {
        let highest = estimates.clone().filter_map(|e| e.value).filter(|v| v.is_finite()).fold(0.0, f64::max);
        let ends = estimates.map(|e| e.high).filter(|high| high.is_finite());
        let cap = if highest > 0.0 { 3.0 * highest } else { f64::INFINITY };
        let end = ends.map(|end| end.min(cap)).fold(highest, f64::max);
        Self::FromZero(if end > 0.0 { 1.05 * end } else { 1.0 })
    }

    /// Factors, 1 in the middle.
    pub(crate) fn of_factors<'a>(estimates: impl Iterator<Item = &'a Estimate>) -> Self {
        const WIDEST: f64 = 100.0;
        let numbers = estimates.flat_map(|e| [e.value.unwrap_or(1.0), e.low, e.high]);
        let distant = numbers.filter(|n| n.is_finite() && *n > 0.0).map(|n| n.max(1.0 / n)).fold(1.9, f64::max);
        Self::Factor((1.1 * distant).min(WIDEST))
    }

    /// Where a value lies, from 0 to 1 and beyond.
    pub(crate) fn at(self, value: f64) -> f64 {
        match self {
            Self::FromZero(end) => value / end,
            Self::Share => value,
            Self::Factor(end) if value > 0.0 => 0.5 + 0.5 * value.ln() / end.ln(),
            Self::Factor(_) => f64::NEG_INFINITY,
        }
    }

    /// Its marks: where, and what is written there.
    pub(crate) fn marks(self) -> Vec<(f64, String)> {
        match self {
            Self::Share => {
                [0_u8, 25, 50, 75, 100].map(|percent| (f64::from(percent) / 100.0, format!("{percent} %"))).to_vec()
            }
            Self::FromZero(end) => round_marks(end, 5.0).map(|mark| (self.at(mark), short_mark(mark))).collect(),
            Self::Factor(end) => {
                let fine = [1.0, 1.5, 2.0, 3.0, 4.0];
                let coarse = [1.0, 2.0, 5.0, 10.0];
                let coarsest = [1.0, 3.0, 10.0, 100.0];
                let marks: &[f64] = match end {
                    _ if end <= 4.9 => &fine,
                    _ if end <= 12.0 => &coarse,
                    _ => &coarsest,
                };
                let shown = || marks.iter().copied().filter(|mark| *mark <= end && *mark > 1.0);
                let below = shown().map(|mark| (self.at(1.0 / mark), format!("÷{mark}")));
                let above = shown().map(|mark| (self.at(mark), format!("×{mark}")));
                below.chain([(0.5, "1".to_owned())]).chain(above).collect()
            }
        }
    }
}

/// Round numbers from 0 up to `end`, about `count` of them.
pub(super) fn round_marks(end: f64, count: f64) -> impl Iterator<Item = f64> {
    let rough = (end / count).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].iter().map(|step| step * power).find(|step| *step >= rough).unwrap_or(10.0 * power);
    (0_u32..=50).map(move |number| f64::from(number) * step).take_while(move |mark| *mark <= end)
}

/// A round number, without decimals that say nothing.
pub(super) fn short_mark(mark: f64) -> String {
    let text = short(mark);
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, low: f64, high: f64) -> Estimate {
        Estimate { value: Some(value), low, high }
    }

    #[test]
    fn marks_are_round_and_few() {
        for end in [0.003, 0.9, 1.0, 1.05, 7.0, 99.0, 12_345.0] {
            let marks: Vec<f64> = round_marks(end, 5.0).collect();
            assert!((2..=6).contains(&marks.len()), "{end}: {marks:?}");
        }
        assert_eq!(short_mark(0.5), "0.5");
        assert_eq!(short_mark(0.0), "0");
        assert_eq!(short_mark(2_000.0), "2,000");
    }

    #[test]
    fn a_scale_of_factors_has_one_in_its_middle() {
        let scale = Scale::of_factors([estimate(2.0, 1.2, f64::INFINITY), estimate(0.9, 0.0, 1.4)].iter());
        assert!((scale.at(1.0) - 0.5).abs() < 1e-12);
        assert!(scale.at(1.2) > 0.5 && scale.at(2.0) < 1.0 && scale.at(0.0) < 0.0);
        assert!(scale.marks().iter().all(|(at, _)| (0.0..=1.0).contains(at)));
        assert_eq!(Scale::of_factors([estimate(1e9, 0.0, 1.0)].iter()), Scale::Factor(100.0));
    }

    #[test]
    fn one_wide_interval_does_not_flatten_the_rest() {
        let Scale::FromZero(end) = Scale::of_rates([estimate(1.0, 0.5, 2.0), estimate(0.0, 0.0, 900.0)].iter()) else {
            panic!("no scale from zero")
        };
        assert!((2.0..4.0).contains(&end), "{end}");
        assert_eq!(Scale::of_rates([].iter()), Scale::FromZero(1.0));
    }
}
