//! Headers that a webhook endpoint may have of its own: none that frames a request or is ours.

use patron_app::webhooks::notifier::Headers;
use patron_model::Why;

const OURS: [&str; 10] = [
    "host",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "user-agent",
    "accept-encoding",
];
const BEGIN: [&str; 5] = ["content-", "proxy-", "sec-", "webhook-", "patron-"];

/// Names, which become lower case, and values.
///
/// # Errors
/// `Malformed` for names that cannot be or are not for endpoints, and values that are no visible
/// ASCII.
pub fn read(all: impl IntoIterator<Item = (String, String)>) -> Result<Headers, Why> {
    let mut read = Headers::new();
    for (name, value) in all {
        let expected = "names of headers that do not frame the request, with visible ASCII values";
        let bad = Why::Malformed { expected };
        let lower = name.to_ascii_lowercase();
        let is_name = lower.parse::<http::HeaderName>().is_ok();
        let is_ours = OURS.contains(&lower.as_str()) || BEGIN.iter().any(|b| lower.starts_with(b));
        let is_text = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !is_name || is_ours || !is_text {
            return Err(bad);
        }
        read.push((lower, value));
    }
    Ok(read)
}
