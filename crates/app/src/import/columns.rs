//! Columns of a file: what they are called there, and what they are here.

use std::collections::BTreeSet;

use patron_model::spelling;

use super::{COLUMNS_MAX, Unreadable};

/// Other names that the columns of a file shall have; a column without one is left out.
#[derive(Debug, Clone, Default)]
pub struct Names(Vec<(String, Option<String>)>);

impl Names {
    /// From what people write: `their=ours`, and `their=` for a column that is left out.
    ///
    /// # Errors
    /// When one is written otherwise, or a name is given twice.
    pub fn parse(written: &[String]) -> Result<Names, Unreadable> {
        let mut names: Vec<(String, Option<String>)> = Vec::new();
        for pair in written {
            let Some((theirs, ours)) = pair.rsplit_once('=').filter(|(name, _)| !name.is_empty())
            else {
                return Err(Unreadable(format!(
                    "{pair}: write COLUMN=FIELD, or COLUMN= for a column that is left out"
                )));
            };
            if names.iter().any(|(known, _)| known == theirs) {
                return Err(Unreadable(format!("the column {theirs} is given two names")));
            }
            names.push((theirs.to_owned(), Some(ours.to_owned()).filter(|n| !n.is_empty())));
        }
        Ok(Names(names))
    }

    /// Refuses names that nothing has here.
    pub(super) fn check(&self, known: &BTreeSet<String>) -> Result<(), Unreadable> {
        for ours in self.0.iter().filter_map(|(_, ours)| ours.as_ref()) {
            if !known.contains(ours) {
                let meant = spelling::meant(ours, known.iter().map(String::as_str));
                let meant = meant.map(|name| format!("; did you mean {name}?"));
                return Err(Unreadable(format!(
                    "no field is called {ours}{}",
                    meant.unwrap_or_default()
                )));
            }
        }
        Ok(())
    }

    /// Name of a column here: none when it is left out.
    pub(super) fn of<'a>(&'a self, column: &'a str) -> Option<&'a str> {
        match self.0.iter().find(|(theirs, _)| theirs == column) {
            Some((_, ours)) => ours.as_deref(),
            None => Some(column),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A column that nothing here is called like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownColumn {
    /// Its name.
    pub name: String,
    /// What was probably meant.
    pub meant: Option<String>,
}

/// The columns of a file in their order.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// Name of each one here; none: it is left out.
    pub names: Vec<Option<String>>,
    /// Those that are left out because nothing here is called so.
    pub unknown: Vec<UnknownColumn>,
}

impl Columns {
    /// The columns of a header row.
    ///
    /// # Errors
    /// When there are too many or two are the same, or one that gets another name is not there.
    pub(super) fn of<'a>(
        header: impl Iterator<Item = &'a str>,
        names: &Names,
        known: &BTreeSet<String>,
    ) -> Result<Columns, Unreadable> {
        let header: Vec<&str> = header.collect();
        if header.len() > COLUMNS_MAX {
            return Err(Unreadable(format!("it has more than {COLUMNS_MAX} columns")));
        }
        if let Some((theirs, _)) = names.0.iter().find(|(name, _)| !header.contains(&&**name)) {
            return Err(Unreadable(format!("it has no column {theirs}")));
        }
        let mut columns = Columns::default();
        for column in header {
            let ours = names.of(column).filter(|name| !name.is_empty());
            let is_known = ours.is_none_or(|name| known.contains(name));
            if !is_known {
                let meant = spelling::meant(column, known.iter().map(String::as_str));
                let (name, meant) = (column.to_owned(), meant.map(str::to_owned));
                columns.unknown.push(UnknownColumn { name, meant });
            }
            let ours = ours.filter(|_| is_known).map(str::to_owned);
            if ours.is_some() && columns.names.contains(&ours) {
                let name = ours.unwrap_or_default();
                return Err(Unreadable(format!("two of its columns are {name}")));
            }
            columns.names.push(ours);
        }
        if columns.names.iter().all(Option::is_none) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            return Err(Unreadable(format!(
                "none of its columns is known; they are called: {}",
                known.join(", ")
            )));
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &[&str], names: &[&str]) -> Result<Columns, String> {
        let known: BTreeSet<String> = ["email", "full_name"].map(str::to_owned).into();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let names = Names::parse(&names).map_err(|error| error.to_string())?;
        names.check(&known).map_err(|error| error.to_string())?;
        Columns::of(header.iter().copied(), &names, &known).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_get_other_names_and_unknown_ones_are_told() {
        let columns = of(&["Mail=", "name", "emial"], &["Mail==email"]).unwrap();
        assert_eq!(columns.names, [Some("email".to_owned()), None, None]);
        let told: Vec<_> =
            columns.unknown.iter().map(|u| (u.name.as_str(), u.meant.as_deref())).collect();
        assert_eq!(told, [("name", Some("full_name")), ("emial", Some("email"))]);
        let left_out = of(&["email", "name"], &["name="]).unwrap();
        assert!(left_out.unknown.is_empty());
        for (header, names, said) in [
            (&["email"][..], &["Mail=email"][..], "no column Mail"),
            (&["email", "Mail"], &["Mail=email"], "two of its columns are email"),
            (&["Mail"], &["Mail=emial"], "did you mean email?"),
            (&["Mail"], &["Mail"], "COLUMN=FIELD"),
            (&["Mail"], &["Mail=email", "Mail=full_name"], "two names"),
            (&["a", "b"], &[], "they are called: email, full_name"),
        ] {
            let error = of(header, names).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let many: Vec<&str> = std::iter::repeat_n("x", COLUMNS_MAX + 1).collect();
        assert!(of(&many, &[]).is_err());
    }
}
