//! Fields of users, and of roles and who holds them.

/// Fields of a user.
pub mod user {
    use patron_store::Field;

    /// The number that the server gave.
    pub fn number() -> Field {
        Field::Number
    }

    /// How often it was changed.
    pub fn version() -> Field {
        super::super::whole("version")
    }

    /// What an application is called.
    pub fn name() -> Field {
        Field::text(&["name"])
    }

    /// The given name of a person.
    pub fn given_name() -> Field {
        Field::text(&["given_name"])
    }

    /// The family name of a person.
    pub fn family_name() -> Field {
        Field::text(&["family_name"])
    }

    /// The account it is managed in.
    pub fn account() -> Field {
        Field::Column("account")
    }

    /// Person or application.
    pub fn kind() -> Field {
        Field::Column("kind")
    }

    /// Whether it may do anything.
    pub fn state() -> Field {
        Field::Column("state")
    }

    /// The provider who brings a person.
    pub fn provider() -> Field {
        super::super::whole("provider")
    }

    /// The e-mail address of a person, as typed.
    pub fn email() -> Field {
        Field::text(&["email"])
    }
}

/// Fields of a role that an account has made for itself.
pub mod role {
    use patron_store::Field;

    /// The account it belongs to; nothing once it is deleted.
    pub fn account() -> Field {
        Field::Column("account")
    }
}

/// Fields of a provider of OpenID Connect.
pub mod provider {
    use patron_store::Field;

    /// The account it belongs to; nothing once it is deleted.
    pub fn account() -> Field {
        Field::Column("account")
    }
}

/// Fields of a role that a user holds; nothing once it is withdrawn.
pub mod assignment {
    use patron_store::Field;

    /// The user.
    pub fn user() -> Field {
        Field::Column("user")
    }

    /// The role.
    pub fn role() -> Field {
        Field::Column("role")
    }

    /// The account where it holds, or whose space it is.
    pub fn account() -> Field {
        Field::Column("account")
    }

    /// The space where it holds.
    pub fn space() -> Field {
        Field::Column("space")
    }
}

/// Fields of a mail.
pub mod mail {
    use patron_store::Field;

    /// The account it is about.
    pub fn account() -> Field {
        Field::Column("account")
    }
}
