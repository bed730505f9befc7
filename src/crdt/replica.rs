//! The CRDT copy of one document in memory.
//!
//! Holds four rules. Nothing is decoded that has not passed the lint. Nothing is applied that could
//! make the CRDT library touch freed memory: not of a stranger's update, and not of a stored one.
//! There are never holes: an update that starts beyond what the replica has, or points to something
//! it lacks, is not applied, so nothing is ever pending. And a replica that met an error or a panic
//! is not used again: the caller drops it and restores one from the log.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{
    ClientID, Doc, ID, IdSet, OffsetKind, Options, ReadTxn, Transact, TransactionMut, Update,
    WriteTxn, diff_updates_v1, merge_updates_v1,
};

use super::depth::DepthBound;
use super::lint::{LintError, LintLimits, Span, Summary, lint};
use super::roles::Roles;
use super::state_vector::StateVector;
use super::whole::Whole;

mod gone;
mod scratch;

use gone::Gone;

/// Updates integrated per transaction while restoring: the fastest size that was measured.
const RESTORE_CHUNK: usize = 50;

/// Levels of nested elements in a document. Editors stay under 60; the CRDT library recurses over
/// them, and the stacks of the document threads carry a hundred times as many.
pub(super) const DEPTH_MAX: u32 = 512;

/// The client id of replicas that are only read.
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
    /// It passed the lint but nests too deep, contradicts what is there, or the CRDT library refuses
    /// to read it. Not applied.
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
    /// Somebody's text may have lost its place or be there twice.
    pub costs_text: bool,
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
    roles: Roles,
    has_subdocuments: bool,
    /// The full state as it was encoded last and what has come since, while newcomers ask for it.
    whole: Option<Whole>,
    /// The answer to a state vector equal to ours (deletions travel in every difference), until
    /// something is deleted.
    same: Option<Bytes>,
    gone: Gone,
}

impl Replica {
    /// An empty document.
    pub fn new() -> Self {
        Self::of(options(OWN_CLIENT))
    }

