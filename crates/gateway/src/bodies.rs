//! Reading request bodies: each bounded in size and time, all together bounded in memory. Whoever
//! only announces a body, or sends it drop by drop, takes nothing from others but a connection.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use patron_model::{Failure, Why};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::Limits;

/// Seconds after which a client may try again when too much is being read already.
const RETRY_AFTER_SECONDS: u64 = 1;

/// The bodies of one server.
pub(crate) struct Bodies {
    bytes_max: usize,
    longest: Duration,
    free_bytes: Arc<Semaphore>,
}

/// A body and its share of the memory for bodies, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    pub(crate) fn new(limits: &Limits) -> Bodies {
        Bodies {
            bytes_max: limits.body_bytes_max,
            longest: Duration::from_secs(limits.body_seconds_max),
            free_bytes: Arc::new(Semaphore::new(limits.bodies_bytes_max)),
        }
    }

    /// Reads a body to its end.
    ///
    /// # Errors
    /// `TooLarge`, `TimedOut`, `Unavailable`, or `Malformed` when it ends early.
    pub(crate) async fn read(&self, body: Body) -> Result<Read, Failure> {
        if body.size_hint().lower() > self.bytes_max as u64 {
            return Err(Failure::TooLarge { limit: self.bytes_max });
        }
        let whole = tokio::time::timeout(self.longest, self.whole(body));
        whole.await.unwrap_or(Err(Failure::TimedOut))
    }

    async fn whole(&self, mut body: Body) -> Result<Read, Failure> {
        let mut share: Option<OwnedSemaphorePermit> = None;
        let (mut first, mut all) = (Bytes::new(), BytesMut::new());
        while let Some(frame) = body.frame().await {
            let incomplete = Why::Malformed { expected: "a complete body" };
            let frame = frame.map_err(|_| Failure::malformed("", incomplete))?;
            let Ok(data) = frame.into_data() else { continue };
            if first.len() + all.len() + data.len() > self.bytes_max {
                return Err(Failure::TooLarge { limit: self.bytes_max });
            }
            let more = self.share_of(data.len())?;
            match &mut share {
                Some(share) => share.merge(more),
                None => share = Some(more),
            }
            // Nearly all bodies come in one piece and need no copy.
            if first.is_empty() && all.is_empty() {
                first = data;
                continue;
            }
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
        let bytes = if all.is_empty() { first } else { all.freeze() };
        Ok(Read { bytes, _share: share })
    }

    fn share_of(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Failure> {
        let full = Failure::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS };
        let count = u32::try_from(bytes).map_err(Failure::internal)?;
        Arc::clone(&self.free_bytes).try_acquire_many_owned(count).map_err(|_| full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(bytes_max: usize, all: usize) -> Bodies {
        Bodies::new(&Limits {
            body_bytes_max: bytes_max,
            bodies_bytes_max: all,
            ..Limits::default()
        })
    }

    fn chunks(chunks: &[&'static str]) -> Body {
        let stream = futures_util::stream::iter(chunks.to_vec());
        Body::from_stream(futures_util::StreamExt::map(stream, Ok::<_, std::io::Error>))
    }

    #[tokio::test]
    async fn bodies_are_whole_however_they_come() {
        let bodies = bodies(6, 100);
        for parts in [&["abcdef"][..], &["a", "", "bcd", "ef"], &["", "abcdef"]] {
            assert_eq!(bodies.read(chunks(parts)).await.expect("read").bytes, "abcdef");
        }
        for parts in [&["abcdefg"][..], &["abc", "defg"]] {
            let refused = bodies.read(chunks(parts)).await.err();
            assert!(matches!(refused, Some(Failure::TooLarge { limit: 6 })));
        }
        let announced = bodies.read(Body::from(vec![0; 7])).await.err();
        assert!(matches!(announced, Some(Failure::TooLarge { limit: 6 })));
    }

    #[tokio::test]
    async fn all_together_are_bounded_and_free_again() {
        let bodies = bodies(6, 10);
        let first = bodies.read(chunks(&["abc", "def"])).await.expect("read");
        let refused = bodies.read(chunks(&["abcd", "e"])).await.err();
        assert!(matches!(refused, Some(Failure::Unavailable { retry_after_seconds: 1 })));
        drop(first);
        assert!(bodies.read(chunks(&["abcdef"])).await.is_ok());
    }

    #[tokio::test]
    async fn slow_bodies_are_given_up() {
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let limits = Limits { body_seconds_max: 0, ..Limits::default() };
        let refused = Bodies::new(&limits).read(Body::from_stream(never)).await.err();
        assert!(matches!(refused, Some(Failure::TimedOut)));
    }
}
