//! An outcome as the XML that continuous integration reads.
//!
//! Source: what Jenkins, GitLab and GitHub's readers have in common of the JUnit format.

use std::fmt::Write as _;

use super::outcome::Outcome;

impl Outcome {
    /// JUnit XML: one suite with a case for each thing that must hold. `name`: what was played.
    pub fn to_junit(&self, name: &str) -> String {
        let Self { differences, edits, acknowledged, lost, seconds, seed, .. } = self;
        let cases = [
            ("everybody has the recorded end", differences.join("\n")),
            (
                "every edit is acknowledged",
                said(acknowledged != edits, format!("{acknowledged} of {edits} were")),
            ),
            (
                "nothing that was acknowledged is lost",
                said(!lost.is_empty(), format!("events {lost:?} are missing")),
            ),
        ];
        let failures = cases.iter().filter(|(_, failure)| !failure.is_empty()).count();
        let name = escaped(name);
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"coscribe replay {name}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" time=\"{seconds:.3}\">\n  \
             <properties><property name=\"seed\" value=\"{seed}\"/></properties>\n",
            cases.len(),
        );
        for (case, failure) in &cases {
            // Writing to memory does not fail.
            let _ = write!(xml, "  <testcase classname=\"{name}\" name=\"{case}\"");
            let _ = match failure.lines().next() {
                None => writeln!(xml, "/>"),
                Some(first) => writeln!(
                    xml,
                    "><failure message=\"{}\">{}</failure></testcase>",
                    escaped(first),
                    escaped(failure)
                ),
            };
        }
        xml + "</testsuite>\n"
    }
}

fn said(is_so: bool, words: String) -> String {
    if is_so { words } else { String::new() }
}

/// What XML allows, with the rest as question marks.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            _ if c.is_control() => out.push('?'),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::recording::{Recording, Replay};

    #[test]
    fn a_difference_is_a_failure_that_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recordings/");
        let recording = Recording::load(format!("{folder}session.jsonl")).expect("a recording");
        let mut outcome = Replay::new(&recording).run().expect("it can be played");
        let passed = outcome.to_junit("a<b>.jsonl");
        assert!(passed.contains("failures=\"0\""), "{passed}");
        assert!(passed.contains("a&lt;b&gt;.jsonl") && !passed.contains("<failure"), "{passed}");
        outcome.differences = vec!["\"x\" & <y>\u{1}".into(), "more".into()];
        outcome.lost = vec![3];
        let failed = outcome.to_junit("b");
        assert!(failed.contains("failures=\"2\""), "{failed}");
        assert!(failed.contains("message=\"&quot;x&quot; &amp; &lt;y&gt;?\">"), "{failed}");
        assert!(failed.contains("events [3] are missing"), "{failed}");
    }
}
