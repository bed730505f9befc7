//! Who asks: what a request shows of its caller, and from where it comes.
//!
//! There are no cookies: a browser sends nothing by itself that lets anybody in. What is left are
//! pages of other origins that use what everybody may do on a server of this machine; they are
//! told apart by `Origin`, and where there is none by `Host`.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use tracing::info;

use super::Site;
use super::problem::Problem;
use crate::access::{Caller, Credentials, LoginError};
use crate::config::Config;
use crate::id::{DocumentId, User};
use crate::level::Level;
use crate::session::Login;

/// In front of a token that comes as a subprotocol.
const TOKEN_PROTOCOL_PREFIX: &str = "yauth-";

/// The scheme in an `Authorization` header.
const BEARER: &str = "Bearer";

/// Query parameters that hold a token.
const TOKEN_PARAMETERS: [&str; 2] = ["token", "yauth"];

/// The longest name of a user that a proxy may give, in bytes.
const PROXIED_NAME_BYTES_MAX: usize = 256;

/// Whose word is taken for where a request is from, and for whom it is.
#[derive(Debug, Clone)]
pub struct Proxies {
    networks: Vec<IpNet>,
    user_header: Option<HeaderName>,
    name_header: Option<HeaderName>,
}

/// The settings about proxies cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Neither an address nor a network.
    #[error("proxy.addresses: {0:?} is neither an address (10.0.0.7) nor a network (10.0.0.0/8)")]
    Address(String),
    /// Not the name of a header.
    #[error("{0:?} is not the name of a header")]
    Header(String),
}

