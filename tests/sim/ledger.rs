//! The log as the store promises it, and what may be said and shown because of it.
//!
//! Keeps three replicas: of what is on disk (may be acknowledged), of what is committed (may be
//! shown), and of the log plus the append in flight (what the server's own replica must be).

use std::collections::BTreeSet;

use bytes::Bytes;
use coscribe::crdt::{
    LintLimits, Linted, Preview, Replica, RestoreError, StateVector, Summary, Verdict,
};
use coscribe::document::input::{Aside, Found, Loaded, Record};
use coscribe::document::lineage::Retired;
use coscribe::id::{ConnectionId, LogRow, Seq};

/// One document's log.
pub struct Ledger {
    rows: Vec<Bytes>,
    /// Who brought them.
    connections: Vec<ConnectionId>,
    /// What was written beside the log, and how many rows it had then.
    asides: Vec<(usize, Aside)>,
    /// Rows that survive a power cut.
    durable_rows: usize,
    snapshots: Vec<(usize, Bytes)>,
    /// The append in flight.
    append: Option<(Vec<Bytes>, Vec<ConnectionId>, Option<Aside>)>,
    durable: Replica,
    committed: Replica,
    ahead: Replica,
    /// Client ids of the document's earlier lives.
    retired: BTreeSet<u64>,
}

impl Ledger {
    /// An empty log.
    pub fn new() -> Self {
        let empty = Replica::new;
        let (durable, committed, ahead) = (empty(), empty(), empty());
        Self {
            rows: vec![],
            connections: vec![],
            asides: vec![],
            durable_rows: 0,
            snapshots: vec![],
            append: None,
            durable,
            committed,
            ahead,
            retired: BTreeSet::new(),
        }
    }

    /// The document is gone; what it has used is remembered.
    pub fn purge(&mut self) {
        assert!(self.append.is_none(), "a document is purged while it is written");
        let mut retired = std::mem::take(&mut self.retired);
        let inserts = self.rows.iter().flat_map(|row| linted(row).summary.inserts);
        retired.extend(inserts.map(|insert| insert.client));
        *self = Self { retired, ..Self::new() };
    }

    /// Whether an update has anything to do with an earlier life.
    pub fn is_retired(&self, summary: &Summary) -> bool {
        let spans = summary.inserts.iter().chain(&summary.deletes).map(|span| span.client);
        let needs = summary.needs.iter().map(|need| need.client);
        spans.chain(needs).any(|client| self.retired.contains(&client))
    }

    /// Client ids of the document's earlier lives.
    pub fn retired(&self) -> &BTreeSet<u64> {
        &self.retired
    }

    /// Everything in the log, in order.
    pub fn rows(&self) -> &[Bytes] {
        &self.rows
    }

    /// The place of the last row.
    pub fn last(&self) -> Seq {
        Seq(self.rows.len() as u64)
    }

    /// The rows of the append in flight.
    pub fn append(&self) -> Option<&[Bytes]> {
        self.append.as_ref().map(|(records, ..)| records.as_slice())
    }

    /// What survives a power cut.
    pub fn durable(&self) -> &Replica {
        &self.durable
    }

    /// What survives the death of the process.
    pub fn committed(&self) -> &Replica {
        &self.committed
    }

    /// What the server's replica must be.
    pub fn ahead(&self) -> &Replica {
        &self.ahead
    }

    /// Rows that a power cut would take.
    pub fn is_all_durable(&self) -> bool {
        self.durable_rows == self.rows.len()
    }

    /// Whether an update would change a document that is restored from the log.
    pub fn would_take(&self, update: &Bytes) -> bool {
        let Ok(linted) = Linted::new(update.clone(), &LintLimits::default()) else { return false };
        let integrated = restore(&self.rows).integrate(&[&linted]);
        integrated.is_ok_and(|integrated| integrated.verdicts == [Verdict::Applied])
    }

    /// The server hands over records.
    pub fn begin(&mut self, records: Vec<Record>, aside: Option<Aside>) {
        assert!(self.append.is_none(), "a second append while one is in flight");
        assert!(!records.is_empty() || aside.is_some(), "an append of nothing");
        let connections = records.iter().map(|record| record.connection).collect();
        let records: Vec<Bytes> = records.into_iter().map(|record| record.bytes).collect();
        for record in &records {
            let summary = linted(record).summary;
            assert!(!self.is_retired(&summary), "two lives are glued together");
        }
        integrate(&mut self.ahead, &records);
        self.append = Some((records, connections, aside));
    }

    /// The server's replica is ahead of the log by these, which are not handed over yet.
    pub fn look_ahead(&mut self, records: &[Record]) {
        let records: Vec<Bytes> = records.iter().map(|record| record.bytes.clone()).collect();
        integrate(&mut self.ahead, &records);
    }

    /// They are handed over now, or nothing became of them.
    pub fn look_back(&mut self) {
        self.ahead = restore(&self.rows);
    }

    /// Records as the rows that they will be.
    pub fn rows_of(&self, records: &[Record]) -> Vec<LogRow> {
        let row = |(index, record): (usize, &Record)| LogRow {
            seq: Seq((self.rows.len() + index) as u64 + 1),
            at_ms: 0,
            author: None,
            connection: record.connection,
            bytes: record.bytes.clone(),
        };
        records.iter().enumerate().map(row).collect()
    }

