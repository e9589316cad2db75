//! Who may connect where.

use super::*;

fn rules(texts: &[&str]) -> Arc<Rules> {
    let mut rules = Rules::default();
    for text in texts {
        rules.add(text).unwrap();
    }
    (rules.own).listens("127.0.0.1:8080".parse().unwrap(), Purpose::Requests);
    (rules.own).listens("127.0.0.1:8081".parse().unwrap(), Purpose::Admin);
    Arc::new(rules)
}

fn wishes(allow: &[&str], deny: &[&str]) -> Wishes {
    let list = |list: &[&str]| list.iter().map(|rule| rule.parse().unwrap()).collect();
    Wishes {
        allow: list(allow),
        deny: list(deny),
        public: true,
    }
}

/// Empty if it may connect.
fn asked(outbound: &Outbound, host: &str, address: &str) -> String {
    match outbound.check(host, address.parse().unwrap()) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    }
}

fn refusal(host: &str, why: &str) -> String {
    format!("connection to {host} refused by the outbound policy: {why}")
}

#[test]
fn by_default_what_is_public_and_nothing_else() {
    for trust in [Trust::Tenant, Trust::Operator] {
        let outbound = Outbound::new(rules(&[]), Wishes::default(), trust);
        assert_eq!(asked(&outbound, "a.example", "8.8.8.8:443"), "");
        for address in [
            "127.0.0.1:6379",
            "169.254.169.254:80",
            "[::ffff:169.254.169.254]:80",
            "10.0.0.1:1",
            "0.0.0.0:80",
        ] {
            assert!(
                !asked(&outbound, "a.example", address).is_empty(),
                "{address}"
            );
        }
        assert!(outbound.check_unix(Path::new("/run/x.sock")).is_err());
    }
    let own = Outbound::new(rules(&[]), Wishes::default(), Trust::Operator);
    assert_eq!(
        asked(&own, "169.254.169.254", "169.254.169.254:80"),
        refusal("169.254.169.254", ALLOW_IT)
    );
    let tenant = Outbound::default();
    assert_eq!(
        asked(&tenant, "rebind.example", "127.0.0.1:80"),
        refusal("rebind.example", OPERATOR_CAN)
    );
}

#[test]
fn a_manifest_widens_for_the_operator_s_own_app_only() {
    let wish = wishes(
        &["10.0.0.0/8", "*.internal.example", "unix:/run/x.sock"],
        &["10.9.0.0/16"],
    );
    let own = Outbound::new(rules(&[]), wish.clone(), Trust::Operator);
    assert_eq!(asked(&own, "10.1.2.3", "10.1.2.3:80"), "");
    assert_eq!(asked(&own, "db.internal.example", "192.168.1.1:80"), "");
    assert_eq!(
        asked(&own, "10.9.1.1", "10.9.1.1:80"),
        refusal("10.9.1.1", MANIFEST_DENIES)
    );
    assert!(own.check_unix(Path::new("/run/x.sock")).is_ok());
    for (texts, trust) in [
        (&[][..], Trust::Tenant),
        (&["public"][..], Trust::Operator),
        (&["none"][..], Trust::Operator),
    ] {
        let narrow = Outbound::new(rules(texts), wish.clone(), trust);
        let no = refusal("10.1.2.3", OPERATOR_CAN);
        assert_eq!(asked(&narrow, "10.1.2.3", "10.1.2.3:80"), no);
        assert!(!asked(&narrow, "db.internal.example", "192.168.1.1:80").is_empty());
        assert!(narrow.check_unix(Path::new("/run/x.sock")).is_err());
        let is_open = asked(&narrow, "8.8.8.8", "8.8.8.8:53").is_empty();
        assert_eq!(is_open, texts != ["none"]);
    }
}

#[test]
fn the_operator_s_word_is_the_last_one() {
    let texts = [
        "allow=10.0.0.5:6379,unix:/run/y.sock",
        "deny=8.8.8.8,*.evil.example",
    ];
    let wish = wishes(&["8.8.8.8"], &[]);
    for trust in [Trust::Tenant, Trust::Operator] {
        let outbound = Outbound::new(rules(&texts), wish.clone(), trust);
        assert_eq!(asked(&outbound, "redis", "10.0.0.5:6379"), "");
        assert!(!asked(&outbound, "redis", "10.0.0.5:6380").is_empty());
        assert!(outbound.check_unix(Path::new("/run/y.sock")).is_ok());
        for (host, address) in [
            ("8.8.8.8", "8.8.8.8:53"),
            ("8.8.8.8", "[64:ff9b::808:808]:53"),
            ("www.evil.example", "1.1.1.1:80"),
        ] {
            assert_eq!(
                asked(&outbound, host, address),
                refusal(host, OPERATOR_DENIES)
            );
        }
    }
    let any = Outbound::new(
        rules(&["any", "deny=10.0.0.0/8"]),
        Wishes::default(),
        Trust::Tenant,
    );
    assert_eq!(asked(&any, "x", "127.0.0.1:6379"), "");
    assert!(!asked(&any, "x", "10.0.0.1:80").is_empty());
}

