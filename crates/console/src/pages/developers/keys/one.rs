//! One key.

use askama::Template;
use patron_gateway::Reply;
use patron_model::Failure;

use super::{
    super::{Api, api},
    Key, loaded,
};
use crate::{
    frame::Frame,
    page::{self, Page},
    rights,
    words::Moment,
};

#[derive(Template)]
#[template(path = "developers/key.html")]
struct One {
    f: Frame,
    name: String,
    key: Key,
    base: String,
    api: Option<Api>,
    state: String,
    role: Option<String>,
    rights: Vec<(String, String)>,
    public: Option<String>,
    created: Moment,
    ends: Option<Moment>,
    used: Option<Moment>,
    revoked: Option<Moment>,
}

impl One {
    /// Whether something can be done with it here.
    fn may_change(&self) -> bool {
        self.key.is_good() && self.f.may("key:write")
    }

    /// The address of another key.
    fn other(&self, number: &i64) -> String {
        self.f.here(&format!("/keys/{number}"))
    }
}

/// The page.
pub async fn key(page: Page) -> Result<Reply, Failure> {
    let (key, _) = loaded(&page).await?;
    let mut f = page.frame("nav-keys");
    f.title = f.say("key-title", "number", &key.number.to_string());
    let roles = rights::roles(&page, &f).await?;
    let role = roles.into_iter().find(|role| Some(role.number) == key.role);
    let moment = |at: &Option<String>| at.as_ref().map(|at| f.moment(at));
    let one = One {
        name: key.called(&f),
        base: format!("{}/keys/{}", page.space(), key.number),
        api: api(&page, &key.dialect),
        state: f.of_word("key-state-", &key.state, ""),
        role: role.map(|role| role.name),
        rights: rights::in_words(&f, &key.permissions),
        public: (key.public_rights != "none")
            .then(|| f.of_word("key-public-", &key.public_rights, "")),
        created: f.moment(&key.created_at),
        ends: moment(&key.expires_at),
        used: moment(&key.last_used_at),
        revoked: moment(&key.revoked_at),
        key,
        f,
    };
    page::html(200, &one)
}
