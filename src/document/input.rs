//! The whole life of a document on one page: everything that can happen to it, and everything it
//! can ask for.
//!
//! [`Core::handle`](super::core::Core::handle) takes an [`Input`] and returns [`Effect`]s; the
//! actor turns messages into inputs and effects into work, and what comes back is the next input.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::lineage::Retired;
use crate::crdt::{Carry, Fingerprint, Hint, Kept, Preview, Replica};
use crate::id::{ConnectionId, Seq, SessionId, User};
use crate::wire::awareness::Entry;
use crate::wire::{Reply, Text};

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The log has been read, and its replica is being built: [`Input::Loaded`] or
    /// [`Input::LoadFailed`] follows. Said of large documents only.
    Found(Box<Found>),
    /// The log has been read, and the replica is there.
    Loaded(Box<Loaded>),
    /// The log could not be read.
    LoadFailed {
        /// For people.
        reason: String,
        /// Trying again cannot help.
        lasting: bool,
    },
    /// The document has been deleted.
    Deleted,
    /// A session wants to take part.
    Joined {
        /// Counted by the server; never used twice.
        session: SessionId,
        /// What the core has to know about it.
        about: About,
    },
    /// A session has left, or its connection is gone.
    Left {
        /// The session.
        session: SessionId,
    },
    /// A session says what it has.
    SyncStep1 {
        /// The session.
        session: SessionId,
        /// An encoded state vector as it came from the wire.
        state_vector: Bytes,
    },
    /// A session brings a change.
    Update {
        /// The session.
        session: SessionId,
        /// A Yjs v1 update as it came from the wire.
        bytes: Bytes,
        /// A step 2: everything that the session has and the server lacked.
        whole: bool,
        /// Whether the session's level lets it change the document.
        may_write: bool,
    },
    /// What a session may do, or who it is, has changed.
    Rights {
        /// The session.
        session: SessionId,
        /// Whether its level lets it change the document.
        may_write: bool,
        /// Who it is, as far as a login says so.
        user: Option<Arc<User>>,
    },
    /// A session wants to hear when everything that it sent before is on disk.
    Checkpoint {
        /// The session.
        session: SessionId,
        /// Said back.
        payload: Bytes,
    },
    /// A session says who is where.
    Awareness {
        /// The session.
        session: SessionId,
        /// As they came from the wire.
        entries: Vec<Entry>,
    },
    /// A session asks who is here.
    QueryAwareness {
        /// The session.
        session: SessionId,
    },
    /// A session's application talks to the others.
    Stateless {
        /// The session.
        session: SessionId,
        /// Any text.
        payload: Text,
    },
    /// The outbox of a session was full when something was published.
    Stalled {
        /// The session.
        session: SessionId,
    },
    /// The outbox of a stalled session is empty.
    Drained {
        /// The session.
        session: SessionId,
    },
    /// The append in flight is in the log.
    Committed {
        /// Place of its last record.
        last: Seq,
        /// Whether it is on disk, too; otherwise [`Input::Durable`] follows.
        durable: bool,
    },
    /// The append in flight failed; nothing of it is in the log, as far as the store knows.
    CommitFailed {
        /// For people.
        reason: String,
    },
    /// The oldest append that was committed and not durable is on disk.
    Durable,
    /// A snapshot was written and verified, or that failed (which costs time at the next load).
    SnapshotEnded {
        /// Whether it can be relied on.
        written: bool,
    },
    /// What a session with a copy of an earlier life brought was kept, or could not be.
    BranchKept {
        /// The session.
        session: SessionId,
        /// Names what is on disk.
        branch: Option<String>,
    },
    /// The answer to [`Effect::Carry`].
    Planned {
        /// As asked.
        from: Seq,
        /// As asked: they go to the log now.
        records: Vec<Record>,
        /// What has to be done; `None` if that cannot be found out.
        plan: Option<Box<Carry>>,
    },
    /// Everything that was accepted must get into the log; answer with [`Effect::Flushed`].
    Flush,
    /// Nobody has been here for a while: end, or say that somebody came.
    Retire,
    /// Time has passed.
    Tick,
}

/// What can be told before there is a replica.
#[derive(Debug)]
pub struct Found {
    /// Equal to the log.
    pub preview: Preview,
    /// As in [`Loaded`].
    pub retired: Retired,
}

/// A replica and where the log stands.
#[derive(Debug)]
pub struct Loaded {
    /// Equal to the log.
    pub replica: Replica,
    /// The last record of the log.
    pub last: Seq,
    /// Records since the snapshot that was used.
    pub rows: u64,
    /// Their bytes.
    pub bytes: usize,
    /// Bytes of that snapshot; 0 where there was none.
    pub snapshot_bytes: usize,
    /// Who is known by what to come from an earlier life of the document.
    pub retired: Retired,
    /// The first row that may have cost text and has not been looked at.
    pub examine_from: Option<Seq>,
}

