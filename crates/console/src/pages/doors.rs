//! Signing in and out, and proving once more who one is.

use askama::Template;
use patron_app::providers;
use patron_gateway::{Guest, Operation, Reply};
use patron_model::Failure;
use serde::Deserialize;
use serde_json::json;

use crate::{
    errors,
    frame::Frame,
    guard,
    operations::Table,
    page::{self, Answer, Page},
};

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    vec![
        table.page("/console/sign-in", "console_sign_in", "Sign in", sign_in).public(),
        table.deed("/console/sign-in", "console_sign_in_by_password", "Sign in", by_password)
            .does("sign_in_by_password"),
        table.deed("/console/sign-in/guest", "console_sign_in_as_guest", "Open the sandbox", guest)
            .does("sign_in_by_password"),
        table.deed("/console/sign-in/with", "console_find_provider",
            "Find the sign-in of a company", with_provider).public(),
        table.page("/console/prove", "console_proof", "Prove who you are", proof).own().half_way(),
        table.deed("/console/prove", "console_prove", "Prove who you are", prove).does("step_up"),
        table.deed("/console/prove/with/{provider}", "console_prove_by_provider",
            "Prove by the sign-in of a company", prove_with).does("begin_provider_proof"),
        table.deed("/console/sign-out", "console_sign_out", "Sign out", out).does("sign_out"),
    ]
}

/// A provider that people of an address sign in by.
struct Offered {
    name: String,
    path: String,
}

#[derive(Template)]
#[template(path = "doors/sign_in.html")]
struct SignIn {
    f: Frame,
    email: String,
    failed: Option<String>,
    next: String,
    provider: Option<Offered>,
}

impl SignIn {
    fn of(page: &Page, next: Option<&str>) -> SignIn {
        let next = page.next(next);
        let f = page.frame("sign-in");
        SignIn { f, email: String::new(), failed: None, next, provider: None }
    }
}

async fn sign_in(page: Page) -> Result<Reply, Failure> {
    let query = page.request.query();
    page::html(200, &SignIn::of(&page, query.get("next")))
}

/// What the API says of somebody who signed in.
#[derive(Deserialize)]
struct Signed {
    #[serde(default)]
    second_factor: Vec<String>,
}

/// On with the cookies that an operation gave the browser.
fn with_cookies(page: &Page, answer: &Answer, next: &str) -> Reply {
    let mut reply = page.see(next);
    for cookie in answer.reply.headers.get_all("set-cookie") {
        reply.headers.append("set-cookie", cookie.clone());
    }
    reply
}

/// The sentence for a sign-in that failed; all but a crowd and a fault are one.
fn sentence(page: &Page, failure: &Failure) -> Result<(u16, String), Failure> {
    let words = page.words();
    match failure {
        Failure::Unauthenticated { .. } | Failure::Invalid(_) | Failure::Malformed(_) => {
            Ok((401, words.t("sign-in-refused")))
        }
        Failure::TooMany { .. } => Ok((429, words.t("sign-in-too-many"))),
        Failure::Unavailable { .. } => Ok((503, words.t("error-busy-what"))),
        other => Err(other.clone()),
    }
}

async fn signed(
    page: &Page,
    email: &str,
    password: &str,
    sent_next: Option<&str>,
) -> Result<Reply, Failure> {
    let body = json!({"email": email, "password": password});
    match page.call("sign_in_by_password").body(body).ask().await {
        Ok(answer) => {
            let next = page.next(sent_next);
            let to = match answer.read::<Signed>()?.second_factor.is_empty() {
                true => next,
                false => format!("/prove?next={}", page::encoded(&next)),
            };
            Ok(with_cookies(page, &answer, &to))
        }
        Err(failure) => {
            let (status, failed) = sentence(page, &failure)?;
            let shown = SignIn {
                email: email.to_owned(),
                failed: Some(failed),
                ..SignIn::of(page, sent_next)
            };
            page::html(status, &shown)
        }
    }
}

async fn by_password(page: Page) -> Result<Reply, Failure> {
    guard::from_here(&page.request, &page.request.cx.app)?;
    let form = page.form()?;
    let of = |name| form.get(name).unwrap_or_default();
    signed(&page, of("email"), of("password"), form.get("next")).await
}

async fn guest(page: Page) -> Result<Reply, Failure> {
    guard::from_here(&page.request, &page.request.cx.app)?;
    let form = page.form()?;
    let Guest { email, password } = page.request.site.guest.ok_or(Failure::NoRoute)?;
    signed(&page, email, password, form.get("next")).await
}

