//! One WebSocket to a server: whole binary messages out and in. Pings are answered.

use std::pin::Pin;

use actix_ws::Item;
use awc::error::WsProtocolError;
use awc::ws::{Frame, Message};
use awc::{Client, Connector};
use bytes::{Bytes, BytesMut};
use futures_util::sink::{Sink, SinkExt};
use futures_util::stream::{LocalBoxStream, StreamExt};

use crate::tls;

/// The longest frame that is taken; servers of other makers send a whole document in one.
const FRAME_BYTES_MAX: usize = 256 << 20;

/// An open WebSocket.
pub(super) struct Socket {
    outgoing: Pin<Box<dyn Sink<Message, Error = WsProtocolError>>>,
    incoming: LocalBoxStream<'static, Result<Frame, WsProtocolError>>,
    /// Fragments of a message that has not come to its end.
    gathered: BytesMut,
}

impl Socket {
    /// Connects.
    ///
    /// # Errors
    /// Says in words why not.
    pub async fn open(url: &str) -> Result<Self, String> {
        let client = match url.starts_with("wss:") {
            true => {
                Client::builder().connector(Connector::new().rustls_0_23(tls::client())).finish()
            }
            false => Client::new(),
        };
        let connecting = client.ws(url).max_frame_size(FRAME_BYTES_MAX).connect();
        // What comes after the path is a token.
        let shown = url.split('?').next().unwrap_or_default();
        let (_, framed) =
            connecting.await.map_err(|e| format!("cannot connect to {shown}: {e}"))?;
        let (outgoing, incoming) = framed.split();
        Ok(Self {
            outgoing: Box::pin(outgoing),
            incoming: incoming.boxed_local(),
            gathered: BytesMut::new(),
        })
    }

    /// Puts a message behind those that wait to be sent; sends them when they are many.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn feed(&mut self, message: Bytes) -> Result<(), String> {
        self.outgoing.feed(Message::Binary(message)).await.map_err(broken)
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn flush(&mut self) -> Result<(), String> {
        self.outgoing.flush().await.map_err(broken)
    }

    /// Says goodbye, and waits until the server has said so too.
    pub async fn close(mut self) {
        // A connection that is over needs no goodbye.
        if self.outgoing.send(Message::Close(None)).await.is_ok() {
            while self.next().await.is_ok() {}
        }
    }

    /// The next message. May be given up while it waits; nothing is lost.
    ///
    /// # Errors
    /// The connection is over; says why.
    pub async fn next(&mut self) -> Result<Bytes, String> {
        loop {
            let frame = self.incoming.next().await.ok_or("the connection broke off")?;
            match frame.map_err(broken)? {
                Frame::Binary(bytes) => return Ok(bytes),
                Frame::Continuation(Item::FirstBinary(bytes) | Item::Continue(bytes)) => {
                    self.gathered.extend_from_slice(&bytes);
                }
                Frame::Continuation(Item::Last(bytes)) => {
                    self.gathered.extend_from_slice(&bytes);
                    return Ok(self.gathered.split().freeze());
                }
                Frame::Ping(payload) => {
                    self.outgoing.send(Message::Pong(payload)).await.map_err(broken)?;
                }
                Frame::Close(reason) => {
                    return Err(reason.map_or("the server closed".into(), |said| {
                        let why = said.description.unwrap_or_default();
                        format!("the server closed with {} {why:?}", u16::from(said.code))
                    }));
                }
                Frame::Pong(_) | Frame::Text(_) | Frame::Continuation(Item::FirstText(_)) => {}
            }
        }
    }
}

fn broken(e: WsProtocolError) -> String {
    format!("the connection broke off: {e}")
}
