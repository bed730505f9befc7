use fastrand::Rng;

use super::*;
use crate::crdt::people::{History, content, copy};
use crate::crdt::{Desk, Linted, Replica};

fn linted(bytes: &Bytes) -> Linted {
    Linted::new(bytes.clone(), &LintLimits::default()).expect("an honest update")
}

fn restored(state: &[u8]) -> Replica {
    let state = Linted::new(Bytes::copy_from_slice(state), &LintLimits::default());
    Replica::restore(Some(&state.expect("an honest state").bytes), &[]).expect("a state")
}

/// What the log of a document whose writers hear of each other has, and the replica that it makes.
fn log(rng: &mut Rng, steps: usize) -> (Vec<Bytes>, Replica) {
    let (mut replica, mut rows) = (Replica::new(), Vec::new());
    let people = History::new(rng, steps);
    let mut late = Vec::new();
    for (_, update) in people.updates {
        // What builds on something that has not come yet is sent again later.
        late.push(update);
        late.retain(|update| {
            let verdict = replica.integrate(&[&linted(update)]).expect("a replica").verdicts;
            if verdict[0] == crate::crdt::Verdict::Applied {
                rows.push(update.clone());
            }
            verdict[0] == crate::crdt::Verdict::Hole
        });
    }
    (rows, replica)
}

#[test]
fn what_is_woven_restores_to_the_replica_that_went_on() {
    for seed in 0..150 {
        let mut rng = Rng::with_seed(seed);
        let (rows, _) = log(&mut rng, 40);
        let mut replica = Replica::new();
        let mut whole = Whole::new(replica.encode_anew());
        let mut woven = 0;
        for chunk in rows.chunks(3) {
            let updates: Vec<Linted> = chunk.iter().map(linted).collect();
            let updates: Vec<&Linted> = updates.iter().collect();
            let merged = replica.integrate(&updates).expect("a replica").merged;
            if !whole.add(merged) || rng.u8(..8) == 0 {
                whole = Whole::new(replica.encode_anew());
            }
            let Some(state) = whole.encode() else { panic!("seed {seed}: nothing has to be cut") };
            assert_eq!(restored(&state).fingerprint(), replica.fingerprint(), "seed {seed}");
            let (shown, there) = (copy(9, &state), copy(9, &replica.encode_anew()));
            assert_eq!(content(&shown), content(&there), "seed {seed}");
            woven += 1;
        }
        assert!(woven > 3, "seed {seed}");
    }
}

#[test]
fn a_preview_says_what_the_replica_says() {
    let mut previews = 0;
    for seed in 0..150 {
        let mut rng = Rng::with_seed(seed);
        let (rows, mut replica) = log(&mut rng, 40);
        let (before, tail) = rows.split_at(rng.usize(..rows.len()));
        let snapshot = Replica::restore(None, before).expect("a log").encode_anew();
        let Some((preview, mut whole)) = Preview::new(snapshot.clone(), tail) else { continue };
        previews += 1;
        let vector = replica.state_vector();
        assert_eq!(*preview.state_vector(), vector, "seed {seed}");
        let same = preview.answer(&vector.encode()).expect("the answer to an equal vector");
        let same = linted(&same).summary;
        assert!(same.inserts.is_empty() && replica.contains(&same), "seed {seed}");
        // Whoever has all items has deleted by himself what others take the place of; everything
        // else is told.
        let told = id_set(&same.deletes);
        for update in [&snapshot].into_iter().chain(tail) {
            let deletes = id_set(&linted(update).summary.deletes);
            assert!(deletes.diff(&told).is_empty(), "seed {seed}");
        }
        let full = preview.answer(&[0]).expect("the answer to a newcomer");
        assert_eq!(restored(&full).fingerprint(), replica.fingerprint(), "seed {seed}");
        assert_eq!(content(&copy(9, &full)), content(&copy(9, &replica.encode_anew())));

        // Somebody who has a part is answered by the replica; somebody whose ids nobody knows is new.
        let some = [1, 1, 1];
        assert_eq!(preview.answer(&some).is_none(), vector != StateVector::default());
        assert_eq!(preview.answer(&[1, 77, 5]), Some(full.clone()));
        assert_eq!(whole.encode(), Some(full));
    }
    assert!(previews > 140, "only {previews}");
}

#[test]
fn what_would_have_to_be_cut_is_left_to_the_replica() {
    let mut desk = Desk::new(5, "body");
    let first = desk.replace(0..0, "abc").expect("a place");
    let second = desk.replace(3..3, "def").expect("a place");
    let both = Replica::restore(None, &[first.clone(), second.clone()]).expect("a log");
    let both = { both }.encode_anew();
    let known = |updates: &[&Bytes]| {
        let mut whole = Whole::new(first.clone());
        updates.iter().for_each(|update| assert!(whole.add((*update).clone())));
        whole.encode()
    };
    // The six letters are one block in the one and two in the other.
    assert_eq!(known(&[&both]), None);
    let state = known(&[&first, &second, &second]).expect("whole blocks");
    assert_eq!(restored(&state).text("body"), "abcdef");
    // A gap: what comes behind it is not there yet.
    let third = desk.replace(6..6, "ghi").expect("a place");
    assert_eq!(known(&[&third]), None);
    assert!(Preview::new(first, &[third]).is_none());
}

#[test]
fn a_snapshot_that_has_gaps_or_is_none_has_no_preview() {
    let mut desk = Desk::new(5, "body");
    desk.replace(0..0, "abc").expect("a place");
    let later = desk.replace(3..3, "def").expect("a place");
    for snapshot in [later, Bytes::from_static(b"no update"), Bytes::new()] {
        assert!(Preview::new(snapshot, &[]).is_none());
    }
}

#[test]
fn a_whole_that_has_grown_by_much_is_of_no_use() {
    let mut desk = Desk::new(5, "body");
    let mut whole = Whole::new(desk.replace(0..0, "abc").expect("a place"));
    let small = desk.replace(3..3, "d").expect("a place");
    assert_eq!((0..).take_while(|_| whole.add(small.clone())).count(), SINCE_MAX);
    let mut whole = Whole::new(Bytes::from_static(&[0, 0]));
    assert!(!whole.add(desk.replace(0..0, &"x".repeat(SINCE_BYTES_MIN)).expect("a place")));
}
