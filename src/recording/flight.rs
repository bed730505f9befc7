//! Edits on their way: what a connection has sent and the server has not shown to it.

use std::collections::VecDeque;
use std::time::Duration;

use super::holdings::Holdings;
use super::parts::Span;
use crate::crdt::Summary;

/// What is on its way, in the order in which it was sent, and what the server has shown.
#[derive(Default)]
pub(super) struct Flight {
    sent: VecDeque<Sent>,
    /// What the server has shown, and has to have from then on.
    shown: Holdings,
}

/// An edit on its way: something by which it is known when it comes back.
pub(super) struct Sent {
    /// The number of its event.
    pub event: usize,
    pub mark: Mark,
    pub at: Duration,
}

/// One clock of a client id.
pub(super) enum Mark {
    Inserted { client: u64, clock: u32 },
    Deleted { client: u64, clock: u32 },
}

impl Mark {
    /// By what an edit is known; nothing where it changes nothing.
    pub fn of(summary: &Summary) -> Option<Self> {
        let inserted = summary.inserts.last();
        let inserted =
            inserted.map(|span| Self::Inserted { client: span.client, clock: span.end - 1 });
        let deleted = summary.deletes.last();
        inserted.or(deleted.map(|span| Self::Deleted { client: span.client, clock: span.end - 1 }))
    }
}

impl Flight {
    pub fn push(&mut self, sent: Sent) {
        self.sent.push_back(sent);
    }

    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether an event's edit is on its way.
    pub fn has(&self, event: usize) -> bool {
        self.sent.iter().any(|sent| sent.event == event)
    }

    /// The server shows an update; returns what has arrived. Servers keep the order, so that is
    /// everything up to the last that is shown.
    pub fn show(&mut self, summary: &Summary) -> Vec<Sent> {
        self.shown.add(summary);
        let is_shown = |sent: &Sent| match sent.mark {
            Mark::Inserted { client, clock } => clock < self.shown.clock(client),
            Mark::Deleted { client, clock } => summary
                .deletes
                .iter()
                .any(|span| span.client == client && (span.start..span.end).contains(&clock)),
        };
        let count = self.sent.iter().rposition(is_shown).map_or(0, |last| last + 1);
        self.sent.drain(..count).collect()
    }

    /// The server says what it has, to somebody who is back; returns what has arrived, or `None`
    /// where something is gone that it had shown.
    pub fn land(&mut self, held: &Holdings) -> Option<Vec<Sent>> {
        if !held.covers(&self.shown) {
            return None;
        }
        let has_arrived = |sent: &Sent| match sent.mark {
            Mark::Inserted { client, clock } => clock < held.clock(client),
            Mark::Deleted { client, clock } => {
                held.deletes.contains(Span { client, start: clock, end: clock + 1 })
            }
        };
        let (arrived, waiting): (Vec<_>, Vec<_>) = self.sent.drain(..).partition(has_arrived);
        self.sent = waiting.into();
        Some(arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::lint::Span as Clocks;

    fn inserted(client: u64, end: u32) -> Summary {
        Summary { inserts: vec![Clocks { client, start: 0, end }], ..Summary::default() }
    }

    fn deleted(client: u64, start: u32, end: u32) -> Summary {
        Summary { deletes: vec![Clocks { client, start, end }], ..Summary::default() }
    }

    fn flight() -> Flight {
        let mut flight = Flight::default();
        for (event, summary) in [(1, inserted(1, 3)), (2, deleted(2, 0, 1)), (3, inserted(1, 4))] {
            let mark = Mark::of(&summary).expect("a change");
            flight.push(Sent { event, mark, at: Duration::ZERO });
        }
        flight
    }

    fn events(sent: &[Sent]) -> Vec<usize> {
        sent.iter().map(|sent| sent.event).collect()
    }

    #[test]
    fn what_is_shown_has_arrived_and_all_before_it() {
        assert_eq!(events(&flight().show(&inserted(1, 3))), [1]);
        assert_eq!(events(&flight().show(&deleted(2, 0, 1))), [1, 2]);
        assert_eq!(events(&flight().show(&inserted(1, 4))), [1, 2, 3]);
        assert_eq!(events(&flight().show(&inserted(1, 2))), [0_usize; 0]);
    }

    /// After a break nothing is known of the order: each is asked for by itself.
    #[test]
    fn whoever_is_back_asks_for_each() {
        let mut flight = flight();
        let held = Holdings::said(&[0], &deleted(2, 0, 1));
        let arrived = flight.land(&held).expect("nothing had been shown");
        assert_eq!(events(&arrived), [2]);
        assert!(flight.has(1) && !flight.has(2) && flight.len() == 2);
        flight.show(&inserted(1, 3));
        assert!(flight.land(&Holdings::said(&[1, 1, 2], &deleted(2, 0, 1))).is_none());
        assert!(flight.land(&Holdings::said(&[1, 1, 3], &deleted(2, 0, 1))).is_some());
    }
}
