//! When the next commit may begin: at once, or together with others that are about to come.
//!
//! A commit costs the same for one request as for twenty, and so do the threads that it passes
//! through. Where many documents write now and then, their requests come one by one; a wait of a few
//! milliseconds lets them share. Where one document writes, or each waits for its answer before it
//! writes again, waiting would bring nothing, and where little is written it would save nothing.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::id::DocumentId;

/// Between two commits that many documents share.
const GAP: Duration = Duration::from_millis(10);

/// What is about to come is what came in the last window.
const WINDOW: Duration = Duration::from_millis(100);

/// See the head of this file.
#[derive(Default)]
pub(super) struct GroupCommit {
    last_commit: Option<Instant>,
    /// Since when requests and documents are counted.
    since: Option<Instant>,
    requests: u32,
    documents: HashSet<DocumentId>,
    /// What the last whole window says.
    shares: bool,
}

impl GroupCommit {
    /// When the next commit may begin; it may be past.
    pub(super) fn due(&self) -> Option<Instant> {
        self.last_commit.filter(|_| self.shares).map(|last| last + GAP)
    }

    /// A commit of requests for `documents` (one each) begins.
    pub(super) fn begins<'a>(
        &mut self,
        now: Instant,
        documents: impl Iterator<Item = &'a DocumentId>,
    ) {
        self.last_commit = Some(now);
        let counted = now.duration_since(*self.since.get_or_insert(now));
        if counted >= WINDOW {
            let gaps = counted.as_secs_f64() / GAP.as_secs_f64();
            let requests = f64::from(self.requests) / gaps;
            // Fewer requests than one a gap would wait alone. As many as there are documents: each
            // waits for its answer already.
            self.shares = requests > 1.0 && requests < self.documents.len() as f64;
            self.since = Some(now);
            self.requests = 0;
            self.documents.clear();
        }
        for document in documents {
            self.requests += 1;
            self.documents.insert(document.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waits of commits that would begin `every` so often, each with a request of one of
    /// `documents` in turn; what comes during a wait shares the commit.
    fn commits(documents: u64, every: Duration, waits_for_answer: bool) -> (u32, u32) {
        let mut group = GroupCommit::default();
        let start = Instant::now();
        let ids: Vec<_> =
            (0..documents).map(|n| DocumentId::parse(&format!("d{n}")).expect("a name")).collect();
        let (mut now, mut next, mut requests, mut commits) = (start, start, 0, 0);
        while now < start + Duration::from_secs(2) {
            now = now.max(next);
            now = group.due().map_or(now, |due| due.max(now));
            let mut batch = Vec::new();
            while next <= now && batch.len() < ids.len() {
                batch.push(&ids[(requests as u64 % documents) as usize]);
                requests += 1;
                next += every;
            }
            if waits_for_answer {
                next = now + every;
            }
            group.begins(now, batch.into_iter());
            now += Duration::from_millis(1);
            commits += 1;
        }
        (requests, commits)
    }

    #[test]
    fn many_documents_that_write_now_and_then_share_commits() {
        let (requests, commits) = commits(500, Duration::from_micros(500), false);
        assert!(requests > 3900, "{requests}");
        assert!(commits < 400, "{commits}");
    }

    #[test]
    fn a_document_alone_never_waits() {
        let (requests, commits) = commits(1, Duration::from_millis(2), true);
        assert_eq!(requests, commits);
        assert!(commits > 600, "{commits}");
    }

    #[test]
    fn documents_that_wait_for_their_answers_are_not_slowed_down() {
        let (requests, commits) = commits(3, Duration::ZERO, true);
        assert!(requests >= 2000, "{requests} in {commits}");
    }

    #[test]
    fn where_little_is_written_nobody_waits() {
        let (requests, commits) = commits(20, Duration::from_millis(25), false);
        assert_eq!(requests, commits);
    }
}
