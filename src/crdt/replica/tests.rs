//! Updates that made the CRDT library read freed memory, and the honest ones next to them.

use std::sync::Arc;

use super::*;

fn linted(bytes: &[u8]) -> Linted {
    Linted::new(bytes.to_vec().into(), &LintLimits::default()).unwrap()
}

fn integrate(replica: &mut Replica, update: &[u8]) -> Verdict {
    replica.integrate(&[&linted(update)]).unwrap().verdicts.remove(0)
}

fn is_refused(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Refused(_))
}

/// With garbage collection the library frees a deleted type, and took for granted that nothing below it was
/// alive. Any writer could make something that was, in a few bytes: the state was then encoded from freed
/// memory and sent to everybody. Each of these is an array with such a thing below it; the deletes split the
/// thing, delete the array, and touch what had been forgotten.
#[test]
fn nothing_outlives_the_type_that_it_lies_in() {
    let explicit = [
        &[1, 2, 4, 0, 7, 1, 1, b't', 0, 0x28, 0, 4, 0, 1, b'k', 3, 126, 126, 126, 0][..],
        &[0, 1, 4, 1, 3, 1],
        &[0, 1, 4, 1, 0, 1],
    ];
    let inherited = [
        &[
            1, 3, 4, 0, 7, 1, 1, b't', 0, 0x28, 0, 4, 0, 1, b'k', 1, 126, 0x88, 4, 1, 3, 126, 126,
            126, 0,
        ][..],
        &[0, 1, 4, 1, 4, 1],
        &[0, 1, 4, 1, 0, 1],
        &[0, 1, 4, 1, 2, 1],
    ];
    // A text in the list, an entry, then an item that is after the one and before the other.
    let mixed = [
        &[
            1, 4, 4, 0, 7, 1, 1, b't', 0, 0x28, 0, 4, 0, 1, b'k', 1, 126, 4, 0, 4, 0, 1, b'a',
            0xc4, 4, 2, 4, 1, 1, b'b', 0,
        ][..],
        &[0, 1, 4, 1, 0, 1],
        &[0, 1, 4, 1, 1, 1],
    ];
    for frames in [&explicit[..], &inherited, &mixed] {
        let mut replica = Replica::new();
        assert!(is_refused(&integrate(&mut replica, frames[0])), "{frames:?}");
        for delete in &frames[1..] {
            assert_eq!(integrate(&mut replica, delete), Verdict::Hole);
        }
        assert_eq!(replica.encode_full(), Update::EMPTY_V1);
        // The log has no such update, but were it there, it would not be applied either.
        let log = [Bytes::copy_from_slice(frames[0])];
        assert!(matches!(Replica::restore(None, &log), Err(RestoreError::Update { index: 0, .. })));
        assert!(matches!(Replica::restore(Some(frames[0]), &[]), Err(RestoreError::Snapshot(_))));
    }
}

/// An array with an entry; then the entry gets three values at once, and something else below the array.
#[test]
fn what_is_there_is_remembered_live_and_restored() {
    let start = [1, 2, 4, 0, 7, 1, 1, b't', 0, 0x28, 0, 4, 0, 1, b'k', 1, 126, 0];
    let several = [1, 1, 5, 0, 0x88, 4, 1, 3, 126, 126, 126, 0];
    let child = [1, 1, 5, 0, 4, 0, 4, 0, 2, b'a', b'b', 0];
    let mut live = Replica::new();
    integrate(&mut live, &start);
    let snapshot = live.encode_full();
    let from_snapshot = Replica::restore(Some(&snapshot), &[]).unwrap();
    let from_log = Replica::restore(None, &[Bytes::copy_from_slice(&start)]).unwrap();
    for mut replica in [live, from_snapshot, from_log] {
        assert!(is_refused(&integrate(&mut replica, &several)));
        assert_eq!(integrate(&mut replica, &child), Verdict::Applied);
    }
}

#[test]
fn a_refused_update_costs_nobody_else_anything() {
    let mut replica = Replica::new();
    let good = linted(&[1, 1, 7, 0, 4, 1, 1, b't', 1, b'a', 0]);
    let bad = linted(&[1, 1, 4, 0, 0x28, 1, 1, b'm', 1, b'k', 2, 126, 126, 0]);
    let next = linted(&[1, 1, 7, 1, 0x84, 7, 0, 1, b'b', 0]);
    let done = replica.integrate(&[&good, &bad, &next]).unwrap();
    assert_eq!(done.verdicts[0], Verdict::Applied);
    assert!(is_refused(&done.verdicts[1]));
    assert_eq!(done.verdicts[2], Verdict::Applied);
    assert_eq!(done.starts, [(7, 0), (7, 1)]);
    assert_eq!(replica.text("t"), "ab");
    assert_eq!(replica.clock(4), 0);
}

