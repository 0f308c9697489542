use std::{net::IpAddr, time::Duration};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, rustls};

use super::*;
use crate::testing::{Responder, answer, http, json};

pub(super) fn names(found: &'static [(&'static str, &'static [[u8; 4]])]) -> Lookup {
    Arc::new(move |name| {
        Box::pin(async move {
            let entry = found.iter().find(|(known, _)| *known == name);
            let addresses = entry.ok_or(std::io::ErrorKind::NotFound)?.1;
            Ok(addresses.iter().map(|octets| IpAddr::from(*octets)).collect())
        })
    })
}

fn client(addresses: AddressPolicy, extra_ca: Option<&str>, lookup: Lookup, limits: Limits) -> Http {
    let extra_ca_pem = extra_ca.map(|pem| pem.as_bytes().to_vec());
    Http::with(HttpConfig { extra_ca_pem, addresses, proxy: None }, lookup, limits).unwrap()
}

pub(super) fn laptop() -> AddressPolicy {
    AddressPolicy::new(true, "").unwrap()
}

pub(super) fn server() -> AddressPolicy {
    AddressPolicy::new(false, "").unwrap()
}

pub(super) fn get(url: &str) -> Request {
    Request::new(http::Method::GET, url.parse().unwrap())
}

pub(super) fn streamed(url: &str) -> http::Request<UpstreamBody> {
    http::Request::get(url).body(UpstreamBody::default()).unwrap()
}

pub(super) async fn call(http: &Http, url: &str) -> Result<u16, CallError> {
    http.send(get(url)).await.map(|response| response.status.as_u16())
}

mod addresses {
    use super::*;

    #[tokio::test]
    async fn a_literal_private_address_is_not_dialled_by_a_public_server() {
        let responder = Responder::start(|_| json(200, "", "{}")).await;
        let port = responder.instance.port();
        let http = client(server(), None, system_lookup(), LIMITS);
        for host in ["127.0.0.1", "0x7f000001", "2130706433", "127.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"] {
            let refused = call(&http, &format!("http://{host}:{port}/")).await.unwrap_err();
            assert!(matches!(refused, CallError::AddressRefused { why: Refusal::Private, .. }), "{host}: {refused}");
        }
        assert!(responder.requests().is_empty());
    }

