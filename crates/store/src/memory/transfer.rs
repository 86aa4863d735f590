//! Everything out of one copy, and everything in by exchanging the whole state.

use tokio::sync::mpsc;

use super::{Memory, State, Stored, Undo};
use crate::dump::{CHUNK_LINES, Feed, Line, LineSender};
use crate::increment::Scope;
use crate::position::mark;
use crate::{Entry, Kind, StoreError, sql};

impl Memory {
    /// Nothing is noted beside the records.
    pub(crate) async fn note(&self, _: &str) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// Sends everything, as of now, in the order a dump has.
    pub(crate) async fn export(&self, scope: &Scope, out: LineSender) {
        if let Scope::Since(_) = scope {
            let refused = StoreError::Engine("what is only in memory has no increments".to_owned());
            // The receiver is gone only when it has given up.
            let _ = out.send(Err(refused)).await;
            return;
        }
        let state = self.state().clone();
        let mut chunk = Vec::new();
        for line in state.lines(self.kinds) {
            match line {
                Ok(line) => chunk.push(line),
                Err(error) => {
                    // The receiver is gone only when it has given up.
                    let _ = out.send(Err(error)).await;
                    return;
                }
            }
            if chunk.len() == CHUNK_LINES && out.send(Ok(std::mem::take(&mut chunk))).await.is_err()
            {
                return;
            }
        }
        // The receiver is gone only when it has given up.
        let _ = out.send(Ok(chunk)).await;
    }

    /// Takes everything in, on condition that this store is empty and `Commit` comes in the end.
    pub(crate) async fn import(&self, mut feed: mpsc::Receiver<Feed>) -> Result<(), StoreError> {
        let mut fresh = State { tables: self.state().tables.clone(), ..State::default() };
        if self.state().lines(self.kinds).next().is_some() {
            return Err(sql::not_empty());
        }
        while let Some(fed) = feed.recv().await {
            match fed {
                Feed::Lines(lines) => {
                    lines.into_iter().try_for_each(|line| fresh.load(self.kinds, line))?;
                }
                Feed::Ask(..) => {
                    let refused = "increments cannot be restored into memory";
                    return Err(StoreError::Engine(refused.to_owned()));
                }
                Feed::Commit => {
                    *self.state() = fresh;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl State {
    fn lines<'a>(
        &'a self,
        kinds: &'static [&'static Kind],
    ) -> impl Iterator<Item = Result<Line, StoreError>> + Send + 'a {
        let tables = kinds.iter().filter_map(|kind| Some((*kind, self.tables.get(kind.name)?)));
        let records = tables.flat_map(|(kind, table)| {
            let records = table.records.values();
            let rows = records.clone().map(|s| Line::record(kind, s.row.clone(), &s.columns));
            rows.chain(records.flat_map(|stored| {
                stored.terms.iter().map(|term| Ok(Line::term(kind, &stored.row, term)))
            }))
        });
        let heads = self.journal.iter().map(|(tenant, entries)| {
            Ok(Line::Head {
                tenant: *tenant,
                last: entries.last().map_or(0, |entry| entry.seq),
                mark: entries.last().map(mark).unwrap_or_default(),
            })
        });
        let answers = self.answers.iter().map(|((t, _), a)| Ok(Line::answer(*t, a.clone())));
        let counters = self.counters.iter();
        let mentions = self.journal.values().flatten().flat_map(|entry| {
            let Entry { tenant, seq, .. } = *entry;
            entry.mentions().map(move |number| Ok(Line::Mention { tenant, number, seq }))
        });
        heads
            .chain(records)
            .chain(self.journal.values().flatten().cloned().map(|entry| Ok(Line::Entry(entry))))
            .chain(answers)
            .chain(mentions)
            .chain(
                counters.map(|(name, next)| Ok(Line::Counter { name: name.clone(), next: *next })),
            )
    }

    fn load(&mut self, kinds: &'static [&'static Kind], line: Line) -> Result<(), StoreError> {
        match line {
            Line::Record(record) => {
                let kind = sql::kind_named(kinds, &record.kind)?;
                let columns = record.values(kind)?;
                let stored = Stored { row: record.into_row(), columns, terms: Vec::new() };
                self.table(kind)?.check_unique(kind, &stored)?;
                self.put(&mut Undo::new(), kind, stored.row.number, Some(stored))
            }
            Line::Term { kind, number, term, .. } => {
                let kind = sql::kind_named(kinds, &kind)?;
                let table = self.tables.get_mut(kind.name);
                let stored = table.and_then(|table| table.records.get_mut(&number));
                let stored = stored.ok_or_else(|| {
                    StoreError::Engine(format!(
                        "a term of {} {number}, which is not there",
                        kind.name
                    ))
                })?;
                stored.terms.push(term);
                stored.terms.sort();
                Ok(())
            }
            Line::Entry(entry) => {
                self.journal.entry(entry.tenant).or_default().push(entry);
                Ok(())
            }
            Line::Answer(answer) => {
                let (tenant, answer) = answer.into_parts();
                self.answers.insert((tenant, answer.key.clone()), answer);
                Ok(())
            }
            Line::Counter { name, next } => {
                self.counters.insert(name, next);
                Ok(())
            }
            // The memory engine's head is the length of the journal, and what an entry names is
            // looked for in the entry.
            Line::Head { .. } | Line::Mention { .. } => Ok(()),
            Line::Gone { .. } | Line::Blank { .. } | Line::Forgotten { .. } => {
                Err(sql::not_loaded(&line))
            }
        }
    }
}
