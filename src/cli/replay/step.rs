//! A recording in a terminal, one event a key press; without a terminal, all lines at once.

use std::io::{IsTerminal, Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::recording::{Recording, Story, Told};

/// Colours of connections, in turn; 256-colour numbers that can be read on black and on white.
const COLORS: [u8; 6] = [33, 160, 34, 133, 172, 37];

const HELP: &str =
    "Enter or space: the next event; a number and Enter: so many; q: the end of it\n";

/// Tells the recording, as fast as somebody wants to read it.
pub(super) fn run(recording: &Recording) -> anyhow::Result<()> {
    let mut story = Story::new(recording)?;
    let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let keys = is_terminal.then(Keys::new);
    if keys.is_some() {
        super::super::say(HELP)?;
    }
    loop {
        let count = match &keys {
            Some(keys) => keys.wait()?,
            None => Some(usize::MAX),
        };
        let Some(count) = count else { return Ok(()) };
        for _ in 0..count {
            let Some(told) = story.step()? else { return Ok(()) };
            super::super::say(&line(&told, is_terminal))?;
        }
    }
}

/// When, who, what, and under it the text around.
fn line(told: &Told, is_colored: bool) -> String {
    let Told { t, connection, who, what, around } = told;
    let who = plain(who);
    let who = match connection {
        Some(number) if is_colored => {
            let color = COLORS[*number as usize % COLORS.len()];
            format!("\x1b[1;38;5;{color}m{who}\x1b[0m")
        }
        _ => who,
    };
    let seconds = format!("{}.{:03}", t / 1_000, t % 1_000);
    let around = if around.is_empty() { String::new() } else { format!("{:>13}{around}\n", "") };
    format!("{seconds:>10} s {who} {}\n{around}", plain(what))
}

/// Nothing in a name may move the cursor.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

/// Keys one at a time; the terminal is as it was when this is dropped.
struct Keys {
    /// What `stty` calls the settings that were there; `None` where it cannot change them, and a key
    /// counts after Enter.
    before: Option<String>,
}

impl Keys {
    fn new() -> Self {
        let before = stty(&["-g"]);
        let is_set = before.is_some() && stty(&["-icanon", "-echo", "-isig", "min", "1"]).is_some();
        Self { before: before.filter(|_| is_set) }
    }

    /// How many events are wanted; `None`: no more.
    fn wait(&self) -> anyhow::Result<Option<usize>> {
        let mut digits = String::new();
        for byte in std::io::stdin().lock().bytes() {
            match byte? {
                // Ctrl-C and Ctrl-D as well: they are keys as any other here.
                b'q' | 3 | 4 => return Ok(None),
                digit @ b'0'..=b'9' if digits.len() < 9 => {
                    digits.push(digit.into());
                    if self.before.is_some() {
                        write!(std::io::stdout(), "{}", char::from(digit))?;
                        std::io::stdout().flush()?;
                    }
                }
                b'\n' | b'\r' | b' ' => {
                    if !digits.is_empty() && self.before.is_some() {
                        super::super::say("\n")?;
                    }
                    return Ok(Some(digits.parse().unwrap_or(1)));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            stty(&[before]);
        }
    }
}

/// What `stty` says about our terminal; `None` where it cannot.
fn stty(arguments: &[&str]) -> Option<String> {
    let output = Command::new("stty")
        .args(arguments)
        .stdin(Stdio::inherit())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
