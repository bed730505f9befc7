//! Editing traces, read as recordings.
//!
//! A trace says what was typed and where, so each author types at a desk of their own, and what the
//! desk makes is recorded. In a concurrent trace a transaction names its parents: its author had
//! seen exactly its ancestors, so exactly these are shown to the desk before. Positions count
//! Unicode code points. Source: `docs/recording.md`, Editing traces.

use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use serde::Deserialize;

use super::{Event, Expected, Header, LoadError, Recording, What};
use crate::crdt::{Desk, Typist};

/// The text that traces are typed into.
const ROOT: &str = "body";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    #[serde(default)]
    start_content: String,
    end_content: String,
    txns: Vec<Txn>,
}

#[derive(Deserialize)]
struct Txn {
    /// RFC 3339; the epoch where nobody knows.
    #[serde(default)]
    time: String,
    /// Position, how much goes, what comes.
    patches: Vec<(u32, u32, String)>,
    #[serde(default)]
    agent: usize,
    /// Indexes of earlier transactions. Without them it follows the one before.
    parents: Option<Vec<usize>>,
}

/// Reads a trace.
pub(super) fn import(text: &str) -> Result<Recording, LoadError> {
    let trace: Trace = serde_json::from_str(text).map_err(LoadError::Unknown)?;
    let mut typing = Typing::new(&trace)?;
    let mut times = Times::default();
    let mut events: Vec<Event> = (1..).take(typing.authors.len()).map(joined).collect();
    for (index, txn) in trace.txns.iter().enumerate() {
        let failed = |reason| LoadError::Transaction { index, reason };
        let t = times.read(&txn.time).map_err(failed)?;
        let updates = typing.take(index, txn).map_err(failed)?;
        let connection = txn.agent as u32 + 1;
        let update = |update| Event { t, what: What::Update { connection, update } };
        events.extend(updates.into_iter().map(update));
    }
    let expected = Expected::Text(trace.end_content);
    events.push(Event { t: times.last, what: What::End { root: ROOT.into(), expected } });
    let header = Header { start: typing.start, ..Header::new("trace", "an editing trace") };
    Ok(Recording { header, events })
}

fn joined(connection: u32) -> Event {
    Event { t: 0, what: What::Join { connection, name: String::new() } }
}

/// Everybody at their desks.
struct Typing {
    authors: Vec<Author>,
    typed: Vec<Typed>,
    /// Who types instead of the only author, where nothing but their own letters is on the desk:
    /// that is a hundred times as quick.
    alone: Option<Typist>,
    start: Option<Bytes>,
    /// There are characters of two UTF-16 units, so that positions have to be counted.
    has_wide: bool,
}

struct Author {
    desk: Desk,
    /// The author's transactions, as indexes.
    own: Vec<usize>,
    /// For each author: how many of their transactions are on this desk.
    seen: Vec<usize>,
}

/// A transaction that has been typed.
struct Typed {
    /// Empty where nobody else is there to hear of it.
    updates: Vec<Bytes>,
    /// For each author: how many of their transactions are among the ancestors and itself.
    seen: Vec<usize>,
}

impl Typing {
    fn new(trace: &Trace) -> Result<Self, LoadError> {
        let count = trace.txns.iter().map(|txn| txn.agent).max().unwrap_or(0).saturating_add(1);
        // Else a number in a file would decide how much memory is used.
        if count > trace.txns.len().max(1) {
            let reason = format!("{count} authors of {} transactions", trace.txns.len());
            return Err(LoadError::Transaction { index: 0, reason });
        }
        let texts = trace.txns.iter().flat_map(|txn| &txn.patches).map(|patch| &patch.2);
        let mut texts = texts.chain([&trace.start_content]);
        let has_wide = texts.any(|text| text.chars().any(|c| c.len_utf16() > 1));
        // Client ids order what two type at one place; the end of the concurrent public trace is
        // the one for ids that ascend with the agents.
        let author =
            |id| Author { desk: Desk::new(id, ROOT), own: Vec::new(), seen: vec![0; count] };
        let mut authors: Vec<Author> = (1..).take(count).map(author).collect();
        let failed = |reason| LoadError::Transaction { index: 0, reason };
        let start = type_start(count, &trace.start_content).map_err(failed)?;
        for author in authors.iter_mut().filter(|_| start.is_some()) {
            author.desk.hear(start.as_deref().unwrap_or_default()).map_err(failed)?;
        }
        let is_alone = count == 1 && start.is_none() && !has_wide;
        let alone = is_alone.then(|| Typist::new(1, ROOT));
        Ok(Self { authors, typed: Vec::new(), alone, start, has_wide })
    }

