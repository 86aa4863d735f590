//! How questions are asked: filters over fields of a customer, orders, pages, and free text.
//!
//! Search grammars of the dialects compile to a [`Filter`]. Free text is matched by prefix against
//! terms that are written in the same batch as the record, so every search sees the caller's last
//! write.

pub mod fields;
mod folding;

use std::collections::BTreeSet;

pub use fields::customer;
use patron_model::customer::Customer;
pub use patron_store::{After, Compare, Field, Order, Predicate as Filter, Query, SortKey, Value};

/// Most conditions of one request, in the words of every API; more are refused.
pub const CONDITIONS_MAX: usize = 50;
/// Most of them that search inside texts ("contains", "begins with", patterns): each costs work on
/// every record that the others leave.
pub const SEARCHES_MAX: usize = 10;
/// Most values of all lists of one request.
pub const VALUES_MAX: usize = 500;
/// Most comparisons that the conditions of one request are made of: a word of an API may stand for
/// several. This is the last line, behind what each API counts in its own words.
pub const COMPARISONS_MAX: usize = 600;
/// Most words of one record that are found by free text.
const TERMS_MAX: usize = 64;
/// Most characters of a term; longer ones are cut, and so are the words searched for.
pub const TERM_CHARS_MAX: usize = 64;
/// Most words of a free-text search; further ones are ignored.
pub const WORDS_MAX: usize = 8;
/// Most characters of a metadata value that is found through a term.
const METADATA_TERM_CHARS_MAX: usize = 120;
/// Marks metadata terms; no word of a free text begins with it (control characters are refused).
const METADATA_MARK: char = '\u{1}';
/// Marks the digits of a national phone number as it was typed.
pub(crate) const TYPED_PHONE_MARK: char = '\u{2}';

/// The name a customer is sorted by, in lower case.
pub(crate) fn name_key(customer: &Customer) -> Option<String> {
    let names = customer.names();
    let person = match (&names.family, &names.given) {
        (Some(family), Some(given)) => Some(format!("{family} {given}")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_string()),
        (None, None) => names.full.map(|full| full.to_string()),
    };
    let name = person.or_else(|| customer.company_name.as_ref().map(|c| c.as_str().to_owned()))?;
    let folded = name.to_lowercase();
    (!folded.is_empty()).then_some(folded)
}

/// Free-text terms of a customer: words of the names, company and reference, the e-mail address
/// whole and by its parts, phone numbers by their digits, and metadata pairs.
pub(crate) fn terms(customer: &Customer) -> Vec<String> {
    let mut terms = BTreeSet::new();
    let names = [&customer.given_name, &customer.family_name, &customer.full_name]
        .into_iter()
        .flatten()
        .chain(&customer.company_name);
    for name in names {
        terms.extend(words(name.as_str()));
    }
    if let Some(reference) = &customer.reference {
        terms.insert(cut(&reference.as_str().to_lowercase()));
        terms.extend(words(reference.as_str()));
    }
    if let Some(email) = &customer.email {
        let key = email.key();
        terms.extend(words(&key));
        terms.insert(cut(&key));
    }
    for phone in [&customer.phone, &customer.work_phone].into_iter().flatten() {
        for form in [digits(phone.raw()), digits(&phone.key())] {
            if !form.is_empty() {
                terms.insert(cut(&form));
            }
        }
    }
    add_folded(customer, &mut terms);
    // Words are cut off somewhere; a typed phone number and metadata pairs, which are bounded
    // themselves, never are.
    let read = customer.phone.as_ref().filter(|phone| phone.e164().is_some());
    // An international number is its own key.
    let national = read.filter(|phone| !phone.is_international());
    terms.extend(national.and_then(|phone| typed_phone(&digits(phone.raw()))));
    for (key, value) in customer.metadata.pairs() {
        terms.extend(metadata_term(key, &patron_model::metadata::text_of(value)));
    }
    terms.into_iter().collect()
}

