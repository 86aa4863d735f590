//! Signing in by a provider of OpenID Connect: a browser is sent there, and comes back.

use patron_app::{
    Id,
    sign_in::{
        by_provider::{self, Back},
        linked::{self, Linked},
        passkeys::Person,
        provider_proofs,
    },
};
use patron_gateway::{Reply, Request, browsers::Cookies};
use patron_model::{Failure, Noun};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    customers::show::ListOut,
    sessions::standing,
    sign_in::{self, in_earnest},
};

/// A provider that brings the person who asks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LinkedProvider")]
pub struct LinkedOut {
    /// Number of the provider.
    provider: i64,
    /// What people call it.
    name: String,
    /// Whether anybody signs in by it.
    active: bool,
    /// Since when it brings the person.
    #[schemars(extend("format" = "date-time"))]
    linked_at: String,
}

/// Where the browser goes, to link a provider or to prove by it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProviderLink")]
pub struct LinkOut {
    /// The provider's page; it sends the browser back here.
    url: String,
}

fn id(request: &Request) -> Result<Id, Failure> {
    Id::parse(request.param("provider"), Noun::Provider)
}

/// Sends a browser to the provider.
pub async fn begin(request: Request) -> Result<Reply, Failure> {
    let (url, kept) = by_provider::begin(&request.cx, id(&request)?).await?;
    let reply = Reply::empty(303).with("location", url).with("cache-control", "no-store");
    Ok(Cookies::of(request.cx.app.sign_in_options()).begin(reply, &kept))
}

/// Signs in whom the provider brings. Providers add parameters of their own.
pub async fn finish(request: Request) -> Result<Reply, Failure> {
    let params = request.query();
    let one = |name: &str| {
        let mut found = params.iter().filter(|(known, _)| *known == name);
        // Twice is not once.
        found.next().filter(|_| found.next().is_none()).map(|(_, value)| value)
    };
    let cookies = Cookies::of(request.cx.app.sign_in_options());
    let back = Back {
        code: one("code").filter(|_| one("error").is_none()),
        state: one("state").unwrap_or_default(),
        issuer: one("iss"),
        cookie: cookies.flow(&request).unwrap_or_default(),
        device: cookies.device(&request),
        session: cookies.session(&request),
    };
    let opened = by_provider::finish(&request.cx, id(&request)?, back).await?;
    let mut reply = sign_in::opened(&request, &opened)?;
    let accepted = request.header("accept").unwrap_or_default();
    if request.site.console.is_some() && accepted.contains("text/html") {
        // A person looks at the answer, not a program: on to the pages.
        reply.status = http::StatusCode::SEE_OTHER;
        reply.body = bytes::Bytes::new();
        reply.headers.remove(http::header::CONTENT_TYPE);
        reply.set("location", format!("{}/console", request.site.base_url));
    }
    Ok(cookies.done(reply))
}

/// The providers that bring the person who asks, the oldest link first.
pub async fn list(request: Request) -> Result<Reply, Failure> {
    let (caller, _) = standing(&request)?;
    let all = linked::list(&request.cx, caller.user.number).await?;
    let shown = |Linked { provider, since }: Linked| LinkedOut {
        provider: provider.number,
        name: provider.name.as_str().to_owned(),
        active: provider.is_in_use(),
        linked_at: since.rfc3339_micros(),
    };
    let data: Vec<LinkedOut> = all.into_iter().map(shown).collect();
    Reply::json(200, &ListOut { data, has_more: false, next_cursor: None, total: None })
}

/// Begins to link a provider to the person who asks: the page sends the browser there.
pub async fn link(request: Request) -> Result<Reply, Failure> {
    in_earnest(&request)?;
    let (caller, standing) = standing(&request)?;
    let person = Person { user: &caller.user, standing };
    let (url, kept) = linked::begin(&request.cx, person, id(&request)?).await?;
    let reply = Reply::json(200, &LinkOut { url })?.with("cache-control", "no-store");
    Ok(Cookies::of(request.cx.app.sign_in_options()).begin(reply, &kept))
}

/// Begins to prove once more, by a provider, who the person is who asks: the page sends the browser
/// there.
pub async fn prove(request: Request) -> Result<Reply, Failure> {
    in_earnest(&request)?;
    let (caller, standing) = standing(&request)?;
    let person = Person { user: &caller.user, standing };
    let (url, kept) = provider_proofs::begin(&request.cx, person, id(&request)?).await?;
    let reply = Reply::json(200, &LinkOut { url })?.with("cache-control", "no-store");
    Ok(Cookies::of(request.cx.app.sign_in_options()).begin(reply, &kept))
}

/// Ends that a provider brings the person who asks.
pub async fn unlink(request: Request) -> Result<Reply, Failure> {
    let (caller, standing) = standing(&request)?;
    let person = Person { user: &caller.user, standing };
    linked::unlink(&request.cx, person, id(&request)?).await?;
    Ok(Reply::empty(204))
}
