//! Lists of customers (dossier §4.6): filters, order and paging over one paypoint or all that a key
//! opens.

use std::sync::Arc;

use patron_app::{
    Cx,
    audit::{self, Act},
    customers,
    search::{Field, Order, Query, customer, place_of},
};
use patron_gateway::{Faults, Reply, Request};
use patron_model::{Failure, Permission, Why, space::Space};

use crate::{
    customers::{exports, fields::TextField, show::Record},
    envelopes::Summary,
    filters,
    payment_methods::MethodsOf,
    query::Parameters,
    spaces::{self, Paypoint},
};

/// Rows of a page when none are asked for.
const LIMIT: i64 = 20;
/// Most rows of a page, also when all are asked for.
pub const LIMIT_MAX: u64 = 10_000;
/// Rows read with one question: the most that are in memory as records, whatever is asked for.
const ROWS_AT_ONCE: u64 = 250;
/// Rows made into records before others get their turn on the thread.
const ROWS_AT_A_STRETCH: usize = 8;
/// Rows from which on a page is made in turn, like a file.
const ROWS_OF_A_FILE: u64 = 250;
/// Bytes of the longest page or file: it is answered whole, so it is in memory as a whole.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A list that was asked for.
#[derive(Debug)]
pub struct Listing {
    asked: filters::Asked,
    order: Order,
    skip: u64,
    paypoints: Vec<Paypoint>,
}

impl Listing {
    /// Reads filters, order and offset.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn of(cx: &Cx, query: &Parameters, spaces: &[Arc<Space>]) -> Result<Listing, Failure> {
        let caller = spaces::caller(cx)?;
        let paypoints: Vec<Paypoint> =
            spaces.iter().map(|space| Paypoint::of(space, caller)).collect();
        let mut faults = Faults::default();
        let clauses = faults.keep(filters::clauses(query))?.unwrap_or_default();
        let asked = filters::compile(&clauses, &paypoints, cx.now, &mut faults)?;
        let skip = faults.keep(query.int("fromRecord"))?.flatten();
        let skip = skip.unwrap_or(0).max(0).unsigned_abs();
        exports::check(query, &mut faults)?;
        faults.finish()?;
        Ok(Listing { asked, order: order(query.get("sortBy")), skip, paypoints })
    }

    /// How many customers match.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn count(&self, cx: &Cx) -> Result<u64, Failure> {
        if self.asked.paypoints.is_empty() {
            return Ok(0);
        }
        customers::count(cx, &self.asked.paypoints, &self.asked.condition).await
    }

    /// Hands over the rows, a few at a time, up to a limit.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn read(
        &self,
        cx: &Cx,
        limit: u64,
        mut take: impl FnMut(Vec<Record>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (mut read, mut after) = (0, None);
        while read < limit && !self.asked.paypoints.is_empty() {
            let rows = ROWS_AT_ONCE.min(limit - read);
            let query = Query {
                tenants: self.asked.paypoints.clone(),
                predicate: self.asked.condition.clone(),
                order: self.order.clone(),
                // Only the first question counts rows: the others begin where the last one ended.
                offset: if after.is_none() { self.skip } else { 0 },
                after,
                limit: u32::try_from(rows).unwrap_or(u32::MAX),
            };
            let page = customers::list(cx, &query).await?;
            let numbers: Vec<i64> = page.items.iter().map(|item| item.number).collect();
            let methods = MethodsOf::read(cx, &self.asked.paypoints, &numbers).await?;
            let record = |item: &patron_app::Loaded<patron_model::customer::Customer>| {
                let paypoint = self.paypoints.iter().find(|paypoint| paypoint.id == item.space)?;
                Some(Record::of(item, paypoint, methods.of(item.number), cx.now))
            };
            for some in page.items.chunks(ROWS_AT_A_STRETCH) {
                take(some.iter().filter_map(record).collect())?;
                tokio::task::yield_now().await;
            }
            read += rows;
            after = match page.items.last().filter(|_| page.more) {
                Some(last) => Some(place_of(last, &self.order)?),
                None => break,
            };
        }
        Ok(())
    }
}

/// Customers of a paypoint.
///
/// # Errors
/// `NotFound`, `Malformed`.
pub async fn of_entry(request: Request) -> Result<Reply, Failure> {
    let space = Arc::clone(spaces::space(&request.cx)?);
    answer(&request, &[space]).await
}

/// Customers of an organization: of all its paypoints that the key opens.
///
/// # Errors
/// `NotFound` for another organization, `Malformed`.
pub async fn of_organization(request: Request) -> Result<Reply, Failure> {
    let spaces = spaces::of_organization(&request.cx, request.param("orgId"))?;
    answer(&request, spaces).await
}