/// What the core has to know about a session.
#[derive(Debug, Clone)]
pub struct About {
    /// The socket, for the log.
    pub connection: ConnectionId,
    /// Who it is, as far as a login says so: for the log, and for others to see.
    pub user: Option<Arc<User>>,
    /// Whether its level lets it change the document. Who may not write owns no client id.
    pub may_write: bool,
    /// When the dialect expects the server's own step 1.
    pub greeting: Greeting,
    /// Whether an update that cannot be taken ends the session (Hocuspocus) or only counts against
    /// its budget (y-websocket, whose clients would come back at once).
    pub strict: bool,
}

/// When the dialect expects the server's own step 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// Unasked, as soon as the session has joined.
    AtJoin,
    /// Before every step 2.
    AtSync,
    /// Never: a single request is answered and nothing else.
    Never,
}

/// What has to be done, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Read the log; answer with [`Input::Loaded`] or [`Input::LoadFailed`], and perhaps with
    /// [`Input::Found`] before that.
    Load,
    /// Write to the log, all or nothing; answer with [`Input::Committed`] or
    /// [`Input::CommitFailed`]. There is only ever one append in flight.
    Append {
        /// In order. Empty where only something beside the log changes.
        records: Vec<Record>,
        /// What to write beside them, in the same transaction.
        aside: Option<Aside>,
    },
    /// Look for text that loses its place; answer with [`Input::Planned`]. Counts as the append in
    /// flight.
    Carry {
        /// In the rows from here on: those of the log, and behind them `records`.
        from: Seq,
        /// Not in the log yet.
        records: Vec<Record>,
        /// What clients had that came back with edits.
        hints: Vec<Hint>,
    },
    /// Keep the full state, verify it; answer with [`Input::SnapshotEnded`].
    WriteSnapshot {
        /// The last record that is in it.
        seq: Seq,
        /// The full state as one update.
        bytes: Bytes,
        /// What it must restore to.
        fingerprint: Fingerprint,
    },
    /// Keep an update that could not be taken.
    Quarantine {
        /// The update and where it came from.
        record: Record,
        /// For people.
        reason: String,
    },
    /// Keep what a copy of an earlier life holds beside the document; answer with
    /// [`Input::BranchKept`].
    KeepBranch {
        /// The session that brought it.
        session: SessionId,
        /// All that it has and where it came from.
        record: Record,
        /// The branch that it takes the place of, where the same copy was kept before.
        replaces: Option<String>,
    },
    /// The session takes part from now on.
    Welcome {
        /// The session.
        session: SessionId,
    },
    /// The session cannot take part.
    Deny {
        /// The session.
        session: SessionId,
        /// Why.
        why: Ending,
    },
    /// Say something to one session.
    Send {
        /// The session.
        session: SessionId,
        /// What to say.
        reply: Reply,
    },
    /// Say something to everybody but some. Stalled sessions miss it and catch up later.
    Publish {
        /// What to say.
        reply: Reply,
        /// Who does not hear it.
        except: Vec<SessionId>,
    },
    /// Publish to this session again: a difference with everything it missed follows.
    Resume {
        /// The session.
        session: SessionId,
    },
    /// The session's part is over.
    End {
        /// The session.
        session: SessionId,
        /// Why.
        why: Ending,
    },
    /// What was found cannot be done. Nothing else is wrong; for the server's own log.
    CannotCarry {
        /// For people.
        reason: String,
    },
    /// Everything that was accepted before [`Input::Flush`] is in the log, or will not get there.
    Flushed,
    /// The answer to [`Input::Retire`]: nobody came, everything is in the log; stop.
    Retired,
    /// The answer to [`Input::Retire`]: somebody came.
    Kept,
    /// The document cannot be served; every session has been told; stop.
    Fail {
        /// Why.
        why: Ending,
    },
}

/// Why a session's part is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It sent what cannot be taken. For people.
    Refused(String),
    /// The document cannot be served. For people.
    Unavailable(String),
    /// The document has been deleted.
    Deleted,
    /// It has a copy of an earlier life of the document.
    Retired {
        /// Where what it brought is kept, if it is.
        branch: Option<String>,
    },
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) | Self::Unavailable(reason) => f.write_str(reason),
            Self::Deleted => f.write_str("document-deleted"),
            Self::Retired { branch } => {
                f.write_str("this copy belongs to an earlier document of this name; ")?;
                match branch {
                    Some(id) => write!(f, "its text was kept as branch {id}"),
                    None => f.write_str("nothing of it was saved"),
                }
            }
        }
    }
}

/// What an append changes beside the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aside {
    /// From now on the first row that may have cost text and has not been looked at.
    pub examine_from: Option<Seq>,
    /// Texts that are kept beside the document.
    pub rescued: Vec<Kept>,
    /// Where texts may begin that are kept no longer: Yjs client ids and clocks.
    pub unkept: Vec<(u64, u32)>,
}

/// An update on its way to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The socket that it came by.
    pub connection: ConnectionId,
    /// The login, where there was one.
    pub author: Option<Arc<str>>,
    /// A Yjs v1 update as it came.
    pub bytes: Bytes,
}
