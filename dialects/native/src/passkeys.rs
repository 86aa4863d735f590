//! Passkeys: `/v1/me/passkeys`, and signing in by one.

use patron_app::{
    Id,
    sign_in::passkeys::{self, Authentication, Passkey, Person, Registration},
};
use patron_gateway::{
    Fields, Member, Reading, Reply, Request,
    browsers::{Cookies, not_from_elsewhere},
};
use patron_model::{Failure, Noun, Patch, Timestamp, Why, text::Name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    conditions,
    customers::{read, show::ListOut},
    sessions::standing,
    sign_in,
};

/// A passkey of the person who asks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Passkey")]
pub struct PasskeyOut<'a> {
    /// UUID.
    id: uuid::Uuid,
    /// Number.
    number: i64,
    /// What the person calls it.
    name: &'a str,
    /// Whether it may be on several devices.
    synced: bool,
    /// Whether it is.
    backed_up: bool,
    /// Counts the changes of its name, from 1.
    version: i64,
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When the person last signed in by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    used_at: Option<String>,
}

impl<'a> PasskeyOut<'a> {
    fn of(passkey: &'a Passkey) -> Self {
        PasskeyOut {
            id: passkey.uuid,
            number: passkey.number,
            name: passkey.name.as_str(),
            synced: passkey.is_eligible,
            backed_up: passkey.is_backed_up,
            version: passkey.version,
            created_at: passkey.created_at.rfc3339_micros(),
            used_at: passkey.used_at.map(Timestamp::rfc3339_micros),
        }
    }
}

/// A passkey that a browser has made.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PasskeyInput")]
pub struct PasskeyIn {
    /// What the person calls it.
    name: Member<String>,
    /// What the browser answered (`PublicKeyCredential.toJSON()`).
    credential: Member<Registration>,
}

/// Another name for a passkey.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PasskeyName")]
pub struct PasskeyName {
    /// What the person calls it.
    name: Member<String>,
}

/// A passkey that was used.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PasskeySignIn")]
pub struct PasskeySignIn {
    /// What the browser answered (`PublicKeyCredential.toJSON()`).
    credential: Member<Authentication>,
}

fn id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("passkey"), Noun::Passkey)
}

fn shown(status: u16, passkey: &Passkey) -> Result<Reply, Failure> {
    let reply = Reply::json(status, &PasskeyOut::of(passkey))?;
    Ok(reply.with("etag", conditions::tag(passkey.version)))
}

/// A member that must be given.
fn given<T>(fields: &mut Fields, name: &str, member: Member<T>) -> Option<T> {
    match fields.parse(name, member, Ok) {
        Patch::Set(value) => Some(value),
        Patch::Keep | Patch::Clear => {
            fields.refuse(name, Why::Required);
            None
        }
    }
}

/// A name that must be given.
fn name(fields: &mut Fields, member: Member<String>) -> Option<Name> {
    match fields.text("name", member, Name::parse) {
        Patch::Set(name) => Some(name),
        Patch::Keep | Patch::Clear => {
            fields.refuse("name", Why::Required);
            None
        }
    }
}

/// What the browser of the person who asks makes a passkey from.
pub async fn options(request: Request) -> Result<Reply, Failure> {
    let (caller, standing) = standing(&request)?;
    let person = Person { user: &caller.user, standing };
    let options = passkeys::creation(&request.cx, person).await?;
    Ok(Reply::json(200, &options)?.with("cache-control", "no-store"))
}

/// A new passkey of the person who asks.
pub async fn create(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = sign_in::body::<PasskeyIn>(&request)?;
    let name = name(&mut fields, body.name);
    let made = given(&mut fields, "credential", body.credential);
    fields.finish()?;
    let (Some(name), Some(made)) = (name, made) else {
        return Err(Failure::invalid("credential", Why::Required));
    };
    let (caller, standing) = standing(&request)?;
    let person = Person { user: &caller.user, standing };
    let passkey = passkeys::add(&request.cx, person, &name, &made).await?;
    Ok(shown(201, &passkey)?.with("location", format!("/v1/me/passkeys/{}", passkey.number)))
}

/// The passkeys of the person who asks, the oldest first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (caller, _) = standing(&request)?;
    let all = passkeys::list(&request.cx, caller.user.number).await?;
    let data: Vec<_> = all.iter().map(|passkey| PasskeyOut::of(&passkey.record)).collect();
    Reply::json(200, &ListOut { data, has_more: false, next_cursor: None, total: None })
}

/// One passkey of the person who asks.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let (caller, _) = standing(&request)?;
    let passkey = passkeys::get(&request.cx, caller.user.number, id(&request)?).await?;
    shown(200, &passkey)
}

/// Calls a passkey of the person who asks something else.
pub async fn rename(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = read::body::<PasskeyName>(&request, Reading::NullClears)?;
    let name = name(&mut fields, body.name);
    fields.finish()?;
    let name = name.ok_or_else(|| Failure::invalid("name", Why::Required))?;
    let (caller, _) = standing(&request)?;
    shown(200, &passkeys::rename(&request.cx, &caller.user, id(&request)?, &name).await?)
}

/// Removes a passkey of the person who asks.
pub async fn remove(request: Request) -> Result<Reply, Failure> {
    let (caller, standing) = standing(&request)?;
    let person = Person { user: &caller.user, standing };
    passkeys::remove(&request.cx, person, id(&request)?).await?;
    Ok(Reply::empty(204))
}

/// What any browser signs somebody in by.
pub async fn request_options(request: Request) -> Result<Reply, Failure> {
    let options = request.cx.app.sign_in_options();
    not_from_elsewhere(&request, options)?;
    let browser = passkeys::new_browser();
    let asked = passkeys::request(&request.cx, &browser)?;
    let reply = Reply::json(200, &asked)?.with("cache-control", "no-store");
    Ok(Cookies::of(options).begin(reply, &browser))
}

/// What the person who asks proves by, once more or as the second factor.
pub async fn options_again(request: Request) -> Result<Reply, Failure> {
    let (caller, standing) = standing(&request)?;
    let person = Person { user: &caller.user, standing };
    let asked = passkeys::request_again(&request.cx, person).await?;
    Ok(Reply::json(200, &asked)?.with("cache-control", "no-store"))
}

/// Signs a person in by a passkey.
pub async fn by_passkey(request: Request) -> Result<Reply, Failure> {
    let (body, mut fields) = sign_in::body::<PasskeySignIn>(&request)?;
    let used = given(&mut fields, "credential", body.credential);
    fields.finish()?;
    let used = used.ok_or_else(|| Failure::invalid("credential", Why::Required))?;
    let cookies = Cookies::of(request.cx.app.sign_in_options());
    let browser = cookies.flow(&request).unwrap_or_default();
    let device = cookies.device(&request);
    let opened = passkeys::sign_in(&request.cx, browser, device, &used).await?;
    Ok(cookies.done(sign_in::opened(&request, &opened)?))
}
