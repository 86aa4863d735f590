//! The program: what it does is in the library beside it.

use std::process::ExitCode;

/// Requests allocate much and briefly, on all threads at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    patron::run().await
}
