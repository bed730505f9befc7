//! The CRDT copy of one document in memory.
//!
//! Holds three rules. Nothing is decoded that has not passed the lint. There are never holes: an
//! update that starts beyond what the replica has, or points to something it lacks, is not
//! applied, so nothing is ever pending. And a replica that met an error or a panic is not used
//! again: the caller drops it and restores one from the log.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{
    ClientID, Doc, ID, IdSet, OffsetKind, Options, ReadTxn, Transact, TransactionMut, Update,
};

use super::depth::DepthBound;
use super::lint::{LintError, LintLimits, Summary, lint};

/// Updates integrated per transaction while restoring: the fastest size that was measured.
const RESTORE_CHUNK: usize = 50;

/// Levels of nested elements in a document. Editors stay under 60; the CRDT library recurses over
/// them, and the stacks of the document threads carry a hundred times as many.
const DEPTH_MAX: u32 = 512;

/// The replica's own client id. The server makes no edits of its own.
const OWN_CLIENT: u64 = 0;

/// An update that has passed the lint.
#[derive(Debug, Clone)]
pub struct Linted {
    /// The update as it came.
    pub bytes: Bytes,
    /// What is in it.
    pub summary: Summary,
}

impl Linted {
    /// Looks through an update without decoding it.
    ///
    /// # Errors
    /// The update cannot be honest, or is over a limit.
    pub fn new(bytes: Bytes, limits: &LintLimits) -> Result<Self, LintError> {
        let summary = lint(&bytes, limits)?;
        Ok(Self { bytes, summary })
    }
}

/// What became of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It changed the replica.
    Applied,
    /// Everything in it was there before.
    Known,
    /// It starts beyond what the replica has, or points to something it lacks. Not applied.
    Hole,
    /// It passed the lint but nests too deep, or the CRDT library refuses to read it. Not applied.
    Refused(String),
}

/// A batch that has been integrated.
#[derive(Debug)]
pub struct Integrated {
    /// One for each update, in order.
    pub verdicts: Vec<Verdict>,
    /// Everything that the batch changed, as one update.
    pub merged: Bytes,
    /// For each client id that grew: the clock at which its new part starts.
    pub starts: Vec<(u64, u32)>,
}

/// The replica is not to be used any more.
#[derive(Debug)]
pub struct Broken {
    /// Which update of the batch did it; `None` where only the result shows that one did.
    pub index: Option<usize>,
    /// For the log.
    pub reason: String,
}

/// Why stored bytes do not make a replica.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The snapshot cannot be read; without it the replica can be restored from the whole log.
    #[error("the snapshot cannot be read: {0}")]
    Snapshot(String),
    /// An update of the log cannot be read or does not fit.
    #[error("update {index} after the snapshot cannot be integrated: {reason}")]
    Update {
        /// Counted from 0 in the tail that was given.
        index: usize,
        /// What the CRDT library said.
        reason: String,
    },
}

/// Per client id, the next clock that is expected.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateVector(yrs::StateVector);

impl StateVector {
    /// Whether bytes are a state vector as clients send them: its count fits its length, its client
    /// ids are below 2^53. Nothing is allocated.
    pub fn is_one(bytes: &[u8]) -> bool {
        Self::entries(bytes, |_, _| {}).is_some()
    }

    /// Bytes as clients read them.
    pub fn encode(&self) -> Bytes {
        self.0.encode_v1().into()
    }

    /// Calls `each` with client ids and clocks; clocks over 2^32 - 1 are taken as that. `None` where
    /// the bytes are no state vector.
    fn entries(bytes: &[u8], mut each: impl FnMut(u64, u32)) -> Option<()> {
        let mut rest = bytes;
        let count = var_uint(&mut rest)?;
        if count > (rest.len() / 2) as u64 {
            return None;
        }
        for _ in 0..count {
            let client = var_uint(&mut rest)?;
            let clock = var_uint(&mut rest)?;
            if client >= 1 << 53 {
                return None;
            }
            each(client, u32::try_from(clock).unwrap_or(u32::MAX));
        }
        Some(())
    }

