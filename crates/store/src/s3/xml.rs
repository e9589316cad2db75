//! The XML that S3 answers with: listings and errors.
//!
//! **Invariant:** work and memory are within a multiple of the text's length. Elements are known by where they are and what they are
//! called; others are passed over. There are no entities but XML's own, so nothing grows.

use quick_xml::Reader;
use quick_xml::events::Event;

/// The deepest element that is looked into.
const MAX_DEPTH: usize = 8;

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object {
    /// Its whole key.
    pub key: String,
    /// Its entity tag, as it is said.
    pub etag: String,
    /// When it was written, as it is said.
    pub modified: String,
    /// In bytes.
    pub size: Option<u64>,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// In the order they came in.
    pub objects: Vec<Object>,
    /// Names the next page, if there is one.
    pub next: Option<String>,
}

/// What S3 says when it refuses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// Such as `NoSuchKey`.
    pub code: String,
    /// In words.
    pub message: String,
    /// Where the bucket is, if that is the problem.
    pub region: Option<String>,
}

/// Calls `found` with the names of each element that has text and no elements in it, and its text; `end` when an element ends.
/// `None` if it is no XML.
fn walk(text: &[u8], found: &mut dyn FnMut(&[String], &str)) -> Option<()> {
    let text = std::str::from_utf8(text).ok()?;
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut value = String::new();
    let mut has_root = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if path.len() == MAX_DEPTH || (path.is_empty() && has_root) {
                    return None;
                }
                has_root = true;
                path.push(start.local_name().as_ref().to_owned());
                value.clear();
            }
            Event::Empty(_) => value.clear(),
            Event::Text(text) => value.push_str(&text),
            Event::CData(text) => value.push_str(&text),
            Event::GeneralRef(reference) => value.push(entity(&reference)?),
            Event::End(_) => {
                found(&path, &value);
                value.clear();
                path.pop()?;
            }
            Event::Eof => return (has_root && path.is_empty()).then_some(()),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            // Entities of one's own are defined there.
            Event::DocType(_) => return None,
        }
    }
}

fn entity(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    match &**reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.resolve_char_ref().ok()?,
    }
}

/// Parses the answer to ListObjectsV2; `None` if it is none.
pub fn parse_page(text: &[u8]) -> Option<Page> {
    let mut page = Page::default();
    let mut object = Object::default();
    let mut is_listing = false;
    let mut is_truncated = false;
    walk(text, &mut |path, value| {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        match names[..] {
            ["ListBucketResult"] => is_listing = true,
            ["ListBucketResult", "IsTruncated"] => is_truncated = value.trim() == "true",
            ["ListBucketResult", "NextContinuationToken"] => page.next = Some(value.to_owned()),
            ["ListBucketResult", "Contents", "Key"] => object.key = value.to_owned(),
            ["ListBucketResult", "Contents", "ETag"] => object.etag = value.trim().to_owned(),
            ["ListBucketResult", "Contents", "LastModified"] => {
                object.modified = value.trim().to_owned()
            }
            ["ListBucketResult", "Contents", "Size"] => object.size = value.trim().parse().ok(),
            ["ListBucketResult", "Contents"] => page.objects.push(std::mem::take(&mut object)),
            _ => {}
        }
    })?;
    if !is_truncated {
        page.next = None;
    }
    // There is more, and no telling how to get it.
    let is_whole = !is_truncated || page.next.as_ref().is_some_and(|token| !token.is_empty());
    (is_listing && is_whole).then_some(page)
}

/// Parses an error; an empty one if it is none.
pub fn parse_refusal(text: &[u8]) -> Refusal {
    let mut refusal = Refusal::default();
    let parsed = walk(text, &mut |path, value| {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        match names[..] {
            ["Error", "Code"] => refusal.code = value.trim().to_owned(),
            ["Error", "Message"] => refusal.message = value.trim().to_owned(),
            ["Error", "Region"] => refusal.region = Some(value.trim().to_owned()),
            _ => {}
        }
    });
    match parsed {
        Some(()) => refusal,
        None => Refusal::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>app/</Prefix><KeyCount>2</KeyCount>
<MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated><NextContinuationToken>1ueG&amp;/=</NextContinuationToken>
<Contents><Key>app/a &lt;b&gt;&#x26;&#39;.lua</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;d41d&quot;</ETag><Size>0</Size>
<Owner><ID>x</ID><Key>not this</Key></Owner><StorageClass>STANDARD</StorageClass></Contents>
<Contents><Key><![CDATA[app/ä]]></Key><Size>12</Size></Contents>
<CommonPrefixes><Prefix>app/x/</Prefix></CommonPrefixes></ListBucketResult>"#;

    #[test]
    fn a_page() {
        let page = parse_page(LISTING.as_bytes()).unwrap();
        assert_eq!(page.next.as_deref(), Some("1ueG&/="));
        let [first, second] = &page.objects[..] else {
            panic!("{page:?}");
        };
        assert_eq!(first.key, "app/a <b>&'.lua");
        assert_eq!((first.etag.as_str(), first.size), ("\"d41d\"", Some(0)));
        assert_eq!(first.modified, "2026-01-01T00:00:00.000Z");
        assert_eq!(
            (second.key.as_str(), second.etag.as_str(), second.size),
            ("app/ä", "", Some(12))
        );
        let last = LISTING.replace(">true<", ">false<");
        assert_eq!(parse_page(last.as_bytes()).unwrap().next, None);
        let prefixed = r#"<s:ListBucketResult xmlns:s="x"><s:Contents><s:Key>k</s:Key></s:Contents></s:ListBucketResult>"#;
        assert_eq!(parse_page(prefixed.as_bytes()).unwrap().objects[0].key, "k");
    }

    #[test]
    fn what_is_no_page() {
        let lost = LISTING.replace("NextContinuationToken", "Other");
        let entity = LISTING.replace("&amp;", "&mine;");
        let deep = format!(
            "<ListBucketResult>{}{}</ListBucketResult>",
            "<a>".repeat(100_000),
            "</a>".repeat(100_000)
        );
        let half = &LISTING[..LISTING.len() - 5];
        let twice = format!("{LISTING}{LISTING}");
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><ListBucketResult>&b;</ListBucketResult>";
        for text in [
            &lost,
            &entity,
            &deep,
            half,
            &twice,
            bomb,
            "",
            "text",
            "<Error><Code>x</Code></Error>",
            "<ListBucketResult>",
            "<ListBucketResult></x>",
            "<ListBucketResult>&#0;</ListBucketResult>",
        ] {
            assert_eq!(
                parse_page(text.as_bytes()),
                None,
                "{}",
                &text[..text.len().min(100)]
            );
        }
        assert_eq!(parse_page(b"\xff"), None);
    }

    #[test]
    fn a_refusal() {
        let text = b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message><Region>eu-west-1</Region></Error>";
        let refusal = parse_refusal(text);
        assert_eq!(refusal.code, "AuthorizationHeaderMalformed");
        assert_eq!(refusal.region.as_deref(), Some("eu-west-1"));
        assert_eq!(parse_refusal(b"<html>"), Refusal::default());
    }
}
