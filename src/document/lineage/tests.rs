//! Copies of an earlier life, one rule each. What many of them do at once is for `tests/sim`.

use super::super::core::CoreLimits;
use super::super::input::{Input, Loaded};
use super::*;
use crate::config::Config;
use crate::crdt::{Desk, LintLimits, Replica};
use crate::id::{ConnectionId, Seq};
use crate::wire::awareness::Entry;

/// Wrote in the earlier life.
const OLD: u64 = 7;
/// Writes in the present one.
const NEW: u64 = 100;

const ANN: SessionId = SessionId(1);
const BO: SessionId = SessionId(2);

/// A document with an earlier life, and what its core asks for.
struct Stage {
    core: Core,
    now: Duration,
    seq: u64,
}

impl Stage {
    /// Whose text says "new", and whose earlier one was written by [`OLD`].
    fn new() -> Self {
        let mut core = Core::new(CoreLimits::new(&Config::default()));
        let text = Desk::new(NEW, "body").replace(0..0, "new").expect("a place in the text");
        let loaded = Loaded {
            examine_from: None,
            replica: Replica::restore(None, &[text]).expect("a log"),
            last: Seq(1),
            rows: 1,
            bytes: 0,
            snapshot_bytes: 0,
            retired: Retired::new([Bytes::from_static(&[1, 7, 3])]),
        };
        core.handle(Input::Tick, Duration::ZERO);
        core.handle(Input::Loaded(Box::new(loaded)), Duration::ZERO);
        Self { core, now: Duration::ZERO, seq: 1 }
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        self.core.handle(input, self.now)
    }

    fn join(&mut self, session: SessionId, greeting: Greeting) -> Vec<Effect> {
        self.join_as(session, greeting, true)
    }

    fn join_as(&mut self, session: SessionId, greeting: Greeting, may_write: bool) -> Vec<Effect> {
        let (connection, user, strict) = (ConnectionId(session.0), None, false);
        let about = About { connection, user, may_write, greeting, strict };
        self.handle(Input::Joined { session, about })
    }

    fn step_1(&mut self, session: SessionId, state_vector: &'static [u8]) -> Vec<Effect> {
        self.handle(Input::SyncStep1 { session, state_vector: state_vector.into() })
    }

    fn bring(&mut self, session: SessionId, bytes: &Bytes, whole: bool) -> Vec<Effect> {
        self.handle(Input::Update { session, bytes: bytes.clone(), whole, may_write: true })
    }

    /// As [`Self::bring`], and the log takes it.
    fn write(&mut self, session: SessionId, bytes: &Bytes) -> Vec<Effect> {
        let effects = self.bring(session, bytes, false);
        assert!(matches!(effects[..], [Effect::Append { .. }]), "{effects:?}");
        self.seq += 1;
        self.handle(Input::Committed { last: Seq(self.seq), durable: true })
    }

    fn kept(&mut self, session: SessionId, branch: &str) -> Vec<Effect> {
        self.handle(Input::BranchKept { session, branch: Some(branch.into()) })
    }
}

/// A copy of the earlier life: its text, then what was typed offline.
fn old_copy(offline: &[&str]) -> Bytes {
    let mut desk = Desk::new(OLD, "body");
    let mut updates = vec![desk.replace(0..0, "old").expect("a place in the text")];
    for piece in offline {
        updates.push(desk.replace(0..0, piece).expect("a place in the text"));
    }
    all_of(&updates)
}

fn all_of(updates: &[Bytes]) -> Bytes {
    Replica::restore(None, updates).expect("a log").encode_full()
}

fn typed(client: u64, text: &str) -> Bytes {
    Desk::new(client, "body").replace(0..0, text).expect("a place in the text")
}

fn retired(effects: &[Effect], who: SessionId) -> Option<Option<&str>> {
    effects.iter().find_map(|effect| match effect {
        Effect::End { session, why: Ending::Retired { branch } } if *session == who => {
            Some(branch.as_deref())
        }
        _ => None,
    })
}

