//! Making an account with a space and a key for every dialect, and showing the keys once.

use std::collections::BTreeMap;
use std::sync::Arc;

use patron_app::{
    App,
    keys::{self, NewKey},
    spaces::{self, AccountPatch, SpacePatch},
};
use patron_model::{
    Failure, Patch,
    country::Country,
    space::{Key, PublicRights, Role, Space},
    text::Name,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::dialect::{Dialect, Shown};

/// Where the keys of a new space come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// The well-known keys of the sandbox, and what it has switched on.
    WellKnown,
    /// Random keys.
    Random,
}

/// What is to be made.
#[derive(Debug)]
pub struct NewSpace<'a> {
    /// Name of the space, and of the account when one is made.
    pub name: &'a str,
    /// Existing account; none makes a new one, whose keys may open all its spaces.
    pub account: Option<i64>,
    /// UUID of the space, when it must be a well-known one.
    pub uuid: Option<Uuid>,
    /// Where the keys come from.
    pub keys: KeySource,
    /// Where its customers are at home.
    pub default_country: Option<Country>,
    /// Where the server answers, without trailing slash.
    pub base_url: &'a str,
}

/// A space that was made.
#[derive(Debug)]
pub struct MadeSpace {
    /// Its number.
    pub number: i64,
    /// The credentials, in the shape of the sandbox contract; shown this once.
    pub credentials: Value,
}

/// Makes a space with a key for every dialect. Answers the credentials in the shape of the sandbox
/// contract; they are shown this once.
///
/// # Errors
/// `Invalid` for a bad name, `NotFound` for an unknown account, `Exists` when a well-known key exists.
pub async fn space(
    app: &Arc<App>,
    dialects: &[&'static Dialect],
    new: &NewSpace<'_>,
) -> Result<MadeSpace, Failure> {
    let cx = app.operator(0, "provision");
    let name = Name::parse(new.name).map_err(|why| Failure::invalid("name", why))?;
    let account = match new.account {
        Some(account) => account,
        None => {
            let named = AccountPatch { name: Some(name.clone()), ..AccountPatch::default() };
            spaces::create_account(&cx, None, named).await?.number
        }
    };
    let switches = match new.keys {
        KeySource::WellKnown => sandbox_switches(dialects),
        KeySource::Random => BTreeMap::new(),
    };
    let patch = SpacePatch {
        name: Some(name),
        default_country: Patch::clear_or(new.default_country.clone()),
        dialects: Some(switches),
        ..SpacePatch::default()
    };
    let space = spaces::create_space(&cx, account, new.uuid, patch).await?.record;
    let mut credentials = Map::new();
    credentials.insert("base_url".into(), new.base_url.into());
    for dialect in dialects {
        let shown = key(app, dialect, &space, new).await?;
        credentials.insert(dialect.name.into(), shown);
    }
    Ok(MadeSpace { number: space.number, credentials: Value::Object(credentials) })
}

/// What a sandbox accepts beyond what a real space does, as the provider's own clients send it.
fn sandbox_switches(dialects: &[&'static Dialect]) -> BTreeMap<String, Value> {
    let switches =
        dialects.iter().map(|dialect| (dialect, (dialect.credentials.sandbox_switches)()));
    let named = switches.filter(|(_, switches)| !switches.is_null());
    named.map(|(dialect, switches)| (dialect.name.to_owned(), switches)).collect()
}

async fn key(
    app: &Arc<App>,
    dialect: &'static Dialect,
    space: &Space,
    new: &NewSpace<'_>,
) -> Result<Value, Failure> {
    let (minted, role, public_rights) = match new.keys {
        // The sandbox is there to try everything.
        KeySource::WellKnown => ((dialect.credentials.sandbox)(), Role::Owner, PublicRights::Full),
        KeySource::Random => {
            let role = dialect.credentials.roles.first;
            ((dialect.credentials.mint)(), role, PublicRights::default())
        }
    };
    let wanted = NewKey {
        account_wide: new.account.is_none(),
        name: format!("{} of {}", dialect.title, space.name.as_str()),
        public_rights,
        ..NewKey::of_space(space, dialect.name, role, minted.handle, minted.secret)
    };
    let key = keys::issue(&app.operator(0, "provision"), wanted, &minted.shown).await?.key.record;
    let shown = Shown { base_url: new.base_url, space, key: &key, secret: &minted.shown };
    Ok((dialect.credentials.show)(&shown))
}

/// The credentials that [`space`] answers for well-known keys in an empty deployment: the space has
/// the given number, and the keys are numbered from 1 in the order of the dialects.
pub fn well_known(dialects: &[&'static Dialect], base_url: &str, number: i64, uuid: Uuid) -> Value {
    let at = patron_model::Timestamp::from_micros(0);
    let name = Name::parse("Sandbox").expect("a plain word is a name");
    let space = Space::new(number, uuid, 1, name, at);
    let mut credentials = Map::new();
    credentials.insert("base_url".into(), base_url.into());
    for (key_number, dialect) in (1..).zip(dialects) {
        let minted = (dialect.credentials.sandbox)();
        let key = Key {
            user: key_number,
            account: space.account,
            space: space.number,
            account_wide: true,
            dialect: dialect.name.to_owned(),
            public_rights: PublicRights::Full,
            handle: minted.handle.unwrap_or_else(|| key_number.to_string()),
            ..Key::new(key_number, Uuid::nil(), at)
        };
        let shown = Shown { base_url, space: &space, key: &key, secret: &minted.shown };
        credentials.insert(dialect.name.into(), (dialect.credentials.show)(&shown));
    }
    Value::Object(credentials)
}
