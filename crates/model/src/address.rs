//! Postal addresses. A customer has many, each with a purpose; they live inside the customer's
//! document, so that a customer and its addresses are read and written as one.

use uuid::Uuid;

use crate::{
    Patch, Timestamp,
    country::Country,
    email::Email,
    phone::Phone,
    text::{Line, Name},
    time::Day,
};

/// Most addresses of one customer.
pub const ADDRESSES_MAX: usize = 100;

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Where invoices go.
    Billing,
    /// Where goods go.
    Shipping,
    /// Billing and shipping.
    Both,
    /// Neither in particular.
    Other,
}

impl Purpose {
    /// The word for the purpose.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Billing => "billing",
            Purpose::Shipping => "shipping",
            Purpose::Both => "both",
            Purpose::Other => "other",
        }
    }

    /// Whether two addresses compete for being the default.
    pub fn overlaps(self, other: Purpose) -> bool {
        self == other
            || matches!(
                (self, other),
                (Purpose::Both, Purpose::Billing | Purpose::Shipping)
                    | (Purpose::Billing | Purpose::Shipping, Purpose::Both)
            )
    }
}

/// A person's gender as some postal formats ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gender {
    /// Male.
    Male,
    /// Female.
    Female,
}

/// An address of a customer.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Address {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Counts the changes of this address, from 1.
    pub version: i64,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it is preferred over others of its purpose.
    #[serde(default, rename = "default")]
    pub is_default: bool,
    /// Where it is.
    #[serde(default)]
    pub postal: Postal,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

macro_rules! postal {
    ($( $(#[$doc:meta])* $field:ident : $type:ty ),* $(,)?) => {
        /// Where an address is and who is found there. Everything is optional.
        #[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
        pub struct Postal {
            $( $(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")]
               pub $field: Option<$type>, )*
        }

        /// A change of a [`Postal`], field by field.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct PostalPatch {
            $( $(#[$doc])* pub $field: Patch<$type>, )*
        }

        impl Postal {
            /// After a change.
            #[must_use]
            pub fn changed(&self, patch: PostalPatch) -> Postal {
                let before = self.clone();
                Postal { $( $field: patch.$field.apply(before.$field), )* }
            }

            /// Whether nothing is known of it.
            pub fn is_empty(&self) -> bool {
                $( self.$field.is_none() )&&*
            }

            /// What is missing here, taken from another.
            #[must_use]
            pub fn or(self, other: &Postal) -> Postal {
                Postal { $( $field: self.$field.or_else(|| other.$field.clone()), )* }
            }
        }

        impl PostalPatch {
            /// Whether nothing changes.
            pub fn is_keep(&self) -> bool {
                $( self.$field.is_keep() )&&*
            }

            /// Sets every field that `postal` has and clears the others.
            pub fn replacing(postal: Postal) -> PostalPatch {
                PostalPatch { $( $field: Patch::clear_or(postal.$field), )* }
            }
        }
    };
}

postal! {
    /// Given name of the person there.
    given_name: Name,
    /// Middle name.
    middle_name: Name,
    /// Family name.
    family_name: Name,
    /// Company or other organisation there.
    organization_name: Name,
    /// Mr, Mrs, Dr, …
    salutation: Line,
    /// Gender.
    gender: Gender,
    /// Date of birth.
    date_of_birth: Day,
    /// First line of the street address.
    line1: Line,
    /// Second line.
    line2: Line,
    /// Third line.
    line3: Line,
    /// Town.
    city: Line,
    /// Part of a town.
    dependent_locality: Line,
    /// Sorting code of the post.
    sorting_code: Line,
    /// Postal code.
    postal_code: Line,
    /// State, province or region.
    state: Line,
    /// Country.
    country: Country,
    /// E-mail address used with this address.
    email: Email,
    /// Phone number used with this address.
    phone: Phone,
    /// Mobile phone number.
    mobile_phone: Phone,
    /// Number in the commercial register.
    commercial_register_number: Line,
    /// Sales tax number.
    sales_tax_number: Line,
    /// Social security number.
    social_security_number: Line,
    /// Legal form of the organisation, as the provider's catalogue number.
    legal_organization_form: i64,
}

/// What shall become of the address of one purpose, for callers that see a customer as one flat
/// record. Affects exactly one purpose: an address shared with another purpose stays for that one.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum AddressEdit {
    /// Stays as it is.
    #[default]
    Keep,
    /// Is removed.
    Clear,
    /// Becomes exactly this.
    Replace(Box<Postal>),
    /// Is changed field by field.
    Merge(Box<PostalPatch>),
    /// Becomes exactly this, and is removed when it is empty. Unlike with the others, an address of
    /// another purpose that stands in where there is none of this purpose neither counts nor goes.
    Own(Box<Postal>),
}
