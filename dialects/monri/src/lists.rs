//! How lists are asked for and answered (dossier B.4): `limit` and `offset`, an envelope without a
//! total.

use patron_gateway::Request;
use patron_model::{Failure, Problems, Why};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{errors::APPROVED, settings};

const LIMIT_DEFAULT: u64 = 50;
/// Entries that can be skipped at most: more than there can ever be.
const OFFSET_MAX: u64 = 1 << 53;

/// The part of a list that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Entries at most.
    pub limit: u32,
    /// Entries to skip.
    pub offset: u64,
}

/// A list as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
pub struct List<T> {
    status: &'static str,
    data: Vec<T>,
}

impl<T> List<T> {
    /// A list of these.
    pub fn of(data: Vec<T>) -> List<T> {
        List { status: APPROVED, data }
    }
}

impl Page {
    /// Reads `limit` and `offset`. A limit beyond the space's largest one is cut to it.
    ///
    /// # Errors
    /// `Malformed` for anything but whole numbers, and for a limit of zero.
    pub fn of(request: &Request) -> Result<Page, Failure> {
        let max = request.cx.space_record().map(|space| settings::list_limit_max(space));
        Page::parse(request.query_string(), max.unwrap_or(settings::LIST_LIMIT_MAX))
    }

    fn parse(query: &str, limit_max: u32) -> Result<Page, Failure> {
        let params = patron_gateway::decode::Params::parse(query);
        let mut problems = Problems::new();
        let limit = problems.check("limit", whole(params.get("limit"), LIMIT_DEFAULT, 1));
        let offset = problems.check("offset", whole(params.get("offset"), 0, 0));
        problems.into_result().map_err(Failure::Malformed)?;
        let limit = limit.and_then(|limit| u32::try_from(limit).ok());
        Ok(Page {
            limit: limit.unwrap_or(limit_max).min(limit_max),
            offset: offset.unwrap_or(0).min(OFFSET_MAX),
        })
    }
}

/// A whole number in plain digits. One too large to count with is as good as the largest.
fn whole(text: Option<&str>, default: u64, min: u64) -> Result<u64, Why> {
    let Some(text) = text else { return Ok(default) };
    let negative = text.strip_prefix('-').is_some_and(is_digits);
    if !negative && !is_digits(text) {
        return Err(Why::WrongType { expected: "a whole number" });
    }
    match text.parse() {
        Ok(value) if value >= min && !negative => Ok(value),
        Err(_) if !negative => Ok(u64::MAX),
        Ok(_) | Err(_) => {
            Err(Why::Malformed { expected: if min == 0 { "at least 0" } else { "at least 1" } })
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_defaults_and_a_ceiling() {
        let page = |query| Page::parse(query, 1_000).expect("a page");
        assert_eq!(page(""), Page { limit: 50, offset: 0 });
        assert_eq!(page("limit=1000&offset=7"), Page { limit: 1_000, offset: 7 });
        assert_eq!(page("limit=1001"), Page { limit: 1_000, offset: 0 });
        let huge = "limit=99999999999999999999999&offset=99999999999999999999999";
        assert_eq!(page(huge), Page { limit: 1_000, offset: OFFSET_MAX });
    }

    #[test]
    fn refuses_what_is_no_number() {
        for bad in [
            "limit=",
            "limit=0",
            "limit=-1",
            "limit=x",
            "limit=1.5",
            "limit=1e3",
            "limit=+5",
            "limit=%2B5",
            "limit=0x10",
            "offset=-1",
            "offset=",
            "offset=one",
            "limit=%C2%B2",
        ] {
            assert!(matches!(Page::parse(bad, 1_000), Err(Failure::Malformed(_))), "{bad}");
        }
    }
}
