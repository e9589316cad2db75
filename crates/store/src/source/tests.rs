use super::*;

fn parsed(text: &str) -> Source {
    let source = Source::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(
        Source::parse(&source.to_string()).unwrap(),
        source,
        "{text}"
    );
    source
}

fn refusal(text: &str) -> String {
    let error = Source::parse(text).expect_err(text);
    assert_eq!(error.kind(), ErrorKind::Source, "{text}");
    error.to_string()
}

#[test]
fn folders() {
    for text in [
        "shop",
        "./shop",
        "/srv/apps/shop",
        "../x",
        ".",
        "./a:b",
        "github.com",
    ] {
        assert_eq!(parsed(text), Source::Folder(text.into()));
    }
    assert_eq!(parsed("dir:a:b"), Source::Folder("a:b".into()));
    assert_eq!(parsed("dir:-x"), Source::Folder("-x".into()));
}

#[test]
fn repositories() {
    let Source::Git(git) =
        parsed("git+ssh://git@example.com:2222/team/shop.git@release/1#apps/shop")
    else {
        panic!("a git source");
    };
    assert_eq!(git.url(), "ssh://git@example.com:2222/team/shop.git");
    assert_eq!(git.reference.unwrap().as_str(), "release/1");
    assert_eq!(git.folder.unwrap().as_str(), "apps/shop");

    let Source::Git(git) = parsed("git+file:///srv/shop.git") else {
        panic!("a git source");
    };
    assert_eq!(
        (git.url().as_str(), git.reference, git.folder),
        ("file:///srv/shop.git", None, None)
    );

    let Source::Git(git) = parsed("git+https://[::1]:8443/x.git@pkg@1.0.0") else {
        panic!("a git source");
    };
    assert_eq!(git.host, "[::1]:8443");
    assert_eq!(git.reference.unwrap().as_str(), "pkg@1.0.0");
}

#[test]
fn github() {
    let Source::GitHub(github) = parsed("github.com/rille-lua/examples/hello/world@v1.2") else {
        panic!("a GitHub source");
    };
    assert_eq!(
        (github.owner.as_str(), github.repository.as_str()),
        ("rille-lua", "examples")
    );
    assert_eq!(github.folder.unwrap().as_str(), "hello/world");
    assert_eq!(github.reference.unwrap().as_str(), "v1.2");
    assert_eq!(parsed("github.com/a/b.git/"), parsed("github.com/a/b"));
}

#[test]
fn buckets() {
    let Source::S3(s3) = parsed("s3://code-bucket/prod/apps/") else {
        panic!("an S3 source");
    };
    assert_eq!(
        (s3.bucket.as_str(), s3.folder.unwrap().as_str()),
        ("code-bucket", "prod/apps")
    );
    assert_eq!(parsed("s3://abc"), parsed("s3://abc/"));
    assert_eq!(
        S3::from_code_path("bucket/folder").unwrap().to_string(),
        "s3://bucket/folder"
    );
}

#[test]
fn what_is_none_of_them_is_one_clear_error() {
    for text in [
        "",
        "ftp://x/y",
        "git+http://x/y",
        "git+ext://sh -c x",
        "git+",
        "foo:bar",
        "-x",
        "a\0b",
        "a\nb",
        "dir:",
    ] {
        assert!(
            refusal(text).contains("github.com/OWNER/REPO[/FOLDER][@REF]"),
            "{text}"
        );
    }
    assert!(refusal("https://github.com/a/b").contains("write it as github.com/"));
    assert!(refusal("https://example.com/a.git").contains("write git+ in front"));
    assert!(refusal("git@example.com:a/b.git").contains("git+ssh://USER@HOST/PATH"));
    assert!(refusal(&"x/".repeat(MAX_SOURCE)).len() < 1000);
}

#[test]
fn nothing_is_taken_for_an_option_or_leaves_its_place() {
    for text in [
        "git+ssh://-oProxyCommand=x/y",
        "git+ssh://-oProxyCommand=x@host/y",
        "git+ssh://host/-x",
        "git+https://host/y@-x",
        "git+https://host/y@a..b",
        "git+https://host/y@--upload-pack=x",
        "git+https://host/y$(x)",
        "git+https://host/y'x",
        "git+https://host/y z",
        "git+https://ho st/y",
        "git+https://host:0/y",
        "git+https://host:99999/y",
        "git+https://host:+1/y",
        "git+https:///y",
        "git+https://host",
        "git+https://host/",
        "git+file://host/y",
        "git+file://relative",
        "git+https://host/y#../x",
        "git+https://user@host/y",
        "github.com/",
        "github.com/a",
        "github.com/-a/b",
        "github.com/a/..",
        "github.com/a/b/../c",
        "github.com/a/b@",
        "github.com/a/b@x y",
        "s3://",
        "s3://ab",
        "s3://UPPER/x",
        "s3://a..b/x",
        "s3://bucket/a/../b",
        "s3://bucket//a//b",
        "s3://-bucket/x",
    ] {
        refusal(text);
    }
}

#[test]
fn a_password_is_refused_and_not_repeated() {
    let message = refusal("git+https://user:s3cret@host/y");
    assert!(
        message.contains("token") && !message.contains("s3cret"),
        "{message}"
    );
}

#[test]
fn references() {
    for name in ["main", "v1.0", "release/2.x", "refs/tags/v1", "a@b", "ä"] {
        assert!(Reference::new(name).is_ok(), "{name}");
    }
    for name in [
        "", "@", "a..b", "a.lock", "a.lock/b", ".a", "a/.b", "a b", "a~1", "a^", "a:b", "a?", "a*",
        "a[", "a\\b", "/a", "a/", "a//b", "a@{1}", "a.", "-a", "a/-b", "a\x7f",
    ] {
        assert!(Reference::new(name).is_err(), "{name}");
    }
    assert!(Reference::new(&"a".repeat(MAX_REFERENCE)).is_ok());
    assert!(Reference::new(&"a".repeat(MAX_REFERENCE + 1)).is_err());
    assert!(Reference::new(&"0a".repeat(20)).unwrap().is_commit());
    assert!(Reference::new(&"0a".repeat(32)).unwrap().is_commit());
    assert!(!Reference::new("abc1234").unwrap().is_commit());
}

#[test]
fn another_reference() {
    let at = |text: &str, reference| Source::parse(text).unwrap().at(reference);
    assert_eq!(
        at("github.com/a/b@x", "y").unwrap().to_string(),
        "github.com/a/b@y"
    );
    assert_eq!(
        at("git+file:///a#b", "y").unwrap().to_string(),
        "git+file:///a@y#b"
    );
    assert!(at("s3://bucket/a", "y").is_err());
    assert!(at("./a", "y").is_err());
    assert!(at("github.com/a/b", "-y").is_err());
}

#[test]
fn modules() {
    let module = Module::parse("github.com/o/r/blob/v1/lib/x.lua")
        .unwrap()
        .unwrap();
    assert_eq!(module.repository.to_string(), "github.com/o/r@v1");
    assert_eq!(module.file.as_str(), "lib/x.lua");
    assert!(Module::parse("lib.x").is_none());
    for name in [
        "github.com/o/r",
        "github.com/o/r/tree/v1/x.lua",
        "github.com/o/r/blob/v1",
        "github.com/o/r/blob/v1/",
        "github.com/o/r/blob/../x",
        "github.com/o/r/blob/v1/../x.lua",
        "github.com/o/r/blob/v1/a\0.lua",
    ] {
        assert!(Module::parse(name).unwrap().is_err(), "{name}");
    }
}
