//! What is written of webhook endpoints.

use std::collections::BTreeMap;

use patron_app::webhooks::{EndpointPatch, EventType, Payload, ResumeFrom, secrets::Signing};
use patron_gateway::{Fields, Member, Reading};
use patron_model::{Patch, Why, text::Note, webhook::URL_CHARS_MAX};

use super::wire::{EndpointIn, ResumeIn};

fn set<T>(patch: Patch<T>) -> Option<T> {
    match patch {
        Patch::Set(value) => Some(value),
        Patch::Keep | Patch::Clear => None,
    }
}

/// A list that `null` empties.
fn listed<T>(patch: Patch<Vec<T>>) -> Option<Vec<T>> {
    match patch {
        Patch::Set(value) => Some(value),
        Patch::Clear => Some(Vec::new()),
        Patch::Keep => None,
    }
}

pub fn patch(body: EndpointIn, fields: &mut Fields) -> EndpointPatch {
    let types = |words: Vec<String>| -> Result<Vec<EventType>, Why> {
        words.iter().map(|word| EventType::parse(word)).collect()
    };
    let payload =
        |word: &str| Payload::parse(word).ok_or_else(|| Why::not_one_of(word, Payload::WORDS));
    let (subjects, changed) = match body.filter {
        Member::Absent => (None, None),
        Member::Null => (Some(Vec::new()), Some(Vec::new())),
        Member::Value(filter) => fields.within("filter", Reading::NullClears, |fields| {
            let subjects = fields.parse("subjects", filter.subjects, Ok);
            (listed(subjects), listed(fields.parse("changed", filter.changed, Ok)))
        }),
    };
    let url = |text: String| match text.chars().count() > URL_CHARS_MAX {
        true => Err(Why::TooLong { max: URL_CHARS_MAX }),
        false => Ok(text),
    };
    EndpointPatch {
        url: set(fields.parse("url", body.url, url)),
        description: fields.text("description", body.description, Note::parse),
        types: listed(fields.parse("types", body.types, types)),
        subjects,
        changed,
        payload: set(fields.text("payload", body.payload, payload)),
        headers: listed(fields.parse("headers", body.headers, headers)),
        timeout_seconds: set(fields.parse("timeout_seconds", body.timeout_seconds, Ok)),
        parallel: set(fields.parse("parallel", body.parallel, Ok)),
        enabled: set(fields.parse("enabled", body.enabled, Ok)),
    }
}

/// Headers that an endpoint may have of its own: none that frames a request or is ours.
fn headers(all: BTreeMap<String, String>) -> Result<Vec<(String, String)>, Why> {
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
    let mut read = Vec::with_capacity(all.len());
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

pub fn own_secret(member: Member<String>, fields: &mut Fields) -> Option<Signing> {
    set(fields.text("secret", member, Signing::parse))
}

pub fn resume_from(member: Member<ResumeIn>, fields: &mut Fields) -> Option<ResumeFrom> {
    let why = Why::Malformed { expected: "kept, now, or a position of the feed" };
    set(fields.parse("resume_from", member, |said| match said {
        ResumeIn::After(seq) if seq >= 0 => Ok(ResumeFrom::After(seq)),
        ResumeIn::Word(word) if word == "kept" => Ok(ResumeFrom::Kept),
        ResumeIn::Word(word) if word == "now" => Ok(ResumeFrom::Now),
        ResumeIn::After(_) | ResumeIn::Word(_) => Err(why),
    }))
}
