//! Honest, odd and hostile rows; honest and hostile segments.

use yrs::block::ClientID;
use yrs::types::Attrs;
use yrs::updates::decoder::Decode;
use yrs::{
    Any, Array, ArrayPrelim, Doc, Map, OffsetKind, Options, ReadTxn, StateVector, Text, TextPrelim,
    Transact, TransactionMut, Update, WriteTxn, Xml, XmlElementPrelim, XmlFragment, XmlTextPrelim,
    merge_updates_v1,
};

use super::*;

/// A session of several people who see each other's work now and then, with edits of all kinds.
fn session(random: &mut fastrand::Rng, edits: usize) -> Vec<LogRow> {
    let clients = [3, 70_000, (1 << 53) - 1, u64::from(u32::MAX)];
    let options = |client| Options {
        offset_kind: OffsetKind::Utf16,
        ..Options::with_client_id(ClientID::new(client))
    };
    let docs = clients.map(|client| Doc::with_options(options(client)));
    let mut rows: Vec<LogRow> = Vec::new();
    let mut heard = [0; 4];
    for _ in 0..edits {
        let who = random.usize(0..docs.len());
        let doc = &docs[who];
        let mut txn = doc.transact_mut();
        if random.u8(0..4) == 0 {
            for row in &rows[heard[who]..] {
                txn.apply_update(Update::decode_v1(&row.bytes).unwrap()).unwrap();
            }
            heard[who] = rows.len();
            drop(txn);
            txn = doc.transact_mut();
        }
        for _ in 0..random.usize(1..3) {
            change(&mut txn, random);
        }
        let bytes = match random.u8(0..40) {
            0 => txn.encode_state_as_update_v1(&StateVector::default()),
            1 if !rows.is_empty() => {
                let others = rows.iter().rev().take(5).map(|row| row.bytes.to_vec());
                merge_updates_v1(others.chain([txn.encode_update_v1()])).unwrap()
            }
            _ => txn.encode_update_v1(),
        };
        rows.push(row(rows.len(), who, bytes));
    }
    rows
}

fn row(index: usize, who: usize, bytes: Vec<u8>) -> LogRow {
    let author = ["ann", "bo", "日本"].get(who).map(|name| Arc::from(*name));
    let connection = ConnectionId(who as u64 + 1);
    let at_ms = 1_790_000_000_000 + index as i64 * 120;
    LogRow { seq: Seq(index as u64 + 1), at_ms, author, connection, bytes: bytes.into() }
}

