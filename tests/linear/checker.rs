//! Is there an order of the calls, one after the other, that explains every answer and keeps what
//! came before what? The search of Wing and Gong, with Lowe's memory of states seen before: take
//! any call that may come next, apply it to the model, go on; where that leads nowhere, another.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

/// Calls of one history at most.
pub const CALLS_MAX: usize = 128;

/// What the object should do.
pub trait Model {
    /// Its state.
    type State: Clone + Eq + Hash + Debug;
    /// A call with its answer; of a call without answer the model may assume any.
    type Call: Debug;
    /// The state after a call, if the call may be answered so in this state.
    fn step(&self, state: &Self::State, call: &Self::Call) -> Option<Self::State>;
}

/// A call and when it was made, on a clock that orders all calls of the history.
#[derive(Debug, Clone)]
pub struct Timed<C> {
    /// The call.
    pub call: C,
    /// When it was sent.
    pub sent: u64,
    /// When it was answered; `None`: never, so it may happen at any later time, or not at all.
    pub answered: Option<u64>,
}

/// Whether a history can be explained.
pub fn is_linearizable<M: Model>(model: &M, begin: &M::State, history: &[Timed<M::Call>]) -> bool {
    assert!(history.len() <= CALLS_MAX, "{} calls in one history", history.len());
    let answered = history.iter().enumerate().filter(|(_, timed)| timed.answered.is_some());
    let goal = answered.fold(0_u128, |goal, (at, _)| goal | 1 << at);
    let mut seen = HashSet::new();
    let mut open = vec![(0_u128, begin.clone())];
    while let Some((done, state)) = open.pop() {
        if done & goal == goal {
            return true;
        }
        // What was sent after the first answer that is still to be explained cannot come before it.
        let still = history.iter().enumerate().filter(|(at, _)| done & (1 << at) == 0);
        let horizon = still.clone().filter_map(|(_, timed)| timed.answered).min();
        for (at, timed) in still.filter(|(_, timed)| horizon.is_none_or(|end| timed.sent < end)) {
            let Some(next) = model.step(&state, &timed.call) else { continue };
            let reached = (done | 1 << at, next);
            if seen.insert(reached.clone()) {
                open.push(reached);
            }
        }
    }
    false
}
