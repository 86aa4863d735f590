//! What is said of many values, and seeded choices among some.

/// Seeded choices (SplitMix64): the same seed, the same run.
#[derive(Debug, Clone)]
pub struct Choices(u64);

impl Choices {
    /// Choices of a seed.
    pub fn new(seed: u64) -> Choices {
        Choices(seed)
    }

    /// A number below another one; 0 when that is 0.
    pub fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % (count.max(1) as u64)).unwrap_or(0)
    }
}

/// The value that this part of all stays under; 0 of none. The values are sorted.
pub fn part(sorted: &[u32], part: f64) -> u32 {
    // Exact enough: there are far fewer than 2^52 values.
    let place = (sorted.len() as f64 * part) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

/// The middle one of some values; not a number where there are none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
