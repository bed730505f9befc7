//! A recording of what is in a document's log.

use std::collections::HashMap;

use bytes::Bytes;

use super::{Event, Header, Recording, What};
use crate::id::{ConnectionId, LogRow};

impl Recording {
    /// The session that rows of a log tell of: each connection joins for its first update and leaves
    /// after its last one. `start` is what was there before them, as a Yjs v1 update.
    pub fn of_log(document: &str, start: Option<Bytes>, rows: &[LogRow]) -> Self {
        let mut header = Header::new(document, "from the log");
        header.start = start;
        let mut left: HashMap<ConnectionId, usize> = HashMap::new();
        for row in rows {
            *left.entry(row.connection).or_default() += 1;
        }
        let mut numbers: HashMap<ConnectionId, u32> = HashMap::new();
        let begin_ms = rows.first().map_or(0, |row| row.at_ms);
        let (mut events, mut t) = (Vec::new(), 0);
        for row in rows {
            // Clocks may have been set back.
            t = u64::try_from(row.at_ms - begin_ms).unwrap_or(0).max(t);
            let mut push = |what| events.push(Event { t, what });
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX).saturating_add(1);
            let connection = *numbers.entry(row.connection).or_insert_with(|| {
                let name = row.author.as_deref().unwrap_or_default().to_owned();
                push(What::Join { connection: next, name });
                next
            });
            push(What::Update { connection, update: row.bytes.clone() });
            let left = left.entry(row.connection).or_default();
            *left -= 1;
            if *left == 0 {
                push(What::Leave { connection });
            }
        }
        Self { header, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Seq;

    #[test]
    fn connections_join_for_their_first_update_and_leave_after_their_last() {
        let row = |seq: u64, at_ms, connection, author: Option<&str>| LogRow {
            seq: Seq(seq),
            at_ms,
            author: author.map(Into::into),
            connection: ConnectionId(connection),
            bytes: Bytes::from_static(&[0, 0]),
        };
        let rows = [row(4, 100, 9, Some("ann")), row(5, 90, 7, None), row(6, 130, 9, Some("ann"))];
        let recording = Recording::of_log("plan", None, &rows);
        let update = |connection| What::Update { connection, update: Bytes::from_static(&[0, 0]) };
        let events = [
            (0, What::Join { connection: 1, name: "ann".into() }),
            (0, update(1)),
            (0, What::Join { connection: 2, name: String::new() }),
            (0, update(2)),
            (0, What::Leave { connection: 2 }),
            (30, update(1)),
            (30, What::Leave { connection: 1 }),
        ];
        let events = events.map(|(t, what)| Event { t, what });
        assert_eq!(recording.events, events);
        let mut written = Vec::new();
        recording.write(&mut written).expect("memory");
        assert_eq!(Recording::read(written.as_slice()).expect("a recording"), recording);
    }
}
