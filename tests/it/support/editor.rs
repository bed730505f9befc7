//! A stand-in for a stock client: a Yjs document of its own, kept in step with the server, and a
//! memory of everything that the server said.

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{ClientID, Doc, GetString, ReadTxn, StateVector, Text, TextRef, Transact, Update};

use super::wire::{self, Said};
use super::{Dialect, Event, PATIENCE, Server, Socket, patiently};

/// The root that editors here write to.
const ROOT: &str = "body";

/// One open editor.
pub struct Editor {
    /// For what the model does not do by itself.
    pub socket: Socket,
    dialect: Dialect,
    address: String,
    client: u64,
    doc: Doc,
    text: TextRef,
    /// Only what came from the server.
    shown: Doc,
    /// Changes that have no positive answer, as the Hocuspocus provider counts them: one for a sync
    /// of its own, which starts the count anew, and one for each update.
    unanswered: usize,
    /// Everything that the server said, in order.
    pub heard: Vec<Said>,
}

impl Editor {
    /// Opens a document and waits until it has been synced.
    pub async fn open(server: &Server, dialect: Dialect, document: &str) -> Self {
        let mut editor = Self::connect(server, dialect, document).await;
        editor.synced().await;
        editor
    }

    /// Opens a document with a token and waits until it has been synced.
    pub async fn open_as(server: &Server, dialect: Dialect, document: &str, token: &str) -> Self {
        let mut editor = Self::connect_as(server, dialect, document, token).await;
        editor.synced().await;
        editor
    }

    /// Opens a document; the answers have not been read.
    pub async fn connect(server: &Server, dialect: Dialect, document: &str) -> Self {
        Self::connect_as(server, dialect, document, "").await
    }

    /// Opens a document with a token; the answers have not been read.
    pub async fn connect_as(
        server: &Server,
        dialect: Dialect,
        document: &str,
        token: &str,
    ) -> Self {
        let path = match dialect {
            Dialect::YWebsocket => {
                let name = utf8_percent_encode(document, NON_ALPHANUMERIC);
                format!("/sync/{name}?token={token}")
            }
            Dialect::YSweet => format!("/d/{document}/ws/{document}?token={token}"),
            Dialect::Hocuspocus => "/collab".to_owned(),
        };
        let socket = Socket::open(server, &path).await;
        let mut editor = Self::over(socket, dialect, document);
        if dialect == Dialect::Hocuspocus {
            editor.say(wire::token(token)).await;
        }
        editor.say_step_1().await;
        editor
    }

