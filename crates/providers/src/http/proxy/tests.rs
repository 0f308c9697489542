use std::collections::HashMap;

use super::*;

fn parse(variables: &[(&str, &str)]) -> Result<Option<ProxySettings>, ProxyError> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    ProxySettings::from_environment(|name| variables.get(name).map(|value| (*value).to_owned()))
}

fn proxy(settings: &ProxySettings, url: &str) -> Option<String> {
    let url: Url = url.parse().unwrap();
    let proxy = if url.scheme() == "http" { &settings.http } else { &settings.https };
    proxy.as_ref().filter(|_| !settings.is_direct(&url)).map(Url::to_string)
}

/// Of these URLs, those that are called directly.
fn direct<'a>(no_proxy: &str, urls: &[&'a str]) -> Vec<&'a str> {
    let settings = parse(&[("ALL_PROXY", "http://proxy.test:3128"), ("NO_PROXY", no_proxy)]).unwrap().unwrap();
    urls.iter().copied().filter(|url| proxy(&settings, url).is_none()).collect()
}

#[test]
fn without_variables_there_is_no_proxy() {
    assert!(parse(&[]).unwrap().is_none());
    assert!(parse(&[("HTTPS_PROXY", ""), ("http_proxy", " "), ("NO_PROXY", "*")]).unwrap().is_none());
}

#[test]
fn each_scheme_has_its_variable_and_there_is_one_for_both() {
    let of = |variables: &[(&str, &str)]| {
        let settings = parse(variables).unwrap().unwrap();
        ["https://x.test/", "http://x.test/"].map(|url| proxy(&settings, url))
    };
    let to = |name: &str| Some(format!("http://{name}/"));
    assert_eq!(of(&[("HTTPS_PROXY", "http://s")]), [to("s"), None]);
    assert_eq!(of(&[("HTTP_PROXY", "http://h")]), [None, to("h")]);
    assert_eq!(of(&[("ALL_PROXY", "http://a")]), [to("a"), to("a")]);
    assert_eq!(of(&[("ALL_PROXY", "http://a"), ("HTTPS_PROXY", "http://s")]), [to("s"), to("a")]);
    assert_eq!(of(&[("all_proxy", "http://a"), ("ALL_PROXY", "http://A2")]), [to("a"), to("a")]);
    assert_eq!(of(&[("https_proxy", "http://s"), ("HTTPS_PROXY", "http://S2")]), [to("s"), None]);
    assert_eq!(of(&[("https_proxy", ""), ("HTTPS_PROXY", "http://s")]), [to("s"), None]);
    assert_eq!(of(&[("http_proxy", "h:3128"), ("https_proxy", " https://s:8443 ")])[1], to("h:3128"));
}

#[test]
fn a_header_that_a_cgi_program_was_given_names_no_proxy() {
    let cgi = ("REQUEST_METHOD", "GET");
    assert!(parse(&[("HTTP_PROXY", "http://evil.test"), cgi]).unwrap().is_none());
    let settings = parse(&[("http_proxy", "http://h"), ("HTTP_PROXY", "http://evil.test"), cgi]).unwrap().unwrap();
    assert_eq!(proxy(&settings, "http://x.test/").as_deref(), Some("http://h/"));
}

#[test]
fn what_is_no_http_proxy_is_refused_by_the_variables_name_alone() {
    for variable in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
        for value in [
            "socks5://u:canary@proxy.test",
            "ftp://canary@x",
            "http://",
            "http://u:canary@",
            "a canary",
            "http://x:canary",
        ] {
            let error = parse(&[(variable, value)]).unwrap_err();
            assert_eq!(error, ProxyError { variable });
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }
}

#[test]
fn a_password_is_not_shown() {
    let settings = parse(&[("ALL_PROXY", "http://user:canary@proxy.test:3128/canary")]).unwrap().unwrap();
    let shown = format!("{settings:?}");
    assert!(
        shown.contains("http://proxy.test:3128") && !shown.contains("canary") && !shown.contains("user"),
        "{shown}"
    );
}

#[test]
fn a_name_excepts_itself_and_everything_below_it() {
    let urls = [
        "https://x.test/",
        "https://a.b.X.test/",
        "https://x.test./",
        "https://ax.test/",
        "https://x.test.evil.test/",
        "https://test/",
    ];
    for entry in
        ["x.test", ".x.test", "*.x.test", "X.Test", "x.test.", " x.test ", "other.test,x.test", "other.test x.test"]
    {
        assert_eq!(direct(entry, &urls), urls[..3], "{entry}");
    }
}

#[test]
fn a_port_narrows_an_exception() {
    let urls = ["https://x.test/", "https://x.test:8443/", "https://a.x.test:8443/", "http://x.test/"];
    assert_eq!(direct("x.test:8443", &urls), urls[1..3]);
    assert_eq!(direct("x.test:443", &urls), urls[..1]);
    assert_eq!(direct("x.test:80", &urls), urls[3..]);
    let urls = ["https://10.1.2.3/", "https://10.1.2.3:8443/", "https://[fd00::1]/", "https://[fd00::1]:8443/"];
    assert_eq!(direct("10.1.2.3:8443,[fd00::1]:8443", &urls), [urls[1], urls[3]]);
}

