//! Everything through the door: the real server, seen from its sockets and its HTTP.
//!
//! Each file is about one side of the server; `support` has the server and the clients. Nothing here
//! sleeps: a test waits for an event, and a timeout only ends a test that hangs.

// `#[actix::test]` looks for `System` under this name.
extern crate actix as actix_rt;

mod access_live;
mod access_matrix;
mod assets;
mod awareness;
mod costs;
mod ending;
mod fixtures;
mod health;
mod history;
mod hocuspocus;
mod house;
mod keep_alive;
mod limits;
mod lineage;
mod loading;
mod rates;
mod record;
mod recordings;
mod replay;
mod rescued;
mod rights;
mod saving;
mod shrinking;
mod slow_readers;
mod storage;
mod support;
mod tokens;
mod y_sweet;
mod y_websocket;