    /// The append in flight is written; returns the place of its last record.
    pub fn commit(&mut self) -> Seq {
        let (records, connections, aside) = self.append.take().expect("an append in flight");
        integrate(&mut self.committed, &records);
        self.rows.extend(records);
        self.connections.extend(connections);
        self.asides.extend(aside.map(|aside| (self.rows.len(), aside)));
        self.last()
    }

    /// The append in flight is not written.
    pub fn abort(&mut self) {
        self.append = None;
        self.ahead = restore(&self.rows);
    }

    /// Everything up to `last` is on disk.
    pub fn sync(&mut self, last: Seq) {
        let last = usize::try_from(last.0).expect("a small number");
        if last > self.durable_rows {
            integrate(&mut self.durable, &self.rows[self.durable_rows..last]);
            self.durable_rows = last;
        }
    }

    /// The machine loses its power: rows after `kept` are gone, where they were not on disk.
    pub fn cut_power(&mut self, kept: usize) {
        self.rows.truncate(kept.max(self.durable_rows));
        self.connections.truncate(self.rows.len());
        self.asides.retain(|(rows, _)| *rows <= self.rows.len());
        self.snapshots.retain(|(seq, _)| *seq <= self.rows.len());
        self.committed = restore(&self.rows);
        self.ahead = restore(&self.rows);
    }

    /// A snapshot is written.
    pub fn keep_snapshot(&mut self, seq: usize, bytes: Bytes) {
        self.snapshots.push((seq, bytes));
    }

    /// What can be told of the log before there is a replica, leaving out the newest `without`
    /// snapshots.
    pub fn find(&self, without: usize) -> Option<Found> {
        let (snapshot, tail) = self.newest(without);
        let snapshot = snapshot.cloned().unwrap_or_else(|| Bytes::from_static(&[0, 0]));
        let (preview, _) = Preview::new(snapshot, tail)?;
        Some(Found { preview, retired: self.earlier_lives() })
    }

    /// A snapshot, if there is one, and the rows after it.
    fn newest(&self, without: usize) -> (Option<&Bytes>, &[Bytes]) {
        let kept = self.snapshots.len().saturating_sub(without);
        match self.snapshots[..kept].last() {
            Some((seq, bytes)) => (Some(bytes), &self.rows[*seq..]),
            None => (None, &self.rows),
        }
    }

    /// The first row that may have cost text and has not been looked at.
    pub fn examine_from(&self) -> Option<Seq> {
        self.asides.last().and_then(|(_, aside)| aside.examine_from)
    }

    /// The texts that are kept beside the document.
    pub fn kept(&self) -> Vec<&str> {
        let kept = self.asides.iter().flat_map(|(_, aside)| &aside.rescued);
        kept.map(|kept| kept.text.as_str()).collect()
    }

    /// The log with who brought what.
    pub fn log(&self) -> Vec<LogRow> {
        let rows = self.rows.iter().zip(&self.connections).enumerate();
        let row = |(index, (bytes, connection)): (usize, (&Bytes, &ConnectionId))| LogRow {
            seq: Seq(index as u64 + 1),
            at_ms: index as i64,
            author: None,
            connection: *connection,
            bytes: bytes.clone(),
        };
        rows.map(row).collect()
    }

    fn earlier_lives(&self) -> Retired {
        let mut clocks = StateVector::default();
        self.retired.iter().for_each(|client| clocks.raise(*client, 1));
        Retired::new([clocks.encode()])
    }

    /// Reads the log, leaving out the newest `without` snapshots.
    pub fn load(&self, without: usize) -> Result<Loaded, RestoreError> {
        let (snapshot, tail) = self.newest(without);
        Ok(Loaded {
            examine_from: self.examine_from(),
            retired: self.earlier_lives(),
            replica: Replica::restore(snapshot.map(Bytes::as_ref), tail)?,
            last: Seq(self.rows.len() as u64),
            rows: tail.len() as u64,
            bytes: tail.iter().map(Bytes::len).sum(),
            snapshot_bytes: snapshot.map_or(0, Bytes::len),
        })
    }
}

/// Looks through an update without any limit on its size.
pub fn linted(bytes: &Bytes) -> Linted {
    let limits = LintLimits { update_bytes_max: usize::MAX, ..LintLimits::default() };
    Linted::new(bytes.clone(), &limits).expect("an update that passes the lint")
}

/// No row of the log may leave a hole, and none may bring nothing.
fn integrate(replica: &mut Replica, rows: &[Bytes]) {
    let updates: Vec<Linted> = rows.iter().map(linted).collect();
    let updates: Vec<&Linted> = updates.iter().collect();
    let integrated = replica.integrate(&updates).expect("rows that can be integrated");
    for verdict in integrated.verdicts {
        assert_eq!(verdict, Verdict::Applied, "a row of the log does not fit behind the others");
    }
}

fn restore(rows: &[Bytes]) -> Replica {
    Replica::restore(None, rows).expect("a log that can be replayed")
}
