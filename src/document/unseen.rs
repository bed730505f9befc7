//! What somebody had not seen when they wrote.
//!
//! Of a client that comes back it is known from its state vector. A client that is there does not say
//! what it has seen: what others have sent within the last seconds it may not have seen, and it has not
//! where it writes beside letters that are not there any more.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::core::Core;
use super::flush::Waiting;
use crate::crdt::{Clocks, Hint, Place, Seen, StateVector, Summary};
use crate::id::{Seq, SessionId};

/// How long an edit may take to be seen by everybody, and to be answered.
const UNSEEN_FOR: Duration = Duration::from_secs(1);
/// So long whoever goes on typing has not looked up.
const GOES_ON_FOR: Duration = Duration::from_secs(2);
/// Edits that are remembered.
const REPLACED_MAX: usize = 64;
/// Clocks beside deleted ones that may be of the same line.
const NEAR: u32 = 16;
/// Clocks from which on a deletion may take a line away with it.
const LARGE: u32 = 4;
/// Stretches that are remembered of one of them.
const SPANS_MAX: usize = 256;

/// Edits of the last seconds that wrote letters anew.
#[derive(Debug, Default)]
pub(super) struct Unseen(VecDeque<Replaced>);

/// An edit that deletes and inserts, or deletes much.
#[derive(Debug)]
struct Replaced {
    until: Duration,
    /// Whose it is; `None` if the server moved letters.
    session: Option<SessionId>,
    /// The row with which it began.
    seq: Seq,
    gone: Vec<Clocks>,
}

/// Letters that one session wrote one after the other.
#[derive(Debug, Clone)]
pub(super) struct Wrote {
    began: Duration,
    until: Duration,
    /// The row of the first letter.
    seq: Seq,
    client: u64,
    end: u32,
    /// What the first letter stands beside.
    beside: [Option<Place>; 2],
    /// The first row that may not have been seen, where that may have put the first letter into a wrong line.
    unseen: Option<Seq>,
}

impl Unseen {
    /// The server has moved letters: whoever writes beside them meant where they were.
    pub(super) fn note_carried<'a>(&mut self, edits: impl Iterator<Item = &'a Summary>) {
        let Some((until, seq)) = self
            .0
            .iter()
            .map(|it| (it.until, it.seq))
            .reduce(|one, other| (one.0.max(other.0), one.1.min(other.1)))
        else {
            return;
        };
        edits.for_each(|edit| self.add(Replaced { until, session: None, seq, gone: gone(edit) }));
    }

    fn add(&mut self, replaced: Replaced) {
        if self.0.len() >= REPLACED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(replaced);
    }

    /// The first row of those that a session may not have seen when it wrote beside what they deleted.
    fn before(&self, session: SessionId, beside: [Option<Place>; 2]) -> Option<Seq> {
        let others = self.0.iter().filter(|it| it.session != Some(session));
        let meant =
            others.filter(|it| beside.iter().flatten().any(|place| holds(&it.gone, *place)));
        meant.map(|it| it.seq).min()
    }
}

impl Core {
    /// What the author of an edit had seen, where that is known, and whether it was not all. `seq` is the
    /// row that the edit becomes.
    pub(super) fn hint(
        &mut self,
        waiting: &Waiting,
        seq: Seq,
        now: Duration,
    ) -> Option<(Hint, bool)> {
        match self.seen_away(waiting) {
            Some((seen, lacks)) => Some((Hint { seq, seen: Seen::All(seen) }, lacks)),
            None => self.unseen_by(waiting, seq, now).map(|hint| (hint, true)),
        }
    }

    /// What a session had when it came back with an update, to be kept with that.
    pub(super) fn had_when_it_wrote(&mut self, session: SessionId, whole: bool) -> Option<Bytes> {
        let awaits = self.await_everything().any(|it| it == session);
        let known = self.sessions.get_mut(&session)?;
        if awaits && !whole {
            return known.had.clone();
        }
        // Later it knows more than that.
        let had = known.had.take();
        had.filter(|_| whole)
    }

