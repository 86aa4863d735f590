//! Rights: every operation of every API asks for its own permission and for no other, a key does
//! what its role says cut by its cap, and the page of permissions says what is so.

use std::fmt::Write as _;

use patron_app::{
    keys::{self, NewKey},
    spaces,
};
use patron_gateway::{Access, Dialect, Operation, dialect::Shown};
use patron_model::{
    Permission, Permissions,
    space::{Role, Space},
};
use patron_testkit::TestServer;
use serde_json::Value;

use crate::api::ALL;

/// Credentials of an owner's key for a whole account with a cap.
async fn key_capped(server: &TestServer, dialect: &'static Dialect, cap: Permissions) -> Value {
    let cx = server.app.operator(0, "test");
    let space: Space = spaces::get(&cx, 1).await.unwrap().record;
    let minted = (dialect.credentials.mint)();
    let new = NewKey {
        account_wide: true,
        cap: Some(cap),
        ..NewKey::of_space(&space, dialect.name, Role::Owner, minted.handle, minted.secret)
    };
    let key = keys::create(&cx, new).await.unwrap().record;
    let base_url = &server.base_url;
    (dialect.credentials.show)(&Shown { base_url, space: &space, key: &key, secret: &minted.shown })
}

/// The path of an operation that nothing answers to, at an entry point that is the caller's own.
fn path(operation: &Operation, keys: &Value) -> String {
    let entry = keys["entry"].as_str().unwrap_or("x");
    operation.path.replace("{entry}", entry).replace(['{', '}'], "")
}

#[tokio::test]
async fn every_operation_of_every_api_asks_for_its_permission() {
    let server = TestServer::start(&ALL).await;
    let mut asked = 0;
    for dialect in ALL {
        let nothing = key_capped(&server, dialect, Permissions::NONE).await;
        for permission in Permission::ALL {
            let only = Permissions::of(&[*permission]);
            let only_it = key_capped(&server, dialect, only).await;
            for operation in (dialect.operations)() {
                let needed = needed(&operation);
                if !needed.has(*permission) {
                    continue;
                }
                let without = Permissions::ALL.without(needed);
                let but_it = key_capped(&server, dialect, without).await;
                let what = format!("{} {} {permission}", dialect.name, operation.id);
                let method = operation.method.as_str();
                let nobody = server.raw(method, &path(&operation, &nothing), &[], b"").await;
                assert_eq!(nobody.status, 401, "{what} without a key: {}", nobody.text());
                for (keys, is_let_in) in [(&but_it, false), (&only_it, true)] {
                    let path = path(&operation, keys);
                    let answer = server.call(dialect, keys, method, &path, None).await;
                    assert_ne!(answer.status, 401, "{what}: {}", answer.text());
                    let is_refused = answer.status == 403;
                    assert_eq!(is_refused, !is_let_in, "{what}: {}", answer.text());
                }
                asked += 1;
            }
        }
        for operation in (dialect.operations)().iter().filter(|o| o.access == Access::AnyKey) {
            let path = path(operation, &nothing);
            let answer = server.call(dialect, &nothing, operation.method.as_str(), &path, None);
            let status = answer.await.status;
            assert!(![401, 403].contains(&status), "{} {}: {status}", dialect.name, operation.id);
        }
    }
    assert!(asked > 110, "{asked} operations");
}

/// What an operation asks for.
fn needed(operation: &Operation) -> Permissions {
    match operation.access {
        Access::Public | Access::AnyKey | Access::Own => Permissions::NONE,
        Access::Needs(permission) => Permissions::of(&[permission]),
        Access::NeedsAny(permissions) => Permissions::of(permissions),
    }
}

#[tokio::test]
async fn nobody_makes_a_key_with_more_rights_than_he_has() {
    let server = TestServer::start(&ALL).await;
    let operator = server.app.operator(0, "test");
    let space: Space = spaces::get(&operator, 1).await.unwrap().record;
    for giver in Role::ALL {
        let cx = patron_app::Cx { rights: giver.permissions(), ..operator.clone() };
        for given in Role::ALL {
            let minted = (patron_native::DIALECT.credentials.mint)();
            let new = NewKey::of_space(&space, "native", given, minted.handle, minted.secret);
            let is_given = keys::create(&cx, new).await.is_ok();
            let covers = giver.permissions().covers(given.permissions());
            assert_eq!(is_given, covers, "{giver:?} gives {given:?}");
        }
        let minted = (patron_native::DIALECT.credentials.mint)();
        let cap = Some(Permissions::of(&[Permission::CustomerRead]));
        let of_owner =
            NewKey::of_space(&space, "native", Role::Owner, minted.handle, minted.secret);
        // What counts is what the key may do at last, not the name of its role.
        assert!(keys::create(&cx, NewKey { cap, ..of_owner }).await.is_ok(), "{giver:?}");
    }
}

/// The page of permissions as the operations' lines and the roles say it.
fn page() -> String {
    let mut page = String::from(
        "# Permissions\n\nWhich permission every operation asks for, and which built-in role has \
         it. This page is generated: a test\ncompares it with the operations' lines and the roles \
         (`patron::rights::the_page_of_permissions_is_current`);\n`UPDATE_SNAPSHOTS=1 cargo test \
         -p patron --test main rights` writes it anew.\n\nRights only add up, and no permission \
         implies another. A key may do what its role says, cut by its own list\nof permissions \
         where it has one. How roles are chosen and why: [design.md](design.md#why-permissions).\
         \n\n## Roles\n\n| permission | number | opens |",
    );
    for role in Role::ALL {
        let _ = write!(page, " {} {} |", role.number(), role.as_str().replace('_', " "));
    }
    page.push_str("\n|---|---|---|");
    page.push_str(&"---|".repeat(Role::ALL.len()));
    for permission in Permission::ALL {
        let (number, about) = (permission.number(), permission.about());
        let _ = write!(page, "\n| `{permission}` | {number} | {about} |");
        for role in Role::ALL {
            page.push_str(if role.permissions().has(*permission) { " yes |" } else { " |" });
        }
    }
    for dialect in ALL {
        let _ = write!(page, "\n\n## {}\n\n| operation | permission |\n|---|---|", dialect.title);
        for operation in (dialect.operations)().iter().filter(|o| o.is_served) {
            let needed = match operation.access {
                Access::Public => "none, no sign-in".to_owned(),
                Access::AnyKey => "none, any key".to_owned(),
                Access::Own => "none, a person's session".to_owned(),
                Access::Needs(permission) => format!("`{permission}`"),
                Access::NeedsAny(some) => {
                    let words: Vec<_> = some.iter().map(|one| format!("`{one}`")).collect();
                    words.join(" or ")
                }
            };
            let _ = write!(page, "\n| `{} {}` | {needed} |", operation.method, operation.path);
        }
    }
    page.push('\n');
    page
}

#[test]
fn the_page_of_permissions_is_current() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/permissions.md");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(file, page()).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == page(), "docs/permissions.md is not what the operations say");
}