/// Offers the provider of an address. A link leads there, because a form may lead nowhere else.
async fn with_provider(page: Page) -> Result<Reply, Failure> {
    guard::from_here(&page.request, &page.request.cx.app)?;
    let form = page.form()?;
    let email = form.get("email").unwrap_or_default();
    let found = providers::of_address(&page.request.cx, email).await?;
    let offered = |provider: providers::Offered| Offered {
        name: provider.name,
        path: format!("/v1/sign-in/oidc/{}", provider.number),
    };
    let mut shown = SignIn::of(&page, form.get("next"));
    shown.provider = found.map(offered);
    if shown.provider.is_none() {
        shown.failed = Some(shown.f.t("provider-none"));
    }
    page::html(200, &shown)
}

#[derive(Template)]
#[template(path = "doors/prove.html")]
struct Prove {
    f: Frame,
    is_second: bool,
    methods: Vec<&'static str>,
    failed: Option<String>,
    next: String,
    /// Providers that bring the person: number and name.
    providers: Vec<(i64, String)>,
}

/// A provider that brings the person, as the API shows it.
#[derive(Deserialize)]
struct Linked {
    provider: i64,
    name: String,
    active: bool,
}

#[derive(Deserialize)]
struct AllLinked {
    data: Vec<Linked>,
}

async fn linked(page: &Page) -> Result<Vec<(i64, String)>, Failure> {
    let AllLinked { data } = page.call("list_own_providers").ask().await?.read()?;
    let active = data.into_iter().filter(|one| one.active);
    Ok(active.map(|one| (one.provider, one.name)).collect())
}

impl Prove {
    async fn of(page: &Page, next: Option<&str>) -> Result<Prove, Failure> {
        let standing = page.person().and_then(|caller| caller.person.as_ref());
        let standing = standing.ok_or(Failure::Forbidden)?;
        let is_second = !standing.second_factor.is_empty();
        let title = if is_second { "second" } else { "prove" };
        let methods = standing.methods.clone();
        let next = page.next(next);
        let providers = match methods.contains(&"provider") {
            true => linked(page).await?,
            false => Vec::new(),
        };
        Ok(Prove { f: page.frame(title), is_second, methods, failed: None, next, providers })
    }
}

async fn proof(page: Page) -> Result<Reply, Failure> {
    let query = page.request.query();
    page::html(200, &Prove::of(&page, query.get("next")).await?)
}

async fn prove(page: Page) -> Result<Reply, Failure> {
    let form = page.form()?;
    let mut shown = Prove::of(&page, form.get("next")).await?;
    let proofs = ["password", "code", "recovery_code"];
    let given = proofs.into_iter().find_map(|name| Some((name, form.get(name)?)));
    let (name, value) = given.unwrap_or(("code", ""));
    let operation = if shown.is_second { "prove_second_factor" } else { "step_up" };
    match page.call(operation).body(json!({name: value})).ask().await {
        Ok(answer) => Ok(with_cookies(&page, &answer, &shown.next)),
        Err(failure) => {
            let (status, failed) = sentence(&page, &failure).or_else(|other| match other {
                Failure::StepUp { .. } => Ok((401, shown.f.t("sign-in-refused"))),
                other => Err(other),
            })?;
            shown.failed = Some(failed);
            page::html(status, &shown)
        }
    }
}

#[derive(Deserialize)]
struct Begun {
    url: String,
}

#[derive(Template)]
#[template(path = "doors/prove_with.html")]
struct ProveWith {
    f: Frame,
    name: String,
    url: String,
}

/// Leads to a provider, by a link: a form may lead nowhere else.
async fn prove_with(page: Page) -> Result<Reply, Failure> {
    let number = page.request.param("provider");
    let known = linked(&page).await?.into_iter().find(|(known, _)| known.to_string() == number);
    let answer = page.call("begin_provider_proof").at("provider", number).ask().await?;
    let Begun { url } = answer.read()?;
    let name = known.map(|(_, name)| name).unwrap_or_default();
    let mut reply = page::html(200, &ProveWith { f: page.frame("prove"), name, url })?;
    for cookie in answer.reply.headers.get_all("set-cookie") {
        reply.headers.append("set-cookie", cookie.clone());
    }
    Ok(reply)
}

async fn out(page: Page) -> Result<Reply, Failure> {
    let answer = page.call("sign_out").ask().await?;
    Ok(with_cookies(&page, &answer, "/sign-in?done=signed-out"))
}

/// The status of a failure, where it is shown in a form.
pub fn status(failure: &Failure) -> u16 {
    errors::told(failure).0
}
