//! Moves the replay of an endpoint on: makes deliveries of what has happened, few at a time, behind
//! what is fresh.

use std::sync::Arc;
use std::time::Duration;

use patron_app::webhooks::{
    notifier::Subscription,
    replays::{self, Step},
    work,
};

use crate::{core::Event, engine::Shared};

/// How long it waits until some of what it made is delivered.
const FULL_PAUSE: Duration = Duration::from_millis(50);
/// How long it leaves a store alone that is away.
const AWAY_PAUSE: Duration = Duration::from_secs(1);

/// Goes on until there is nothing to replay. Whoever loses the endpoint ends it; a step that two
/// make is made once.
pub(crate) async fn run(shared: Arc<Shared>, endpoint: Arc<Subscription>) {
    let number = endpoint.number;
    loop {
        match step(&shared, &endpoint).await {
            Ok(Step::Idle) => return,
            Ok(Step::Full) => tokio::time::sleep(FULL_PAUSE).await,
            Ok(Step::Made(_)) => tokio::task::yield_now().await,
            Err(failure) => {
                tracing::warn!(endpoint = number, failure = failure.name(), "a replay waits");
                tokio::time::sleep(AWAY_PAUSE).await;
            }
        }
    }
}

async fn step(
    shared: &Shared,
    endpoint: &Arc<Subscription>,
) -> Result<Step, patron_model::Failure> {
    let (space, number) = (endpoint.space, endpoint.number);
    let step = replays::step(&shared.app, endpoint).await?;
    if let Step::Made(1..) = step {
        let (_, next_due) = work::retrying(&shared.app, space, number).await?;
        shared.tell(Event::Changed { endpoint: Arc::clone(endpoint), next_due });
    }
    Ok(step)
}
