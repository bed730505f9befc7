//! `coscribe serve`.

use std::io::{IsTerminal, Write};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::config::Config;
use crate::telemetry;

/// Serves until SIGTERM or Ctrl-C. The first line on standard output says where.
pub(super) fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start(&config.log)
        .with_context(|| format!("log.filter {:?} cannot be read", config.log.filter))?;
    let database = config.database.clone();
    actix_web::rt::System::new().block_on(async move {
        let app = App::start(config).await?;
        let address = app.address();
        let mut out = std::io::stdout();
        writeln!(out, "coscribe is ready at http://{address}")?;
        if out.is_terminal() {
            writeln!(out, "Notes are kept in {}. Press Ctrl-C to stop.", database.display())?;
        }
        out.flush()?;
        app.run(ended()?).await
    })
}

/// Ready when somebody asks the process to end.
fn ended() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
