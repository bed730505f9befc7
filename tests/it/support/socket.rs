//! One WebSocket as it is: frames out, frames in, how it ended.

use std::pin::Pin;

use actix_web::http::StatusCode;
use actix_ws::Item;
use awc::Client;
use awc::error::{WsClientError, WsProtocolError};
use awc::ws::{Frame, Message};
use bytes::{Bytes, BytesMut};
use futures_util::sink::{Sink, SinkExt};
use futures_util::stream::{LocalBoxStream, StreamExt};

use super::wire::{self, Said};
use super::{Dialect, Server, patiently};

/// The client takes larger messages than the server sends.
const FRAME_BYTES_MAX: usize = 256 << 20;

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole binary message.
    Message(Bytes),
    /// The server closed; code 1006 where it did so without a word.
    Closed { code: u16, reason: String },
}

/// An open WebSocket.
pub struct Socket {
    outgoing: Pin<Box<dyn Sink<Message, Error = WsProtocolError>>>,
    incoming: LocalBoxStream<'static, Result<Frame, WsProtocolError>>,
    /// Frames that the last message came in; 1 where it was not fragmented.
    pub fragments: usize,
}

impl Socket {
    /// Connects to a path of the server.
    pub async fn open(server: &Server, path: &str) -> Self {
        match Self::try_open(server, path, &[]).await {
            Ok(socket) => socket,
            Err(status) => panic!("the upgrade of {path} was answered with {status}"),
        }
    }

    /// Connects with further headers; the error is the status that the upgrade was refused with.
    pub async fn try_open(
        server: &Server,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, StatusCode> {
        let mut request = Client::new().ws(server.url("ws", path)).max_frame_size(FRAME_BYTES_MAX);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match patiently(path, request.connect()).await {
            Ok((_, framed)) => {
                let (outgoing, incoming) = framed.split();
                Ok(Self {
                    outgoing: Box::pin(outgoing),
                    incoming: incoming.boxed_local(),
                    fragments: 0,
                })
            }
            Err(WsClientError::InvalidResponseStatus(status)) => Err(status),
            Err(e) => panic!("cannot connect to {path}: {e}"),
        }
    }

    /// The subprotocol that the server chooses.
    pub async fn protocol(server: &Server, path: &str, headers: &[(&str, &str)]) -> String {
        let mut request = Client::new().ws(server.url("ws", path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (response, _) = patiently(path, request.connect()).await.expect("an upgrade");
        let chosen = response.headers().get("sec-websocket-protocol");
        chosen.map_or("", |value| value.to_str().expect("ASCII")).to_owned()
    }

    /// Sends a binary message. A socket that the server has closed takes it as well: what became of
    /// it is seen when reading.
    pub async fn send(&mut self, bytes: Vec<u8>) {
        self.write(Message::Binary(bytes.into())).await;
    }

    /// Sends a text message.
    pub async fn send_text(&mut self, text: &str) {
        self.write(Message::Text(text.to_owned().into())).await;
    }

    /// The next message, or how it ended. Pings are answered, as every client does.
    pub async fn next(&mut self) -> Event {
        patiently("the next message", self.read()).await
    }

    /// The next message of a Hocuspocus socket: for which address, and what.
    pub async fn hear_addressed(&mut self) -> (String, Said) {
        match self.next().await {
            Event::Message(frame) => wire::read(Dialect::Hocuspocus, &frame),
            Event::Closed { code, reason } => panic!("closed with {code} {reason:?}"),
        }
    }

    /// Reads until the socket has ended.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Event::Closed { code, reason } = self.next().await {
                return (code, reason);
            }
        }
    }

    async fn read(&mut self) -> Event {
        let mut gathered = BytesMut::new();
        self.fragments = 0;
        loop {
            let Some(Ok(frame)) = self.incoming.next().await else {
                return Event::Closed { code: 1006, reason: String::new() };
            };
            match frame {
                Frame::Binary(bytes) => {
                    self.fragments = 1;
                    return Event::Message(bytes);
                }
                Frame::Continuation(item) => {
                    self.fragments += 1;
                    let (bytes, last) = match item {
                        Item::FirstBinary(bytes) | Item::Continue(bytes) => (bytes, false),
                        Item::Last(bytes) => (bytes, true),
                        Item::FirstText(_) => panic!("the server never sends text"),
                    };
                    gathered.extend_from_slice(&bytes);
                    if last {
                        return Event::Message(gathered.freeze());
                    }
                }
                Frame::Close(reason) => {
                    let (code, reason) = reason
                        .map_or((1005, None), |said| (u16::from(said.code), said.description));
                    return Event::Closed { code, reason: reason.unwrap_or_default() };
                }
                Frame::Ping(payload) => self.write(Message::Pong(payload)).await,
                Frame::Pong(_) => {}
                Frame::Text(_) => panic!("the server never sends text"),
            }
        }
    }

    async fn write(&mut self, message: Message) {
        // Errors are seen when reading, together with the reason.
        let _ = patiently("room to write", self.outgoing.send(message)).await;
    }
}
