//! Which documents are live, and where: loads each once, retires the idle ones without losing a
//! message, and starts a new actor where one has ended.
//!
//! The hub alone starts document actors. A document that wants to end asks; the hub takes it off
//! the list first and then tells it to retire, so that whatever was sent before is handled before,
//! and whoever asks meanwhile waits for the answer.

use std::collections::HashMap;

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::document::actor::{DocumentActor, Flush, News, Report, Retire, Shared, Tell};
use crate::document::input::Input;
use crate::id::DocumentId;

/// Messages that may wait for the hub.
const MAILBOX_LEN: usize = 1024;

/// Stack of a document thread: deleting deeply nested elements recurses in the CRDT library, and a
/// stack that overflows ends the process. The depth is bounded as well; this is the second line.
const STACK_BYTES: usize = 64 << 20;

/// "Where is this document?" Starts it where it is not live.
#[derive(Debug, Message)]
#[rtype(result = "Result<Addr<DocumentActor>, NoRoom>")]
pub struct Open(pub DocumentId);

/// "Get everything that was accepted into the log, in every document."
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FlushAll;

/// "This document has been deleted", or is not any more: if it is live, whoever is in it is told,
/// and the store is asked again before anybody else is let in.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct EndDeleted(pub DocumentId);

/// "Nothing that this document had under way may reach the store any more": answered when that is so.
/// The document has been deleted; whoever opens it meanwhile is told so.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Evict(pub DocumentId);

/// No further document can be live now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// As many documents as the limit allows are live.
    #[error("the server has its limit of {max} documents open; please try again later")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The document was about to end when the server did.
    #[error("the server is stopping")]
    Stopping,
}

/// The registry of live documents.
pub struct Hub {
    shared: Shared,
    threads: DocumentThreads,
    documents_max: usize,
    documents: HashMap<DocumentId, Entry>,
    generation: u64,
}

struct Entry {
    addr: Addr<DocumentActor>,
    generation: u64,
    /// Where it lives.
    thread: usize,
    /// `Some` while it is retiring: those who wait for what comes of that.
    waiters: Option<Vec<oneshot::Sender<Addr<DocumentActor>>>>,
}

impl Hub {
    /// A hub that spreads documents over `threads`.
    pub fn new(shared: Shared, threads: DocumentThreads, documents_max: usize) -> Self {
        Self { shared, threads, documents_max, documents: HashMap::new(), generation: 0 }
    }

    fn start_document(&mut self, id: &DocumentId, ctx: &Context<Self>) -> Addr<DocumentActor> {
        self.generation += 1;
        let generation = self.generation;
        let (shared, hub) = (self.shared.clone(), ctx.address().recipient());
        let document = id.clone();
        let (thread, arbiter) = self.threads.with_room();
        let addr = DocumentActor::start_in_arbiter(arbiter, move |_| {
            DocumentActor::new(document, generation, shared, hub)
        });
        let entry = Entry { addr: addr.clone(), generation, thread, waiters: None };
        if let Some(ended) = self.documents.insert(id.clone(), entry) {
            self.threads.leave(ended.thread);
        }
        addr
    }
}

impl Actor for Hub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_LEN);
    }
}

impl Handler<Open> for Hub {
    type Result = ResponseFuture<Result<Addr<DocumentActor>, NoRoom>>;

    fn handle(&mut self, Open(id): Open, ctx: &mut Self::Context) -> Self::Result {
        if let Some(entry) = self.documents.get_mut(&id).filter(|e| e.addr.connected()) {
            let Some(waiters) = &mut entry.waiters else {
                return Box::pin(std::future::ready(Ok(entry.addr.clone())));
            };
            let (tell, told) = oneshot::channel();
            waiters.push(tell);
            return Box::pin(async move { told.await.map_err(|_| NoRoom::Stopping) });
        }
        if self.documents.len() >= self.documents_max {
            let threads = &mut self.threads;
            self.documents.retain(|_, entry| {
                let is_live = entry.addr.connected();
                if !is_live {
                    threads.leave(entry.thread);
                }
                is_live
            });
        }
        let found = if self.documents.len() >= self.documents_max {
            Err(NoRoom::TooMany { max: self.documents_max })
        } else {
            Ok(self.start_document(&id, ctx))
        };
        Box::pin(std::future::ready(found))
    }
}

impl Handler<Report> for Hub {
    type Result = ();

