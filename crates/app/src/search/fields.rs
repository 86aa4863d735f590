//! Everything that questions may ask of a record: for each noun, where its fields are kept. APIs
//! name fields by these words only, so that a member of a document that gets another name is
//! renamed here, or a test says so.

mod people;
mod places;

pub use self::{
    people::{assignment, mail, provider, role, user},
    places::{account, space},
};

/// Fields of a customer.
pub mod customer {
    use patron_model::{Timestamp, country::Country, customer::Status, phone::Phone};
    use patron_store::{Compare, Field, Predicate as Filter};

    use crate::search::{digits, metadata_term, typed_phone};

    /// Texts that stand in the record under their own name.
    pub const TEXTS: &[&str] = &[
        "reference",
        "given_name",
        "family_name",
        "full_name",
        "title",
        "company_name",
        "company_registration_number",
        "tax_number",
        "email",
        "language",
        "currency",
        "time_zone",
        "description",
        "status",
        "status_reason",
    ];
    /// Texts of an address.
    pub const POSTAL: &[&str] = &[
        "given_name",
        "middle_name",
        "family_name",
        "organization_name",
        "line1",
        "line2",
        "line3",
        "city",
        "dependent_locality",
        "postal_code",
        "state",
        "country",
    ];

    /// The words of a closed list. Another one is a mistake in the program, not in its input.
    #[track_caller]
    fn known(name: &str, among: &[&str]) {
        assert!(among.contains(&name), "{name} is none of {among:?}");
    }

    /// The number that the server gave.
    pub fn number() -> Field {
        Field::Number
    }

    /// The id that the server gave.
    pub fn uuid() -> Field {
        Field::Uuid
    }

    /// The space it belongs to.
    pub fn space() -> Field {
        super::whole("space")
    }

    /// How often it was changed.
    pub fn version() -> Field {
        super::whole("version")
    }

    /// A text of the customer by its core name, one of [`TEXTS`].
    ///
    /// # Panics
    /// When it is none of them.
    #[track_caller]
    pub fn text(name: &str) -> Field {
        known(name, TEXTS);
        Field::text(&[name])
    }

    /// Given name, as it came in or derived as far as a query can.
    pub fn given_name() -> Field {
        text("given_name")
    }

    /// Family name.
    pub fn family_name() -> Field {
        text("family_name")
    }

    /// The name as one text.
    pub fn full_name() -> Field {
        text("full_name")
    }

    /// The reference, also of a customer whose reference is not claimed.
    pub fn reference() -> Field {
        text("reference")
    }

    /// The reference that nobody else of the space has: indexed.
    pub fn claimed_reference() -> Field {
        Field::Column("reference")
    }

    /// A text field of the address of one purpose, which may serve both.
    #[track_caller]
    fn slot(purpose: &str, name: &str) -> Field {
        known(name, POSTAL);
        Field::text(&["both", "postal", name]).or(Field::text(&[purpose, "postal", name]))
    }

    /// A text of the billing address, one of [`POSTAL`].
    ///
    /// # Panics
    /// When it is none of them.
    #[track_caller]
    pub fn billing(name: &str) -> Field {
        slot("billing", name)
    }

    /// A text of the shipping address, one of [`POSTAL`].
    ///
    /// # Panics
    /// When it is none of them.
    #[track_caller]
    pub fn shipping(name: &str) -> Field {
        slot("shipping", name)
    }

    fn slot_phone(purpose: &str) -> Field {
        let of = |slot| Field::text(&[slot, "postal", "phone", "raw"]);
        of("both").or(of(purpose))
    }

    /// The phone number of the billing address, as typed.
    pub fn billing_phone() -> Field {
        slot_phone("billing")
    }

    /// The phone number of the shipping address, as typed.
    pub fn shipping_phone() -> Field {
        slot_phone("shipping")
    }

    /// When each of the addresses was last changed, in microseconds since the epoch.
    pub fn addresses_updated_at() -> [Field; 3] {
        let of = |slot: &str| Field::Whole(vec![slot.to_owned(), "updated_at".to_owned()]);
        ["both", "billing", "shipping"].map(of)
    }

    /// A metadata value.
    pub fn metadata(key: &str) -> Field {
        Field::text(&["metadata", key])
    }

    /// What an API keeps of its own beside the record.
    pub fn extra(dialect: &str, name: &str) -> Field {
        Field::text(&["extras", dialect, name])
    }

    /// The phone number as typed.
    pub fn phone() -> Field {
        Field::text(&["phone", "raw"])
    }

    /// The phone number in its international form, where it has one.
    pub fn phone_e164() -> Field {
        Field::text(&["phone", "e164"])
    }

    /// The phone number at work, as typed.
    pub fn work_phone() -> Field {
        Field::text(&["work_phone", "raw"])
    }

    /// The phone number is this one, in whichever form: as it was typed or internationally. What is
    /// searched for is read in the country of the space as well.
    pub fn has_phone(typed: &str, home: Option<&Country>) -> Filter {
        let digits = digits(typed);
        if digits.is_empty() {
            return Filter::equal(phone(), typed);
        }
        let read = Phone::parse(typed, home).ok();
        let read = read.and_then(|phone| phone.e164().map(str::to_owned));
        let dialled = digits.strip_prefix("00").map(|rest| format!("+{rest}"));
        let mut keys = vec![format!("+{digits}"), digits.clone()];
        keys.extend(dialled.into_iter().chain(read).filter(|key| key[1..] != digits));
        let by_key = Filter::OneOf(phone_key(), keys.into_iter().map(Into::into).collect());
        match typed_phone(&digits) {
            Some(term) => Filter::Or(vec![by_key, Filter::HasTerm(term)]),
            None => by_key,
        }
    }

