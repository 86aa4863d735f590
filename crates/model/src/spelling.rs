//! Which known name was probably meant by one that is not known.

/// Longest name that is looked at: nothing longer is a slip of the pen.
const NAME_CHARS_MAX: usize = 64;

/// The known name that is most like this one, if any is like it: a third of the letters differ at
/// most, case and separators aside, or it is one of the words of the name.
pub fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.chars().count() > NAME_CHARS_MAX {
        return None;
    }
    let sent = plain(name);
    let likeness = |known: &'a str| {
        let plain = plain(known);
        let differing = strsim::damerau_levenshtein(&sent, &plain);
        let is_word = sent.len() > 2 && known.split(['_', '.']).any(|word| word == sent);
        let is_like = differing <= plain.chars().count().max(3) / 3 || is_word;
        is_like.then_some((differing, known))
    };
    // The first of equals: tables name what is used most first.
    known.into_iter().filter_map(likeness).min_by_key(|(differing, _)| *differing).map(|(_, k)| k)
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn finds_what_was_meant_and_guesses_no_further() {
        let known = ["reference", "given_name", "family_name", "full_name", "email", "phone"];
        for (sent, want) in [
            ("fullname", Some("full_name")),
            ("fullName", Some("full_name")),
            ("name", Some("full_name")),
            ("e-mail", Some("email")),
            ("emial", Some("email")),
            ("referense", Some("reference")),
            ("street", None),
            ("x", None),
            ("", None),
            (&"e".repeat(200), None),
        ] {
            assert_eq!(meant(sent, known), want, "{sent}");
        }
    }
}
