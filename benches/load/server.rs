//! The server under test: started, watched, killed and started again by the generator.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::clock::Stopwatch;

/// A server that does not listen by then is not waited for.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// A server that was asked to end and has not by then is killed.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether a server listens, or has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Linux counts the CPU time of other processes in these.
const TICKS_PER_S: f64 = 100.0;

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// A command line for `sh`, in which {port} and {data} are filled in.
    pub command: String,
    /// Where it shall listen, on 127.0.0.1.
    pub port: u16,
    /// A folder in which it may keep what it wants; made and removed by the generator.
    pub data: PathBuf,
}

/// A running server. It is killed, and its folder removed, when this is dropped.
pub struct Server {
    recipe: Recipe,
    child: Child,
}

impl Server {
    /// Starts a server with an empty folder and waits until it listens.
    ///
    /// # Errors
    /// It ends, or it does not listen within twenty seconds.
    pub fn start(recipe: &Recipe) -> Result<Self> {
        // Of an earlier run that was killed.
        let _ = fs::remove_dir_all(&recipe.data);
        fs::create_dir_all(&recipe.data).context("no folder for the server's data")?;
        let mut server = Self { child: spawn(recipe)?, recipe: recipe.clone() };
        server.wait()?;
        Ok(server)
    }

    /// Takes the server away without a warning (SIGKILL).
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks the server to end (SIGTERM), and takes it away where it does not within ten seconds.
    pub fn end(&mut self) {
        let asked = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.pid())]).status();
        let since = Stopwatch::start();
        while asked.is_ok() && since.elapsed() < END_TIMEOUT {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        self.kill();
    }

    /// Starts it again with the folder as it is.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.child = spawn(&self.recipe)?;
        self.wait()
    }

    /// Seconds of CPU time, of the server and its children.
    pub fn cpu_s(&self) -> f64 {
        self.processes().iter().filter_map(|pid| ticks(pid)).sum::<f64>() / TICKS_PER_S
    }

    /// KiB of memory that are in use now, of the server and its children.
    pub fn memory_kib(&self) -> u64 {
        self.sum_of("VmRSS:")
    }

    /// The most KiB that were in use since the start or since [`Self::forget_peak`].
    pub fn memory_peak_kib(&self) -> u64 {
        self.sum_of("VmHWM:")
    }

    /// From here on the most memory in use is measured anew.
    pub fn forget_peak(&self) {
        for pid in self.processes() {
            // Where this is not allowed the peak is that since the start, which is not less.
            let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    fn processes(&self) -> Vec<String> {
        let mut found = vec![self.pid()];
        let mut looked = 0;
        while looked < found.len() {
            let pid = &found[looked];
            looked += 1;
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
            found.extend(children.unwrap_or_default().split_whitespace().map(str::to_owned));
        }
        found
    }

    fn sum_of(&self, key: &str) -> u64 {
        let of = |pid: &String| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        self.processes().iter().filter_map(of).sum()
    }

    fn wait(&mut self) -> Result<()> {
        let since = Stopwatch::start();
        while since.elapsed() < START_TIMEOUT {
            if TcpStream::connect(("127.0.0.1", self.recipe.port)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}: {}", last_words(&self.recipe.data));
            }
            thread::sleep(LOOK_EVERY);
        }
        bail!(
            "the server does not listen on port {}: {}",
            self.recipe.port,
            last_words(&self.recipe.data)
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.recipe.data);
    }
}

fn spawn(recipe: &Recipe) -> Result<Child> {
    let data = recipe.data.display().to_string();
    let line = recipe.command.replace("{port}", &recipe.port.to_string()).replace("{data}", &data);
    let log = File::options().create(true).append(true).open(recipe.data.join("log"))?;
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {line}")]).stdin(Stdio::null());
    shell.stdout(log.try_clone()?).stderr(log);
    shell.spawn().with_context(|| format!("cannot start {line}"))
}

fn last_words(data: &Path) -> String {
    let log = fs::read_to_string(data.join("log")).unwrap_or_default();
    let lines: Vec<_> = log.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

/// User and system time of a process, and of its children that have ended.
fn ticks(pid: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in brackets, may have spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    Some(
        fields
            .split_whitespace()
            .skip(11)
            .take(4)
            .filter_map(|field| field.parse::<f64>().ok())
            .sum(),
    )
}