    /// Lowers the clock of one client id to at most `clock`.
    pub fn lower(&mut self, client: u64, clock: u32) {
        self.0.set_min(ClientID::new(client), clock);
    }
}

/// What is there and what of it is deleted, to compare a snapshot with.
#[derive(Debug, Clone, PartialEq)]
pub struct Fingerprint(yrs::Snapshot);

impl Fingerprint {
    /// Whether a snapshot restores to exactly this.
    pub fn matches(&self, snapshot: &[u8]) -> bool {
        Replica::restore(Some(snapshot), &[]).is_ok_and(|restored| restored.fingerprint() == *self)
    }
}

/// One document's CRDT state.
pub struct Replica {
    doc: Doc,
    /// Per client id the next clock; the same as the document's state vector, but quick to ask.
    clocks: HashMap<u64, u32>,
    depth: DepthBound,
    /// The full state as one update, kept until the next change.
    full: Option<Bytes>,
    /// The answer to a state vector equal to ours (deletions travel in every difference).
    same: Option<Bytes>,
}

impl Replica {
    /// An empty document.
    pub fn new() -> Self {
        let options = Options {
            offset_kind: OffsetKind::Utf16,
            skip_gc: false,
            // With `true` the replica would delete formatting marks that every client keeps.
            cleanup_formatting: false,
            ..Options::with_client_id(ClientID::new(OWN_CLIENT))
        };
        Self {
            doc: Doc::with_options(options),
            clocks: HashMap::new(),
            depth: DepthBound::new(DEPTH_MAX),
            full: None,
            same: None,
        }
    }

    /// The document that a snapshot and the updates after it make.
    ///
    /// # Errors
    /// [`RestoreError`] says whether leaving the snapshot out could help.
    pub fn restore(snapshot: Option<&[u8]>, tail: &[Bytes]) -> Result<Self, RestoreError> {
        let mut replica = Self::new();
        if let Some(snapshot) = snapshot {
            replica
                .replay(std::iter::once(snapshot))
                .map_err(|(_, reason)| RestoreError::Snapshot(reason))?;
        }
        for (number, chunk) in tail.chunks(RESTORE_CHUNK).enumerate() {
            replica.replay(chunk.iter().map(Bytes::as_ref)).map_err(|(index, reason)| {
                RestoreError::Update { index: number * RESTORE_CHUNK + index, reason }
            })?;
        }
        replica.measure_depth(snapshot.into_iter().chain(tail.iter().map(Bytes::as_ref)));
        let vector = replica.doc.transact().state_vector();
        replica.clocks = vector.iter().map(|(client, clock)| (client.get(), *clock)).collect();
        Ok(replica)
    }

    /// The next clock expected of a client id.
    pub fn clock(&self, client: u64) -> u32 {
        self.clocks.get(&client).copied().unwrap_or(0)
    }

    /// Integrates updates in order, in one transaction.
    ///
    /// # Errors
    /// The replica is [`Broken`] and must be dropped.
    pub fn integrate(&mut self, updates: &[&Linted]) -> Result<Integrated, Broken> {
        self.full = None;
        self.same = None;
        let mut starts = Vec::new();
        let mut verdicts = Vec::with_capacity(updates.len());
        let doc = self.doc.clone();
        let mut txn = doc.transact_mut();
        for (index, update) in updates.iter().enumerate() {
            let caught = catch_unwind(AssertUnwindSafe(|| self.integrate_one(&mut txn, update)));
            let failed = match caught {
                Ok(Ok(verdict)) => {
                    if verdict == Verdict::Applied {
                        self.advance(&update.summary, &mut starts);
                    }
                    verdicts.push(verdict);
                    continue;
                }
                Ok(Err(reason)) => reason,
                Err(panic) => panic_text(&*panic),
            };
            // Dropping the transaction would commit a state that cannot be trusted: the few bytes
            // of this document are given up instead.
            std::mem::forget(txn);
            return Err(Broken { index: Some(index), reason: failed });
        }
        self.check(&txn, &starts)?;
        let merged = match (updates, verdicts.as_slice()) {
            ([one], [Verdict::Applied]) if one.bytes.len() <= RELAYED_AS_IS_BYTES_MAX => {
                one.bytes.clone()
            }
            _ => txn.encode_update_v1().into(),
        };
        match catch_unwind(AssertUnwindSafe(|| drop(txn))) {
            Ok(()) => Ok(Integrated { verdicts, merged, starts }),
            Err(panic) => Err(Broken { index: None, reason: panic_text(&*panic) }),
        }
    }

