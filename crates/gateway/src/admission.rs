//! From the head of a request to its place in work, in the order that keeps others safe: who asks,
//! how often, the body under the share of who asks, a place. Nothing of what signed-in callers need
//! is held for somebody who has not signed in.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use futures_util::FutureExt as _;
use patron_app::{
    App,
    shares::{BodyShare, Budgets, Holder, Work},
};
use patron_model::Failure;

use crate::{
    addresses::AddressBudget,
    bodies::{Bodies, Read, Share},
    dialect::Claim,
    door::Door,
    exchange::Exchange,
    limits::{Limited, Limits, OwnLimits, QuotaState, RateLimit},
    operation::{Access, Operation},
    strangers::Strangers,
};

/// What stands before work.
pub(crate) struct Admission {
    rate: RateLimit,
    own: OwnLimits,
    pub(crate) strangers: Strangers,
    bodies: Bodies,
    stranger_bodies: Arc<AddressBudget>,
    budgets: Arc<Budgets>,
    /// Shares for all who have no key.
    nobody: Arc<Holder>,
    longest: Duration,
}

/// A request that may be worked on, and what it holds until then.
pub(crate) struct Admitted {
    /// Who asks; nobody at operations without sign-in.
    pub(crate) claim: Option<Claim>,
    /// Its place.
    pub(crate) work: Arc<Work>,
    /// Whose shares it uses.
    pub(crate) holder: Arc<Holder>,
    _body: Option<Read>,
}

impl Admission {
    pub(crate) fn new(app: &App, limits: &Limits) -> Admission {
        let Limits { requests_in_work_max, bodies_bytes_max, waits_max, .. } = *limits;
        Admission {
            rate: RateLimit::new(limits.requests_per_minute),
            own: OwnLimits::default(),
            strangers: Strangers::new(limits),
            bodies: Bodies::new(limits),
            stranger_bodies: AddressBudget::new(limits.stranger_bodies_bytes_max),
            budgets: Budgets::new(requests_in_work_max, bodies_bytes_max, waits_max),
            nobody: app.strangers(),
            longest: Duration::from_secs(limits.request_seconds_max),
        }
    }

    /// Lets a request in, its body read into the exchange.
    ///
    /// # Errors
    /// Whatever sign-in says; `TooMany`, `Unavailable`; for the body `TooLarge`, `TimedOut`,
    /// `Malformed`.
    pub(crate) async fn admit(
        &self,
        app: &Arc<App>,
        (door, operation): (&Door, &Operation),
        exchange: &mut Exchange,
        body: Body,
        quota: &mut Option<QuotaState>,
    ) -> Result<Admitted, Failure> {
        exchange.refuse_nul()?;
        let is_public = operation.access == Access::Public;
        let has_body = !body.is_end_stream();
        let mut claim = None;
        // A signature over the body can only be checked with it; until then it is a stranger's.
        let needs_body = has_body && (door.covers_body)(exchange);
        if !is_public && !needs_body {
            claim = Some(self.sign_in(app, door, exchange, quota).await?);
        }
        let mut held = None;
        if has_body {
            let share = match &claim {
                Some(claim) => self.share_of(claim)?,
                None => Share::Stranger(self.stranger_bodies.share(exchange.client)),
            };
            // On the heap, as most requests have no body.
            let read = Box::pin(self.bodies.read(body, share, is_public)).await?;
            exchange.body = read.bytes.clone();
            held = Some(read);
        }
        if !is_public && claim.is_none() {
            let signed = self.sign_in(app, door, exchange, quota).await?;
            if let Some(read) = &mut held {
                read.pass_to(self.share_of(&signed)?)?;
            }
            claim = Some(signed);
        }
        if let (Some(claim), Some(weigh)) = (&claim, operation.weigh) {
            let more = weigh(&exchange.body).saturating_sub(1);
            // What is not left is not owed: however small a limit is, a call can be made.
            (0..more).try_for_each(|_| self.count(claim).map(drop)).ok();
        }
        let holder = claim.as_ref().map_or(&self.nobody, |claim| claim.caller.holder());
        let holder = Arc::clone(holder);
        let work = Arc::new(Work::begin(&self.budgets, &holder)?);
        Ok(Admitted { claim, work, holder, _body: held })
    }

    fn share_of(&self, claim: &Claim) -> Result<Share, Failure> {
        BodyShare::begin(&self.budgets, claim.caller.holder()).map(Share::Known)
    }

    async fn sign_in(
        &self,
        app: &Arc<App>,
        door: &Door,
        exchange: &Exchange,
        quota: &mut Option<QuotaState>,
    ) -> Result<Claim, Failure> {
        let attempt = (door.authenticate)(app, exchange);
        let attempt = self.strangers.sign_in(exchange, attempt);
        let claim = guarded(self.longest, attempt).await?;
        claim.caller.note_use(app, exchange.client);
        let _ = exchange.key.set(claim.caller.key.number);
        if let Some(record) = claim.caller.space(claim.space) {
            // Only this request sets it, and only once.
            let _ = exchange.space.set(Arc::clone(record));
        }
        *quota = self.count(&claim)?;
        Ok(claim)
    }

    /// Counts a request against all limits of who asks.
    fn count(&self, claim: &Claim) -> Result<Option<QuotaState>, Failure> {
        let too_many = |retry_after_seconds| Failure::TooMany { retry_after_seconds };
        let quota = self.rate.take(claim.caller.key.number).map_err(too_many)?;
        let user = &claim.caller.user;
        self.own.take(Limited::User(user.number), user.request_limit).map_err(too_many)?;
        if let Some(space) = claim.caller.space(claim.space) {
            let whose = Limited::Space(space.number);
            self.own.take(whose, space.request_limit).map_err(too_many)?;
        }
        Ok(quota)
    }

    /// Does the work of a request in its time, its long reads in the lane of who asks.
    pub(crate) async fn work<T>(
        &self,
        holder: &Holder,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        guarded(self.longest, holder.within(work)).await
    }
}

/// Work that may take so long, and may break.
async fn guarded<T>(
    longest: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
    // Most of it ends without having to wait, and needs no timer.
    let outcome = match poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        Poll::Ready(outcome) => Ok(outcome),
        Poll::Pending => tokio::time::timeout(longest, work).await,
    };
    match outcome {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Failure::internal("a handler panicked")),
        Err(_) => Err(Failure::TimedOut),
    }
}