    /// Types one transaction; each patch is an update.
    fn take(&mut self, index: usize, txn: &Txn) -> Result<Vec<Bytes>, String> {
        let seen = self.seen(index, txn)?;
        self.hear(txn.agent, &seen)?;
        let has_others = self.authors.len() > 1;
        let author = &mut self.authors[txn.agent];
        let updates = txn
            .patches
            .iter()
            .map(|patch| match &mut self.alone {
                Some(typist) => typist.replace(range(patch), &patch.2).map_err(|e| e.to_string()),
                None => type_patch(&mut author.desk, patch, self.has_wide),
            })
            .collect::<Result<Vec<_>, _>>()?;
        author.own.push(index);
        author.seen[txn.agent] += 1;
        let seen = author.seen.clone();
        self.typed.push(Typed { updates: if has_others { updates.clone() } else { vec![] }, seen });
        Ok(updates)
    }

    /// What the author of a transaction had seen.
    fn seen(&self, index: usize, txn: &Txn) -> Result<Vec<usize>, String> {
        let before = index.checked_sub(1);
        let parents = txn.parents.clone().unwrap_or_else(|| before.into_iter().collect());
        let mut seen = vec![0; self.authors.len()];
        for parent in parents {
            let typed = self.typed.get(parent).ok_or(format!("parent {parent} comes later"))?;
            seen.iter_mut().zip(&typed.seen).for_each(|(all, one)| *all = (*all).max(*one));
        }
        if seen[txn.agent] != self.authors[txn.agent].own.len() {
            return Err("its author had not seen what they typed before".into());
        }
        Ok(seen)
    }

    /// Shows an author what they had seen and is not on their desk.
    fn hear(&mut self, agent: usize, seen: &[usize]) -> Result<(), String> {
        let mut news: Vec<usize> = Vec::new();
        for (other, author) in self.authors.iter().enumerate() {
            let before = self.authors[agent].seen[other];
            news.extend(&author.own[before.min(seen[other])..seen[other]]);
        }
        // A transaction comes after its ancestors in the trace.
        news.sort_unstable();
        let author = &mut self.authors[agent];
        for update in news.iter().flat_map(|index| &self.typed[*index].updates) {
            author.desk.hear(update)?;
        }
        author.seen.clone_from_slice(seen);
        Ok(())
    }
}

/// The text that a trace begins with, typed by somebody who is not in it.
fn type_start(authors: usize, text: &str) -> Result<Option<Bytes>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut desk = Desk::new(authors as u64 + 1, ROOT);
    desk.replace(0..0, text).map(Some).map_err(|e| e.to_string())
}

fn type_patch(desk: &mut Desk, patch: &(u32, u32, String), wide: bool) -> Result<Bytes, String> {
    let mut range = range(patch);
    if wide {
        let text = desk.text();
        let units: Vec<u32> = text.chars().map(|c| c.len_utf16() as u32).collect();
        let place = |point: u32| match units.get(..point as usize) {
            Some(before) => Ok(before.iter().sum()),
            None => Err(format!("position {point} is beyond the text's end at {}", units.len())),
        };
        range = place(range.start)?..place(range.end)?;
    }
    desk.replace(range, &patch.2).map_err(|e| e.to_string())
}

/// What a patch replaces, in code points.
fn range((start, gone, _): &(u32, u32, String)) -> Range<u32> {
    *start..start.saturating_add(*gone)
}

/// Turns times into milliseconds since the first one that is known.
#[derive(Default)]
struct Times {
    first: Option<Duration>,
    last: u64,
}