    #[tokio::test]
    async fn metadata_is_dialled_by_nobody() {
        let http = client(laptop(), None, system_lookup(), LIMITS);
        for host in ["169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "metadata.google.internal"] {
            let refused = call(&http, &format!("http://{host}/")).await.unwrap_err();
            assert!(matches!(refused, CallError::AddressRefused { why: Refusal::Never, .. }), "{host}: {refused}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to_when_dialled() {
        const NAMES: &[(&str, &[[u8; 4]])] = &[
            ("inside.test", &[[127, 0, 0, 1]]),
            ("both.test", &[[93, 184, 216, 34], [127, 0, 0, 1]]),
            ("cloud.test", &[[169, 254, 169, 254]]),
            ("nowhere.test", &[]),
        ];
        let responder = Responder::start(|_| json(200, "", "{}")).await;
        let at = |name: &str| format!("http://{name}:{}/", responder.instance.port());
        let public = client(server(), None, names(NAMES), LIMITS);
        for (name, why) in
            [("inside.test", Refusal::Private), ("both.test", Refusal::Private), ("cloud.test", Refusal::Never)]
        {
            let wanted = CallError::AddressRefused { host: name.to_owned(), why };
            assert_eq!(call(&public, &at(name)).await, Err(wanted), "{name}");
        }
        for name in ["unknown.test", "nowhere.test"] {
            let wanted = CallError::Unreachable { host: name.to_owned(), why: Why::NameNotFound };
            assert_eq!(call(&public, &at(name)).await, Err(wanted));
        }
        assert!(responder.requests().is_empty());

        let allowed = AddressPolicy::new(false, "inside.test").unwrap();
        assert_eq!(call(&client(allowed, None, names(NAMES), LIMITS), &at("inside.test")).await, Ok(200));
        assert_eq!(call(&client(laptop(), None, names(NAMES), LIMITS), &at("inside.test")).await, Ok(200));
    }

    #[tokio::test]
    async fn streams_are_guarded_alike() {
        let responder = Responder::start(|_| json(200, "", "{}")).await;
        let http = client(server(), None, system_lookup(), LIMITS);
        let refused =
            http.stream(&responder.instance, streamed(&format!("{}/x", responder.instance))).await.unwrap_err();
        assert!(matches!(refused, CallError::AddressRefused { why: Refusal::Private, .. }));
        assert!(responder.requests().is_empty());
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_leads_nowhere() {
        let secret = Responder::start(|_| json(200, "", "{}")).await;
        let target = format!("{}/inside", secret.instance);
        let forge = Responder::start(move |_| answer(302, &format!("Location: {target}"), "")).await;
        let http = http();
        assert_eq!(call(&http, &format!("{}/a", forge.instance)).await, Ok(302));
        let response = http.stream(&forge.instance, streamed(&format!("{}/b", forge.instance))).await.unwrap();
        assert_eq!(response.status().as_u16(), 302);
        assert!(secret.requests().is_empty());
    }
}

pub(super) mod tls {
    use super::*;

    /// A private authority, and a server certificate for `name` signed by it.
    pub(in crate::http) fn authority(name: &str, expired: bool) -> (String, TlsAcceptor) {
        authority_offering(name, expired, &[])
    }

    /// The same, for a server that speaks these protocols.
    pub(in crate::http) fn authority_offering(name: &str, expired: bool, protocols: &[&str]) -> (String, TlsAcceptor) {
        let mut issuer = CertificateParams::new([]).unwrap();
        issuer.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new([name.to_owned()]).unwrap();
        if expired {
            leaf.not_before = rcgen::date_time_ymd(2020, 1, 1);
            leaf.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        (issuer.pem(), TlsAcceptor::from(Arc::new(config)))
    }

    async fn refused(cert_name: &str, expired: bool, trust: bool) -> (CallError, usize) {
        let (ca, acceptor) = authority(cert_name, expired);
        let forge = Responder::start_tls(acceptor, "https://localhost", |_| json(200, "", "{}")).await;
        let http = client(laptop(), trust.then_some(&*ca), names(&[("localhost", &[[127, 0, 0, 1]])]), LIMITS);
        let error = call(&http, &format!("{}/", forge.instance)).await.unwrap_err();
        (error, forge.requests().len())
    }

    fn not_trusted(fault: TlsFault) -> (CallError, usize) {
        (CallError::TlsNotTrusted { host: "localhost".to_owned(), fault }, 0)
    }

    #[tokio::test]
    async fn a_private_authority_is_trusted_once_it_is_named() {
        let (ca, acceptor) = authority("localhost", false);
        let forge = Responder::start_tls(acceptor, "https://localhost", |_| json(200, "", "{}")).await;
        let lookup = names(&[("localhost", &[[127, 0, 0, 1]])]);
        let http = client(laptop(), Some(&ca), lookup, LIMITS);
        assert_eq!(call(&http, &format!("{}/", forge.instance)).await, Ok(200));
        let response = http.stream(&forge.instance, streamed(&format!("{}/x", forge.instance))).await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
    }

    #[tokio::test]
    async fn an_unknown_authority_is_not_trusted_and_gets_no_request() {
        assert_eq!(refused("localhost", false, false).await, not_trusted(TlsFault::UnknownIssuer));
    }

    #[tokio::test]
    async fn an_expired_certificate_is_told_apart() {
        assert_eq!(refused("localhost", true, true).await, not_trusted(TlsFault::Expired));
    }

    #[tokio::test]
    async fn another_hosts_certificate_is_told_apart() {
        assert_eq!(refused("forge.test", false, true).await, not_trusted(TlsFault::OtherName));
    }

    #[tokio::test]
    async fn a_plain_http_server_behind_https_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let forge = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            stream
        });
        let wanted = CallError::Unreachable { host: "127.0.0.1".to_owned(), why: Why::NoTls };
        assert_eq!(call(&http(), &url).await, Err(wanted));
        forge.await.unwrap();
    }

    #[test]
    fn extra_certificates_must_be_certificates() {
        for pem in [&b""[..], b"not pem", b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"] {
            let config = HttpConfig { extra_ca_pem: Some(pem.to_vec()), addresses: laptop(), proxy: None };
            assert!(matches!(Http::new(config).unwrap_err(), HttpConfigError::ExtraCa));
        }
    }
}

mod http2 {
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures_util::future::join_all;
    use hyper::{server::conn::http2, service::service_fn};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    use super::*;

