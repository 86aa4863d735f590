//! What endpoints ask for, and who may.

use super::*;
use crate::Permission;

fn types(all: &[&str]) -> Vec<EventType> {
    all.iter().map(|one| EventType::parse(one).unwrap()).collect()
}

fn blank() -> Endpoint {
    let id = Identity { number: 7, uuid: Uuid::nil() };
    Endpoint::blank(id, 1, "tiny", Timestamp::from_micros(0))
}

#[test]
fn types_are_read_and_asked() {
    for good in ["*", "customer.*", "customer.updated", "comment.moved", "payment_method.*"] {
        assert!(EventType::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "**",
        "customer",
        "customer.",
        "customer.update",
        "*.created",
        "x.*",
        "webhook_endpoint.paused",
        "Customer.updated",
    ] {
        assert!(EventType::parse(bad).is_err(), "{bad}");
    }
    let all = &types(&["*"])[0];
    assert!(all.has("customer", "merged") && all.has("subscriber", "created"));
    assert!(!all.has("webhook_endpoint", "paused"), "an endpoint is not told of itself");
    let (noun, one) = (&types(&["comment.*"])[0], &types(&["comment.created"])[0]);
    assert!(noun.has("comment", "moved") && !noun.has("customer", "created"));
    assert!(one.has("comment", "created") && !one.has("comment", "updated"));
    assert_eq!((all.needs(), one.needs()), (None, Some(Permission::CommentRead)));
}

/// The words of the table are those of the journal.
#[test]
fn what_can_be_asked_for_is_what_happens() {
    use crate::event::{CommentEvent, CustomerEvent, Event, MethodEvent};
    fn words<E: Event>() -> Vec<&'static str> {
        E::ALL.iter().map(|event| event.as_str()).collect()
    }
    let words_of = |told: &Told| -> Vec<&str> { told.events.iter().map(|one| one.0).collect() };
    let told = NOUNS.each_ref().map(words_of);
    let happens = [words::<CustomerEvent>(), words::<CommentEvent>(), words::<MethodEvent>()];
    assert_eq!(told, happens);
}

#[test]
fn filters_narrow() {
    let filter =
        EventFilter { subjects: vec![3], changed: vec!["email".into()], ..EventFilter::default() };
    let endpoint = Endpoint { types: types(&["customer.*"]), filter, ..blank() };
    assert!(endpoint.wants("customer", "updated", 3, r#"["phone","email"]"#));
    assert!(endpoint.wants("customer", "created", 3, "[]"), "a new record has all of them");
    assert!(!endpoint.wants("customer", "updated", 4, r#"["email"]"#));
    assert!(!endpoint.wants("customer", "updated", 3, r#"["email_since"]"#));
    assert!(!endpoint.wants("comment", "created", 3, "[]"));
}

#[test]
fn nobody_is_told_what_whoever_asked_may_not_see() {
    let patch = EndpointPatch { types: Some(types(&["comment.*"])), ..Default::default() };
    let now = Timestamp::from_micros(1);
    let rights = Permissions::of(&[Permission::CustomerRead]);
    assert!(matches!(blank().apply(&patch, rights, now), Err(Failure::Forbidden)));
    let patch = EndpointPatch { types: Some(types(&["*"])), ..Default::default() };
    let (next, changes) = blank().apply(&patch, rights, now).unwrap();
    assert_eq!((next.sees, changes), (rights, vec!["types"]));
    // Another change by somebody who sees more widens nothing.
    let patch = EndpointPatch { parallel: Some(3), ..Default::default() };
    let (next, _) = next.apply(&patch, Permissions::ALL, now).unwrap();
    assert_eq!(next.sees, rights);
}

#[test]
fn a_change_that_changes_nothing_is_none_and_bounds_hold() {
    let now = Timestamp::from_micros(1);
    let (same, changes) = blank().apply(&EndpointPatch::default(), Permissions::ALL, now).unwrap();
    assert!(changes.is_empty() && same == blank());
    let paused = EndpointPatch { enabled: Some(false), ..Default::default() };
    let (paused, _) = blank().apply(&paused, Permissions::ALL, now).unwrap();
    assert_eq!((paused.state, paused.reason), (EndpointState::Paused, Some(EndpointReason::User)));
    let bad = EndpointPatch {
        subjects: Some(vec![0]),
        changed: Some(vec!["a\"".into()]),
        timeout_seconds: Some(31),
        parallel: Some(0),
        ..Default::default()
    };
    match blank().apply(&bad, Permissions::ALL, now) {
        Err(Failure::Invalid(problems)) => assert_eq!(problems.iter().count(), 4),
        other => panic!("{other:?}"),
    }
}
