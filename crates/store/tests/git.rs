//! Git repositories as sources, over files.

mod support;

use rille_store::{ErrorKind, Limits, Options, Outcome, Source, Version};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};
use support::{Place, Repository, expected, files, git, run};

#[test]
fn branches_tags_commits_and_folders() {
    let repository = Repository::new(&[("index.lua", "1"), ("apps/shop/index.lua", "shop 1")]);
    let first = git(&repository.work(), &["rev-parse", "HEAD"]);
    git(
        &repository.work(),
        &["tag", "--annotate", "--message", "one", "v1"],
    );
    git(&repository.work(), &["tag", "light"]);
    let second = repository.commit(&[("index.lua", "2")]);
    git(&repository.work(), &["checkout", "--quiet", "-b", "next/2"]);
    let third = repository.commit(&[("index.lua", "3")]);

    let place = Place::new();
    let source = repository.source();
    for (suffix, text, commit) in [
        ("", "2", &second),
        ("@main", "2", &second),
        ("@v1", "1", &first),
        ("@light", "1", &first),
        ("@refs/tags/v1", "1", &first),
        ("@next/2", "3", &third),
        (&format!("@{first}"), "1", &first),
        (&format!("@{}", second.to_uppercase()), "2", &second),
    ] {
        let fetched = run(place.fetch(&format!("{source}{suffix}"))).unwrap();
        let index = expected(&[("apps/shop/index.lua", "shop 1"), ("index.lua", text)]);
        assert_eq!(files(&fetched.bundle), index, "{suffix}");
        assert_eq!(fetched.revision.unwrap().as_str(), commit, "{suffix}");
    }
    let fetched = run(place.fetch(&format!("{source}@v1#apps/shop"))).unwrap();
    assert_eq!(files(&fetched.bundle), expected(&[("index.lua", "shop 1")]));
    place.is_clean();
}

#[test]
fn what_is_known_is_not_fetched_again() {
    let repository = Repository::new(&[("index.lua", "1")]);
    let place = Place::new();
    let source = repository.source();
    let known = run(place.fetch(&source)).unwrap().revision.unwrap();
    assert!(run(place.fetch_again(&source, &known)).unwrap().is_none());
    repository.commit(&[("index.lua", "2")]);
    let fetched = run(place.fetch_again(&source, &known)).unwrap().unwrap();
    assert_eq!(files(&fetched.bundle), expected(&[("index.lua", "2")]));
}

#[test]
fn what_is_not_there_is_said() {
    let repository = Repository::new(&[("index.lua", "1")]);
    let place = Place::new();
    let source = repository.source();
    for (suffix, words) in [
        ("@gone", "has no branch or tag \"gone\""),
        (
            "@refs/heads/gone",
            "has no branch or tag \"refs/heads/gone\"",
        ),
        ("#gone", "has no folder \"gone\""),
        (
            &format!("@{}", "0123456789".repeat(4)),
            "has no commit 0123456789",
        ),
    ] {
        let (kind, message) = place.fails(&format!("{source}{suffix}"));
        assert_eq!(kind, ErrorKind::NotFound, "{message}");
        assert!(message.contains(words), "{message}");
    }
    let (kind, message) = place.fails("git+file:///does/not/exist.git");
    assert_eq!(kind, ErrorKind::NotFound, "{message}");
    git(
        repository.folder.path(),
        &["init", "--quiet", "--bare", "empty.git"],
    );
    let empty = format!(
        "git+file://{}/empty.git",
        repository.folder.path().display()
    );
    assert!(place.fails(&empty).1.contains("is empty"));
}