    /// Answers every request with the body that it came with, and counts connections.
    async fn echo(acceptor: TlsAcceptor) -> (InstanceUrl, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let instance = format!("https://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap();
        let connections = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
                    let answer = service_fn(|request: http::Request<hyper::body::Incoming>| async {
                        Ok::<_, Infallible>(http::Response::new(request.into_body()))
                    });
                    http2::Builder::new(TokioExecutor::new()).serve_connection(stream, answer).await
                });
            }
        });
        (instance, connections)
    }

    #[tokio::test]
    async fn is_spoken_where_offered_over_one_connection_for_all() {
        let (ca, acceptor) = tls::authority_offering("localhost", false, &["h2", "http/1.1"]);
        let (instance, connections) = echo(acceptor).await;
        let http = client(laptop(), Some(&ca), names(&[("localhost", &[[127, 0, 0, 1]])]), LIMITS);
        let url = format!("{instance}/x");
        let response = http.stream(&instance, streamed(&url)).await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert_eq!(join_all((0..50).map(|_| call(&http, &url))).await, vec![Ok(200); 50]);
        assert_eq!(connections.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn carries_long_bodies_both_ways() {
        let (ca, acceptor) = tls::authority_offering("localhost", false, &["h2"]);
        let (instance, _) = echo(acceptor).await;
        let http = client(laptop(), Some(&ca), names(&[("localhost", &[[127, 0, 0, 1]])]), LIMITS);
        let chunks = (0..64_u8).map(|n| Ok::<_, std::io::Error>(vec![n; 64 << 10]));
        let body = UpstreamBody::wrap_stream(futures_util::stream::iter(chunks));
        let request = http::Request::post(format!("{instance}/x")).body(body).unwrap();
        let echoed = http.stream(&instance, request).await.unwrap().bytes().await.unwrap();
        assert!(echoed.chunks(64 << 10).map(|chunk| chunk[0]).eq(0..64) && echoed.len() == 4 << 20);
    }

    #[tokio::test]
    async fn is_not_spoken_where_it_is_not_offered() {
        for protocols in [&["http/1.1"][..], &[]] {
            let (ca, acceptor) = tls::authority_offering("localhost", false, protocols);
            let forge = Responder::start_tls(acceptor, "https://localhost", |_| json(200, "", "{}")).await;
            let http = client(laptop(), Some(&ca), names(&[("localhost", &[[127, 0, 0, 1]])]), LIMITS);
            let response = http.stream(&forge.instance, streamed(&format!("{}/x", forge.instance))).await.unwrap();
            assert_eq!(response.version(), http::Version::HTTP_11);
        }
    }
}

mod environment {
    use std::{ffi::OsStr, fs, process::Command};

    use super::*;

    const RERUN: &str = "VALETKEY_TEST_RERUN";

    /// Whether this process is the one with these variables; if not, the test runs again in one that is. The environment
    /// of the process that runs all tests stays as it is.
    #[expect(clippy::disallowed_methods, reason = "a process of its own is the only way to an environment of its own")]
    fn is_set(test: &str, variables: &[(&str, &OsStr)]) -> bool {
        if std::env::var_os(RERUN).is_some() {
            return true;
        }
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("{module}::{test}")]).env(RERUN, "1");
        for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD", "SSL_CERT_DIR"] {
            command.env_remove(name);
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        false
    }

    #[tokio::test]
    async fn names_no_proxy_that_is_used() {
        // Nothing listens on the port; a call that took this way would fail.
        let proxy = OsStr::new("http://127.0.0.1:1");
        let names_of_it = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
        if !is_set("names_no_proxy_that_is_used", &names_of_it.map(|name| (name, proxy))) {
            return;
        }
        let (ca, acceptor) = tls::authority("localhost", false);
        let secure = Responder::start_tls(acceptor, "https://localhost", |_| json(200, "", "{}")).await;
        let plain = Responder::start(|_| json(200, "", "{}")).await;
        let http = client(laptop(), Some(&ca), names(&[("localhost", &[[127, 0, 0, 1]])]), LIMITS);
        for instance in [&secure.instance, &plain.instance] {
            let url = format!("{instance}/");
            assert_eq!(call(&http, &url).await, Ok(200));
            assert_eq!(http.stream(instance, streamed(&url)).await.unwrap().status().as_u16(), 200);
        }
    }

    #[tokio::test]
    async fn without_certificates_trusts_nobody_until_there_are_some() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("system.pem");
        let test = "without_certificates_trusts_nobody_until_there_are_some";
        if !is_set(test, &[("SSL_CERT_FILE", file.as_os_str())]) {
            return;
        }
        let file = std::env::var_os("SSL_CERT_FILE").unwrap();
        let (ca, acceptor) = tls::authority("localhost", false);
        let forge = Responder::start_tls(acceptor, "https://localhost", |_| json(200, "", "{}")).await;
        let url = format!("{}/", forge.instance);
        let (another_ca, _) = tls::authority("localhost", false);
        for extra in [None, Some(&*another_ca)] {
            let http = client(laptop(), extra, names(&[("localhost", &[[127, 0, 0, 1]])]), LIMITS);
            let error = call(&http, &url).await.unwrap_err();
            assert!(matches!(error, CallError::TlsNotTrusted { .. }), "{error}");
            fs::write(&file, &ca).unwrap();
            assert_eq!(call(&http, &url).await, Ok(200));
            fs::remove_file(&file).unwrap();
            assert_eq!(call(&http, &url).await, Ok(200), "what could be loaded is kept");
        }
    }
}