    /// An editor that has not said anything on this socket.
    pub fn over(socket: Socket, dialect: Dialect, document: &str) -> Self {
        // Small ids read well; no two editors of a test get the same one.
        static CLIENTS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1001);
        let client = CLIENTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let doc = Doc::with_client_id(client);
        let text = doc.get_or_insert_text(ROOT);
        let shown = Doc::new();
        shown.get_or_insert_text(ROOT);
        let address = document.to_owned();
        let (heard, unanswered) = (Vec::new(), 0);
        Self { socket, dialect, address, client, doc, text, shown, unanswered, heard }
    }

    /// The number of this editor in the CRDT and in awareness.
    pub fn client(&self) -> u64 {
        self.client
    }

    /// The text as this editor shows it.
    pub fn text(&self) -> String {
        self.text.get_string(&self.doc.transact())
    }

    /// All of the document as this editor has it, as one update.
    pub fn everything(&self) -> Vec<u8> {
        self.doc.transact().encode_state_as_update_v1(&StateVector::default())
    }

    /// Whether the server has confirmed everything that was written here: in numbers on Hocuspocus,
    /// by showing it on y-websocket.
    pub fn is_saved(&self) -> bool {
        match self.dialect {
            Dialect::Hocuspocus => self.unanswered == 0,
            Dialect::YWebsocket | Dialect::YSweet => {
                let own =
                    |doc: &Doc| doc.transact().state_vector().get(&ClientID::new(self.client));
                own(&self.shown) >= own(&self.doc)
            }
        }
    }

    /// Writes at the end and sends the change.
    pub async fn type_text(&mut self, text: &str) {
        let change = self.change_text(text);
        self.send_change(&change).await;
    }

    /// Writes at the end without sending it.
    pub fn change_text(&mut self, text: &str) -> Vec<u8> {
        let mut change = self.doc.transact_mut();
        self.text.push(&mut change, text);
        change.encode_update_v1()
    }

    /// Makes any change without sending it.
    pub fn change(&mut self, make: impl FnOnce(&TextRef, &mut yrs::TransactionMut)) -> Vec<u8> {
        let mut change = self.doc.transact_mut();
        make(&self.text, &mut change);
        change.encode_update_v1()
    }

    /// Sends an update.
    pub async fn send_change(&mut self, change: &[u8]) {
        self.unanswered += 1;
        self.say(wire::update(change)).await;
    }

    /// Writes at the end and waits until that is saved.
    pub async fn save_text(&mut self, text: &str) {
        self.type_text(text).await;
        self.saved().await;
    }

    /// Says who it is.
    pub async fn show(&mut self, clock: u64, state: &str) {
        self.say(wire::awareness(&[(self.client, clock, state)])).await;
    }

    /// Sends a message, under this document's address where the dialect has one.
    pub async fn say(&mut self, message: Vec<u8>) {
        let frame = match self.dialect {
            Dialect::YWebsocket | Dialect::YSweet => message,
            Dialect::Hocuspocus => wire::addressed(&self.address, message),
        };
        self.socket.send(frame).await;
    }

    /// Asks for what is missing here.
    pub async fn say_step_1(&mut self) {
        self.unanswered = 1;
        let state_vector = self.doc.transact().state_vector().encode_v1();
        self.say(wire::step_1(&state_vector)).await;
    }

    /// Reads one message, does what a stock client does with it, and returns it.
    pub async fn hear(&mut self) -> Said {
        match self.next().await {
            Ok(said) => said,
            Err((code, reason)) => {
                panic!("closed with {code} {reason:?} after {:?}", self.heard)
            }
        }
    }

    /// Reads until the server closes the socket; returns code and reason.
    pub async fn until_closed(&mut self) -> (u16, String) {
        let reading = async {
            loop {
                if let Err(closed) = self.next().await {
                    return closed;
                }
            }
        };
        patiently("the end of the socket", reading).await
    }

    /// Reads until `done`.
    pub async fn until(&mut self, done: impl Fn(&Self) -> bool) {
        self.patiently(async |editor| {
            while !done(editor) {
                editor.hear().await;
            }
        })
        .await;
    }

    /// Reads until a message is as wanted, and returns it.
    pub async fn until_said(&mut self, wanted: impl Fn(&Said) -> bool) -> Said {
        self.patiently(async |editor| {
            loop {
                let said = editor.hear().await;
                if wanted(&said) {
                    return said;
                }
            }
        })
        .await
    }

    /// Reads until the text is this one.
    pub async fn until_text(&mut self, text: &str) {
        self.until(|editor| editor.text() == text).await;
    }

    /// Reads until everything that was written here is saved.
    pub async fn saved(&mut self) {
        self.until(Self::is_saved).await;
    }

    /// Reads until the answer to the last step 1 has come. What the server had to say about earlier
    /// messages has been heard by then.
    pub async fn synced(&mut self) {
        self.until_said(|said| matches!(said, Said::Step2(_))).await;
    }

    /// Asks anew and reads up to the answer; returns what came before it.
    pub async fn settle(&mut self) -> Vec<Said> {
        let before = self.heard.len();
        self.say_step_1().await;
        self.synced().await;
        self.heard[before..self.heard.len() - 1].to_vec()
    }

    /// Fillers come all the time, so that waiting for one message is not enough.
    async fn patiently<T>(&mut self, work: impl AsyncFnOnce(&mut Self) -> T) -> T {
        match tokio::time::timeout(PATIENCE, work(self)).await {
            Ok(done) => done,
            Err(_) => {
                let last = &self.heard[self.heard.len().saturating_sub(20)..];
                panic!(
                    "waited {PATIENCE:?}; the text is {:?}; the last messages: {last:?}",
                    self.text()
                )
            }
        }
    }

    async fn next(&mut self) -> Result<Said, (u16, String)> {
        let frame = match self.socket.next().await {
            Event::Message(frame) => frame,
            Event::Closed { code, reason } => return Err((code, reason)),
        };
        let (address, said) = wire::read(self.dialect, &frame);
        if self.dialect == Dialect::Hocuspocus {
            assert_eq!(address, self.address, "an answer comes under the client's address");
        }
        self.heard.push(said.clone());
        self.act_on(&said).await;
        Ok(said)
    }

    async fn act_on(&mut self, said: &Said) {
        match said {
            Said::Step1(state_vector) => {
                let known = StateVector::decode_v1(state_vector).expect("a state vector");
                let missing = self.doc.transact().encode_state_as_update_v1(&known);
                self.say(wire::step_2(&missing)).await;
            }
            Said::Step2(update) | Said::Update(update) => {
                apply(&self.doc, update);
                apply(&self.shown, update);
            }
            Said::Status(1) => self.unanswered = self.unanswered.saturating_sub(1),
            _ => {}
        }
    }
}

fn apply(doc: &Doc, update: &Bytes) {
    let update = Update::decode_v1(update).expect("an update of the server");
    doc.transact_mut().apply_update(update).expect("an update that fits");
}
