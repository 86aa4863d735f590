//! Which endpoints are whose, where several nodes share the work. A node is taken for dead when its
//! record has not changed for long by the looker's own clock: no two clocks are compared. Whose an
//! endpoint is follows from its shard and from who lives (rendezvous hashing), so a node that comes
//! or goes moves only its own part.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Parts that the endpoints are divided into.
const SHARDS: i64 = 64;
/// How often a node says that it lives.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(5);
/// How long others wait for that before they take it for dead.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(20);
/// How long after its last beat a node sends nothing itself.
pub(crate) const SILENT_AFTER: Duration = Duration::from_secs(15);
/// How long the record of a dead node is kept.
pub(crate) const KEPT: Duration = Duration::from_secs(3_600);

/// What a node knows of the others.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    seen: HashMap<i64, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    revision: i64,
    since: Instant,
}

impl Nodes {
    /// Takes in numbers and revisions of all nodes as they are now.
    pub(crate) fn look(&mut self, nodes: &[(i64, i64)], now: Instant) {
        self.seen.retain(|known, _| nodes.iter().any(|(number, _)| number == known));
        for (number, revision) in nodes {
            let seen = self.seen.entry(*number).or_insert(Seen { revision: *revision, since: now });
            if seen.revision != *revision {
                *seen = Seen { revision: *revision, since: now };
            }
        }
    }

    /// Whether a node lives, as far as is known.
    pub(crate) fn is_alive(&self, node: i64, now: Instant) -> bool {
        self.seen.get(&node).is_some_and(|seen| now.duration_since(seen.since) < DEAD_AFTER)
    }

    /// Nodes that live, as far as is known.
    pub(crate) fn alive(&self, now: Instant) -> Vec<i64> {
        self.seen.keys().copied().filter(|node| self.is_alive(*node, now)).collect()
    }

    /// Nodes that have been dead for so long that nothing needs their records; with revisions.
    pub(crate) fn buried(&self, now: Instant) -> Vec<(i64, i64)> {
        let is_old = |seen: &Seen| now.duration_since(seen.since) >= KEPT;
        let old = self.seen.iter().filter(|(_, seen)| is_old(seen));
        old.map(|(number, seen)| (*number, seen.revision)).collect()
    }

    /// The node that an endpoint is to be worked for by.
    pub(crate) fn owner(&self, endpoint: i64, now: Instant) -> Option<i64> {
        let alive = self.alive(now).into_iter();
        alive.max_by_key(|node| (weight(endpoint.rem_euclid(SHARDS), *node), *node))
    }
}

/// A number that looks random and is the same on every node.
fn weight(shard: i64, node: i64) -> u64 {
    // SplitMix64 over both.
    let mut x = (shard as u64) << 48 ^ node as u64;
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_is_somebodys_and_only_a_lost_nodes_move() {
        let start = Instant::now();
        let mut nodes = Nodes::default();
        nodes.look(&[(1, 1), (2, 1), (3, 1)], start);
        let before: Vec<_> = (0..SHARDS).map(|e| nodes.owner(e, start).unwrap()).collect();
        for node in 1..=3 {
            let count = before.iter().filter(|owner| **owner == node).count();
            assert!((8..=36).contains(&count), "{node}: {count}");
        }
        // The second one says nothing any more.
        let later = start + DEAD_AFTER;
        nodes.look(&[(1, 2), (2, 1), (3, 2)], later);
        assert!(!nodes.is_alive(2, later) && nodes.is_alive(1, later));
        for (endpoint, before) in (0..SHARDS).zip(before) {
            let after = nodes.owner(endpoint, later).unwrap();
            assert!(if before == 2 { after != 2 } else { after == before });
        }
        assert!(nodes.buried(later).is_empty());
        assert_eq!(nodes.buried(start + KEPT), [(2, 1)]);
        nodes.look(&[(1, 2)], later);
        assert!(!nodes.is_alive(3, later), "who took leave is gone at once");
    }

    #[test]
    fn without_anybody_it_is_nobodys() {
        assert_eq!(Nodes::default().owner(1, Instant::now()), None);
    }
}
