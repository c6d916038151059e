//! TLS on loopback, with a certificate for `localhost` that no system trusts.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use aws_smithy_http_client::tls::TrustStore;
use aws_smithy_types::retry::RetryConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, ServerConfig, ServerConnection, Stream, SupportedProtocolVersion};

use super::*;
use crate::clients::identity;
use crate::clients::loopback::loader;
use crate::failure::Class;

const CERTIFICATE: &[u8] = include_bytes!("localhost.pem");
const KEY: &[u8] = include_bytes!("localhost.key.der");
const ANSWER: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/u</Arn>\
                      <Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";

/// How a connection went: the version of TLS that was agreed on, and what was asked over it.
type Served = Result<(ProtocolVersion, String), String>;

/// Answers one request over TLS.
fn server(versions: &[&'static SupportedProtocolVersion]) -> (String, JoinHandle<Served>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let url = format!("https://localhost:{}", listener.local_addr().expect("an address").port());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(CERTIFICATE).expect("a certificate")],
            PrivateKeyDer::try_from(KEY).expect("a key"),
        )
        .expect("a certificate and its key");
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().map_err(|error| error.to_string())?;
        let mut connection = ServerConnection::new(Arc::new(config)).map_err(|error| error.to_string())?;
        let mut stream = Stream::new(&mut connection, &mut socket);
        let mut asked = vec![0; 4_096];
        let mut read = stream.read(&mut asked).map_err(|error| error.to_string())?;
        while !String::from_utf8_lossy(&asked[..read]).contains("Action=") {
            read += stream.read(&mut asked[read..]).map_err(|error| error.to_string())?;
        }
        asked.truncate(read);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", ANSWER.len());
        stream.write_all((head + ANSWER).as_bytes()).map_err(|error| error.to_string())?;
        let version = connection.protocol_version().ok_or("no version")?;
        Ok((version, String::from_utf8_lossy(&asked).into_owned()))
    });
    (url, thread)
}

fn trusts_the_certificate() -> SharedHttpClient {
    let store = TrustStore::empty().with_pem_certificate(CERTIFICATE);
    trusting(TlsContext::builder().with_trust_store(store).build().expect("a context"))
}

#[tokio::test]
async fn requests_and_answers_go_over_tls() {
    let table = [(&TLS13, ProtocolVersion::TLSv1_3), (&TLS12, ProtocolVersion::TLSv1_2)];
    for (offered, agreed) in table {
        let (url, served) = server(&[offered]);
        let config = loader(&url).http_client(trusts_the_certificate()).load().await;
        let known = identity(&aws_sdk_sts::Client::new(&config)).await.expect("an identity");
        assert_eq!(known.account.as_str(), "111122223333");
        let (version, asked) = served.join().expect("no panic").expect("is served");
        assert_eq!(version, agreed);
        assert!(asked.starts_with("POST / HTTP/1.1\r\n") && asked.contains("Action=GetCallerIdentity"), "{asked}");
    }
}

#[tokio::test]
async fn a_certificate_that_the_system_does_not_trust_is_refused() {
    let (url, served) = server(rustls::ALL_VERSIONS);
    let config = loader(&url).http_client(client()).retry_config(RetryConfig::disabled()).load().await;
    let failure = identity(&aws_sdk_sts::Client::new(&config)).await.expect_err("is refused");
    assert_eq!(failure.class, Class::Unavailable, "{failure}");
    assert!(failure.message.contains("certificate"), "{failure}");
    let alert = served.join().expect("no panic").expect_err("nothing is asked");
    assert!(alert.contains("alert") && alert.contains("UnknownCA"), "{alert}");
}