async fn answer(request: &Request, spaces: &[Arc<Space>]) -> Result<Reply, Failure> {
    let query = Parameters::of(request);
    let listing = Listing::of(&request.cx, &query, spaces)?;
    if let Some(format) = query.get("exportFormat") {
        request.cx.may(Permission::CustomerExport)?;
        let file = exports::file(&request.cx, &listing, &query, format).await?;
        exported(&request.cx).await?;
        return Ok(file);
    }
    let asked = query.int("limitRecord")?.unwrap_or(LIMIT);
    let limit = if asked <= 0 { LIMIT_MAX } else { asked.unsigned_abs().min(LIMIT_MAX) };
    let _turn = if limit > ROWS_OF_A_FILE { request.cx.heavy_turn().await } else { None };
    let total = listing.count(&request.cx).await?;
    let page_size = if asked <= 0 { total.min(LIMIT_MAX) } else { limit };
    let mut page = Page::begin(&Summary::of(total, page_size), total.min(limit))?;
    listing.read(&request.cx, limit, |records| page.add(&records)).await?;
    Ok(Reply::bytes(200, "application/json", page.end()))
}

/// A page as it is written ([`crate::envelopes::Listed`]), record by record.
struct Page {
    written: Vec<u8>,
    rows: usize,
    expected: usize,
}

impl Page {
    fn begin(summary: &Summary, expected: u64) -> Result<Page, Failure> {
        let mut written = br#"{"Summary":"#.to_vec();
        serde_json::to_writer(&mut written, summary).map_err(Failure::internal)?;
        written.extend_from_slice(br#","Records":["#);
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        Ok(Page { written, rows: 0, expected })
    }

    fn add(&mut self, records: &[Record]) -> Result<(), Failure> {
        for record in records {
            if self.rows > 0 {
                self.written.push(b',');
            }
            serde_json::to_writer(&mut self.written, record).map_err(Failure::internal)?;
            self.rows += 1;
        }
        if self.rows == records.len() && self.rows > 0 {
            // Room for the rest, if it is like the first ones: growing by doubling holds it twice.
            let rest = self.written.len() / self.rows * self.expected.saturating_sub(self.rows);
            self.written.reserve_exact(rest.min(ANSWER_BYTES_MAX));
        }
        fits(self.written.len())
    }

    fn end(mut self) -> Vec<u8> {
        self.written.extend_from_slice(b"]}");
        self.written
    }
}

/// Refuses an answer that has grown too large.
///
/// # Errors
/// `Malformed`: fewer rows have to be asked for.
pub fn fits(bytes: usize) -> Result<(), Failure> {
    let max_bytes = ANSWER_BYTES_MAX;
    let too_large = || Failure::malformed("limitRecord", Why::TooLarge { max_bytes });
    if bytes <= max_bytes { Ok(()) } else { Err(too_large()) }
}

/// Tells the audit trail that a list went out as a file, as it is told of every export.
async fn exported(cx: &Cx) -> Result<(), Failure> {
    let action = "customer.exported".to_owned();
    let account = Some(spaces::caller(cx)?.key.account);
    let space = Some(cx.space).filter(|space| *space != 0);
    audit::note(cx, Act { action, account, space, ..Act::default() }).await
}

/// The order of `asc(field)` or `desc(field)`; a bare name ascends. A field that is not known is
/// ignored, as with filters: newest first.
fn order(sort_by: Option<&str>) -> Order {
    let newest = Order::by(customer::created_at(), true);
    let Some(text) = sort_by else { return newest };
    let (direction, name) = match text.split_once('(') {
        Some((direction, rest)) => (direction, rest.strip_suffix(')').unwrap_or(rest)),
        None => ("asc", text),
    };
    let descending = direction.trim().eq_ignore_ascii_case("desc");
    sort_field(name.trim()).map_or(newest, |field| Order::by(field, descending))
}

/// A field to sort by: the name of a filter or of a record member, in any case.
fn sort_field(name: &str) -> Option<Field> {
    let lower = name.to_ascii_lowercase();
    let field = match lower.as_str() {
        "createddate" | "created" | "createdat" => customer::created_at(),
        "lastupdated" => customer::updated_at(),
        "customerid" => customer::number(),
        "name" => customer::name_key(),
        "email" => customer::email_key(),
        "phone" => customer::phone_key(),
        "balance" => customer::balance(),
        "status" | "customerstatus" => customer::text("status"),
        other => match (TextField::named(other), name.get(.."additional-".len())) {
            (TextField::Custom(_), Some(head)) if head.eq_ignore_ascii_case("additional-") => {
                customer::metadata(&name["additional-".len()..])
            }
            (TextField::Custom(_), _) => return None,
            (known, _) => known.field(),
        },
    };
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_by_filter_names_and_member_names_in_any_case() {
        let by = |text| order(Some(text));
        assert_eq!(by("desc(Lastname)"), Order::by(customer::family_name(), true));
        assert_eq!(by("asc(customernumber)"), by("ASC(customerNumber)"));
        assert_eq!(by("lastname"), Order::by(customer::family_name(), false));
        assert_eq!(by("asc(additional-Tier)"), Order::by(customer::metadata("Tier"), false));
        assert_eq!(by("asc(nothing)"), order(None));
    }
}
