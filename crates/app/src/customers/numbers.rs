//! Phone numbers in questions: who typed a national number as it is searched for is looked up
//! first, so that what the store is asked is answered by its indexes on every engine.

use std::borrow::Cow;

use patron_model::Failure;

use crate::{
    Cx,
    documents::CUSTOMER,
    failure,
    search::{Field, Filter, Query, TYPED_PHONE_MARK},
};

/// Most customers with one typed number that are named in a question; with more, the store looks
/// for them by itself.
const NAMED_MAX: u32 = 200;

/// A question of one space with typed phone numbers looked up.
pub(super) async fn looked_up<'a>(
    cx: &Cx,
    query: Cow<'a, Query>,
) -> Result<Cow<'a, Query>, Failure> {
    let mut terms = Vec::new();
    typed_in(&query.predicate, &mut terms);
    let [tenant] = query.tenants[..] else { return Ok(query) };
    if terms.is_empty() {
        return Ok(query);
    }
    let mut query = query.into_owned();
    for term in terms {
        let store = &cx.app.store;
        let rows = store.scan_terms(&CUSTOMER, tenant, &term, None, NAMED_MAX).await;
        let rows = rows.map_err(failure)?;
        if rows.len() >= NAMED_MAX as usize {
            continue;
        }
        let of_term = rows.iter().filter(|(found, _)| *found == term);
        let numbers = of_term.map(|(_, row)| row.number.into()).collect();
        let named = Filter::OneOf(Field::Number, numbers);
        name(&mut query.predicate, &term, &named);
    }
    Ok(Cow::Owned(query))
}

/// The terms of typed numbers in a condition, each once.
fn typed_in(filter: &Filter, terms: &mut Vec<String>) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().for_each(|part| typed_in(part, terms));
        }
        Filter::Not(inner) => typed_in(inner, terms),
        Filter::HasTerm(term) if term.starts_with(TYPED_PHONE_MARK) && !terms.contains(term) => {
            terms.push(term.clone());
        }
        _ => {}
    }
}

/// Puts those who are meant in the place of a term.
fn name(filter: &mut Filter, term: &str, named: &Filter) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter_mut().for_each(|part| name(part, term, named));
        }
        Filter::Not(inner) => name(inner, term, named),
        Filter::HasTerm(held) if held == term => *filter = named.clone(),
        _ => {}
    }
}
