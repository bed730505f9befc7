//! Makes a session that fails as short as it can be and still fail.
//!
//! Delta debugging: connections are left out, then ever smaller runs of events, then single ones,
//! as long as what is left fails. What is left out is made up for by `subset`, so every attempt is a
//! recording that can be played.

use std::collections::BTreeSet;

use super::Recording;
use super::subset::{Choice, Pieces};

impl Recording {
    /// The shortest part of the session that was found to fail: none of its events can be left out.
    /// It comes back as it is where it does not fail when a document without a server says what its
    /// end must be.
    ///
    /// `fails` is called with one attempt after another: some `2 k log n` for `n` events of which
    /// `k` matter, and soon they are short. It must be as good as certain of its answer, so a replay
    /// in it should have a seed. Text in the end event is what a document without a server makes of
    /// the attempt.
    pub fn shrink(&self, mut fails: impl FnMut(&Recording) -> bool) -> Recording {
        let Ok(pieces) = Pieces::of(self) else { return self.clone() };
        let mut found = Found { choice: pieces.all(), pieces, recording: self.clone() };
        if !found.attempt(|_| {}, &mut fails) {
            return self.clone();
        }
        found.attempt(|choice| choice.start = false, &mut fails);
        for connection in found.connections(self) {
            let leave_out = |choice: &mut Choice| {
                for (event, is_kept) in self.events.iter().zip(&mut choice.events) {
                    *is_kept &= event.what.connection() != Some(connection);
                }
            };
            found.attempt(leave_out, &mut fails);
        }
        let mut len = found.kept().len() / 2;
        while len > 1 {
            found.leave_out_runs(len, &mut fails);
            // Whatever run is needed is cut in two next.
            len = len.min(found.kept().len()) / 2;
        }
        while found.leave_out_runs(1, &mut fails) {}
        found.attempt(|choice| choice.start = false, &mut fails);
        found.recording
    }
}

/// The shortest that fails so far.
struct Found<'a> {
    pieces: Pieces<'a>,
    choice: Choice,
    recording: Recording,
}

impl Found<'_> {
    /// Tries what is found with something changed, and stays with that where it fails.
    fn attempt(
        &mut self,
        change: impl FnOnce(&mut Choice),
        fails: &mut impl FnMut(&Recording) -> bool,
    ) -> bool {
        let mut choice = self.choice.clone();
        change(&mut choice);
        let Some(recording) = self.pieces.choose(&choice) else { return false };
        let is_better = fails(&recording);
        if is_better {
            (self.choice, self.recording) = (choice, recording);
        }
        is_better
    }

    /// Leaves out every run of so many events that is not needed; says whether there was one.
    fn leave_out_runs(&mut self, len: usize, fails: &mut impl FnMut(&Recording) -> bool) -> bool {
        let mut is_shorter = false;
        // From the end: what nothing builds on goes first.
        for run in self.kept().rchunks(len) {
            let leave_out = |choice: &mut Choice| {
                run.iter().for_each(|index| choice.events[*index] = false);
            };
            is_shorter |= self.attempt(leave_out, fails);
        }
        is_shorter
    }

    /// The indexes of what is chosen.
    fn kept(&self) -> Vec<usize> {
        let events = self.choice.events.iter().enumerate();
        events.filter(|(_, is_kept)| **is_kept).map(|(index, _)| index).collect()
    }

    fn connections(&self, all: &Recording) -> BTreeSet<u32> {
        all.events.iter().filter_map(|event| event.what.connection()).collect()
    }
}