impl Proxies {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ProxyError`] names what cannot be read.
    pub fn new(config: &Config) -> Result<Self, ProxyError> {
        let proxy = &config.proxy;
        let network = |text: &String| {
            let address = text.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| text.parse()).map_err(|_| ProxyError::Address(text.clone()))
        };
        let header = |name: &String| match name.as_str() {
            "" => Ok(None),
            name => name.parse().map(Some).map_err(|_| ProxyError::Header(name.to_owned())),
        };
        Ok(Self {
            networks: proxy.addresses.iter().map(network).collect::<Result<_, _>>()?,
            user_header: header(&proxy.user_header)?,
            name_header: header(&proxy.name_header)?,
        })
    }

    /// Whether the request was handed on by a proxy.
    pub fn handed_on(&self, request: &HttpRequest) -> bool {
        request.peer_addr().is_some_and(|peer| self.trusts(peer.ip()))
    }

    /// Where a request comes from: the last address that no proxy of ours wrote down for another.
    pub fn origin_of(&self, request: &HttpRequest) -> Option<IpAddr> {
        let mut from = request.peer_addr()?.ip();
        let said = request.headers().get_all("x-forwarded-for");
        let said: Vec<&str> = said.filter_map(|value| value.to_str().ok()).collect();
        for address in said.join(",").rsplit(',').map(str::trim) {
            if !self.trusts(from) {
                break;
            }
            let Ok(address) = address.parse() else { break };
            from = address;
        }
        Some(from)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Whom a proxy has signed in.
    fn user(&self, request: &HttpRequest) -> Option<User> {
        if !self.handed_on(request) {
            return None;
        }
        let read = |header: &Option<HeaderName>| {
            let value = request.headers().get(header.as_ref()?)?.to_str().ok()?.trim();
            let fits = !value.is_empty() && value.len() <= PROXIED_NAME_BYTES_MAX;
            fits.then(|| Arc::from(value))
        };
        let subject = Some(read(&self.user_header)?);
        Some(User { subject, name: read(&self.name_header), color: None })
    }
}

/// What a request shows.
pub(super) fn credentials(request: &HttpRequest, site: &Site) -> Credentials {
    let token =
        bearer(request).or_else(|| protocol_token(request)).or_else(|| query_token(request));
    Credentials { token, proxied: site.proxies.user(request) }
}

/// The subprotocol that is accepted in an upgrade: browsers fail a connection whose offer is
/// ignored. One that is a token is only said back where nothing else was offered.
pub(super) fn chosen_protocol(request: &HttpRequest) -> Option<&str> {
    let mut offered = protocols(request);
    let first = offered.next()?;
    if !first.starts_with(TOKEN_PROTOCOL_PREFIX) {
        return Some(first);
    }
    offered.find(|protocol| !protocol.starts_with(TOKEN_PROTOCOL_PREFIX)).or(Some(first))
}

/// Refuses what a page of another origin makes a browser ask.
///
/// # Errors
/// The page's origin is not allowed.
pub(super) fn check_origin(request: &HttpRequest, site: &Site) -> Result<(), Problem> {
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let host = header(HOST).unwrap_or_default();
    match header(ORIGIN) {
        Some(origin) if !site.origins.allows(origin, host) => Err(Problem::origin(origin)),
        // A page whose name was pointed at this machine asks as if it were our own.
        None if !site.origins.allows_host(host) => Err(Problem::origin(host)),
        _ => Ok(()),
    }
}

/// Who makes a request to the API.
///
/// # Errors
/// The origin is not allowed, the network asks too often, or the credentials are not accepted.
pub(super) async fn caller(request: &HttpRequest, site: &Site) -> Result<Arc<Caller>, Problem> {
    check_origin(request, site)?;
    let caller = identify(request, site).await;
    Ok(caller.inspect_err(|e| log(e, request, site))?)
}

/// Lets the caller of a request into a document, if it has at least `level` there.
///
/// # Errors
/// As [`caller`], and where the level is not enough.
pub(super) async fn login(
    request: &HttpRequest,
    site: &Site,
    document: DocumentId,
    level: Level,
) -> Result<Login, Problem> {
    check_origin(request, site)?;
    let login = let_in(request, site, document).await?;
    if login.level() < level { Err(Problem::level(level)) } else { Ok(login) }
}

/// The caller of a request about a document, if it has at least `level` there. It takes no seat, so
/// that nobody can be kept from administering.
///
/// # Errors
/// As [`caller`], and where the level is not enough.
pub(super) async fn admitted(
    request: &HttpRequest,
    site: &Site,
    document: &DocumentId,
    level: Level,
) -> Result<(Arc<Caller>, Level), Problem> {
    let caller = caller(request, site).await?;
    let has = site.services.access.admit(&caller, document);
    let has = has.inspect_err(|e| log(e, request, site))?;
    if has < level { Err(Problem::level(level)) } else { Ok((caller, has)) }
}

/// Lets the caller of a request or an upgrade into a document.
///
/// # Errors
/// Why not.
pub(super) async fn let_in(
    request: &HttpRequest,
    site: &Site,
    document: DocumentId,
) -> Result<Login, LoginError> {
    let login = match identify(request, site).await {
        Ok(caller) => Login::new(&site.services.access, caller, document),
        Err(e) => Err(e),
    };
    login.inspect_err(|e| log(e, request, site))
}

async fn identify(request: &HttpRequest, site: &Site) -> Result<Arc<Caller>, LoginError> {
    let access = &site.services.access;
    access.knock(site.proxies.origin_of(request))?;
    access.identify(credentials(request, site)).await.map(Arc::new)
}

fn log(e: &LoginError, request: &HttpRequest, site: &Site) {
    let from = site.proxies.origin_of(request);
    info!(client.address = ?from, reason = e.for_log(), "login refused");
}

/// A token that cannot be read is none that is accepted, not none at all; so is a scheme without a
/// token. Other schemes are for others.
fn bearer(request: &HttpRequest) -> Option<String> {
    request.headers().get_all(AUTHORIZATION).find_map(|value| {
        let value = String::from_utf8_lossy(value.as_bytes());
        let scheme = value.get(..BEARER.len())?;
        let rest = &value[BEARER.len()..];
        if !scheme.eq_ignore_ascii_case(BEARER) || rest.starts_with(|c: char| c.is_alphanumeric()) {
            return None;
        }
        let token = rest.trim();
        Some(if token.is_empty() { BEARER.to_owned() } else { token.to_owned() })
    })
}

fn protocol_token(request: &HttpRequest) -> Option<String> {
    let token = protocols(request).find_map(|offer| offer.strip_prefix(TOKEN_PROTOCOL_PREFIX))?;
    Some(token.to_owned())
}

fn protocols(request: &HttpRequest) -> impl Iterator<Item = &str> {
    let offered = request.headers().get(SEC_WEBSOCKET_PROTOCOL);
    let offered = offered.and_then(|value| value.to_str().ok()).unwrap_or_default();
    offered.split(',').map(str::trim).filter(|offer| !offer.is_empty())
}

fn query_token(request: &HttpRequest) -> Option<String> {
    let pairs = request.query_string().split('&').filter_map(|pair| pair.split_once('='));
    let mut tokens = pairs.filter(|(key, _)| TOKEN_PARAMETERS.contains(key));
    let (_, token) = tokens.find(|(_, token)| !token.is_empty())?;
    Some(percent_decode_str(token).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    fn proxies(addresses: &[&str]) -> Proxies {
        let mut config = Config::default();
        config.proxy.addresses = addresses.iter().map(|&address| address.to_owned()).collect();
        config.proxy.user_header = "X-Remote-User".to_owned();
        Proxies::new(&config).expect("valid settings")
    }

    fn request(peer: &str, forwarded: &str) -> HttpRequest {
        TestRequest::default()
            .peer_addr(format!("{peer}:1").parse().expect("an address"))
            .insert_header(("x-forwarded-for", forwarded))
            .insert_header(("x-remote-user", "ann"))
            .to_http_request()
    }

    #[test]
    fn only_a_named_proxy_is_believed() {
        let proxies = proxies(&["10.0.0.7", "192.168.0.0/16"]);
        let from =
            |peer, forwarded| proxies.origin_of(&request(peer, forwarded)).map(|ip| ip.to_string());
        assert_eq!(from("10.0.0.7", "203.0.113.9").as_deref(), Some("203.0.113.9"));
        assert_eq!(from("10.0.0.8", "203.0.113.9").as_deref(), Some("10.0.0.8"));
        // What stands in front of the last proxy's word may be a lie.
        let lied = from("10.0.0.7", "198.51.100.1, 203.0.113.9, 192.168.1.1");
        assert_eq!(lied.as_deref(), Some("203.0.113.9"));
        assert_eq!(from("10.0.0.7", "nonsense").as_deref(), Some("10.0.0.7"));
        let user = |peer| proxies.user(&request(peer, "")).and_then(|user| user.subject);
        assert_eq!(user("10.0.0.7").as_deref(), Some("ann"));
        assert_eq!(user("10.0.0.8"), None);
    }

    #[test]
    fn a_proxy_that_is_none_is_named() {
        let mut config = Config::default();
        config.proxy.addresses = vec!["proxy.example".to_owned()];
        let e = Proxies::new(&config).expect_err("no address");
        assert!(e.to_string().contains("proxy.example"), "{e}");
    }

    #[test]
    fn a_token_is_found_wherever_clients_put_it() {
        let found = |request: TestRequest| {
            let request = request.to_http_request();
            bearer(&request).or_else(|| protocol_token(&request)).or_else(|| query_token(&request))
        };
        let get = |uri: &str| TestRequest::get().uri(uri);
        let bearer = get("/").insert_header(("authorization", "bearer  abc"));
        assert_eq!(found(bearer).as_deref(), Some("abc"));
        assert_eq!(found(get("/sync/d?z=1&token=a%2Eb")).as_deref(), Some("a.b"));
        assert_eq!(found(get("/sync/d?yauth=abc")).as_deref(), Some("abc"));
        let offer = get("/").insert_header(("sec-websocket-protocol", "y, yauth-abc"));
        assert_eq!(found(offer).as_deref(), Some("abc"));
        assert_eq!(found(get("/sync/d?tokens=abc")), None);
        assert_eq!(found(get("/sync/d?token=&yauth=abc")).as_deref(), Some("abc"));
        let other = get("/").insert_header(("authorization", "Basic YWJj"));
        assert_eq!(found(other), None);
    }

    #[test]
    fn a_token_that_cannot_be_read_is_not_taken_for_none() {
        let headers: [&[u8]; 3] = [b"Bearer", b"Bearer \xff", b"bearer\tx"];
        for header in headers {
            let value = HeaderValue::from_bytes(header).expect("a header");
            let request = TestRequest::get().insert_header((AUTHORIZATION, value));
            assert!(bearer(&request.to_http_request()).is_some(), "{header:?}");
        }
        let request = TestRequest::get().uri("/sync/d?token=%ff").to_http_request();
        assert!(query_token(&request).is_some());
    }

    #[test]
    fn a_token_is_not_said_back_if_that_can_be_helped() {
        let chosen = |offered: &str| {
            let request = TestRequest::default()
                .insert_header(("sec-websocket-protocol", offered.to_owned()))
                .to_http_request();
            chosen_protocol(&request).map(str::to_owned)
        };
        assert_eq!(chosen("yauth-abc, y").as_deref(), Some("y"));
        assert_eq!(chosen("a, b").as_deref(), Some("a"));
        assert_eq!(chosen("yauth-abc").as_deref(), Some("yauth-abc"));
        assert_eq!(chosen(""), None);
    }
}
