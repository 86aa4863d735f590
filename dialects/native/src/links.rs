//! What is done by links that are mailed: invitations, another password, another address. What a
//! link holds comes in a body and never in a path, which would be logged.

use patron_app::sign_in::{approvals, invitations, moves, passkeys, resets};
use patron_gateway::{Fields, Member, Reply, Request, browsers::Cookies};
use patron_model::{Failure, Patch, Why, email::Email};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    sessions::standing,
    sign_in::{body, in_earnest, required},
    users,
};

/// What a link holds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "LinkToken")]
pub struct TokenIn {
    /// What stands behind the `#` of the link.
    token: Member<String>,
}

/// What a link holds, and a password.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "LinkPassword")]
pub struct TokenPasswordIn {
    /// What stands behind the `#` of the link.
    token: Member<String>,
    /// The password: at least 15 characters, at most 1024 bytes.
    password: Member<String>,
}

/// Who forgot a password.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ForgottenPassword")]
pub struct ForgottenIn {
    /// E-mail address.
    email: Member<String>,
    /// Number of the account the person is managed in, where several have one with the address.
    account: Member<i64>,
}

/// Another address of the person who asks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "OwnEmail")]
pub struct OwnEmailIn {
    /// E-mail address, at most 128 characters.
    email: Member<String>,
}

/// An invitation, as who is invited sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Invitation")]
pub struct InvitationOut {
    /// The address that is invited.
    email: String,
    /// Name of the account.
    account: String,
    /// Until when it can be accepted.
    #[schemars(extend("format" = "date-time"))]
    expires_at: String,
}

/// What became of an invitation.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Invited")]
pub struct InvitedOut {
    /// Whether it is mailed.
    mailed: bool,
    /// Where it is accepted, where no mails are sent: hand it to the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation_url: Option<String>,
}

fn cookies(request: &Request) -> Cookies {
    Cookies::of(request.cx.app.sign_in_options())
}

/// Shows an invitation to the browser that opens it, which alone can accept it from then on.
pub async fn look(request: Request) -> Result<Reply, Failure> {
    let (sent, mut fields) = body::<TokenIn>(&request)?;
    let token = required(&mut fields, "token", sent.token);
    fields.finish()?;
    let cookies = cookies(&request);
    let own = passkeys::new_browser();
    let shown = invitations::look(&request.cx, &token, cookies.link(&request), &own).await?;
    let seconds = shown.expires_at.seconds() - request.now.seconds();
    let out = InvitationOut {
        email: shown.email,
        account: shown.account,
        expires_at: shown.expires_at.rfc3339_micros(),
    };
    let reply = Reply::json(200, &out)?.with("cache-control", "no-store");
    Ok(cookies.open_link(reply, &own, seconds))
}

fn with_password(request: &Request) -> Result<(String, String), Failure> {
    let (sent, mut fields) = body::<TokenPasswordIn>(request)?;
    let token = required(&mut fields, "token", sent.token);
    let password = required(&mut fields, "password", sent.password);
    fields.finish()?;
    Ok((token, password))
}

/// Accepts an invitation.
pub async fn accept(request: Request) -> Result<Reply, Failure> {
    let (token, password) = with_password(&request)?;
    let cookies = cookies(&request);
    let browser = cookies.link(&request);
    let device = invitations::accept(&request.cx, &token, browser, &password).await?;
    Ok(cookies.know(cookies.end_link(Reply::empty(204)), &device))
}

/// Mails a link for another password to whoever has an address, and tells nobody whether it did.
pub async fn forgot(request: Request) -> Result<Reply, Failure> {
    let (sent, mut fields) = body::<ForgottenIn>(&request)?;
    let email = required(&mut fields, "email", sent.email);
    fields.finish()?;
    resets::ask(&request.cx, &email, sent.account.value())?;
    Ok(Reply::empty(202))
}

/// Sets another password by a link.
pub async fn reset(request: Request) -> Result<Reply, Failure> {
    let (token, password) = with_password(&request)?;
    let cookies = cookies(&request);
    let browser = cookies.link(&request);
    let device = resets::reset(&request.cx, &token, browser, &password).await?;
    Ok(cookies.know(Reply::empty(204), &device))
}

fn email(fields: &mut Fields, member: Member<String>) -> Option<Email> {
    match fields.text("email", member, Email::parse) {
        Patch::Set(email) => Some(email),
        Patch::Keep | Patch::Clear => {
            fields.refuse("email", Why::Required);
            None
        }
    }
}

/// Mails a link to another address of the person who asks.
pub async fn change_email(request: Request) -> Result<Reply, Failure> {
    let (caller, _) = standing(&request)?;
    let (sent, mut fields) = body::<OwnEmailIn>(&request)?;
    let email = email(&mut fields, sent.email);
    fields.finish()?;
    let email = email.ok_or_else(|| Failure::invalid("email", Why::Required))?;
    moves::ask(&request.cx, caller, &email).await?;
    Ok(Reply::empty(202))
}

/// Confirms an address by the link that was mailed to it.
pub async fn confirm_email(request: Request) -> Result<Reply, Failure> {
    let (sent, mut fields) = body::<TokenIn>(&request)?;
    let token = required(&mut fields, "token", sent.token);
    fields.finish()?;
    moves::confirm(&request.cx, &token, cookies(&request).link(&request)).await?;
    Ok(Reply::empty(204))
}

/// Makes the browser a known one, by the link that its person was mailed.
pub async fn approve(request: Request) -> Result<Reply, Failure> {
    let (sent, mut fields) = body::<TokenIn>(&request)?;
    let token = required(&mut fields, "token", sent.token);
    fields.finish()?;
    let cookies = cookies(&request);
    let device = approvals::approve(&request.cx, &token, cookies.link(&request)).await?;
    Ok(cookies.know(Reply::empty(204), &device))
}

/// Invites a person once more.
pub async fn invite(request: Request) -> Result<Reply, Failure> {
    in_earnest(&request)?;
    let user = invitations::again(&request.cx, users::id(&request)?).await?;
    let invitation_url = invitations::handed_over(&request.cx, &user).await?;
    let out = InvitedOut { mailed: invitation_url.is_none(), invitation_url };
    Ok(Reply::json(200, &out)?.with("cache-control", "no-store"))
}

/// Mails a link for another password to a person.
pub async fn reset_of_user(request: Request) -> Result<Reply, Failure> {
    in_earnest(&request)?;
    resets::send(&request.cx, users::id(&request)?).await?;
    Ok(Reply::empty(202))
}
