//! The second factor: `/v1/me/totp`, `/v1/me/recovery-codes`, and proving it.

use patron_app::{
    places,
    sign_in::{
        passkeys::{self, Authentication, Person},
        second::{self, Typed},
        sessions::Opened,
    },
    users,
};
use patron_gateway::{Fields, Member, Reply, Request, browsers::Cookies};
use patron_model::{Failure, Noun, Permission, Why, user::UserKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    sessions::standing,
    sign_in::{body, in_earnest, opened, required},
    users::id as user_id,
};

/// A secret for an app that shows codes. It is shown once, and in force once it is confirmed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Totp")]
pub struct TotpOut {
    /// The secret, 160 bits in base32: SHA-1, six digits, thirty seconds.
    secret: String,
    /// The same as an app reads it from a picture.
    url: String,
    /// Until when `POST /v1/me/totp/confirm` takes a code of it.
    #[schemars(extend("format" = "date-time"))]
    confirm_until: String,
}

/// A code of an app.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TotpCode")]
pub struct CodeIn {
    /// The six digits that the app shows.
    code: Member<String>,
}

/// A second factor: one of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "SecondFactor")]
pub struct SecondFactorIn {
    /// The six digits that the app shows.
    code: Member<String>,
    /// A recovery code, which is good once.
    recovery_code: Member<String>,
    /// What the browser answered to the options of `POST /v1/step-up/passkey/options`
    /// (`PublicKeyCredential.toJSON()`).
    passkey: Member<Authentication>,
}

/// Recovery codes, shown once.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RecoveryCodes")]
pub struct RecoveryCodesOut {
    /// Ten codes; each is good once in place of a code of the app.
    recovery_codes: Vec<String>,
}

/// A proof beside a password.
#[derive(Debug)]
pub enum Proof {
    /// A code of an app, or a recovery code.
    Typed(Typed),
    /// A passkey that was used.
    Passkey(Box<Authentication>),
}

/// The proof that is given, one at most.
pub fn proof(
    fields: &mut Fields,
    code: Member<String>,
    recovery_code: Member<String>,
    passkey: Member<Authentication>,
) -> Option<Proof> {
    let code = fields.parse("code", code, Ok).apply(None);
    let recovery_code = fields.parse("recovery_code", recovery_code, Ok).apply(None);
    let passkey = fields.parse("passkey", passkey, Ok).apply(None);
    let given = [
        ("code", code.map(|code| Proof::Typed(Typed::Code(code)))),
        ("recovery_code", recovery_code.map(|code| Proof::Typed(Typed::Recovery(code)))),
        ("passkey", passkey.map(|used| Proof::Passkey(Box::new(used)))),
    ];
    let mut given = given.into_iter().filter_map(|(name, proof)| Some((name, proof?)));
    let first = given.next().map(|(_, proof)| proof);
    for (name, _) in given {
        fields.refuse(name, Why::Malformed { expected: "given where no other proof is" });
    }
    first
}

/// Lets the person who asks prove it.
///
/// # Errors
/// Whatever the proof says.
pub async fn prove_by(request: &Request, proof: &Proof) -> Result<Opened, Failure> {
    let (caller, standing) = standing(request)?;
    let device = Cookies::of(request.cx.app.sign_in_options()).device(request);
    match proof {
        Proof::Typed(typed) => second::prove(&request.cx, caller, typed, device).await,
        Proof::Passkey(used) => {
            let person = Person { user: &caller.user, standing };
            passkeys::prove(&request.cx, person, device, used).await
        }
    }
}

/// A new secret for the app of the person who asks.
pub async fn begin(request: Request) -> Result<Reply, Failure> {
    in_earnest(&request)?;
    let (caller, _) = standing(&request)?;
    let begun = second::begin(&request.cx, caller).await?;
    let confirm_until = begun.until.rfc3339_micros();
    let out = TotpOut { secret: begun.secret, url: begun.url, confirm_until };
    Ok(Reply::json(200, &out)?.with("cache-control", "no-store"))
}

/// Puts it in force.
pub async fn confirm(request: Request) -> Result<Reply, Failure> {
    let (sent, mut fields) = body::<CodeIn>(&request)?;
    let code = required(&mut fields, "code", sent.code);
    fields.finish()?;
    let (caller, _) = standing(&request)?;
    opened(&request, &second::confirm(&request.cx, caller, &code).await?)
}

/// Removes the second factor of the person who asks.
pub async fn remove(request: Request) -> Result<Reply, Failure> {
    let (caller, _) = standing(&request)?;
    let device = second::remove(&request.cx, caller).await?;
    let reply = Reply::empty(204);
    if request.cx.dry_run {
        return Ok(reply);
    }
    Ok(Cookies::of(request.cx.app.sign_in_options()).know(reply, &device))
}

/// New recovery codes of the person who asks.
pub async fn recovery_codes(request: Request) -> Result<Reply, Failure> {
    in_earnest(&request)?;
    let (caller, _) = standing(&request)?;
    let (recovery_codes, device) = second::recover_by(&request.cx, caller).await?;
    let reply = Reply::json(200, &RecoveryCodesOut { recovery_codes })?;
    let cookies = Cookies::of(request.cx.app.sign_in_options());
    Ok(cookies.know(reply.with("cache-control", "no-store"), &device))
}

/// Proves the second factor of the person who asks.
pub async fn prove(request: Request) -> Result<Reply, Failure> {
    let (sent, mut fields) = body::<SecondFactorIn>(&request)?;
    let proof = proof(&mut fields, sent.code, sent.recovery_code, sent.passkey);
    fields.finish()?;
    let proof = proof.ok_or_else(|| Failure::invalid("code", Why::Required))?;
    opened(&request, &prove_by(&request, &proof).await?)
}

/// Removes all second factors of another person.
pub async fn remove_of_user(request: Request) -> Result<Reply, Failure> {
    let cx = &request.cx;
    let user = users::get(cx, user_id(&request)?).await?;
    cx.may_at(Permission::PersonWrite, &places::account(&cx.app, user.account).await?)?;
    users::may_stand_for(cx, &user).await?;
    match user.kind {
        UserKind::Human => second::remove_all(cx, &user).await?,
        UserKind::Application => return Err(Failure::NotFound { noun: Noun::User }),
    }
    Ok(Reply::empty(204))
}
