//! Parameters and envelopes of lists and searches (dossier §3).

use std::cmp::Ordering;

use patron_app::{
    Cx,
    documents::Document,
    record::Page,
    search::{After, Field, Filter, Order, Query, SortKey},
    spaces,
};
use patron_gateway::{Exchange, Faults, decode::Params};
use patron_model::{Failure, Why};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    filters::{self, Check, Condition, Resolve, Value},
    query,
};

const LIMIT_DEFAULT: i64 = 10;
const LIMIT_MAX: i64 = 100;
/// Largest offset of a search; beyond it the answer is 416.
const OFFSET_MAX: u64 = 10_000;

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}ListResponse")]
pub struct ListResponse<T> {
    /// The objects.
    pub data: Vec<T>,
    /// Whether there are more in the direction of the page.
    pub has_more: bool,
    /// Most objects of a page.
    pub limit: u32,
}

/// One page of a search.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}SearchResponse")]
pub struct SearchResponse<T> {
    /// The objects.
    pub data: Vec<T>,
    /// Whether there are more.
    pub has_more: bool,
    /// Most objects of a page.
    pub limit: u32,
    /// Objects skipped.
    pub offset: u64,
}

/// Whether a reference is to be shown as a whole: repeated keys and comma lists name paths; unknown
/// ones are ignored, and a path expands its parents.
pub fn expands(exchange: &Exchange, reference: &str) -> bool {
    let query = exchange.query();
    query.all("expand").flat_map(|value| value.split(',')).any(|path| {
        path.trim().strip_prefix(reference).is_some_and(|r| r.is_empty() || r.starts_with('.'))
    })
}

/// How much is answered at a time.
#[derive(Debug, Clone, Copy)]
pub struct Paging {
    /// Objects where nobody says how many.
    pub limit_default: i64,
    /// Objects at most.
    pub limit_max: i64,
    /// Largest offset of a search; beyond it the answer is 416.
    pub offset_max: u64,
}

const PAGES: Paging =
    Paging { limit_default: LIMIT_DEFAULT, limit_max: LIMIT_MAX, offset_max: OFFSET_MAX };

impl Paging {
    fn limit(self, query: &Params, faults: &mut Faults) -> u32 {
        let limit = faults.int(query, "limit", self.limit_default, 1, self.limit_max);
        u32::try_from(limit).unwrap_or(u32::MAX)
    }
}

// ---- lists ------------------------------------------------------------------------------------

/// What a list is asked for.
#[derive(Debug)]
pub struct ListParams {
    cursor: Option<i64>,
    /// Whether the page lies before the cursor.
    is_before: bool,
    is_descending: bool,
    /// Most objects.
    pub limit: u32,
}

impl ListParams {
    /// Reads the parameters.
    ///
    /// # Errors
    /// `Malformed`, also when both cursors are given.
    pub fn read(exchange: &Exchange) -> Result<ListParams, Failure> {
        let (query, mut faults) = (exchange.query(), Faults::default());
        let cursor = |name| match query.get(name) {
            // An empty one would begin anew, for ever.
            Some("") => Err(Why::WrongType { expected: "a whole number" }),
            _ => query.int(name, 0, 1, i64::MAX).map(|id| (id > 0).then_some(id)),
        };
        let after = faults.understood("after", cursor("after")).flatten();
        let before = faults.understood("before", cursor("before")).flatten();
        if after.is_some() && before.is_some() {
            let why = Why::Malformed { expected: "absent when after is given" };
            faults.misread("before", why);
        }
        let direction = query.get("order").filter(|order| !order.is_empty()).unwrap_or("ASC");
        let is_descending = faults.understood("order", filters::descends(direction));
        let limit = PAGES.limit(&query, &mut faults);
        faults.finish()?;
        Ok(ListParams {
            cursor: after.or(before),
            is_before: before.is_some(),
            is_descending: is_descending.unwrap_or_default(),
            limit,
        })
    }

    /// Whether the page is collected from high to low ids: a page before the cursor is collected
    /// backwards, from the cursor on.
    fn collects_down(&self) -> bool {
        self.is_descending != self.is_before
    }

    /// The page as a question to the store.
    pub fn query(&self, space: i64) -> Query {
        let order = if self.collects_down() { Order::newest_first() } else { Order::by_number() };
        let after = self.cursor.map(|number| After { keys: Vec::new(), number });
        Query { order, after, limit: self.limit, ..Query::of(space) }
    }

    /// The page as an answer, from items as they were collected.
    pub fn page<T>(&self, mut collected: Vec<T>, has_more: bool) -> ListResponse<T> {
        if self.is_before {
            collected.reverse();
        }
        ListResponse { data: collected, has_more, limit: self.limit }
    }

    /// The page of items that are in memory, oldest first.
    pub fn page_of<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> i64) -> ListResponse<T> {
        if self.collects_down() {
            items.reverse();
        }
        let is_past = |item: &T| match (self.cursor, self.collects_down()) {
            (None, _) => true,
            (Some(cursor), true) => id(item) < cursor,
            (Some(cursor), false) => id(item) > cursor,
        };
        items.retain(is_past);
        let has_more = items.len() > self.limit as usize;
        items.truncate(self.limit as usize);
        self.page(items, has_more)
    }
}

/// What accounts and spaces are searched by.
#[derive(Debug, Clone)]
pub enum Searched {
    /// A field of the record.
    Field(Field),
    /// The state, which is made of several moments.
    State,
}

/// The states of accounts, or of spaces.
pub struct States {
    /// Those of records that are there.
    pub living: &'static [&'static str],
    /// Those of records that were deleted.
    pub gone: &'static [&'static str],
    /// The records in a state.
    pub filter: fn(&str) -> Filter,
    /// What they are ordered by for their state.
    pub sorted: fn() -> Field,
}

