//! Bounds of what is said of an endpoint.

use super::{
    EndpointPatch, FILTERS_MAX, HEADER_CHARS_MAX, HEADERS_MAX, PARALLEL_MAX, TIMEOUT_SECONDS_MAX,
    TYPE_CHARS_MAX, TYPES_MAX,
};
use crate::{Problems, Why};

/// Bounds of what is said of an endpoint. What a URL may be is for whoever connects.
pub(super) fn check(patch: &EndpointPatch) -> Problems {
    let mut problems = Problems::default();
    let mut refuse = |is_bad: bool, field: &str, why: Why| {
        if is_bad {
            problems.add(field, why);
        }
    };
    let most = |max| Why::TooMany { max };
    if let Some(types) = &patch.types {
        refuse(types.len() > TYPES_MAX, "types", most(TYPES_MAX));
    }
    if let Some(subjects) = &patch.subjects {
        refuse(subjects.len() > FILTERS_MAX, "filter.subjects", most(FILTERS_MAX));
        let is_bad = subjects.iter().any(|number| *number < 1);
        refuse(is_bad, "filter.subjects", Why::OutOfRange { min: 1, max: i64::MAX });
    }
    if let Some(changed) = &patch.changed {
        refuse(changed.len() > FILTERS_MAX, "filter.changed", most(FILTERS_MAX));
        let is_name = |name: &String| {
            let is_part = |c: char| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit();
            !name.is_empty() && name.len() <= TYPE_CHARS_MAX && name.chars().all(is_part)
        };
        let expected = "names of fields, like email";
        let is_bad = !changed.iter().all(is_name);
        refuse(is_bad, "filter.changed", Why::Malformed { expected });
    }
    if let Some(metadata) = &patch.metadata {
        refuse(metadata.len() > FILTERS_MAX, "filter.metadata", most(FILTERS_MAX));
        let is_long =
            |(key, value): (&String, &String)| key.len().max(value.len()) > HEADER_CHARS_MAX;
        let why = Why::TooLong { max: HEADER_CHARS_MAX };
        refuse(metadata.iter().any(is_long), "filter.metadata", why);
    }
    if let Some(headers) = &patch.headers {
        refuse(headers.len() > HEADERS_MAX, "headers", most(HEADERS_MAX));
        let is_long = headers.iter().any(|(_, value)| value.len() > HEADER_CHARS_MAX);
        refuse(is_long, "headers", Why::TooLong { max: HEADER_CHARS_MAX });
    }
    let within = |value: Option<i64>, max: i64| value.is_some_and(|value| value < 1 || value > max);
    let range = |max| Why::OutOfRange { min: 1, max };
    let is_bad = within(patch.timeout_seconds, TIMEOUT_SECONDS_MAX);
    refuse(is_bad, "timeout_seconds", range(TIMEOUT_SECONDS_MAX));
    refuse(within(patch.parallel, PARALLEL_MAX), "parallel", range(PARALLEL_MAX));
    problems
}
