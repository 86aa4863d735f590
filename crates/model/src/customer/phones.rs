//! How the phone numbers of a customer are read, in one way for all APIs.

use super::Customer;
use crate::{Patch, country::Country, phone::Phone};

/// Changes a number; one that is typed as before is the same, however it was read.
pub(super) fn change(patch: Patch<Phone>, current: &mut Option<Phone>) -> bool {
    let is_same =
        matches!((&patch, &*current), (Patch::Set(new), Some(old)) if new.raw() == old.raw());
    !is_same && patch.change(current)
}

impl Customer {
    /// The country in which national phone numbers are read: that of the billing address, else of
    /// the shipping address, else of any other one, the oldest first, else `home`.
    fn phone_country<'a>(&'a self, home: Option<&'a Country>) -> Option<&'a Country> {
        let used = self.billing().into_iter().chain(self.shipping());
        let all = used.chain(&self.other_addresses);
        all.into_iter().find_map(|address| address.postal.country.as_ref()).or(home)
    }

    /// Whether how its numbers are read depends on where it is.
    pub fn has_national_phone(&self) -> bool {
        let numbers = [&self.phone, &self.work_phone];
        numbers.into_iter().flatten().any(|phone| !phone.is_international())
    }

    /// This customer with its phone numbers read anew, where that makes a difference; `home` is the
    /// country of its space.
    #[must_use]
    pub fn with_phones_read(&self, home: Option<&Country>) -> Option<Customer> {
        if !self.has_national_phone() {
            return None;
        }
        let country = self.phone_country(home);
        let read = |phone: &Option<Phone>| phone.clone().map(|phone| phone.read_in(country));
        let (phone, work_phone) = (read(&self.phone), read(&self.work_phone));
        let differs = phone != self.phone || work_phone != self.work_phone;
        differs.then(|| Customer { phone, work_phone, ..self.clone() })
    }

    /// This customer as its own fields say, without what was read from them with the help of
    /// others; nothing where there is no such thing.
    #[must_use]
    pub fn unread(&self) -> Option<Customer> {
        self.has_national_phone().then(|| {
            let unread = |phone: &Option<Phone>| phone.clone().map(|phone| phone.read_in(None));
            let (phone, work_phone) = (unread(&self.phone), unread(&self.work_phone));
            Customer { phone, work_phone, ..self.clone() }
        })
    }
}
