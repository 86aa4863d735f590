//! Every operation that is served, one line each, grouped as in the dossier (§6.2 to §6.4).

use std::future::Future;

use patron_gateway::{
    BoxFuture, Operation, Reply, Request,
    operation::{Parameter, Unguarded},
};
use patron_model::{
    Failure,
    Permission::{
        AccessGrant, AccessRead, AccountDelete, AccountRead, AccountWrite, ApplicationRead,
        ApplicationWrite, CommentRead, CommentWrite, CustomerMerge, CustomerRead, CustomerWrite,
        KeyRead, KeyWrite, PersonRead, PersonWrite, RoleRead, RoleWrite, SpaceDelete, SpaceRead,
        SpaceWrite, WebhookRead, WebhookWrite,
    },
    customer::Deed,
};

use crate::{
    accounts::{self, Account, AccountIn},
    addresses::{self, CustomerAddress, CustomerAddressActive, CustomerAddressCreate},
    catalogues,
    comments::{self, CustomerComment, CustomerCommentActive, CustomerCommentCreate},
    customers::{
        self,
        bulk::{self, BulkResult},
        read::{CustomerActive, CustomerCreate},
        show::{Customer, RestCustomerEmailAddress},
    },
    exports,
    lists::{ListResponse, SearchResponse},
    records,
    roles::{self, About, Role, RoleIn, UserAccountRole, UserSpaceRole},
    spaces::{self, Space, SpaceIn},
    table, transport,
    users::{
        self, Family, RestApplicationUserMacKey, UserIn,
        show::{ApplicationUser, HumanUser, SingleSignOnUser},
    },
    webhook_endpoints::{
        self as webhooks, Of, WebhookListener, WebhookListenerIn, WebhookUrl, WebhookUrlIn,
    },
};

pub const SPACE: Parameter = Parameter {
    name: "Space",
    place: "header",
    kind: "integer",
    required: true,
    about: "Space the operation works in.",
};
pub const ACCOUNT: Parameter = Parameter {
    name: "Account",
    place: "header",
    kind: "integer",
    required: true,
    about: "Account the operation works in.",
};
pub const EXPAND: Parameter =
    Parameter::query("expand", "string", "References to show as a whole; may be repeated.");
pub const LIMIT: Parameter = Parameter::query("limit", "integer", "Objects of a page, 1 to 100.");
pub const LIST: [Parameter; 5] = [
    Parameter::query("after", "integer", "Id of the object before the page."),
    Parameter::query("before", "integer", "Id of the object behind the page."),
    EXPAND,
    LIMIT,
    Parameter::query("order", "string", "ASC or DESC by time of creation."),
];
pub const SEARCH: [Parameter; 5] = [
    EXPAND,
    LIMIT,
    Parameter::query("offset", "integer", "Objects to skip, up to 10000."),
    Parameter::query("order", "string", "Fields with :ASC or :DESC, separated by commas."),
    Parameter::query("query", "string", "What to search for."),
];

/// Every operation of the provider: those that are served, and the rest.
pub fn all() -> Vec<Operation> {
    let mut all = served();
    all.extend(table::not_served(&all));
    all
}

fn served() -> Vec<Operation> {
    let typed = [of_customers(), of_addresses(), of_comments(), of_webhooks()].concat();
    let people =
        [of_places(), of_users(), of_roles()].concat().into_iter().map(Operation::for_deployment);
    let typed = typed.into_iter().chain(people).map(table::described);
    typed.chain(catalogues::operations()).chain(records::operations()).collect()
}

#[rustfmt::skip]
fn of_customers() -> Vec<Operation> {
    vec![
        on("customers_list", customers::list).needs(CustomerRead)
            .replies::<ListResponse<Customer<'_>>>(200),
        on("customers_retrieve", customers::retrieve).needs(CustomerRead)
            .replies::<Customer<'_>>(200),
        on("customers_list_email_addresses", customers::list_email_addresses).needs(CustomerRead)
            .replies::<ListResponse<RestCustomerEmailAddress>>(200),
        on("customers_search", customers::search).needs(CustomerRead)
            .replies::<SearchResponse<Customer<'_>>>(200),
        on("customers_create", customers::create).needs(CustomerWrite)
            .body::<CustomerCreate>().replies::<Customer<'_>>(201),
        on("customers_merge", customers::merge).needs(CustomerMerge).refusable(Deed::Merge)
            .replies::<Customer<'_>>(200),
        on("customers_update", customers::update).needs(CustomerWrite)
            .body::<CustomerActive>().replies::<Customer<'_>>(200),
        on("customers_delete", customers::delete).needs(CustomerWrite).replies_empty(204),
        on("customers_create_many", bulk::create).needs(CustomerWrite)
            .body::<Vec<CustomerCreate>>().replies::<Vec<BulkResult>>(200),
        on("customers_update_many", bulk::update).needs(CustomerWrite)
            .refusable(Deed::ChangeAmongMany)
            .body::<Vec<CustomerActive>>().replies::<Vec<BulkResult>>(200),
        on("customers_delete_many", bulk::delete).needs(CustomerWrite)
            .body::<Vec<i64>>().replies::<Vec<BulkResult>>(200),
    ]
}

