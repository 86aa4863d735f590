//! Pages and filters of lists (dossier §3).

use patron_app::search::{Compare, Field, Filter, customer, searched_words};
use patron_model::{Failure, country::Country};

use crate::{envelopes::Paging, input::Asked};

/// Rows of a page when nothing is said.
const LIMIT_DEFAULT: u64 = 30;
/// Most rows of a page; a larger wish is cut to this.
const LIMIT_MAX: u64 = 100;

/// Blanks of a search at which a name kept in two parts may be divided.
const GAPS_MAX: usize = 8;

/// The page that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    limit: u64,
    page: u64,
}

impl Window {
    /// Reads `limit` (or `perpage`, its old name) and `page`.
    pub fn of(asked: &mut Asked) -> Window {
        let limit = asked.count("limit").or_else(|| asked.count("perpage"));
        let limit = limit.unwrap_or(LIMIT_DEFAULT).min(LIMIT_MAX);
        Window { limit, page: asked.count("page").unwrap_or(1) }
    }

    /// Rows of the page.
    pub fn limit(self) -> u32 {
        u32::try_from(self.limit).unwrap_or(u32::MAX)
    }

    /// Rows before the page; none when there are not that many.
    pub fn offset(self, totals: u64) -> Option<u64> {
        let offset = (self.page - 1).saturating_mul(self.limit);
        (offset < totals).then_some(offset)
    }

    /// Where a list of so many rows stands.
    pub fn paging(self, totals: u64, selected: usize) -> Paging {
        let last_page = totals.div_ceil(self.limit).max(1);
        Paging { totals, last_page, current_page: self.page, selected }
    }
}

/// The customers that are asked for: living ones that match `search`, created from `date_start` to
/// `date_end`, both days included.
///
/// # Errors
/// `Invalid` with every problem, those of the window included.
pub fn customers(mut asked: Asked, home: Option<&Country>) -> Result<(Window, Filter), Failure> {
    let window = Window::of(&mut asked);
    let search = asked.search("search");
    let since = asked.since("date_start");
    let before = asked.before("date_end");
    asked.finish()?;
    let mut filter = customer::living();
    if let Some(since) = since {
        let from = Filter::Compare(customer::created_at(), Compare::AtLeast, since.micros().into());
        filter = filter.and(from);
    }
    if let Some(before) = before {
        let to = Filter::Compare(customer::created_at(), Compare::Less, before.micros().into());
        filter = filter.and(to);
    }
    if let Some(text) = search {
        filter = filter.and(found_by(&text, home));
    }
    Ok((window, filter))
}

/// Name, e-mail address or phone number contains the text, whatever its case.
fn found_by(text: &str, home: Option<&Country>) -> Filter {
    let contains = |field: Field| Filter::Contains(field, text.to_owned());
    let mut any: Vec<Filter> = ["full_name", "given_name", "family_name", "email"]
        .into_iter()
        .map(|name| contains(customer::text(name)))
        .collect();
    any.push(contains(customer::phone()));
    any.push(contains(customer::phone_e164()));
    let is_phone = text.chars().all(|c| c.is_ascii_digit() || " +-.()".contains(c));
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if is_phone && !digits.is_empty() {
        any.push(Filter::Contains(customer::phone_key(), digits));
        any.push(customer::has_phone(text, home));
    }
    // Whole words, as they are typed on another keyboard; an e-mail address of before is one.
    let words: Vec<Filter> = searched_words(text).into_iter().map(Filter::HasTerm).collect();
    if !words.is_empty() {
        any.push(Filter::And(words));
    }
    // A name kept in two parts is shown as one, so a text may run from one part into the other.
    for (at, gap) in text.match_indices(' ').take(GAPS_MAX) {
        let (given, family) = (&text[..at], &text[at + gap.len()..]);
        let parts = Filter::Missing(customer::full_name())
            .and(Filter::Contains(customer::given_name(), given.to_owned()))
            .and(Filter::StartsWith(customer::family_name(), family.to_owned()));
        any.push(parts);
    }
    Filter::Or(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_from_one_and_never_fewer_than_one() {
        let window = Window { limit: 30, page: 2 };
        assert_eq!(window.offset(41), Some(30));
        assert_eq!(window.offset(30), None);
        assert_eq!(window.paging(41, 11).last_page, 2);
        assert_eq!(window.paging(60, 30).last_page, 2);
        assert_eq!(window.paging(0, 0).last_page, 1);
        assert_eq!(Window { limit: 100, page: u64::MAX }.offset(u64::MAX - 1), None);
    }
}