#[test]
fn a_branch_that_was_rewritten_is_followed_and_its_old_commit_is_gone() {
    let repository = Repository::new(&[("index.lua", "1")]);
    let place = Place::new();
    let source = repository.source();
    let old = run(place.fetch(&source)).unwrap();
    let known = old.revision.unwrap();
    git(
        &repository.work(),
        &["checkout", "--quiet", "--orphan", "again"],
    );
    fs::write(repository.work().join("index.lua"), "2").unwrap();
    git(&repository.work(), &["add", "--all"]);
    git(
        &repository.work(),
        &["commit", "--quiet", "--message", "again"],
    );
    git(
        &repository.work(),
        &["push", "--quiet", "--force", "origin", "again:main"],
    );
    git(
        &repository.bare(),
        &["reflog", "expire", "--expire=now", "--all"],
    );
    git(&repository.bare(), &["gc", "--quiet", "--prune=now"]);

    let fetched = run(place.fetch_again(&source, &known)).unwrap().unwrap();
    assert_eq!(files(&fetched.bundle), expected(&[("index.lua", "2")]));
    let (kind, message) = place.fails(&format!("{source}@{}", known.as_str()));
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(
        message.contains("a branch was rewritten or removed"),
        "{message}"
    );
    // What was fetched of it is still here.
    assert_eq!(
        files(&place.store().bundle(old.bundle.id()).unwrap()),
        expected(&[("index.lua", "1")])
    );
}

#[test]
fn hooks_filters_attributes_and_submodules_do_nothing() {
    let inner = Repository::new(&[("secret.lua", "x")]);
    let repository = Repository::new(&[
        (
            ".gitattributes",
            "*.lua filter=evil text eol=crlf export-subst ident\nhidden.lua export-ignore\n",
        ),
        ("index.lua", "$Id$ $Format:%H$\n"),
        ("hidden.lua", "hidden\n"),
    ]);
    git(
        &repository.work(),
        &[
            "submodule",
            "--quiet",
            "add",
            &inner.bare().display().to_string(),
            "sub",
        ],
    );
    repository.commit(&[(
        "pointer.bin",
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
    )]);
    let trap = repository.folder.path().join("trap");
    let script = format!("#!/bin/sh\ntouch {}\n", trap.display());
    for hook in [
        "post-checkout",
        "reference-transaction",
        "pre-auto-gc",
        "post-index-change",
    ] {
        let path = repository.bare().join("hooks").join(hook);
        fs::write(&path, &script).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    git(
        &repository.bare(),
        &[
            "config",
            "filter.evil.smudge",
            &format!("touch {}", trap.display()),
        ],
    );
    git(
        &repository.bare(),
        &[
            "config",
            "uploadpack.packObjectsHook",
            &format!("touch {}", trap.display()),
        ],
    );
    let place = Place::new();
    let fetched = run(place.fetch(&repository.source())).unwrap();
    let found: Vec<_> = files(&fetched.bundle)
        .into_iter()
        .filter(|(path, _)| !path.starts_with(".git"))
        .collect();
    assert_eq!(
        found,
        expected(&[
            ("hidden.lua", "hidden\n"),
            ("index.lua", "$Id$ $Format:%H$\n"),
            (
                "pointer.bin",
                "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
            ),
        ])
    );
    assert!(!trap.exists());
}

#[test]
fn links_are_refused_but_not_those_outside_the_folder() {
    let repository = Repository::new(&[("app/index.lua", "1")]);
    symlink("/etc/passwd", repository.work().join("link.lua")).unwrap();
    repository.commit(&[]);
    let place = Place::new();
    let (kind, message) = place.fails(&repository.source());
    assert_eq!(kind, ErrorKind::Refused);
    assert!(
        message.contains("\"link.lua\" is a symbolic link"),
        "{message}"
    );
    run(place.fetch(&format!("{}#app", repository.source()))).unwrap();
}

#[test]
fn every_limit_is_one() {
    let repository = Repository::new(&[("a", "1234"), ("b", "12")]);
    let limited = |limits: Limits| Place::with(limits, Options::default());
    let source = repository.source();
    for limits in [
        Limits {
            files: 1,
            ..Limits::default()
        },
        Limits {
            file_bytes: 3,
            ..Limits::default()
        },
        Limits {
            total_bytes: 5,
            ..Limits::default()
        },
        Limits {
            download_bytes: 512,
            ..Limits::default()
        },
    ] {
        let (kind, message) = limited(limits).fails(&source);
        assert_eq!(kind, ErrorKind::TooLarge, "{message}");
    }
    let late = Limits {
        deadline: Duration::from_millis(1),
        ..Limits::default()
    };
    assert_eq!(limited(late).fails(&source).0, ErrorKind::TimedOut);
}

#[test]
fn a_bomb_is_not_unpacked() {
    let repository = Repository::new(&[("index.lua", "1")]);
    let zeros = fs::File::create(repository.work().join("bomb")).unwrap();
    zeros.set_len(100 << 20).unwrap();
    repository.commit(&[]);
    let limits = Limits {
        download_bytes: 1 << 20,
        file_bytes: 10 << 20,
        ..Limits::default()
    };
    let place = Place::with(limits, Options::default());
    let (kind, message) = place.fails(&repository.source());
    assert_eq!(kind, ErrorKind::TooLarge, "{message}");
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let place = Place::new();
    let trap = place.folder.path().join("pid");
    let program = place.folder.path().join("hangs");
    fs::write(
        &program,
        format!(
            "#!/bin/sh\nsleep 1000 & echo $! > {}\nwait\n",
            trap.display()
        ),
    )
    .unwrap();
    fs::set_permissions(
        &program,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let mut options = Options::default();
    options.git.program = program;
    let limits = Limits {
        deadline: Duration::from_millis(500),
        ..Limits::default()
    };
    let place = Place::with(limits, options);
    let began = Instant::now();
    assert_eq!(place.fails("git+file:///x/y").0, ErrorKind::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(10));
    let child = fs::read_to_string(trap).unwrap();
    let gone = || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.trim()));
        status.map_or(true, |status| status.contains("State:\tZ"))
    };
    while !gone() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{child} is still there"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn without_the_program_one_is_told_to_install_it() {
    let mut options = Options::default();
    options.git.program = "no-such-git".into();
    let (kind, message) = Place::with(Limits::default(), options).fails("git+file:///x/y");
    assert_eq!(kind, ErrorKind::Setup);
    assert!(message.contains("install it"), "{message}");
}

