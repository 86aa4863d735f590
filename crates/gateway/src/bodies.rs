//! Reading request bodies: each bounded in size and time, all together bounded in memory, with a
//! share for each key and, before sign-in, for each client address. Whoever only announces a body,
//! or sends it drop by drop, takes nothing from others but a connection.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use patron_app::shares::BodyShare;
use patron_model::{Failure, Why};

use crate::{addresses::AddressShare, limits::Limits};

/// Seconds after which a client may try again when too much is being read already.
const RETRY_AFTER_SECONDS: u64 = 1;
/// Bytes of a body at an operation without sign-in: all of them take small ones.
const PUBLIC_BYTES_MAX: usize = 64 * 1024;

/// The bodies of one server.
pub(crate) struct Bodies {
    bytes_max: usize,
    longest: Duration,
}

/// Whose part of the memory for bodies one takes.
#[derive(Debug)]
pub(crate) enum Share {
    /// That of a key.
    Known(BodyShare),
    /// That of whoever has not signed in yet, by client address.
    Stranger(AddressShare),
}

impl Share {
    fn more(&mut self, bytes: usize) -> Result<(), Failure> {
        match self {
            Share::Known(share) => share.more(bytes),
            Share::Stranger(share) => match share.more(bytes) {
                true => Ok(()),
                false => Err(Failure::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS }),
            },
        }
    }
}

/// A body and its share of the memory for bodies, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) bytes: Bytes,
    share: Share,
}

impl Read {
    /// Moves the body to another share: its sender has signed in.
    ///
    /// # Errors
    /// `Unavailable` when that has no room for it.
    pub(crate) fn pass_to(&mut self, mut share: Share) -> Result<(), Failure> {
        share.more(self.bytes.len())?;
        self.share = share;
        Ok(())
    }
}

impl Bodies {
    pub(crate) fn new(limits: &Limits) -> Bodies {
        Bodies {
            bytes_max: limits.body_bytes_max,
            longest: Duration::from_secs(limits.body_seconds_max),
        }
    }

    /// Reads a body to its end; that of a public operation has to be small.
    ///
    /// # Errors
    /// `TooLarge`, `TimedOut`, `Unavailable`, or `Malformed` when it ends early.
    pub(crate) async fn read(
        &self,
        body: Body,
        share: Share,
        is_public: bool,
    ) -> Result<Read, Failure> {
        let limit = if is_public { self.bytes_max.min(PUBLIC_BYTES_MAX) } else { self.bytes_max };
        if body.size_hint().lower() > limit as u64 {
            return Err(Failure::TooLarge { limit });
        }
        let whole = tokio::time::timeout(self.longest, whole(body, share, limit));
        whole.await.unwrap_or(Err(Failure::TimedOut))
    }
}

async fn whole(mut body: Body, mut share: Share, limit: usize) -> Result<Read, Failure> {
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let incomplete = Why::Malformed { expected: "a complete body" };
        let frame = frame.map_err(|_| Failure::malformed("", incomplete))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + all.len() + data.len() > limit {
            return Err(Failure::TooLarge { limit });
        }
        share.more(data.len())?;
        // Nearly all bodies come in one piece and need no copy.
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        all.extend_from_slice(&std::mem::take(&mut first));
        all.extend_from_slice(&data);
    }
    let bytes = if all.is_empty() { first } else { all.freeze() };
    Ok(Read { bytes, share })
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::addresses::AddressBudget;

    fn bodies(bytes_max: usize) -> Bodies {
        Bodies::new(&Limits { body_bytes_max: bytes_max, ..Limits::default() })
    }

    fn chunks(chunks: &[&'static str]) -> Body {
        let stream = futures_util::stream::iter(chunks.to_vec());
        Body::from_stream(futures_util::StreamExt::map(stream, Ok::<_, std::io::Error>))
    }

    fn share() -> Share {
        Share::Stranger(AddressBudget::new(1_000_000).share(None))
    }

    #[tokio::test]
    async fn bodies_are_whole_however_they_come() {
        let bodies = bodies(6);
        for parts in [&["abcdef"][..], &["a", "", "bcd", "ef"], &["", "abcdef"]] {
            let read = bodies.read(chunks(parts), share(), false).await;
            assert_eq!(read.expect("read").bytes, "abcdef");
        }
        for parts in [&["abcdefg"][..], &["abc", "defg"]] {
            let refused = bodies.read(chunks(parts), share(), false).await.err();
            assert!(matches!(refused, Some(Failure::TooLarge { limit: 6 })));
        }
        let announced = bodies.read(Body::from(vec![0; 7]), share(), false).await.err();
        assert!(matches!(announced, Some(Failure::TooLarge { limit: 6 })));
    }

    #[tokio::test]
    async fn bodies_of_strangers_at_public_operations_are_small() {
        let bodies = bodies(1_000_000);
        for (size, fits) in [(PUBLIC_BYTES_MAX, true), (PUBLIC_BYTES_MAX + 1, false)] {
            let body = || Body::from(vec![b'x'; size]);
            assert_eq!(bodies.read(body(), share(), true).await.is_ok(), fits);
            assert!(bodies.read(body(), share(), false).await.is_ok());
        }
    }

    #[tokio::test]
    async fn all_together_are_bounded_and_free_again() {
        let bodies = bodies(6);
        let budget = AddressBudget::new(10);
        let read = async |parts| {
            bodies.read(chunks(parts), Share::Stranger(budget.share(None)), false).await
        };
        let first = read(&["abc", "def"]).await.expect("read");
        let refused = read(&["abcd", "e"]).await.err();
        assert!(matches!(refused, Some(Failure::Unavailable { retry_after_seconds: 1 })));
        drop(first);
        assert!(read(&["abcdef"]).await.is_ok());
    }

    #[tokio::test]
    async fn slow_bodies_are_given_up() {
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let limits = Limits { body_seconds_max: 0, ..Limits::default() };
        let bodies = Bodies::new(&limits);
        let refused = bodies.read(Body::from_stream(never), share(), false).await.err();
        assert!(matches!(refused, Some(Failure::TimedOut)));
    }
}
