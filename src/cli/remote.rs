//! Commands that ask a running server, over its HTTP API.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use awc::http::{Method, StatusCode};
use awc::{Client, ClientResponse, Connector};
use bytes::Bytes;
use clap::Args;
use futures_util::Stream;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use crate::tls;

/// A server that has not begun to answer by then does not.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest answer that is taken at once.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// Which server, and as whom.
#[derive(Debug, Args)]
pub(super) struct Remote {
    /// The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4110", global = true)]
    server: String,
    /// A file with a token (`coscribe token`) or the secret of a share link
    #[arg(long, value_name = "FILE", env = "COSCRIBE_TOKEN_FILE", global = true)]
    token_file: Option<PathBuf>,
}

/// What a server says when it has no result (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Remote {
    /// Asks, and gives the whole answer.
    ///
    /// # Errors
    /// In words for people: the server's, where it has said why.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Bytes> {
        let mut response = self.request(method, path, body).await?;
        let body = response.body().limit(ANSWER_BYTES_MAX).await;
        body.map_err(|e| anyhow!("{} did not finish its answer: {e}", self.server))
    }

    /// Asks, and gives the answer as it comes.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(super) async fn follow(
        &self,
        path: &str,
    ) -> anyhow::Result<impl Stream<Item = anyhow::Result<Bytes>> + Unpin + use<>> {
        use futures_util::TryStreamExt as _;
        let response = self.request(Method::GET, path, None).await?;
        let server = self.server.clone();
        Ok(response.map_err(move |e| anyhow!("{server} broke off: {e}")))
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<
        ClientResponse<impl Stream<Item = Result<Bytes, awc::error::PayloadError>> + Unpin + use<>>,
    > {
        let server = self.server.trim_end_matches('/');
        if !server.starts_with("http://") && !server.starts_with("https://") {
            bail!("--server must begin with http:// or https://, not {server:?}");
        }
        let client = Client::builder()
            .connector(Connector::new().rustls_0_23(tls::client()))
            .disable_redirects()
            .timeout(PATIENCE)
            .finish();
        let mut request = client.request(method, format!("{server}{path}"));
        if let Some(file) = &self.token_file {
            let token = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
            request = request.bearer_auth(token.trim());
        }
        let sent = match body {
            Some(body) => request.send_json(body).await,
            None => request.send().await,
        };
        let mut response = sent.map_err(|e| {
            anyhow!("cannot reach {server}: {e}. Is the server running? Say --server URL otherwise")
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let problem = response.json::<Problem>().await;
        let why = problem.map_or_else(|_| status.to_string(), |problem| problem.detail);
        match status {
            StatusCode::UNAUTHORIZED => bail!("{why} (--token-file FILE shows a token)"),
            _ => bail!("{why}"),
        }
    }
}

/// The path of a document in the API.
pub(super) fn document_path(name: &str) -> String {
    format!("/api/v1/documents/{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}