/// Adds what else a customer is found by, as far as there is room: its names without diacritics and
/// in Latin letters, and the e-mail addresses it had before, those of absorbed customers included.
fn add_folded(customer: &Customer, terms: &mut BTreeSet<String>) {
    while terms.len() > TERMS_MAX {
        terms.pop_last();
    }
    let names = [&customer.given_name, &customer.family_name, &customer.full_name]
        .into_iter()
        .flatten()
        .chain(&customer.company_name);
    let folded = names
        .flat_map(|name| folding::folded(name.as_str()))
        .flat_map(|form| words(&form).collect::<Vec<_>>());
    let former = customer.former_emails.iter().map(|former| cut(&former.email.key()));
    for term in folded.chain(former) {
        if terms.len() >= TERMS_MAX {
            return;
        }
        terms.insert(term);
    }
}

/// Whether two customers agree in everything that [`terms`] looks at.
pub(crate) fn same_terms(one: &Customer, other: &Customer) -> bool {
    one.is_deleted() == other.is_deleted()
        && one.given_name == other.given_name
        && one.family_name == other.family_name
        && one.full_name == other.full_name
        && one.company_name == other.company_name
        && one.reference == other.reference
        && one.email == other.email
        && one.former_emails == other.former_emails
        && one.phone == other.phone
        && one.work_phone == other.work_phone
        && one.metadata == other.metadata
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The term of a national phone number by the digits that were typed.
pub(crate) fn typed_phone(digits: &str) -> Option<String> {
    let fits = !digits.is_empty() && digits.len() < TERM_CHARS_MAX;
    fits.then(|| format!("{TYPED_PHONE_MARK}{digits}"))
}

/// The term of a metadata pair, unless it is too long for one.
fn metadata_term(key: &str, value: &str) -> Option<String> {
    let short = value.chars().count() <= METADATA_TERM_CHARS_MAX;
    short.then(|| format!("{METADATA_MARK}{key}{METADATA_MARK}{value}"))
}

/// The words of a text, in lower case.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let lower = text.to_lowercase();
    let words: Vec<String> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(cut)
        .collect();
    words.into_iter()
}

/// The words somebody searches for, longest first: the most selective one leads.
pub fn searched_words(text: &str) -> Vec<String> {
    let text = &*folding::composed(text);
    // A phone number is one word, however it is spaced.
    let has_letter = text.chars().any(|c| c.is_alphanumeric() && !c.is_ascii_digit());
    let number = digits(text);
    if !has_letter && !number.is_empty() {
        return vec![cut(&number)];
    }
    let mut wanted: Vec<String> = text
        .split_whitespace()
        .flat_map(|part| {
            let lower = part.to_lowercase();
            let number = digits(&lower);
            let has_letter = lower.chars().any(|c| c.is_alphanumeric() && !c.is_ascii_digit());
            let is_phone = !number.is_empty() && !has_letter;
            if is_phone {
                vec![cut(&number)]
            } else if lower.contains('@') {
                vec![cut(&lower)]
            } else {
                words(&lower).collect()
            }
        })
        .collect();
    wanted.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    wanted.dedup();
    wanted.truncate(WORDS_MAX);
    wanted
}

fn cut(term: &str) -> String {
    term.chars().take(TERM_CHARS_MAX).collect()
}

/// Whether a customer has words beginning with all the wanted ones.
pub(crate) fn has_words(customer: &Customer, wanted: &[String]) -> bool {
    let terms = terms(customer);
    wanted.iter().all(|word| terms.iter().any(|term| term.starts_with(word.as_str())))
}

/// Comparisons that a filter is made of.
fn comparisons(filter: &Filter) -> usize {
    match filter {
        Filter::All => 0,
        Filter::And(parts) | Filter::Or(parts) => parts.iter().map(comparisons).sum(),
        Filter::Not(inner) => comparisons(inner),
        Filter::Compare(..)
        | Filter::OneOf(..)
        | Filter::Missing(_)
        | Filter::Contains(..)
        | Filter::StartsWith(..)
        | Filter::EqualFolded(..)
        | Filter::Matches(..)
        | Filter::HasTerm(_) => 1,
    }
}

/// Refuses a filter that is made of too many comparisons, whichever API wrote it.
///
/// # Errors
/// `Malformed`.
pub(crate) fn bounded(filter: &Filter) -> Result<(), patron_model::Failure> {
    if comparisons(filter) <= COMPARISONS_MAX {
        return Ok(());
    }
    let why = patron_model::Why::TooMany { max: COMPARISONS_MAX };
    Err(patron_model::Failure::malformed("conditions", why))
}

