//! Operations on users, roles and who holds them, and on permissions.

use patron_gateway::{
    Operation,
    operation::{Parameter, delete, get, group, patch, post},
};
use patron_model::Permission::{
    self, AccessGrant, AccessRead, ApplicationRead, ApplicationWrite, PersonEnd, PersonRead,
    PersonWrite, ProviderRead, ProviderWrite, RoleRead, RoleWrite,
};

use super::{CURSOR, IF_MATCH, IF_NONE_MATCH, LIMIT, MERGED, admin::deployment};
use crate::{
    assignments::{self, AssignmentIn, AssignmentOut},
    customers::show::ListOut,
    me::{self, MeOut, OwnIn},
    permissions::{self, PermissionOut},
    providers::{self, ProviderIn, ProviderOut},
    roles::{self, RoleIn, RoleOut},
    second_factor,
    sessions::{self, EndedOut},
    users::{self, UserIn, UserOut},
};

/// Which of them counts depends on the user.
const SEE: &[Permission] = &[PersonRead, ApplicationRead];
/// The same for changes.
const CHANGE: &[Permission] = &[PersonWrite, ApplicationWrite];

#[rustfmt::skip]
pub(super) fn of_users() -> Vec<Operation> {
    const ALL: &str = "/v1/users";
    const ONE: &str = "/v1/users/{user}";
    const FILTERS: [Parameter; 4] = [
        Parameter::query("kind", "string", "human or application"),
        Parameter::query("state", "string", "invited, active or inactive"),
        Parameter::query("account", "integer", "number of the account they are managed in"),
        Parameter::query("email", "string", "e-mail address of a person"),
    ];
    const EXPAND: Parameter = Parameter::query("expand", "string",
        "roles, sign_in; comma separated or repeated: what the user holds, and how it signs in");
    deployment("Users", [
        get(ALL, users::list).named("list_users", "List people and applications")
            .needs_any(SEE).takes(&[LIMIT, CURSOR, EXPAND]).takes(&FILTERS)
            .replies::<ListOut<UserOut<'_>>>(200),
        post(ALL, users::create).named("create_user", "Invite a person, or make an application")
            .needs_any(CHANGE).step_up().body::<UserIn>().replies::<UserOut<'_>>(201),
        get(ONE, users::get).named("get_user", "Get a user")
            .needs_any(SEE).takes(&[IF_NONE_MATCH, EXPAND]).replies::<UserOut<'_>>(200)
            .replies_empty(304),
        patch(ONE, users::update)
            .named("update_user", "Change, activate or deactivate a user (JSON Merge Patch)")
            .needs_any(CHANGE).takes(&[IF_MATCH]).body::<UserIn>().media(MERGED)
            .replies::<UserOut<'_>>(200),
        delete(ONE, users::delete)
            .named("delete_user", "Delete a user: its keys end, it holds no role any more")
            .needs_any(CHANGE).step_up().takes(&[IF_MATCH]).replies_empty(204),
        post("/v1/users/{user}/end-sessions", sessions::end_of_user)
            .named("end_sessions_of_user", "End all sessions of a person")
            .needs(PersonEnd).replies::<EndedOut>(200),
        delete("/v1/users/{user}/factors", second_factor::remove_of_user)
            .named("delete_factors_of_user", "Remove codes and passkeys of a person who lost them")
            .needs(PersonWrite).step_up().replies_empty(204),
        get("/v1/me", me::get).named("get_me", "Who asks, and what he may do where")
            .any_key().replies::<MeOut<'_>>(200),
        patch("/v1/me", me::update)
            .named("update_me",
                "Change your own name, language, time zone, colours and keys (JSON Merge Patch)")
            .own().takes(&[IF_MATCH]).body::<OwnIn>().media(MERGED).replies::<UserOut<'_>>(200),
    ])
}

