//! Fields of accounts and spaces.

/// Fields of an account.
pub mod account {
    use patron_store::Field;

    use super::super::whole;

    /// The number that the server gave.
    pub fn number() -> Field {
        Field::Number
    }

    /// How often it was changed.
    pub fn version() -> Field {
        whole("version")
    }

    /// What people call it.
    pub fn name() -> Field {
        Field::text(&["name"])
    }

    /// The account above it.
    pub fn parent() -> Field {
        Field::Column("parent")
    }

    /// How many accounts it may have below it.
    pub fn subaccount_limit() -> Field {
        whole("subaccount_limit")
    }

    /// When it was made, in microseconds since the epoch.
    pub fn created_at() -> Field {
        whole("created_at")
    }

    /// The user who made it.
    pub fn created_by() -> Field {
        whole("created_by")
    }

    /// When it was archived.
    pub fn archived_at() -> Field {
        whole("archived_at")
    }

    /// When it was deleted.
    pub fn deleted_at() -> Field {
        whole("deleted_at")
    }
}

/// Fields of a space.
pub mod space {
    use patron_store::Field;

    use super::super::whole;

    /// The number that the server gave.
    pub fn number() -> Field {
        Field::Number
    }

    /// How often it was changed.
    pub fn version() -> Field {
        whole("version")
    }

    /// What people call it.
    pub fn name() -> Field {
        Field::text(&["name"])
    }

    /// The account it belongs to.
    pub fn account() -> Field {
        Field::Column("account")
    }

    /// The time zone of the business.
    pub fn time_zone() -> Field {
        Field::text(&["time_zone"])
    }

    /// The currency it mostly works in.
    pub fn currency() -> Field {
        Field::text(&["currency"])
    }

    /// Requests in two minutes that are answered.
    pub fn request_limit() -> Field {
        whole("request_limit")
    }

    /// When it was made, in microseconds since the epoch.
    pub fn created_at() -> Field {
        whole("created_at")
    }

    /// The user who made it.
    pub fn created_by() -> Field {
        whole("created_by")
    }

    /// When it was archived.
    pub fn archived_at() -> Field {
        whole("archived_at")
    }

    /// When its deletion began.
    pub fn deleted_at() -> Field {
        Field::Column("deleted_at")
    }

    /// When nothing was left of it.
    pub fn purged_at() -> Field {
        Field::Whole(vec!["deletion".to_owned(), "done_at".to_owned()])
    }
}
