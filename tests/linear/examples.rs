//! Histories whose verdict is known: the checker must accept the good and reject the bad ones.

use super::checker::{Timed, is_linearizable};
use super::customers::{Answer, Call, Condition, Customers, Op, State};

/// A call that was sent and answered then.
fn call(sent: u64, answered: u64, op: Op, answer: Answer) -> Timed<Call> {
    Timed { call: Call { op, answer: Some(answer) }, sent, answered: Some(answered) }
}

/// A call that was never answered.
fn lost(sent: u64, op: Op) -> Timed<Call> {
    Timed { call: Call { op, answer: None }, sent, answered: None }
}

fn patch(if_match: Option<i64>, title: usize) -> Op {
    Op::Patch { record: 0, if_match, title }
}

const GET: Op = Op::Get { record: 0 };
const DELETE: Op = Op::Delete { record: 0, if_match: None };
const MERGE: Op = Op::Merge { record: 0, absorb: 1, if_match: None };

fn shown(version: i64, title: usize) -> Answer {
    Answer::Shown { record: 0, version, title }
}

fn put(condition: Condition, title: usize) -> Op {
    Op::Put { reference: 0, condition, title }
}

fn made(created: bool, version: i64, title: usize) -> Answer {
    Answer::ShownByReference { created, version, title }
}

fn is_good(history: &[Timed<Call>]) -> bool {
    is_linearizable(&Customers, &State::new(2, 1), history)
}

#[test]
fn calls_one_after_the_other_are_accepted() {
    assert!(is_good(&[]));
    assert!(is_good(&[
        call(1, 2, GET, shown(1, 0)),
        call(3, 4, patch(Some(1), 10), shown(2, 10)),
        call(5, 6, patch(Some(1), 11), Answer::Stale { have: 2 }),
        call(7, 8, DELETE, Answer::Done),
        call(9, 10, GET, Answer::NotFound),
        call(11, 12, Op::Restore { record: 0 }, shown(4, 10)),
        call(13, 14, MERGE, shown(5, 10)),
        call(15, 16, Op::Get { record: 1 }, shown(5, 10)),
        call(17, 18, Op::Restore { record: 1 }, Answer::WrongState),
        call(19, 20, put(Condition::CreateOnly, 12), made(true, 1, 12)),
        call(21, 22, put(Condition::CreateOnly, 13), Answer::PreconditionFailed),
    ]));
}

#[test]
fn calls_at_once_may_have_happened_in_either_order() {
    let at_once = [
        call(1, 10, patch(None, 10), shown(3, 10)),
        call(2, 9, patch(None, 11), shown(2, 11)),
        call(3, 4, GET, shown(1, 0)),
        call(5, 6, GET, shown(2, 11)),
    ];
    assert!(is_good(&at_once));
    let one_wins = [
        call(1, 10, patch(Some(1), 10), Answer::Stale { have: 2 }),
        call(2, 9, patch(Some(1), 11), shown(2, 11)),
    ];
    assert!(is_good(&one_wins));
}

#[test]
fn a_stale_read_is_rejected() {
    let history = [call(1, 2, patch(None, 10), shown(2, 10)), call(3, 4, GET, shown(1, 0))];
    assert!(!is_good(&history));
    // Neither may a read go back behind another read.
    let history = [
        call(1, 10, patch(None, 10), shown(2, 10)),
        call(2, 3, GET, shown(2, 10)),
        call(4, 5, GET, shown(1, 0)),
    ];
    assert!(!is_good(&history));
}

#[test]
fn a_lost_update_is_rejected() {
    // Both were answered, but the second did not build on the first.
    let history =
        [call(1, 2, patch(None, 10), shown(2, 10)), call(3, 4, patch(None, 11), shown(2, 11))];
    assert!(!is_good(&history));
    // Answered, and gone.
    let history = [
        call(1, 2, patch(None, 10), shown(2, 10)),
        call(3, 4, patch(None, 11), shown(3, 11)),
        call(5, 6, GET, shown(2, 10)),
    ];
    assert!(!is_good(&history));
}

#[test]
fn two_winners_with_the_same_tag_are_rejected() {
    let history = [
        call(1, 10, patch(Some(1), 10), shown(2, 10)),
        call(2, 9, patch(Some(1), 11), shown(2, 11)),
    ];
    assert!(!is_good(&history));
    let history = [
        call(1, 10, put(Condition::CreateOnly, 10), made(true, 1, 10)),
        call(2, 9, put(Condition::CreateOnly, 11), made(true, 1, 11)),
    ];
    assert!(!is_good(&history));
}

#[test]
fn a_wrong_refusal_is_rejected() {
    assert!(!is_good(&[call(1, 2, patch(Some(1), 10), Answer::Stale { have: 2 })]));
    assert!(!is_good(&[call(1, 2, GET, Answer::NotFound)]));
    let history = [call(1, 2, DELETE, Answer::Done), call(3, 4, patch(None, 10), shown(3, 10))];
    assert!(!is_good(&history), "a deleted record is not changed");
}

#[test]
fn half_a_merge_is_rejected() {
    let history = [
        call(1, 2, MERGE, shown(2, 0)),
        call(3, 4, Op::Get { record: 1 }, Answer::Shown { record: 1, version: 1, title: 1 }),
    ];
    assert!(!is_good(&history));
}

#[test]
fn a_call_without_answer_may_have_happened_once_at_any_later_time_or_never() {
    let unknown = lost(1, patch(None, 10));
    assert!(is_good(&[unknown.clone(), call(2, 3, GET, shown(1, 0))]));
    assert!(is_good(&[unknown.clone(), call(2, 3, GET, shown(2, 10))]));
    let late = [unknown.clone(), call(2, 3, GET, shown(1, 0)), call(4, 5, GET, shown(2, 10))];
    assert!(is_good(&late));
    let undone = [unknown.clone(), call(2, 3, GET, shown(2, 10)), call(4, 5, GET, shown(1, 0))];
    assert!(!is_good(&undone), "what was seen stays");
    let twice = [
        unknown,
        call(2, 3, GET, shown(2, 10)),
        call(4, 5, patch(None, 11), shown(3, 11)),
        call(6, 7, GET, shown(4, 10)),
    ];
    assert!(!is_good(&twice), "it happens once");
    let early = [call(1, 2, GET, shown(2, 10)), lost(3, patch(None, 10))];
    assert!(!is_good(&early), "nothing happens before it was sent");
}
