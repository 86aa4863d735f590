//! What the links in mails lead to. Opening one does nothing, because programs that look through
//! mails open links too. What a link holds stands behind its `#`, which browsers send to nobody:
//! the script puts it into the form, and without script the person does.

use std::collections::HashMap;

use askama::Template;
use patron_gateway::{Operation, Reply};
use patron_model::Failure;
use serde_json::json;

use super::doors::status;
use crate::{
    form,
    frame::Frame,
    guard,
    operations::Table,
    page::{self, Page},
};

/// What a link is for.
#[derive(Clone, Copy)]
struct Kind {
    path: &'static str,
    word: &'static str,
    operation: &'static str,
    has_password: bool,
    next: &'static str,
}

const INVITE: Kind = Kind {
    path: "/invite",
    word: "invite",
    operation: "accept_invitation",
    has_password: true,
    next: "/sign-in?done=invite",
};
const RESET: Kind = Kind {
    path: "/reset",
    word: "reset",
    operation: "reset_password",
    has_password: true,
    next: "/sign-in?done=reset",
};
const EMAIL: Kind = Kind {
    path: "/email",
    word: "confirm",
    operation: "confirm_own_email",
    has_password: false,
    next: "/sign-in?done=confirm",
};

const APPROVE: Kind = Kind {
    path: "/approve",
    word: "approve",
    operation: "approve_browser",
    has_password: false,
    next: "/sign-in?done=approve",
};

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    vec![
        table.page("/console/invite", "console_invitation", "An invitation",
            |page| open(page, INVITE)).public(),
        table.deed("/console/invite", "console_accept_invitation", "Accept an invitation",
            |page| act(page, INVITE)).does(INVITE.operation),
        table.page("/console/reset", "console_reset", "Another password",
            |page| open(page, RESET)).public(),
        table.deed("/console/reset", "console_reset_password", "Set another password",
            |page| act(page, RESET)).does(RESET.operation),
        table.page("/console/email", "console_new_address", "Another address",
            |page| open(page, EMAIL)).public(),
        table.deed("/console/email", "console_confirm_address", "Confirm an address",
            |page| act(page, EMAIL)).does(EMAIL.operation),
        table.page("/console/approve", "console_approval", "A further browser",
            |page| open(page, APPROVE)).public(),
        table.deed("/console/approve", "console_approve_browser", "Let this browser in",
            |page| act(page, APPROVE)).does(APPROVE.operation),
        table.page("/console/forgot", "console_forgotten", "A forgotten password",
            |page| forgot(page, false)).public(),
        table.deed("/console/forgot", "console_forget_password", "Have a link mailed", forget)
            .does("forget_password"),
    ]
}

#[derive(Template)]
#[template(path = "doors/link.html")]
struct Link<'a> {
    f: Frame,
    kind: &'static str,
    path: &'static str,
    has_password: bool,
    token: &'a str,
    failed: Option<String>,
    faults: HashMap<&'static str, String>,
}

impl<'a> Link<'a> {
    fn of(page: &Page, kind: Kind, token: &'a str) -> Link<'a> {
        let Kind { path, word, has_password, .. } = kind;
        let f = page.frame(&format!("{word}-title"));
        Link { f, kind: word, path, has_password, token, failed: None, faults: HashMap::new() }
    }
}

async fn open(page: Page, kind: Kind) -> Result<Reply, Failure> {
    let reply = page::html(200, &Link::of(&page, kind, ""))?;
    Ok(reply.with("referrer-policy", "no-referrer"))
}

async fn act(page: Page, kind: Kind) -> Result<Reply, Failure> {
    guard::from_here(&page.request, &page.request.cx.app)?;
    let form = page.form()?;
    let sent = form.get("token").unwrap_or_default().trim();
    // The whole link does as well.
    let token = sent.rsplit('#').next().unwrap_or_default();
    let mut body = json!({"token": token});
    if kind.has_password {
        body["password"] = form.get("password").unwrap_or_default().into();
    }
    let failure = match page.call(kind.operation).body(body).ask().await {
        Ok(answer) => {
            let mut reply = page.see(kind.next);
            for cookie in answer.reply.headers.get_all("set-cookie") {
                reply.headers.append("set-cookie", cookie.clone());
            }
            return Ok(reply);
        }
        Err(failure) => failure,
    };
    let problems = form::problems(&failure)?;
    let mut shown = Link::of(&page, kind, token);
    let words = page.words();
    for problem in &problems {
        match problem.field.as_str() {
            "password" => {
                shown.faults.insert("password", words.why(&problem.why));
            }
            _ => shown.failed = Some(words.t("link-over")),
        }
    }
    if shown.failed.is_none() {
        shown.failed = Some(words.t("look-below"));
    }
    page::html(status(&failure), &shown)
}

#[derive(Template)]
#[template(path = "doors/forgot.html")]
struct Forgot {
    f: Frame,
    is_sent: bool,
}

async fn forgot(page: Page, is_sent: bool) -> Result<Reply, Failure> {
    page::html(200, &Forgot { f: page.frame("forgot-title"), is_sent })
}

async fn forget(page: Page) -> Result<Reply, Failure> {
    guard::from_here(&page.request, &page.request.cx.app)?;
    let form = page.form()?;
    let body = json!({"email": form.get("email").unwrap_or_default()});
    match page.call("forget_password").body(body).ask().await {
        // Nobody is told whether there is such a person.
        Ok(_) | Err(Failure::Invalid(_) | Failure::Malformed(_)) => forgot(page, true).await,
        Err(failure) => Err(failure),
    }
}
