//! Records that callers write, as tables: a body becomes what is wanted of a record, and a record
//! what is shown of it, by the types of its API. Which members there are, what they may hold, which
//! are read only and which refer to something else, stands in those types; what happens to a
//! record is decided in [`patron_app::resources`].

use patron_app::{
    Expect,
    resources::{Change, Changed, Family, Reference, Target, Wanted},
};
use patron_model::{Failure, Problems, Why, resource::STATE};
use serde_json::{Map, Value};

use crate::{
    catalogue::Catalogues,
    schema::{Field, Holds, Schemas, Shape},
};

/// Member that names the version a change builds on.
const VERSION: &str = "version";

/// A family of records of an API.
#[derive(Debug)]
pub struct Table {
    /// What the ids of its operations begin with.
    pub prefix: &'static str,
    /// Type its records are shown as.
    pub of: &'static str,
    /// Members that refer to records of a type, where neither type of theirs says so.
    pub refers: &'static [(&'static str, &'static str)],
    /// The family.
    pub family: Family,
}

impl Table {
    /// The same, of records that a member makes the ones they are.
    #[must_use]
    pub const fn claiming(mut self, member: &'static str) -> Table {
        self.family.claim = Some(member);
        self
    }

    /// The same, with members that refer to records of a type.
    #[must_use]
    pub const fn refers(self, refers: &'static [(&'static str, &'static str)]) -> Table {
        Table { refers, ..self }
    }
}

/// The tables of an API.
pub struct Tables {
    /// Its catalogues, and its types.
    pub catalogues: fn() -> &'static Catalogues,
    /// Each of them.
    pub tables: &'static [Table],
    /// Type that customers are shown as.
    pub customer: &'static str,
}

/// What a body asks for.
#[derive(Debug)]
pub struct Asked {
    /// The version it builds on, where it names one.
    pub expect: Expect,
    /// Members, state and references.
    pub wanted: Wanted,
}

/// What is collected while a body is read.
struct Reading {
    tables: &'static Tables,
    problems: Problems,
    references: Vec<Reference>,
}

impl Tables {
    fn schemas(&self) -> &'static Schemas {
        (self.catalogues)().schemas()
    }

    /// What a body of a type asks for. Members that the type does not know or does not let callers
    /// write are ignored, `null` is absence, and an empty text clears.
    ///
    /// # Errors
    /// Every fault: `Malformed` when one is of a wrong type or something is missing, otherwise
    /// `Invalid`.
    pub fn read(
        &'static self,
        table: &'static Table,
        of: &'static str,
        body: &Value,
    ) -> Result<Asked, Failure> {
        let schemas = self.schemas();
        let holds = Holds::Type(of.to_owned());
        let sent = known(schemas, &holds, body);
        let mut reading =
            Reading { tables: self, problems: schemas.check(&holds, &sent), references: vec![] };
        let mut changed = Changed::default();
        for field in schemas.fields(of).iter().filter(|field| is_member(&field.name)) {
            let given = body.get(&field.name).filter(|given| !given.is_null());
            let value = sent.get(&field.name);
            if given.is_none() || field.read_only {
                continue;
            }
            let before = reading.references.len();
            if let Some(value) = value {
                reading.refer(table, field, value);
            }
            let refers = reading.references[before..].iter().map(|r| r.number).collect();
            changed.members.push(Change { name: &field.name, value: value.cloned(), refers });
        }
        changed.state = self.state(table, body, &mut reading.problems);
        let Reading { problems, references, .. } = reading;
        refuse(problems)?;
        let version = sent.get(VERSION).and_then(Value::as_i64);
        let expect = version.map_or(Expect::Any, Expect::Version);
        Ok(Asked { expect, wanted: Wanted { changed, references } })
    }

    /// The state a body asks for. Every record that has states may be asked, also where the type
    /// of the body leaves it out.
    fn state(&self, table: &Table, body: &Value, problems: &mut Problems) -> Option<String> {
        let asked = body.get(STATE).filter(|asked| !asked.is_null())?;
        table.family.states?;
        let field = self.schemas().field(table.of, STATE)?;
        let found = self.schemas().check(&field.holds, asked);
        // Where the type of the body has it, it was checked with the rest.
        if problems.iter().all(|known| known.field != STATE) {
            problems.append(found.renamed(|_| STATE.to_owned()));
        }
        asked.as_str().map(str::to_owned)
    }

    fn target(&'static self, of: &str) -> Option<Target> {
        if of == self.customer {
            return Some(Target::Customer);
        }
        let table = self.tables.iter().find(|table| table.of == of)?;
        Some(Target::Family(&table.family))
    }
}

