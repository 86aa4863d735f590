//! What customers should do, as a model of a few records: numbered ones, and ones found by your own
//! reference. Every change writes a title of its own, so a title tells which change it comes from.

use super::checker::Model;

/// A few customers.
pub struct Customers;

/// How a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    Living,
    Deleted,
    /// Taken over by this record; it stays so.
    Absorbed(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    pub status: Status,
    pub version: i64,
    pub title: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Customers that are named by their number.
    pub records: Vec<Record>,
    /// Version and title of the customers with a reference.
    pub references: Vec<Option<(i64, usize)>>,
}

/// What is called. `if_match` is the version the caller expects.
#[derive(Debug, Clone)]
pub enum Op {
    Get { record: usize },
    Patch { record: usize, if_match: Option<i64>, title: usize },
    Delete { record: usize, if_match: Option<i64> },
    Restore { record: usize },
    Merge { record: usize, absorb: usize, if_match: Option<i64> },
    GetByReference { reference: usize },
    Put { reference: usize, condition: Condition, title: usize },
}

/// The condition of a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    None,
    CreateOnly,
    IfMatch(i64),
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A numbered record.
    Shown {
        record: usize,
        version: i64,
        title: usize,
    },
    /// A record with a reference, and whether it was made just now.
    ShownByReference {
        created: bool,
        version: i64,
        title: usize,
    },
    /// Done, without a look.
    Done,
    NotFound,
    /// The record has this version, not the expected one.
    Stale {
        have: i64,
    },
    /// It was there already.
    PreconditionFailed,
    WrongState,
}

/// A call and its answer; `None`: nothing is known of it.
#[derive(Debug, Clone)]
pub struct Call {
    pub op: Op,
    pub answer: Option<Answer>,
}

/// What a call may do in a state: succeed in one way, or be refused for one of these reasons.
enum Outcome {
    Success(State, Answer),
    Refused(Vec<Answer>),
}

impl State {
    /// Records at their first version, none with a reference. Titles are their places.
    pub fn new(records: usize, references: usize) -> State {
        let record = |title| Record { status: Status::Living, version: 1, title };
        State { records: (0..records).map(record).collect(), references: vec![None; references] }
    }

    /// The record that answers for this one.
    fn follow(&self, mut record: usize) -> usize {
        while let Status::Absorbed(by) = self.records[record].status {
            record = by;
        }
        record
    }

    fn is_living(&self, record: usize) -> bool {
        self.records[record].status == Status::Living
    }

    fn shown(&self, record: usize) -> Answer {
        let Record { version, title, .. } = self.records[record];
        Answer::Shown { record, version, title }
    }

    /// The state in which a record was changed.
    fn changed(&self, record: usize, change: impl FnOnce(&mut Record)) -> State {
        let mut next = self.clone();
        change(&mut next.records[record]);
        next.records[record].version += 1;
        next
    }

    /// Reasons to refuse a change of a living record.
    fn refusals(&self, record: usize, if_match: Option<i64>) -> Vec<Answer> {
        let have = self.records[record].version;
        match if_match {
            _ if !self.is_living(record) => vec![Answer::NotFound],
            Some(want) if want != have => vec![Answer::Stale { have }],
            _ => Vec::new(),
        }
    }

    fn outcome(&self, op: &Op) -> Outcome {
        match *op {
            Op::Get { record } => {
                let record = self.follow(record);
                match self.is_living(record) {
                    true => Outcome::Success(self.clone(), self.shown(record)),
                    false => Outcome::Refused(vec![Answer::NotFound]),
                }
            }
            Op::Patch { record, if_match, title } => {
                let refused = self.refusals(record, if_match);
                let next = || self.changed(record, |record| record.title = title);
                success_unless(refused, next, |next| next.shown(record))
            }
            Op::Delete { record, if_match } => {
                let refused = self.refusals(record, if_match);
                let next = || self.changed(record, |record| record.status = Status::Deleted);
                success_unless(refused, next, |_| Answer::Done)
            }
            Op::Restore { record } => match self.records[record].status {
                Status::Absorbed(_) => Outcome::Refused(vec![Answer::WrongState]),
                Status::Living => Outcome::Success(self.clone(), self.shown(record)),
                Status::Deleted => {
                    let next = || self.changed(record, |record| record.status = Status::Living);
                    success_unless(Vec::new(), next, |next| next.shown(record))
                }
            },
            Op::Merge { record, absorb, if_match } => {
                // Of several reasons to refuse, any may be named.
                let mut refused = self.refusals(record, if_match);
                refused.extend(self.refusals(absorb, None));
                let absorbed = Status::Absorbed(record);
                let goes = || self.changed(absorb, |record| record.status = absorbed);
                let next = || goes().changed(record, |_| ());
                success_unless(refused, next, |next| next.shown(record))
            }
            Op::GetByReference { reference } => match self.references[reference] {
                None => Outcome::Refused(vec![Answer::NotFound]),
                Some((version, title)) => {
                    let shown = Answer::ShownByReference { created: false, version, title };
                    Outcome::Success(self.clone(), shown)
                }
            },
            Op::Put { reference, condition, title } => self.put(reference, condition, title),
        }
    }

    fn put(&self, reference: usize, condition: Condition, title: usize) -> Outcome {
        let have = self.references[reference].map_or(0, |(version, _)| version);
        match condition {
            Condition::CreateOnly if have > 0 => {
                return Outcome::Refused(vec![Answer::PreconditionFailed]);
            }
            Condition::IfMatch(want) if want != have => {
                return Outcome::Refused(vec![Answer::Stale { have }]);
            }
            _ => {}
        }
        let version = have + 1;
        let mut next = self.clone();
        next.references[reference] = Some((version, title));
        Outcome::Success(next, Answer::ShownByReference { created: have == 0, version, title })
    }
}

fn success_unless(
    refused: Vec<Answer>,
    next: impl FnOnce() -> State,
    answer: impl FnOnce(&State) -> Answer,
) -> Outcome {
    if !refused.is_empty() {
        return Outcome::Refused(refused);
    }
    let next = next();
    let answer = answer(&next);
    Outcome::Success(next, answer)
}

impl Model for Customers {
    type State = State;
    type Call = Call;

    fn step(&self, state: &State, call: &Call) -> Option<State> {
        match (state.outcome(&call.op), &call.answer) {
            (Outcome::Success(next, _), None) => Some(next),
            (Outcome::Success(next, answer), Some(given)) if answer == *given => Some(next),
            (Outcome::Refused(refused), Some(given)) if refused.contains(given) => {
                Some(state.clone())
            }
            _ => None,
        }
    }
}
