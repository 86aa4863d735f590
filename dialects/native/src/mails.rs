//! The tray of a sandbox: `/v1/sandbox/mails`, mails that would have been sent. Whoever reads them
//! can become whom they are for, so it takes owning their accounts.

use patron_app::{
    Id,
    mails::{self, Shown, TRAY_MAX},
    places,
    search::{Filter, fields::mail as fields},
};
use patron_gateway::{Reply, Request};
use patron_model::{Failure, Noun, Permission};
use schemars::JsonSchema;
use serde::Serialize;

use crate::customers::show::ListOut;

/// A mail that would have been sent.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Mail")]
pub struct MailOut {
    /// UUID.
    id: uuid::Uuid,
    /// Number.
    number: i64,
    /// Number of the account it is about.
    account: i64,
    /// Number of the person it is for.
    user: i64,
    /// What it is about: `invitation`, `password_reset`, `new_address`, …
    about: &'static str,
    /// Address that it would go to.
    to: String,
    /// Subject.
    subject: &'static str,
    /// What it says.
    text: String,
    /// The page that it leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// When it was written.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
}

fn shown(request: &Request, shown: Shown) -> MailOut {
    let Shown { mail, letter } = shown;
    let base_url = &request.cx.app.sign_in_options().base_url;
    let text = letter.message.text(base_url);
    MailOut {
        id: mail.uuid,
        number: mail.number,
        account: mail.account,
        user: mail.user,
        about: letter.message.word(),
        to: letter.to,
        subject: text.subject,
        text: text.body,
        link: letter.message.link(base_url),
        created_at: mail.made_at.rfc3339_micros(),
    }
}

/// Mails about accounts that the caller owns.
async fn within(request: &Request) -> Result<Filter, Failure> {
    let reach = places::reach(&request.cx, Permission::AccessOwn).await?;
    Ok(reach.in_accounts(fields::account()))
}

/// The mails in the tray, the newest first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let limit = u32::try_from(TRAY_MAX).unwrap_or(u32::MAX);
    let all = mails::list(&request.cx, within(&request).await?, limit).await?;
    let data = all.into_iter().map(|one| shown(&request, one)).collect();
    let list = ListOut::<MailOut> { data, has_more: false, next_cursor: None, total: None };
    Ok(Reply::json(200, &list)?.with("cache-control", "no-store"))
}

/// One of them.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let cx = &request.cx;
    let mail = mails::get(cx, Id::parse(request.param("mail"), Noun::Mail)?).await?;
    let place = places::account(&cx.app, mail.mail.account).await?;
    let unknown = |_| Failure::NotFound { noun: Noun::Mail };
    cx.may_at(Permission::AccessOwn, &place).map_err(unknown)?;
    Ok(Reply::json(200, &shown(&request, mail))?.with("cache-control", "no-store"))
}

/// Empties the tray.
pub async fn empty(request: Request) -> Result<Reply, Failure> {
    mails::empty(&request.cx, within(&request).await?).await?;
    Ok(Reply::empty(204))
}