/// What was sent or published to a session, content and questions alike.
fn heard(effects: &[Effect], who: SessionId) -> Vec<&Reply> {
    let of_who = |effect| match effect {
        &Effect::Send { session, ref reply } if session == who => Some(reply),
        Effect::Publish { reply, except } if !except.contains(&who) => Some(reply),
        _ => None,
    };
    effects.iter().filter_map(of_who).collect()
}

fn asks(effects: &[Effect], who: SessionId) -> bool {
    heard(effects, who).iter().any(|reply| matches!(reply, Reply::SyncStep1 { .. }))
}

fn shows_content(effects: &[Effect], who: SessionId) -> bool {
    let content = |reply: &&Reply| matches!(reply, Reply::SyncStep2 { .. } | Reply::Update { .. });
    heard(effects, who).iter().any(content)
}

fn branch(effects: &[Effect]) -> Option<(&Bytes, Option<&str>)> {
    effects.iter().find_map(|effect| match effect {
        Effect::KeepBranch { record, replaces, .. } => Some((&record.bytes, replaces.as_deref())),
        _ => None,
    })
}

#[test]
fn a_copy_of_an_earlier_life_is_asked_kept_and_told_and_shown_nothing() {
    for greeting in [Greeting::AtJoin, Greeting::AtSync] {
        let mut stage = Stage::new();
        let copy = old_copy(&["offline "]);
        stage.join(ANN, greeting);
        let known = stage.step_1(ANN, &[1, 7, 11]);
        assert!(!shows_content(&known, ANN), "{known:?}");
        assert!(asks(&known, ANN), "{known:?}");
        // What others write meanwhile is not for it, nor is what it says of itself for them.
        stage.join(BO, Greeting::AtJoin);
        stage.step_1(BO, &[0]);
        let written = stage.write(BO, &typed(101, "more"));
        assert!(shows_content(&written, BO) && !shows_content(&written, ANN), "{written:?}");
        let entries = vec![Entry { client: OLD, clock: 9, state: "{}".into() }];
        let said = stage.handle(Input::Awareness { session: ANN, entries });
        assert!(heard(&said, BO).is_empty(), "{said:?}");

        if greeting == Greeting::AtJoin {
            // That answers the greeting.
            assert!(stage.bring(ANN, &copy, true).is_empty());
        }
        let brought = stage.bring(ANN, &copy, true);
        assert_eq!(branch(&brought), Some((&copy, None)), "{brought:?}");
        assert_eq!(retired(&brought, ANN), None, "told before it is kept");
        assert!(!stage.core.is_idle());
        let told = stage.kept(ANN, "b1");
        assert_eq!(retired(&told, ANN), Some(Some("b1")));
        assert_eq!(stage.core.replica().map(|replica| replica.clock(OLD)), Some(0));
    }
}

#[test]
fn what_builds_on_an_earlier_life_is_known_by_that() {
    let mut desk = Desk::new(OLD, "body");
    let old = desk.replace(0..0, "old").expect("a place in the text");
    let mut other = Desk::new(200, "body");
    other.hear(&old).expect("an update");
    let builds_on = other.replace(3..3, "!").expect("a place in the text");
    let deletes = desk.replace(0..3, "").expect("a place in the text");
    for update in [old, builds_on, deletes] {
        for whole in [false, true] {
            let mut stage = Stage::new();
            stage.join(ANN, Greeting::AtJoin);
            stage.step_1(ANN, &[1, 100, 3]);
            let known = stage.bring(ANN, &update, whole);
            assert!(asks(&known, ANN), "{known:?}");
            // The answer to its greeting may still be on its way; the one that counts comes after.
            if !whole {
                let first = stage.bring(ANN, &Bytes::from_static(&[0, 0]), true);
                assert!(first.is_empty(), "{first:?}");
            }
            let copy = old_copy(&[]);
            assert_eq!(branch(&stage.bring(ANN, &copy, true)), Some((&copy, None)));
            assert_eq!(stage.core.replica().map(|replica| replica.clock(OLD)), Some(0));
        }
    }
}

