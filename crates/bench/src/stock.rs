//! What is measured on: spaces with many customers of about 900 bytes each. Made by the same code
//! as imports, once, and kept.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use patron::{
    dialects::DIALECTS,
    open,
    settings::{DATABASE_FILE, Settings},
};
use patron_app::{App, customers, search::Filter};
use patron_gateway::provision::{self, KeySource, MadeSpace, NewSpace};
use patron_model::Failure;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Customers made together.
const CHUNK: u64 = 512;
/// Customers that single requests are spread over, evenly across all.
const SAMPLED: u64 = 20_000;
/// File that remembers what was made.
const NOTES: &str = "bench.json";

/// A space with customers, and what the measurements need to know of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stock {
    /// Customers in it.
    pub count: u64,
    /// Credentials of the space.
    pub keys: Value,
    /// A sample: number and UUID.
    pub sample: Vec<(i64, String)>,
}

impl Stock {
    /// The space of a folder with that many customers, made where it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or has another number of customers.
    pub async fn ensure(folder: &Path, count: u64) -> Result<Stock> {
        let notes = folder.join(NOTES);
        if let Ok(text) = std::fs::read_to_string(&notes) {
            let known: Stock = serde_json::from_str(&text)?;
            ensure!(known.count == count, "{} holds {} customers", folder.display(), known.count);
            return Ok(known);
        }
        let started = std::time::Instant::now();
        let stock = Stock::make(folder, "Bench", count).await?;
        let seconds = started.elapsed().as_secs_f64();
        let file = folder.join(DATABASE_FILE);
        let bytes = std::fs::metadata(&file).with_context(|| file.display().to_string())?.len();
        println!(
            "Made {count} customers in {seconds:.0} s: {:.0}/s, {} bytes each on the disk, with \
             journal and indexes.",
            count as f64 / seconds,
            bytes / count
        );
        let text = serde_json::to_vec(&stock)?;
        std::fs::write(&notes, text).with_context(|| notes.display().to_string())?;
        Ok(stock)
    }

    /// One more space in a folder, with customers. Nobody serves the folder meanwhile.
    ///
    /// # Errors
    /// When something is refused.
    pub async fn make(folder: &Path, name: &str, count: u64) -> Result<Stock> {
        let mut settings = Settings::default();
        settings.store.url = format!("sqlite:{}", folder.display());
        let app = open::app(&settings).await?;
        let made = space(&app, name).await?;
        let sample = fill(&app, made.number, count, (count / SAMPLED).max(1)).await?;
        let cx = app.operator(made.number, "bench");
        let have = customers::count(&cx, &[made.number], &Filter::All).await.map_err(failed)?;
        ensure!(have == count, "{have} customers are there");
        app.store.clone().close().await;
        Ok(Stock { count, keys: made.credentials, sample })
    }

    /// Numbers of the sampled customers.
    pub fn numbers(&self) -> Arc<[i64]> {
        self.sample.iter().map(|(number, _)| *number).collect()
    }
}

fn failed(failure: Failure) -> anyhow::Error {
    anyhow!("the database cannot be filled: {failure:?}")
}

/// A new space.
///
/// # Errors
/// When it is refused.
pub async fn space(app: &Arc<App>, name: &str) -> Result<MadeSpace> {
    let new = NewSpace {
        name,
        account: None,
        uuid: None,
        keys: KeySource::Random,
        default_country: None,
        base_url: "http://127.0.0.1",
    };
    provision::space(app, DIALECTS, &new).await.map_err(failed)
}

/// Makes customers in a space; answers number and UUID of one in so many.
///
/// # Errors
/// When one is refused.
pub async fn fill(
    app: &Arc<App>,
    space: i64,
    count: u64,
    every: u64,
) -> Result<Vec<(i64, String)>> {
    let cx = app.operator(space, "bench");
    let mut sample = Vec::new();
    for first in (0..count).step_by(usize::try_from(CHUNK)?) {
        let numbers = first..(first + CHUNK).min(count);
        let patch = |n| Ok((cx.clone(), patron_native::rows::into_patch(person(n))?));
        let patches: Result<Vec<_>, _> = numbers.clone().map(patch).collect();
        let verdicts = customers::create_many(patches.map_err(failed)?).await;
        for (n, verdict) in numbers.zip(verdicts) {
            let made = verdict.map_err(failed)?;
            if n.is_multiple_of(every) {
                sample.push((made.number, made.uuid.to_string()));
            }
        }
    }
    Ok(sample)
}

/// Reads the database of a folder once, so that nothing that is measured waits for a cold disk.
///
/// # Errors
/// When it cannot be read.
pub fn warm(folder: &Path) -> Result<()> {
    let path = folder.join(DATABASE_FILE);
    let mut file = std::fs::File::open(&path).with_context(|| path.display().to_string())?;
    std::io::copy(&mut file, &mut std::io::sink())?;
    Ok(())
}

/// The n-th customer: about 25 fields. Twenty share the beginning of a family name.
pub fn person(n: u64) -> Value {
    let tier = if n.is_multiple_of(2) { "gold" } else { "silver" };
    json!({
        "reference": format!("ref-{n:08}"), "given_name": format!("Given{}", n % 997),
        "family_name": format!("{}{}", letters(n / 20), n % 20), "title": "Dr",
        "company_name": format!("Company {} Ltd.", n % 50_021),
        "tax_number": format!("{}", 100_000 + n),
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
