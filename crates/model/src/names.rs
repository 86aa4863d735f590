//! The forms of a person's name. Full and split names are kept as they came in; the missing form is
//! derived on reading and never written back.

use std::borrow::Cow;

/// All three forms, given or derived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names<'a> {
    /// Given name.
    pub given: Option<Cow<'a, str>>,
    /// Family name.
    pub family: Option<Cow<'a, str>>,
    /// Full name.
    pub full: Option<Cow<'a, str>>,
}

/// Completes what is given: the full name joins the parts; the last word of a full name is the family
/// name, the words before it the given name, and a single word is a given name.
pub fn complete<'a>(
    given: Option<&'a str>,
    family: Option<&'a str>,
    full: Option<&'a str>,
) -> Names<'a> {
    let derived_full = || match (given, family) {
        (Some(given), Some(family)) => Some(Cow::Owned(format!("{given} {family}"))),
        (Some(only), None) | (None, Some(only)) => Some(Cow::Borrowed(only)),
        (None, None) => None,
    };
    let full_form = full.map(Cow::Borrowed).or_else(derived_full);
    if given.is_some() || family.is_some() {
        let (given, family) = (given.map(Cow::Borrowed), family.map(Cow::Borrowed));
        return Names { given, family, full: full_form };
    }
    let (given, family) = full.map_or((None, None), split);
    Names { given, family, full: full_form }
}

fn split(full: &str) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    match full.trim().rsplit_once(char::is_whitespace) {
        Some((given, family)) => (Some(given.trim_end().into()), Some(family.into())),
        None if full.trim().is_empty() => (None, None),
        None => (Some(full.trim().into()), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_splits() {
        let names = complete(Some("Anna"), Some("Muster"), None);
        assert_eq!(names.full.as_deref(), Some("Anna Muster"));
        let names = complete(None, None, Some("Anna Maria Muster"));
        assert_eq!(names.given.as_deref(), Some("Anna Maria"));
        assert_eq!(names.family.as_deref(), Some("Muster"));
        assert_eq!(complete(None, None, Some("Cher")).given.as_deref(), Some("Cher"));
        assert_eq!(complete(None, None, None), Names::default());
    }

    #[test]
    fn never_overrides_what_was_given() {
        let names = complete(Some("Anna"), None, Some("Dr. Anna Muster"));
        assert_eq!(names.full.as_deref(), Some("Dr. Anna Muster"));
        assert_eq!(names.family, None);
    }
}