impl Times {
    fn read(&mut self, time: &str) -> Result<u64, String> {
        if time.is_empty() {
            return Ok(self.last);
        }
        let utc = time.strip_suffix("+00:00").map(|time| format!("{time}Z"));
        let at = humantime::parse_rfc3339_weak(utc.as_deref().unwrap_or(time))
            .map_err(|e| format!("time {time:?}: {e}"))?;
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        // At the epoch nobody typed: the recorder did not know.
        if !at.is_zero() {
            let since = at.saturating_sub(*self.first.get_or_insert(at)).as_millis();
            self.last = self.last.max(u64::try_from(since).unwrap_or(u64::MAX));
        }
        Ok(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(trace: &str) -> (Recording, String) {
        let recording = import(trace).expect("a trace");
        let mut desk = Desk::new(99, ROOT);
        let start = recording.header.start.clone();
        let typed = recording.events.iter().filter_map(|event| match &event.what {
            What::Update { update, .. } => Some(update.clone()),
            _ => None,
        });
        start.into_iter().chain(typed).for_each(|update| desk.hear(&update).expect("an update"));
        let text = desk.text();
        (recording, text)
    }

    #[test]
    fn a_sequential_trace_is_typed_by_one_author() {
        let (recording, text) = texts(
            r#"{"startContent":"ab","endContent":"aXY","txns":[
                {"time":"2021-01-01T00:00:01Z","patches":[[1,1,"X"]]},
                {"time":"2021-01-01T00:00:02.500Z","patches":[[2,0,"Z"],[2,1,"Y"]]}]}"#,
        );
        assert_eq!(text, "aXY");
        assert_eq!(recording.edits(), 3);
        assert_eq!(recording.events.last().map(|event| event.t), Some(1_500));
    }

    #[test]
    fn an_author_alone_types_the_same() {
        let patches = r#"{"patches":[[0,0,"tpe"],[1,0,"y"]]},{"patches":[[0,1,"T"],[4,0,"!"]]}"#;
        let trace = format!(r#"{{"endContent":"","txns":[{patches}]}}"#);
        assert_eq!(texts(&trace).1, "Type!");
        assert_eq!(texts(&trace.replace('!', "😀")).1, "Type😀");
    }

    #[test]
    fn what_was_typed_at_once_meets_by_client_id() {
        // Both write after the letter that both had seen; neither had seen the other's.
        let (_, text) = texts(
            r#"{"endContent":"","txns":[
                {"agent":0,"parents":[],"patches":[[0,0,"a"]]},
                {"agent":1,"parents":[0],"patches":[[1,0,"2"]]},
                {"agent":0,"parents":[0],"patches":[[1,0,"1"]]},
                {"agent":1,"parents":[1,2],"patches":[[3,0,"!"]]}]}"#,
        );
        assert_eq!(text, "a12!");
    }

    #[test]
    fn positions_count_code_points() {
        let (_, text) = texts(
            r#"{"endContent":"","txns":[{"patches":[[0,0,"😀b"]]},{"patches":[[1,1,"c"],[0,1,""]]}]}"#,
        );
        assert_eq!(text, "c");
    }

    #[test]
    fn what_is_no_trace_says_which_transaction() {
        for (txns, why) in [
            (r#"{"patches":[[1,0,"x"]]}"#, "transaction 0: the edit at 1..1 is beyond the text's"),
            (r#"{"parents":[0],"patches":[]}"#, "transaction 0: parent 0 comes later"),
            (r#"{"agent":7,"patches":[]}"#, "transaction 0: 8 authors of 1 transactions"),
            (r#"{"time":"noon","patches":[]}"#, "transaction 0: time \"noon\""),
            (
                r#"{"parents":[],"patches":[]},{"parents":[],"patches":[]}"#,
                "transaction 1: its author had not seen what they typed before",
            ),
        ] {
            let said = import(&format!(r#"{{"endContent":"","txns":[{txns}]}}"#));
            let said = said.expect_err("not a trace").to_string();
            assert!(said.starts_with(why), "{said}");
        }
    }
}