    /// Whether everything in an update is there already, deletions included.
    pub fn contains(&self, summary: &Summary) -> bool {
        if summary.inserts.iter().any(|insert| insert.end > self.clock(insert.client)) {
            return false;
        }
        if summary.deletes.is_empty() {
            return true;
        }
        let deleted = self.doc.transact().snapshot().delete_set;
        let mut wanted = IdSet::new();
        for delete in &summary.deletes {
            wanted.insert(
                ID::new(ClientID::new(delete.client), delete.start),
                delete.end - delete.start,
            );
        }
        wanted.diff_with(&deleted);
        wanted.is_empty()
    }

    /// What of a client's encoded state vector matters here. Clients may declare any number of
    /// client ids; only those that the replica knows cost memory.
    pub fn known_part(&self, encoded: &[u8]) -> StateVector {
        let mut vector = yrs::StateVector::default();
        StateVector::entries(encoded, |client, clock| {
            if self.clocks.contains_key(&client) {
                vector.set_max(ClientID::new(client), clock);
            }
        });
        StateVector(vector)
    }

    /// The client ids that have grown beyond a state vector, and where they stood in it.
    pub fn grown_since(&self, vector: &StateVector) -> Vec<(u64, u32)> {
        let before = |client: u64| vector.0.get(&ClientID::new(client));
        let clocks = self.clocks.iter().map(|(client, clock)| (*client, *clock));
        clocks
            .filter(|(client, clock)| before(*client) < *clock)
            .map(|(client, _)| (client, before(client)))
            .collect()
    }

    /// What the replica has.
    pub fn state_vector(&self) -> StateVector {
        StateVector(self.doc.transact().state_vector())
    }

    /// The full state as one update.
    pub fn encode_full(&mut self) -> Bytes {
        let Self { doc, full, .. } = self;
        full.get_or_insert_with(|| {
            doc.transact().encode_diff_v1(&yrs::StateVector::default()).into()
        })
        .clone()
    }

    /// What somebody with this state vector lacks, as one update.
    pub fn encode_diff(&mut self, vector: &StateVector) -> Bytes {
        if vector.0.is_empty() {
            return self.encode_full();
        }
        let txn = self.doc.transact();
        if vector.0 != txn.state_vector() {
            return txn.encode_diff_v1(&vector.0).into();
        }
        let same = self.same.get_or_insert_with(|| txn.encode_diff_v1(&vector.0).into());
        same.clone()
    }

