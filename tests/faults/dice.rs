//! Chance that can be repeated: the same seed gives the same throws on every machine.

/// A generator of random numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// The seed of a run: given in the environment, or the same one always.
    pub fn seed() -> u64 {
        let given = std::env::var("PATRON_FAULT_SEED").ok();
        given.map_or(1, |seed| seed.parse().expect("PATRON_FAULT_SEED is a number"))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// How often something is done: as the environment says, else the short run's number.
pub fn times(variable: &str, short: usize) -> usize {
    let given = std::env::var(variable).ok();
    given.map_or(short, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}
