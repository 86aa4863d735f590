//! Saved payment methods: how a customer may pay. Card data is tokenised at the door; what is kept
//! is first six, last four, expiry and a keyed fingerprint (PCI DSS 3.4.1, 3.5.1.1).

use uuid::Uuid;

use crate::{
    Identity, Patch, Timestamp,
    card::{Brand, CardNumber, Expiry},
    country::Country,
    customer::Changes,
    email::Email,
    phone::Phone,
    text::{Line, Name},
};

/// Most saved payment methods of one customer.
pub const METHODS_MAX: usize = 100;

/// What kind of method it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodType {
    /// A payment card.
    Card,
    /// A bank account.
    BankAccount,
    /// A mobile money account.
    MobileMoney,
    /// An electronic wallet.
    Wallet,
}

impl MethodType {
    /// The word for the type.
    pub fn as_str(self) -> &'static str {
        match self {
            MethodType::Card => "card",
            MethodType::BankAccount => "bank_account",
            MethodType::MobileMoney => "mobile_money",
            MethodType::Wallet => "wallet",
        }
    }
}

/// Whether a method may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodState {
    /// May be used.
    Active,
    /// May not be used for now.
    Inactive,
}

/// A saved payment method of a customer.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PaymentMethod {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Space.
    pub space: i64,
    /// Number of the customer.
    pub customer: i64,
    /// Counts the changes, from 1.
    pub version: i64,
    /// What kind of method.
    pub method_type: MethodType,
    /// Card scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<Brand>,
    /// First six digits of a card number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_six: Option<String>,
    /// Last four digits of a card or account number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_four: Option<String>,
    /// Month and year a card is valid through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
    /// Keyed fingerprint of the card number: equal for the same card in the same space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The token by which the method is named: 64 hexadecimal digits, random.
    pub token: String,
    /// Token of the provider that holds the real data, opaque to us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_token: Option<Line>,
    /// Name of that provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Line>,
    /// Channel of a mobile money or wallet method (`cm.mtn`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Line>,
    /// Name of the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_name: Option<Name>,
    /// E-mail address of the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// Phone number of the holder or the mobile money account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Country of issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// Issuer's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Line>,
    /// Whether it may be used.
    pub state: MethodState,
    /// Whether it is the customer's preferred one.
    #[serde(default, rename = "default")]
    pub is_default: bool,
    /// When it was saved.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

impl PaymentMethod {
    /// Whether the card's last valid day lies before `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let today = now.rfc3339_seconds();
        self.expiry.is_some_and(|expiry| expiry.is_past(&today[..10]))
    }
}

/// Where the real data of a new method comes from.
#[derive(Debug)]
pub enum Source {
    /// A card, tokenised here.
    Card {
        /// The number; dropped when the use case ends.
        number: CardNumber,
        /// Month and year it is valid through.
        expiry: Expiry,
    },
    /// A token of a provider that keeps the real data.
    Provider {
        /// The token, opaque to us.
        token: Line,
        /// First six digits, where the provider tells them.
        first_six: Option<String>,
        /// Last four digits, where the provider tells them.
        last_four: Option<String>,
        /// Card scheme, where the provider tells it.
        brand: Option<Brand>,
        /// Expiry, where the provider tells it.
        expiry: Option<Expiry>,
    },
    /// An account that is named by phone number or channel only.
    Account,
}

/// A payment method to be saved.
#[derive(Debug)]
pub struct NewMethod {
    /// What kind.
    pub method_type: MethodType,
    /// Where the real data comes from.
    pub source: Source,
    /// Details anybody may know.
    pub details: Details,
    /// Whether it becomes the preferred one; the first one of a customer does in any case.
    pub is_default: bool,
}

/// What stands for the real data: a random token, and for a card the keyed fingerprint.
#[derive(Debug)]
pub struct Tokens {
    /// The token by which the method is named.
    pub token: String,
    /// The fingerprint of the card number.
    pub fingerprint: Option<String>,
}

/// Details of a method that can be changed.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// Name of the provider.
    pub provider: Patch<Line>,
    /// Channel.
    pub channel: Patch<Line>,
    /// Name of the holder.
    pub holder_name: Patch<Name>,
    /// E-mail address of the holder.
    pub email: Patch<Email>,
    /// Phone number.
    pub phone: Patch<Phone>,
    /// Country of issue.
    pub country: Patch<Country>,
    /// Issuer's name.
    pub issuer: Patch<Line>,
    /// Expiry, when the card was renewed.
    pub expiry: Patch<Expiry>,
    /// Whether it may be used.
    pub state: Option<MethodState>,
    /// Whether it is the preferred one.
    pub is_default: Option<bool>,
}

