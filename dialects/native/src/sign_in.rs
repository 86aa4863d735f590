//! Signing in and out: `/v1/sign-in`, `/v1/sign-out`. What comes of it is a session cookie.

use patron_app::sign_in::{
    self, Attempt, passkeys::Authentication, passwords, sessions, sessions::Opened,
};
use patron_gateway::{
    Fields, Member, Reading, Reply, Request,
    browsers::{Cookies, not_from_elsewhere},
};
use patron_model::{Failure, Patch, Why};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{customers::read, second_factor, sessions::standing};

/// Who signs in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PasswordSignIn")]
pub struct PasswordIn {
    /// E-mail address.
    email: Member<String>,
    /// Password, at most 1024 bytes.
    password: Member<String>,
    /// Number of the account the person is managed in, where several have one with the address.
    account: Member<i64>,
}

/// Somebody who signed in. The session is in the cookie that comes with it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SignedIn")]
pub struct SignedInOut {
    /// Number of the person.
    user: i64,
    /// 2: by two factors; 1: by one.
    level: u8,
    /// What every request of the session carries in `Patron-CSRF`.
    csrf: String,
    /// By what a second factor has to be proven before anything may be done, if it has to:
    /// `POST /v1/sign-in/second-factor`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    second_factor: Vec<&'static str>,
    /// When the session is over at the latest; it is an hour after it was last used.
    #[schemars(extend("format" = "date-time"))]
    ends_at: String,
}

/// The body of a call about signing in. It cannot be tried out: that would be a guess.
///
/// # Errors
/// `Forbidden` for pages of other sites; `Malformed`.
pub fn body<T: DeserializeOwned>(request: &Request) -> Result<(T, Fields), Failure> {
    not_from_elsewhere(request, request.cx.app.sign_in_options())?;
    in_earnest(request)?;
    read::body(request, Reading::NullClears)
}

/// Refuses a call about signing in that should only be tried out.
///
/// # Errors
/// `Malformed`.
pub fn in_earnest(request: &Request) -> Result<(), Failure> {
    let with = "a call about signing in, which cannot be tried out";
    let refusal = || Err(Failure::malformed("Prefer", Why::Mismatch { with }));
    if request.cx.dry_run { refusal() } else { Ok(()) }
}

/// A text that must be given.
pub fn required(fields: &mut Fields, name: &str, member: Member<String>) -> String {
    match fields.parse(name, member, Ok) {
        Patch::Set(text) => text,
        Patch::Keep | Patch::Clear => {
            fields.refuse(name, Why::Required);
            String::new()
        }
    }
}

/// The answer to who signed in.
pub fn opened(request: &Request, opened: &Opened) -> Result<Reply, Failure> {
    let Opened { session, token, csrf, device, second_factor } = opened;
    let out = SignedInOut {
        user: session.user,
        level: session.level,
        csrf: csrf.clone(),
        second_factor: second_factor.clone(),
        ends_at: session.ends_at.rfc3339_micros(),
    };
    let reply = Reply::json(200, &out)?;
    Ok(Cookies::of(request.cx.app.sign_in_options()).open(reply, token, device.as_deref()))
}

/// Signs a person in by address and password.
pub async fn by_password(request: Request) -> Result<Reply, Failure> {
    let (sent, mut fields) = body::<PasswordIn>(&request)?;
    let email = required(&mut fields, "email", sent.email);
    let password = required(&mut fields, "password", sent.password);
    fields.finish()?;
    let device = Cookies::of(request.cx.app.sign_in_options()).device(&request);
    let account = sent.account.value();
    let attempt = Attempt { email: &email, password: &password, account, device };
    opened(&request, &sign_in::by_password(&request.cx, attempt).await?)
}

/// A password of the person who asks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "OwnPassword")]
pub struct OwnPasswordIn {
    /// The password, at most 1024 bytes; a new one has at least 15 characters, 8 beside codes of an
    /// app.
    password: Member<String>,
}

/// A proof of the person who asks: one of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "StepUp")]
pub struct StepUpIn {
    /// The password.
    password: Member<String>,
    /// The code that the person's app shows.
    code: Member<String>,
    /// A recovery code, which is good once.
    recovery_code: Member<String>,
    /// What the browser answered to the options of `POST /v1/step-up/passkey/options`
    /// (`PublicKeyCredential.toJSON()`).
    passkey: Member<Authentication>,
}

fn own_password(request: &Request) -> Result<String, Failure> {
    let (sent, mut fields) = body::<OwnPasswordIn>(request)?;
    let password = required(&mut fields, "password", sent.password);
    fields.finish()?;
    Ok(password)
}

/// Lets the person who asks prove once more who they are.
pub async fn step_up(request: Request) -> Result<Reply, Failure> {
    let (caller, _) = standing(&request)?;
    let (sent, mut fields) = body::<StepUpIn>(&request)?;
    let typed = fields.parse("password", sent.password, Ok);
    let proof = second_factor::proof(&mut fields, sent.code, sent.recovery_code, sent.passkey);
    let proven = match (typed, proof) {
        (Patch::Set(password), None) => {
            fields.finish()?;
            let device = Cookies::of(request.cx.app.sign_in_options()).device(&request);
            sign_in::step_up(&request.cx, caller, &password, device).await?
        }
        (Patch::Keep | Patch::Clear, Some(proof)) => {
            fields.finish()?;
            second_factor::prove_by(&request, &proof).await?
        }
        (Patch::Set(_), Some(_)) | (Patch::Keep | Patch::Clear, None) => {
            let expected = "one proof: password, code or passkey";
            fields.refuse("password", Why::Malformed { expected });
            fields.finish()?;
            return Err(Failure::invalid("password", Why::Required));
        }
    };
    opened(&request, &proven)
}

/// Sets the password of the person who asks.
pub async fn set_password(request: Request) -> Result<Reply, Failure> {
    let (caller, _) = standing(&request)?;
    let password = own_password(&request)?;
    let device = passwords::change_own(&request.cx, caller, &password).await?;
    Ok(Cookies::of(request.cx.app.sign_in_options()).know(Reply::empty(204), &device))
}

/// Ends the session that asks.
pub async fn out(request: Request) -> Result<Reply, Failure> {
    let (caller, standing) = standing(&request)?;
    let id = patron_app::Id::Number(standing.session);
    sessions::end(&request.cx, &caller.user, id).await?;
    Ok(Cookies::of(request.cx.app.sign_in_options()).end(Reply::empty(204)))
}
