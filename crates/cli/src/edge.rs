//! Options of `rille serve` about the edge: the access log, trusted proxies, health.

use clap::{Arg, ArgAction, ArgMatches, builder::PossibleValuesParser};
use rille_runtime::log::Log;
use rille_server::{
    AccessConfig, AccessFormat, AccessLog, AccessTarget, Config, ForwardedField, Range, Trust,
};

/// The arguments.
pub fn arguments() -> [Arg; 4] {
    [
        Arg::new("access-log")
            .long("access-log")
            .value_name("FORMAT[:PATH]")
            .help("Log requests: combined or json, to stdout, or to stderr or a file behind a colon; SIGHUP opens the file again")
            .value_parser(parse_access),
        Arg::new("trust-proxy")
            .long("trust-proxy")
            .value_name("RANGE")
            .help("Addresses of proxies (10.0.0.0/8,::1) that may say for which client they ask")
            .action(ArgAction::Append)
            .value_delimiter(',')
            .value_parser(Range::parse),
        Arg::new("trust-proxy-header")
            .long("trust-proxy-header")
            .value_name("NAME")
            .help("The header in which they say it; others are not looked at")
            .requires("trust-proxy")
            .default_value("x-forwarded-for")
            .value_parser(PossibleValuesParser::new([
                "x-forwarded-for",
                "forwarded",
                "x-real-ip",
            ])),
        Arg::new("health")
            .long("health")
            .value_name("PATH")
            .help("Answer PATH/ready (and PATH) and PATH/live on every host, before the apps")
            .value_parser(parse_health),
    ]
}

/// `combined`, `json:stderr`, `json:/var/log/rille.log`.
fn parse_access(text: &str) -> Result<AccessConfig, String> {
    let (format, target) = match text.split_once(':') {
        Some((format, target)) => (format, target),
        None => (text, "stdout"),
    };
    let format = match format {
        "combined" => AccessFormat::Combined,
        "json" => AccessFormat::Json,
        _ => return Err("write it as combined or json, or as json:/var/log/rille.log".into()),
    };
    let target = match target {
        "" => return Err("behind the colon comes stdout, stderr or the path of a file".into()),
        "stdout" => AccessTarget::Stdout,
        "stderr" => AccessTarget::Stderr,
        path => AccessTarget::File(path.into()),
    };
    Ok(AccessConfig { format, target })
}

fn parse_health(text: &str) -> Result<String, String> {
    let good = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
    match text.starts_with('/') && text.len() > 1 && !text.ends_with('/') && text.bytes().all(good)
    {
        true => Ok(text.to_owned()),
        false => Err("write it as a path without a slash at its end, such as /healthz".into()),
    }
}

/// Puts into the configuration what was said. Gives the access log, to be opened again and closed.
pub fn configure(
    config: &mut Config,
    matches: &ArgMatches,
    log: &Log,
) -> anyhow::Result<Option<AccessLog>> {
    let ranges = matches.get_many::<Range>("trust-proxy");
    let field = matches.get_one::<String>("trust-proxy-header");
    config.trust = Trust {
        ranges: ranges.into_iter().flatten().copied().collect(),
        field: match field.map(String::as_str) {
            Some("forwarded") => ForwardedField::Forwarded,
            Some("x-real-ip") => ForwardedField::XRealIp,
            _ => ForwardedField::XForwardedFor,
        },
    };
    config.health = matches.get_one::<String>("health").cloned();
    if let Some(wanted) = matches.get_one::<AccessConfig>("access-log") {
        let access = AccessLog::open(wanted, log.clone()).map_err(|error| {
            let path = match &wanted.target {
                AccessTarget::File(path) => path.display().to_string(),
                AccessTarget::Stdout | AccessTarget::Stderr => String::new(),
            };
            anyhow::anyhow!("--access-log: cannot open {path}: {error}")
        })?;
        config.access = Some(access);
    }
    Ok(config.access.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_logs() {
        let parsed = |text: &str| parse_access(text).map(|config| (config.format, config.target));
        assert_eq!(
            parsed("combined").unwrap(),
            (AccessFormat::Combined, AccessTarget::Stdout)
        );
        assert_eq!(
            parsed("json:stderr").unwrap(),
            (AccessFormat::Json, AccessTarget::Stderr)
        );
        assert_eq!(
            parsed("json:/a:b").unwrap().1,
            AccessTarget::File("/a:b".into())
        );
        for bad in ["", "common", "json:", ":x"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_of_health() {
        assert!(parse_health("/healthz").is_ok() && parse_health("/-/health").is_ok());
        for bad in ["", "/", "healthz", "/a/", "/a?b", "/a b"] {
            assert!(parse_health(bad).is_err(), "{bad}");
        }
    }
}