/// The library cut items that it had in part, but believed where the rest said that their beginning lay: the
/// rest was then in one type and had another for its parent, and outlived it.
#[test]
fn the_rest_of_a_known_item_goes_on_where_the_item_lies() {
    use yrs::Text;
    let mut replica = Replica::new();
    integrate(&mut replica, &[1, 1, 7, 0, 4, 1, 1, b't', 1, b'a', 0]);
    integrate(&mut replica, &[1, 1, 4, 0, 7, 1, 1, b'x', 0, 0]);
    // Clocks 0..3 of client 7 as a text below the array of client 4.
    let rest = [1, 1, 7, 0, 4, 0, 4, 0, 3, b'a', b'b', b'c', 0];
    assert_eq!(integrate(&mut replica, &rest), Verdict::Applied);
    assert_eq!(integrate(&mut replica, &[0, 1, 4, 1, 0, 1]), Verdict::Applied);
    assert_eq!(replica.text("t"), "abc");
    let txn = replica.doc.transact();
    assert_eq!(txn.get_text("t").unwrap().len(&txn), 3);
}

/// As Yjs 13.6 wrote them: four values of one entry, from a client without garbage collection, from one with
/// undo, after its undo, and two updates merged without a document (which drops the bit that tells of a key).
#[test]
fn old_values_of_entries_that_clients_keep_are_honest() {
    let set = [1, 2, 4, 0, 40, 1, 1, 109, 1, 107, 3, 125, 0, 125, 1, 125, 2, 168, 4, 2, 1, 125, 3];
    let kept = [&set[..], &[1, 4, 1, 0, 3]].concat();
    let undone = [
        1, 4, 4, 0, 40, 1, 1, 109, 1, 107, 2, 125, 0, 125, 1, 168, 4, 1, 1, 125, 2, 168, 4, 2, 1,
        125, 3, 168, 4, 3, 1, 125, 2, 1, 4, 1, 0, 4,
    ];
    let merged =
        [1, 2, 4, 0, 40, 1, 1, 109, 1, 107, 1, 125, 1, 136, 4, 0, 1, 125, 2, 1, 4, 1, 0, 1];
    for (update, clock) in [(&kept[..], 4), (&undone, 5), (&merged, 2)] {
        let mut replica = Replica::new();
        assert_eq!(integrate(&mut replica, update), Verdict::Applied);
        assert_eq!(replica.clock(4), clock);
        // One more value, by somebody else.
        let last = (clock - 1) as u8;
        let next = [1, 1, 5, 0, 0xa8, 4, last, 1, 126, 0];
        assert_eq!(integrate(&mut replica, &next), Verdict::Applied);
        assert!(replica.fingerprint().matches(&replica.encode_full()));
    }
    // In part: the first value, then everything.
    let mut replica = Replica::new();
    integrate(&mut replica, &[1, 1, 4, 0, 40, 1, 1, 109, 1, 107, 1, 125, 0, 0]);
    assert_eq!(integrate(&mut replica, &kept), Verdict::Applied);
    assert_eq!(replica.clock(4), 4);
}

/// An array with a map with a subdocument, and its delete.
const WITH_SUBDOCUMENT: [u8; 20] =
    [1, 2, 4, 0, 7, 1, 1, b'a', 1, 0x29, 0, 4, 0, 1, b'k', 1, b'g', 118, 0, 0];
const DELETED: [u8; 6] = [0, 1, 4, 1, 0, 1];

/// Deleting an element with a subdocument inside made the library write to the subdocument's item after it had
/// been collected; no ill will was needed. It does so for what is on its list of subdocuments.
#[test]
fn subdocuments_are_kept_off_the_list() {
    let mut replica = Replica::new();
    assert_eq!(integrate(&mut replica, &WITH_SUBDOCUMENT), Verdict::Applied);
    assert_eq!(replica.doc.transact().subdocs().count(), 0);
    assert_eq!(integrate(&mut replica, &DELETED), Verdict::Applied);
    assert!(replica.fingerprint().matches(&replica.encode_full()));
    let log = [Bytes::copy_from_slice(&WITH_SUBDOCUMENT), Bytes::copy_from_slice(&DELETED)];
    assert_eq!(Replica::restore(None, &log).unwrap().fingerprint(), replica.fingerprint());
}

/// A subdocument holds its document, so a replica with one was never freed: neither when its document was
/// unloaded nor after each check of a snapshot.
#[test]
fn a_replica_with_a_subdocument_is_freed() {
    let alive = Arc::new(());
    for update in [&[1, 1, 7, 0, 4, 1, 1, b't', 1, b'a', 0][..], &WITH_SUBDOCUMENT] {
        let mut replica = Replica::new();
        let held = Arc::clone(&alive);
        replica.doc.observe_destroy("held", move |_, _| drop(Arc::clone(&held))).unwrap();
        integrate(&mut replica, update);
        assert_eq!(Arc::strong_count(&alive), 2);
        drop(replica);
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}

/// Items that wait for each other look as if the update brought all that they need.
#[test]
fn a_replica_that_was_left_half_way_is_broken_and_freed() {
    let alive = Arc::new(());
    let mut replica = Replica::new();
    let held = Arc::clone(&alive);
    replica.doc.observe_destroy("held", move |_, _| drop(Arc::clone(&held))).unwrap();
    let circle = [2, 1, 8, 0, 0x84, 7, 0, 1, b'a', 1, 7, 0, 0x84, 8, 0, 1, b'a', 0];
    let broken = replica.integrate(&[&linted(&circle)]).unwrap_err();
    assert_eq!(broken.index, Some(0));
    drop(replica);
    assert_eq!(Arc::strong_count(&alive), 1);
}
