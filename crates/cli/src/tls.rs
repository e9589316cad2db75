//! The options of `rille serve` for TLS.
//!
//! **Invariant:** what is given in part (a certificate without a key, an address without a certificate) is an error that names what is missing.

use crate::serve::parse_address;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use rille_server::{Certificate, ClientCertificates, TlsConfig, Verify};
use std::net::SocketAddr;
use std::path::PathBuf;

const LISTEN: &str = "tls-listen";
const CERT: &str = "tls-cert";
const KEY: &str = "tls-key";
const CLIENT_CA: &str = "tls-client-ca";
const VERIFY_CLIENT: &str = "tls-verify-client";

/// The options.
pub fn arguments() -> [Arg; 5] {
    let file = |name: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
    };
    [
        Arg::new(LISTEN)
            .long(LISTEN)
            .value_name("ADDRESS")
            .help("Where to listen for TLS (HTTP/2 and HTTP/1.1)")
            .default_value("127.0.0.1:8443")
            .value_parser(parse_address),
        file(CERT)
            .action(ArgAction::Append)
            .requires(KEY)
            .help("A certificate with its chain, PEM; again with a key for each further name"),
        file(KEY)
            .action(ArgAction::Append)
            .requires(CERT)
            .help("The private key of the certificate at the same place, PEM"),
        file(CLIENT_CA)
            .requires(CERT)
            .help("Ask clients for certificates signed by these, PEM"),
        Arg::new(VERIFY_CLIENT)
            .long(VERIFY_CLIENT)
            .value_name("WHEN")
            .requires(CLIENT_CA)
            .value_parser(PossibleValuesParser::new(["on", "optional"]))
            .default_value("on")
            .help("Whether a client without one is turned away"),
    ]
}

/// What they say; `None`: no TLS.
pub fn config(matches: &ArgMatches) -> Result<Option<TlsConfig>, String> {
    let files = |name: &str| -> Vec<PathBuf> {
        matches
            .get_many(name)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    };
    let (chains, keys) = (files(CERT), files(KEY));
    if chains.len() != keys.len() {
        return Err(format!(
            "there are {} --{CERT} and {} --{KEY}; give one key for each certificate, in the same order",
            chains.len(),
            keys.len()
        ));
    }
    let Some(listen) = matches.get_one::<SocketAddr>(LISTEN) else {
        return Ok(None);
    };
    if chains.is_empty() {
        let is_given = matches.value_source(LISTEN) == Some(clap::parser::ValueSource::CommandLine);
        return match is_given {
            true => Err(format!("--{LISTEN} needs --{CERT} and --{KEY}")),
            false => Ok(None),
        };
    }
    let verify = match matches.get_one::<String>(VERIFY_CLIENT).map(String::as_str) {
        Some("optional") => Verify::Optional,
        _ => Verify::Required,
    };
    let pairs = chains.into_iter().zip(keys);
    Ok(Some(TlsConfig {
        listen: *listen,
        certificates: pairs
            .map(|(chain, key)| Certificate { chain, key })
            .collect(),
        clients: matches
            .get_one::<PathBuf>(CLIENT_CA)
            .map(|authorities| ClientCertificates {
                authorities: authorities.clone(),
                verify,
            }),
    }))
}
