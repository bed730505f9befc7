//! What happened, line by line: nothing in the normal run, printed when one seed is looked at.

/// Where the lines go.
pub enum Trace {
    /// Nowhere; they are not even made.
    Off,
    /// To standard output.
    Print,
    /// Into a list, to compare two runs.
    Keep(Vec<String>),
}

/// Longer lines are cut.
const LINE_CHARS_MAX: usize = 400;

impl Trace {
    /// Notes one line.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        match self {
            Self::Off => {}
            Self::Print => println!("{}", cut(line())),
            Self::Keep(lines) => lines.push(line()),
        }
    }
}

fn cut(line: String) -> String {
    match line.char_indices().nth(LINE_CHARS_MAX) {
        Some((at, _)) if !line.contains('\n') => format!("{}…", &line[..at]),
        _ => line,
    }
}
