//! The targets on seeds, finds of former runs included, on mutations of seeds, and on random bytes.

use std::path::Path;

use proptest::{
    prelude::*,
    test_runner::{TestError, TestRunner},
};

use super::{TARGETS, Target};

/// Mutated and random inputs per target; `PATRON_HOSTILE_CASES` asks for more.
const CASES: u32 = 150;
/// Most bytes of a random input.
const RANDOM_BYTES_MAX: usize = 300;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder:?}: {e}"));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Bytes are cut out, doubled, overwritten, or taken from another seed.
fn mutated(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let step = (0u8..5, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>());
    let steps = prop::collection::vec(step, 1..6);
    (prop::sample::select(seeds.clone()), prop::sample::select(seeds), steps).prop_map(
        |(mut seed, other, steps)| {
            for (kind, from, to, byte) in steps {
                let (a, b) = (from.index(seed.len() + 1), to.index(seed.len() + 1));
                let (a, b) = (a.min(b), a.max(b));
                match kind {
                    0 => drop(seed.drain(a..b)),
                    1 => seed.splice(a..a, seed[a..b].to_vec()).for_each(drop),
                    2 => seed.splice(a..b.min(a + 1), [byte]).for_each(drop),
                    3 => seed.splice(a..a, *b"\xe2\x80\x93").for_each(drop),
                    _ => {
                        let (c, d) = (from.index(other.len() + 1), to.index(other.len() + 1));
                        let piece = other[c.min(d)..c.max(d)].to_vec();
                        seed.splice(a..b, piece).for_each(drop);
                    }
                }
            }
            seed
        },
    )
}

#[test]
fn every_parser_bears_every_input() {
    let cases = std::env::var("PATRON_HOSTILE_CASES").ok().and_then(|text| text.parse().ok());
    let cases = cases.unwrap_or(CASES);
    let halves = TARGETS.split_at(TARGETS.len() / 2);
    let faults: Vec<String> = std::thread::scope(|scope| {
        let run = |half: &'static [Target]| {
            scope.spawn(move || half.iter().filter_map(|t| fault(*t, cases)).collect::<Vec<_>>())
        };
        let threads = [run(halves.0), run(halves.1)];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// What is wrong with a target.
fn fault((name, target): Target, cases: u32) -> Option<String> {
    let seeds = seeds(name);
    assert!(seeds.len() >= 3, "{name} has too few seeds");
    for (n, seed) in seeds.iter().enumerate() {
        if std::panic::catch_unwind(|| target(seed)).is_err() {
            return Some(format!("{name}: seed {} of {}", n + 1, seeds.len()));
        }
    }
    let random = prop::collection::vec(any::<u8>(), 0..RANDOM_BYTES_MAX);
    let input = prop_oneof![4 => mutated(seeds), 1 => random];
    let config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    let checked = TestRunner::new(config).run(&input, |input| {
        target(&input);
        Ok(())
    });
    match checked {
        Ok(()) => None,
        Err(TestError::Fail(why, input)) => {
            Some(format!("{name}: {why}: {}", input.escape_ascii()))
        }
        Err(abort) => Some(format!("{name}: {abort}")),
    }
}

#[test]
fn every_target_is_given_to_the_fuzzer() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
