//! Which customer a request means (dossier §4.5): the fields that identify one, whether a request
//! has a value for any, and the customer of the paypoint that matches.

use patron_app::{
    Cx, Loaded, customers,
    search::{self, Filter, Order, Query, customer},
};
use patron_gateway::Member;
use patron_model::{Failure, Problems, Why, customer::Customer, names, space::Space};

use crate::{
    customers::{fields::TextField, read::CustomerBody, show},
    errors, settings,
};

/// The fields that identify a customer.
#[derive(Debug)]
pub struct Identifiers {
    fields: Vec<(String, TextField)>,
    /// Nothing is configured: first and last name, or an e-mail address, suffice as well.
    is_fallback: bool,
    /// Whether the names are known ones, which an error may repeat.
    are_configured: bool,
}

impl Identifiers {
    /// Those a record names for itself, else those configured for the space, else the customer
    /// number.
    pub fn of(space: &Space, chosen: &[String]) -> Identifiers {
        let named = |name: &String| (name.clone(), TextField::named(name));
        let configured = settings::identifiers(space);
        let (names, are_configured) =
            if chosen.is_empty() { (configured.as_slice(), true) } else { (chosen, false) };
        if names.is_empty() {
            let fields = vec![("customerNumber".to_owned(), TextField::Number)];
            return Identifiers { fields, is_fallback: true, are_configured: true };
        }
        let fields = names.iter().map(named).collect();
        Identifiers { fields, is_fallback: false, are_configured }
    }

    /// Whether enough of them have a value.
    fn suffice(&self, has: impl Fn(&TextField) -> bool) -> bool {
        let any = self.fields.iter().any(|(_, field)| has(field));
        let by_name = || has(&TextField::First) && has(&TextField::Last);
        any || (self.is_fallback && (by_name() || has(&TextField::Email)))
    }

    /// Checks a body, on the customer as it is when there is one: identifiers cannot be emptied,
    /// but a customer that never had any (it came in another way) may be changed.
    ///
    /// # Errors
    /// `Invalid`, naming the identifiers that are missing.
    pub fn check(&self, body: &CustomerBody, current: Option<&Customer>) -> Result<(), Failure> {
        let had = |field: &TextField| current.is_some_and(|c| is_filled(field.shown(c)));
        let has = |field: &TextField| match field.sent(body) {
            Member::Absent => had(field),
            Member::Null => false,
            Member::Value(text) => is_filled(Some(text)),
        };
        if self.suffice(has) || current.is_some() && !self.suffice(had) {
            return Ok(());
        }
        let mut problems = Problems::new();
        for (name, field) in &self.fields {
            // A custom field's name is the caller's own text unless it was configured.
            let is_known = self.are_configured || !matches!(field, TextField::Custom(_));
            let name = if is_known { format!(".{name}") } else { String::new() };
            problems.add(format!("{}{name}", errors::IDENTIFIERS), Why::Required);
        }
        Err(Failure::Invalid(problems))
    }

    /// The oldest customer of the space that a body means: all identifiers that carry a value
    /// agree, or else the customer number does.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn matching(
        &self,
        cx: &Cx,
        body: &CustomerBody,
    ) -> Result<Option<Loaded<Customer>>, Failure> {
        let carried: Vec<(&TextField, String)> = self
            .fields
            .iter()
            .filter_map(|(_, field)| Some((field, sent_value(field, body)?)))
            .collect();
        let by_number_only = matches!(carried.as_slice(), [] | [(TextField::Number, _)]);
        if !by_number_only {
            let all = carried.iter().map(|(field, text)| equals(field, text));
            let probe = name_probe(&carried);
            let condition = all.fold(customer::living().and(probe), Filter::and);
            if let Some(found) = oldest(cx, condition).await? {
                return Ok(Some(found));
            }
        }
        // A number of blanks identifies nobody, but it is as unique as any other.
        match TextField::Number.sent(body).value().filter(|number| !number.is_empty()) {
            Some(number) => by_number(cx, &number).await,
            None => Ok(None),
        }
    }
}

/// Keeps the names of identifier fields that a body changes, or those of the record.
pub fn chosen(body: &CustomerBody, current: Option<&Customer>) -> Vec<String> {
    match (&body.identifier_fields, current) {
        (Member::Value(_), _) => body.identifiers().unwrap_or_default(),
        (Member::Absent, Some(current)) => show::identifier_fields(current),
        (Member::Absent, None) | (Member::Null, _) => Vec::new(),
    }
}

fn is_filled(text: Option<String>) -> bool {
    text.is_some_and(|text| !text.trim().is_empty())
}

fn sent_value(field: &TextField, body: &CustomerBody) -> Option<String> {
    field.sent(body).value().filter(|text| !text.trim().is_empty())
}

/// Trimmed and in any case (dossier §4.5); kept values are not trimmed, so the text as it is counts
/// too.
fn equals(field: &TextField, text: &str) -> Filter {
    let trimmed = field.equals(text.trim());
    if text.trim() == text { trimmed } else { Filter::Or(vec![trimmed, field.equals(text)]) }
}

/// First and last name together are found by the name that customers are sorted by.
fn name_probe(carried: &[(&TextField, String)]) -> Filter {
    let part = |wanted: &TextField| {
        carried.iter().find(|(field, _)| *field == wanted).map(|(_, text)| text.as_str())
    };
    match (part(&TextField::First), part(&TextField::Last)) {
        (Some(first), Some(last)) => {
            let key = |first: &str, last: &str| {
                let names = names::complete(Some(first), Some(last), None);
                let (given, family) =
                    (names.given.unwrap_or_default(), names.family.unwrap_or_default());
                format!("{family} {given}").to_lowercase().into()
            };
            let keys = vec![key(first, last), key(first.trim(), last.trim())];
            Filter::OneOf(customer::name_key(), keys)
        }
        _ => Filter::All,
    }
}

/// The customer with a number: exactly, by the unique reference, or in another case, by its term.
async fn by_number(cx: &Cx, number: &str) -> Result<Option<Loaded<Customer>>, Failure> {
    for exact in [number, number.trim()] {
        match customers::get_by_reference(cx, exact).await {
            Ok(found) => return Ok(Some(found)),
            Err(Failure::NotFound { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    if number.trim().is_empty() {
        return Ok(None);
    }
    let term = number.trim().to_lowercase().chars().take(search::TERM_CHARS_MAX).collect();
    let folded = Filter::EqualFolded(customer::reference(), number.trim().to_owned());
    oldest(cx, customer::living().and(Filter::HasTerm(term)).and(folded)).await
}

async fn oldest(cx: &Cx, predicate: Filter) -> Result<Option<Loaded<Customer>>, Failure> {
    let query = Query { predicate, order: Order::by_number(), limit: 1, ..Query::of(cx.space) };
    Ok(customers::list(cx, &query).await?.items.into_iter().next())
}
