//! Style sheet, script and icons: made when the program is built, kept by browsers for good,
//! because another file has another name.

use patron_gateway::Reply;
use patron_model::Failure;

use crate::page::Page;

struct Asset {
    /// What pages call it.
    kind: &'static str,
    /// What it is called in addresses.
    file: &'static str,
    media: &'static str,
    plain: &'static [u8],
    /// Packed by gzip.
    packed: &'static [u8],
}

static ALL: [Asset; 3] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file behind what pages call it; nothing for what there is not.
pub fn file(kind: &str) -> &'static str {
    ALL.iter().find(|asset| asset.kind == kind).map_or("", |asset| asset.file)
}

/// Answers a file.
pub async fn get(page: Page) -> Result<Reply, Failure> {
    let name = page.request.param("file");
    let asset = ALL.iter().find(|asset| asset.file == name).ok_or(Failure::NoRoute)?;
    let accepted = page.request.header("accept-encoding").unwrap_or_default();
    let takes_packed = accepted.split(',').any(|one| one.trim().starts_with("gzip"));
    let reply = match takes_packed {
        true => Reply::bytes(200, asset.media, asset.packed).with("content-encoding", "gzip"),
        false => Reply::bytes(200, asset.media, asset.plain),
    };
    Ok(reply
        .with("vary", "accept-encoding")
        .with("cache-control", "public, max-age=31536000, immutable"))
}
