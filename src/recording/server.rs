//! The server that a recording is played onto: one that runs somewhere, or a process of our own with
//! a database that goes with it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// A recording is no stranger: how fast the server is should be seen, not its limit.
const SETTINGS: [&str; 3] = [
    "limits.connection_messages_per_s_max=4294967295",
    "limits.connection_bytes_per_s_max=4294967295",
    "log.filter=error",
];

/// What its first line begins with.
const READY: &str = "coscribe is ready at http://";

/// Where the connections go.
pub(super) enum Server {
    At(String),
    /// Locked while it starts again; whoever wants to connect waits.
    Own(Mutex<Own>),
}

/// A process, killed when this is dropped.
pub(super) struct Own {
    program: PathBuf,
    directory: TempDir,
    running: Running,
}

struct Running {
    child: Child,
    url: String,
    /// Closed, it would be a line too late to write.
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts `program serve` with an empty database.
    ///
    /// # Errors
    /// Says in words why it does not start.
    pub async fn start(program: &Path) -> Result<Self, String> {
        let directory =
            tempfile::tempdir().map_err(|e| format!("cannot make a temporary directory: {e}"))?;
        let running = start(program, directory.path()).await?;
        Ok(Self::Own(Mutex::new(Own { program: program.to_owned(), directory, running })))
    }

    /// Where it is now, without a path.
    pub async fn url(&self) -> String {
        match self {
            Self::At(url) => url.clone(),
            Self::Own(own) => own.lock().await.running.url.clone(),
        }
    }

    /// Kills it, and starts it again with its database.
    ///
    /// # Errors
    /// It is not ours, or does not start again.
    pub async fn kill(&self) -> Result<(), String> {
        let Self::Own(own) = self else { return Err("the server is not ours to kill".into()) };
        let mut own = own.lock().await;
        own.running.end();
        own.running = start(&own.program, own.directory.path()).await?;
        Ok(())
    }
}

impl Running {
    fn end(&mut self) {
        // It may have ended by itself; nobody is left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

async fn start(program: &Path, directory: &Path) -> Result<Running, String> {
    let failed = |e: &dyn std::fmt::Display| format!("{} does not start: {e}", program.display());
    let mut command = Command::new(program);
    command.args(["serve", "--listen", "127.0.0.1:0", "--anonymous", "write", "--database"]);
    command.arg(directory.join("replay.db"));
    command.args(SETTINGS.iter().flat_map(|setting| ["--set", setting]));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|e| failed(&e))?;
    let output = child.stdout.take().ok_or_else(|| failed(&"it has no output"))?;
    let mut output = BufReader::new(output);
    let first = spawn_blocking(move || {
        let mut line = String::new();
        output.read_line(&mut line).map(|_| (line, output))
    });
    let read = first.await.map_err(|e| failed(&e)).and_then(|read| read.map_err(|e| failed(&e)));
    let mut running = match read {
        Ok((line, output)) => Running { child, url: line, _output: output },
        Err(why) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(why);
        }
    };
    let address = running.url.trim_end().strip_prefix(READY);
    let url = address.map(|address| format!("ws://{address}"));
    running.url = url.ok_or_else(|| failed(&"its first line names no address"))?;
    Ok(running)
}
