//! A change of one field with three states, so that "not mentioned" and "cleared" stay apart.

/// What shall become of a field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Stays as it is.
    #[default]
    Keep,
    /// Becomes empty.
    Clear,
    /// Becomes this.
    Set(T),
}

impl<T> Patch<T> {
    /// `Some` sets, `None` keeps: for callers whose `null` means "not provided".
    pub fn keep_or(value: Option<T>) -> Self {
        value.map_or(Patch::Keep, Patch::Set)
    }

    /// `Some` sets, `None` clears: for callers that replace the whole record.
    pub fn clear_or(value: Option<T>) -> Self {
        value.map_or(Patch::Clear, Patch::Set)
    }

    /// Whether the field stays as it is.
    pub fn is_keep(&self) -> bool {
        matches!(self, Patch::Keep)
    }

    /// The field after the change.
    #[must_use]
    pub fn apply(self, current: Option<T>) -> Option<T> {
        match self {
            Patch::Keep => current,
            Patch::Clear => None,
            Patch::Set(value) => Some(value),
        }
    }

    /// The same change in another type.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(value) => Patch::Set(f(value)),
        }
    }

    /// Changes `field` and says whether it is different now.
    pub fn change(self, field: &mut Option<T>) -> bool
    where
        T: PartialEq,
    {
        let next = match self {
            Patch::Keep => return false,
            Patch::Clear => None,
            Patch::Set(value) => Some(value),
        };
        let differs = *field != next;
        *field = next;
        differs
    }
}

#[cfg(test)]
mod tests {
    use super::Patch;

    #[test]
    fn keep_changes_nothing_clear_empties_set_replaces() {
        assert_eq!(Patch::Keep.apply(Some(1)), Some(1));
        assert_eq!(Patch::Clear.apply(Some(1)), None);
        assert_eq!(Patch::Set(2).apply(Some(1)), Some(2));
    }

    #[test]
    fn change_tells_whether_the_field_differs() {
        let mut field = Some(1);
        assert!(!Patch::Keep.change(&mut field));
        assert!(!Patch::Set(1).change(&mut field));
        assert!(Patch::Set(2).change(&mut field));
        assert!(Patch::Clear.change(&mut field));
        assert!(!Patch::Clear.change(&mut field));
    }
}