    fn of(options: Options) -> Self {
        Self {
            doc: Doc::with_options(options),
            clocks: HashMap::new(),
            depth: DepthBound::new(DEPTH_MAX),
            roles: Roles::default(),
            has_subdocuments: false,
            whole: None,
            same: None,
            gone: Gone::default(),
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
        replica.replay_all(tail)?;
        Ok(replica)
    }

    /// Integrates stored updates that follow what is there.
    ///
    /// # Errors
    /// [`RestoreError::Update`]; the replica is not to be used any more.
    pub fn replay_all(&mut self, updates: &[Bytes]) -> Result<(), RestoreError> {
        (self.whole, self.same) = (None, None);
        for (number, chunk) in updates.chunks(RESTORE_CHUNK).enumerate() {
            self.replay(chunk.iter().map(Bytes::as_ref)).map_err(|(index, reason)| {
                RestoreError::Update { index: number * RESTORE_CHUNK + index, reason }
            })?;
        }
        Ok(())
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
        let mut starts = Vec::new();
        let mut verdicts = Vec::with_capacity(updates.len());
        let doc = self.doc.clone();
        let mut txn = doc.transact_mut();
        for (index, update) in updates.iter().enumerate() {
            match self.guarded(&mut txn, |replica, txn| replica.integrate_one(txn, update)) {
                Ok(verdict) => {
                    if verdict == Verdict::Applied {
                        self.advance(&update.summary, &mut starts);
                    }
                    verdicts.push(verdict);
                }
                Err(failure) => {
                    let reason = failure.give_up(txn);
                    return Err(Broken { index: Some(index), reason });
                }
            }
        }
        let checked = self.check(&txn, &starts);
        let applied = updates.iter().zip(&verdicts).filter(|pair| *pair.1 == Verdict::Applied);
        let costs_text = self.gone.costs_text(&txn, applied.map(|pair| &pair.0.summary));
        if !txn.delete_set().is_empty() {
            self.same = None;
        }
        let merged: Bytes = match (updates, verdicts.as_slice()) {
            ([one], [Verdict::Applied]) if one.bytes.len() <= RELAYED_AS_IS_BYTES_MAX => {
                one.bytes.clone()
            }
            _ => txn.encode_update_v1().into(),
        };
        if !starts.is_empty() || !txn.delete_set().is_empty() {
            self.whole.take_if(|whole| !whole.add(merged.clone()));
        }
        let integrated =
            commit(txn).and(checked).map(|()| Integrated { verdicts, merged, starts, costs_text });
        integrated.map_err(|reason| Broken { index: None, reason })
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
        let mut wanted = id_set(&summary.deletes);
        wanted.diff_with(&deleted);
        wanted.is_empty()
    }

    /// What of a client's encoded state vector matters here. Clients may declare any number of
    /// client ids; only those that the replica knows cost memory.
    pub fn known_part(&self, encoded: &[u8]) -> StateVector {
        let mut vector = yrs::StateVector::default();
        // Bytes that end early have said all they say.
        let _ = StateVector::each(encoded, |client, clock| {
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

    /// The full state as one update, shared by all who ask for it until the next change. What has
    /// come since it was encoded may be put behind it; see [`Replica::encode_anew`].
    pub fn encode_full(&mut self) -> Bytes {
        let known = self.whole.as_mut().and_then(Whole::encode);
        known.unwrap_or_else(|| self.encode_anew())
    }

    /// The full state as one update, as short as it can be.
    pub fn encode_anew(&mut self) -> Bytes {
        let state: Bytes = self.doc.transact().encode_diff_v1(&yrs::StateVector::default()).into();
        self.whole = Some(Whole::new(state.clone()));
        state
    }

    /// Remembers the full state for newcomers; it must be that of this replica.
    pub fn keep_full(&mut self, whole: Whole) {
        self.whole = Some(whole);
    }

    /// Whether the encoded full state takes up memory.
    pub fn holds_full(&self) -> bool {
        self.whole.is_some()
    }

    /// Frees the memory of the encoded full state.
    pub fn forget_full(&mut self) {
        self.whole = None;
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

    /// What has come since it was as `before`, as one update: unlike a difference between two
    /// replicas, with no deletion that was there already.
    pub fn encode_since(&self, before: &Fingerprint) -> Bytes {
        let txn = self.doc.transact();
        let mut deletes = txn.snapshot().delete_set;
        deletes.diff_with(&before.0.delete_set);
        let whole = txn.encode_diff_v1(&before.0.state_map);
        // The deletions come last.
        let all = txn.snapshot().delete_set.encode_v1().len();
        let mut update = whole[..whole.len() - all].to_vec();
        update.extend(deletes.encode_v1());
        update.into()
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
    ) -> Result<Verdict, Failure> {
        let Linted { bytes, summary } = update;
        if !summary.fits(|client| self.clock(client)) {
            return Ok(Verdict::Hole);
        }
        if !self.grows(summary) && summary.deletes.is_empty() {
            return Ok(Verdict::Known);
        }
        if let Err(reason) = self.admit_depth(txn, bytes, summary) {
            return Ok(Verdict::Refused(reason));
        }
        self.apply(txn, bytes, summary)
    }

    fn grows(&self, summary: &Summary) -> bool {
        summary.inserts.iter().any(|insert| insert.end > self.clock(insert.client))
    }

    fn admit_depth(
        &mut self,
        txn: &TransactionMut<'_>,
        update: &[u8],
        summary: &Summary,
    ) -> Result<(), String> {
        let Self { depth, clocks, .. } = self;
        let known = |client| clocks.get(&client).copied().unwrap_or(0);
        let state = || txn.encode_diff_v1(&yrs::StateVector::default());
        depth.admit(update, summary, known, state).map_err(|e| e.to_string())
    }

    /// Applies an update that fits.
    fn apply(
        &mut self,
        txn: &mut TransactionMut<'_>,
        update: &[u8],
        summary: &Summary,
    ) -> Result<Verdict, Failure> {
        let roles = match self.roles.examine(update, summary, |client| self.clock(client)) {
            Ok(roles) => roles,
            Err(e) => return Ok(Verdict::Refused(e.to_string())),
        };
        let decoded = match self.decode(update, summary) {
            Ok(decoded) => decoded,
            Err(e) => return Ok(Verdict::Refused(e.to_string())),
        };
        self.has_subdocuments |= summary.subdocuments > 0;
        let grows = self.grows(summary);
        let deleted_before = if grows { 0 } else { weight(txn.delete_set()) };
        if let Err(e) = txn.apply_update(decoded) {
            let can_commit = !roles.has_long_values;
            return Err(Failure { reason: e.to_string(), can_commit });
        }
        if txn.has_missing_updates() {
            let reason = "the update left something pending".to_owned();
            return Err(Failure { reason, can_commit: !roles.has_long_values });
        }
        self.roles.add(&roles);
        let applied = grows || weight(txn.delete_set()) > deleted_before;
        Ok(if applied { Verdict::Applied } else { Verdict::Known })
    }

    /// Decodes what an update has for us. Items that we have in part are cut before the library sees
    /// them: it would cut them too, but believe what the bytes say about where their beginning lies,
    /// and an item that lies in one type and names another as its parent outlives that parent.
    fn decode(
        &self,
        update: &[u8],
        summary: &Summary,
    ) -> Result<Update, yrs::encoding::read::Error> {
        let mut vector = yrs::StateVector::default();
        let mut is_cut = false;
        for insert in &summary.inserts {
            let clock = self.clock(insert.client);
            vector.set_max(ClientID::new(insert.client), clock);
            is_cut |= insert.start < clock && clock < insert.end;
        }
        if is_cut {
            Update::decode_v1(&diff_updates_v1(update, &vector.encode_v1())?)
        } else {
            Update::decode_v1(update)
        }
    }

    /// Runs a step that may panic inside the library.
    fn guarded<'doc, T>(
        &mut self,
        txn: &mut TransactionMut<'doc>,
        step: impl FnOnce(&mut Self, &mut TransactionMut<'doc>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        catch_unwind(AssertUnwindSafe(|| step(self, txn)))
            .unwrap_or_else(|panic| Err(Failure { reason: panic_text(&*panic), can_commit: false }))
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
    fn check(&self, txn: &TransactionMut<'_>, starts: &[(u64, u32)]) -> Result<(), String> {
        if starts.is_empty() {
            return Ok(());
        }
        let vector = txn.state_vector();
        for (client, _) in starts {
            let (ours, theirs) = (self.clock(*client), vector.get(&ClientID::new(*client)));
            if ours != theirs {
                return Err(format!("client {client} should be at {ours} and is at {theirs}"));
            }
        }
        Ok(())
    }

    /// Integrates stored updates in one transaction.
    fn replay<'a>(
        &mut self,
        updates: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), (usize, String)> {
        let doc = self.doc.clone();
        let mut txn = doc.transact_mut();
        let mut starts = Vec::new();
        let mut count = 0;
        for update in updates {
            match self.guarded(&mut txn, |replica, txn| replica.replay_one(txn, update)) {
                Ok(summary) => self.advance(&summary, &mut starts),
                Err(failure) => return Err((count, failure.give_up(txn))),
            }
            count += 1;
        }
        let checked = self.check(&txn, &starts);
        commit(txn).and(checked).map_err(|reason| (count.saturating_sub(1), reason))
    }

    fn replay_one(
        &mut self,
        txn: &mut TransactionMut<'_>,
        update: &[u8],
    ) -> Result<Summary, Failure> {
        let failed = |reason: String| Failure { reason, can_commit: true };
        let summary = lint(update, &LintLimits::NONE).map_err(|e| failed(e.to_string()))?;
        if !summary.fits(|client| self.clock(client)) {
            return Err(failed("something that it builds on is missing".to_owned()));
        }
        // Its depth was admitted when it came; too deep by now, the bound stays at what it counted.
        let _ = self.admit_depth(txn, update, &summary);
        match self.apply(txn, update, &summary)? {
            Verdict::Refused(reason) => Err(failed(reason)),
            Verdict::Applied | Verdict::Known | Verdict::Hole => Ok(summary),
        }
    }
}

fn options(client: u64) -> Options {
    Options {
        offset_kind: OffsetKind::Utf16,
        skip_gc: false,
        // With `true` the replica would delete formatting marks that every client keeps.
        cleanup_formatting: false,
        ..Options::with_client_id(ClientID::new(client))
    }
}

impl Drop for Replica {
    /// A subdocument holds on to the document that it is in, which would never be freed. It lets go
    /// when it is deleted.
    fn drop(&mut self) {
        if !self.has_subdocuments {
            return;
        }
        let doc = self.doc.clone();
        // A replica that was given up is locked for good.
        let Ok(mut txn) = doc.try_transact_mut() else {
            return;
        };
        let mut everything = IdSet::new();
        for (client, clock) in &self.clocks {
            everything.insert(ID::new(ClientID::new(*client), 0), *clock);
        }
        let update = [&[0][..], &everything.encode_v1()].concat();
        let deleted = self.guarded(&mut txn, |_, txn| {
            let failed = |reason: String| Failure { reason, can_commit: false };
            let update = Update::decode_v1(&update).map_err(|e| failed(e.to_string()))?;
            txn.apply_update(update).map_err(|e| failed(e.to_string()))
        });
        match deleted {
            Ok(()) => drop(commit(txn)),
            Err(failure) => drop(failure.give_up(txn)),
        }
    }
}

/// Why an update could not be integrated.
struct Failure {
    reason: String,
    /// What has been integrated so far holds together.
    can_commit: bool,
}

impl Failure {
    /// Ends the transaction of a replica that is not used any more; gives the reason.
    fn give_up(self, txn: TransactionMut<'_>) -> String {
        if self.can_commit {
            let _ = commit(txn);
        } else {
            // Dropping the transaction would commit a state that cannot be trusted: the memory of this
            // document is given up instead.
            std::mem::forget(txn);
        }
        self.reason
    }
}

/// Ends a transaction.
fn commit(mut txn: TransactionMut<'_>) -> Result<(), String> {
    // The library would now touch the items of subdocuments that it has just collected together with
    // the elements around them. Nobody here asks for its list of subdocuments.
    drop(std::mem::take(txn.subdocs_mut()));
    catch_unwind(AssertUnwindSafe(|| drop(txn))).map_err(|panic| panic_text(&*panic))
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

/// Clocks as the library counts them.
pub(super) fn id_set<'a>(spans: impl IntoIterator<Item = &'a Span>) -> IdSet {
    let mut set = IdSet::new();
    for span in spans {
        set.insert(ID::new(ClientID::new(span.client), span.start), span.end - span.start);
    }
    set
}

/// Several updates as one.
///
/// # Errors
/// In the CRDT library's words, where one cannot be read.
pub fn merged<'a>(updates: impl IntoIterator<Item = &'a Bytes>) -> Result<Bytes, String> {
    merge_updates_v1(updates).map(Bytes::from).map_err(|e| e.to_string())
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

#[cfg(test)]
mod tests;
