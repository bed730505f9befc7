//! Which web pages may open a socket here.
//!
//! A browser sends `Origin` with every WebSocket; without this check any page on the internet could
//! open a socket to a server on the visitor's own machine. Programs that are no browsers send no
//! `Origin` and are not concerned.

use crate::config::Config;

/// Decides by the `Origin` header.
#[derive(Debug, Clone)]
pub struct OriginRule {
    listed: Vec<String>,
    loopback: bool,
}

impl OriginRule {
    /// Takes the listed origins from the configuration.
    pub fn new(config: &Config) -> Self {
        let listed = config.allowed_origins.iter().map(|o| o.to_ascii_lowercase()).collect();
        Self { listed, loopback: config.listen.ip().is_loopback() }
    }

    /// Whether a request that names no origin may be for `host`. A server on loopback answers under
    /// the names of loopback and of listed origins, so that a page whose own name was pointed at this
    /// machine learns nothing.
    pub fn allows_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let names = |listed: &String| {
            listed == "*"
                || listed.split_once("://").is_some_and(|(_, authority)| authority == host)
        };
        !self.loopback || is_loopback(&host) || self.listed.iter().any(names)
    }

    /// Whether a page of `origin` may open a socket at `host` (the request's `Host`).
    ///
    /// A server on loopback takes pages from loopback only, whatever `Host` says: that header
    /// follows a DNS name that somebody else may have pointed here.
    pub fn allows(&self, origin: &str, host: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.listed.iter().any(|listed| *listed == origin || listed == "*") {
            return true;
        }
        let Some((_scheme, authority)) = origin.split_once("://") else {
            return false;
        };
        if self.loopback { is_loopback(authority) } else { authority == host.to_ascii_lowercase() }
    }
}

/// Whether `authority` (host and perhaps port) names this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(listen: &str, listed: &[&str]) -> OriginRule {
        OriginRule::new(&Config {
            listen: listen.parse().expect("an address"),
            allowed_origins: listed.iter().map(|&o| o.to_owned()).collect(),
            ..Config::default()
        })
    }

    #[test]
    fn a_server_on_loopback_takes_local_pages_only() {
        let rule = rule("127.0.0.1:4110", &["https://wiki.example"]);
        for origin in [
            "http://127.0.0.1:4110",
            "http://localhost:5173",
            "http://[::1]:80",
            "https://notes.localhost",
            "https://WIKI.example",
        ] {
            assert!(rule.allows(origin, "127.0.0.1:4110"), "{origin}");
        }
        for origin in ["https://evil.example", "null", "", "http://127.0.0.1.evil.example"] {
            assert!(!rule.allows(origin, "evil.example"), "{origin}");
        }
        // A name of the attacker's that resolves to this machine.
        assert!(!rule.allows("http://rebound.example:4110", "rebound.example:4110"));
    }

    #[test]
    fn a_server_on_loopback_answers_under_its_own_names_only() {
        let rule = rule("127.0.0.1:4110", &["https://wiki.example"]);
        for host in ["127.0.0.1:4110", "localhost", "[::1]:4110", "wiki.example"] {
            assert!(rule.allows_host(host), "{host}");
        }
        for host in ["rebound.example:4110", "", "wiki.example.evil.example"] {
            assert!(!rule.allows_host(host), "{host}");
        }
    }

    #[test]
    fn elsewhere_the_page_must_come_from_the_same_host_or_be_listed() {
        let rule = rule("0.0.0.0:80", &["https://wiki.example"]);
        assert!(rule.allows("https://notes.example", "notes.example"));
        assert!(rule.allows("https://wiki.example", "notes.example"));
        assert!(!rule.allows("https://evil.example", "notes.example"));
        assert!(!rule.allows("http://localhost:5173", "notes.example"));
    }
}