impl Reading {
    /// Notes what a member of a body refers to, and what of it is not there.
    fn refer(&mut self, table: &Table, field: &'static Field, value: &Value) {
        let named = table.refers.iter().find(|(name, _)| *name == field.name);
        let shown = self.tables.schemas().field(table.of, &field.name);
        let shown = match named {
            Some((_, of)) => Holds::Type((*of).to_owned()),
            None => shown.map_or(Holds::Anything, |field| field.holds.clone()),
        };
        self.follow(&field.name, (&field.name, &shown), value);
    }

    fn follow(&mut self, member: &'static str, (path, shown): (&str, &Holds), value: &Value) {
        match (shown, value) {
            (_, Value::Array(items)) => {
                let inner = if let Holds::List(inner) = shown { inner } else { shown };
                for (n, item) in items.iter().enumerate() {
                    self.follow(member, (&format!("{path}.{n}"), inner), item);
                }
            }
            (Holds::Type(of), Value::Object(members)) => {
                for (name, value) in members {
                    let field = self.tables.schemas().field(of, name);
                    let holds = field.map_or(Holds::Anything, |field| field.holds.clone());
                    self.follow(member, (&format!("{path}.{name}"), &holds), value);
                }
            }
            (Holds::Type(of), Value::Number(number)) => self.point(member, (path, of), number),
            _ => {}
        }
    }

    fn point(
        &mut self,
        member: &'static str,
        (path, of): (&str, &str),
        number: &serde_json::Number,
    ) {
        let catalogue = (self.tables.catalogues)().of(of);
        let is_there = catalogue.is_some_and(|rows| rows.get(&number.to_string()).is_some());
        match (self.tables.target(of), number.as_i64()) {
            _ if is_there => {}
            (Some(target), Some(number)) => {
                self.references.push(Reference { member, target, number });
            }
            _ => self.problems.add(path, Why::Unknown { what: "object" }),
        }
    }
}

/// Whether it is a member of the record, and not something about it.
fn is_member(name: &str) -> bool {
    name != VERSION && name != STATE
}

fn refuse(problems: Problems) -> Result<(), Failure> {
    let is_malformed = |why: &Why| matches!(why, Why::WrongType { .. } | Why::Required);
    match problems.iter().any(|problem| is_malformed(&problem.why)) {
        true => Err(Failure::Malformed(problems)),
        false => Ok(problems.into_result()?),
    }
}

/// What of a value its type knows and callers write: without `null`, and of an object without empty
/// texts. What is of another type is left for the check to find.
fn known(schemas: &Schemas, holds: &Holds, value: &Value) -> Value {
    match (holds, value) {
        (Holds::List(inner), Value::Array(items)) => {
            items.iter().map(|item| known(schemas, inner, item)).collect()
        }
        (Holds::Map(inner), Value::Object(members)) => {
            let given = members.iter().filter(|(_, value)| !value.is_null());
            given.map(|(name, value)| (name.clone(), known(schemas, inner, value))).collect()
        }
        (Holds::Type(of), Value::Object(members)) => match schemas.shape(of) {
            Some(Shape::Object(fields)) => {
                let mut kept = Map::new();
                for field in fields.iter().filter(|field| !field.read_only) {
                    let given = members.get(&field.name);
                    if let Some(given) = given.filter(|given| !given.is_null() && *given != "") {
                        kept.insert(field.name.clone(), known(schemas, &field.holds, given));
                    }
                }
                Value::Object(kept)
            }
            Some(Shape::Words(_)) | None => value.clone(),
        },
        _ => value.clone(),
    }
}
