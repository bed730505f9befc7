//! Updates that mix lists and map entries, and honest ones that look alike.
//!
//! Client 4 makes an array (clock 0) in the root "t"; below it a map entry "k" and a text.

use super::*;
use crate::crdt::lint::lint;

/// The array, the entry with one value (clock 1), a text "ab" below the array (clocks 2 and 3).
const START: [u8; 25] =
    [1, 3, 4, 0, 7, 1, 1, b't', 0, 0x28, 0, 4, 0, 1, b'k', 1, 126, 4, 0, 4, 0, 2, b'a', b'b', 0];

struct Known {
    roles: Roles,
    clocks: HashMap<u64, u32>,
}

impl Known {
    fn start() -> Self {
        let mut known = Known { roles: Roles::default(), clocks: HashMap::new() };
        known.take(&START).unwrap();
        known
    }

    fn take(&mut self, update: &[u8]) -> Result<(), &'static str> {
        let summary = lint(update, &LintLimits::default()).unwrap();
        let known = |client| self.clocks.get(&client).copied().unwrap_or(0);
        assert!(summary.fits(known));
        match self.roles.examine(update, &summary, known) {
            Ok(found) => self.roles.add(&found),
            Err(LintError::Malformed { what, .. }) => return Err(what),
            Err(e) => panic!("{e}"),
        }
        for insert in summary.inserts {
            let clock = self.clocks.entry(insert.client).or_default();
            *clock = insert.end.max(*clock);
        }
        Ok(())
    }
}

const MIXED: Result<(), &str> = Err("map entry with a right neighbour");
const SEVERAL: Result<(), &str> = Err("map entry with several values at once");
const NO_PARENT: Result<(), &str> = Err("a parent that cannot have children");

#[test]
fn a_live_value_is_one_clock_long() {
    let table: [(&[u8], _); 6] = [
        // It names its key; it inherits it, with the bit that tells of it and without; it is a text.
        (&[1, 1, 5, 0, 0x28, 0, 4, 0, 1, b'q', 2, 126, 126, 0], SEVERAL),
        (&[1, 1, 5, 0, 0xa8, 4, 1, 2, 126, 126, 0], SEVERAL),
        (&[1, 1, 5, 0, 0x88, 4, 1, 2, 126, 126, 0], SEVERAL),
        (&[1, 1, 5, 0, 0x84, 4, 1, 2, b'a', b'b', 0], SEVERAL),
        // One value is honest, a longer text after the text is.
        (&[1, 1, 5, 0, 0x88, 4, 1, 1, 126, 0], Ok(())),
        (&[1, 1, 5, 0, 0x84, 4, 3, 2, b'a', b'b', 0], Ok(())),
    ];
    for (update, verdict) in table {
        assert_eq!(Known::start().take(update), verdict, "{update:?}");
    }
}

#[test]
fn old_values_may_be_longer_where_the_update_deletes_them() {
    let values = [1, 2, 5, 0, 0x88, 4, 1, 3, 126, 126, 126, 0xa8, 5, 2, 1, 126];
    let table: [(&[u8], _); 5] = [
        (&[1, 5, 1, 0, 3], Ok(())),
        (&[2, 5, 2, 0, 1, 1, 3, 4, 1, 1, 1], Ok(())),
        (&[0], SEVERAL),
        (&[1, 5, 2, 0, 1, 2, 1], SEVERAL),
        (&[1, 5, 1, 0, 2], SEVERAL),
    ];
    for (deletes, verdict) in table {
        assert_eq!(Known::start().take(&[&values[..], deletes].concat()), verdict, "{deletes:?}");
    }
    // What came deleted may have any length.
    assert_eq!(Known::start().take(&[1, 1, 5, 0, 0x81, 4, 1, 9, 0]), Ok(()));
}

#[test]
fn an_item_does_not_lie_between_a_list_and_an_entry() {
    let table: [(&[u8], _); 5] = [
        (&[1, 1, 5, 0, 0xc4, 4, 3, 4, 1, 1, b'a', 0], MIXED),
        (&[1, 1, 5, 0, 0xc4, 4, 1, 4, 2, 1, b'a', 0], MIXED),
        (&[1, 1, 5, 0, 0x44, 4, 1, 1, b'a', 0], MIXED),
        (&[1, 2, 5, 0, 0x88, 4, 1, 1, 126, 0x44, 5, 0, 1, b'a', 0], MIXED),
        (&[1, 1, 5, 0, 0xc4, 4, 2, 4, 3, 1, b'a', 0], Ok(())),
    ];
    for (update, verdict) in table {
        assert_eq!(Known::start().take(update), verdict, "{update:?}");
    }
}