#[rustfmt::skip]
fn of_addresses() -> Vec<Operation> {
    vec![
        on("customer_addresses_list", addresses::list).needs(CustomerRead)
            .replies::<ListResponse<CustomerAddress<'_>>>(200),
        on("customer_addresses_retrieve", addresses::retrieve).needs(CustomerRead)
            .replies::<CustomerAddress<'_>>(200),
        on("customer_addresses_search", addresses::search).needs(CustomerRead)
            .replies::<SearchResponse<CustomerAddress<'_>>>(200),
        on("customer_addresses_create", addresses::create).needs(CustomerWrite)
            .body::<CustomerAddressCreate>().replies::<CustomerAddress<'_>>(201),
        on("customer_addresses_set_default", addresses::set_default).needs(CustomerWrite)
            .replies_empty(204),
        on("customer_addresses_update", addresses::update).needs(CustomerWrite)
            .body::<CustomerAddressActive>().replies::<CustomerAddress<'_>>(200),
        on("customer_addresses_delete", addresses::delete).needs(CustomerWrite).replies_empty(204),
    ]
}

#[rustfmt::skip]
fn of_comments() -> Vec<Operation> {
    vec![
        on("customer_comments_list", comments::list).needs(CommentRead)
            .replies::<ListResponse<CustomerComment<'_>>>(200),
        on("customer_comments_retrieve", comments::retrieve).needs(CommentRead)
            .replies::<CustomerComment<'_>>(200),
        on("customer_comments_search", comments::search).needs(CommentRead)
            .replies::<SearchResponse<CustomerComment<'_>>>(200),
        on("customer_comments_create", comments::create).needs(CommentWrite)
            .body::<CustomerCommentCreate>().replies::<CustomerComment<'_>>(201),
        on("customer_comments_pin", comments::pin).needs(CommentWrite).replies_empty(204),
        on("customer_comments_unpin", comments::unpin).needs(CommentWrite).replies_empty(204),
        on("customer_comments_update", comments::update).needs(CommentWrite)
            .body::<CustomerCommentActive>().replies::<CustomerComment<'_>>(200),
        on("customer_comments_delete", comments::delete).needs(CommentWrite).replies_empty(204),
    ]
}

#[rustfmt::skip]
fn of_places() -> Vec<Operation> {
    vec![
        on("accounts_list", accounts::list).needs(AccountRead)
            .replies::<ListResponse<Account>>(200),
        on("accounts_retrieve", accounts::retrieve).needs(AccountRead).replies::<Account>(200),
        on("accounts_search", accounts::search).needs(AccountRead)
            .replies::<SearchResponse<Account>>(200),
        on("accounts_create", accounts::create).needs(AccountWrite)
            .body::<AccountIn>().replies::<Account>(201),
        on("accounts_activate", |r| accounts::activate(false, r)).needs(AccountWrite)
            .replies_empty(204),
        on("accounts_deactivate", |r| accounts::activate(true, r)).needs(AccountWrite)
            .replies_empty(204),
        on("accounts_update", accounts::update).needs(AccountWrite)
            .body::<AccountIn>().replies::<Account>(200),
        on("accounts_delete", accounts::delete).needs(AccountDelete).replies_empty(204),
        on("spaces_list", spaces::list).needs(SpaceRead).replies::<ListResponse<Space<'_>>>(200),
        on("spaces_retrieve", spaces::retrieve).needs(SpaceRead).replies::<Space<'_>>(200),
        on("spaces_search", spaces::search).needs(SpaceRead)
            .replies::<SearchResponse<Space<'_>>>(200),
        on("spaces_create", spaces::create).needs(SpaceWrite)
            .body::<SpaceIn>().replies::<Space<'_>>(201),
        on("spaces_update", spaces::update).needs(SpaceWrite)
            .body::<SpaceIn>().replies::<Space<'_>>(200),
        on("spaces_delete", spaces::delete).needs(SpaceDelete).replies_empty(204),
    ]
}