fn change(txn: &mut TransactionMut, random: &mut fastrand::Rng) {
    match random.u8(0..12) {
        0..5 => type_or_delete(txn, random),
        5 => {
            let text = txn.get_or_insert_text("body");
            let len = text.len(txn);
            let at = random.u32(0..=len);
            let bold = Attrs::from([("bold".into(), true.into())]);
            text.format(txn, at, random.u32(0..=len - at), bold);
            text.insert_embed(txn, 0, Any::from_json(r#"{"image":[1,null]}"#).unwrap());
        }
        6 | 7 => {
            let map = txn.get_or_insert_map("map");
            let key = ["kéy", "x"][random.usize(0..2)];
            map.insert(txn, key, Any::from_json(r#"[1,-1.5,{"a":[[]]},"é"]"#).unwrap());
            map.insert(txn, "inner", ArrayPrelim::from(["a", "b"]));
            map.insert(txn, "text", TextPrelim::new("deep"));
        }
        8 | 9 => {
            let array = txn.get_or_insert_array("array");
            array.insert_range(txn, 0, vec![Any::from(1 << 20); random.usize(1..40)]);
            let len = array.len(txn);
            array.remove_range(txn, random.u32(0..len), 1);
        }
        _ => {
            let page = txn.get_or_insert_xml_fragment("page");
            let at = random.u32(0..=page.len(txn));
            let paragraph = page.insert(txn, at, XmlElementPrelim::empty("paragraph"));
            paragraph.insert_attribute(txn, "level", "2");
            paragraph.push_back(txn, XmlTextPrelim::new("in it"));
            page.remove_range(txn, random.u32(0..page.len(txn)), 1);
        }
    }
}

fn type_or_delete(txn: &mut TransactionMut, random: &mut fastrand::Rng) {
    let text = txn.get_or_insert_text("body");
    let len = text.len(txn);
    if len > 3 && random.bool() {
        text.remove_range(txn, random.u32(0..len - 2), random.u32(1..3));
    } else {
        let long = "a long text that was pasted ".repeat(3);
        let typed = ["a", "bc", "dé", "\u{20ac}", &long];
        text.insert(txn, random.u32(0..=len), typed[random.usize(0..typed.len())]);
        // Two units each, so nothing is put between them.
        txn.get_or_insert_text("faces").insert(txn, 0, "😀");
    }
}

/// Rows as no server writes them.
fn oddities(random: &mut fastrand::Rng, honest: &[LogRow]) -> Vec<LogRow> {
    let mut rows = Vec::new();
    for row in honest {
        let mut row = row.clone();
        let mut bytes = row.bytes.to_vec();
        match random.u8(0..8) {
            0 => row.seq = Seq(random.u64(..)),
            1 => row.at_ms = random.i64(..),
            2 => row.connection = ConnectionId(random.u64(..)),
            3 => (row.author, row.at_ms) = (Some("".into()), -1),
            4 => bytes = (0..random.usize(0..40)).map(|_| random.u8(..)).collect(),
            5 => bytes.truncate(random.usize(0..=bytes.len())),
            _ => damage(&mut bytes, random),
        }
        row.bytes = bytes.into();
        rows.push(row);
    }
    rows
}

fn damage(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    if bytes.is_empty() {
        return;
    }
    let at = random.usize(0..bytes.len());
    let end = (at + random.usize(1..9)).min(bytes.len());
    match random.u8(0..6) {
        0 | 1 => bytes[at] ^= 1 << random.u8(0..8),
        2 => bytes[at] = random.u8(..),
        3 => bytes[at] = random.u8(0..4),
        4 => drop(bytes.drain(at..end)),
        _ => bytes.extend_from_within(at..end),
    }
}

fn assert_same(rows: &[LogRow], what: &str) {
    let unpacked = unpack(&pack(rows)).unwrap_or_else(|e| panic!("{what}: {e}"));
    for (got, wanted) in unpacked.iter().zip(rows) {
        assert_eq!(got, wanted, "{what}");
    }
    assert_eq!(unpacked.len(), rows.len(), "{what}");
    let columns: usize = columns_of(rows).0.iter().map(Vec::len).sum();
    let author = |row: &LogRow| row.author.as_ref().map_or(0, |author| author.len());
    let bytes: usize = rows.iter().map(|row| row.bytes.len() + author(row)).sum();
    let bound = 6 * bytes + ROW_BYTES * rows.len() + 5;
    assert!(columns <= bound, "{what}: {columns} bytes of {bytes}");
}

/// Rows whose update was not taken apart.
fn kept_whole(rows: &[LogRow]) -> usize {
    let columns = columns_of(rows);
    let mut columns = columns.read();
    let shapes = Tables::read(&mut columns).unwrap().shapes;
    let shape = |_: &LogRow| shapes[columns.number(Column::Shapes).unwrap() as usize];
    rows.iter().map(shape).filter(|shape| shape.is_empty()).count()
}

#[test]
fn honest_rows_come_back_and_are_taken_apart() {
    for seed in 0..10 {
        let rows = session(&mut fastrand::Rng::with_seed(seed), 120);
        assert_same(&rows, &format!("seed {seed}"));
        assert_eq!(kept_whole(&rows), 0, "seed {seed}");
    }
}

#[test]
fn whatever_rows_hold_comes_back() {
    let rounds = if cfg!(debug_assertions) { 40 } else { 3_000 };
    let mut random = fastrand::Rng::with_seed(11);
    let honest = session(&mut random, 150);
    let (mut whole, mut all) = (0, 0);
    for round in 0..rounds {
        let from = random.usize(0..honest.len());
        let rows = oddities(&mut random, &honest[from..]);
        assert_same(&rows, &format!("round {round}"));
        (whole, all) = (whole + kept_whole(&rows), all + rows.len());
    }
    assert!(whole > all / 4 && whole < all * 3 / 4, "{whole} of {all} kept whole");
}

#[test]
fn no_rows_and_empty_updates_come_back() {
    assert_same(&[], "no rows");
    assert_same(&[row(0, 0, Vec::new()), row(5, 3, vec![0, 0])], "empty updates");
    let extremes = [(u64::MAX, i64::MIN), (0, i64::MAX), (1, 0), (u64::MAX, -1)];
    let rows =
        extremes.map(|(seq, at_ms)| LogRow { seq: Seq(seq), at_ms, ..row(0, 9, vec![0, 0]) });
    assert_same(&rows, "extremes");
}

#[test]
fn updates_in_another_encoding_are_kept_as_they_are() {
    let honest = [1, 1, 7, 0, 4, 1, 1, b't', 1, b'a', 0];
    let padded = [1, 0x81, 0, 7, 0, 4, 1, 1, b't', 1, b'a', 0];
    let longer = [1, 1, 7, 0, 4, 1, 1, b't', 1, b'a', 0, 0];
    let cut = &honest[..honest.len() - 1];
    let clock = [1, 1, 7, 0xff, 0xff, 0xff, 0xff, 0x1f, 4, 1, 1, b't', 1, b'a', 0];
    let json = [1, 1, 7, 0, 2, 1, 1, b'a', 1, 4, b'n', b'u', b'l', b'l', 0];
    let client = [&[1, 1][..], &[0xff; 9], &[0x7f, 0, 4, 1, 1, b't', 1, b'a', 0]].concat();
    let others = [&padded[..], &longer, cut, &clock, &client, &json];
    for other in others {
        let rows = [&honest[..], other, &honest].map(|bytes| row(1, 0, bytes.to_vec()));
        assert_eq!(kept_whole(&rows), 1, "{other:?}");
        assert_same(&rows, &format!("{other:?}"));
    }
}

#[test]
fn typing_takes_up_little() {
    let mut typist = crate::crdt::Typist::new(7, "body");
    let words = "the quick brown fox jumps over the lazy dog and types on ";
    let typed = words.repeat(40);
    let update =
        |(at, letter): (usize, char)| typist.replace(at as u32..at as u32, &letter.to_string());
    let updates = typed.chars().enumerate().map(update);
    let rows: Vec<_> =
        updates.enumerate().map(|(at, bytes)| row(at, 0, bytes.unwrap().to_vec())).collect();
    let packed = pack(&rows).len();
    assert!(packed < rows.len() / 4, "{packed} bytes for {} keystrokes", rows.len());
}

#[test]
fn damaged_segments_do_no_harm() {
    let rounds = if cfg!(debug_assertions) { 1_000 } else { 30_000 };
    let mut random = fastrand::Rng::with_seed(5);
    let rows = session(&mut random, 60);
    let packed = pack(&rows);
    for len in 0..packed.len() {
        assert!(unpack(&packed[..len]).is_err(), "{len} bytes");
    }
    assert!(unpack(&[&packed[..], &[0]].concat()).is_err());
    let mut refused = 0;
    for _ in 0..rounds {
        let mut damaged = packed.clone();
        (0..random.u8(1..4)).for_each(|_| damage(&mut damaged, &mut random));
        refused += usize::from(unpack(&damaged).is_err());
    }
    assert!(refused > rounds / 2, "{refused} of {rounds} refused");
}

/// Behind zstd, which notices most damage itself.
#[test]
fn damaged_columns_do_no_harm() {
    let rounds = if cfg!(debug_assertions) { 10_000 } else { 100_000 };
    let mut random = fastrand::Rng::with_seed(6);
    let rows = session(&mut random, 60);
    let bytes_max = 1 << 20;
    let columns = columns_of(&rows);
    let (mut refused, mut other) = (0, 0);
    for _ in 0..rounds {
        let mut damaged = columns.clone();
        damage(random.choice(&mut damaged.0).expect("columns"), &mut random);
        match rows_of(&damaged, bytes_max) {
            Ok(got) => other += usize::from(got != rows),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > rounds / 2 && other > rounds / 10, "{refused} refused, {other} other rows");
}

#[test]
fn declared_sizes_are_compared_with_what_is_there() {
    // The first column, as if it were compressed to four bytes.
    let claim = |len: usize| {
        let mut bytes = vec![VERSION];
        columns::put_number(&mut bytes, len as u64);
        bytes.extend([4, 1, 2, 3, 4]);
        bytes
    };
    assert_eq!(unpack(&claim(usize::MAX)), Err(PackError::TooLarge));
    assert_eq!(unpack(&claim(UNPACKED_BYTES_MAX + 1)), Err(PackError::TooLarge));
    assert!(matches!(unpack(&claim(UNPACKED_BYTES_MAX)), Err(PackError::Damaged(_))));
    assert_eq!(unpack(&[]), Err(PackError::Damaged("no bytes")));
    assert_eq!(unpack(&[2, 0]), Err(PackError::Version(2)));
    let mut columns = columns_of(&[row(0, 0, vec![0, 0])]);
    let tables = columns.0[Column::Tables as usize].split_off(1);
    for rows in [2, 1 << 20, u64::MAX] {
        let mut columns = columns.clone();
        columns.0[Column::Tables as usize].clear();
        columns.put(Column::Tables, rows);
        columns.put_bytes(Column::Tables, &tables);
        let fewer = PackError::Damaged("fewer rows than declared");
        assert_eq!(rows_of(&columns, UNPACKED_BYTES_MAX), Err(fewer));
    }
}

#[test]
fn what_is_longer_or_shorter_than_it_says_is_refused() {
    let mut columns = columns_of(&[row(0, 0, vec![0, 0])]);
    let tables = &mut columns.0[Column::Tables as usize];
    assert!(tables.ends_with(&[1, 2, 0, 0]), "one shape: no inserts, no deletes");
    tables.truncate(tables.len() - 3);
    tables.extend([3, 0, 0, 0]);
    let damaged = Err(PackError::Damaged("a shape that is too long"));
    assert_eq!(rows_of(&columns, UNPACKED_BYTES_MAX), damaged);

    let packed = pack(&session(&mut fastrand::Rng::with_seed(7), 60));
    let mut rest = columns::Cursor::new(&packed[1..]);
    let len = rest.number().unwrap();
    assert_ne!(rest.clone().number(), Ok(0), "the first column is compressed");
    for other in [len - 1, len + 1] {
        let mut bytes = vec![VERSION];
        columns::put_number(&mut bytes, other);
        bytes.extend(rest.rest());
        let damaged = Err(PackError::Damaged("a column that cannot be decompressed"));
        assert_eq!(unpack(&bytes), damaged);
    }
}

#[test]
fn rows_over_the_limit_are_refused() {
    // One shape of many blocks without content, which each row repeats.
    let block = [0, 1];
    let update = [&[1, 23, 7, 0][..], &block.repeat(23), &[0]].concat();
    let rows: Vec<_> = (0..1_000).map(|at| row(at, 0, update.clone())).collect();
    let packed = pack(&rows);
    let bytes: usize = rows.iter().map(|row| row.bytes.len() + ROW_BYTES).sum();
    assert!(unpack(&packed) == Ok(rows));
    assert!(unpack_up_to(bytes - 1, &packed).is_err_and(|e| e == PackError::TooLarge));
    assert!(unpack_up_to(1_000 * ROW_BYTES - 1, &packed).is_err_and(|e| e == PackError::TooLarge));
}
