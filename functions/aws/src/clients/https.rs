//! HTTPS as all clients speak it: the SDK's own default, but with the cryptography of ring. That of the default,
//! aws-lc, would be over 2 MB of the function.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

#[cfg(test)]
mod tests;

/// Trusts the certificates that the system trusts, and takes proxies from the environment (`HTTPS_PROXY`, …).
pub(super) fn client() -> SharedHttpClient {
    trusting(TlsContext::default())
}

fn trusting(tls: TlsContext) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().tls_provider(Provider::rustls(CryptoMode::Ring));
        connector.set_tls_context(tls.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}