#[test]
fn addresses_and_networks_except_literal_addresses() {
    let urls = [
        "https://10.1.2.3/",
        "https://10.9.9.9/",
        "https://[::ffff:10.1.2.3]/",
        "https://[fd00::1]/",
        "https://ten.test/",
    ];
    assert_eq!(direct("10.0.0.0/8", &urls), urls[..3]);
    assert_eq!(direct("10.1.2.3", &urls), [urls[0], urls[2]]);
    assert_eq!(direct("fd00::/8", &urls), [urls[3]]);
    assert_eq!(direct("fd00::1", &urls), [urls[3]]);
    assert_eq!(direct("[fd00::1]", &urls), [urls[3]]);
}

#[test]
fn a_star_excepts_everything() {
    let urls = ["https://x.test/", "http://10.1.2.3/", "https://[2606::1]:8443/"];
    for entry in ["*", "a.test, *"] {
        assert_eq!(direct(entry, &urls), urls);
    }
}

#[test]
fn what_can_not_be_read_excepts_nothing() {
    let urls = ["https://x.test/", "https://10.1.2.3/", "https://[fd00::1]/"];
    for entry in ["", ",", ".", ":443", "10.0.0.0/99", "x.test:port", "https://x.test", "[]", "..", "*."] {
        assert!(direct(entry, &urls).is_empty(), "{entry}");
    }
}

#[test]
fn loopback_is_always_direct() {
    let urls = [
        "http://localhost:8080/",
        "http://a.localhost/",
        "http://127.0.0.1/",
        "http://127.9.9.9/",
        "http://[::1]:1/",
        "http://[::ffff:127.0.0.1]/",
    ];
    assert_eq!(direct("", &urls), urls);
    assert!(direct("", &["http://localhost.test/", "http://notlocalhost/"]).is_empty());
}

