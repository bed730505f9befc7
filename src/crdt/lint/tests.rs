//! Real, damaged and hostile updates.

use std::panic::{AssertUnwindSafe, catch_unwind};

use yrs::block::ClientID;
use yrs::types::Attrs;
use yrs::updates::decoder::Decode;
use yrs::{
    Any, Array, ArrayPrelim, Doc, Map, MapPrelim, OffsetKind, Options, ReadTxn, StateVector, Text,
    TextPrelim, Transact, TransactionMut, Update, WriteTxn, Xml, XmlElementPrelim, XmlFragment,
    XmlTextPrelim, merge_updates_v1,
};

use super::*;
use crate::crdt::{Linted, Replica, Verdict};

fn replica(client: u64, skip_gc: bool) -> Doc {
    Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        skip_gc,
        cleanup_formatting: false,
        ..Options::with_client_id(ClientID::new(client))
    })
}

fn state_of(doc: &Doc) -> Vec<u8> {
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}

/// Runs one edit and gives the update that it makes.
fn edit(doc: &Doc, change: impl FnOnce(&mut TransactionMut)) -> Vec<u8> {
    let mut txn = doc.transact_mut();
    change(&mut txn);
    txn.encode_update_v1()
}

/// Edits of all kinds by two people, one of them with the largest client id there is, who see each other's
/// work now and then: single updates, diffs, whole states, merged ones.
fn fixtures(skip_gc: bool) -> Vec<Vec<u8>> {
    let ann = replica(7, skip_gc);
    let bob = replica((1 << 53) - 1, skip_gc);
    let mut updates = Vec::new();
    for round in 0..4 {
        for (doc, other) in [(&ann, &bob), (&bob, &ann)] {
            let before = other.transact().state_vector();
            updates.extend([
                edit(doc, write_text),
                edit(doc, write_values),
                edit(doc, write_elements),
                edit(doc, |txn| delete(txn, round)),
            ]);
            updates.push(doc.transact().encode_state_as_update_v1(&before));
            if round % 2 == 1 {
                let update = Update::decode_v1(&state_of(doc)).unwrap();
                other.transact_mut().apply_update(update).unwrap();
            }
        }
    }
    updates.push(merge_updates_v1(updates.iter()).unwrap());
    updates.push(merge_updates_v1(updates[2..9].iter()).unwrap());
    updates.extend([state_of(&ann), state_of(&bob), Update::EMPTY_V1.to_vec()]);
    updates
}

