//! Endpoints of APIs that keep URLs apart: one endpoint has the URL and asks for nothing itself,
//! others are told at it.

use patron_model::{
    Failure,
    event::EndpointEvent,
    webhook::{Endpoint, EndpointState},
};

use super::{ENDPOINT, ResumeFrom, get, living, replays, resume};
use crate::{
    Cx,
    commit::Draft,
    failure,
    record::{Id, Loaded, decode},
    search::{Field, Filter, Query},
};

/// Endpoints that are told at one URL, at most: a change of it changes all of them.
const TOLD_AT_MAX: u32 = 100;

fn at(number: i64) -> Filter {
    living().and(Filter::equal(Field::Whole(vec!["at".to_owned()]), number))
}

async fn told_at(cx: &Cx, number: i64) -> Result<Vec<Loaded<Endpoint>>, Failure> {
    let query = Query { predicate: at(number), limit: TOLD_AT_MAX, ..Query::of(cx.space) };
    let found = cx.app.store.find(&ENDPOINT, &query).await.map_err(failure)?;
    found.rows.iter().map(decode).collect()
}

/// A new endpoint that is told at the URL of another one.
pub(super) async fn placed(
    cx: &Cx,
    draft: &mut Draft<'_>,
    new: Endpoint,
    number: i64,
) -> Result<Endpoint, Failure> {
    let place = get(cx, Id::Number(number)).await?;
    let count = cx.app.store.count(&ENDPOINT, &[cx.space], &at(number)).await.map_err(failure)?;
    if count >= u64::from(TOLD_AT_MAX) {
        let needs = "fewer than 100 at its URL";
        return Err(Failure::WrongState { is: "one endpoint too many", needs });
    }
    // It must not change, or go, before this one is there.
    draft.assert(&place);
    let is_held = place.state != EndpointState::Active;
    Ok(Endpoint { url: place.url.clone(), is_held, ..new })
}

/// Changes those that are told at the URL of an endpoint that changes; says which.
pub(super) async fn follow(
    cx: &Cx,
    draft: &mut Draft<'_>,
    (before, after): (&Endpoint, &Endpoint),
    from: Option<ResumeFrom>,
) -> Result<Vec<i64>, Failure> {
    if before.url == after.url && before.state == after.state {
        return Ok(Vec::new());
    }
    let mut changed = Vec::new();
    for told in told_at(cx, after.number).await? {
        let is_held = after.state != EndpointState::Active;
        let next = Endpoint { url: after.url.clone(), is_held, ..told.record.clone() };
        if !told.is_told() && next.is_told() {
            resume(cx, draft, &next, from).await?;
        }
        if !next.is_told() {
            replays::end(cx, draft, next.number).await?;
        }
        draft.replace(&told, &next, EndpointEvent::Updated, &["url"])?;
        changed.push(next.number);
    }
    Ok(changed)
}

/// Refuses to delete an endpoint at whose URL others are told.
pub(super) async fn refuse_used(cx: &Cx, number: i64) -> Result<(), Failure> {
    if told_at(cx, number).await?.is_empty() {
        return Ok(());
    }
    Err(Failure::WrongState { is: "in use by others", needs: "used by none" })
}