#[test]
fn a_list_only() {
    let mut wish = wishes(&["api.example", "10.0.0.1"], &[]);
    wish.public = false;
    let tenant = Outbound::new(rules(&[]), wish, Trust::Tenant);
    assert_eq!(asked(&tenant, "api.example", "8.8.8.8:443"), "");
    // What it names may not be where it says.
    assert!(!asked(&tenant, "api.example", "127.0.0.1:443").is_empty());
    assert_eq!(
        asked(&tenant, "8.8.8.8", "8.8.8.8:53"),
        refusal("8.8.8.8", ALLOW_IT)
    );
    assert_eq!(
        asked(&tenant, "10.0.0.1", "10.0.0.1:1"),
        refusal("10.0.0.1", OPERATOR_CAN)
    );
}

#[test]
fn the_server_s_own_ports_have_to_be_named() {
    let ask = |texts: &[&str], allow: &[&str], trust, address: &str| {
        let outbound = Outbound::new(rules(texts), wishes(allow, &[]), trust);
        asked(&outbound, "h", address).is_empty()
    };
    let (requests, admin) = ("127.0.0.1:8080", "127.0.0.1:8081");
    for texts in [
        &["any"][..],
        &["allow=127.0.0.0/8"],
        &["allow=*"],
        &["allow=h"],
        &[],
    ] {
        for allow in [&["127.0.0.0/8"][..], &["*"], &["h"]] {
            for address in [
                requests,
                admin,
                "0.0.0.0:8080",
                "0.0.0.0:8081",
                "[::ffff:7f00:1]:8081",
            ] {
                let open = ask(texts, allow, Trust::Operator, address);
                assert!(!open, "{texts:?} {allow:?} {address}");
            }
        }
    }
    assert!(ask(&[], &["self"], Trust::Operator, requests));
    assert!(ask(&[], &[requests], Trust::Operator, requests));
    assert!(!ask(&[], &["self", requests], Trust::Tenant, requests));
    assert!(!ask(&["public"], &["self"], Trust::Operator, requests));
    assert!(ask(&["allow=self"], &[], Trust::Tenant, requests));
    for allow in [&["self"][..], &[admin]] {
        assert!(!ask(&["allow=self"], allow, Trust::Operator, admin));
    }
    assert!(ask(&["allow=127.0.0.1:8081"], &[], Trust::Tenant, admin));
}

#[test]
fn what_an_operator_writes() {
    let mut rules = Rules::default();
    for text in [
        "",
        "allow",
        "private",
        "allow=",
        "deny=10.0.0.0/99",
        "allow=10.0.0.1,,",
    ] {
        assert!(rules.add(text).is_err(), "{text}");
    }
    let many = vec!["10.0.0.1"; MAX_RULES + 1].join(",");
    assert!(rules.add(&format!("deny={many}")).is_err());
}

/// A name that is public when it is asked for first, and this machine afterwards.
#[test]
fn a_name_that_rebinds_is_caught_by_what_it_means_now() {
    use crate::net::{Net, Resolver, Target, limits, pool, testing, tls};
    use std::net::{IpAddr, TcpListener};
    use std::rc::Rc;
    use std::time::Duration;

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let outbound = Outbound::new(rules(&[]), Wishes::default(), Trust::Operator);
    // What has been remembered of a name is over between the two.
    let net = |addresses: &'static [[u8; 4]]| Net {
        resolver: Resolver::new(move |_| {
            let addresses: Vec<IpAddr> = addresses.iter().map(|it| (*it).into()).collect();
            Box::pin(async move { Ok(Rc::from(addresses)) })
        }),
        outbound: outbound.clone(),
        sockets: limits::SocketLimit::new(1),
        memory: limits::MemoryLimit::new(1 << 20),
        pools: pool::Pools::new(),
        tls: tls::Configs::default(),
    };
    testing::run(async {
        let name = "rebind.example";
        let first = net(&[[8, 8, 8, 8]]).resolver().resolve(name).await.unwrap();
        assert_eq!(asked(&outbound, name, &format!("{}:80", first[0])), "");
        let net = net(&[[10, 0, 0, 1], [127, 0, 0, 1]]);
        let target = Target::Tcp(name.to_owned(), port);
        let limit = Duration::from_secs(10);
        let tcp = net.connect(&target, None, limit).await;
        let udp = net.datagram(&target, None, limit).await;
        for error in [tcp.map(drop).unwrap_err(), udp.map(drop).unwrap_err()] {
            assert_eq!(error.to_string(), refusal(name, ALLOW_IT));
        }
        assert_eq!(net.sockets().open(), 0);
    });
    assert!(listener.accept().is_err());
}
