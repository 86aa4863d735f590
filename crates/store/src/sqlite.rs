//! stub
use crate::memory::Memory;
use crate::*;
pub(crate) struct Sqlite(Memory);
impl std::ops::Deref for Sqlite { type Target = Memory; fn deref(&self) -> &Memory { &self.0 } }
impl Sqlite { pub(crate) async fn open<T: ?Sized>(_l: &T, kinds: &'static [&'static Kind], _o: Options, w: std::sync::Arc<tokio::sync::watch::Sender<u64>>) -> Result<Sqlite, StoreError> { Ok(Sqlite(Memory::new(kinds, w))) } }
