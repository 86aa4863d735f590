//! Length- and character-checked strings. Nothing is trimmed and nothing is changed: control
//! characters are refused, every script is welcome, lengths count Unicode scalar values.
//!
//! Characters that turn the direction of what follows are control characters too: with them a text
//! reads otherwise than it is stored (`U+202E` makes `moc.knab` of `bank.com`). The marks `U+200E`,
//! `U+200F` and `U+061C` are welcome: they are invisible letters of a direction, turn nothing
//! around, and stand in real Hebrew and Arabic names; so are the joiners `U+200C` and `U+200D`.

use crate::Why;

/// Whether a text holds a control character other than the allowed line breaks and tabs.
pub(crate) fn has_control(text: &str, multiline: bool) -> bool {
    let allowed = |c| multiline && matches!(c, '\n' | '\r' | '\t');
    text.chars().any(|c| (c.is_control() && !allowed(c)) || turns_direction(c))
}

/// Explicit embeddings, overrides and isolates of the bidirectional algorithm (UAX #9, 2).
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Checks a text against its bounds.
///
/// # Errors
/// `TooShort`, `TooLong` or `ControlCharacter`.
pub fn check(text: &str, min: usize, max: usize, multiline: bool) -> Result<(), Why> {
    // A string of at most `max` bytes has at most `max` characters: count only beyond that.
    let length =
        if text.len() <= max && text.len() >= 4 * min { min } else { text.chars().count() };
    if length > max {
        return Err(Why::TooLong { max });
    }
    if length < min {
        return Err(Why::TooShort { min });
    }
    if has_control(text, multiline) {
        return Err(Why::ControlCharacter);
    }
    Ok(())
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, min $min:expr, max $max:expr, multiline $multiline:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Most characters (Unicode scalar values).
            pub const MAX: usize = $max;

            /// Parses a text.
            ///
            /// # Errors
            /// `TooShort`, `TooLong` or `ControlCharacter`.
            pub fn parse(text: &str) -> Result<Self, Why> {
                check(text, $min, $max, $multiline)?;
                Ok(Self(text.to_owned()))
            }

            /// The text as it came in.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}(…)", stringify!($name))
            }
        }
    };
}

text_type!(
    /// A person's or company's name.
    Name, min 0, max 255, multiline false
);
text_type!(
    /// The merchant's own id of a customer.
    Reference, min 1, max 250, multiline false
);
text_type!(
    /// One line: a title, a registration number, a street, a city.
    Line, min 0, max 300, multiline false
);
text_type!(
    /// A few lines: a description, a reason.
    Note, min 0, max 4_000, multiline true
);
text_type!(
    /// The content of a comment.
    Content, min 0, max 262_144, multiline true
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_not_bytes() {
        assert!(Name::parse(&"ž".repeat(255)).is_ok());
        assert_eq!(Name::parse(&"ž".repeat(256)), Err(Why::TooLong { max: 255 }));
        assert_eq!(Reference::parse(""), Err(Why::TooShort { min: 1 }));
        assert!(Reference::parse("ž").is_ok());
    }

    #[test]
    fn refuses_control_characters_and_keeps_every_script() {
        assert_eq!(Name::parse("a\u{7}b"), Err(Why::ControlCharacter));
        assert_eq!(Line::parse("a\nb"), Err(Why::ControlCharacter));
        assert!(Note::parse("a\nb\tc").is_ok());
        assert_eq!(Note::parse("a\u{0}b"), Err(Why::ControlCharacter));
        assert_eq!(
            Name::parse(" 山田 太郎 ").map(|n| n.as_str().to_owned()),
            Ok(" 山田 太郎 ".into())
        );
    }

    #[test]
    fn what_turns_the_direction_of_a_text_is_refused() {
        let turning = ('\u{202A}'..='\u{202E}').chain('\u{2066}'..='\u{2069}');
        for c in turning {
            let text = format!("Anna {c}retsuM");
            assert_eq!(Name::parse(&text), Err(Why::ControlCharacter), "{:x}", u32::from(c));
            assert_eq!(Note::parse(&text), Err(Why::ControlCharacter), "{:x}", u32::from(c));
        }
        for name in [
            "محمد عبد الله",
            "יוסף כהן",
            "\u{200F}יוסף\u{200E} Cohen",
            "می\u{200C}نا",
            "\u{61C}علي",
        ] {
            assert!(Name::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn debug_never_shows_the_text() {
        let name = Name::parse("Anna").expect("valid");
        assert_eq!(format!("{name:?}"), "Name(…)");
    }
}