impl SearchParams<Searched> {
    /// The page, of what is visible to the caller: records that were deleted are found where their
    /// state is asked for.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn find<T: Document>(
        &self,
        cx: &Cx,
        states: &States,
        visible: Filter,
    ) -> Result<Page<T>, Failure> {
        let holds = |check: &Check, word: &str| check.holds(Some(&Value::Text(word.to_owned())));
        let compile = |searched: &Searched, check: &Check| match searched {
            Searched::Field(field) => check.filter(field.clone()),
            // A test of a state is those of all states that pass it.
            Searched::State => {
                let all = states.living.iter().chain(states.gone);
                let passing = all.filter(|word| holds(check, word));
                Filter::Or(passing.map(|word| (states.filter)(word)).collect())
            }
        };
        let sorted = |searched: &Searched| match searched {
            Searched::Field(field) => field.clone(),
            Searched::State => (states.sorted)(),
        };
        let wants_gone = |searched: &Searched, check: &Check| {
            matches!(searched, Searched::State) && states.gone.iter().any(|word| holds(check, word))
        };
        let mut query = self.query(0, compile, sorted);
        query.predicate = visible.and(query.predicate);
        match self.condition.as_ref().is_some_and(|condition| condition.asks(&wants_gone)) {
            true => spaces::list_ever(cx, query).await,
            false => spaces::list(cx, query).await,
        }
    }
}

// ---- searches ---------------------------------------------------------------------------------

/// What a search is asked for, over the fields `F`.
#[derive(Debug)]
pub struct SearchParams<F> {
    condition: Option<Condition<F>>,
    keys: Vec<(F, bool)>,
    offset: u64,
    limit: u32,
}

impl<F> SearchParams<F> {
    /// Reads the parameters.
    ///
    /// # Errors
    /// `Malformed` for numbers, `OutOfRange` for the offset, `Invalid` for query and order.
    pub fn read(exchange: &Exchange, resolve: Resolve<'_, F>) -> Result<SearchParams<F>, Failure> {
        SearchParams::read_paged(exchange, resolve, PAGES)
    }

    /// The same where another number of objects is answered at a time.
    ///
    /// # Errors
    /// As [`SearchParams::read`].
    pub fn read_paged(
        exchange: &Exchange,
        resolve: Resolve<'_, F>,
        paging: Paging,
    ) -> Result<SearchParams<F>, Failure> {
        let (params, mut faults) = (exchange.query(), Faults::default());
        let offset = faults.int(&params, "offset", 0, 0, i64::MAX).unsigned_abs();
        let limit = paging.limit(&params, &mut faults);
        let condition =
            query::parse(params.get("query").unwrap_or_default()).and_then(|expression| {
                expression.map(|expression| filters::bind(&expression, resolve)).transpose()
            });
        let condition = faults.keep(condition.map_err(|why| Failure::invalid("query", why)))?;
        let keys = filters::order(params.get("order").unwrap_or_default(), resolve);
        let keys = faults.keep(keys.map_err(|why| Failure::invalid("order", why)))?;
        faults.finish()?;
        if offset > paging.offset_max {
            return Err(Failure::OutOfRange { max: paging.offset_max });
        }
        let (condition, keys) = (condition.flatten(), keys.unwrap_or_default());
        Ok(SearchParams { condition, keys, offset, limit })
    }

    /// The page as a question to the store.
    pub fn query(
        &self,
        space: i64,
        compile: impl Fn(&F, &Check) -> Filter,
        field: impl Fn(&F) -> Field,
    ) -> Query {
        let condition = self.condition.as_ref();
        let keys = self.keys.iter();
        let order = Order {
            keys: keys
                .map(|(f, descending)| SortKey { field: field(f), descending: *descending })
                .collect(),
            descending: self.descends_at_last(),
        };
        Query {
            predicate: condition.map_or(Filter::All, |condition| condition.filter(&compile)),
            order,
            offset: self.offset,
            limit: self.limit,
            ..Query::of(space)
        }
    }

    /// Objects that are equal in all keys come by id, in the direction of the last key.
    fn descends_at_last(&self) -> bool {
        self.keys.last().is_some_and(|(_, descending)| *descending)
    }

    /// The page as an answer.
    pub fn page<T>(&self, data: Vec<T>, has_more: bool) -> SearchResponse<T> {
        SearchResponse { data, has_more, limit: self.limit, offset: self.offset }
    }

    /// The page of items that are in memory, oldest first.
    pub fn page_of<T>(
        &self,
        mut items: Vec<T>,
        value: impl Fn(&T, &F) -> Option<Value>,
    ) -> SearchResponse<T> {
        if let Some(condition) = &self.condition {
            items.retain(|item| condition.holds(&|field| value(item, field)));
        }
        if self.descends_at_last() {
            items.reverse();
        }
        // The sort is stable, so equal items stay by id.
        items.sort_by(|a, b| {
            let compared = self.keys.iter().map(|(field, descending)| {
                let ascending = missing_last(value(a, field), value(b, field));
                if *descending { ascending.reverse() } else { ascending }
            });
            compared.fold(Ordering::Equal, Ordering::then)
        });
        let rest = items.into_iter().skip(usize::try_from(self.offset).unwrap_or(usize::MAX));
        let mut data: Vec<T> = rest.take(self.limit as usize + 1).collect();
        let has_more = data.len() > self.limit as usize;
        data.truncate(self.limit as usize);
        self.page(data, has_more)
    }
}

fn missing_last(a: Option<Value>, b: Option<Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.cmp(&b),
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (None, None) => Ordering::Equal,
    }
}
