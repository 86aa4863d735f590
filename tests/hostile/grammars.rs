//! Search grammars: what was read, written out and read again, is the same; and every text, put
//! into the parameter it is meant for, is answered.

use patron_verifone::query as rsql;
use patron_wallee::query;

use super::{
    place::{self, Asked, DIALECTS},
    requests,
};

/// The grammar of wallee's searches.
pub fn wallee(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(Some(read)) = query::parse(text) {
        let written = wallee_text(&read);
        assert_eq!(query::parse(&written), Ok(Some(read)), "{text} written as {written}");
    }
    search(1, "/api/v2.0/customers/search?query=", text);
}

fn wallee_text(expression: &query::Expression) -> String {
    use query::{Expression, Operator, Test};
    let group = |inner: &Expression| match inner {
        Expression::Term(_) => wallee_text(inner),
        _ => format!("({})", wallee_text(inner)),
    };
    match expression {
        Expression::And(all) => all.iter().map(group).collect::<Vec<_>>().join(" AND "),
        Expression::Or(any) => any.iter().map(group).collect::<Vec<_>>().join(" OR "),
        Expression::Not(inner) => format!("-{}", group(inner)),
        Expression::Term(term) => match &term.test {
            Test::Missing => format!("{}:*", term.field),
            Test::Compare(operator, value) => {
                let sign = match operator {
                    Operator::Equal => "",
                    Operator::Contains => "~",
                    Operator::Less => "<",
                    Operator::AtMost => "<=",
                    Operator::Greater => ">",
                    Operator::AtLeast => ">=",
                };
                let value = value.replace('\\', r"\\").replace('"', "\\\"");
                format!("{}:{sign}\"{value}\"", term.field)
            }
        },
    }
}

/// RSQL as Verifone has it.
pub fn rsql(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(read) = rsql::parse(text) {
        let written = rsql_text(&read);
        let again = rsql::parse(&written).map(without_places);
        assert_eq!(again, Ok(without_places(read)), "{text} written as {written}");
    }
    search(2, "/v2/customer?search=", text);
}

/// Comparisons know where they stood; written out they stand elsewhere.
fn without_places(expression: rsql::Expression) -> rsql::Expression {
    use rsql::Expression;
    let inner = |all: Vec<Expression>| all.into_iter().map(without_places).collect();
    match expression {
        Expression::Any(any) => Expression::Any(inner(any)),
        Expression::All(all) => Expression::All(inner(all)),
        Expression::Comparison(comparison) => {
            Expression::Comparison(rsql::Comparison { place: 0, ..comparison })
        }
    }
}

fn rsql_text(expression: &rsql::Expression) -> String {
    use rsql::{Expression, Operator};
    let group = |inner: &Expression| match inner {
        Expression::Comparison(_) => rsql_text(inner),
        _ => format!("({})", rsql_text(inner)),
    };
    match expression {
        Expression::Any(any) => any.iter().map(group).collect::<Vec<_>>().join(","),
        Expression::All(all) => all.iter().map(group).collect::<Vec<_>>().join(";"),
        Expression::Comparison(comparison) => {
            let sign = match comparison.operator {
                Operator::Equal => "==",
                Operator::NotEqual => "!=",
                Operator::In => "=in=",
                Operator::Out => "=out=",
                Operator::Regex => "=regex=",
                Operator::Greater => "=gt=",
                Operator::AtLeast => "=ge=",
                Operator::Less => "=lt=",
                Operator::AtMost => "=le=",
            };
            let quoted =
                |value: &String| format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\""));
            let values: Vec<String> = comparison.values.iter().map(quoted).collect();
            format!("{}{sign}({})", comparison.selector, values.join(","))
        }
    }
}

/// Where texts can be put: API and the beginning of a target. The text becomes an escaped value or,
/// where the target ends in `?`, the whole query string.
const PLACES: [(usize, &str); 19] = [
    (0, "/v1/customers?q="),
    (0, "/v1/customers?cursor="),
    (0, "/v1/customers?sort="),
    (0, "/v1/customers?metadata[tier]="),
    (0, "/v1/customers?"),
    (0, "/v1/events?"),
    (0, "/v1/customers/{{number}}/history?"),
    (0, "/v1/customers/{{number}}/comments/{{number}}/history?"),
    (0, "/v1/customers/{{number}}/comments?cursor="),
    (1, "/api/v2.0/customers/search?order="),
    (1, "/api/v2.0/customers?"),
    (1, "/api/v2.0/customers/{{number}}/addresses/search?query="),
    (2, "/v2/customer?search=created_at=ge=2020-01-01&"),
    (3, "/v2/customers?"),
    (4, "/api/Query/customers/{{entry}}?"),
    (4, "/api/Query/customers/org/{{org}}?parameters="),
    (4, "/api/Export/customers/csv/{{entry}}?"),
    (5, "/customers?search="),
    (5, "/customers?"),
];

/// Parameters of lists: the first byte chooses the place.
pub fn lists(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let (api, begin) = PLACES[usize::from(*first) % PLACES.len()];
    search(api, begin, text);
}

fn search(api: usize, begin: &str, text: &str) {
    let is_value = begin.ends_with('=');
    place::with(|place| {
        let target = place.fill(begin) + &escaped(text, is_value);
        let path = target.split('?').next().unwrap_or_default().to_owned();
        let method = "GET".to_owned();
        let asked = Asked { method, target, headers: Vec::new(), body: Vec::new() };
        if let Some(answer) = place.ask_signed(DIALECTS[api], asked) {
            requests::check("GET", &path, &answer);
        }
    });
}

/// The text with everything percent-encoded that a value, or a whole query string, must not hold.
fn escaped(text: &str, is_value: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        let stays = match is_value {
            true => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte),
            false => byte.is_ascii_graphic() && byte != b'#',
        };
        match stays {
            true => escaped.push(char::from(byte)),
            false => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
