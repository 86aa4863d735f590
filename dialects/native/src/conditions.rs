//! Conditional requests (RFC 9110 §13): strong entity tags made of the version, and of the revision
//! of the whole document where addresses are shown with it.

use patron_app::Expect;
use patron_gateway::{Reply, Request};
use patron_model::{Failure, Why};

/// An entity tag of a record that is shown alone.
pub fn tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// An entity tag of a record that is shown with its addresses.
pub fn tag_with_revision(version: i64, revision: i64) -> String {
    format!("\"{version}.{revision}\"")
}

/// What `If-Match` demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    None,
    /// That the record exists.
    Exists,
    /// One of the tags it lists.
    Tags(Expect),
}

/// Reads `If-Match`. A weak tag never matches (RFC 9110 §13.1.1).
pub fn if_match(request: &Request) -> Result<Condition, Failure> {
    let Some(header) = request.text_header("if-match")? else { return Ok(Condition::None) };
    if header.trim() == "*" {
        return Ok(Condition::Exists);
    }
    let mut tags = Vec::new();
    for part in header.split(',').map(str::trim) {
        if part.starts_with("W/") {
            tags.push(Expect::Version(-1));
            continue;
        }
        let inner = part.strip_prefix('"').and_then(|part| part.strip_suffix('"'));
        let Some(inner) = inner else {
            let why = Why::Malformed { expected: "an entity tag in double quotes" };
            return Err(Failure::malformed("If-Match", why));
        };
        // A tag that is none of ours is well formed and matches nothing.
        tags.push(parse(inner).unwrap_or(Expect::Version(-1)));
    }
    Ok(Condition::Tags(Expect::AnyOf(tags)))
}

/// A version where it stands in a body: alone or as the entity tag.
pub fn version(text: &str) -> Option<Expect> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    parse(inner.unwrap_or(text))
}

fn parse(inner: &str) -> Option<Expect> {
    match inner.split_once('.') {
        Some((_, revision)) => revision.parse().ok().map(Expect::Revision),
        None => inner.parse().ok().map(Expect::Version),
    }
}

impl Condition {
    /// The state to expect.
    pub fn expect(self) -> Expect {
        match self {
            Condition::None | Condition::Exists => Expect::Any,
            Condition::Tags(expect) => expect,
        }
    }
}

/// The condition of a change, demanded where the space demands one (RFC 6585 §3).
pub fn of_change(request: &Request) -> Result<Condition, Failure> {
    let condition = if_match(request)?;
    let demanded = request.cx.space_record().is_some_and(|space| space.require_precondition);
    if demanded && condition == Condition::None {
        return Err(Failure::PreconditionRequired);
    }
    Ok(condition)
}

/// Whether `If-None-Match: *` asks to create only.
///
/// # Errors
/// `Malformed` when the condition is not text.
pub fn creates_only(request: &Request) -> Result<bool, Failure> {
    Ok(request.text_header("if-none-match")?.is_some_and(|header| header.trim() == "*"))
}

/// A reply for reading: 304 when the caller has this state already.
pub fn unless_matched(request: &Request, tag: &str, reply: Reply) -> Reply {
    let has_it = request.header("if-none-match").is_some_and(|header| {
        header.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)
    });
    if has_it { Reply::empty(304).with("etag", tag) } else { reply.with("etag", tag) }
}
