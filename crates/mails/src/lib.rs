//! Mails out: what `patron-app` has queued is sent by SMTP.
//!
//! - [`Smtp`]: how a mail is put together and handed over. TLS is demanded but on this machine.
//! - [`run`]: looks for mails that are due, takes each, sends it, and says what became of it.
//! - [`describe`]: what is counted of all that.
//!
//! Neither addresses nor texts are logged, nor what a server says, which repeats them.

mod figures;
mod smtp;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use patron_app::{
    App,
    mails::{self, Mail},
    record::Loaded,
};
use patron_model::Failure;

use self::figures::{Outcome, attempted};
pub use self::{
    figures::describe,
    smtp::{Fault, NewSmtp, Safety, Smtp, TIMEOUT_SECONDS_MAX},
};

/// How often it is looked for mails that are due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is counted what waits, where nothing was sent.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// Mails taken at a look.
const AT_A_LOOK: u32 = 32;
/// Mails on their way at a time.
const AT_A_TIME: usize = 4;

/// Sends mails until the process is asked to stop; those on their way are finished.
pub async fn run(app: Arc<App>, smtp: Smtp) {
    let mut counted: Option<Instant> = None;
    loop {
        let was_due = match round(&app, &smtp).await {
            // There may be more.
            Ok(count) if count == AT_A_LOOK as usize && !app.is_stopping() => continue,
            Ok(count) => count > 0,
            Err(failure) => {
                tracing::warn!(failure = failure.name(), "mails could not be looked for");
                false
            }
        };
        if was_due || counted.is_none_or(|at| at.elapsed() >= COUNT_EVERY) {
            counted = Some(Instant::now());
            if let Err(failure) = figures::set(&app).await {
                tracing::warn!(failure = failure.name(), "mails could not be counted");
            }
        }
        if tokio::time::timeout(LOOK_EVERY, app.stopped()).await.is_ok() {
            return;
        }
    }
}

/// Sends what is due; how many mails were.
///
/// # Errors
/// Whatever the store says to the question what is due.
pub async fn round(app: &Arc<App>, smtp: &Smtp) -> Result<usize, Failure> {
    let due = mails::due(app, AT_A_LOOK).await?;
    let count = due.len();
    let each = |mail: Loaded<Mail>| async move {
        if let Err(failure) = one(app, smtp, &mail).await {
            // It stays, and is looked at again.
            let number = mail.number;
            let failure = failure.name();
            tracing::warn!(mail = number, failure, "what became of mail {number} is not written");
        }
    };
    stream::iter(due).for_each_concurrent(AT_A_TIME, each).await;
    Ok(count)
}

/// Sends one mail, unless somebody else does.
async fn one(app: &Arc<App>, smtp: &Smtp, mail: &Loaded<Mail>) -> Result<(), Failure> {
    let Some(taken) = mails::take(app, mail).await? else {
        // Otherwise somebody else took it.
        if mail.is_over(app.clock.now()) {
            attempted(Outcome::GivenUp);
        }
        return Ok(());
    };
    let base_url = &app.sign_in_options().base_url;
    let (number, about) = (taken.mail.number, taken.letter.message.word());
    match smtp.send(&taken, base_url).await {
        Ok(()) => {
            tracing::info!(mail = number, about, "mail {number} was sent");
            attempted(Outcome::Sent);
            mails::sent(app, &taken.mail).await
        }
        Err(Fault { class, code, is_final }) => {
            let goes_on = mails::failed(app, &taken.mail, is_final).await?;
            let tries = taken.mail.tries;
            attempted(if goes_on { Outcome::Failed } else { Outcome::GivenUp });
            match goes_on {
                true => tracing::warn!(
                    mail = number,
                    about,
                    class,
                    code,
                    tries,
                    "mail {number} is tried again later"
                ),
                false => tracing::error!(
                    mail = number,
                    about,
                    class,
                    code,
                    tries,
                    "mail {number} is given up"
                ),
            }
            Ok(())
        }
    }
}
