//! stub
use crate::memory::Memory;
use crate::*;
pub(crate) struct Postgres(Memory);
impl std::ops::Deref for Postgres { type Target = Memory; fn deref(&self) -> &Memory { &self.0 } }
impl Postgres { pub(crate) async fn open<T: ?Sized>(_l: &T, kinds: &'static [&'static Kind], _o: Options, w: std::sync::Arc<tokio::sync::watch::Sender<u64>>) -> Result<Postgres, StoreError> { Ok(Postgres(Memory::new(kinds, w))) } }
pub(crate) fn describe(_url:&str)->String{"postgres".into()}
