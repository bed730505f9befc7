//! Looks a stored document over by replaying its log: what a checksum cannot tell.

use bytes::Bytes;

use crate::crdt::Replica;
use crate::crdt::pack::unpack;
use crate::id::{LogRow, Seq};
use crate::store::fsck::StoredDocument;

/// Replays the whole log, and compares each snapshot with what the log makes up to there. What is
/// wrong, in words; nothing if it is sound. Also says how many rows the log has.
pub fn audit(stored: &StoredDocument) -> (usize, Vec<String>) {
    let mut faults = Vec::new();
    let mut rows: Vec<LogRow> = Vec::new();
    for segment in &stored.log.segments {
        let (first, last) = (segment.first, segment.last);
        match unpack(&segment.bytes) {
            Ok(unpacked) if is_in_place(&unpacked, first, last) => rows.extend(unpacked),
            Ok(_) => faults.push(format!("the packed updates {first} to {last} are not those")),
            Err(e) => faults.push(format!("the packed updates {first} to {last}: {e}")),
        }
    }
    rows.extend(stored.log.rows.iter().cloned());
    if faults.is_empty() {
        replay(&rows, &stored.snapshots, &mut faults);
    }
    (rows.len(), faults)
}

fn is_in_place(rows: &[LogRow], first: Seq, last: Seq) -> bool {
    rows.windows(2).all(|pair| pair[0].seq < pair[1].seq)
        && rows.first().is_some_and(|row| row.seq >= first)
        && rows.last().is_some_and(|row| row.seq == last)
}

fn replay(rows: &[LogRow], snapshots: &[(Seq, Bytes)], faults: &mut Vec<String>) {
    let mut replica = Replica::new();
    let mut done = 0;
    let ends = snapshots.iter().map(|(seq, bytes)| (*seq, Some(bytes)));
    for (seq, snapshot) in ends.chain([(Seq(u64::MAX), None)]) {
        let end = rows.partition_point(|row| row.seq <= seq);
        let updates: Vec<Bytes> = rows[done..end].iter().map(|row| row.bytes.clone()).collect();
        if let Err(e) = replica.replay_all(&updates) {
            let (from, to) = (rows[done].seq, rows[end - 1].seq);
            return faults.push(format!("the log cannot be replayed from {from} to {to}: {e}"));
        }
        done = end;
        // A snapshot inside what thinning has put together has nothing to be compared with.
        let is_kept = end.checked_sub(1).is_some_and(|last| rows[last].seq == seq);
        if let Some(snapshot) = snapshot.filter(|_| is_kept)
            && !replica.fingerprint().matches(snapshot)
        {
            faults.push(format!("the snapshot at {seq} is not what the log makes up to there"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::Desk;
    use crate::id::ConnectionId;
    use crate::store::StoredLog;

    fn stored(snapshots: &[(u64, &[u64])]) -> StoredDocument {
        let mut desk = Desk::new(1, "body");
        let bytes: Vec<Bytes> =
            (0..4).map(|at| desk.replace(at..at, "a").expect("a place")).collect();
        let rows = (1..).zip(&bytes).map(|(seq, bytes)| LogRow {
            seq: Seq(seq),
            at_ms: 0,
            author: None,
            connection: ConnectionId(1),
            bytes: bytes.clone(),
        });
        let rows: Vec<LogRow> = rows.collect();
        let snapshots = snapshots.iter().map(|(seq, of)| {
            let of: Vec<Bytes> = of.iter().map(|seq| bytes[*seq as usize - 1].clone()).collect();
            let mut replica = Replica::restore(None, &of).expect("updates that fit");
            (Seq(*seq), replica.encode_full())
        });
        let log = StoredLog { segments: Vec::new(), last: Seq(4), rows };
        StoredDocument { snapshots: snapshots.collect(), log }
    }

    #[test]
    fn a_snapshot_must_hold_what_the_log_makes() {
        assert_eq!(audit(&stored(&[(2, &[1, 2]), (4, &[1, 2, 3, 4])])), (4, vec![]));
        let (_, faults) = audit(&stored(&[(2, &[1, 2]), (4, &[1, 2, 3])]));
        assert_eq!(faults, ["the snapshot at 4 is not what the log makes up to there"]);
    }

    #[test]
    fn a_log_must_fit_together() {
        let mut stored = stored(&[]);
        stored.log.rows.remove(1);
        let (_, faults) = audit(&stored);
        assert!(faults[0].starts_with("the log cannot be replayed from 1 to 4"), "{faults:?}");
    }
}
