use super::*;

/// A head as the standard has it.
fn head(name: &str, size: u64, kind: u8) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[136..148].copy_from_slice(b"00000000000\0");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    sum(&mut block);
    block
}

fn sum(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn entry(name: &str, kind: u8, contents: &[u8]) -> Vec<u8> {
    let mut all = head(name, contents.len() as u64, kind);
    all.extend_from_slice(contents);
    all.resize(all.len().next_multiple_of(BLOCK), 0);
    all
}

fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let length = (rest..)
        .find(|length| length.to_string().len() + rest == *length)
        .unwrap();
    format!("{length} {key}={value}\n")
}

type Files = Vec<(String, Vec<u8>)>;

fn read_all(archive: &[u8], folder: Option<&str>) -> Result<(Files, Archive), Error> {
    let mut files = Vec::new();
    let folder = folder.map(|folder| BundlePath::new(folder.as_bytes()).unwrap());
    let mut take = |path: &BundlePath, from: &mut dyn Read| {
        let mut contents = Vec::new();
        from.read_to_end(&mut contents)
            .map_err(|error| broken(&error))?;
        files.push((path.to_string(), contents));
        Ok(())
    };
    let archive = read(
        &mut &*archive,
        folder.as_ref(),
        &mut take,
        &Cancel::default(),
    )?;
    Ok((files, archive))
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut all = entries.concat();
    all.resize(all.len() + 2 * BLOCK, 0);
    all
}

fn paths(entries: &[Vec<u8>]) -> Vec<String> {
    let (files, _) = read_all(&archive(entries), None).unwrap();
    files.into_iter().map(|(path, _)| path).collect()
}

fn refusal(entries: &[Vec<u8>]) -> Error {
    read_all(&archive(entries), None).expect_err("it is refused")
}

#[test]
fn what_a_forge_makes() {
    let long = format!("top/{}/x.lua", "n".repeat(200));
    let bytes = archive(&[
        entry(
            "pax_global_header",
            b'g',
            record("comment", "0123abcd").as_bytes(),
        ),
        entry("top/", b'5', b""),
        entry("top/index.lua", b'0', b"return 1"),
        entry("top/lib/", b'5', b""),
        entry("top/lib/x.lua", 0, &[b'x'; 513]),
        entry(
            "ignored",
            b'x',
            (record("mtime", "1") + &record("path", &long)).as_bytes(),
        ),
        entry("top/short", b'0', b"long"),
        entry("top/empty", b'0', b""),
    ]);
    let (files, archive) = read_all(&bytes, None).unwrap();
    assert_eq!(archive.comment.as_deref(), Some("0123abcd"));
    let names: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(names, ["index.lua", "lib/x.lua", &long[4..], "empty"]);
    assert_eq!(
        (
            files[0].1.as_slice(),
            files[1].1.len(),
            files[2].1.as_slice()
        ),
        (b"return 1".as_slice(), 513, b"long".as_slice())
    );

    let (files, _) = read_all(&bytes, Some("lib")).unwrap();
    assert_eq!(files, [("x.lua".to_owned(), vec![b'x'; 513])]);
    assert!(read_all(&bytes, Some("li")).unwrap().0.is_empty());
}

#[test]
fn other_ways_to_say_a_long_name() {
    let long = format!("top/{}", "n".repeat(150));
    let gnu = entry("././@LongLink", b'L', format!("{long}\0").as_bytes());
    assert_eq!(paths(&[gnu, entry("top/cut", b'0', b"")]), [&long[4..]]);
    let mut split = entry("file", b'0', b"");
    split[345..351].copy_from_slice(b"top/pp");
    sum(&mut split[..BLOCK]);
    assert_eq!(paths(&[split]), ["pp/file"]);
}

#[test]
fn a_size_of_an_extension_is_the_size() {
    let mut long = head("top/a", 0, b'0');
    long.extend_from_slice(b"abc");
    long.resize(2 * BLOCK, 0);
    let (files, _) = read_all(
        &archive(&[entry("x", b'x', record("size", "3").as_bytes()), long]),
        None,
    )
    .unwrap();
    assert_eq!(files, [("a".to_owned(), b"abc".to_vec())]);
}

