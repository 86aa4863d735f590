//! Who waits for new entries of a tenant is woken by a commit to that tenant. Commits to others
//! wake nobody but the few that share a place with it: hundreds of waiting requests that look at
//! the store after every write of a neighbour would slow that neighbour down.

use tokio::sync::watch;

use crate::store::Engine;
use crate::{Store, StoreError};

/// Places that tenants share.
const PLACES: usize = 256;

/// Says which tenants have new entries.
#[derive(Debug)]
pub(crate) struct News([watch::Sender<u64>; PLACES]);

impl News {
    pub(crate) fn new() -> News {
        News(std::array::from_fn(|_| watch::Sender::new(0)))
    }

    fn of(&self, tenant: i64) -> &watch::Sender<u64> {
        // The remainder is below PLACES.
        &self.0[usize::try_from(tenant.rem_euclid(PLACES as i64)).unwrap_or(0)]
    }

    /// There is something new for a tenant.
    pub(crate) fn tell(&self, tenant: i64) {
        self.of(tenant).send_modify(|commits| *commits += 1);
    }

    /// Changes when there is something new for a tenant, and now and then when there is not.
    pub(crate) fn watch(&self, tenant: i64) -> watch::Receiver<u64> {
        self.of(tenant).subscribe()
    }
}

impl Store {
    /// Positions of the last entries of these tenants; those without any are left out. For who
    /// looks after several and is not told of what other processes write.
    pub async fn heads(&self, tenants: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        if let Engine::Postgres(postgres) = self.inner() {
            return postgres.heads(tenants).await;
        }
        let mut heads = Vec::with_capacity(tenants.len());
        for tenant in tenants {
            heads.push((*tenant, self.head(*tenant).await?));
        }
        heads.retain(|(_, last)| *last > 0);
        Ok(heads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_waits_for_the_tenant_is_told() {
        let news = News::new();
        let [mine, other] = [7, 8].map(|tenant| news.watch(tenant));
        news.tell(7);
        assert!(mine.has_changed().expect("open") && !other.has_changed().expect("open"));
        news.tell(-1);
        news.tell(i64::MIN);
        assert!(!other.has_changed().expect("open"));
    }
}