    fn handle(&mut self, report: Report, ctx: &mut Self::Context) {
        let Report { document, generation, news } = report;
        let Some(entry) = self.documents.get_mut(&document) else { return };
        if entry.generation != generation {
            return;
        }
        match news {
            News::Idle => {
                // A mailbox that is full is not idle; the document asks again.
                if entry.addr.try_send(Retire).is_ok() {
                    entry.waiters.get_or_insert_default();
                }
            }
            News::Kept => {
                for waiter in entry.waiters.take().unwrap_or_default() {
                    // Whoever waited may have gone.
                    let _ = waiter.send(entry.addr.clone());
                }
            }
            News::Ended => {
                let Some(ended) = self.documents.remove(&document) else { return };
                self.threads.leave(ended.thread);
                let waiters = ended.waiters.unwrap_or_default();
                if !waiters.is_empty() {
                    let addr = self.start_document(&document, ctx);
                    for waiter in waiters {
                        // As above.
                        let _ = waiter.send(addr.clone());
                    }
                }
            }
        }
    }
}

impl Handler<EndDeleted> for Hub {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, EndDeleted(id): EndDeleted, _: &mut Self::Context) -> Self::Result {
        let addr = self.documents.get(&id).map(|entry| entry.addr.clone());
        Box::pin(async move {
            if let Some(addr) = addr {
                // A document that has ended has nobody in it.
                let _ = addr.send(Tell(Input::Deleted)).await;
            }
        })
    }
}

impl Handler<Evict> for Hub {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Evict(id): Evict, _: &mut Self::Context) -> Self::Result {
        let addr = self.documents.get(&id).map(|entry| entry.addr.clone());
        Box::pin(async move {
            let Some(addr) = addr else { return };
            // It ends its sessions when it hears this first, and itself when it hears it again; what
            // it waits for ends with it.
            while addr.send(Tell(Input::Deleted)).await.is_ok() {}
        })
    }
}

impl Handler<FlushAll> for Hub {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: FlushAll, _: &mut Self::Context) -> Self::Result {
        let addrs: Vec<_> = self.documents.values().map(|entry| entry.addr.clone()).collect();
        Box::pin(async move {
            let flushes = addrs.into_iter().map(|addr| async move {
                // A document that has ended has nothing left to flush.
                let _ = addr.send(Flush).await;
            });
            futures_util::future::join_all(flushes).await;
        })
    }
}

/// The threads that documents live on.
pub struct DocumentThreads {
    systems: Vec<System>,
    arbiters: Vec<ArbiterHandle>,
    /// Documents on each.
    documents: Vec<usize>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl DocumentThreads {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// The machine has no thread left.
    pub fn start(count: usize) -> std::io::Result<Self> {
        let (systems, arbiters, documents, threads) = (vec![], vec![], vec![], vec![]);
        let mut started = Self { systems, arbiters, documents, threads };
        for number in 0..count.max(1) {
            let (tell, told) = std::sync::mpsc::channel();
            let run = move || {
                let runner = System::new();
                let system = System::current();
                // The starter waits for this message, so it is there to take it.
                let _ = tell.send((system.arbiter().clone(), system));
                runner.block_on(std::future::pending::<()>());
            };
            let builder = std::thread::Builder::new().name(format!("documents-{number}"));
            let thread = builder.stack_size(STACK_BYTES).spawn(run)?;
            let (arbiter, system) = told.recv().map_err(std::io::Error::other)?;
            started.arbiters.push(arbiter);
            started.documents.push(0);
            started.systems.push(system);
            started.threads.push(thread);
        }
        Ok(started)
    }

    /// Runs `work` on the document thread where there is only one, otherwise here: what it spawns stays
    /// there. On a single core each thread that a keystroke passes through costs more than the work.
    ///
    /// # Panics
    /// The document thread has died.
    pub async fn gather<T: Send + 'static, F: Future<Output = T> + 'static>(
        &self,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> T {
        let [arbiter] = self.arbiters.as_slice() else { return work().await };
        let (tell, told) = oneshot::channel();
        arbiter.spawn_fn(move || {
            actix::spawn(async move {
                // Whoever asked may have gone.
                let _ = tell.send(work().await);
            });
        });
        told.await.expect("a document thread lives as long as the server")
    }

    /// The thread with the fewest documents; one more lives there now. So two that are open at the
    /// same time share a thread only where there are more of them than threads.
    fn with_room(&mut self) -> (usize, &ArbiterHandle) {
        let fewest = (0..self.documents.len()).min_by_key(|thread| self.documents[*thread]);
        let thread = fewest.unwrap_or(0);
        self.documents[thread] += 1;
        (thread, &self.arbiters[thread])
    }

    fn leave(&mut self, thread: usize) {
        self.documents[thread] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_lives_on_the_thread_with_the_fewest() {
        let mut threads = DocumentThreads::start(3).expect("threads");
        let mut next = || threads.with_room().0;
        assert_eq!([next(), next(), next(), next()], [0, 1, 2, 0]);
        threads.leave(1);
        assert_eq!(threads.with_room().0, 1, "which had none any more");
    }
}