#[rustfmt::skip]
fn of_users() -> Vec<Operation> {
    use Family::{Application, Human, SingleSignOn};
    vec![
        on("application_users_list", |r| users::list(Application, r)).needs(ApplicationRead)
            .replies::<ListResponse<ApplicationUser<'_>>>(200),
        on("application_users_retrieve", |r| users::retrieve(Application, r))
            .needs(ApplicationRead).replies::<ApplicationUser<'_>>(200),
        on("application_users_search", |r| users::search(Application, r)).needs(ApplicationRead)
            .replies::<SearchResponse<ApplicationUser<'_>>>(200),
        on("application_users_create", users::create_application).needs(ApplicationWrite)
            .body::<UserIn>().replies::<ApplicationUser<'_>>(201),
        on("application_users_update", |r| users::update(Application, r)).needs(ApplicationWrite)
            .body::<UserIn>().replies::<ApplicationUser<'_>>(200),
        on("application_users_delete", |r| users::delete(Application, r)).needs(ApplicationWrite)
            .replies_empty(204),
        on("application_users_get_keys", users::list_keys).needs(KeyRead)
            .replies::<Vec<RestApplicationUserMacKey>>(200),
        on("application_users_post_keys", users::create_key).needs(KeyWrite)
            .replies::<RestApplicationUserMacKey>(201),
        on("application_users_delete_keys", users::delete_key).needs(KeyWrite).replies_empty(204),
        on("human_users_list", |r| users::list(Human, r)).needs(PersonRead)
            .replies::<ListResponse<HumanUser<'_>>>(200),
        on("human_users_retrieve", |r| users::retrieve(Human, r)).needs(PersonRead)
            .replies::<HumanUser<'_>>(200),
        on("human_users_search", |r| users::search(Human, r)).needs(PersonRead)
            .replies::<SearchResponse<HumanUser<'_>>>(200),
        table::row("human_users_export").line(negotiated("text/csv", exports::human_users))
            .needs(PersonRead).replies::<String>(200).replies_in(&["text/csv"]),
        on("human_users_create", users::create_human).needs(PersonWrite)
            .body::<UserIn>().replies::<HumanUser<'_>>(201),
        on("human_users_update", |r| users::update(Human, r)).needs(PersonWrite)
            .body::<UserIn>().replies::<HumanUser<'_>>(200),
        on("human_users_delete", |r| users::delete(Human, r)).needs(PersonWrite)
            .replies_empty(204),
        on("single_sign_on_users_list", |r| users::list(SingleSignOn, r)).needs(PersonRead)
            .replies::<ListResponse<SingleSignOnUser<'_>>>(200),
        on("single_sign_on_users_retrieve", |r| users::retrieve(SingleSignOn, r))
            .needs(PersonRead).replies::<SingleSignOnUser<'_>>(200),
        on("single_sign_on_users_search", |r| users::search(SingleSignOn, r)).needs(PersonRead)
            .replies::<SearchResponse<SingleSignOnUser<'_>>>(200),
        on("single_sign_on_users_create", users::create_single_sign_on).needs(PersonWrite)
            .body::<UserIn>().replies::<SingleSignOnUser<'_>>(201),
        on("single_sign_on_users_update", |r| users::update(SingleSignOn, r)).needs(PersonWrite)
            .body::<UserIn>().replies::<SingleSignOnUser<'_>>(200),
        on("single_sign_on_users_delete", |r| users::delete(SingleSignOn, r)).needs(PersonWrite)
            .replies_empty(204),
    ]
}

#[rustfmt::skip]
fn of_roles() -> Vec<Operation> {
    let mut all = vec![
        on("roles_list", roles::list).needs(RoleRead).replies::<ListResponse<Role>>(200),
        on("roles_retrieve", roles::retrieve).needs(RoleRead).replies::<Role>(200),
        on("roles_search", roles::search).needs(RoleRead).replies::<SearchResponse<Role>>(200),
        on("roles_create", roles::create).needs(RoleWrite).body::<RoleIn>().replies::<Role>(201),
        on("roles_update", roles::update).needs(RoleWrite).body::<RoleIn>().replies::<Role>(200),
        on("roles_delete", roles::delete).needs(RoleWrite).replies_empty(204),
    ];
    let families = [
        ("application", Family::Application),
        ("human", Family::Human),
        ("single_sign_on", Family::SingleSignOn),
    ];
    for (user, family) in families {
        let (account, space) =
            (About { family, is_of_space: false }, About { family, is_of_space: true });
        let id = |what: &str| format!("{user}_users_roles_{what}");
        all.extend([
            on(&id("list"), move |r| roles::list_held(account, r)).needs(AccessRead)
                .replies::<ListResponse<UserAccountRole>>(200),
            on(&id("account_roles"), move |r| roles::grant(account, r)).needs(AccessGrant)
                .replies::<UserAccountRole>(200),
            on(&id("delete"), move |r| roles::withdraw(account, r)).needs(AccessGrant)
                .replies_empty(204),
            on(&id("get_space_roles"), move |r| roles::list_held(space, r)).needs(AccessRead)
                .replies::<ListResponse<UserSpaceRole>>(200),
            on(&id("space_roles"), move |r| roles::grant(space, r)).needs(AccessGrant)
                .replies::<UserSpaceRole>(200),
            on(&id("delete_space_roles"), move |r| roles::withdraw(space, r)).needs(AccessGrant)
                .replies_empty(204),
        ]);
    }
    all
}

