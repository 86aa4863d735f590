//! Where to work: the choice of a space.

use askama::Template;
use patron_app::{
    places,
    search::{Filter, Query, fields},
    spaces,
};
use patron_gateway::{Operation, Reply};
use patron_model::{Failure, Permission, space::Space};

use crate::{
    frame::Frame,
    operations::Table,
    page::{self, Page},
};

/// Spaces that are shown to choose from.
const SPACES_MAX: u32 = 200;
/// What opens a page of a space: who holds one of these there is offered it.
const OPENS: [Permission; 5] = [
    Permission::CustomerRead,
    Permission::SpaceRead,
    Permission::KeyRead,
    Permission::WebhookRead,
    Permission::EventRead,
];

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    vec![
        table.page("/console", "console_start", "The console", start).own(),
        table.page("/console/", "console_start_too", "The console", start).own(),
        table.page("/console/spaces", "console_spaces", "Choose a space", choose).own(),
    ]
}

#[derive(Template)]
#[template(path = "spaces.html")]
struct Spaces {
    f: Frame,
    spaces: Vec<Choice>,
    more: bool,
}

struct Choice {
    number: i64,
    path: String,
    name: String,
}

/// The spaces where the person may do something, and whether there are more than are shown.
async fn choices(page: &Page) -> Result<(Vec<Choice>, bool), Failure> {
    let cx = &page.request.cx;
    let mut reached = Vec::new();
    for permission in OPENS {
        let reach = places::reach(cx, permission).await?;
        let single = reach.spaces.iter().map(|number| (*number).into()).collect();
        reached.push(reach.in_accounts(fields::space::account()));
        reached.push(Filter::OneOf(fields::space::number(), single));
    }
    let predicate = Filter::Or(reached);
    let query = Query { predicate, limit: SPACES_MAX, ..Query::of(0) };
    let found = spaces::list::<Space>(cx, query).await?;
    let open = found.items.iter().filter(|space| space.is_open());
    let choice = |space: &Space| {
        let (number, name) = (space.number, space.name.as_str().to_owned());
        Choice { number, path: format!("/s/{number}"), name }
    };
    Ok((open.map(|space| choice(space)).collect(), found.more))
}

async fn start(page: Page) -> Result<Reply, Failure> {
    let (spaces, _) = choices(&page).await?;
    Ok(match spaces.as_slice() {
        [only] => page.see(&only.path),
        _ => page.see("/spaces"),
    })
}

async fn choose(page: Page) -> Result<Reply, Failure> {
    let (spaces, more) = choices(&page).await?;
    page::html(200, &Spaces { f: page.frame("spaces-title"), spaces, more })
}