/// Calls through a proxy that runs.
mod calls {
    use std::sync::{Arc, Mutex};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
        net::{TcpListener, TcpStream},
    };

    use crate::{
        AddressPolicy, CallError, Http, HttpConfig, Refusal, Why,
        http::{
            LIMITS, Lookup,
            tests::{call, laptop, names, server, streamed, tls},
        },
        testing::{Responder, json},
    };

    /// Leads every connection to one port of this machine, and remembers what it was asked.
    struct Tunnel {
        port: u16,
        heads: Arc<Mutex<Vec<String>>>,
    }

    impl Tunnel {
        async fn to(target: u16) -> Self {
            Self::start(Ok(target)).await
        }

        async fn refusing(answer: &'static str) -> Self {
            Self::start(Err(answer)).await
        }

        async fn start(target: Result<u16, &'static str>) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let heads = Arc::<Mutex<Vec<String>>>::default();
            let journal = Arc::clone(&heads);
            tokio::spawn(async move {
                while let Ok((mut client, _)) = listener.accept().await {
                    let journal = Arc::clone(&journal);
                    tokio::spawn(async move {
                        let mut head = Vec::new();
                        while !head.ends_with(b"\r\n\r\n") && client.read_buf(&mut head).await? != 0 {}
                        journal.lock().unwrap().push(String::from_utf8(head).unwrap());
                        match target {
                            Err(answer) => client.write_all(answer.as_bytes()).await,
                            Ok(port) => {
                                let mut target = TcpStream::connect(("127.0.0.1", port)).await?;
                                client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
                                copy_bidirectional(&mut client, &mut target).await.map(drop)
                            }
                        }
                    });
                }
            });
            Self { port, heads }
        }

        fn heads(&self) -> Vec<String> {
            self.heads.lock().unwrap().clone()
        }
    }

    const NAMES: &[(&str, &[[u8; 4]])] = &[("proxy.test", &[[127, 0, 0, 1]]), ("direct.test", &[[127, 0, 0, 1]])];

    fn through(proxy: &str, no_proxy: &str, addresses: AddressPolicy, ca: Option<&str>) -> Http {
        let proxy = super::parse(&[("ALL_PROXY", proxy), ("NO_PROXY", no_proxy)]).unwrap();
        let extra_ca_pem = ca.map(|pem| pem.as_bytes().to_vec());
        let lookup: Lookup = names(NAMES);
        Http::with(HttpConfig { extra_ca_pem, addresses, proxy }, lookup, LIMITS).unwrap()
    }

    #[tokio::test]
    async fn calls_and_git_traffic_go_through_it_to_names_that_only_it_knows() {
        let (ca, acceptor) = tls::authority("forge.test", false);
        let forge = Responder::start_tls(acceptor, "https://forge.test", |_| json(200, "", "{}")).await;
        let tunnel = Tunnel::to(forge.instance.port()).await;
        // The proxy is at a private address, to which the policy of a public server allows no call.
        for host in ["127.0.0.1", "proxy.test"] {
            let http = through(&format!("http://us%40er:pass@{host}:{}", tunnel.port), "", server(), Some(&ca));
            assert_eq!(call(&http, &format!("{}/call", forge.instance)).await, Ok(200));
            let git = http.stream(&forge.instance, streamed(&format!("{}/git", forge.instance))).await.unwrap();
            assert_eq!(git.status().as_u16(), 200);
        }
        assert_eq!(forge.lines(), ["GET /call", "GET /git", "GET /call", "GET /git"]);
        for head in tunnel.heads() {
            let head = head.to_ascii_lowercase();
            assert!(head.starts_with(&format!("connect {} http/1.1\r\n", forge.instance.authority())), "{head}");
            assert!(head.contains("\r\nproxy-authorization: basic dxnazxi6cgfzcw==\r\n"), "{head}");
        }
        for seen in forge.requests() {
            assert!(!seen.head.contains("proxy-authorization"), "{}", seen.head);
        }
    }

    #[tokio::test]
    async fn what_the_spelling_forbids_is_not_even_asked_of_it() {
        let tunnel = Tunnel::refusing("").await;
        let http = through(&format!("http://127.0.0.1:{}", tunnel.port), "", server(), None);
        for (host, why) in [
            ("10.0.0.1", Refusal::Private),
            ("[fd00::1]", Refusal::Private),
            ("127.0.0.1", Refusal::Private),
            ("169.254.169.254", Refusal::Never),
            ("[fd00:ec2::254]", Refusal::Never),
            ("metadata.google.internal", Refusal::Never),
        ] {
            for scheme in ["http", "https"] {
                let wanted = CallError::AddressRefused { host: host.to_owned(), why };
                assert_eq!(call(&http, &format!("{scheme}://{host}/")).await, Err(wanted), "{host}");
            }
        }
        assert!(tunnel.heads().is_empty());
    }

    #[tokio::test]
    async fn exceptions_are_called_directly_and_under_the_policy() {
        let forge = Responder::start(|_| json(200, "", "{}")).await;
        let tunnel = Tunnel::refusing("").await;
        let proxy = format!("http://proxy.test:{}", tunnel.port);
        let at = |host: &str| format!("http://{host}:{}/", forge.instance.port());
        let http = through(&proxy, "direct.test,proxy.test", laptop(), None);
        assert_eq!(call(&http, &at("direct.test")).await, Ok(200));
        assert_eq!(call(&http, &at("127.0.0.1")).await, Ok(200));
        let http = through(&proxy, "direct.test,proxy.test", server(), None);
        for host in ["direct.test", "proxy.test"] {
            let wanted = CallError::AddressRefused { host: host.to_owned(), why: Refusal::Private };
            assert_eq!(call(&http, &at(host)).await, Err(wanted), "that the proxy is there opens nothing else");
        }
        assert!(tunnel.heads().is_empty());
    }

    #[tokio::test]
    async fn plain_http_is_asked_of_it_in_full() {
        let proxy = Responder::start(|_| json(200, "", "{}")).await;
        let http = through(&format!("http://user:pass@127.0.0.1:{}", proxy.instance.port()), "", server(), None);
        assert_eq!(call(&http, "http://forge.test/x").await, Ok(200));
        assert_eq!(proxy.lines(), ["GET http://forge.test/x"]);
        assert!(proxy.requests()[0].head.contains("proxy-authorization: Basic dXNlcjpwYXNz\n"));
    }

    #[tokio::test]
    async fn its_refusals_and_absence_are_told_without_its_password() {
        let gone = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        let ports = [
            Tunnel::refusing("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.port,
            Tunnel::refusing("HTTP/1.1 403 Forbidden\r\n\r\n").await.port,
            Tunnel::refusing("garbage\r\n\r\n").await.port,
            Tunnel::refusing("").await.port,
            gone,
        ];
        for port in ports {
            let http = through(&format!("http://user:canary@proxy.test:{port}"), "", server(), None);
            let error = call(&http, "https://forge.test/").await.unwrap_err();
            assert_eq!(error, CallError::Unreachable { host: "forge.test".to_owned(), why: Why::Proxy });
            assert!(!format!("{error} {error:?} {http:?}").contains("canary"));
        }
        let http = through("http://user:canary@unknown.test:3128", "", server(), None);
        let wanted = CallError::Unreachable { host: "forge.test".to_owned(), why: Why::Proxy };
        assert_eq!(call(&http, "https://forge.test/").await, Err(wanted));
    }

    #[tokio::test]
    async fn the_certificate_behind_it_is_still_checked() {
        let (_, acceptor) = tls::authority("forge.test", false);
        let forge = Responder::start_tls(acceptor, "https://forge.test", |_| json(200, "", "{}")).await;
        let tunnel = Tunnel::to(forge.instance.port()).await;
        let http = through(&format!("http://127.0.0.1:{}", tunnel.port), "", server(), None);
        let error = call(&http, &format!("{}/", forge.instance)).await.unwrap_err();
        assert!(matches!(error, CallError::TlsNotTrusted { .. }), "{error}");
        assert!(forge.requests().is_empty());
    }
}