#[test]
fn a_stranger_is_shown_and_changes_nothing_before_it_has_said_what_it_has() {
    let mut stage = Stage::new();
    stage.join(ANN, Greeting::AtSync);
    stage.join(BO, Greeting::AtJoin);
    stage.step_1(BO, &[0]);
    assert!(!shows_content(&stage.write(BO, &typed(101, "more")), ANN));
    let early = stage.bring(ANN, &typed(102, "early"), false);
    assert!(early.is_empty(), "{early:?}");
    // It is asked for that, and takes part from then on.
    let known = stage.step_1(ANN, &[1, 102, 5]);
    assert!(asks(&known, ANN) && !shows_content(&known, ANN), "{known:?}");
    // What it has is heard before it is shown what others wrote.
    let mut answered = stage.bring(ANN, &Bytes::from_static(&[0, 0]), true);
    answered.extend(stage.bring(ANN, &Bytes::from_static(&[0, 0]), true));
    assert!(shows_content(&answered, ANN), "{answered:?}");
    assert!(shows_content(&stage.write(BO, &typed(103, "and more")), ANN));
}

#[test]
fn a_request_is_answered_at_once() {
    let mut stage = Stage::new();
    stage.join(ANN, Greeting::Never);
    let copy = old_copy(&[]);
    let brought = stage.bring(ANN, &copy, false);
    assert_eq!(branch(&brought), Some((&copy, None)));
    assert!(!asks(&brought, ANN));
    assert_eq!(retired(&stage.kept(ANN, "b1"), ANN), Some(Some("b1")));
    // What holds no text is not kept.
    let mut desk = Desk::new(OLD, "body");
    desk.replace(0..0, "old").expect("a place in the text");
    let deletes = desk.replace(0..3, "").expect("a place in the text");
    stage.join(BO, Greeting::Never);
    assert_eq!(retired(&stage.bring(BO, &deletes, false), BO), Some(None));
    // One that has nothing to do with it is taken.
    let clean = SessionId(3);
    stage.join(clean, Greeting::Never);
    stage.write(clean, &typed(102, "clean"));
}

#[test]
fn a_readers_copy_is_told_and_not_kept() {
    let mut stage = Stage::new();
    stage.join_as(ANN, Greeting::AtSync, false);
    let known = stage.step_1(ANN, &[1, 7, 3]);
    assert_eq!(retired(&known, ANN), Some(None));
    assert!(!asks(&known, ANN) && branch(&known).is_none());
}

#[test]
fn whoever_brings_nothing_is_told_all_the_same() {
    let mut stage = Stage::new();
    stage.join(ANN, Greeting::AtSync);
    stage.step_1(ANN, &[1, 7, 3]);
    let due = stage.core.next_wake().expect("it has to be told");
    assert_eq!(due, PATIENCE);
    stage.now = due - Duration::from_millis(1);
    assert_eq!(retired(&stage.handle(Input::Tick), ANN), None);
    stage.now = due;
    assert_eq!(retired(&stage.handle(Input::Tick), ANN), Some(None));
    assert_eq!(stage.core.next_wake(), None);
}

#[test]
fn what_cannot_be_kept_is_told_as_not_saved() {
    let mut stage = Stage::new();
    stage.join(ANN, Greeting::AtSync);
    stage.step_1(ANN, &[1, 7, 3]);
    let unreadable = Bytes::from_static(&[9, 9, 9]);
    assert_eq!(retired(&stage.bring(ANN, &unreadable, true), ANN), Some(None));
    stage.join(BO, Greeting::Never);
    stage.bring(BO, &old_copy(&[]), false);
    let failed = stage.handle(Input::BranchKept { session: BO, branch: None });
    assert_eq!(retired(&failed, BO), Some(None));
}

#[test]
fn what_is_being_kept_is_bounded() {
    let mut stage = Stage::new();
    stage.core.limits.waiting_bytes_max = 1_000;
    let large = old_copy(&["x".repeat(1_500).as_str()]);
    let mut come = |session| {
        stage.join(SessionId(session), Greeting::Never);
        let brought = stage.bring(SessionId(session), &large, false);
        (branch(&brought).is_some(), stage.core.is_crowded())
    };
    assert_eq!(come(10), (true, true));
    assert_eq!(come(11), (false, true));
    stage.kept(SessionId(10), "b1");
    assert!(!stage.core.is_crowded());
    stage.join(SessionId(12), Greeting::Never);
    assert!(branch(&stage.bring(SessionId(12), &large, false)).is_some());
}

