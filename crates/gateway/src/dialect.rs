//! What an API says of itself. A struct of functions: it sits in a `static`, is listed in one array,
//! and needs no generics anywhere else.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use patron_app::{Caller, keys::NewSecret, sign_in::Standing, webhooks::notifier::Notifier};
use patron_model::{
    Failure, Permissions, Problems, Timestamp, Why,
    card::contains_number,
    space::{Key, Role, Space},
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    door::Door,
    operation::{Access, Operation},
};

/// An API over the common record.
pub struct Dialect {
    /// Where it answers, and how a request goes through.
    pub door: Door,
    /// What people call it.
    pub title: &'static str,
    /// What it is for, in a sentence or two.
    pub about: &'static str,
    /// Security schemes of the description (OpenAPI `securitySchemes`).
    pub security: fn() -> Value,
    /// Schema of its error bodies.
    pub error_schema: crate::operation::SchemaFn,
    /// Media type of its error bodies.
    pub error_media: &'static str,
    /// How its keys look.
    pub credentials: Credentials,
    /// How it shows a customer.
    pub customer: CustomerShape,
    /// How it tells webhook endpoints what happened, where it has a form for that.
    pub webhooks: Option<&'static Notifier>,
}

/// How an API shows a customer: where one is read, and where in the answer each of our fields is.
#[derive(Debug, Clone, Copy)]
pub struct CustomerShape {
    /// The operation that reads one, by its id.
    pub read: &'static str,
    /// Its path and query for a customer, by number and UUID.
    pub path: fn(i64, Uuid) -> String,
    /// JSON pointer of the customer in the answer.
    pub root: &'static str,
    /// Our fields, those of addresses as `billing.city`, and their JSON pointers below the root. A
    /// field that is missing here is kept, not shown.
    pub fields: &'static [(&'static str, &'static str)],
}

impl CustomerShape {
    /// Where one of our fields stands in the customer.
    pub fn pointer(&self, field: &str) -> Option<&'static str> {
        self.fields.iter().find(|(own, _)| *own == field).map(|(_, pointer)| *pointer)
    }
}

