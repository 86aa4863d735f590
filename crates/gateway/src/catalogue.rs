//! Catalogues: records that are the same for everybody and only read. A dialect hands over its rows
//! and the types they are of; here they are found, and shown with their references as ids or whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::schema::{Holds, Schemas};

/// Deepest reference that is shown whole.
const DEPTH_MAX: usize = 4;

/// A row: members by name. A reference is the key of the row that is meant.
pub type Row = Map<String, Value>;

/// The rows of one type, and the member they are known by.
pub struct Source {
    /// Name of the type.
    pub of: &'static str,
    /// The member that tells rows apart.
    pub key: &'static str,
    /// The rows, in the order they are listed in.
    pub rows: fn() -> Vec<Row>,
}

/// Reads rows, one JSON object a line.
///
/// # Panics
/// When a line is none: the rows are part of the program.
pub fn lines(text: &str) -> Vec<Row> {
    let row = |line: &str| serde_json::from_str(line);
    text.lines().map(|line| row(line).expect("a row is a JSON object")).collect()
}

/// Everything of one type.
#[derive(Debug)]
pub struct Catalogue {
    rows: Vec<Row>,
    places: HashMap<String, usize>,
}

impl Catalogue {
    fn read(source: &Source) -> Catalogue {
        let rows = (source.rows)();
        let key = |row: &Row| key_text(&row[source.key]);
        let places = rows.iter().enumerate().map(|(place, row)| (key(row), place)).collect();
        Catalogue { rows, places }
    }

    /// Every row, in its order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row with a key.
    pub fn get(&self, key: &str) -> Option<&Row> {
        self.places.get(key).map(|place| &self.rows[*place])
    }
}

fn key_text(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

/// The catalogues of an API. Each is read when it is asked for the first time.
pub struct Catalogues {
    schemas: Schemas,
    of: BTreeMap<&'static str, (&'static Source, OnceLock<Catalogue>)>,
}

impl Catalogues {
    /// Catalogues over the types of an API.
    pub fn new(schemas: Schemas, sources: impl Iterator<Item = &'static Source>) -> Catalogues {
        let of = sources.map(|source| (source.of, (source, OnceLock::new()))).collect();
        Catalogues { schemas, of }
    }

    /// The types.
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// The catalogue of a type, if there is one.
    pub fn of(&self, name: &str) -> Option<&Catalogue> {
        let (source, read) = self.of.get(name)?;
        Some(read.get_or_init(|| Catalogue::read(source)))
    }

    /// Whether a member refers to rows of a catalogue.
    pub fn refers(&self, holds: &Holds) -> bool {
        matches!(holds, Holds::Type(name) if self.of.contains_key(name.as_str()))
    }

    /// A row as it is shown: references as objects that hold the id only, or whole where wanted.
    pub fn show(&self, of: &str, row: &Row, wanted: &Expand) -> Value {
        let members = row.iter().map(|(name, value)| {
            let holds = self.schemas.field(of, name).map(|field| &field.holds);
            let shown = match (holds, value) {
                (Some(Holds::List(inner)), Value::Array(items)) => {
                    items.iter().map(|item| self.shown(inner, item, wanted.at(name))).collect()
                }
                (Some(holds), value) => self.shown(holds, value, wanted.at(name)),
                (None, value) => value.clone(),
            };
            (name.clone(), shown)
        });
        Value::Object(members.collect())
    }

    fn shown(&self, holds: &Holds, value: &Value, wanted: Option<&Expand>) -> Value {
        let Holds::Type(of) = holds else { return value.clone() };
        match value {
            // An object stands in the row itself; it may refer to others.
            Value::Object(members) => self.show(of, members, wanted.unwrap_or(&Expand::NONE)),
            Value::Number(_) => {
                let row = self.of(of).and_then(|catalogue| catalogue.get(&key_text(value)));
                match wanted.zip(row) {
                    Some((wanted, row)) => self.show(of, row, wanted),
                    None => json!({ "id": value }),
                }
            }
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => value.clone(),
        }
    }
}

/// Which references are to be shown whole, and which of theirs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expand(BTreeMap<String, Expand>);

impl Expand {
    /// Nothing.
    pub const NONE: Expand = Expand(BTreeMap::new());

    /// From dotted paths. A path expands its parents; what lies too deep is left out, and what
    /// names no reference changes nothing.
    pub fn of<'a>(paths: impl Iterator<Item = &'a str>) -> Expand {
        let mut wanted = Expand::default();
        for path in paths {
            let names = path.split('.').map(str::trim).take(DEPTH_MAX);
            names.fold(&mut wanted, |at, name| at.0.entry(name.to_owned()).or_default());
        }
        wanted
    }

    /// Which references of a reference are to be shown whole; none: it is not to be itself.
    pub fn at(&self, name: &str) -> Option<&Expand> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: &str = concat!(
        r#"{"name":"Thing","fields":{"id":{"type":"integer"},"kind":{"type":"Kind"},"#,
        r#""kinds":{"type":"array<Kind>"},"size":{"type":"Size"}}}"#,
        "\n",
        r#"{"name":"Kind","fields":{"id":{"type":"integer"},"above":{"type":"Kind"}}}"#,
        "\n",
        r#"{"name":"Size","fields":{"cm":{"type":"integer"}}}"#,
    );

    static SOURCES: [Source; 2] = [
        Source {
            of: "Thing",
            key: "id",
            rows: || lines(r#"{"id":1,"kind":3,"kinds":[2,3],"size":{"cm":5}}"#),
        },
        Source { of: "Kind", key: "id", rows: || lines("{\"id\":2}\n{\"id\":3,\"above\":2}") },
    ];

    fn shown(paths: &[&str]) -> Value {
        let schemas = Schemas::parse(TYPES).expect("types");
        let catalogues = Catalogues::new(schemas, SOURCES.iter());
        let things = catalogues.of("Thing").expect("things");
        let wanted = Expand::of(paths.iter().copied());
        catalogues.show("Thing", things.get("1").expect("the thing"), &wanted)
    }

    #[test]
    fn references_are_ids_unless_they_are_wanted() {
        let size = json!({"cm": 5});
        let plain = json!({"id": 1, "kind": {"id": 3}, "kinds": [{"id": 2}, {"id": 3}],
            "size": size});
        assert_eq!(shown(&[]), plain);
        assert_eq!(shown(&["nothing", "size", "", "."]), plain);
        let kind = json!({"id": 3, "above": {"id": 2}});
        let one = json!({"id": 1, "kind": kind, "kinds": [{"id": 2}, {"id": 3}], "size": size});
        assert_eq!(shown(&["kind"]), one);
        assert_eq!(shown(&["kind.above"])["kind"]["above"], json!({"id": 2}));
        assert_eq!(shown(&["kinds"])["kinds"], json!([{"id": 2}, kind]));
    }

    #[test]
    fn what_is_wanted_is_bounded_in_depth() {
        let deep = ["kind"; 100].join(".");
        let mut depth = 0;
        let wanted = Expand::of([deep.as_str()].into_iter());
        let mut at = Some(&wanted);
        while let Some(inner) = at.and_then(|expand| expand.at("kind")) {
            depth += 1;
            at = Some(inner);
        }
        assert_eq!(depth, DEPTH_MAX);
    }
}
