//! What passes and what does not, in every spelling.

use super::*;

fn allowing(entries: &[&str]) -> Guard {
    let allow = entries.iter().map(|entry| Allowed::parse(entry).unwrap()).collect();
    Guard { allow, ..Guard::default() }
}

fn refused(guard: &Guard, url: &str) -> Option<Refused> {
    guard.check(url).err()
}

#[test]
fn public_hosts_pass() {
    let guard = Guard::default();
    for url in [
        "https://example.com",
        "https://example.com/hooks?shop=1",
        "https://example.com.:443/",
        "https://example.com:8443/a",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/",
        "HTTPS://EXAMPLE.COM/Path",
        "https://xn--bcher-kva.example/",
    ] {
        assert_eq!(refused(&guard, url), None, "{url}");
    }
    let target = guard.check("https://Example.com:8443/a?b=c").unwrap();
    assert_eq!(target.as_str(), "https://example.com:8443/a?b=c");
    assert_eq!(target.host(), "example.com:8443");
}

#[test]
fn all_spellings_of_an_address_inside_are_refused() {
    let guard = Guard::default();
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
        "255.255.255.255",
        "%31%32%37.0.0.1",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "printer.local",
        "db.internal",
        "router.home.arpa",
        "x.onion",
        "intranet",
        "intranet.",
    ] {
        assert_eq!(refused(&guard, &format!("https://{host}/")), Some(Refused::Host), "{host}");
    }
    // A zone is no part of a URL; full-width digits are no name here.
    for host in ["[fe80::1%25eth0]", "１２７.0.0.1", "①②⑦.0.0.1"] {
        assert!(refused(&guard, &format!("https://{host}/")).is_some(), "{host}");
    }
}

#[test]
fn what_is_no_url_of_the_web_is_refused() {
    let guard = Guard::default();
    for (url, why) in [
        ("", Refused::Syntax),
        ("example.com", Refused::Syntax),
        ("//example.com", Refused::Syntax),
        ("https://", Refused::Syntax),
        ("https:// example.com", Refused::Syntax),
        ("https://exa\tmple.com", Refused::Syntax),
        ("https://example.com/\n", Refused::Syntax),
        ("http://example.com", Refused::Scheme),
        ("ftp://example.com", Refused::Scheme),
        ("file:///etc/passwd", Refused::Scheme),
        ("unix:/run/x", Refused::Scheme),
        ("https://user@example.com", Refused::Parts),
        ("https://user:pass@example.com", Refused::Parts),
        ("https://example.com#part", Refused::Parts),
        ("https://example.com:22", Refused::Port),
        ("https://example.com:0", Refused::Port),
        ("https://example.com:6667", Refused::Port),
        ("https://1.1.1.1:25", Refused::Port),
    ] {
        assert_eq!(refused(&guard, url), Some(why), "{url:?}");
    }
    let long = format!("https://example.com/{}", "a".repeat(URL_CHARS_MAX));
    assert_eq!(refused(&guard, &long), Some(Refused::Syntax));
}

#[test]
fn the_list_lets_in_what_it_names_and_no_more() {
    let guard = allowing(&["127.0.0.0/8", "[::1]:25", "hooks", "10.1.0.0/16", "169.254.0.0/16"]);
    for url in [
        "http://127.0.0.1:9000/",
        "https://127.0.0.1/",
        "http://[::1]:25/",
        "http://hooks/",
        "http://10.1.2.3/",
    ] {
        assert_eq!(refused(&guard, url), None, "{url}");
    }
    for url in [
        "http://127.0.0.1:22/",
        "http://[::1]:26/",
        "https://[::1]/",
        "http://10.2.0.1/",
        "https://other/",
        "http://169.254.169.254/",
        "http://example.com/",
    ] {
        assert!(refused(&guard, url).is_some(), "{url}");
    }
    assert_eq!(refused(&allowing(&["169.254.169.254"]), "http://169.254.169.254/"), None);
    for bad in ["10.0.0.1/8", "", "a b", "http://x", "127.0.0.1:99999"] {
        assert_eq!(Allowed::parse(bad), None, "{bad}");
    }
}

#[test]
fn one_address_inside_refuses_the_whole_name() {
    let guard = allowing(&["10.1.0.0/16"]);
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    assert_eq!(guard.judge_all(&[ip("1.1.1.1"), ip("2606:4700::1")], 443, false), Ok(()));
    let mixed = [ip("1.1.1.1"), ip("10.0.0.1")];
    assert_eq!(guard.judge_all(&mixed, 443, false), Err(Fault::AddressRefused));
    assert_eq!(guard.judge_all(&[], 443, false), Err(Fault::Dns));
    // In the clear only to those that are listed.
    assert_eq!(guard.judge_all(&[ip("1.1.1.1")], 80, true), Err(Fault::AddressRefused));
    assert_eq!(guard.judge_all(&[ip("10.1.0.1")], 80, true), Ok(()));
    let open = Guard { http: true, ..guard.clone() };
    assert_eq!(open.judge_all(&[ip("1.1.1.1")], 80, true), Ok(()));
    let closed = Guard { only_allowed: true, ..guard };
    assert_eq!(closed.judge_all(&[ip("1.1.1.1")], 443, false), Err(Fault::AddressRefused));
    assert_eq!(closed.judge_all(&[ip("10.1.0.1")], 443, false), Ok(()));
}

#[test]
fn the_server_does_not_ask_itself() {
    let own = ["0.0.0.0:8080", "127.0.0.1:9190"].map(|own| own.parse().unwrap()).to_vec();
    let own_host = Some(("patron.example".to_owned(), 443));
    let guard = Guard { own, own_host, ..allowing(&["127.0.0.0/8", "::1", "::ffff:127.0.0.1"]) };
    for url in [
        "http://127.0.0.1:8080/",
        "http://127.9.9.9:8080/",
        "http://127.0.0.1:9190/",
        "http://[::1]:8080/",
        "http://[::ffff:127.0.0.1]:8080/",
        "https://patron.example/",
        "https://patron.example.:443/",
    ] {
        assert_eq!(refused(&guard, url), Some(Refused::Host), "{url}");
    }
    assert_eq!(refused(&guard, "http://127.0.0.2:9190/"), None);
    assert_eq!(refused(&guard, "https://patron.example:8443/"), None);
}
