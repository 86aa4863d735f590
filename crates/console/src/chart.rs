//! Charts, drawn here: bars of two series on top of each other, over a zero base. Shapes are SVG
//! and stretch; words are HTML and do not. What a chart shows stands in a table behind it, too.

use std::fmt::Write as _;

/// Units of a drawing from one side to the other, and from its top to its base.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 100.0;
/// Part of a bar's place that stays free.
const GAP: f64 = 0.22;
/// Units that anything that happened takes at least: once among thousands is seen.
const SEEN_MIN: f64 = 1.2;
/// What the top of a scale is a multiple of ten of: each has a half that is whole.
const TOPS: [u64; 5] = [2, 4, 6, 8, 10];

/// One of the two series of a chart.
pub struct Series {
    /// What it is, in a sentence's words.
    pub label: String,
    /// Its class: it decides the colour.
    pub class: &'static str,
    /// Its values, one for each step.
    pub values: Vec<u64>,
}

impl Series {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.values.iter().sum()
    }
}

/// A drawing of two series.
pub struct Drawing {
    /// Class and outline of each series, the first at the base.
    pub paths: Vec<(&'static str, String)>,
    /// What the top of the scale stands for.
    pub top: u64,
}

/// The least round number that is not below this one.
pub fn top_of(highest: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        let fits = TOPS.iter().map(|top| top.saturating_mul(unit)).find(|top| *top >= highest);
        match (fits, unit.checked_mul(10)) {
            (Some(top), _) => return top,
            (None, Some(next)) => unit = next,
            (None, None) => return highest,
        }
    }
}

/// Bars of these series on top of each other.
pub fn bars(series: &[Series]) -> Drawing {
    let steps = series.iter().map(|one| one.values.len()).max().unwrap_or(0);
    let sum = |at: usize| series.iter().filter_map(|one| one.values.get(at)).sum::<u64>();
    let top = top_of((0..steps).map(sum).max().unwrap_or(0));
    // Exact enough for a drawing, whatever the number.
    let height = |value: u64| match value {
        0 => 0.0,
        _ => (value as f64 / top as f64 * HEIGHT).max(SEEN_MIN),
    };
    let place = WIDTH / steps.max(1) as f64;
    let mut bases = vec![HEIGHT; steps];
    let mut paths = Vec::with_capacity(series.len());
    for one in series {
        let mut path = String::new();
        for (at, value) in one.values.iter().enumerate().filter(|(_, value)| **value > 0) {
            let (x, wide) = (place * (at as f64 + GAP / 2.0), place * (1.0 - GAP));
            let high = height(*value).min(bases[at]);
            let _ = write!(path, "M{x:.1} {:.1}v-{high:.1}h{wide:.1}v{high:.1}z", bases[at]);
            bases[at] -= high;
        }
        paths.push((one.class, path));
    }
    Drawing { paths, top }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[u64]) -> Series {
        Series { label: String::new(), class: "", values: values.to_vec() }
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (highest, top) in [(0, 2), (2, 2), (3, 4), (9, 10), (11, 20), (61, 80), (1_048, 2_000)]
        {
            assert_eq!(top_of(highest), top, "{highest}");
        }
        assert!(top_of(u64::MAX) >= u64::MAX / 2);
    }

    #[test]
    fn bars_stand_on_each_other_and_what_is_rare_is_seen() {
        let drawn = bars(&[series(&[5, 0]), series(&[5, 1])]);
        assert_eq!(drawn.top, 10);
        assert_eq!(drawn.paths[0].1, "M13.2 100.0v-50.0h93.6v50.0z");
        assert_eq!(drawn.paths[1].1, "M13.2 50.0v-50.0h93.6v50.0zM133.2 100.0v-10.0h93.6v10.0z");
        let rare = bars(&[series(&[100_000, 1])]);
        assert!(rare.paths[0].1.contains("v-1.2"), "{}", rare.paths[0].1);
        assert_eq!(bars(&[series(&[])]).top, 2);
    }
}