mod bounds {
    use super::*;

    fn limited(limits: Limits) -> Http {
        client(laptop(), None, system_lookup(), limits)
    }

    /// Accepts connections and never says anything.
    async fn silent() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, url)
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
        let forge = Responder::start(|seen| {
            let size = if seen.line.ends_with("/fits") { 1000 } else { 1001 };
            answer(200, "", &"x".repeat(size))
        });
        let forge = forge.await;
        let http = limited(Limits { body: 1000, ..LIMITS });
        assert_eq!(call(&http, &format!("{}/fits", forge.instance)).await, Ok(200));
        let wanted = CallError::TooLarge { host: "127.0.0.1".to_owned(), limit: 1000 };
        assert_eq!(call(&http, &format!("{}/more", forge.instance)).await, Err(wanted));
    }

    #[tokio::test]
    async fn nobody_listening_is_connection_refused() {
        let (listener, url) = silent().await;
        drop(listener);
        let wanted = CallError::Unreachable { host: "127.0.0.1".to_owned(), why: Why::Refused };
        assert_eq!(call(&http(), &url).await, Err(wanted.clone()));
        let instance = url.parse().unwrap();
        assert_eq!(http().stream(&instance, streamed(&format!("{url}/"))).await.unwrap_err(), wanted);
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_times_out() {
        let (_listener, url) = silent().await;
        let wanted = CallError::Unreachable { host: "127.0.0.1".to_owned(), why: Why::TimedOut };
        let http = limited(Limits { call: Duration::from_millis(50), idle: Duration::from_millis(50), ..LIMITS });
        assert_eq!(call(&http, &url).await, Err(wanted.clone()));
        let instance = url.parse().unwrap();
        assert_eq!(http.stream(&instance, streamed(&format!("{url}/"))).await.unwrap_err(), wanted);
    }

    #[tokio::test]
    async fn a_connection_that_is_not_made_in_time_is_told_apart() {
        let never: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
        let http = client(laptop(), None, never, Limits { connect: Duration::from_millis(20), ..LIMITS });
        let wanted = CallError::Unreachable { host: "slow.test".to_owned(), why: Why::ConnectTimedOut };
        assert_eq!(call(&http, "http://slow.test/").await, Err(wanted.clone()));
        assert_eq!(wanted.delivery(), Delivery::NotSent);
    }

    #[tokio::test]
    async fn an_answer_cut_off_or_garbled_is_broken() {
        for bytes in ["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "garbage\r\n\r\n", ""] {
            let forge = Responder::start(move |_| bytes.as_bytes().to_vec()).await;
            let wanted = CallError::Unreachable { host: "127.0.0.1".to_owned(), why: Why::Broken };
            assert_eq!(call(&http(), &format!("{}/", forge.instance)).await, Err(wanted), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_streamed_answer_that_stops_midway_ends_with_an_error() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (listener, url) = silent().await;
        let forge = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
            stream
        });
        let instance = url.parse().unwrap();
        let mut response = http().stream(&instance, streamed(&format!("{url}/"))).await.unwrap();
        let _open = forge.await.unwrap();
        assert_eq!(response.chunk().await.unwrap().as_deref(), Some(&b"half"[..]));
        // From here on minutes pass at once.
        tokio::time::pause();
        let error = response.chunk().await.unwrap_err();
        assert_eq!(classify("h", &error), CallError::Unreachable { host: "h".to_owned(), why: Why::TimedOut });
    }
}

