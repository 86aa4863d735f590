//! `patron user`: people and applications, and how people sign in.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use patron_app::{
    Cx, Expect, Id,
    assignments::{self, Where},
    search::{After, Query},
    sign_in::{self, invitations, passwords, second, sessions},
    users::{self, UserPatch},
};
use patron_model::{
    Failure, Patch, Why,
    email::Email,
    permission::Role,
    user::{User, UserKind},
};
use patron_native::AssignmentOut;
use serde_json::{Value, json};

use super::{on, show};
use crate::Deployment;

/// Users read at a time.
const USERS_AT_ONCE: u32 = 200;

/// Make, list and stop people who work here, and applications.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make a person who signs in, with a password that is asked for or read from standard input.
    Create {
        /// E-mail address.
        email: String,
        /// Number of the account the person is managed in.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        account: i64,
        /// Let the person own the account and those below it.
        #[arg(long)]
        owner: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Invite a person: by mail, or by a link that is printed where no mails are sent. Who was
    /// invited before and did not sign in yet is invited once more.
    Invite {
        /// E-mail address.
        email: String,
        /// Number of the account the person is managed in.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        account: i64,
        /// Let the person own the account and those below it.
        #[arg(long)]
        owner: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// List users, the oldest first.
    List {
        /// Print JSON, one user a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Set the password of a person; all sessions end.
    Password {
        /// Number of the person.
        number: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// End all sessions of a person.
    EndSessions {
        /// Number of the person.
        number: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Remove codes of an app, recovery codes and passkeys of a person who lost them; all sessions
    /// end.
    RemoveFactors {
        /// Number of the person.
        number: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Let a user hold a role at a place.
    Grant {
        /// Number of the user.
        number: i64,
        /// owner, administrator, support, developer, read-only, integration, or the number of a
        /// role of an account.
        #[arg(long, value_name = "ROLE", value_parser = super::role::number)]
        role: i64,
        #[command(flatten)]
        place: PlaceArgs,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Take a role from the user who holds it.
    Withdraw {
        /// Number of the assignment, as patron permissions --of shows it.
        assignment: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Let a user do nothing for now: sessions and keys are refused.
    Deactivate {
        /// Number of the user.
        number: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Let a user do again what the roles say.
    Activate {
        /// Number of the user.
        number: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
}

/// Where a role shall hold.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// Number of the account where it shall hold, with all its spaces.
    #[arg(long, value_name = "NUMBER", required_unless_present = "space")]
    account: Option<i64>,
    /// In the accounts below it, too.
    #[arg(long, conflicts_with = "space")]
    subaccounts: bool,
    /// Number of the one space where it shall hold.
    #[arg(long, value_name = "NUMBER", conflicts_with = "account")]
    space: Option<i64>,
}

impl PlaceArgs {
    fn place(&self) -> Option<Where> {
        let subaccounts = self.subaccounts;
        let account = self.account.map(|number| Where::Account { number, subaccounts });
        self.space.map(Where::Space).or(account)
    }
}

/// Carries the command out.
///
/// # Errors
/// When there is no deployment, the user or account is unknown, or the password is refused.
pub async fn run(command: UserCommand) -> Result<()> {
    match command {
        UserCommand::Create { email, account, owner, deployment } => {
            let password = password()?;
            on(&deployment, "user create", async |cx| {
                create(cx, &email, account, owner, &password).await
            })
            .await
        }
        UserCommand::Invite { email, account, owner, deployment } => {
            on(&deployment, "user invite", async |cx| invite(cx, &email, account, owner).await)
                .await
        }
        UserCommand::List { json, deployment } => {
            on(&deployment, "user list", async |cx| list(cx, json).await).await
        }
        UserCommand::Password { number, deployment } => {
            let password = password()?;
            on(&deployment, "user password", async |cx| {
                passwords::choose(cx, &person(cx, number).await?, &password).await
            })
            .await
        }
        UserCommand::EndSessions { number, deployment } => {
            on(&deployment, "user end-sessions", async |cx| {
                let ended = sessions::end_others(cx, &person(cx, number).await?, None).await?;
                println!("{ended} sessions were ended");
                Ok(())
            })
            .await
        }
        UserCommand::RemoveFactors { number, deployment } => {
            on(&deployment, "user remove-factors", async |cx| {
                second::remove_all(cx, &person(cx, number).await?).await
            })
            .await
        }
        UserCommand::Grant { number, role, place, deployment } => {
            let place = place.place().context("--account or --space says where")?;
            on(&deployment, "user grant", async |cx| {
                let held = assignments::grant(cx, Id::Number(number), role, place).await?;
                show(&AssignmentOut::from(&held.record))
            })
            .await
        }
        UserCommand::Withdraw { assignment, deployment } => {
            on(&deployment, "user withdraw", async |cx| {
                let id = Id::Number(assignment);
                let holder = assignments::get(cx, id).await?.user;
                assignments::withdraw(cx, Id::Number(holder), id).await?;
                println!("Assignment {assignment} of user {holder} is withdrawn.");
                Ok(())
            })
            .await
        }
        UserCommand::Deactivate { number, deployment } => {
            on(&deployment, "user deactivate", async |cx| set(cx, number, false).await).await
        }
        UserCommand::Activate { number, deployment } => {
            on(&deployment, "user activate", async |cx| set(cx, number, true).await).await
        }
    }
}

/// A new password: typed twice where somebody sits there, else the first line of standard input.
fn password() -> Result<String> {
    let read = || -> Result<String> {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("standard input cannot be read")?;
        Ok(line.trim_end_matches(['\n', '\r']).to_owned())
    };
    if !std::io::stdin().is_terminal() {
        return read();
    }
    let ask = |what: &str| -> Result<String> {
        eprint!("{what} (it is shown while you type): ");
        std::io::stderr().flush()?;
        read()
    };
    let typed = ask("New password")?;
    if ask("The same again")? != typed {
        bail!("these were two different ones");
    }
    Ok(typed)
}

async fn person(cx: &Cx, number: i64) -> Result<User, Failure> {
    let user = users::get(cx, Id::Number(number)).await?.record;
    match user.kind {
        UserKind::Human => Ok(user),
        UserKind::Application => {
            let (is, needs) = ("an application", "a person");
            Err(Failure::WrongState { is, needs })
        }
    }
}

async fn create(
    cx: &Cx,
    email: &str,
    account: i64,
    owner: bool,
    password: &str,
) -> Result<(), Failure> {
    passwords::check(&cx.app, password, &[email], passwords::CHARS_MIN).await?;
    let email = Email::parse(email).map_err(|why: Why| Failure::invalid("email", why))?;
    let patch = UserPatch { email: Patch::Set(email), ..UserPatch::default() };
    let made = users::create(cx, UserKind::Human, account, patch).await?;
    set(cx, made.number, true).await?;
    if owner {
        let everywhere = Where::Account { number: account, subaccounts: true };
        let id = Id::Number(made.number);
        assignments::grant(cx, id, Role::Owner.number(), everywhere).await?;
    }
    let user = person(cx, made.number).await?;
    passwords::choose(cx, &user, password).await?;
    println!("{}", described(&user));
    Ok(())
}

async fn invite(cx: &Cx, email: &str, account: i64, owner: bool) -> Result<(), Failure> {
    let typed = Email::parse(email).map_err(|why: Why| Failure::invalid("email", why))?;
    let user = match users::with_address(cx, account, &typed).await? {
        Some(known) => invitations::again(cx, Id::Number(known.number)).await?,
        None => {
            let patch = UserPatch { email: Patch::Set(typed), ..UserPatch::default() };
            invitations::create(cx, account, patch).await?.record
        }
    };
    if owner {
        let everywhere = Where::Account { number: account, subaccounts: true };
        let owner = Role::Owner.number();
        match assignments::grant(cx, Id::Number(user.number), owner, everywhere).await {
            // The person was to be one before.
            Ok(_) | Err(Failure::Exists { .. }) => {}
            Err(failure) => return Err(failure),
        }
    }
    let mut described = described(&user);
    described["invitation_url"] = json!(invitations::handed_over(cx, &user).await?);
    println!("{described}");
    Ok(())
}

async fn set(cx: &Cx, number: i64, active: bool) -> Result<(), Failure> {
    let patch = UserPatch { active: Some(active), ..UserPatch::default() };
    users::update(cx, Id::Number(number), Expect::Any, &patch).await.map(drop)
}

async fn list(cx: &Cx, json: bool) -> Result<(), Failure> {
    let mut query = Query { limit: USERS_AT_ONCE, ..Query::of(0) };
    loop {
        let page = users::list(cx, query.clone()).await?;
        for user in &page.items {
            let last = sign_in::guard::load(cx, user.number).await?;
            let last = last.and_then(|counts| counts.signed_in_at);
            let last = last.map(patron_model::Timestamp::rfc3339_seconds);
            if json {
                let mut described = described(user);
                described["last_sign_in_at"] = json!(last);
                println!("{described}");
                continue;
            }
            let name = user.email.as_ref().map_or(user.name.as_str(), Email::as_str);
            println!(
                "{:>6}  {:<11} {:<8} account {:<6} signed in {:<20}  {name}",
                user.number,
                user.kind.as_str(),
                user.state.as_str(),
                user.account,
                last.as_deref().unwrap_or("-"),
            );
        }
        let Some(last) = page.items.last().filter(|_| page.more) else { return Ok(()) };
        query.after = Some(After { keys: Vec::new(), number: last.number });
    }
}

fn described(user: &User) -> Value {
    json!({
        "number": user.number, "kind": user.kind.as_str(), "state": user.state.as_str(),
        "account": user.account, "email": user.email.as_ref().map(Email::as_str),
        "name": (!user.name.is_empty()).then_some(&user.name),
    })
}
