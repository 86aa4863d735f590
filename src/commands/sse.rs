//! Server-sent events, as a stream of bytes has them.

use anyhow::{Result, ensure};

/// Bytes of an event.
const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An event; without data it only says where the stream is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where the stream is with it.
    pub id: Option<String>,
    /// What it is.
    pub name: String,
    /// What it says.
    pub data: String,
}

impl Event {
    /// Whether it says anything.
    pub fn has_data(&self) -> bool {
        !self.data.is_empty()
    }
}

/// Cuts a stream into events.
#[derive(Debug, Default)]
pub struct Parser {
    held: Vec<u8>,
    event: Event,
}

impl Parser {
    /// Takes in what came; answers the events that are whole.
    ///
    /// # Errors
    /// When an event is too long, or no text.
    pub fn take(&mut self, piece: &[u8]) -> Result<Vec<Event>> {
        self.held.extend_from_slice(piece);
        let mut events = Vec::new();
        let mut from = 0;
        while let Some(length) = self.held[from..].iter().position(|byte| *byte == b'\n') {
            let line = std::str::from_utf8(&self.held[from..from + length])?;
            let line = line.strip_suffix('\r').unwrap_or(line);
            from += length + 1;
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if event != Event::default() {
                    events.push(event);
                }
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => self.event.id = Some(value.to_owned()),
                "event" => value.clone_into(&mut self.event.name),
                "data" if self.event.data.is_empty() => value.clone_into(&mut self.event.data),
                "data" => self.event.data.extend(["\n", value]),
                // Comments, and what nobody here knows.
                _ => {}
            }
        }
        self.held.drain(..from);
        let held = self.held.len() + self.event.data.len();
        ensure!(held <= EVENT_BYTES_MAX, "the server sends an event without an end");
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_they_are_cut() {
        let text = ": open\n\nid: 7\nevent: customer.created\ndata: {\"a\":\ndata: 1}\r\n\r\n\
                    : here\nid: 9\n\ndata: č\n\n";
        let whole = Parser::default().take(text.as_bytes()).unwrap();
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[0].data, "{\"a\":\n1}");
        assert_eq!(
            (whole[0].id.as_deref(), whole[0].name.as_str()),
            (Some("7"), "customer.created")
        );
        assert_eq!((whole[1].id.as_deref(), whole[1].has_data()), (Some("9"), false));
        let mut parser = Parser::default();
        let bytes = text.as_bytes().chunks(1);
        let single: Vec<Event> = bytes.flat_map(|byte| parser.take(byte).unwrap()).collect();
        assert_eq!(single, whole);
        let endless = vec![b'x'; EVENT_BYTES_MAX + 1];
        assert!(Parser::default().take(&endless).is_err());
    }
}
