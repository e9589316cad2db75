//! `rille serve s3://BUCKET/FOLDER`, or AWS_S3_CODE_PATH: hosts whose code is in a bucket.

use crate::deploys::Place;
use crate::fetching::variable;
use crate::state;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use rille_runtime::log::Log;
use rille_runtime::manifest::Admission;
use rille_server::admin::Token;
use rille_server::{HostMap, HostMapSettings};
use rille_store::on_demand::{CacheOptions, MIN_REVALIDATE};
use rille_store::{S3, Source};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The most VMs of hosts that can be asked for.
const MAX_TENANTS: u64 = 100_000;

/// The command's arguments.
pub fn arguments() -> [Arg; 3] {
    [
        Arg::new("tenants")
            .long("tenants")
            .value_name("N")
            .help("For a bucket: hosts that have a VM at once, per worker")
            .default_value("1000")
            .value_parser(value_parser!(u64).range(1..=MAX_TENANTS)),
        Arg::new("revalidate")
            .long("revalidate")
            .value_name("TIME")
            .help("For a bucket: how long a file is taken for granted, at least 120s")
            .default_value("1h")
            .value_parser(parse_revalidate),
        Arg::new("cb")
            .long("cb")
            .help("For a bucket: $cb in a query asks the bucket for this request, whoever sends it")
            .action(ArgAction::SetTrue),
    ]
}

fn parse_revalidate(text: &str) -> Result<Duration, String> {
    let time = rille_runtime::units::parse_duration(text)?;
    match time >= MIN_REVALIDATE {
        true => Ok(time),
        false => Err(format!("at least {} s", MIN_REVALIDATE.as_secs())),
    }
}

/// The buckets among the paths are taken out; the one to serve. The error says why not.
pub fn take(paths: &mut Vec<PathBuf>) -> Result<Option<S3>, String> {
    let is_bucket = |path: &PathBuf| path.to_str().is_some_and(|path| path.starts_with("s3://"));
    let buckets: Vec<PathBuf> = paths.extract_if(.., |path| is_bucket(path)).collect();
    let parse = |path: &Path| match Source::parse(&path.to_string_lossy()) {
        Ok(Source::S3(bucket)) => Ok(Some(bucket)),
        Ok(_) => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    match buckets.as_slice() {
        [] => match variable("AWS_S3_CODE_PATH") {
            Some(path) if paths.is_empty() => S3::from_code_path(&path)
                .map(Some)
                .map_err(|error| format!("AWS_S3_CODE_PATH: {error}")),
            _ => Ok(None),
        },
        [bucket] => parse(bucket),
        _ => Err("only one bucket can be served; start another server for the other".to_owned()),
    }
}

/// The hosts of a bucket.
pub fn host_map(
    bucket: &S3,
    matches: &ArgMatches,
    place: &Place,
    log: &Log,
) -> Result<HostMap, String> {
    let said = |error: rille_store::Error| error.to_string();
    let mut options = CacheOptions::from_variables(variable).map_err(said)?;
    if let Some(revalidate) = matches.get_one::<Duration>("revalidate") {
        options.revalidate = *revalidate;
    }
    let chunks = options.entries;
    let fetching = &place.fetching;
    let fetcher = fetching.fetcher()?;
    let (send, receive) = std::sync::mpsc::channel();
    let source = bucket.clone();
    fetching.runtime().spawn(async move {
        // Whoever asked waits for it.
        let _ = send.send(fetcher.on_demand(&source, options).await);
    });
    let files = receive
        .recv()
        .map_err(|_| "the fetching thread ended".to_owned())?;
    let files = Arc::new(files.map_err(said)?);
    let mut settings = HostMapSettings::new(
        Box::new(files),
        fetching.runtime().clone(),
        log.clone(),
        Source::S3(bucket.clone()).to_string(),
    );
    settings.admission = Admission::of_tenants(&place.operator);
    settings.chunks = chunks;
    settings.token = token(place.state.as_deref())?;
    settings.bypass = matches.get_flag("cb");
    settings.kv = place.kv.clone();
    settings.forge = Some(place.forge.clone());
    if let Some(tenants) = matches.get_one::<u64>("tenants") {
        settings.tenants = usize::try_from(*tenants).unwrap_or(usize::MAX);
    }
    Ok(HostMap::new(settings))
}

/// RILLE_TOKEN, or what is in the state folder.
fn token(state: Option<&Path>) -> Result<Option<Token>, String> {
    match (state::chosen_token()?, state) {
        (Some(token), _) => Ok(Some(token)),
        (None, Some(state)) => Token::read(state),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bucket_is_taken_out_of_the_paths() {
        let mut paths = vec![PathBuf::from("shop"), PathBuf::from("s3://bucket/folder")];
        let bucket = take(&mut paths).unwrap().unwrap();
        assert_eq!(bucket.to_string(), "s3://bucket/folder");
        assert_eq!(paths, [PathBuf::from("shop")]);
        assert!(take(&mut vec!["s3://b".into(), "s3://c".into()]).is_err());
        assert!(take(&mut vec!["s3://No_Bucket".into()]).is_err());
        let two = &mut vec!["s3://bucket".into(), "s3://other".into()];
        assert!(take(two).unwrap_err().starts_with("only one bucket"));
    }

    #[test]
    fn times_between_looks() {
        assert_eq!(parse_revalidate("120s"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_revalidate("119s"), Err("at least 120 s".to_owned()));
        assert!(parse_revalidate("soon").is_err());
    }
}