impl PaymentMethod {
    /// A new method of a customer.
    pub fn create(
        id: Identity,
        (space, customer): (i64, i64),
        new: &NewMethod,
        tokens: Tokens,
        now: Timestamp,
    ) -> PaymentMethod {
        let Tokens { token, fingerprint } = tokens;
        let NewMethod { method_type, source, details, is_default } = new;
        let mut method = PaymentMethod {
            number: id.number,
            uuid: id.uuid,
            space,
            customer,
            version: 1,
            method_type: *method_type,
            brand: None,
            first_six: None,
            last_four: None,
            expiry: None,
            fingerprint,
            token,
            provider_token: None,
            provider: None,
            channel: None,
            holder_name: None,
            email: None,
            phone: None,
            country: None,
            issuer: None,
            state: MethodState::Active,
            is_default: false,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        match source {
            Source::Card { number, expiry } => {
                method.brand = Some(number.brand());
                method.first_six = Some(number.first_six());
                method.last_four = Some(number.last_four());
                method.expiry = Some(*expiry);
            }
            Source::Provider { token, first_six, last_four, brand, expiry } => {
                method.provider_token = Some(token.clone());
                method.first_six = first_six.clone();
                method.last_four = last_four.clone();
                method.brand = *brand;
                method.expiry = *expiry;
            }
            Source::Account => {}
        }
        method.take_over(details.clone());
        method.is_default = *is_default;
        method
    }

    fn take_over(&mut self, details: Details) {
        // Destructured so that a new detail cannot be forgotten.
        let Details {
            provider,
            channel,
            holder_name,
            email,
            phone,
            country,
            issuer,
            expiry,
            state,
            is_default,
        } = details;
        provider.change(&mut self.provider);
        channel.change(&mut self.channel);
        holder_name.change(&mut self.holder_name);
        email.change(&mut self.email);
        phone.change(&mut self.phone);
        country.change(&mut self.country);
        issuer.change(&mut self.issuer);
        expiry.change(&mut self.expiry);
        self.state = state.unwrap_or(self.state);
        self.is_default = is_default.unwrap_or(self.is_default);
    }

    /// The method after a change of details, and what differs.
    pub fn apply(&self, details: Details, now: Timestamp) -> (PaymentMethod, Changes) {
        let mut next = self.clone();
        next.take_over(details);
        self.counted(next, now)
    }

    /// The method after the same card was saved once more: its new expiry and details count.
    pub fn saved_again(
        &self,
        again: &PaymentMethod,
        details: Details,
        now: Timestamp,
    ) -> (PaymentMethod, Changes) {
        let mut next = self.clone();
        next.take_over(details);
        next.expiry = again.expiry;
        next.is_default |= again.is_default;
        self.counted(next, now)
    }

    fn counted(&self, next: PaymentMethod, now: Timestamp) -> (PaymentMethod, Changes) {
        if next == *self {
            return (next, Changes::new());
        }
        (next.changed(now), vec!["details"])
    }

    /// The method once it is hidden: its token names nothing any more.
    #[must_use]
    pub fn deleted(&self, now: Timestamp) -> PaymentMethod {
        PaymentMethod { deleted_at: Some(now), is_default: false, ..self.clone() }.changed(now)
    }

    /// The method once another one is preferred.
    #[must_use]
    pub fn second(&self, now: Timestamp) -> PaymentMethod {
        PaymentMethod { is_default: false, ..self.clone() }.changed(now)
    }

    /// The method of another customer, who has preferred ones already.
    #[must_use]
    pub fn moved(&self, customer: i64) -> PaymentMethod {
        PaymentMethod { customer, is_default: false, ..self.clone() }
    }

    fn changed(self, now: Timestamp) -> PaymentMethod {
        PaymentMethod { version: self.version + 1, updated_at: now.max(self.updated_at), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn wallet() -> PaymentMethod {
        let details = Details {
            channel: Patch::Set(Line::parse("cm.mtn").expect("a channel")),
            ..Details::default()
        };
        let new = NewMethod {
            method_type: MethodType::Wallet,
            source: Source::Account,
            details,
            is_default: true,
        };
        let tokens = Tokens { token: "ab".to_owned(), fingerprint: None };
        let id = Identity { number: 3, uuid: Uuid::nil() };
        PaymentMethod::create(id, (1, 2), &new, tokens, at(10))
    }

    #[test]
    fn what_changes_nothing_does_not_count() {
        let method = wallet();
        let same = Details {
            channel: Patch::Set(method.channel.clone().expect("a channel")),
            ..Details::default()
        };
        assert_eq!(method.apply(same, at(20)), (method.clone(), Changes::new()));
        let off = Details { state: Some(MethodState::Inactive), ..Details::default() };
        let (next, changes) = method.apply(off, at(20));
        assert_eq!(
            (next.version, next.state, changes),
            (2, MethodState::Inactive, vec!["details"])
        );
        let (again, _) =
            next.apply(Details { is_default: Some(false), ..Details::default() }, at(5));
        assert_eq!((again.version, again.updated_at), (3, at(20)), "time never goes back");
    }

    #[test]
    fn the_same_card_takes_the_new_expiry_and_stays_preferred() {
        let old = wallet();
        let again = PaymentMethod {
            expiry: Some(Expiry::new(2031, 12).expect("an expiry")),
            is_default: false,
            ..old.clone()
        };
        let (next, _) = old.saved_again(&again, Details::default(), at(20));
        assert_eq!((next.expiry, next.is_default, next.version), (again.expiry, true, 2));
        assert_eq!(old.saved_again(&old, Details::default(), at(20)).1, Changes::new());
    }

    #[test]
    fn no_method_is_preferred_when_it_is_hidden_or_comes_from_elsewhere() {
        let method = wallet();
        assert!(method.is_default);
        let gone = method.deleted(at(20));
        assert_eq!((gone.is_default, gone.deleted_at, gone.version), (false, Some(at(20)), 2));
        let moved = method.moved(9);
        assert_eq!((moved.is_default, moved.customer, moved.version), (false, 9, 1));
        assert_eq!((method.second(at(20)).is_default, method.second(at(20)).version), (false, 2));
    }
}