#[rustfmt::skip]
pub(super) fn of_assignments() -> Vec<Operation> {
    const OF_USER: &str = "/v1/users/{user}/assignments";
    const ONE: &str = "/v1/users/{user}/assignments/{assignment}";
    const FILTERS: [Parameter; 4] = [
        Parameter::query("account", "integer", "number of an account, whose spaces count too"),
        Parameter::query("space", "integer", "number of a space"),
        Parameter::query("role", "integer", "number of a role"),
        Parameter::query("user", "integer", "number of a user"),
    ];
    deployment("Assignments", [
        get("/v1/assignments", assignments::list)
            .named("list_assignments", "Who holds which role where, newest first")
            .needs(AccessRead).takes(&[LIMIT, CURSOR]).takes(&FILTERS)
            .replies::<ListOut<AssignmentOut>>(200),
        get(OF_USER, assignments::list_of_user)
            .named("list_user_assignments", "List the roles that a user holds")
            .needs(AccessRead).takes(&[LIMIT, CURSOR]).replies::<ListOut<AssignmentOut>>(200),
        post(OF_USER, assignments::create)
            .named("create_assignment", "Give a user a role at a place")
            .needs(AccessGrant).step_up().body::<AssignmentIn>().replies::<AssignmentOut>(201),
        get(ONE, assignments::get).named("get_assignment", "Get a role that a user holds")
            .needs(AccessRead).takes(&[IF_NONE_MATCH]).replies::<AssignmentOut>(200)
            .replies_empty(304),
        delete(ONE, assignments::withdraw)
            .named("delete_assignment", "Take a role from a user")
            .needs(AccessGrant).step_up().replies_empty(204),
    ])
}

#[rustfmt::skip]
pub(super) fn of_roles() -> Vec<Operation> {
    const ALL: &str = "/v1/roles";
    const ONE: &str = "/v1/roles/{role}";
    let roles = deployment("Roles", [
        get(ALL, roles::list).named("list_roles", "List roles, the built-in ones first")
            .needs(RoleRead).takes(&[LIMIT, CURSOR]).replies::<ListOut<RoleOut>>(200),
        post(ALL, roles::create).named("create_role", "Make a role of an account")
            .needs(RoleWrite).step_up().body::<RoleIn>().replies::<RoleOut>(201),
        get(ONE, roles::get).named("get_role", "Get a role")
            .needs(RoleRead).takes(&[IF_NONE_MATCH]).replies::<RoleOut>(200).replies_empty(304),
        patch(ONE, roles::update)
            .named("update_role", "Change a role for all who hold it (JSON Merge Patch)")
            .needs(RoleWrite).step_up().takes(&[IF_MATCH]).body::<RoleIn>().media(MERGED)
            .replies::<RoleOut>(200),
        delete(ONE, roles::delete).named("delete_role", "Delete a role that nobody holds")
            .needs(RoleWrite).step_up().takes(&[IF_MATCH]).replies_empty(204),
    ]);
    let permissions = group("Permissions", [
        get("/v1/permissions", permissions::list)
            .named("list_permissions", "Every permission there is")
            .any_key().replies::<ListOut<PermissionOut>>(200),
        get("/v1/permissions/{permission}", permissions::get)
            .named("get_permission", "Get a permission by its words")
            .any_key().replies::<PermissionOut>(200),
    ]);
    roles.into_iter().chain(permissions).collect()
}

#[rustfmt::skip]
pub(super) fn of_providers() -> Vec<Operation> {
    const ALL: &str = "/v1/providers";
    const ONE: &str = "/v1/providers/{provider}";
    deployment("Providers", [
        get(ALL, providers::list)
            .named("list_providers", "List the providers that people sign in by")
            .needs(ProviderRead).takes(&[LIMIT, CURSOR]).replies::<ListOut<ProviderOut<'_>>>(200),
        post(ALL, providers::create)
            .named("create_provider", "Set up a provider of OpenID Connect for an account")
            .needs(ProviderWrite).step_up().body::<ProviderIn>().replies::<ProviderOut<'_>>(201),
        get(ONE, providers::get).named("get_provider", "Get a provider")
            .needs(ProviderRead).takes(&[IF_NONE_MATCH]).replies::<ProviderOut<'_>>(200)
            .replies_empty(304),
        patch(ONE, providers::update)
            .named("update_provider", "Change a provider (JSON Merge Patch)")
            .needs(ProviderWrite).step_up().takes(&[IF_MATCH]).body::<ProviderIn>().media(MERGED)
            .replies::<ProviderOut<'_>>(200),
        delete(ONE, providers::delete)
            .named("delete_provider", "Delete a provider: nobody signs in by it any more")
            .needs(ProviderWrite).step_up().takes(&[IF_MATCH]).replies_empty(204),
    ])
}
