//! `GET /v2/customer`: list and search (dossier §8). A bare array, without total or links; a page
//! past the end is empty.

use std::cmp::Reverse;
use std::sync::Arc;

use patron_app::{
    Loaded, customers,
    search::{self, Filter, Order, Query},
};
use patron_gateway::{Faults, Reply, Request, decode::Params};
use patron_model::{Failure, Why, customer::Customer, space::Space};

use crate::{
    customers::{
        fields::{Kind, Selector},
        show,
        wire::CustomerShown,
    },
    filters, spaces,
};

/// Customers of a page when the request does not say.
const PAGE_SIZE: i64 = 50;
/// Most customers of a page; a larger wish is cut silently (dossier §8.1).
pub const PAGE_SIZE_MAX: i64 = 1_000;

/// What is asked for.
struct Listing {
    filter: Filter,
    selector: &'static Selector,
    is_descending: bool,
    offset: u64,
    limit: u32,
}

/// `GET /v2/customer`.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let spaces = &request.cx.caller()?.spaces;
    let listing = Listing::read(&request.query(), spaces)?;
    let rows = if listing.selector.kind == Kind::Entity && spaces.len() > 1 {
        by_entity(&request, spaces, &listing).await?
    } else {
        let numbers = spaces.iter().map(|space| space.number).collect();
        page(&request, numbers, &listing, listing.offset, listing.limit).await?
    };
    Reply::json(200, &rows)
}

impl Listing {
    fn read(query: &Params, spaces: &[Arc<Space>]) -> Result<Listing, Failure> {
        let mut faults = Faults::default();
        let text = query.get("search").unwrap_or_default();
        let filter = match text.trim().is_empty() {
            true => Err(Failure::malformed("search", Why::Required)),
            false => filters::compile(text, spaces),
        };
        let filter = faults.keep(filter)?.unwrap_or(Filter::All).and(search::customer::living());
        let criteria = query.get("order_criteria").filter(|name| !name.is_empty());
        let criteria = criteria.unwrap_or("created_at");
        let selector = Selector::find(criteria).filter(|selector| selector.is_sortable);
        if selector.is_none() {
            let why = Why::unknown("field to sort by", criteria, Selector::sortable());
            faults.misread("order_criteria", why);
        }
        let is_descending = match query.get("order_by").unwrap_or_default() {
            "" => true,
            word if word.eq_ignore_ascii_case("desc") => true,
            word if word.eq_ignore_ascii_case("asc") => false,
            word => {
                faults.misread("order_by", Why::not_one_of(word, "ASC, DESC"));
                true
            }
        };
        let number = faults.int(query, "page_number", 1, 1, i64::MAX);
        let size = faults.int(query, "page_size", PAGE_SIZE, 1, i64::MAX).min(PAGE_SIZE_MAX);
        faults.finish()?;
        let selector = selector.ok_or_else(|| Failure::internal("no field and no fault"))?;
        // The last position a store can name; nothing is there.
        let offset = (number - 1).saturating_mul(size);
        Ok(Listing {
            filter,
            selector,
            is_descending,
            offset: u64::try_from(offset).unwrap_or_default(),
            limit: u32::try_from(size).unwrap_or_default(),
        })
    }
}

async fn page(
    request: &Request,
    tenants: Vec<i64>,
    listing: &Listing,
    offset: u64,
    limit: u32,
) -> Result<Vec<CustomerShown>, Failure> {
    let query = Query {
        tenants,
        predicate: listing.filter.clone(),
        order: Order::by(listing.selector.field(), listing.is_descending),
        offset,
        limit,
        ..Query::of(request.cx.space)
    };
    let page = customers::list(&request.cx, &query).await?;
    let show = |customer: &Loaded<Customer>| {
        let space = spaces::of_record(&request.cx, customer.space)?;
        Ok(show::customer(customer, space))
    };
    page.items.iter().map(show).collect()
}

/// Sorted by entity: the spaces follow each other, so the page is found by counting.
async fn by_entity(
    request: &Request,
    spaces: &[Arc<Space>],
    listing: &Listing,
) -> Result<Vec<CustomerShown>, Failure> {
    let mut sorted: Vec<(String, i64)> =
        spaces.iter().map(|space| (spaces::shown(space), space.number)).collect();
    if listing.is_descending {
        sorted.sort_by_key(|entry| Reverse(entry.clone()));
    } else {
        sorted.sort();
    }
    let (mut offset, mut rows) = (listing.offset, Vec::new());
    for (_, space) in sorted {
        let left = listing.limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        if left == 0 {
            break;
        }
        let count = customers::count(&request.cx, &[space], &listing.filter).await?;
        if offset < count {
            rows.extend(page(request, vec![space], listing, offset, left).await?);
        }
        offset = offset.saturating_sub(count);
    }
    Ok(rows)
}
