//! First syncs, one rule each. What many sessions do at once is for `tests/sim`.

use super::super::core::CoreLimits;
use super::super::input::{About, Effect, Input, Loaded};
use super::super::lineage::Retired;
use super::*;
use crate::config::Config;
use crate::crdt::Desk;
use crate::id::{ConnectionId, Seq};

const ANN: SessionId = SessionId(1);
const BO: SessionId = SessionId(2);

/// The edits of one person, as the log has them.
fn log() -> (Desk, Vec<Bytes>) {
    let mut desk = Desk::new(5, "body");
    let edits = [(0..0, "one"), (3..3, " two"), (0..1, "O")];
    let rows = edits.map(|(at, by)| desk.replace(at, by).expect("a place in the text"));
    (desk, rows.to_vec())
}

fn found(rows: &[Bytes], retired: &Retired) -> Input {
    let (preview, _) = Preview::new(rows[0].clone(), &rows[1..]).expect("a preview");
    Input::Found(Box::new(Found { preview, retired: retired.clone() }))
}

fn loaded(rows: &[Bytes], retired: &Retired) -> Input {
    Input::Loaded(Box::new(Loaded {
        examine_from: None,
        replica: Replica::restore(None, rows).expect("a log"),
        last: Seq(rows.len() as u64),
        rows: rows.len() as u64,
        bytes: 0,
        snapshot_bytes: 0,
        retired: retired.clone(),
    }))
}

struct Stage {
    core: Core,
    now: Duration,
}

impl Stage {
    fn new() -> Self {
        let mut core = Core::new(CoreLimits::new(&Config::default()));
        core.handle(Input::Tick, Duration::ZERO);
        Self { core, now: Duration::ZERO }
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        self.core.handle(input, self.now)
    }

    fn join(&mut self, session: SessionId) -> Vec<Effect> {
        let (connection, greeting) = (ConnectionId(session.0), Greeting::AtJoin);
        let about = About { connection, user: None, may_write: true, greeting, strict: false };
        self.handle(Input::Joined { session, about })
    }

    fn step_1(&mut self, session: SessionId, state_vector: &[u8]) -> Vec<Effect> {
        let state_vector = Bytes::copy_from_slice(state_vector);
        self.handle(Input::SyncStep1 { session, state_vector })
    }

    fn holds_full(&self) -> bool {
        self.core.replica().expect("a replica").holds_full()
    }
}

fn text(effects: &[Effect]) -> String {
    match effects {
        [Effect::Send { reply: Reply::SyncStep2 { update }, .. }] => {
            let replica = Replica::restore(Some(update.as_ref()), &[]).expect("a full state");
            replica.text("body")
        }
        other => panic!("a step 2 was expected, not {other:?}"),
    }
}

#[test]
fn newcomers_are_answered_before_there_is_a_replica() {
    let (mut desk, rows) = log();
    let mut stage = Stage::new();
    assert!(stage.join(ANN).is_empty(), "nothing is known yet");
    let found = stage.handle(found(&rows, &Retired::default()));
    let [Effect::Welcome { session: ANN }, Effect::Send { reply, .. }] = &found[..] else {
        panic!("a welcome and a step 1 were expected, not {found:?}");
    };
    let vector = Replica::restore(None, &rows).expect("a log").state_vector().encode();
    assert_eq!(*reply, Reply::SyncStep1 { state_vector: vector.clone() });
    assert_eq!(text(&stage.step_1(ANN, &[0])), "One two");

    // Whoever has everything hears of deletions; whoever has a part waits for the replica.
    stage.join(BO);
    let same = stage.step_1(BO, &vector);
    let [Effect::Send { reply: Reply::SyncStep2 { update }, .. }] = &same[..] else {
        panic!("a step 2 was expected, not {same:?}");
    };
    assert_eq!(&update[..], [0, 1, 5, 1, 0, 1]);
    assert!(stage.step_1(BO, &[1, 5, 3]).is_empty());

    // A change waits as well: nothing goes to the log before the replica has it.
    let bytes = desk.replace(7..7, "!").expect("a place in the text");
    let typed = Input::Update { session: ANN, bytes, whole: false, may_write: true };
    assert!(stage.handle(typed).is_empty());
    assert!(!stage.core.is_idle(), "somebody is here");
    let effects = stage.handle(loaded(&rows, &Retired::default()));
    let [Effect::Send { session: BO, .. }, Effect::Append { records, .. }] = &effects[..] else {
        panic!("an answer and an append were expected, not {effects:?}");
    };
    assert_eq!(records.len(), 1);
}

#[test]
fn a_copy_of_an_earlier_life_is_known_before_there_is_a_replica() {
    let (_, rows) = log();
    let retired = Retired::new([Bytes::from_static(&[1, 7, 3])]);
    let mut stage = Stage::new();
    stage.join(ANN);
    stage.handle(found(&rows, &retired));
    let effects = stage.step_1(ANN, &[1, 7, 3]);
    let empty = StateVector::default().encode();
    let asked = [Effect::Send { session: ANN, reply: Reply::SyncStep1 { state_vector: empty } }];
    assert_eq!(format!("{effects:?}"), format!("{asked:?}"), "it is shown something");
}

#[test]
fn a_log_that_cannot_be_restored_ends_those_who_were_let_in() {
    let (_, rows) = log();
    let mut stage = Stage::new();
    stage.join(ANN);
    stage.handle(found(&rows, &Retired::default()));
    let failed = Input::LoadFailed { reason: "damaged".into(), lasting: false };
    let effects = stage.handle(failed);
    assert!(
        matches!(effects[..], [Effect::End { session: ANN, .. }, Effect::Fail { .. }]),
        "{effects:?}"
    );
}

#[test]
fn what_is_found_in_the_log_of_a_live_document_lets_nobody_see_more() {
    let (_, rows) = log();
    let mut stage = Stage::new();
    stage.handle(loaded(&rows[..2], &Retired::default()));
    stage.join(ANN);
    let failed = Input::CommitFailed { reason: "the disk is full".into() };
    stage.handle(failed);
    assert!(stage.handle(found(&rows, &Retired::default())).is_empty());
    assert_eq!(text(&stage.step_1(ANN, &[0])), "one two");
}

#[test]
fn the_encoded_state_is_shared_and_forgotten_when_nobody_comes() {
    let (_, rows) = log();
    let mut stage = Stage::new();
    stage.handle(loaded(&rows, &Retired::default()));
    stage.join(ANN);
    assert!(!stage.holds_full());
    stage.step_1(ANN, &[0]);
    stage.now += FULL_KEPT / 2;
    stage.join(BO);
    assert_eq!(text(&stage.step_1(BO, &[0])), "One two");
    stage.now += FULL_KEPT / 2;
    stage.handle(Input::Tick);
    assert!(stage.holds_full(), "somebody has come lately");
    stage.now += FULL_KEPT / 2;
    stage.handle(Input::Tick);
    assert!(!stage.holds_full());
}
