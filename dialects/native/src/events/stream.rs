//! The feed as a stream of server-sent events: for those who would rather read than be told.

use std::time::Duration;

use patron_app::{
    Actor, Cx,
    audit::Seen,
    journal::{Entry, Follower},
    shares::StreamPlace,
};
use patron_gateway::{Faults, Reply, Request, decode::Params};
use patron_model::{Failure, Permission, Why};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Wanted, delivery::Delivering, seen, with_record};
use crate::{NAME, auth};

/// The media type of a stream.
const MEDIA: &str = "text/event-stream";
/// Entries read at a time: what a stream holds is as much as they show.
const CHUNK: u32 = 32;
/// How long nothing is said at most: proxies take a silent connection for a dead one.
const COMMENT_EVERY: Duration = Duration::from_secs(15);
/// How long a stream stays open: not for ever, so that load moves between nodes.
const OPEN_FOR: Duration = Duration::from_secs(30 * 60);
/// Part of that which is left to chance, both ways: they do not all come back in the same moment.
const JITTER: f64 = 1.0 / 6.0;

/// Whether a stream is asked for.
pub(super) fn is_wanted(request: &Request) -> Result<bool, Failure> {
    let Some(accepted) = request.text_header("accept")? else { return Ok(false) };
    let essence = |media: &str| media.split(';').next().unwrap_or_default().trim().to_owned();
    Ok(accepted.split(',').any(|media| essence(media).eq_ignore_ascii_case(MEDIA)))
}

/// What is shown of entries.
enum Shown {
    /// The events of the feed.
    Events { with_record: bool },
    /// What a webhook endpoint would be told.
    Deliveries(Box<Delivering>),
}

/// A stream that is open.
struct Stream {
    request: Request,
    follower: Follower,
    wanted: Wanted,
    shown: Shown,
    _place: Option<StreamPlace>,
}

/// Opens a stream.
pub(super) async fn open(request: Request) -> Result<Reply, Failure> {
    let (params, mut faults) = (request.query(), request.query_faults());
    let wanted = Wanted::read(&params, &mut faults);
    let after = after(&request, &params, &mut faults);
    for name in ["limit", "wait"] {
        if params.get(name).is_some() {
            faults.misread(name, Why::Malformed { expected: "left out of a stream" });
        }
    }
    let with_record = with_record(&params, &mut faults);
    let is_delivery = match params.get("as") {
        None => false,
        Some("delivery") => true,
        Some(word) => {
            faults.misread("as", Why::not_one_of(word, "delivery"));
            false
        }
    };
    let cx = &request.cx;
    let notifier = match params.get("dialect") {
        None => cx.app.notifier(NAME),
        Some(word) if is_delivery => {
            let unknown = Why::Unknown { what: "API with webhooks" };
            faults.understood("dialect", cx.app.notifier(word).ok_or(unknown))
        }
        Some(_) => {
            let expected = "left out, unless as=delivery";
            faults.misread("dialect", Why::Malformed { expected });
            None
        }
    };
    faults.finish()?;
    let shown = match notifier.filter(|_| is_delivery) {
        Some(notifier) => Shown::Deliveries(Box::new(Delivering::begin(&request, notifier).await?)),
        None => Shown::Events { with_record },
    };
    if with_record {
        cx.may(Permission::CustomerRead)?;
    }
    let place = cx.work.as_ref().map(|work| work.stream()).transpose()?;
    let follower = Follower::start(&cx.app, cx.space, after).await?;
    let (sender, pieces) = mpsc::channel(1);
    // What a request holds is given back: a stream has a place of its own.
    let mut request = request.clone();
    (request.cx.work, request.cx.seen) = (None, None);
    let stream = Stream { request, follower, wanted, shown, _place: place };
    tokio::spawn(stream.run(sender));
    Ok(Reply::stream(MEDIA, pieces).with("x-accel-buffering", "no"))
}

/// Position behind which to begin; none: with what happens from now on. What a browser says when
/// it comes back wins: it repeats the rest of the request as it was.
fn after(request: &Request, params: &Params, faults: &mut Faults) -> Option<i64> {
    let why = || Why::WrongType { expected: "a whole number" };
    let position = |text: &str| text.trim().parse().ok().filter(|seq| *seq >= 0).ok_or_else(why);
    let is_from_now = match params.get("from") {
        None => false,
        Some("now") => true,
        Some(word) => {
            faults.misread("from", Why::not_one_of(word, "now"));
            false
        }
    };
    if is_from_now && params.get("after").is_some() {
        faults.misread("from", Why::Malformed { expected: "left out beside after" });
    }
    let after = faults.int(params, "after", 0, 0, i64::MAX);
    match request.text_header("last-event-id") {
        Ok(Some(text)) if !text.is_empty() => faults.understood("Last-Event-ID", position(text)),
        Ok(_) => (!is_from_now).then_some(after),
        Err(_) => faults.understood("Last-Event-ID", Err(why())),
    }
}

