//! Whole deployments in memory, with every fault, the same way for the same seed: nodes that are
//! killed, stopped and come back, endpoints that are taken over, a store that is away, receivers
//! that hang, fail, lie and end. Whatever happens, everything that was asked for arrives, nothing
//! before its commit, and what a node that lost an endpoint found out is not written.

#[path = "tests/checks.rs"]
mod checks;
#[path = "tests/world.rs"]
mod world;

use patron_app::webhooks::DeliveryState;
use rand::RngExt as _;

use self::world::{BRIEF, HOUR, Manner, NOTING, Step, TINY, World};
use crate::{
    lane::{MS, RETRYING_MAX, SECOND, WAITING_MAX},
    schedule,
};

/// Every fault at once, then peace: set received = set asked for.
#[test]
fn whatever_happens_everything_arrives() {
    let seeds = std::env::var("PATRON_TEST_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let (mut refused, mut repeats) = (0, 0);
    for seed in 0..seeds {
        let mut world = World::new(seed, 8, 3);
        // One that keeps order and one that does not.
        (7..=8).for_each(|number| world.is_told_all(number, &NOTING));
        world.commits(400, 60 * SECOND);
        for _ in 0..6 {
            let (at, n) =
                (world.chance.random_range(0..70 * SECOND), world.chance.random_range(0..3));
            let long = world.chance.random_range(SECOND..60 * SECOND);
            let step =
                if world.chance.random_bool(0.5) { Step::Kill(n) } else { Step::Stand(n, long) };
            world.later(at, step);
        }
        for _ in 0..3 {
            let at = world.chance.random_range(0..60 * SECOND);
            let long = world.chance.random_range(100 * MS..8 * SECOND);
            world.later(at, Step::Store(true));
            world.later(at + long, Step::Store(false));
        }
        for number in 1..=8 {
            for _ in 0..2 {
                let percent = world.chance.random_range(0..100);
                let all = [Manner::Good, Manner::Fails(percent), Manner::Hangs, Manner::Busy];
                let manner = all[world.chance.random_range(0..all.len())];
                let at = world.chance.random_range(0..60 * SECOND);
                world.later(at, Step::Manner(number, manner));
            }
            world.later(90 * SECOND, Step::Manner(number, Manner::Good));
        }
        world.later(95 * SECOND, Step::Store(false));
        world.run(HOUR + 100 * SECOND);
        world.run(4 * HOUR);
        world.all_arrived();
        (7..=8).for_each(|number| world.all_noted(number));
        refused += world.refused;
        repeats += world.repeats;
    }
    assert!(refused > 0 && repeats > 0, "nothing was at stake: {refused} {repeats}");
}

/// In peace each entry is sent once, and soon.
#[test]
fn without_faults_nothing_is_sent_twice() {
    for seed in 0..20 {
        let mut world = World::new(seed, 20, 1);
        world.later(SECOND, Step::Store(false));
        world.run(HOUR + 2 * SECOND);
        world.commits(1_000, 20 * SECOND);
        world.run(HOUR + 60 * SECOND);
        world.all_arrived();
        assert_eq!((world.repeats, world.rows.len(), world.refused), (0, 0, 0), "seed {seed}");
        assert!(world.slowest < SECOND, "seed {seed}: {}", world.slowest);
    }
}

/// Endpoints that hang take few places and hold nobody up.
#[test]
fn hanging_receivers_cost_the_others_nothing() {
    let slowest = |hanging: i64| {
        let mut world = World::new(7, 400, 1);
        world.run(HOUR + SECOND);
        world.commits(30, SECOND);
        world.run(HOUR + 5 * SECOND);
        for number in 1..=hanging {
            world.manners.insert(number, Manner::Hangs);
        }
        world.commits(300, 60 * SECOND);
        // A cursor that only passed entries over is written after a minute.
        world.run(HOUR + 160 * SECOND);
        // Tried now and then, not all the time.
        let most = world.hung.values().copied().max().unwrap_or(0);
        assert!(most <= 20, "{most}");
        for number in hanging + 1..=400 {
            world.nothing_is_passed_over(number);
            let space = world.endpoints[number as usize - 1].space;
            let position = world.cursors[&number].position;
            assert_eq!(position, world.journals[&space].len() as i64, "{number}");
        }
        world.slowest
    };
    let (alone, beside) = (slowest(0), slowest(200));
    assert!(beside <= alone + 50 * MS, "{beside} beside hanging ones, {alone} alone");
}

/// A backlog is read bit by bit.
#[test]
fn a_backlog_takes_no_memory() {
    let mut world = World::new(3, 6, 1);
    for _ in 0..20_000 {
        world.commit(1);
        world.commit(2);
        world.commit(3);
    }
    let entry = world.journals[&1][0].doc.len() + 256;
    while world.taken.len() < 100_000 && world.now < 10 * HOUR {
        world.run(world.now + SECOND);
        let held = world.nodes[0].core.held_bytes;
        assert!(held <= 6 * (WAITING_MAX + 16) * entry, "{held}");
    }
    world.run(world.now + 60 * SECOND);
    world.all_arrived();
    assert_eq!(world.repeats, 0);
}

/// Who fails five times in a row is tried now and then, and goes on where it stopped.
#[test]
fn a_failing_endpoint_is_probed_and_goes_on() {
    let mut world = World::new(5, 1, 1);
    world.manners.insert(1, Manner::Fails(100));
    world.run(HOUR + SECOND);
    world.commits(600, SECOND);
    world.run(HOUR + 10 * 60 * SECOND);
    let cursor = world.cursors[&1].record.clone();
    assert!(cursor.health.failures >= schedule::BREAKS_AT);
    assert!(world.attempts < 40, "{}", world.attempts);
    assert!(world.rows.len() < 30, "the backlog waits in the journal: {}", world.rows.len());
    world.manners.insert(1, Manner::Good);
    world.run(world.now + 2 * HOUR);
    world.all_arrived();
    assert_eq!(world.cursors[&1].health.failures, 0);
}

/// What was given up is said with the next of its record, until that arrives.
#[test]
fn the_next_after_one_that_was_given_up_says_so() {
    let mut world = World::new(2, 2, 1);
    world.is_told_all(2, &BRIEF);
    let (space, start) = (world.endpoints[1].space, HOUR + SECOND);
    world.run(start);
    world.manners.insert(2, Manner::Fails(100));
    world.commit(space);
    world.run(start + 2 * SECOND);
    world.manners.insert(2, Manner::Good);
    (0..10).for_each(|_| world.commit(space));
    world.run(start + 4 * SECOND);
    let state = |world: &World, seq: i64| world.rows.get(&(2, seq)).map(|row| row.state);
    assert_eq!(state(&world, 1), Some(DeliveryState::Retrying));
    assert_eq!(state(&world, 6), Some(DeliveryState::Held), "it hangs on the same record");
    assert_eq!((state(&world, 2), world.taken.contains(&(2, 2))), (None, true));
    world.manners.insert(2, Manner::Fails(100));
    world.run(start + 7 * SECOND);
    assert_eq!(state(&world, 1), Some(DeliveryState::Failed));
    world.manners.insert(2, Manner::Good);
    world.run(start + 20 * SECOND);
    assert!([6, 11].iter().all(|seq| world.taken.contains(&(2, *seq))));
    assert_eq!((world.gaps[&(2, 6)], world.gaps[&(2, 11)]), (Some(1), None));
    assert!(world.cursors[&2].gaps.is_empty());
}

/// Behind one that fails only what hangs on the same record waits, and no more than so many.
#[test]
fn what_is_held_holds_nothing_else_up_and_is_bounded() {
    let mut world = World::new(11, 2, 1);
    world.is_told_all(2, &TINY);
    world.manners.insert(2, Manner::Refuses(1));
    world.run(HOUR + SECOND);
    let space = world.endpoints[1].space;
    let open = |world: &World| {
        let of_lane = world.rows.values().filter(|row| row.endpoint == 2);
        of_lane.filter(|row| row.open().is_some()).count()
    };
    let mut most = 0;
    for second in 2..80 {
        (0..100).for_each(|_| world.commit(space));
        world.run(HOUR + second * SECOND);
        let held = open(&world);
        assert!(held as u64 <= RETRYING_MAX + WAITING_MAX as u64, "{held}");
        if held > 0 && (held as u64) < RETRYING_MAX {
            let others = world.nodes[0].core.lanes().map(|(_, lane)| lane.held()).max();
            assert!(others.unwrap_or(0) < WAITING_MAX, "the others go on");
        }
        most = most.max(held as u64);
    }
    assert!(most >= RETRYING_MAX, "nothing was at stake: {most}");
    world.manners.insert(2, Manner::Good);
    world.run(world.now + HOUR);
    world.run(world.now + HOUR);
    world.all_arrived();
}
