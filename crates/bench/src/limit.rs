//! The limit that everything is compared with: a fixed reply of 900 bytes by the same HTTP
//! libraries, in a process of its own.

use std::process::Command;

use anyhow::{Context as _, Result};
use axum::{Router, routing::get};
use clap::Args;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;

use patron_testkit::ports::free_address;

use crate::{
    load::{Load, Measured},
    program::Launch,
};

/// Bytes of the limit's reply.
const STATIC_BYTES: usize = 900;
/// Connections at a time.
const CONNECTIONS: usize = 32;

/// Serve a fixed reply of 900 bytes.
#[derive(Debug, Args)]
pub struct LimitArgs {
    /// Address and port to listen at.
    #[arg(long)]
    listen: String,
}

/// Serves the limit's reply until the process is killed.
///
/// # Errors
/// When it cannot listen.
pub async fn serve(args: LimitArgs) -> Result<()> {
    let body: &'static str = Box::leak("x".repeat(STATIC_BYTES).into_boxed_str());
    let router = Router::new().route("/", get(move || async move { body }));
    let listener = TcpListener::bind(&args.listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let router = router.clone();
        tokio::spawn(async move {
            let service = TowerToHyperService::new(router);
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Measures it.
///
/// # Errors
/// When it does not start or does not answer.
pub async fn measure(seconds: u64) -> Result<Measured> {
    let address = free_address().to_string();
    let mut command = Command::new(std::env::current_exe().context("this program's own path")?);
    command.args(["limit", "--listen", &address]);
    let server = Launch::of(command, address, "/").start().await?;
    let asker =
        |_| -> crate::load::Asker { Box::new(|_| b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()) };
    Load::full(CONNECTIONS, seconds).measure(&server.address, asker).await
}
