//! The bodies on the wire (dossier §5). `null` counts as absent (§6), so an `Option` says it all;
//! absent members are left out of answers, never `null` (§5.5). Unknown members are ignored, and
//! with them `id`, `created_at` and `updated_at` of a customer that is sent back whole.
//!
//! No `Debug` here: these are a person's own data.

use std::fmt;

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};

macro_rules! body {
    ($(#[$doc:meta])* $name:ident {
        $( $(#[$field_doc:meta])* $field:ident : $type:ty ),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
        pub struct $name {
            $( $(#[$field_doc])* #[serde(skip_serializing_if = "Option::is_none")]
               pub $field: Option<$type>, )*
        }

        // Written out because the derived one also takes an array, member by member.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                struct Members;
                impl<'de> Visitor<'de> for Members {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a map")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        $( let mut $field: Option<Option<$type>> = None; )*
                        while let Some(name) = map.next_key::<String>()? {
                            match name.as_str() {
                                $( stringify!($field) if $field.is_none() => {
                                    $field = Some(map.next_value()?);
                                }
                                stringify!($field) => {
                                    return Err(A::Error::duplicate_field(stringify!($field)));
                                } )*
                                _ => {
                                    map.next_value::<IgnoredAny>()?;
                                }
                            }
                        }
                        Ok($name { $( $field: $field.flatten(), )* })
                    }
                }
                source.deserialize_map(Members)
            }
        }

        impl Overlay for $name {
            fn over(self, below: Self) -> Self {
                $name { $( $field: Overlay::over(self.$field, below.$field), )* }
            }
        }
    };
}

/// An object, unless it has no member.
pub fn unless_empty<T: Default + PartialEq>(object: T) -> Option<T> {
    (object != T::default()).then_some(object)
}

/// A body laid over another: its own members win, those of objects one by one.
pub trait Overlay {
    /// What is missing here, taken from below.
    fn over(self, below: Self) -> Self;
}

impl Overlay for String {
    fn over(self, _below: Self) -> Self {
        self
    }
}

impl<T: Overlay> Overlay for Option<T> {
    fn over(self, below: Self) -> Self {
        match (self, below) {
            (Some(upper), Some(below)) => Some(upper.over(below)),
            (upper, below) => upper.or(below),
        }
    }
}

body! {
    /// A customer as it is created and updated (§5.1).
    CustomerBody {
        /// Organisation the customer belongs to.
        #[schemars(required)]
        entity_id: String,
        /// Where bills go, and the person's name.
        billing: AddressBody,
        /// Where goods go.
        shipping: AddressBody,
        /// Company. Required when `billing` has no first and last name.
        company_name: String,
        /// Number in the company register.
        company_registration_number: String,
        /// E-mail address.
        email_address: String,
        /// Phone number.
        phone_number: String,
        /// Phone number at work.
        work_phone: String,
        /// Mr, Mrs, Dr, …
        title: String,
        /// Tax number.
        tax: TaxBody,
        /// Language of invoices.
        language: String,
    }
}

body! {
    /// A billing or shipping address (§5.2, §5.3).
    AddressBody {
        /// First line of the street address.
        address_1: String,
        /// Second line.
        address_2: String,
        /// Third line.
        address_3: String,
        /// Town.
        city: String,
        /// ISO 3166-1 alpha-2 code.
        country_code: String,
        /// First name.
        first_name: String,
        /// Middle name.
        middle_name: String,
        /// Last name.
        last_name: String,
        /// Phone number.
        phone: String,
        /// Postal code.
        postal_code: String,
        /// State, province or region.
        state: String,
    }
}

body! {
    /// Tax numbers (§5.4).
    TaxBody {
        /// Personal id or tax number: at most nine digits.
        identifier: String,
    }
}

/// A customer as it is answered (§5.5).
#[derive(Serialize, JsonSchema)]
pub struct CustomerShown {
    /// UUID.
    pub id: uuid::Uuid,
    /// The fields.
    #[serde(flatten)]
    pub body: CustomerBody,
    /// When it was created.
    pub created_at: String,
    /// When it or one of its shown addresses was last changed.
    pub updated_at: String,
}

/// A token request (§3.2), form-encoded.
#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "only described; forms are read pair by pair")]
pub struct TokenForm {
    /// `client_credentials`.
    grant_type: String,
    /// User id.
    client_id: String,
    /// API key.
    client_secret: String,
    /// Scopes, separated by blanks: `customer`, `customer:read`, `customer:write`, `openid`.
    /// Without any the token carries what the key may do.
    scope: Option<String>,
}

/// An issued token (§3.2).
#[derive(Serialize, JsonSchema)]
pub struct TokenShown {
    /// JWT for `Authorization: Bearer`.
    pub access_token: String,
    /// The scopes it carries: those that were asked for, as far as the key has them.
    pub scope: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Seconds until it lapses.
    pub expires_in: i64,
}
