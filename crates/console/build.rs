//! Makes what browsers keep for good: each file under a name that holds its hash, and packed.
//! Style sheets become one, so that a page asks for one.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

/// Characters of a hash in a name: 64 bits.
const HASH_CHARS: usize = 16;
/// Name, ending, media type, and the files it is made of.
const ASSETS: [(&str, &str, &str, &[&str]); 3] = [
    (
        "console",
        "css",
        "text/css; charset=utf-8",
        &["tokens.css", "pages.css", "developers.css", "home.css"],
    ),
    ("console", "js", "text/javascript; charset=utf-8", &["console.js"]),
    ("icons", "svg", "image/svg+xml", &["icons.svg"]),
];

fn main() {
    println!("cargo::rerun-if-changed=assets");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo names the folder"));
    let mut list = String::from("[\n");
    for (name, ending, media, parts) in ASSETS {
        let part = |file: &&str| fs::read(format!("assets/{file}")).expect("the file is there");
        let whole: Vec<u8> = parts.iter().flat_map(part).collect();
        let hash = &hex::encode(Sha256::digest(&whole))[..HASH_CHARS];
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&whole).expect("memory takes it");
        let packed = packed.finish().expect("memory takes it");
        let file = format!("{name}.{hash}.{ending}");
        fs::write(out.join(&file), &whole).expect("the folder can be written");
        fs::write(out.join(format!("{file}.gz")), packed).expect("the folder can be written");
        let kind = format!("{name}.{ending}");
        let _ = writeln!(
            list,
            "Asset {{ kind: {kind:?}, file: {file:?}, media: {media:?}, \
             plain: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\")), \
             packed: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}.gz\")) }},"
        );
    }
    list.push(']');
    fs::write(out.join("assets.rs"), list).expect("the folder can be written");
}