/// Which section comes first in an update is free, so items may follow others that come later in the bytes.
#[test]
fn the_order_of_sections_does_not_matter() {
    // Client 5 sets the entry after client 6 (clock 0) has; 6 sets it again, once or with two values.
    for (values, verdict) in [(1, Ok(())), (2, SEVERAL)] {
        let five = [1, 5, 0, 0x88, 6, 0, 1, 126];
        let mut six = vec![2, 6, 0, 0x88, 4, 1, 1, 126, 0x88, 5, 0, values];
        six.extend(vec![126; usize::from(values)]);
        for sections in [[&five[..], &six], [&six, &five]] {
            let update = [&[2][..], sections[0], sections[1], &[0]].concat();
            let mut known = Known::start();
            assert_eq!(known.take(&update), verdict, "{update:?}");
            if verdict.is_ok() {
                assert_eq!(known.take(&[1, 1, 8, 0, 0x88, 5, 0, 2, 126, 126, 0]), SEVERAL);
                assert_eq!(known.take(&[1, 1, 8, 0, 0x88, 6, 1, 2, 126, 126, 0]), SEVERAL);
            }
        }
    }
    // A right neighbour, and a parent, in a later section.
    let right = [2, 1, 5, 0, 0xc4, 4, 3, 6, 0, 1, b'a', 1, 6, 0, 0x88, 4, 1, 1, 126, 0];
    assert_eq!(Known::start().take(&right), MIXED);
    for (kind, verdict) in [(&[7, 1, 1, b't', 0][..], Ok(())), (&[5, 1, 1, b't', 0], NO_PARENT)] {
        let child = [&[2, 1, 5, 0, 4, 0, 6, 0, 1, b'a', 1, 6, 0][..], kind, &[0]].concat();
        assert_eq!(Known::start().take(&child), verdict);
    }
}

#[test]
fn a_parent_can_have_children() {
    let child = |place| [1, 1, 5, 0, 4, 0, 4, place, 1, b'a', 0];
    for (place, verdict) in [(0, Ok(())), (1, NO_PARENT), (3, NO_PARENT)] {
        assert_eq!(Known::start().take(&child(place)), verdict);
    }
    // What came without content may have been a type.
    let mut known = Known::start();
    known.take(&[1, 2, 4, 4, 0, 2, 0x81, 4, 3, 2, 0]).unwrap();
    for place in 4..8 {
        assert!(known.roles.parents.contains(Place { client: 4, clock: place }));
    }
    assert_eq!(known.take(&child(5)), Ok(()));
}

/// Of an item that is known in part, only the rest counts, and it goes on where the known part lies.
#[test]
fn known_beginnings_are_not_believed() {
    let mut known = Known::start();
    // Clocks 2..6 as four values of an entry: the first two are a text, so the others are text as well.
    let update = [1, 1, 4, 2, 0x28, 0, 4, 0, 1, b'q', 4, 126, 126, 126, 126, 0];
    assert_eq!(known.take(&update), Ok(()));
    assert_eq!(known.roles.entries.by_client[&4], [(1, 2)]);
    // Clocks 1..3 as a text: the first is an entry. (Its right neighbour would show it, too.)
    let mut known = Known { roles: Roles::default(), clocks: HashMap::new() };
    known.take(&[1, 2, 4, 0, 7, 1, 1, b't', 0, 0x28, 0, 4, 0, 1, b'k', 1, 126, 0]).unwrap();
    let update = [1, 1, 4, 1, 4, 1, 1, b't', 3, b'a', b'b', b'c', 0];
    assert_eq!(known.take(&update), SEVERAL);
}

#[test]
fn items_that_wait_for_each_other_end_the_search() {
    let circle = [2, 1, 8, 0, 0x84, 7, 0, 1, b'a', 1, 7, 0, 0x84, 8, 0, 1, b'a', 0];
    assert_eq!(Known::start().take(&circle), Ok(()));
}

#[test]
fn an_entry_that_is_set_often_is_one_run() {
    let mut known = Known::start();
    for clock in 4..1_000_u32 {
        let number = |clock: u32| [clock as u8 | 0x80, (clock >> 7) as u8];
        let before = if clock == 4 { 1 } else { clock - 1 };
        let update =
            [&[1, 1, 4][..], &number(clock), &[0xa8, 4], &number(before), &[1, 126, 0]].concat();
        known.take(&update).unwrap();
    }
    assert_eq!(known.roles.entries.by_client[&4], [(1, 2), (4, 1_000)]);
    assert_eq!(known.roles.parents.by_client[&4], [(0, 1)]);
}
