//! The benchmark's database: many customers of about 900 bytes each, made once and kept.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use patron_app::{customers, search::Filter};
use patron_gateway::provision::{self, KeySource, NewSpace};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    dialects::DIALECTS,
    open,
    settings::{DATABASE_FILE, Settings},
};

/// Customers made together.
const CHUNK: u64 = 512;
/// Customers that single requests are spread over, evenly across all.
const SAMPLED: u64 = 20_000;
/// File that remembers what was made.
const NOTES: &str = "bench.json";

/// What the works need to know of the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Preloaded {
    /// Customers in it.
    pub count: u64,
    /// Credentials of its space.
    pub keys: Value,
    /// A sample: number and UUID.
    pub sample: Vec<(i64, String)>,
}

/// Reads the database once, so that nothing that is measured waits for a cold disk.
///
/// # Errors
/// When it cannot be read.
pub fn warm(data: &Path) -> Result<()> {
    let path = data.join(DATABASE_FILE);
    let mut file = std::fs::File::open(&path).with_context(|| path.display().to_string())?;
    std::io::copy(&mut file, &mut std::io::sink())?;
    Ok(())
}

/// The database with at least that many customers, made where it is not there.
///
/// # Errors
/// When it cannot be made, or has fewer customers.
pub async fn ensure(data: &Path, count: u64) -> Result<Preloaded> {
    if let Ok(text) = std::fs::read_to_string(data.join(NOTES)) {
        let known: Preloaded = serde_json::from_str(&text)?;
        ensure!(known.count == count, "{} holds {} customers", data.display(), known.count);
        return Ok(known);
    }
    let mut settings = Settings::default();
    settings.store.url = format!("sqlite:{}", data.display());
    let app = open::app(&settings).await?;
    let new = NewSpace {
        name: "Bench",
        account: None,
        uuid: None,
        keys: KeySource::Random,
        base_url: "http://127.0.0.1",
    };
    let made = provision::space(&app, DIALECTS, &new).await;
    let made = made.map_err(|failure| anyhow!("the space cannot be made: {failure:?}"))?;
    let cx = app.operator(made.number, "bench");
    let started = std::time::Instant::now();
    let mut sample = Vec::new();
    let every = (count / SAMPLED).max(1);
    for first in (0..count).step_by(usize::try_from(CHUNK)?) {
        let numbers: Vec<u64> = (first..(first + CHUNK).min(count)).collect();
        let patches: Result<Vec<_>, _> = numbers
            .iter()
            .map(|n| Ok((cx.clone(), patron_native::rows::into_patch(person(*n))?)))
            .collect();
        let patches = patches.map_err(|f: patron_model::Failure| anyhow!("{f:?}"))?;
        for (n, verdict) in numbers.iter().zip(customers::create_many(patches).await) {
            let made = verdict.map_err(|failure| anyhow!("a customer was refused: {failure:?}"))?;
            if n % every == 0 {
                sample.push((made.number, made.uuid.to_string()));
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("Made {count} customers in {seconds:.0} s: {:.0}/s, durable.", count as f64 / seconds);
    let have = customers::count(&cx, &[made.number], &Filter::All).await;
    let have = have.map_err(|failure| anyhow!("{failure:?}"))?;
    ensure!(have == count, "{have} customers are there");
    app.store.clone().close().await;
    let preloaded = Preloaded { count, keys: made.credentials, sample };
    std::fs::write(data.join(NOTES), serde_json::to_vec(&preloaded)?)
        .with_context(|| data.display().to_string())?;
    Ok(preloaded)
}

/// The n-th customer: about 25 fields. Twenty share the beginning of a family name.
pub fn person(n: u64) -> Value {
    let tier = if n.is_multiple_of(2) { "gold" } else { "silver" };
    json!({
        "reference": format!("ref-{n:08}"), "given_name": format!("Given{}", n % 997),
        "family_name": format!("{}{}", letters(n / 20), n % 20), "title": "Dr",
        "company_name": format!("Company {} Ltd.", n % 50_021), "tax_number": format!("{}", 100_000 + n),
        "email": format!("person.{n}@example.com"), "phone": "+41 44 668 18 00",
        "language": "de-CH", "currency": "CHF", "time_zone": "Europe/Zurich",
        "description": "A customer of the benchmark, neither short nor long in what is said of it.",
        "metadata": {"tier": tier, "source": "shop"},
        "balance": "12.50", "identifier_fields": ["email"],
        "addresses": [{
            "purpose": "both", "default": true, "given_name": "Anna", "family_name": "Muster",
            "line1": format!("Bahnhofstrasse {}", n % 200), "postal_code": "8400",
            "city": "Winterthur", "state": "ZH", "country": "CH", "phone": "+41 44 668 18 00",
        }],
    })
}

/// A number as six letters.
pub fn letters(mut n: u64) -> String {
    let mut word = String::new();
    for _ in 0..6 {
        let letter = u8::try_from(n % 26).unwrap_or(0);
        word.insert(0, char::from(b'a' + letter));
        n /= 26;
    }
    word
}
