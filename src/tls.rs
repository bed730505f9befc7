//! TLS towards other servers: trusts what the operating system trusts.

use std::sync::Arc;

/// For clients. Where the system trusts nobody, the first connection says so.
pub fn client() -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("the provider knows the default versions")
    .with_root_certificates(roots)
    .with_no_client_auth();
    Arc::new(config)
}