/// Headers of a signed request: names and values.
pub type SignedHeaders = Vec<(&'static str, String)>;

/// Who asks, and in which space.
#[derive(Debug)]
pub struct Claim {
    /// The caller.
    pub caller: Arc<Caller>,
    /// Space of the request; 0 when the operation is not bound to one or finds it later.
    pub space: i64,
    /// What its token was asked for: it may do nothing else.
    pub(crate) cut: Permissions,
    /// The header that would name a space, where one must and none does.
    unplaced: Option<&'static str>,
}

impl Claim {
    /// The claim of a key's holder, with all the rights of the key.
    pub fn new(caller: Arc<Caller>, space: i64) -> Claim {
        Claim { caller, space, cut: Permissions::ALL, unplaced: None }
    }

    /// The claim of a person who works in no space: what is done in one must name it, by this
    /// header.
    pub fn unplaced(caller: Arc<Caller>, header: &'static str) -> Claim {
        Claim { unplaced: Some(header), ..Claim::new(caller, 0) }
    }

    /// The same with no more rights than these: those a token was asked for.
    #[must_use]
    pub fn cut(self, to: Permissions) -> Claim {
        Claim { cut: self.cut.and(to), ..self }
    }

    /// Lets a request in that may do what its operation asks for.
    ///
    /// # Errors
    /// `Forbidden`; `Malformed` where a space should be named; `StepUp` for a person who must prove
    /// once more, or by a second factor, who they are.
    pub(crate) fn admit(&self, operation: &Operation, now: Timestamp) -> Result<(), Failure> {
        let needs_space = !operation.is_for_deployment
            && matches!(operation.access, Access::Needs(_) | Access::NeedsAny(_));
        if let Some(header) = self.unplaced.filter(|_| needs_space) {
            return Err(Failure::malformed(header, Why::Required));
        }
        let rights = self.rights(operation.is_for_deployment);
        operation.access.admits(rights).map_err(|refused| {
            let space = (!operation.is_for_deployment).then_some(self.space);
            let besides = self.caller.withheld_in(space).and(self.cut);
            let is_withheld = operation.access.admits(rights.or(besides)).is_ok();
            self.caller.unless_withheld(refused, is_withheld)
        })?;
        match &self.caller.person {
            None if operation.access == Access::Own => Err(Failure::Forbidden),
            Some(person) if must_prove(person, operation, now) => {
                Err(Failure::StepUp { methods: person.methods.clone() })
            }
            None | Some(_) => Ok(()),
        }
    }

    /// What the request may do where it works; at some place or other, for what is done to records
    /// of the deployment, whose place is known when they are.
    pub(crate) fn rights(&self, is_for_deployment: bool) -> Permissions {
        let held = match is_for_deployment {
            true => self.caller.principal.anywhere(),
            false => self.caller.rights_in(self.space),
        };
        held.and(self.cut)
    }
}

/// Whether an operation asks for more than a person has proven: lately, or at all.
fn must_prove(person: &Standing, operation: &Operation, now: Timestamp) -> bool {
    let is_own = operation.access == Access::Own && !operation.takes_half_a_proof;
    let is_half = is_own && !person.second_factor.is_empty();
    is_half || (operation.wants_proof && person.proven_until <= now)
}

/// Roles of keys for which none is named.
#[derive(Debug, Clone, Copy)]
pub struct KeyRoles {
    /// Of the key that a new space gets.
    pub first: Role,
    /// Of further keys: the least that is of use.
    pub later: Role,
}

impl KeyRoles {
    /// Of an API whose every operation an integration needs, and that manages nothing.
    pub const INTEGRATION: KeyRoles =
        KeyRoles { first: Role::Integration, later: Role::Integration };
}

/// How a dialect's keys are made, shown and tried out.
pub struct Credentials {
    /// Roles of keys for which none is named.
    pub roles: KeyRoles,
    /// Whether a rotated key keeps its public half, because it is the name of a user whose several
    /// secrets may be good at once.
    pub keeps_user: bool,
    /// The well-known key of the sandbox.
    pub sandbox: fn() -> Minted,
    /// What a space can switch for this API; nothing else is taken.
    pub switches: &'static [Switch],
    /// What the sandbox's space has switched for this API; `null` for nothing.
    pub sandbox_switches: fn() -> Value,
    /// A new random key.
    pub mint: fn() -> Minted,
    /// How a key is shown, once: the dialect's part of the printed credentials.
    pub show: fn(&Shown<'_>) -> Value,
    /// Headers that authenticate a request with shown credentials.
    pub sign: fn(&SignRequest<'_>) -> Result<SignedHeaders, Failure>,
    /// Commands to try it out: method, target, body.
    pub examples: fn(&Value) -> Vec<Example>,
    /// How a request is signed in, for people.
    pub sign_in: SignIn,
}

/// How a request is signed in: the smallest program in each language that makes one. `{{name}}`
/// stands for a member of the shown credentials, `{{base_url}}` for where the server answers, and
/// `{{target}}` for what is read.
#[derive(Debug, Clone, Copy)]
pub struct SignIn {
    /// What a request carries, as Markdown.
    pub about: &'static str,
    /// Path and query of what the programs read, where nothing else is asked for.
    pub target: &'static str,
    /// For a shell, by curl and what every system has.
    pub curl: &'static str,
    /// In Python, by its standard library.
    pub python: &'static str,
    /// In JavaScript, as a module for Node, by what it has built in.
    pub javascript: &'static str,
}

impl SignIn {
    /// The programs with what people call their languages, for a target or the usual one. Without
    /// credentials their members are named in capital letters.
    pub fn programs(
        &self,
        base_url: &str,
        target: Option<&str>,
        own: Option<&Value>,
    ) -> [(&'static str, String); 3] {
        let SignIn { about: _, target: usual, curl, python, javascript } = self;
        let target = target.unwrap_or(usual);
        [("curl", curl), ("Python", python), ("JavaScript", javascript)].map(
            |(language, program)| {
                (language, filled(&program.replace("{{target}}", target), base_url, own))
            },
        )
    }
}

/// A program with what `{{name}}` stands for in it.
fn filled(program: &str, base_url: &str, own: Option<&Value>) -> String {
    let mut text = String::with_capacity(program.len());
    let mut parts = program.split("{{");
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (name, rest) = part.split_once("}}").unwrap_or((part, ""));
        match (name, own.map(|own| &own[name])) {
            ("base_url", _) => text.push_str(base_url),
            (_, Some(Value::String(value))) => text.push_str(value),
            (_, Some(value)) => text.push_str(&value.to_string()),
            (name, None) => text.extend(["YOUR_", &name.to_ascii_uppercase()]),
        }
        text.push_str(rest);
    }
    text
}

/// Something that a space can switch for an API.
#[derive(Debug, Clone, Copy)]
pub struct Switch {
    /// Its name among the switches of the API.
    pub name: &'static str,
    /// The values it takes, in words.
    pub takes: &'static str,
    /// Whether a value is one of them.
    pub accepts: fn(&Value) -> bool,
}

impl Deref for Dialect {
    type Target = Door;
    fn deref(&self) -> &Door {
        &self.door
    }
}

impl Dialect {
    /// Looks whether all of these are switches of this API with values they take.
    pub fn check_switches(&self, sent: &Value, problems: &mut Problems) {
        let at = format!("dialects.{}", self.name);
        let members = match sent {
            // Removes them all.
            Value::Null => return,
            Value::Object(members) => members,
            _ => return problems.add(at, Why::WrongType { expected: "an object" }),
        };
        let switches = self.credentials.switches;
        for (name, value) in members {
            let field = format!("{at}.{name}");
            match switches.iter().find(|switch| switch.name == name) {
                None => {
                    let known = switches.iter().map(|switch| switch.name);
                    problems.add(field, Why::unknown_field(name, known));
                }
                Some(switch) if !value.is_null() && !(switch.accepts)(value) => {
                    problems.add(field, Why::Malformed { expected: switch.takes });
                }
                Some(_) => {}
            }
        }
    }
}

/// A key as it was made.
#[derive(Debug)]
pub struct Minted {
    /// Public half; the key's number when none.
    pub handle: Option<String>,
    /// Secret half, as it is kept.
    pub secret: NewSecret,
    /// What is shown once: the secret half; both halves where neither is kept as it is.
    pub shown: String,
}

/// What is known when a key is shown.
#[derive(Debug)]
pub struct Shown<'a> {
    /// Where the server answers, without trailing slash.
    pub base_url: &'a str,
    /// Space of the key.
    pub space: &'a Space,
    /// The key.
    pub key: &'a Key,
    /// What is shown once, as it was minted.
    pub secret: &'a str,
}

/// A request to be signed.
#[derive(Debug)]
pub struct SignRequest<'a> {
    /// The dialect's part of the printed credentials.
    pub credentials: &'a Value,
    /// Method in upper case.
    pub method: &'a str,
    /// Path and query as they will be on the request line.
    pub target: &'a str,
    /// Body.
    pub body: &'a str,
    /// The moment of signing.
    pub now: Timestamp,
}

/// A call that shows the API at work.
#[derive(Debug, Clone)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// Method.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// JSON body.
    pub body: Option<String>,
    /// Whether the signature depends on the request, so that it must be made for each call.
    pub signed: bool,
}

/// Routes by the path exactly as it is.
pub fn exact(path: &str) -> Cow<'_, str> {
    Cow::Borrowed(path)
}

/// A random token with a prefix: `bytes` random bytes in hexadecimal. About one in a thousand has a
/// run of digits like a card number and could never be sent in a body; such a one is drawn again.
pub fn random_token(prefix: &str, bytes: usize) -> String {
    loop {
        let token = drawn_token(prefix, bytes);
        if !contains_number(&token) {
            return token;
        }
    }
}

fn drawn_token(prefix: &str, bytes: usize) -> String {
    let random: [u8; 32] = patron_app::secrets::hmac_sha256(
        uuid::Uuid::new_v4().as_bytes(),
        uuid::Uuid::new_v4().as_bytes(),
    );
    format!("{prefix}{}", hex::encode(&random[..bytes.min(random.len())]))
}