/// Whether a filter asks for nothing but that the customer lives.
pub(crate) fn is_living(filter: &Filter) -> bool {
    matches!(filter, Filter::Missing(Field::Column("deleted_at")))
}

/// Whether a record that was read meets a filter.
pub(crate) fn is_match<T: crate::documents::Document>(
    filter: &Filter,
    row: &patron_store::Row,
    record: &T,
) -> bool {
    let subject = patron_store::Subject {
        kind: T::KIND,
        row,
        columns: &record.columns(),
        terms: &record.terms(),
    };
    filter.matches(&subject)
}

/// The place of a record in an order: where the next page begins.
///
/// # Errors
/// `Internal` when the record cannot be written as JSON.
pub fn place_of<T: crate::documents::Document>(
    loaded: &crate::Loaded<T>,
    order: &Order,
) -> Result<After, patron_model::Failure> {
    let (number, uuid) = loaded.record.identity();
    let doc = loaded.record.document()?.into();
    let tenant = loaded.record.tenant();
    let row = patron_store::Row { tenant, number, uuid, revision: loaded.revision, doc };
    let subject = patron_store::Subject {
        kind: T::KIND,
        row: &row,
        columns: &loaded.record.columns(),
        terms: &loaded.record.terms(),
    };
    let keys = order.keys.iter().map(|key| key.field.value(&subject)).collect();
    Ok(After { keys, number })
}

#[cfg(test)]
mod tests {
    use patron_model::{
        Identity, Ids, Patch, Timestamp,
        customer::CustomerPatch,
        email::Email,
        metadata::{Metadata, MetadataPatch},
        phone::Phone,
        text::{Line, Name, Note, Reference},
    };

    use super::*;

    struct NoIds;

    impl Ids for NoIds {
        fn next(&self) -> Identity {
            Identity { number: 2, uuid: uuid::Uuid::nil() }
        }
    }

    fn name(text: &str) -> Patch<Name> {
        Patch::Set(Name::parse(text).expect("a name"))
    }

    fn metadata(value: &str) -> MetadataPatch {
        let pairs = [("tier".to_owned(), value.into())];
        MetadataPatch::Replace(Metadata::parse("metadata", pairs.into()).expect("pairs"))
    }

    /// One patch for each field that terms are made of, and some for others.
    fn patches() -> Vec<CustomerPatch> {
        let phone = |text: &str| Patch::Set(Phone::parse(text, None).expect("a phone number"));
        let email = Patch::Set(Email::parse("b@example.com").expect("an e-mail address"));
        let reference = Patch::Set(Reference::parse("r-2").expect("a reference"));
        let blank = CustomerPatch::default;
        vec![
            CustomerPatch { given_name: name("Grace"), ..blank() },
            CustomerPatch { family_name: name("Hopper"), ..blank() },
            CustomerPatch { full_name: name("Grace Hopper"), ..blank() },
            CustomerPatch { company_name: name("Navy"), ..blank() },
            CustomerPatch { reference, ..blank() },
            CustomerPatch { email, ..blank() },
            CustomerPatch { phone: phone("+41446681801"), ..blank() },
            CustomerPatch { work_phone: phone("+41446681802"), ..blank() },
            CustomerPatch { metadata: metadata("gold"), ..blank() },
            CustomerPatch { title: Patch::Set(Line::parse("Dr").expect("a title")), ..blank() },
            CustomerPatch {
                description: Patch::Set(Note::parse("words").expect("a note")),
                ..blank()
            },
        ]
    }

    #[test]
    fn customers_with_the_same_fields_have_the_same_terms() {
        let now = Timestamp::from_micros(1);
        let id = NoIds.next();
        let patch = CustomerPatch {
            given_name: name("Ada"),
            family_name: name("Lovelace"),
            metadata: metadata("silver"),
            ..CustomerPatch::default()
        };
        let before = Customer::create(id, 1, patch, now, &NoIds).expect("a customer");
        let mut agreeing = 0;
        for patch in patches() {
            let (after, _) = before.apply(patch, now, &NoIds).expect("a change");
            assert_eq!(same_terms(&before, &after), terms(&before) == terms(&after));
            agreeing += usize::from(same_terms(&before, &after));
        }
        assert_eq!(agreeing, 2, "title and description have no terms");
        assert!(!same_terms(&before, &before.deleted(now)));
    }
}