mod target {
    use super::*;

    #[tokio::test]
    async fn a_stream_goes_to_its_instance_and_nowhere_else() {
        let forge = Responder::start(|_| json(200, "", "{}")).await;
        let (instance, port) = (forge.instance.clone(), forge.instance.port());
        let http = http();
        for url in [
            format!("http://localhost:{port}/x"),
            format!("http://127.0.0.2:{port}/x"),
            format!("https://127.0.0.1:{port}/x"),
            format!("http://127.0.0.1:{}/x", port.wrapping_add(1)),
            "http://127.0.0.1/x".to_owned(),
            format!("http://127.0.0.1.evil.test:{port}/x"),
            format!("http://user@127.0.0.1:{port}/x"),
            format!("http://user:password@127.0.0.1:{port}/x"),
            format!("{instance}/team/repo.git/../other.git/info/refs"),
            format!("{instance}/team/repo.git/%2e%2e/other.git/info/refs"),
            format!("{instance}/./x"),
            "/relative".to_owned(),
        ] {
            let wanted = CallError::OtherTarget { instance: instance.to_string() };
            assert_eq!(http.stream(&instance, streamed(&url)).await.unwrap_err(), wanted, "{url}");
        }
        assert!(forge.requests().is_empty());
        let fine = format!("{instance}/team/repo.git/info/refs?service=git-upload-pack");
        assert_eq!(http.stream(&instance, streamed(&fine)).await.unwrap().status().as_u16(), 200);
        assert_eq!(forge.lines(), ["GET /team/repo.git/info/refs?service=git-upload-pack"]);
    }

    #[tokio::test]
    async fn a_host_header_does_not_survive_and_others_do() {
        let forge = Responder::start(|_| json(200, "", "{}")).await;
        let request = http::Request::get(format!("{}/x", forge.instance))
            .header("host", "evil.test")
            .header("git-protocol", "version=2")
            .header("user-agent", "git/2.47.3");
        http().stream(&forge.instance, request.body(UpstreamBody::default()).unwrap()).await.unwrap();
        let head = &forge.requests()[0].head;
        assert!(!head.contains("evil.test"), "{head}");
        assert!(head.contains(&format!("host: {}\n", forge.instance.authority())), "{head}");
        assert!(head.contains("git-protocol: version=2\n") && head.contains("user-agent: git/2.47.3\n"), "{head}");
        assert!(!head.contains("accept-encoding"), "{head}");
    }

    #[tokio::test]
    async fn bodies_of_known_length_keep_it() {
        let forge = Responder::start(|_| json(200, "", "{}")).await;
        let request = http::Request::post(format!("{}/x", forge.instance)).body(UpstreamBody::from("0000")).unwrap();
        http().stream(&forge.instance, request).await.unwrap();
        let seen = &forge.requests()[0];
        assert!(seen.head.contains("content-length: 4\n"), "{}", seen.head);
        assert_eq!(seen.body, b"0000");
    }

    #[tokio::test]
    async fn calls_say_who_calls() {
        let forge = Responder::start(|_| json(200, "", "{}")).await;
        call(&http(), &format!("{}/", forge.instance)).await.unwrap();
        let wanted = concat!("user-agent: valetkey/", env!("CARGO_PKG_VERSION"), "\n");
        assert!(forge.requests()[0].head.contains(wanted));
    }
}
