//! From an admitted request to the handler's reply: may they, no card data, whether it was answered
//! before, then the handler.

use std::sync::Arc;

use patron_app::{Actor, App, Cx, audit::Seen, idempotency::Idempotency, shares::Work};
use patron_model::{Failure, Permissions, Problems, Why};

use crate::{
    cards,
    dialect::Claim,
    exchange::{Exchange, Reply, Request, Site},
    fingerprint,
    operation::{Access, Operation},
    trail,
};

/// An operation as it is served.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) app: &'a Arc<App>,
    pub(crate) site: &'a Arc<Site>,
    pub(crate) operation: &'a Operation,
}

impl Line<'_> {
    /// Passes a request to the handler.
    ///
    /// # Errors
    /// `Forbidden` and all other refusals that stand before it, and whatever it answers itself.
    pub(crate) async fn pass(
        self,
        exchange: Arc<Exchange>,
        claim: Option<&Claim>,
        work: &Arc<Work>,
    ) -> Result<Reply, Failure> {
        let Line { app, site, operation } = self;
        let (actor, space, rights, cut) = match claim {
            None if operation.access == Access::Public => {
                (Actor::Anonymous, 0, Permissions::NONE, Permissions::NONE)
            }
            None => return Err(Failure::internal("nobody signed in")),
            Some(claim) => {
                claim.admit(operation, exchange.now)?;
                let rights = claim.rights(operation.is_for_deployment);
                let Claim { caller, space, cut, .. } = claim;
                (Actor::Caller(Arc::clone(caller)), *space, rights, *cut)
            }
        };
        if operation.writes() {
            cards::found(&exchange, operation.accepted_cards).into_result()?;
        }
        let (scope, owner) = match &actor {
            // Outside of any space the caller's place keeps the keys of two accounts apart.
            Actor::Caller(caller) if operation.is_for_deployment || space == 0 => {
                (0, caller.place())
            }
            _ => (space, String::new()),
        };
        let idempotency = self.idempotency(&exchange, scope, &owner).await?;
        let repeated = idempotency.as_ref().is_some_and(|i| i.outcome.is_some());
        let cx = Cx {
            app: Arc::clone(app),
            seen: Seen::wanted_by(&actor),
            actor,
            rights,
            cut,
            space,
            request: Arc::clone(&exchange.request_id),
            now: exchange.now,
            dry_run: exchange.prefers_dry_run()?,
            idempotency: idempotency.map(Arc::new),
            origin: Some(exchange.clone()),
            work: Some(Arc::clone(work)),
        };
        let is_dry_run = cx.dry_run && operation.writes();
        let act = trail::act_of(operation).filter(|_| !cx.dry_run);
        let watched = (cx.seen.is_some() || act.is_some()).then(|| cx.clone());
        let mut reply = (operation.handler)(Request {
            cx,
            exchange,
            site: Arc::clone(site),
            unknown: Problems::new(),
        })
        .await?;
        if let Some(cx) = watched {
            // On the heap: writing takes a large future, which would be moved about with this one
            // for every request, though few come here.
            Box::pin(trail::done(&cx, act)).await?;
        }
        if repeated {
            reply.set("idempotency-replayed", "true");
        }
        if is_dry_run {
            reply.set("preference-applied", "dry-run");
        }
        Ok(reply)
    }

    async fn idempotency(
        self,
        exchange: &Exchange,
        space: i64,
        owner: &str,
    ) -> Result<Option<Idempotency>, Failure> {
        let Line { app, operation, .. } = self;
        let Some(rule) = operation.idempotency else { return Ok(None) };
        let Some(sent) = exchange.text_header(rule.header)? else { return Ok(None) };
        if exchange.headers.get_all(rule.header).iter().nth(1).is_some() {
            return Err(Failure::malformed(rule.header, Why::Duplicate));
        }
        // A structured string (RFC 9651) or, as many clients send it, the bare key.
        let bare = sent.trim();
        let key = bare.strip_prefix('"').and_then(|k| k.strip_suffix('"')).unwrap_or(bare);
        let max = patron_app::idempotency::KEY_CHARS_MAX;
        if key.is_empty() || key.len() > max {
            let why = if key.is_empty() { Why::Required } else { Why::TooLong { max } };
            return Err(Failure::Malformed(Problems::one(rule.header, why)));
        }
        cards::refuse_key(rule.header, key)?;
        if exchange.prefers_dry_run()? {
            return Ok(None);
        }
        let fingerprint = fingerprint::of(&app.secrets, operation, exchange);
        let key = format!("{owner}{key}");
        let begun = app.begin(space, &key, operation.id, fingerprint, rule.remembered_seconds);
        // On the heap, as most requests have no key.
        Ok(Some(Box::pin(begun).await?))
    }
}