impl Stream {
    async fn run(mut self, sender: mpsc::Sender<bytes::Bytes>) {
        let until = Instant::now() + open_for(rand::random());
        let mut text = match &self.shown {
            // The head of the answer leaves with the first piece.
            Shown::Events { .. } => ": open\n\n".to_owned(),
            Shown::Deliveries(delivering) => delivering.hello(self.follower.position()),
        };
        let mut said_at = Instant::now();
        loop {
            if said_at.elapsed() >= COMMENT_EVERY && text.is_empty() {
                // Where it is, too: who comes back need not pass over the same entries again.
                text = format!(": still here\nid: {}\n\n", self.follower.position());
            }
            if !text.is_empty() {
                if sender.send(std::mem::take(&mut text).into()).await.is_err() {
                    return;
                }
                said_at = Instant::now();
            }
            if Instant::now() >= until {
                return;
            }
            let entries = tokio::select! {
                entries = self.follower.next(CHUNK) => entries,
                () = sender.closed() => return,
            };
            // Where it cannot be known, nothing is said: who comes back is told why.
            let Ok(Some(entries)) = entries else { return };
            let Ok(cx) = self.cx().await else { return };
            match self.say(&cx, entries).await {
                Ok(said) => text = said,
                Err(failure) => {
                    tracing::warn!(failure = failure.name(), "a stream of events broke off");
                    return;
                }
            }
        }
    }

    /// The caller as he is now: what he may see can have changed since he came.
    async fn cx(&self) -> Result<Cx, Failure> {
        let request = &self.request;
        let claim = auth::authenticate(&request.cx.app, &request.exchange).await?;
        claim.caller.admit(request.exchange.client)?;
        let rights = claim.caller.rights_in(request.cx.space).and(request.cx.cut);
        let actor = Actor::Caller(claim.caller);
        let now = request.cx.app.clock.now();
        let seen = Seen::wanted_by(&actor);
        let cx = Cx { actor, rights, now, seen, ..request.cx.clone() };
        cx.may(Permission::EventRead)?;
        Ok(cx)
    }

    async fn say(&self, cx: &Cx, entries: Vec<Entry>) -> Result<String, Failure> {
        let mut text = String::new();
        match &self.shown {
            Shown::Events { with_record } => {
                for event in seen(cx, entries, &self.wanted, *with_record).await? {
                    text.push_str(&frame(Some(event.seq), &event.kind, &event)?);
                }
            }
            Shown::Deliveries(delivering) => {
                for entry in entries.iter().filter(|entry| self.wanted.has(entry)) {
                    text.push_str(&delivering.say(cx, entry).await?);
                }
            }
        }
        // Before it is shown, as with every answer.
        cx.audit_reads().await?;
        Ok(text)
    }
}

/// An event of the stream. JSON has no line breaks of its own.
pub(super) fn frame(
    seq: Option<i64>,
    kind: &str,
    data: &impl Serialize,
) -> Result<String, Failure> {
    let data = serde_json::to_string(data).map_err(Failure::internal)?;
    let id = seq.map(|seq| format!("id: {seq}\n")).unwrap_or_default();
    Ok(format!("{id}event: {kind}\ndata: {data}\n\n"))
}

/// How long a stream stays open; `chance`: 0 to 1.
fn open_for(chance: f64) -> Duration {
    OPEN_FOR.mul_f64(1.0 + JITTER * (2.0 * chance - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_open_for_half_an_hour_more_or_less() {
        let minutes = [0.0, 0.5, 1.0].map(|chance| open_for(chance).as_secs_f64() / 60.0);
        for (is, shall) in minutes.into_iter().zip([25.0, 30.0, 35.0]) {
            assert!((is - shall).abs() < 0.001, "{is} {shall}");
        }
    }

    #[test]
    fn an_event_is_three_lines_and_a_blank_one() {
        let event = frame(Some(7), "customer.created", &"two\nlines").expect("written");
        assert_eq!(event, "id: 7\nevent: customer.created\ndata: \"two\\nlines\"\n\n");
    }
}
