//! Queries, answered from a snapshot.

use super::space::full_key;
use super::{Found, MAX_PAGE, MAX_PAGE_BYTES, Query, Record, batch, value};
use redb::{Database, Error, ReadableDatabase, ReadableTable};
use std::ops::Bound;

/// The most records that are looked at for one page: so many may have expired.
const MAX_SCAN: usize = 10_000;

/// Answers a query of a space at this time.
pub(super) fn answer(
    database: &Database,
    space: &str,
    query: &Query,
    now: u64,
) -> Result<Found, Error> {
    let snapshot = database.begin_read()?;
    let data = match snapshot.open_table(batch::DATA) {
        Ok(data) => data,
        // Nothing has been written yet.
        Err(redb::TableError::TableDoesNotExist(_)) => {
            return Ok(match query {
                Query::Get(_) => Found::Nothing,
                Query::List { .. } => Found::Page(Vec::new(), None),
            });
        }
        Err(error) => return Err(error.into()),
    };
    match query {
        Query::Get(key) => get(&data, &full_key(space, key), now),
        Query::List {
            prefix,
            after,
            limit,
        } => {
            let after = after.as_ref().map(|after| full_key(space, after));
            let prefix = full_key(space, prefix);
            list(
                &data,
                &prefix,
                after.as_deref(),
                space.len() + 1,
                *limit,
                now,
            )
        }
    }
}

fn get<T>(data: &T, full: &[u8], now: u64) -> Result<Found, Error>
where
    T: ReadableTable<&'static [u8], &'static [u8]>,
{
    let Some(record) = data.get(full)? else {
        return Ok(Found::Nothing);
    };
    let (head, bytes) = value::split(record.value()).ok_or_else(batch::corrupt)?;
    if head.is_expired(now) {
        return Ok(Found::Nothing);
    }
    Ok(Found::Record(Record {
        value: value::decode(bytes).ok_or_else(batch::corrupt)?,
        version: head.version,
        left_ms: (head.expires != 0).then(|| head.expires.saturating_sub(now)),
    }))
}

/// A page of the records whose keys, of which the first `skip` bytes are the space's, begin with `prefix` and come after `after`.
fn list<T>(
    data: &T,
    prefix: &[u8],
    after: Option<&[u8]>,
    skip: usize,
    limit: usize,
    now: u64,
) -> Result<Found, Error>
where
    T: ReadableTable<&'static [u8], &'static [u8]>,
{
    let limit = limit.clamp(1, MAX_PAGE);
    let start = match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    };
    let (mut page, mut bytes, mut last) = (Vec::new(), 0, None::<Box<[u8]>>);
    for (seen, entry) in data.range::<&[u8]>((start, Bound::Unbounded))?.enumerate() {
        let (full, record) = entry?;
        let full = full.value();
        if !full.starts_with(prefix) {
            return Ok(Found::Page(page, None));
        }
        if page.len() >= limit || bytes >= MAX_PAGE_BYTES || seen >= MAX_SCAN {
            return Ok(Found::Page(page, last));
        }
        let key: Box<[u8]> = full.get(skip..).ok_or_else(batch::corrupt)?.into();
        let (head, stored) = value::split(record.value()).ok_or_else(batch::corrupt)?;
        if !head.is_expired(now) {
            bytes += key.len() + stored.len();
            let value = value::decode(stored).ok_or_else(batch::corrupt)?;
            page.push((key.clone(), value));
        }
        last = Some(key);
    }
    Ok(Found::Page(page, None))
}