    /// The phone number at work is this one, in whichever form.
    pub fn has_work_phone(typed: &str, home: Option<&Country>) -> Filter {
        let read = Phone::parse(typed, home).ok();
        let read = read.and_then(|phone| phone.e164().map(str::to_owned));
        let e164 = read.unwrap_or_else(|| format!("+{}", digits(typed)));
        let international = Filter::equal(Field::text(&["work_phone", "e164"]), e164);
        Filter::Or(vec![Filter::equal(work_phone(), typed), international])
    }

    /// The user name at the portal.
    pub fn portal_user_name() -> Field {
        Field::text(&["portal", "user_name"])
    }

    /// The balance, compared as a number.
    pub fn balance() -> Field {
        Field::Decimal(vec!["balance".to_owned()])
    }

    /// The status is one of these at a moment, as it is shown then: one whose term has passed is
    /// over, and the customer active.
    pub fn has_status(any: &[Status], now: Timestamp) -> Filter {
        let over = Filter::Compare(status_until(), Compare::AtMost, now.micros().into());
        let words = any.iter().map(|status| status.as_str().into()).collect();
        let still = Filter::OneOf(text("status"), words).and(Filter::Not(Box::new(over.clone())));
        match any.contains(&Status::Active) {
            true => Filter::Or(vec![still, over]),
            false => still,
        }
    }

    /// When the status ends, in microseconds since the epoch.
    pub fn status_until() -> Field {
        super::whole("status_until")
    }

    /// When it was created, in microseconds since the epoch.
    pub fn created_at() -> Field {
        Field::Column("created_at")
    }

    /// When it was last changed, in microseconds since the epoch.
    pub fn updated_at() -> Field {
        super::whole("updated_at")
    }

    /// When it was deleted, in microseconds since the epoch.
    pub fn deleted_at() -> Field {
        Field::Column("deleted_at")
    }

    /// Lower-case name to sort by: family name, given name, or the company.
    pub fn name_key() -> Field {
        Field::Column("name_key")
    }

    /// Lower-case e-mail address.
    pub fn email_key() -> Field {
        Field::Column("email_key")
    }

    /// E.164 phone number, or its bare digits.
    pub fn phone_key() -> Field {
        Field::Column("phone_key")
    }

    /// Not deleted.
    pub fn living() -> Filter {
        Filter::Missing(deleted_at())
    }

    /// A metadata key has this value.
    pub fn has_metadata(key: &str, value: &str) -> Filter {
        let exact = Filter::equal(metadata(key), value);
        match metadata_term(key, value) {
            Some(term) => Filter::HasTerm(term).and(exact),
            None => exact,
        }
    }
}

/// Fields of a comment.
pub mod comment {
    use patron_store::Field;

    /// The number that the server gave.
    pub fn number() -> Field {
        Field::Number
    }

    /// How often it was changed.
    pub fn version() -> Field {
        super::whole("version")
    }

    /// The customer it is about.
    pub fn customer() -> Field {
        Field::Column("customer")
    }

    /// What it says.
    pub fn content() -> Field {
        Field::text(&["content"])
    }

    /// Whether it is pinned: `true` or `false`.
    pub fn pinned() -> Field {
        Field::text(&["pinned"])
    }

    /// When it was written, in microseconds since the epoch.
    pub fn created_at() -> Field {
        super::whole("created_at")
    }

    /// Who wrote it.
    pub fn created_by() -> Field {
        super::whole("created_by")
    }

    /// When its text was last changed, in microseconds since the epoch.
    pub fn edited_at() -> Field {
        super::whole("edited_at")
    }

    /// Who did that.
    pub fn edited_by() -> Field {
        super::whole("edited_by")
    }
}

/// Fields of a payment method.
pub mod payment_method {
    use patron_store::Field;

    /// What it is.
    pub fn method_type() -> Field {
        Field::text(&["method_type"])
    }

    /// Where in its life it is.
    pub fn state() -> Field {
        Field::text(&["state"])
    }

    /// How a card's number begins.
    pub fn first_six() -> Field {
        Field::text(&["first_six"])
    }

    /// How a number ends.
    pub fn last_four() -> Field {
        Field::text(&["last_four"])
    }

    /// The year in which a card ends.
    pub fn expiry_year() -> Field {
        Field::Whole(vec!["expiry".to_owned(), "year".to_owned()])
    }

    /// When it was stored, in microseconds since the epoch.
    pub fn created_at() -> Field {
        super::whole("created_at")
    }
}

/// Fields of a key.
pub mod key {
    use patron_store::Field;

    /// The account it belongs to.
    pub fn account() -> Field {
        Field::Column("account")
    }

    /// The user whose it is.
    pub fn user() -> Field {
        Field::Column("user")
    }

    /// The space it is for, or at home in.
    pub fn space() -> Field {
        super::whole("space")
    }

    /// Whether it opens all spaces of its account: `true` or `false`.
    pub fn account_wide() -> Field {
        Field::text(&["account_wide"])
    }

    /// The API it is for.
    pub fn dialect() -> Field {
        Field::text(&["dialect"])
    }

    /// When it ends by itself, in microseconds since the epoch.
    pub fn expires_at() -> Field {
        super::whole("expires_at")
    }

    /// When it was revoked, in microseconds since the epoch.
    pub fn revoked_at() -> Field {
        super::whole("revoked_at")
    }

    /// The key that takes its place.
    pub fn replaced_by() -> Field {
        super::whole("replaced_by")
    }
}

fn whole(name: &str) -> patron_store::Field {
    patron_store::Field::Whole(vec![name.to_owned()])
}