#[test]
fn a_flush_waits_for_what_is_being_kept() {
    let mut stage = Stage::new();
    stage.join(ANN, Greeting::Never);
    stage.bring(ANN, &old_copy(&[]), false);
    assert!(stage.handle(Input::Flush).is_empty());
    let told = stage.kept(ANN, "b1");
    assert!(told.iter().any(|effect| matches!(effect, Effect::Flushed)), "{told:?}");
}

#[test]
fn a_copy_that_comes_again_with_more_takes_its_own_place() {
    let mut stage = Stage::new();
    let mut session = 10;
    let mut come = |copy: &Bytes, id: &str| {
        session += 1;
        stage.join(SessionId(session), Greeting::Never);
        let brought = stage.bring(SessionId(session), copy, false);
        let replaces = branch(&brought).and_then(|(_, replaces)| replaces.map(str::to_owned));
        stage.kept(SessionId(session), replaces.as_deref().unwrap_or(id));
        replaces
    };
    assert_eq!(come(&old_copy(&["a"]), "b1"), None);
    assert_eq!(come(&old_copy(&["a", "b"]), "b2"), Some("b1".into()));
    // Nobody else's copy is in it.
    let mut other = Desk::new(200, "body");
    other.hear(&old_copy(&[])).expect("an update");
    let theirs = other.replace(0..0, "theirs").expect("a place in the text");
    assert_eq!(come(&all_of(&[old_copy(&[]), theirs]), "b3"), None);
    // It has what b1 has, and has deleted some of that.
    let mut desk = Desk::new(OLD, "body");
    let updates: Vec<Bytes> = [(0, 0, "old"), (0, 0, "a"), (0, 0, "b"), (1, 2, "")]
        .map(|(start, end, by)| desk.replace(start..end, by).expect("a place in the text"))
        .to_vec();
    assert_eq!(come(&all_of(&updates), "b4"), None);
    // What was typed and deleted since is no loss.
    let mut updates = updates;
    for (start, end, by) in [(0, 0, "x"), (0, 1, "")] {
        updates.push(desk.replace(start..end, by).expect("a place in the text"));
    }
    assert_eq!(come(&all_of(&updates), "b5"), Some("b4".into()));
}

#[test]
fn two_copies_that_go_on_from_the_same_one_do_not_take_each_others_place() {
    let mut stage = Stage::new();
    stage.join(ANN, Greeting::Never);
    stage.bring(ANN, &old_copy(&["a"]), false);
    stage.kept(ANN, "b1");
    let mut come = |session, more: &str| {
        stage.join(SessionId(session), Greeting::Never);
        let brought = stage.bring(SessionId(session), &old_copy(&["a", more]), false);
        branch(&brought).and_then(|(_, replaces)| replaces.map(str::to_owned))
    };
    // Two tabs come back before either of their branches is on disk.
    assert_eq!(come(10, "b"), Some("b1".into()));
    assert_eq!(come(11, "c"), None);
}

#[test]
fn a_document_without_an_earlier_life_knows_no_strangers() {
    let retired = Retired::new([]);
    assert!(retired.is_empty() && !retired.is_in_vector(&[1, 7, 3]));
    let retired = Retired::new([Bytes::from_static(&[1, 7, 0]), Bytes::from_static(&[1, 8, 1])]);
    let named = [&[1, 7, 1][..], &[1, 8, 0], &[1, 8, 1], &[2, 9, 1, 8, 1]];
    assert_eq!(named.map(|vector| retired.is_in_vector(vector)), [false, false, true, true]);
    let summary = crate::crdt::lint::lint(&typed(8, "x"), &LintLimits::default()).expect("honest");
    assert!(retired.is_in_update(&summary));
}