    /// What a client had that has come back with an edit, and whether it lacked something of the others.
    fn seen_away(&self, waiting: &Waiting) -> Option<(StateVector, bool)> {
        let inserts = &waiting.update.summary.inserts;
        if !waiting.whole && waiting.had.is_none() {
            return None;
        }
        let replica = self.replica.as_ref()?;
        // A later answer may hold everything that it has been shown.
        let seen = match &waiting.had {
            Some(vector) => replica.known_part(vector),
            None => replica.state_vector(),
        };
        let is_own = |client| inserts.iter().any(|insert| insert.client == client);
        let mut lacked = replica.grown_since(&seen).into_iter();
        let lacks = !inserts.is_empty() && lacked.any(|(client, _)| !is_own(client));
        Some((seen, lacks))
    }

    /// What an edit's author may not have seen, where that may have put letters into a wrong line. `seq` is
    /// the row that it becomes.
    fn unseen_by(&mut self, waiting: &Waiting, seq: Seq, now: Duration) -> Option<Hint> {
        let is_small =
            |spans: &[Clocks]| spans.iter().map(|it| it.end - it.start).sum::<u32>() < LARGE;
        let (inserts, deletes) = (&waiting.update.summary.inserts, &waiting.update.summary.deletes);
        if self.sessions.len() < 2 || (inserts.is_empty() && is_small(deletes)) {
            return None;
        }
        while self.unseen.0.front().is_some_and(|it| it.until <= now) {
            self.unseen.0.pop_front();
        }
        let (session, summary) = (waiting.session, &waiting.update.summary);
        let first = if summary.deletes.is_empty() {
            self.note_letters(waiting, seq, now)
        } else {
            let (until, gone) = (now + UNSEEN_FOR, gone(summary));
            let left = self.left_behind_by(session, &gone, now);
            self.unseen.add(Replaced { until, session: Some(session), seq, gone });
            left
        };
        first.map(|first| Hint { seq, seen: Seen::Until(Seq(first.0.saturating_sub(1))) })
    }

    /// Notes what was written, and says the first row that may not have been seen.
    fn note_letters(&mut self, waiting: &Waiting, seq: Seq, now: Duration) -> Option<Seq> {
        let summary = &waiting.update.summary;
        let (until, beside) = (now + UNSEEN_FOR, beside(summary));
        let unseen = self.unseen.before(waiting.session, beside);
        let wrote = &mut self.sessions.get_mut(&waiting.session)?.wrote;
        let [Clocks { client, start, end }] = *summary.inserts.as_slice() else { return unseen };
        if let Some(wrote) = wrote.as_mut().filter(|it| it.until > now)
            && (wrote.client, wrote.end) == (client, start)
            && beside[0] == Some(Place { client, clock: start - 1 })
        {
            (wrote.end, wrote.until) = (end, until);
            wrote.unseen = wrote.unseen.or(unseen).filter(|_| now < wrote.began + GOES_ON_FOR);
            return wrote.unseen;
        }
        *wrote = Some(Wrote { began: now, until, seq, client, end, beside, unseen });
        unseen
    }

    /// The first row in which others wrote beside what an edit deletes, and that it leaves where they are.
    fn left_behind_by(&self, session: SessionId, gone: &[Clocks], now: Duration) -> Option<Seq> {
        let others = self.sessions.iter().filter(|(other, _)| **other != session);
        let wrote =
            others.filter_map(|(_, known)| known.wrote.as_ref()).filter(|it| it.until > now);
        let wrote = wrote.filter(|it| {
            let last = Place { client: it.client, clock: it.end - 1 };
            let is_beside = it.beside.iter().flatten().any(|place| holds(gone, *place));
            let is_gone = gone
                .iter()
                .any(|it| it.client == last.client && (it.start..it.end).contains(&last.clock));
            is_beside && !is_gone
        });
        wrote.map(|it| it.seq).min()
    }
}

/// What an edit deletes; of many stretches only the first.
fn gone(edit: &Summary) -> Vec<Clocks> {
    edit.deletes.iter().take(SPANS_MAX).copied().collect()
}

fn beside(edit: &Summary) -> [Option<Place>; 2] {
    [edit.first_after, edit.first_before]
}

/// Whether a place is among clocks or near them: editors leave letters alone that a line and the one in its
/// place have in common.
fn holds(spans: &[Clocks], place: Place) -> bool {
    let clocks = |it: &Clocks| it.start.saturating_sub(NEAR)..it.end.saturating_add(NEAR);
    spans.iter().any(|it| it.client == place.client && clocks(it).contains(&place.clock))
}
