//! Every sentence is there in every language, with the same things in it, and each is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::*;

/// Keys with the names of what stands in them (`$shown` and `$count` are of one kind).
fn keys(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) {
            last = key.to_owned();
            assert!(!all.contains_key(key), "{key} stands there twice");
            all.insert(last.clone(), BTreeSet::new());
        }
        for part in line.split('$').skip(1) {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
            let name = part[..end].to_owned();
            let counts = name == "shown" || name == "count";
            let name = if counts { "count".to_owned() } else { name };
            all.get_mut(&last).unwrap().insert(name);
        }
    }
    all
}

fn texts(folder: &str, into: &mut String) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            texts(path.to_str().unwrap(), into);
        } else if path.file_name() != Some("words_tests.rs".as_ref()) {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// How sentences begin that are found by a word that is put together.
const MADE: &[&str] = &[
    "error-",
    "done-",
    "invite-",
    "reset-",
    "confirm-",
    "approve-",
    "expected-",
    "field-",
    "event-",
    "status-",
    "purpose-",
    "gender-",
    "method-",
    "op-",
    "state-",
    "seen-",
    "permission-",
    "setting-",
    "sort-",
    "key-state-",
    "key-public-",
    "overlap-",
    "webhook-payload-",
    "webhook-order-",
    "webhook-signature-",
    "endpoint-",
    "delivery-state-",
    "delivery-advice-",
    "replay-state-",
    "answer-",
    "advice-",
    "trigger-",
    "way-",
    "final-",
    "role-named-",
    "tab-",
    "noun-",
    "verb-",
    "act-",
    "acts-",
    "outcome-",
    "theme-",
    "shortcuts-",
    "language-",
    "period-",
    "span-",
    "chart-",
    "first-",
    "warn-",
];

#[test]
fn every_language_has_every_sentence_and_nothing_is_left_over() {
    let locales = SENTENCES.map(|(_, texts)| texts.concat());
    let [english, german, french] = locales.each_ref().map(|text| keys(text));
    for (name, other) in [("de", german), ("fr", french)] {
        for (key, args) in &english {
            assert_eq!(other.get(key), Some(args), "{name}: {key}");
        }
        assert_eq!(other.len(), english.len(), "{name} has more");
    }
    for text in locales {
        assert!(FluentResource::try_new(text).is_ok());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut used = String::new();
    for folder in ["src", "templates"] {
        texts(root.join(folder).to_str().unwrap(), &mut used);
    }
    for key in english.keys() {
        let is_made = MADE.iter().any(|start| key.starts_with(start));
        assert!(is_made || used.contains(&format!("\"{key}\"")), "{key} is not used");
    }
    for permission in patron_model::Permission::ALL {
        let (noun, verb) = permission.as_str().split_once(':').unwrap();
        for key in [format!("noun-{noun}"), format!("verb-{verb}")] {
            assert!(english.contains_key(&key), "{key} has no sentence");
        }
    }
    for part in used.split(".t(\"").skip(1) {
        let key = &part[..part.find('"').unwrap()];
        assert!(english.contains_key(key), "{key} has no sentence");
    }
}

fn words(tag: &str) -> Words {
    Words::new(None, tag, Some("Europe/Zurich"))
}

#[test]
fn numbers_and_moments_are_written_as_the_reader_does() {
    for (tag, number, moment) in [
        ("en", "1,048,211", "21 Nov 2026, 15:44"),
        ("en-US", "1,048,211", "Nov 21, 2026, 3:44\u{202f}PM"),
        ("de", "1.048.211", "21. Nov. 2026, 15:44"),
        ("de-CH,en;q=0.3", "1’048’211", "21. Nov. 2026, 15:44"),
        ("xx, fr;q=0.8, en;q=0.7", "1\u{202f}048\u{202f}211", "21 nov. 2026, 15:44"),
    ] {
        let words = words(tag);
        assert_eq!(words.number(1_048_211), number, "{tag}");
        let now = Timestamp::parse("2026-11-25T00:00:00Z").unwrap();
        let shown = words.moment("2026-11-21T14:44:58.000001Z", now);
        assert_eq!(
            (shown.whole.as_str(), shown.machine.as_str()),
            (moment, "2026-11-21T14:44:58Z")
        );
    }
    assert_eq!(words("de").midnight("2026-11-22").as_deref(), Some("2026-11-21T23:00:00Z"));
    assert_eq!(words("de").midnight("yesterday"), None);
    assert_eq!(words("de").number(999), "999");
    let now = Timestamp::parse("2026-11-21T14:50:00Z").unwrap();
    let ago = |tag: &str, at: &str| words(tag).moment(at, now).ago;
    assert_eq!(ago("en", "2026-11-21T14:49:30Z"), "just now");
    assert_eq!(ago("de", "2026-11-21T14:47:00Z"), "vor 3 Minuten");
    assert_eq!(ago("fr", "2026-11-21T13:00:00Z"), "il y a 1 heure");
}

#[test]
fn reasons_are_those_of_the_rules() {
    let english = words("en");
    for why in [
        Why::Required,
        Why::TooLong { max: 5 },
        Why::TooShort { min: 5 },
        Why::Malformed { expected: "an e-mail address" },
        Why::Unknown { what: "currency" },
        Why::WrongType { expected: "a string" },
        Why::OutOfRange { min: 1, max: 9 },
        Why::NotOneOf { allowed: "a, b" },
        Why::NearlyOneOf { allowed: "a, b", meant: "a" },
        Why::Misnamed { what: "field", meant: "a".into() },
        Why::ControlCharacter,
        Why::Characters { allowed: "digits" },
        Why::CardNumber,
        Why::SecurityCode,
        Why::Taken,
        Why::Ambiguous,
        Why::Mismatch { with: "x" },
        Why::TooMany { max: 3 },
        Why::TooLarge { max_bytes: 3 },
        Why::TooDeep { max: 3 },
        Why::RequiredWithout { others: "a" },
        Why::ReadOnly,
        Why::Duplicate,
        Why::UnknownField,
        Why::Misspelt { meant: "a".into() },
        Why::Syntax { reason: "a".into() },
    ] {
        assert_eq!(english.why(&why), why.to_string());
        assert_ne!(words("de").why(&why), why.to_string());
        assert_ne!(words("fr").why(&why), why.to_string());
    }
}
