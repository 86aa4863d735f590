//! Permissions: `/v1/permissions`. What they are is the same for everybody.

use patron_gateway::{Reply, Request};
use patron_model::{Failure, Noun, Permission};
use schemars::JsonSchema;
use serde::Serialize;

use crate::customers::show::ListOut;

/// A permission.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Permission")]
pub struct PermissionOut {
    /// Its words: noun and verb.
    permission: &'static str,
    /// Its number, which is never used for another one.
    number: u16,
    /// What it opens, in a sentence.
    about: &'static str,
}

impl From<Permission> for PermissionOut {
    fn from(permission: Permission) -> PermissionOut {
        PermissionOut {
            permission: permission.as_str(),
            number: permission.number(),
            about: permission.about(),
        }
    }
}

/// All of them, by their numbers.
pub async fn list(_: Request) -> Result<Reply, Failure> {
    let data: Vec<PermissionOut> = Permission::ALL.iter().map(|one| (*one).into()).collect();
    Reply::json(200, &ListOut { data, has_more: false, next_cursor: None, total: None })
}

/// One of them, by its words.
pub async fn get(request: Request) -> Result<Reply, Failure> {
    let not_found = Failure::NotFound { noun: Noun::Permission };
    let permission = Permission::parse(request.param("permission")).ok_or(not_found)?;
    Reply::json(200, &PermissionOut::from(permission))
}
