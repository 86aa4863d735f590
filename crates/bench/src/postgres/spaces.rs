//! The database of the benchmark: one space with all customers, and as many smaller ones as there
//! are connections.

use std::sync::Arc;

use anyhow::{Result, ensure};
use patron_app::App;
use serde_json::Value;

use crate::stock;

/// Spaces whose numbers, and whose customers' numbers, are evenly apart, so that a script of
/// pgbench can compute them.
pub struct Spaces {
    /// How many spaces.
    pub count: u64,
    /// Customers in each.
    pub per_space: u64,
    /// Number of the first space, and how far it is to the next.
    pub first_tenant: i64,
    /// The distance.
    pub tenant_step: i64,
    /// Number of the first customer, and how far it is to the next, from space to space too.
    pub first_number: i64,
    /// The distance.
    pub number_step: i64,
    /// Credentials of each.
    pub keys: Vec<Value>,
}

impl Spaces {
    /// Number of a customer: the space's place and its own place in it.
    pub fn number(&self, space: u64, at: u64) -> i64 {
        let place = space * self.per_space + at;
        self.first_number + self.number_step * i64::try_from(place).unwrap_or(0)
    }

    /// Makes spaces with customers. Nothing else may be writing.
    ///
    /// # Errors
    /// When something is refused, or the numbers are not evenly apart.
    pub async fn make(app: &Arc<App>, count: u64, per_space: u64) -> Result<Spaces> {
        let (mut tenants, mut keys) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let made = stock::space(app, "Bench").await?;
            tenants.push(made.number);
            keys.push(made.credentials);
        }
        let mut numbers = Vec::new();
        for tenant in &tenants {
            let made = stock::fill(app, *tenant, per_space, 1).await?;
            numbers.extend(made.into_iter().map(|(number, _)| number));
        }
        let (first_tenant, tenant_step) = evenly(&tenants)?;
        let (first_number, number_step) = evenly(&numbers)?;
        Ok(Spaces { count, per_space, first_tenant, tenant_step, first_number, number_step, keys })
    }
}

/// The first number and the distance between each two.
fn evenly(numbers: &[i64]) -> Result<(i64, i64)> {
    let first = numbers.first().copied().unwrap_or(0);
    let step = numbers.get(1).map_or(1, |second| second - first);
    let even = numbers.windows(2).all(|pair| pair[1] - pair[0] == step);
    ensure!(even, "numbers are not evenly apart: somebody else is writing to this database");
    Ok((first, step))
}
