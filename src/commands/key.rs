//! `patron key`: single keys.

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use patron_app::{
    App, Cx, Id,
    keys::{self, KeyUse, NewHalves, NewKey, OVERLAP_SECONDS},
    spaces,
    users::Held,
};
use patron_gateway::{Dialect, Minted, dialect::Shown};
use patron_model::{
    Permission, Permissions, Timestamp,
    network::Network,
    space::{Key, PublicRights, Role, Space},
};
use serde_json::{Value, json};

use super::explain;
use crate::{Deployment, dialects::DIALECTS, open, settings::Settings};

/// Make, list, rotate and revoke single keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key and show it this once.
    Create(Box<CreateArgs>),
    /// List keys, without their secrets.
    List {
        /// Number of an account; otherwise all.
        #[arg(long, value_name = "NUMBER")]
        account: Option<i64>,
        /// Print JSON, one key a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Show a key, without its secret.
    Show {
        /// Number of the key.
        number: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Make a new key with the same rights and show it this once; the old one ends after a while.
    Rotate {
        /// Number of the key.
        number: i64,
        /// How long the old key goes on: 0 to 30 days, like 90s, 30m, 12h or 7d.
        #[arg(long, value_name = "DURATION", value_parser = seconds)]
        overlap: Option<i64>,
        /// When the new key ends by itself: a moment (RFC 3339), a day, a time from now like 90d,
        /// or never; as the old one when nothing is said.
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Change the master key and seal everything anew, while servers go on.
    RotateMaster(super::rotate::RotateArgs),
    /// Revoke a key; running servers refuse it within half a second.
    Revoke {
        /// Number of the key.
        number: i64,
        #[command(flatten)]
        deployment: Deployment,
    },
}

/// What a new key shall be.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The API it is for.
    #[arg(long, value_name = "API", default_value = "native")]
    dialect: String,
    /// Number of the space it opens.
    #[arg(long, value_name = "NUMBER")]
    space: i64,
    /// What people call it.
    #[arg(long, default_value = "")]
    name: String,
    /// owner, administrator, support, developer, read-only or integration; the least that is of
    /// use for the API when none is said.
    #[arg(long, value_parser = role)]
    role: Option<Role>,
    /// What it may do at most, like customer:read,customer:write; alone, exactly that.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = permission)]
    permissions: Vec<Permission>,
    /// When it ends by itself: a moment (RFC 3339), a day, or a time from now like 90d.
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// A network it may be used from, like 192.0.2.0/24; may be repeated.
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    address: Vec<Network>,
    /// What its public half may do alone, where keys are pairs: none, create or full.
    #[arg(long, value_name = "WORD", value_parser = public_rights)]
    public_rights: Option<PublicRights>,
    /// Open every space of the account, not only this one.
    #[arg(long)]
    account_wide: bool,
    #[command(flatten)]
    deployment: Deployment,
}

// ---- what is typed --------------------------------------------------------------------------

fn role(word: &str) -> Result<Role, String> {
    let words = || Role::ALL.map(|role| role.as_str().replace('_', "-")).join(", ");
    Role::parse(word).ok_or_else(|| format!("one of {}", words()))
}

fn permission(words: &str) -> Result<Permission, String> {
    Permission::parse(words).ok_or_else(|| "docs/permissions.md lists all permissions".to_owned())
}

fn network(text: &str) -> Result<Network, String> {
    Network::parse(text).map_err(|why| why.to_string())
}

fn public_rights(word: &str) -> Result<PublicRights, String> {
    PublicRights::parse(word).ok_or_else(|| format!("one of {}", PublicRights::WORDS))
}

/// Seconds of a time like `90s`, `30m`, `12h` or `7d`.
fn seconds(text: &str) -> Result<i64, String> {
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err("a number with s, m, h or d behind it".to_owned()),
    };
    let count = text[..text.len() - 1].parse::<u32>().map_err(|_| "not a number".to_owned())?;
    i64::from(count).checked_mul(unit).ok_or_else(|| "too long".to_owned())
}

/// A moment, or a time from now.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(seconds) = seconds(text) {
        return Ok(now.plus_seconds(seconds));
    }
    let parsed = Timestamp::parse(text);
    parsed
        .ok()
        .with_context(|| format!("--expires: {text} is neither a moment nor a time like 90d"))
}

// ---- commands -------------------------------------------------------------------------------

