//! Operations on accounts and spaces: records of the deployment.

use http::Method;
use patron_gateway::{Access::Needs, Operation};
use patron_model::Permission::{AccountRead, AccountWrite, SpaceRead, SpaceWrite};

use super::{IF_MATCH, write};
use crate::{
    accounts::{self, AccountIn, AccountOut},
    spaces::{self, SpaceIn, SpaceOut},
    wire::ListOut,
};

pub(super) fn account_operations() -> Vec<Operation> {
    let tagged = [
        Operation::new(
            Method::GET,
            Needs(AccountRead),
            "/v1/accounts",
            "list_accounts",
            "List accounts",
            accounts::list,
        )
        .replies::<ListOut<AccountOut<'_>>>(200),
        write(Operation::new(
            Method::POST,
            Needs(AccountWrite),
            "/v1/accounts",
            "create_account",
            "Create an account",
            accounts::create,
        ))
        .body::<AccountIn>()
        .replies::<AccountOut<'_>>(201),
        Operation::new(
            Method::GET,
            Needs(AccountRead),
            "/v1/accounts/{account}",
            "get_account",
            "Get an account",
            accounts::get,
        )
        .replies::<AccountOut<'_>>(200),
        write(Operation::new(
            Method::PATCH,
            Needs(AccountWrite),
            "/v1/accounts/{account}",
            "update_account",
            "Rename or archive an account",
            accounts::update,
        ))
        .takes(&[IF_MATCH])
        .body::<AccountIn>()
        .replies::<AccountOut<'_>>(200),
    ];
    tagged.map(|operation| operation.tag("Accounts").for_deployment()).into()
}

pub(super) fn space_operations() -> Vec<Operation> {
    let tagged = [
        Operation::new(
            Method::GET,
            Needs(SpaceRead),
            "/v1/spaces",
            "list_spaces",
            "List spaces",
            spaces::list,
        )
        .replies::<ListOut<SpaceOut<'_>>>(200),
        write(Operation::new(
            Method::POST,
            Needs(SpaceWrite),
            "/v1/spaces",
            "create_space",
            "Create a space",
            spaces::create,
        ))
        .body::<SpaceIn>()
        .replies::<SpaceOut<'_>>(201),
        Operation::new(
            Method::GET,
            Needs(SpaceRead),
            "/v1/spaces/{space}",
            "get_space",
            "Get a space",
            spaces::get,
        )
        .replies::<SpaceOut<'_>>(200),
        write(Operation::new(
            Method::PATCH,
            Needs(SpaceWrite),
            "/v1/spaces/{space}",
            "update_space",
            "Change or archive a space",
            spaces::update,
        ))
        .takes(&[IF_MATCH])
        .body::<SpaceIn>()
        .replies::<SpaceOut<'_>>(200),
    ];
    tagged.map(|operation| operation.tag("Spaces").for_deployment()).into()
}