#[test]
fn a_repository_with_longer_hashes() {
    let folder = tempfile::TempDir::new().unwrap();
    git(
        folder.path(),
        &["init", "--quiet", "--object-format=sha256", "work"],
    );
    let work = folder.path().join("work");
    support::write(&work, &[("index.lua", "1")]);
    git(&work, &["add", "--all"]);
    git(&work, &["commit", "--quiet", "--message", "one"]);
    let commit = git(&work, &["rev-parse", "HEAD"]);
    assert_eq!(commit.len(), 64);
    let place = Place::new();
    let source = format!("git+file://{}", work.display());
    for suffix in [String::new(), format!("@{commit}")] {
        let fetched = run(place.fetch(&format!("{source}{suffix}"))).unwrap();
        assert_eq!(fetched.revision.unwrap().as_str(), commit);
        assert_eq!(files(&fetched.bundle), expected(&[("index.lua", "1")]));
    }
}

#[test]
fn an_app_is_fetched_again_when_it_has_changed_here_or_there() {
    let repository = Repository::new(&[("index.lua", "1")]);
    let place = Place::new();
    let source = Source::parse(&repository.source()).unwrap();
    let fetch = |source: &Source| match run(place.fetcher.fetch_for("shop", source)).unwrap() {
        Outcome::Unchanged => None,
        Outcome::Fetched(fetched) => {
            let version = Version {
                bundle: fetched.bundle.id(),
                since: 1,
                revision: fetched.revision.clone(),
                source: source.clone(),
            };
            place.store().record("shop", version).unwrap();
            Some(files(&fetched.bundle))
        }
    };
    assert_eq!(fetch(&source), Some(expected(&[("index.lua", "1")])));
    assert_eq!(fetch(&source), None);
    let bundle = place.store().last_good("shop").unwrap().bundle;
    fs::write(bundle.folder().join("index.lua"), "damaged").unwrap();
    assert_eq!(fetch(&source), Some(expected(&[("index.lua", "1")])));
    assert_eq!(fetch(&source), None);
    repository.commit(&[("index.lua", "2")]);
    assert_eq!(fetch(&source), Some(expected(&[("index.lua", "2")])));
    let pinned = source.at("main").unwrap();
    assert!(fetch(&pinned).is_some());
    assert_eq!(fetch(&pinned), None);
    // Without the repository there is still what was there last.
    fs::remove_dir_all(repository.bare()).unwrap();
    let error = run(place.fetcher.fetch_for("shop", &pinned)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let good = place.store().last_good("shop").unwrap();
    assert_eq!(files(&good.bundle), expected(&[("index.lua", "2")]));
}