/// Runs the command.
///
/// # Errors
/// When it cannot be done.
pub async fn run(command: KeyCommand) -> Result<()> {
    match command {
        KeyCommand::Create(args) => {
            let settings = args.deployment.settings()?;
            let app = open::existing_app(&settings).await?;
            let made = create(&app.operator(0, "key create"), *args, &settings).await;
            finish(app, made).await
        }
        KeyCommand::List { account, json, deployment } => list(account, json, &deployment).await,
        KeyCommand::Show { number, deployment } => {
            let app = open::existing_app(&deployment.settings()?).await?;
            let shown = show(&app.operator(0, "key show"), number).await;
            finish(app, shown).await
        }
        KeyCommand::Rotate { number, overlap, expires, deployment } => {
            let settings = deployment.settings()?;
            let app = open::existing_app(&settings).await?;
            let overlap = overlap.unwrap_or(OVERLAP_SECONDS);
            let cx = app.operator(0, "key rotate");
            let expires = expires.as_deref();
            let rotated = rotate(&cx, number, overlap, expires, &settings).await;
            finish(app, rotated).await
        }
        KeyCommand::RotateMaster(args) => super::rotate::run(args).await,
        KeyCommand::Revoke { number, deployment } => {
            let app = open::existing_app(&deployment.settings()?).await?;
            let revoked = keys::revoke(&app.operator(0, "key revoke"), number).await;
            app.store.clone().close().await;
            revoked.map_err(|failure| explain(&failure))?;
            println!("Key {number} is revoked.");
            Ok(())
        }
    }
}

/// Closes the store and prints what is to be shown.
async fn finish(app: std::sync::Arc<App>, shown: Result<Value>) -> Result<()> {
    app.store.clone().close().await;
    println!("{}", serde_json::to_string_pretty(&shown?)?);
    Ok(())
}

fn dialect(name: &str) -> Result<&'static Dialect> {
    let known = DIALECTS.iter().find(|known| known.name == name);
    known.copied().with_context(|| format!("no API is called {name}"))
}

async fn space(cx: &Cx, number: i64) -> Result<Space> {
    let space = spaces::get::<Space>(cx, number).await;
    Ok(space.map_err(|failure| explain(&failure))?.record)
}

async fn create(cx: &Cx, args: CreateArgs, settings: &Settings) -> Result<Value> {
    let dialect = dialect(&args.dialect)?;
    let space = space(cx, args.space).await?;
    let expires_at = args.expires.as_deref().map(|text| moment(text, cx.now)).transpose()?;
    let cap = (!args.permissions.is_empty())
        .then(|| args.permissions.into_iter().collect::<Permissions>());
    // A list of permissions alone says it all; it cuts the role that has every one.
    let role = args.role.unwrap_or(match cap {
        Some(_) => Role::Owner,
        None => dialect.credentials.roles.later,
    });
    let Minted { handle, secret, shown } = (dialect.credentials.mint)();
    let new = NewKey {
        account_wide: args.account_wide,
        name: args.name,
        cap,
        addresses: args.address,
        expires_at,
        public_rights: args.public_rights.unwrap_or_default(),
        ..NewKey::of_space(&space, dialect.name, role, handle, secret)
    };
    let made = keys::issue(cx, new, &shown).await.map_err(|failure| explain(&failure))?;
    Ok(credentials(settings, dialect, &space, &made.key, &shown))
}

async fn rotate(
    cx: &Cx,
    number: i64,
    overlap: i64,
    expires: Option<&str>,
    settings: &Settings,
) -> Result<Value> {
    let expires_at = match expires {
        None => None,
        Some("never") => Some(None),
        Some(when) => Some(Some(moment(when, cx.now)?)),
    };
    let id = Id::Number(number);
    let old = keys::get(cx, id).await.map_err(|failure| explain(&failure))?;
    let dialect = dialect(&old.dialect)?;
    let space = space(cx, old.space).await?;
    let Minted { handle, secret, shown } = (dialect.credentials.mint)();
    let handle = handle.filter(|_| !dialect.credentials.keeps_user);
    let halves = NewHalves { handle, secret, shown, expires_at };
    let made = keys::rotate(cx, id, overlap, &halves).await;
    let made = made.map_err(|failure| explain(&failure))?;
    Ok(credentials(settings, dialect, &space, &made.key, &halves.shown))
}