#[rustfmt::skip]
fn of_webhooks() -> Vec<Operation> {
    use Of::{Listeners, Urls};
    let key = table::row("webhook_encryption_keys_retrieve");
    vec![
        // Its answer is text: what is accepted does not matter.
        key.line(webhooks::encryption_key).public().replies::<String>(200)
            .replies_in(&["text/plain"]),
        on("webhook_urls_list", |r| webhooks::list(Urls, r)).needs(WebhookRead)
            .replies::<ListResponse<WebhookUrl>>(200),
        on("webhook_urls_retrieve", |r| webhooks::retrieve(Urls, r)).needs(WebhookRead)
            .replies::<WebhookUrl>(200),
        on("webhook_urls_search", |r| webhooks::search(Urls, r)).needs(WebhookRead)
            .replies::<SearchResponse<WebhookUrl>>(200),
        on("webhook_urls_create", |r| webhooks::create(Urls, r)).needs(WebhookWrite)
            .body::<WebhookUrlIn>().replies::<WebhookUrl>(201),
        on("webhook_urls_create_many", |r| webhooks::create_many(Urls, r)).needs(WebhookWrite)
            .body::<Vec<WebhookUrlIn>>().replies::<Vec<BulkResult>>(200),
        on("webhook_urls_update", |r| webhooks::update(Urls, r)).needs(WebhookWrite)
            .body::<WebhookUrlIn>().replies::<WebhookUrl>(200),
        on("webhook_urls_update_many", |r| webhooks::update_many(Urls, r)).needs(WebhookWrite)
            .body::<Vec<WebhookUrlIn>>().replies::<Vec<BulkResult>>(200),
        on("webhook_urls_delete", |r| webhooks::delete(Urls, r)).needs(WebhookWrite)
            .replies_empty(204),
        on("webhook_urls_delete_many", |r| webhooks::delete_many(Urls, r)).needs(WebhookWrite)
            .body::<Vec<i64>>().replies::<Vec<BulkResult>>(200),
        on("webhook_listeners_list", |r| webhooks::list(Listeners, r)).needs(WebhookRead)
            .replies::<ListResponse<WebhookListener>>(200),
        on("webhook_listeners_retrieve", |r| webhooks::retrieve(Listeners, r)).needs(WebhookRead)
            .replies::<WebhookListener>(200),
        on("webhook_listeners_search", |r| webhooks::search(Listeners, r)).needs(WebhookRead)
            .replies::<SearchResponse<WebhookListener>>(200),
        on("webhook_listeners_create", |r| webhooks::create(Listeners, r)).needs(WebhookWrite)
            .body::<WebhookListenerIn>().replies::<WebhookListener>(201),
        on("webhook_listeners_create_many", |r| webhooks::create_many(Listeners, r))
            .needs(WebhookWrite)
            .body::<Vec<WebhookListenerIn>>().replies::<Vec<BulkResult>>(200),
        on("webhook_listeners_update", |r| webhooks::update(Listeners, r)).needs(WebhookWrite)
            .body::<WebhookListenerIn>().replies::<WebhookListener>(200),
        on("webhook_listeners_update_many", |r| webhooks::update_many(Listeners, r))
            .needs(WebhookWrite)
            .body::<Vec<WebhookListenerIn>>().replies::<Vec<BulkResult>>(200),
        on("webhook_listeners_delete", |r| webhooks::delete(Listeners, r)).needs(WebhookWrite)
            .replies_empty(204),
        on("webhook_listeners_delete_many", |r| webhooks::delete_many(Listeners, r))
            .needs(WebhookWrite)
            .body::<Vec<i64>>().replies::<Vec<BulkResult>>(200),
    ]
}

/// The line of an operation: who may call it, its body and what it answers. All else stands in the
/// row of the table; the handler is behind the check of media types.
fn on<F, Fut>(id: &str, handler: F) -> Unguarded<impl Fn(Request) -> Answering + use<F, Fut>>
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    table::row(id).line(negotiated("application/json", handler))
}

pub type Answering = BoxFuture<'static, Result<Reply, Failure>>;

/// The handler behind the check of media types: of the body, and of what it answers.
pub fn negotiated<F, Fut>(
    media: &'static str,
    handler: F,
) -> impl Fn(Request) -> Answering + Send + Sync + 'static
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    move |request| match transport::negotiate(&request, media) {
        Ok(()) => Box::pin(handler(request)),
        Err(failure) => Box::pin(std::future::ready(Err(failure))),
    }
}
