//! Lists of customers: pages, counts, free text.

use async_recursion::async_recursion;
use patron_model::{Failure, customer::Customer};

use super::{
    numbers::looked_up,
    past::{permitted, permitted_query},
};
use crate::{
    Cx,
    documents::CUSTOMER,
    failure,
    record::{Page, decode, page},
    search::{self, Filter, Query},
    shown::Seen,
};

/// Rows looked at for one page of a free-text search before it is answered short.
const TEXT_SCAN_MAX: usize = 5_000;

/// A page of customers. Deleted ones appear unless the filter excludes them, to who may see them.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, query: &Query) -> Result<Page<Customer>, Failure> {
    page(cx, &*looked_up(cx, permitted_query(cx, query)).await?).await
}

/// A page of customers to be shown, and whether others follow. Deleted ones appear unless the
/// filter excludes them.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn see_list(cx: &Cx, query: &Query) -> Result<(Vec<Seen>, bool), Failure> {
    search::bounded(&query.predicate)?;
    let query = looked_up(cx, permitted_query(cx, query)).await?;
    let found = cx.app.store.find(&CUSTOMER, &query).await;
    let found = found.map_err(failure)?;
    found.rows.iter().for_each(|row| cx.saw(row.tenant, row.number));
    let items = found.rows.into_iter().map(Seen::of).collect::<Result<_, _>>()?;
    Ok((items, found.more))
}

/// How many customers of the given spaces match.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn count(cx: &Cx, spaces: &[i64], filter: &Filter) -> Result<u64, Failure> {
    search::bounded(filter)?;
    cx.app.store.count(&CUSTOMER, spaces, &permitted(cx, filter)).await.map_err(failure)
}

/// Where a free-text search continues: after this term and number.
pub type TextPosition = (String, i64);

/// Living customers whose names, e-mail address, phone, company or reference have words beginning
/// with all the searched ones, ordered by the word that matched. The filter is applied on top.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn search_text(
    cx: &Cx,
    text: &str,
    filter: &Filter,
    after: Option<TextPosition>,
    limit: usize,
) -> Result<(Vec<Seen>, Option<TextPosition>), Failure> {
    search::bounded(filter)?;
    let wanted = search::searched_words(text);
    let Some((lead, others)) = wanted.split_first() else { return Ok((Vec::new(), None)) };
    let mut position = after;
    let mut found = Vec::new();
    let mut looked_at = 0;
    while looked_at < TEXT_SCAN_MAX {
        let chunk = u32::try_from((limit - found.len()).clamp(20, 200)).unwrap_or(200);
        let from = position.as_ref().map(|(term, number)| (term.as_str(), *number));
        let rows = cx.app.store.scan_terms(&CUSTOMER, cx.space, lead, from, chunk).await;
        let rows = rows.map_err(failure)?;
        let last_chunk = rows.len() < chunk as usize;
        for (term, row) in rows {
            looked_at += 1;
            // Only living customers have terms.
            let matches = (others.is_empty() && search::is_living(filter)) || {
                let customer = decode::<Customer>(&row)?.record;
                search::has_words(&customer, others) && search::is_match(filter, &row, &customer)
            };
            if matches && found.len() == limit {
                return Ok((found, position));
            }
            position = Some((term, row.number));
            if matches {
                cx.saw(row.tenant, row.number);
                found.push(Seen::of(row)?);
            }
        }
        if last_chunk {
            return Ok((found, None));
        }
    }
    Ok((found, position))
}