    /// What a snapshot of the replica as it is now must hold.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.doc.transact().snapshot())
    }

    /// The text of a root type, for tests and tools.
    pub fn text(&self, root: &str) -> String {
        use yrs::GetString;
        let txn = self.doc.transact();
        txn.get_text(root).map(|text| text.get_string(&txn)).unwrap_or_default()
    }

    fn integrate_one(
        &mut self,
        txn: &mut TransactionMut<'_>,
        update: &Linted,
    ) -> Result<Verdict, String> {
        let summary = &update.summary;
        if self.leaves_hole(summary) {
            return Ok(Verdict::Hole);
        }
        let grows = summary.inserts.iter().any(|insert| insert.end > self.clock(insert.client));
        if !grows && summary.deletes.is_empty() {
            return Ok(Verdict::Known);
        }
        let Self { depth, clocks, .. } = self;
        let known = |client| clocks.get(&client).copied().unwrap_or(0);
        let state = || txn.encode_diff_v1(&yrs::StateVector::default());
        if let Err(e) = depth.admit(&update.bytes, summary, known, state) {
            return Ok(Verdict::Refused(e.to_string()));
        }
        let decoded = match Update::decode_v1(&update.bytes) {
            Ok(decoded) => decoded,
            Err(e) => return Ok(Verdict::Refused(e.to_string())),
        };
        let deleted_before = if grows { 0 } else { weight(txn.delete_set()) };
        txn.apply_update(decoded).map_err(|e| e.to_string())?;
        if txn.has_missing_updates() {
            return Err("the update left something pending".to_owned());
        }
        let applied = grows || weight(txn.delete_set()) > deleted_before;
        Ok(if applied { Verdict::Applied } else { Verdict::Known })
    }

    /// Whether integrating would leave something pending.
    fn leaves_hole(&self, summary: &Summary) -> bool {
        let end_of = |client: u64| {
            let inserts = summary.inserts.iter().filter(|insert| insert.client == client);
            inserts.map(|insert| insert.end).max().unwrap_or(0).max(self.clock(client))
        };
        summary.has_skip
            || summary.inserts.iter().any(|insert| insert.start > self.clock(insert.client))
            || summary.needs.iter().any(|need| need.end > end_of(need.client))
            || summary.deletes.iter().any(|delete| delete.end > end_of(delete.client))
    }

    fn advance(&mut self, summary: &Summary, starts: &mut Vec<(u64, u32)>) {
        for insert in &summary.inserts {
            let clock = self.clocks.entry(insert.client).or_insert(0);
            if insert.end > *clock {
                starts.push((insert.client, *clock));
                *clock = insert.end;
            }
        }
    }

    /// Compares our clocks with the library's, for the client ids that grew.
    fn check(&self, txn: &TransactionMut<'_>, starts: &[(u64, u32)]) -> Result<(), Broken> {
        if starts.is_empty() {
            return Ok(());
        }
        let vector = txn.state_vector();
        for (client, _) in starts {
            let (ours, theirs) = (self.clock(*client), vector.get(&ClientID::new(*client)));
            if ours != theirs {
                let reason = format!("client {client} should be at {ours} and is at {theirs}");
                return Err(Broken { index: None, reason });
            }
        }
        Ok(())
    }

    /// Learns how deep the stored parts nest. They were admitted when they came; nothing of them is
    /// refused now.
    fn measure_depth<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]>) {
        let limits = LintLimits {
            update_bytes_max: usize::MAX,
            subdocuments_max: usize::MAX,
            fill_clocks_max: u64::MAX,
            ..LintLimits::default()
        };
        let Self { doc, depth, .. } = self;
        let state = || doc.transact().encode_diff_v1(&yrs::StateVector::default());
        for part in parts {
            if let Ok(summary) = lint(part, &limits) {
                // Too deep already: the bound stays at what it could count.
                let _ = depth.admit(part, &summary, |_| 0, state);
            }
        }
    }

    /// Integrates stored updates in one transaction.
    fn replay<'a>(
        &mut self,
        updates: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), (usize, String)> {
        let doc = self.doc.clone();
        let mut index = 0;
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let mut txn = doc.transact_mut();
            for bytes in updates {
                let update = Update::decode_v1(bytes).map_err(|e| e.to_string())?;
                txn.apply_update(update).map_err(|e| e.to_string())?;
                if txn.has_missing_updates() {
                    return Err("something that it builds on is missing".to_owned());
                }
                index += 1;
            }
            Ok(())
        }));
        match caught {
            Ok(result) => result.map_err(|reason| (index, reason)),
            Err(panic) => Err((index, panic_text(&*panic))),
        }
    }
}

/// A single update up to this size is published as it came; a larger one may repeat much that
/// everybody has (a step 2 carries all deletions), so what it changed is encoded anew.
const RELAYED_AS_IS_BYTES_MAX: usize = 256;

impl Default for Replica {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the content.
        f.debug_struct("Replica").field("clients", &self.clocks.len()).finish_non_exhaustive()
    }
}

/// Clocks in a set.
fn weight(set: &IdSet) -> u64 {
    set.iter().flat_map(|(_, ranges)| ranges.iter()).map(|r| u64::from(r.end - r.start)).sum()
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a text"))
}

fn var_uint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
