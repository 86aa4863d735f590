//! Client addresses, and what each of them may hold of what all share before anybody has signed in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use patron_app::shares::part;
pub(crate) use patron_model::network::of_client as network;

/// Percent of what there is that one client address may hold at a time.
pub const ADDRESS_PERCENT: usize = 75;

/// So much of something for all addresses, and for one of them.
#[derive(Debug)]
pub(crate) struct AddressBudget {
    max: usize,
    address_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    /// Addresses that hold something.
    each: HashMap<IpAddr, usize>,
}

/// What one request or connection holds; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct AddressShare {
    budget: Arc<AddressBudget>,
    client: Option<IpAddr>,
    count: usize,
}

impl AddressBudget {
    /// So much in all.
    pub(crate) fn new(max: usize) -> Arc<AddressBudget> {
        let address_max = part(max, ADDRESS_PERCENT);
        Arc::new(AddressBudget { max, address_max, held: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A share of an address that holds nothing yet. Without an address only the whole counts.
    pub(crate) fn share(self: &Arc<Self>, client: Option<IpAddr>) -> AddressShare {
        let client = client.map(network);
        AddressShare { budget: Arc::clone(self), client, count: 0 }
    }
}

impl AddressShare {
    /// Holds more, unless the address or everybody holds too much already.
    #[must_use]
    pub(crate) fn more(&mut self, count: usize) -> bool {
        let mut held = self.budget.lock();
        let own = self.client.and_then(|client| held.each.get(&client).copied()).unwrap_or(0);
        let fits = self.client.is_none() || own.saturating_add(count) <= self.budget.address_max;
        if !fits || held.all.saturating_add(count) > self.budget.max {
            return false;
        }
        held.all += count;
        if let Some(client) = self.client.filter(|_| count > 0) {
            held.each.insert(client, own + count);
        }
        self.count += count;
        true
    }
}

impl Drop for AddressShare {
    fn drop(&mut self) {
        let mut held = self.budget.lock();
        held.all -= self.count;
        let Some(client) = self.client.filter(|_| self.count > 0) else { return };
        let left = held.each.get(&client).map_or(0, |own| own - self.count);
        match left {
            0 => held.each.remove(&client),
            left => held.each.insert(client, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_leaves_some_to_others_and_gives_back() {
        let budget = AddressBudget::new(100);
        let share = |text: &str| budget.share(Some(address(text)));
        let (mut one, mut same) = (share("192.0.2.1"), share("::ffff:192.0.2.1"));
        assert!(one.more(70) && !same.more(6) && same.more(5));
        let mut other = share("192.0.2.2");
        assert!(other.more(25) && !other.more(1), "all of it is held");
        drop(one);
        assert!(other.more(50) && !other.more(1), "three quarters are its own");
        drop((same, other));
        assert!(budget.lock().each.is_empty() && budget.lock().all == 0);
        let mut unknown = budget.share(None);
        assert!(unknown.more(100) && !unknown.more(1));
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let same = |a: &str, b: &str| network(address(a)) == network(address(b));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
    }
}
