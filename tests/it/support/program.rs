//! The program itself, in a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use super::Server;

/// A process of the program; killed when it is dropped.
pub struct Program {
    child: Child,
    out: BufReader<ChildStdout>,
}

/// How a process ended.
pub struct Ended {
    pub status: ExitStatus,
    pub errors: String,
}

impl Program {
    /// Serves a database on a free port.
    pub fn serve(database: &Path) -> Self {
        let database = database.to_str().expect("a path of UTF-8");
        Self::run(&["serve", "--listen", "127.0.0.1:0", "--database", database])
    }

    /// Runs a command, with nothing on its standard input.
    pub fn run(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_coscribe"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let out = child.stdout.take().expect("standard output is piped");
        Self { child, out: BufReader::new(out) }
    }

    /// The next line of its output; empty at the end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("output that can be read");
        line
    }

    fn address(&mut self) -> SocketAddr {
        let line = self.line();
        let address = line.strip_prefix("coscribe is ready at http://").map(str::trim_end);
        address.and_then(|a| a.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"))
    }

    /// Reads the first line of its output, and talks to the server at the address there.
    pub fn server(&mut self) -> Server {
        Server::at(self.address())
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill can be run");
        assert!(sent.success());
    }

    /// Waits until it has ended by itself.
    pub fn ended(mut self) -> Ended {
        let mut errors = String::new();
        let mut pipe = self.child.stderr.take().expect("standard error is piped");
        pipe.read_to_string(&mut errors).expect("errors that can be read");
        Ended { status: self.child.wait().expect("a status"), errors }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has usually ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