fn write_text(txn: &mut TransactionMut) {
    let text = txn.get_or_insert_text("text");
    text.insert(txn, 0, "a😀 é 日本 ");
    text.insert(txn, 1, "in the middle");
    let bold = Attrs::from([("bold".into(), true.into()), ("link".into(), "x".into())]);
    text.format(txn, 2, 5, bold);
    text.insert_embed(txn, 3, Any::from_json(r#"{"image":[1,null]}"#).unwrap());
}

fn write_values(txn: &mut TransactionMut) {
    let map = txn.get_or_insert_map("map");
    map.insert(txn, "kéy", Any::from_json(r#"[1,-1.5,{"a":[[]]},"é",null]"#).unwrap());
    map.insert(txn, "bytes", Any::from(vec![1u8, 2, 3]));
    map.insert(txn, "large", i64::MAX);
    let inner = map.insert(txn, "inner", MapPrelim::from([("x", 1)]));
    inner.insert(txn, "list", ArrayPrelim::from(["a", "b"]));
    inner.insert(txn, "text", TextPrelim::new("deep"));
    let array = txn.get_or_insert_array("array");
    array.push_back(txn, replica(5, false));
    array.insert_range(txn, 0, [Any::Undefined, Any::from(1 << 20), Any::from(-3)]);
}

fn write_elements(txn: &mut TransactionMut) {
    let page = txn.get_or_insert_xml_fragment("page");
    let paragraph = page.push_back(txn, XmlElementPrelim::empty("paragraph"));
    paragraph.insert_attribute(txn, "level", "2");
    paragraph.push_back(txn, XmlTextPrelim::new("in it"));
    paragraph.push_back(txn, XmlElementPrelim::empty("image"));
}

fn delete(txn: &mut TransactionMut, round: u32) {
    txn.get_or_insert_text("text").remove_range(txn, round, 3);
    txn.get_or_insert_map("map").remove(txn, "inner");
    txn.get_or_insert_xml_fragment("page").remove_range(txn, 0, 1);
}

fn check(update: &[u8]) -> Result<Summary, LintError> {
    lint(update, &LintLimits::default())
}

#[test]
fn real_updates_pass_and_are_summed_up_as_the_decoder_reads_them() {
    for update in [fixtures(false), fixtures(true)].concat() {
        let summary = check(&update).unwrap();
        let decoded = Update::decode_v1(&update).unwrap();
        assert_eq!(clocks(&summary.inserts), id_clocks(&decoded.insertions(true)));
        assert_eq!(clocks(&summary.deletes), id_clocks(decoded.delete_set()));
    }
}

fn clocks(spans: &[Span]) -> Vec<(u64, u32)> {
    let each = |span: &Span| (span.start..span.end).map(|clock| (span.client, clock)).collect();
    let mut clocks: Vec<_> = spans.iter().flat_map(|span| -> Vec<_> { each(span) }).collect();
    clocks.sort();
    clocks
}

fn id_clocks(set: &yrs::IdSet) -> Vec<(u64, u32)> {
    let mut clocks = Vec::new();
    for (client, ranges) in set.iter() {
        for range in ranges.iter() {
            clocks.extend(range.clone().map(|clock| (client.get(), clock)));
        }
    }
    clocks.sort();
    clocks
}

#[test]
fn cut_and_grown_updates_are_refused() {
    for update in fixtures(false) {
        for len in 0..update.len() {
            assert!(check(&update[..len]).is_err(), "{len} bytes of {update:?}");
        }
        let grown = [&update[..], &[0]].concat();
        let refused = check(&grown).unwrap_err();
        assert_eq!(refused, malformed(update.len(), "bytes after the end"));
    }
}

fn malformed(at: usize, what: &'static str) -> LintError {
    LintError::Malformed { at, what }
}

#[test]
fn places_of_others_are_needed_unless_the_update_brings_them() {
    // Client 9 writes between clock 4 of client 5 and clock 2 of client 6, then below clock 8 of client 5,
    // then after its clock 1.
    let nine = [3, 9, 3, 0xc4, 5, 4, 6, 2, 1, b'a', 7, 0, 5, 8, 0, 0x84, 5, 1, 1, b'b'];
    let update = [&[1][..], &nine, &[0]].concat();
    let summary = check(&update).unwrap();
    assert_eq!(summary.inserts, [Span { client: 9, start: 3, end: 6 }]);
    assert_eq!(summary.needs, [Need { client: 5, end: 9 }, Need { client: 6, end: 3 }]);
    assert_eq!(summary.types, 1);
    // With the clocks 5..8 of client 5 the place 8 is still missing; with 5..9 it is not.
    for (len, needs) in [(3, vec![5, 6]), (4, vec![6])] {
        let five = [1, 5, 5, 0, len];
        let update = [&[2][..], &nine, &five, &[0]].concat();
        let summary = check(&update).unwrap();
        let clients: Vec<u64> = summary.needs.iter().map(|need| need.client).collect();
        assert_eq!(clients, needs);
    }
}

#[test]
fn deleted_clocks_are_needed_unless_the_update_brings_them() {
    // Deletes of client 5 (3..4, 8..10) and client 6 (0..2); inserted are the clocks 1..3 of client 6.
    let update = [1, 1, 6, 1, 0, 2, 2, 6, 1, 0, 2, 5, 2, 3, 1, 8, 2];
    let summary = check(&update).unwrap();
    assert_eq!(summary.needs, [Need { client: 5, end: 10 }]);
    assert!(summary.fits(|client| if client == 5 { 10 } else { 1 }));
    assert!(!summary.fits(|client| if client == 5 { 9 } else { 1 }));
    assert!(!summary.fits(|client| if client == 5 { 10 } else { 0 }));
}

#[test]
fn the_highest_of_many_needs_counts() {
    let items = 1_000_u64;
    let mut update = vec![1];
    push_number(&mut update, items);
    update.extend([3, 0]);
    for item in 0..items {
        update.extend([0xc4, 5]);
        push_number(&mut update, item * 7_919 % items);
        update.push(6);
        push_number(&mut update, item * 104_729 % items);
        update.extend([1, b'a']);
    }
    update.push(0);
    let needs = check(&update).unwrap().needs;
    assert_eq!(needs, [Need { client: 5, end: 1_000 }, Need { client: 6, end: 1_000 }]);
}

#[test]
fn clocks_without_content_and_gaps_are_told() {
    // GC of 3, deleted content of 2, a skip of 4, a text of 2 units.
    let update = [1, 4, 7, 0, 0, 3, 1, 1, 1, b't', 2, 10, 4, 4, 1, 1, b't', 2, b'a', b'b', 0];
    let summary = check(&update).unwrap();
    let start = Span { client: 7, start: 0, end: 5 };
    assert_eq!(summary.fills, [start]);
    assert_eq!(summary.inserts, [start, Span { client: 7, start: 9, end: 11 }]);
    assert!(summary.has_skip);
}

#[test]
fn items_without_units_count_nothing() {
    let update = [1, 2, 7, 0, 4, 1, 1, b't', 0, 4, 1, 1, b't', 1, b'a', 0];
    let summary = check(&update).unwrap();
    assert_eq!(summary.inserts, [Span { client: 7, start: 0, end: 1 }]);
    // Yjs keeps them, so what they hang on has to exist all the same.
    let update = [1, 2, 7, 0, 0x84, 5, 3, 0, 4, 1, 1, b't', 1, b'a', 0];
    assert_eq!(check(&update).unwrap().needs, [Need { client: 5, end: 4 }]);
    let update = [1, 2, 7, 0, 4, 1, 1, b't', 1, b'a', 0x84, 7, 3, 0, 0];
    assert!(check(&update).is_err());
}

#[test]
fn numbers_that_wrap_in_the_library_are_refused() {
    let out_of_range = |update: &[u8]| match check(update) {
        Err(LintError::Malformed { what, .. }) => what.ends_with("out of range"),
        _ => false,
    };
    let section = |client: u64, clock: u64, block: &[u8]| {
        let mut update = vec![1, 1];
        push_number(&mut update, client);
        push_number(&mut update, clock);
        [&update[..], block, &[0]].concat()
    };
    let gc = |len: u64| {
        let mut block = vec![0];
        push_number(&mut block, len);
        block
    };
    assert!(check(&section((1 << 53) - 1, (1 << 31) - 2, &gc(1))).is_ok());
    assert!(out_of_range(&section(1 << 53, 0, &gc(1))));
    assert!(out_of_range(&section(u64::MAX >> 1, 0, &gc(1))));
    assert!(out_of_range(&section(7, 1 << 31, &gc(1))));
    assert!(out_of_range(&section(7, (1 << 31) - 2, &gc(2))));
    assert!(out_of_range(&section(7, 0, &gc(u64::from(u32::MAX)))));
    // The same in an origin, a deleted range and a plain number.
    let mut origin = vec![0x84, 5];
    push_number(&mut origin, 1 << 31);
    assert!(out_of_range(&section(7, 0, &[&origin[..], &[1, b'a']].concat())));
    assert!(out_of_range(&[0, 1, 7, 1, 0xff, 0xff, 0xff, 0xff, 7, 1]));
    let signed = |rest: u64| {
        let mut value = vec![8, 1, 1, b't', 1, 125, 0xbf];
        push_number(&mut value, rest);
        value
    };
    assert!(check(&section(7, 0, &signed((1 << 47) - 1))).is_ok());
    assert!(out_of_range(&section(7, 0, &signed(1 << 47))));
    // Padded with zeros to any length.
    assert!(out_of_range(&[&[0x80; 8][..], &[0, 0]].concat()));
}

fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[test]
fn a_short_frame_cannot_use_up_the_clocks_of_a_client_id() {
    let mut frame = vec![1, 1, 7, 0, 0];
    push_number(&mut frame, (1 << 31) - 2);
    frame.push(0);
    assert_eq!(frame.len(), 11);
    let over_limit = |frame: &[u8], limit: u64| {
        let limits = LintLimits { fill_clocks_max: limit, ..LintLimits::default() };
        matches!(lint(frame, &limits), Err(LintError::OverLimit { what: "deleted content", .. }))
    };
    assert!(over_limit(&frame, LintLimits::default().fill_clocks_max));
    // All that is in the update counts together: 5 here.
    let frame = [2, 1, 8, 0, 0, 2, 1, 7, 0, 1, 1, 1, b't', 3, 0];
    assert!(over_limit(&frame, 4));
    assert!(!over_limit(&frame, 5));
}

#[test]
fn declared_counts_are_compared_with_what_is_left() {
    let million = [0x80, 0x89, 0x7a];
    let frames = [
        million.to_vec(),
        [&[1][..], &million, &[7, 0, 0, 1, 0]].concat(),
        [&[1, 1, 7, 0, 8, 1, 1, b't'][..], &million, &[126, 0]].concat(),
        [&[1, 1, 7, 0, 8, 1, 1, b't', 1, 117][..], &million, &[126, 0]].concat(),
        [&[1, 1, 7, 0, 8, 1, 1, b't', 1, 118][..], &million, &[126, 0]].concat(),
        [&[1, 1, 7, 0, 4, 1, 1, b't'][..], &million, &[0]].concat(),
        [&[0][..], &million, &[7, 1, 0, 1]].concat(),
        [&[0, 1, 7][..], &million, &[0, 1]].concat(),
    ];
    for frame in frames {
        let at = frame.len();
        assert_eq!(check(&frame), Err(LintError::Truncated { at }), "{frame:?}");
    }
}

#[test]
fn nesting_of_values_is_limited_and_costs_no_stack() {
    for (depth, fits) in [(32, true), (33, false), (1_000_000, false)] {
        for (open, close) in [(&[117, 1][..], &[126][..]), (&[118, 1, 1, b'k'], &[126])] {
            let start = [1, 1, 7, 0, 8, 1, 1, b't', 1];
            let frame = [&start[..], &open.repeat(depth), close, &[0]].concat();
            assert_eq!(check(&frame).is_ok(), fits, "depth {depth}");
        }
    }
}

#[test]
fn subdocuments_are_counted_and_limited() {
    let subdocument = [9, 1, 1, b'd', 1, b'g', 118, 0];
    let frame = [&[1, 3, 7, 0][..], &subdocument.repeat(3), &[0]].concat();
    assert_eq!(check(&frame).unwrap().subdocuments, 3);
    let limits = LintLimits { subdocuments_max: 2, ..LintLimits::default() };
    assert!(matches!(lint(&frame, &limits), Err(LintError::OverLimit { got: 3, max: 2, .. })));
}

#[test]
fn what_no_client_writes_is_refused() {
    let item = |block: &[u8]| [&[1, 1, 7, 3][..], block, &[0]].concat();
    let table: [(Vec<u8>, &str); 17] = [
        (item(&[0, 0]), "empty block"),
        (item(&[10, 0]), "empty block"),
        (item(&[4, 1, 1, b't', 0]), "section without content"),
        (vec![1, 0, 7, 3, 0, 0], "section without content"),
        (vec![2, 1, 7, 0, 0, 1, 1, 7, 1, 0, 1, 0], "two sections of one client id"),
        (vec![0, 2, 7, 1, 0, 1, 7, 1, 1, 1], "two sections of one client id"),
        (vec![0, 1, 7, 1, 0, 0], "empty delete"),
        (vec![0, 1, 7, 2, 3, 1, 0, 1], "deletes out of order"),
        (item(&[4, 2, 1, b't', 1, b'a']), "unknown kind of parent"),
        (item(&[4, 1, 1, b't', 1, 0xff]), "text that is not UTF-8"),
        (item(&[0x80, 5, 0, 1]), "unknown kind of content"),
        (item(&[0x8b, 5, 0, 1]), "unknown kind of content"),
        (item(&[0x94, 5, 0, 1, b'a']), "unknown kind of content"),
        (item(&[7, 1, 1, b't', 7]), "unknown kind of type"),
        (item(&[9, 1, 1, b't', 1, b'g', 126]), "subdocument without options"),
        (item(&[0x84, 7, 3, 1, b'a']), "item attached to itself or to a later one"),
        (item(&[7, 0, 7, 4, 0]), "item attached to itself or to a later one"),
    ];
    for (frame, reason) in table {
        match check(&frame) {
            Err(LintError::Malformed { what, .. }) => assert_eq!(what, reason, "{frame:?}"),
            other => panic!("{other:?} instead of {reason} for {frame:?}"),
        }
    }
}

#[test]
fn what_the_library_reads_wrongly_is_refused() {
    // As Yjs writes them: one JSON string, an XML hook with its name; and a GC block after each.
    let json = [1, 2, 7, 0, 2, 1, 1, b'a', 1, 4, b'n', b'u', b'l', b'l', 0, 1, 0];
    let hook = [1, 2, 7, 0, 7, 1, 1, b'x', 5, 1, b'h', 0, 1, 0];
    for frame in [&json[..], &hook] {
        assert!(matches!(check(frame), Err(LintError::Unsupported { .. })));
        assert!(Update::decode_v1(frame).is_err());
    }
}

#[test]
fn updates_over_the_limit_are_not_looked_at() {
    let limits = LintLimits { update_bytes_max: 3, ..LintLimits::default() };
    assert_eq!(lint(&[9; 4], &limits), Err(LintError::TooLarge { got: 4, max: 3 }));
}

/// Whatever passes can be decoded and applied: real updates with flipped bits, overwritten, cut out and
/// doubled pieces, on a replica that has what they need.
#[test]
fn damaged_updates_that_pass_can_be_applied() {
    let rounds = if cfg!(debug_assertions) { 5_000 } else { 50_000 };
    let updates = [fixtures(false), fixtures(true)].concat();
    let states = [state_of(&replica(1, false)), updates[updates.len() - 2].clone()];
    let mut rng = fastrand::Rng::with_seed(2026);
    let (mut passed, mut applied) = (0, 0);
    for round in 0..rounds {
        let mut update = rng.choice(&updates).unwrap().clone();
        for _ in 0..rng.u8(1..4) {
            damage(&mut update, &mut rng);
        }
        if check(&update).is_err() {
            continue;
        }
        passed += 1;
        let state = rng.choice(&states).unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| apply(state, &update)));
        match outcome {
            Ok(done) => applied += usize::from(done),
            Err(_) => panic!("round {round}: {update:?} on {state:?}"),
        }
    }
    assert!(passed > rounds / 20 && applied > rounds / 100, "{passed} passed, {applied} applied");
}

fn damage(update: &mut Vec<u8>, rng: &mut fastrand::Rng) {
    if update.is_empty() {
        return;
    }
    let at = rng.usize(0..update.len());
    let end = (at + rng.usize(1..9)).min(update.len());
    match rng.u8(0..6) {
        0 | 1 => update[at] ^= 1 << rng.u8(0..8),
        2 => update[at] = rng.u8(..),
        3 => update[at] = rng.u8(0..4),
        4 => drop(update.drain(at..end)),
        _ => update.extend_from_within(at..end),
    }
}

fn apply(state: &[u8], update: &[u8]) -> bool {
    let update = Linted::new(update.to_vec().into(), &LintLimits::default()).unwrap();
    let mut replica = Replica::restore(Some(state), &[]).unwrap();
    let Ok(done) = replica.integrate(&[&update]) else {
        return false;
    };
    let applied = done.verdicts == [Verdict::Applied];
    if applied {
        assert!(update.summary.inserts.iter().all(|span| span.end <= replica.clock(span.client)));
    }
    assert!(replica.fingerprint().matches(&replica.encode_full()));
    applied
}

#[test]
fn random_bytes_do_no_harm() {
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..100_000 {
        let mut bytes = vec![0; rng.usize(0..40)];
        rng.fill(&mut bytes);
        // Small first numbers get further.
        for byte in bytes.iter_mut().take(3) {
            *byte &= 3;
        }
        if check(&bytes).is_ok() {
            let _decoded_or_bad_json = Update::decode_v1(&bytes);
        }
    }
}
