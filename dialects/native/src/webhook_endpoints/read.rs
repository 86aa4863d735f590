//! What is written of webhook endpoints.

use std::collections::BTreeMap;

use patron_app::webhooks::{EndpointPatch, EventType, Payload, ResumeFrom, secrets::Signing};
use patron_gateway::{Fields, Member, Reading, own_headers};
use patron_model::{
    Patch, Why,
    text::Note,
    webhook::{Order, Scheme, URL_CHARS_MAX},
};

use super::wire::{EndpointIn, ResumeIn};

fn set<T>(patch: Patch<T>) -> Option<T> {
    match patch {
        Patch::Set(value) => Some(value),
        Patch::Keep | Patch::Clear => None,
    }
}

/// A list that `null` empties.
fn listed<T: Default>(patch: Patch<T>) -> Option<T> {
    match patch {
        Patch::Set(value) => Some(value),
        Patch::Clear => Some(T::default()),
        Patch::Keep => None,
    }
}

pub fn patch(body: EndpointIn, fields: &mut Fields) -> EndpointPatch {
    let types = |words: Vec<String>| -> Result<Vec<EventType>, Why> {
        words.iter().map(|word| EventType::parse(word)).collect()
    };
    let payload =
        |word: &str| Payload::parse(word).ok_or_else(|| Why::not_one_of(word, Payload::WORDS));
    let order = |word: &str| Order::parse(word).ok_or_else(|| Why::not_one_of(word, Order::WORDS));
    let scheme =
        |word: &str| Scheme::parse(word).ok_or_else(|| Why::not_one_of(word, Scheme::WORDS));
    let (subjects, changed, metadata) = match body.filter {
        Member::Absent => (None, None, None),
        Member::Null => (Some(Vec::new()), Some(Vec::new()), Some(BTreeMap::new())),
        Member::Value(filter) => fields.within("filter", Reading::NullClears, |fields| {
            let subjects = fields.parse("subjects", filter.subjects, Ok);
            let changed = fields.parse("changed", filter.changed, Ok);
            let metadata = fields.parse("metadata", filter.metadata, Ok);
            (listed(subjects), listed(changed), listed(metadata))
        }),
    };
    let url = |text: String| match text.chars().count() > URL_CHARS_MAX {
        true => Err(Why::TooLong { max: URL_CHARS_MAX }),
        false => Ok(text),
    };
    let types = listed(fields.parse("types", body.types, types));
    if types.as_ref().is_some_and(Vec::is_empty) {
        fields.refuse("types", Why::Required);
    }
    EndpointPatch {
        url: set(fields.parse("url", body.url, url)),
        description: fields.text("description", body.description, Note::parse),
        types,
        subjects,
        changed,
        metadata,
        payload: set(fields.text("payload", body.payload, payload)),
        order: set(fields.text("order", body.order, order)),
        signature: set(fields.text("signature", body.signature, scheme)),
        headers: listed(fields.parse("headers", body.headers, own_headers::read)),
        timeout_seconds: set(fields.parse("timeout_seconds", body.timeout_seconds, Ok)),
        parallel: set(fields.parse("parallel", body.parallel, Ok)),
        enabled: set(fields.parse("enabled", body.enabled, Ok)),
        own: None,
    }
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
