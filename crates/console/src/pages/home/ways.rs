//! By what one signs in: another password, codes of an app, recovery codes, passkeys.

use askama::Template;
use patron_gateway::{Operation, Reply};
use patron_model::Failure;
use serde::Deserialize;
use serde_json::json;

use super::{
    super::{
        doors::status,
        operations::confirm::{self, Final},
    },
    me::{ME, back},
};
use crate::{
    form::{Faults, Input, Kind},
    frame::Frame,
    operations::Table,
    page::{self, Answer, Page},
};

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const PASSWORD: &str = "/console/me/password";
    const CODES: &str = "/console/me/codes";
    const NO_CODES: &str = "/console/me/codes/remove";
    const PASSKEY: &str = "/console/me/passkeys/{passkey}/remove";
    const RECOVERY: &str = "/console/me/recovery-codes";
    vec![
        table.page(PASSWORD, "console_own_password", "Another password", password)
            .does("set_own_password"),
        table.deed(PASSWORD, "console_set_own_password", "Set another password", set_password)
            .does("set_own_password"),
        table.page(CODES, "console_codes", "Codes of an app", codes).does("begin_totp"),
        table.deed(CODES, "console_begin_codes", "A new secret for an app", begin)
            .does("begin_totp"),
        table.deed("/console/me/codes/confirm", "console_confirm_codes",
            "Put the codes of an app in force", confirm_codes).does("confirm_totp"),
        table.page(NO_CODES, "console_leaving_codes", "Remove the codes of an app", leaving_codes)
            .does("delete_totp"),
        table.deed(NO_CODES, "console_delete_codes", "Remove the codes of an app", delete_codes)
            .does("delete_totp"),
        table.page(RECOVERY, "console_recovery", "Recovery codes", recovery)
            .does("create_recovery_codes"),
        table.deed(RECOVERY, "console_create_recovery", "New recovery codes", recover)
            .does("create_recovery_codes"),
        table.page(PASSKEY, "console_leaving_passkey", "Remove a passkey", leaving_passkey)
            .does("delete_passkey"),
        table.deed(PASSKEY, "console_delete_passkey", "Remove a passkey", delete_passkey)
            .does("delete_passkey"),
    ]
}

/// Back to one's page, after a deed.
fn done(page: &Page, answer: &Answer, word: &str) -> Reply {
    with_cookies(back(page, word), answer)
}

/// With the cookies that an operation gave the browser.
fn with_cookies(mut reply: Reply, answer: &Answer) -> Reply {
    for cookie in answer.reply.headers.get_all("set-cookie") {
        reply.headers.append("set-cookie", cookie.clone());
    }
    reply
}

#[derive(Template)]
#[template(path = "home/password.html")]
struct Password {
    f: Frame,
    /// For programs that keep passwords.
    email: String,
    input: Input,
    summary: Vec<(String, String, String)>,
}

impl Password {
    fn of(page: &Page, faults: &Faults) -> Password {
        let f = page.frame("me-password");
        let input = Input::new("password", f.t("password-new"), Kind::Line, "", faults);
        let input = input.hinted(f.t("me-password-hint"));
        let email = page.person().and_then(|caller| caller.user.email.as_ref());
        let email = email.map(|email| email.as_str().to_owned()).unwrap_or_default();
        Password { email, summary: faults.summary(std::slice::from_ref(&input)), input, f }
    }
}

async fn password(page: Page) -> Result<Reply, Failure> {
    page::html(200, &Password::of(&page, &Faults::default()))
}

async fn set_password(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let body = json!({"password": form.get("password").unwrap_or_default()});
    match page.call("set_own_password").body(body).ask().await {
        Ok(answer) => Ok(done(&page, &answer, "password-set")),
        Err(failure) => {
            let faults = Faults::of_failure(&failure, &page.words())?;
            page::html(status(&failure), &Password::of(&page, &faults))
        }
    }
}

/// A secret for an app, as the API shows it.
#[derive(Deserialize)]
struct Secret {
    secret: String,
    url: String,
}

#[derive(Template)]
#[template(path = "home/codes.html")]
struct Codes {
    f: Frame,
    /// What the app is given, once there is something.
    secret: Option<Secret>,
    is_wrong: bool,
}

impl Codes {
    fn of(page: &Page, secret: Option<Secret>, is_wrong: bool) -> Codes {
        Codes { f: page.frame("me-codes"), secret, is_wrong }
    }
}

async fn codes(page: Page) -> Result<Reply, Failure> {
    page::html(200, &Codes::of(&page, None, false))
}

async fn begin(page: Page) -> Result<Reply, Failure> {
    let secret = page.call("begin_totp").ask().await?.read()?;
    page::html(200, &Codes::of(&page, Some(secret), false))
}

async fn confirm_codes(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let of = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let code: String = of("code").chars().filter(|letter| !letter.is_whitespace()).collect();
    match page.call("confirm_totp").body(json!({"code": code})).ask().await {
        Ok(answer) => Ok(done(&page, &answer, "codes-set")),
        Err(failure) => {
            Faults::of_failure(&failure, &page.words())?;
            let secret = Secret { secret: of("secret"), url: of("url") };
            page::html(status(&failure), &Codes::of(&page, Some(secret), true))
        }
    }
}

#[derive(Deserialize)]
struct Made {
    recovery_codes: Vec<String>,
}

#[derive(Template)]
#[template(path = "home/recovery.html")]
struct Recovery {
    f: Frame,
    /// The new ones, shown once.
    made: Vec<String>,
}

async fn recovery(page: Page) -> Result<Reply, Failure> {
    page::html(200, &Recovery { f: page.frame("me-recovery"), made: Vec::new() })
}

async fn recover(page: Page) -> Result<Reply, Failure> {
    let answer = page.call("create_recovery_codes").ask().await?;
    let Made { recovery_codes: made } = answer.read()?;
    let shown = page::html(200, &Recovery { f: page.frame("me-recovery"), made })?;
    Ok(with_cookies(shown, &answer))
}

/// What is final asks for a word.
fn last(page: &Page, word: &'static str, is_wrong: bool) -> Result<Reply, Failure> {
    let words = page.words();
    let (name, above) = (words.t(&format!("final-{word}-name")), words.t("me-title"));
    let of = Final { word, name: &name, back: ME, above: &above, tag: "" };
    confirm::shown(page, &of, is_wrong)
}

async fn leaving_codes(page: Page) -> Result<Reply, Failure> {
    last(&page, "codes", false)
}

async fn delete_codes(page: Page) -> Result<Reply, Failure> {
    if !confirm::is_typed(&page, &page.form()?) {
        return last(&page, "codes", true);
    }
    let answer = page.call("delete_totp").ask().await?;
    Ok(done(&page, &answer, "codes-removed"))
}

async fn leaving_passkey(page: Page) -> Result<Reply, Failure> {
    last(&page, "passkey", false)
}

async fn delete_passkey(page: Page) -> Result<Reply, Failure> {
    if !confirm::is_typed(&page, &page.form()?) {
        return last(&page, "passkey", true);
    }
    let passkey = page.request.param("passkey");
    let answer = page.call("delete_passkey").at("passkey", passkey).ask().await?;
    Ok(done(&page, &answer, "passkey-removed"))
}
