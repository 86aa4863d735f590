//! What may be sent and what may be asked for: media types (dossier §1), and ids in paths.

use patron_app::Id;
use patron_gateway::Exchange;
use patron_model::{Failure, Why};

/// Refuses bodies that are not JSON and callers that do not accept what is answered, JSON in most
/// cases. A stray `Content-Type` on a
/// request without body is tolerated.
///
/// # Errors
/// `NotAcceptable`, `UnsupportedMediaType`.
pub fn negotiate(exchange: &Exchange, media: &'static str) -> Result<(), Failure> {
    if !accepts(exchange, media) {
        return Err(Failure::NotAcceptable);
    }
    if !exchange.body.is_empty() && !exchange.is_json() {
        return Err(Failure::UnsupportedMediaType { supported: "application/json" });
    }
    Ok(())
}

fn accepts(exchange: &Exchange, media: &str) -> bool {
    let sent = exchange.headers.get_all("accept").iter();
    let sent: Vec<&str> = sent.filter_map(|value| value.to_str().ok()).collect();
    sent.iter().all(|value| value.trim().is_empty()) || quality(&sent.join(","), media) > 0.0
}

/// The weight of a media type: the most specific range decides (RFC 9110 §12.5.1).
fn quality(accept: &str, media: &str) -> f32 {
    let mut best = (0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let precision = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "*/*" | "*" => 1,
            range if range == media => 3,
            range if range.strip_suffix('*').is_some_and(|kind| media.starts_with(kind)) => 2,
            _ => continue,
        };
        let weight = parts
            .find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")))
            .map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
        if precision > best.0 || (precision == best.0 && weight > best.1) {
            best = (precision, weight);
        }
    }
    best.1
}

/// An id in the path: a whole number.
///
/// # Errors
/// `Malformed`.
pub fn id(exchange: &Exchange, name: &str) -> Result<Id, Failure> {
    number(exchange, name).map(Id::Number)
}

/// A whole number in the path.
///
/// # Errors
/// `Malformed`.
pub fn number(exchange: &Exchange, name: &str) -> Result<i64, Failure> {
    let number = exchange.param(name).parse();
    number.map_err(|_| Failure::malformed(name, Why::WrongType { expected: "a whole number" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_range_decides() {
        for good in [
            "application/json",
            "APPLICATION/JSON; charset=utf-8",
            "*/*",
            "text/plain,application/json",
            "text/html, application/*;q=0.2",
            "application/json;q=0.1, */*;q=0",
        ] {
            assert!(quality(good, "application/json") > 0.0, "{good}");
        }
        for bad in ["text/plain", "text/csv, image/*", "application/json;q=0, */*", "nonsense"] {
            assert!(quality(bad, "application/json") <= 0.0, "{bad}");
        }
    }
}