#[test]
fn only_files_and_folders() {
    for kind in [
        b'1', b'2', b'3', b'4', b'6', b'7', b'S', b'M', b'V', b'?', 0xff,
    ] {
        let error = refusal(&[entry("top/odd", kind, b"")]);
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("\"odd\" is"), "{error}");
        // What does not become part of the bundle does not matter.
        let other = archive(&[entry("top/odd", kind, b""), entry("top/app/a", b'0', b"")]);
        assert_eq!(read_all(&other, Some("app")).unwrap().0.len(), 1);
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in [
        "/top/a", "top/../a", "../a", "top//a", "top/./a", "./top/a", "top/a\\b", "a", "top/a/", "",
    ] {
        assert_eq!(
            refusal(&[entry(name, b'0', b"x")]).kind(),
            ErrorKind::Refused,
            "{name}"
        );
    }
    for name in ["top/../../x", "/x", "top/a\0b", "top/\n"] {
        let extension = entry("x", b'x', record("path", name).as_bytes());
        assert_eq!(
            refusal(&[extension, entry("top/a", b'0', b"")]).kind(),
            ErrorKind::Refused,
            "{name}"
        );
    }
}

#[test]
fn odd_heads_are_refused() {
    let good = entry("top/a", b'0', b"abc");
    let changed = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        sum(&mut bad[..BLOCK]);
        bad
    };
    for bad in [
        changed(257, b"        "),
        changed(124, b"\x80\0\0\0\0\0\0\0\0\0\0\x03"),
        changed(124, b"-0000000003\0"),
        changed(124, b"00000000039\0"),
        changed(124, b"            "),
        changed(124, b"3\x003\0\0\0\0\0\0\0\0\0"),
    ] {
        assert_eq!(refusal(&[bad]).kind(), ErrorKind::Refused);
    }
    let mut wrong = good.clone();
    wrong[0] = b'x';
    assert!(refusal(&[wrong]).to_string().contains("checksum"));
    assert!(
        refusal(&[entry("top/a/", b'5', b"x")])
            .to_string()
            .contains("contents")
    );
    for text in [
        "x",
        "3 a=b\n",
        "99 a=b\n",
        "0 a=b\n",
        "6 ab\n\n",
        "6 a=bc",
        "18446744073709551616 a=b\n",
    ] {
        assert!(
            refusal(&[entry("x", b'x', text.as_bytes())])
                .to_string()
                .contains("a record of it is not one"),
            "{text:?}"
        );
    }
    for (key, value) in [
        ("size", "-1"),
        ("size", ""),
        ("size", "1x"),
        ("GNU.sparse.major", "1"),
    ] {
        assert_eq!(
            refusal(&[entry("x", b'x', record(key, value).as_bytes())]).kind(),
            ErrorKind::Refused
        );
    }
    assert_eq!(
        refusal(&[entry("x", b'g', record("path", "x").as_bytes())]).kind(),
        ErrorKind::Refused
    );
    let huge = entry("x", b'x', record("size", &u64::MAX.to_string()).as_bytes());
    assert!(refusal(&[huge.clone(), entry("top/a", b'0', b"")]).kind() == ErrorKind::Unavailable);
    assert!(read_all(&archive(&[huge, entry("top/a", b'0', b"")]), Some("app")).is_err());
}

#[test]
fn a_long_extension_is_not_kept() {
    let long = head("x", MAX_EXTENSION + 1, b'x');
    assert!(refusal(&[long]).to_string().contains("too long"));
}

#[test]
fn cut_anywhere_it_is_an_error() {
    let whole = archive(&[
        entry("x", b'x', record("path", "top/name").as_bytes()),
        entry("top/a", b'0', b"abc"),
        entry("top/b", b'2', b""),
    ]);
    // With its second half missing the end still is one.
    for length in 0..whole.len() - 2 * BLOCK {
        let cut = &whole[..length];
        let error = read_all(cut, None).expect_err("it is cut");
        assert!(
            matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Refused),
            "{error}"
        );
    }
}

#[test]
fn what_is_unpacked_is_counted() {
    let bytes = archive(&[entry("top/a", b'0', &[0; 5000])]);
    let read_limited = |limit| {
        let mut from = Counted::new(bytes.as_slice(), limit);
        let mut take = |_: &BundlePath, from: &mut dyn Read| {
            io::copy(from, &mut io::sink())
                .map(drop)
                .map_err(|error| broken(&error))
        };
        read(&mut from, None, &mut take, &Cancel::default())
    };
    assert!(read_limited(bytes.len() as u64).is_ok());
    for limit in [bytes.len() as u64 - 1, 5000, 100, 0] {
        assert_eq!(
            read_limited(limit).unwrap_err().kind(),
            ErrorKind::TooLarge,
            "{limit}"
        );
    }
}

#[test]
fn nobody_waits_for_what_nobody_wants() {
    let cancel = Cancel::default();
    cancel.cancel();
    let bytes = archive(&[]);
    let error = read(&mut bytes.as_slice(), None, &mut |_, _| Ok(()), &cancel).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
