//! Puts the server together, runs it, and ends it in order.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr};
use actix_web::dev::{Server, ServerHandle};
use anyhow::Context as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::access::{Access, Keys, OriginRule, anonymous_level, jwks};
use crate::config::Config;
use crate::document::actor::Shared;
use crate::document::core::CoreLimits;
use crate::history::{self, Archive, Policy};
use crate::http::{self, Doors, Proxies, Site, Turns};
use crate::hub::{DocumentThreads, FlushAll, Hub};
use crate::metrics::Metrics;
use crate::session::Services;
use crate::store::{Store, StoreOptions};

/// How often ending looks whether all sockets are gone.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// A server that has its address and its database.
pub struct App {
    address: SocketAddr,
    server: Server,
    handle: ServerHandle,
    hub: Addr<Hub>,
    store: Store,
    metrics: Arc<Metrics>,
    /// Keep the key set fresh, and history as thin as the settings say.
    chores: Vec<JoinHandle<()>>,
    stopping: watch::Sender<bool>,
    shutdown_timeout: Duration,
}

impl App {
    /// Opens the database, starts the document threads, takes the address.
    ///
    /// # Errors
    /// Says in words for people what is in the way.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        anonymous_level(&config)?;
        let keys = Arc::new(Keys::load(&config.auth)?);
        let proxies = Proxies::new(&config)?;
        let listener = TcpListener::bind(config.listen)
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_addr()?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads =
            DocumentThreads::start(threads).context("cannot start the document threads")?;
        let options = StoreOptions::new(&config);
        let store = threads.gather(move || Store::open(options)).await?;
        let access = Access::new(&config, keys.clone(), store.clone()).await?;
        let archive = Archive::new(store.clone(), config.history.cache_bytes_max);
        let mut chores = vec![actix_web::rt::spawn(jwks::keep_fresh(keys))];
        let kept = &config.history;
        if let Some(policy) = Policy::of_days(kept.keep_edits_days, kept.keep_hours_days) {
            let thinning = history::keep_thinning(store.clone(), archive.clone(), policy);
            chores.push(actix_web::rt::spawn(thinning));
        }
        let metrics = Arc::new(Metrics::new());
        let shared = Shared {
            store: store.clone(),
            limits: CoreLimits::new(&config),
            mailbox_len: config.limits.mailbox_len,
            idle_timeout: Duration::from_millis(config.timing.idle_timeout_ms),
            versions_max: config.limits.document_versions_max,
            archive: archive.clone(),
            packing: history::start_packing(store.clone()),
            metrics: metrics.clone(),
        };
        let hub = Hub::new(shared, threads, config.limits.documents_live_max).start();
        let (stopping, stopped) = watch::channel(false);
        let origins = OriginRule::new(&config);
        let doors = Doors::new(&config.limits);
        let shutdown_timeout = Duration::from_millis(config.timing.shutdown_timeout_ms);
        let request_timeout = Duration::from_millis(config.timing.request_timeout_ms);
        let services = Services::new(hub.clone(), access, config, metrics.clone(), stopped);
        let services = Arc::new(services);
        let (exports, turns) = (http::exports(), Turns::new());
        let site = Site {
            services,
            store: store.clone(),
            archive,
            exports,
            turns,
            origins,
            proxies,
            doors,
        };
        let server = http::serve(listener, site, request_timeout)?;
        let handle = server.handle();
        Ok(Self {
            address,
            server,
            handle,
            hub,
            store,
            metrics,
            chores,
            stopping,
            shutdown_timeout,
        })
    }

    /// The address that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `signal` is ready, then ends: stops accepting, gets everything that was
    /// accepted into the log, closes sockets, closes the database.
    ///
    /// # Errors
    /// The server could not go on by itself.
    pub async fn run(self, signal: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self {
            server, handle, hub, store, metrics, chores, stopping, shutdown_timeout, ..
        } = self;
        let serving = actix_web::rt::spawn(server);
        signal.await;
        info!("stopping");
        chores.iter().for_each(JoinHandle::abort);
        handle.pause().await;
        stopping.send_replace(true);
        if timeout(shutdown_timeout, drain(&hub, &metrics)).await.is_err() {
            warn!("some sockets or documents did not end in time and are given up");
        }
        handle.stop(false).await;
        store.close().await;
        serving.await.context("the server thread failed")??;
        info!("stopped");
        Ok(())
    }
}

/// Waits until all sockets have closed (each flushes its documents first) and nothing waits for
/// the log.
async fn drain(hub: &Addr<Hub>, metrics: &Metrics) {
    while metrics.connections.get() > 0 {
        sleep(DRAIN_POLL).await;
    }
    // A hub that has ended has no documents.
    let _ = hub.send(FlushAll).await;
}