/// What the holder of a new key needs, in the shape of the sandbox contract.
fn credentials(
    settings: &Settings,
    dialect: &Dialect,
    space: &Space,
    key: &Key,
    secret: &str,
) -> Value {
    let base_url = open::base_url(settings);
    let shown = Shown { base_url: &base_url, space, key, secret };
    json!({
        "number": key.number,
        "base_url": base_url,
        dialect.name: (dialect.credentials.show)(&shown),
    })
}

/// What people call the roles that the user of a key holds.
fn roles(key: &Key, held: &Held) -> String {
    let names: Vec<&str> = held.of(key.user).iter().map(|one| held.role(one.role).0).collect();
    names.join("+")
}

/// A key without its secret.
fn described(key: &Key, held: &Held, last: Option<&KeyUse>, now: Timestamp) -> Value {
    let seconds = Timestamp::rfc3339_seconds;
    let addresses: Vec<String> = key.addresses.iter().map(ToString::to_string).collect();
    json!({
        "number": key.number, "account": key.account, "space": key.space,
        "account_wide": key.account_wide, "dialect": key.dialect, "name": key.name,
        "user": key.user, "role": roles(key, held), "permissions": key.cap,
        "state": key.state(now).as_str(),
        "hint": key.hint, "addresses": addresses, "public_rights": key.public_rights.as_str(),
        "replaces": key.replaces, "replaced_by": key.replaced_by,
        "created_at": seconds(key.created_at), "expires_at": key.expires_at.map(seconds),
        "revoked_at": key.revoked_at.map(seconds),
        "last_used_at": last.map(|last| seconds(last.minute)),
        "last_used_from": last.and_then(|last| last.address),
    })
}

async fn show(cx: &Cx, number: i64) -> Result<Value> {
    let key = keys::get(cx, Id::Number(number)).await.map_err(|failure| explain(&failure))?;
    let last = cx.app.key_uses(&[number]).await.map_err(|failure| explain(&failure))?;
    let held = cx.app.held_by(&[key.user]).await.map_err(|failure| explain(&failure))?;
    Ok(described(&key, &held, last.get(&number), cx.now))
}

async fn list(account: Option<i64>, json: bool, deployment: &Deployment) -> Result<()> {
    let app = open::existing_app(&deployment.settings()?).await?;
    let cx = app.operator(0, "key list");
    let listed = keys::list(&cx, account).await;
    let numbers: Vec<i64> = listed.iter().flatten().map(|key| key.number).collect();
    let last = app.key_uses(&numbers).await;
    let users: Vec<i64> = listed.iter().flatten().map(|key| key.user).collect();
    let held = app.held_by(&users).await;
    app.store.clone().close().await;
    let last = last.map_err(|failure| explain(&failure))?;
    let held = held.map_err(|failure| explain(&failure))?;
    for key in listed.map_err(|failure| explain(&failure))? {
        let last = last.get(&key.number);
        if json {
            println!("{}", described(&key, &held, last, cx.now));
        } else {
            println!("{}", line(&key, &held, last, cx.now));
        }
    }
    Ok(())
}

/// A key on one line.
fn line(key: &Key, held: &Held, last: Option<&KeyUse>, now: Timestamp) -> String {
    let at = |time: Option<Timestamp>| time.map_or("-".to_owned(), Timestamp::rfc3339_seconds);
    let list = if key.cap.is_some() { "*" } else { "" };
    format!(
        "{:>6}  {:<9} {:<14} space {:<6} {:<8} made {} used {:<20} ends {:<20}  {}",
        key.number,
        key.dialect,
        format!("{}{list}", roles(key, held)),
        key.space,
        key.state(now).as_str(),
        at(Some(key.created_at)),
        at(last.map(|last| last.minute)),
        at(key.expires_at),
        key.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        for (text, wanted) in [("90s", 90), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800)] {
            assert_eq!(seconds(text), Ok(wanted), "{text}");
        }
        for bad in ["", "7", "d", "-1d", "1.5h", "7 d", "1w", "é"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        let now = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
        assert_eq!(moment("1d", now).unwrap(), Timestamp::parse("2026-06-02T00:00:00Z").unwrap());
        let day = moment("2027-01-01", now).unwrap();
        assert_eq!(day, Timestamp::parse("2027-01-01T00:00:00Z").unwrap());
        assert!(moment("soon", now).is_err());
    }
}
