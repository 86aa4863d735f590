//! What listeners watch (dossier §10). Customers, their addresses and comments fire; the entities
//! of payments are accepted, and fire with the payments.

use patron_app::journal::Entry;
use patron_app::{
    documents::{self, Document as _},
    webhooks::EventType,
};
use patron_model::{Failure, customer::Customer};

/// An entity that can be watched.
#[derive(Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its number.
    pub id: i64,
    /// Its technical name.
    pub name: &'static str,
    /// What a listener to every change of it asks the journal for.
    types: &'static [&'static str],
}

const fn later(id: i64, name: &'static str) -> Entity {
    Entity { id, name, types: &[] }
}

const fn now(id: i64, name: &'static str, types: &'static [&'static str]) -> Entity {
    Entity { id, name, types }
}

/// Every entity. The numbers of the three last ones are ours: the provider's are not public.
#[rustfmt::skip]
pub static ENTITIES: &[Entity] = &[
    later(1_472_041_829_003, "Transaction"),
    later(1_472_041_839_405, "Refund"),
    later(1_472_041_831_364, "TransactionCompletion"),
    later(1_472_041_867_364, "TransactionVoid"),
    later(1_472_041_816_898, "TransactionInvoice"),
    later(1_472_041_814_414, "TransactionGroup"),
    later(1_472_041_836_176, "Charge"),
    later(1_472_041_801_860, "ChargeAttempt"),
    later(1_472_041_871_385, "ChargeFlow"),
    later(1_472_041_819_798, "ChargeFlowLevel"),
    later(1_472_041_847_188, "ChargeFlowLevelConfiguration"),
    later(1_582_966_575_060, "ChargeFlowLevelPaymentLink"),
    later(1_472_041_806_455, "Token"),
    later(1_472_041_811_051, "TokenVersion"),
    later(1_472_041_819_799, "DeliveryIndication"),
    later(1_487_165_678_181, "ManualTask"),
    later(1_472_041_857_405, "PaymentMethodConfiguration"),
    later(1_472_041_843_695, "PaymentConnectorConfiguration"),
    later(1_472_041_863_438, "PaymentProcessorConfiguration"),
    later(1_582_966_575_099, "PaymentTerminal"),
    later(1_472_041_875_547, "Condition"),
    now(1_700_000_000_001, CUSTOMER, &["customer.*"]),
    now(1_700_000_000_002, ADDRESS, &["customer.*"]),
    now(1_700_000_000_003, "CustomerComment", &["comment.*"]),
];

const CUSTOMER: &str = "Customer";
const ADDRESS: &str = "CustomerAddress";
/// What the journal notes of a customer of which nothing but addresses changed.
const ADDRESSES_ONLY: &str = "[\"addresses\"]";

impl Entity {
    /// The entity with a number.
    pub fn numbered(id: i64) -> Option<&'static Entity> {
        ENTITIES.iter().find(|entity| entity.id == id)
    }

    /// The entity with a name.
    pub fn named(name: &str) -> Option<&'static Entity> {
        ENTITIES.iter().find(|entity| entity.name == name)
    }

    /// What a listener to it asks for. None of these entities has states, so only one that wants to
    /// know every change is ever told.
    ///
    /// # Errors
    /// `Internal` for types that the journal does not know.
    pub fn types(&self, every_change: bool) -> Result<Vec<EventType>, Failure> {
        let read = |word: &&str| EventType::parse(word).map_err(|_| Failure::internal(*word));
        if every_change { self.types.iter().map(read).collect() } else { Ok(Vec::new()) }
    }

    /// Numbers of its objects that an entry changed.
    ///
    /// # Errors
    /// `Internal` where the record cannot be read.
    pub fn changed(&self, entry: &Entry) -> Result<Vec<i64>, Failure> {
        let is_of_customer = documents::word(entry) == "customer";
        match self.name {
            CUSTOMER if entry.changed == ADDRESSES_ONLY => Ok(Vec::new()),
            ADDRESS if is_of_customer && may_hold_addresses(entry) => {
                let customer = Customer::from_document(&entry.doc);
                let customer = customer.map_err(Failure::internal)?;
                let is_new = entry.action == "created";
                let addresses = customer.addresses();
                let is_touched = |at: i64| is_new || at == entry.at;
                let touched = addresses.iter().filter(|one| is_touched(one.updated_at.micros()));
                Ok(touched.map(|address| address.number).collect())
            }
            ADDRESS => Ok(Vec::new()),
            _ => Ok(vec![entry.number]),
        }
    }
}

fn may_hold_addresses(entry: &Entry) -> bool {
    ["created", "updated"].contains(&entry.action.as_str())
        && (entry.action == "created" || entry.changed.contains("\"addresses\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entity_has_a_number_and_a_name_of_its_own() {
        for entity in ENTITIES {
            assert_eq!(Entity::numbered(entity.id), Some(entity));
            assert_eq!(Entity::named(entity.name), Some(entity));
            assert!(entity.types(true).is_ok() && entity.types(false).unwrap().is_empty());
        }
    }
}
