//! Folders as sources.

mod support;

use rille_store::{ErrorKind, Limits, Options};
use std::fs;
use std::os::unix::fs::symlink;
use support::{Place, expected, files, run, write};

#[test]
fn a_bundle_is_a_copy() {
    let place = Place::new();
    let app = place.folder.path().join("app");
    let contents = [
        ("api/users/[id].lua", "return 1"),
        ("index.lua", "return \"hello\""),
        ("public/a b.txt", ""),
    ];
    write(&app, &contents);
    write(&app, &[(".git/config", "x"), ("lib/.git", "x")]);
    let source = app.display().to_string();
    let first = run(place.fetch(&source)).unwrap();
    assert_eq!(files(&first.bundle), expected(&contents));
    assert!(first.revision.is_none());

    write(&app, &[("index.lua", "return 2")]);
    assert_eq!(files(&first.bundle), expected(&contents));
    let second = run(place.fetch(&format!("dir:{source}"))).unwrap();
    assert_ne!(second.bundle.id(), first.bundle.id());

    write(&app, &[("index.lua", "return \"hello\"")]);
    assert_eq!(
        run(place.fetch(&source)).unwrap().bundle.id(),
        first.bundle.id()
    );
    place.is_clean();
}

#[test]
fn links_and_pipes_are_refused() {
    let place = Place::new();
    let app = place.folder.path().join("app");
    write(&app, &[("a/index.lua", "x")]);
    let source = app.display().to_string();
    symlink("index.lua", app.join("a/link.lua")).unwrap();
    let (kind, message) = place.fails(&source);
    assert_eq!(kind, ErrorKind::Refused);
    assert!(
        message.contains("\"a/link.lua\" is a symbolic link"),
        "{message}"
    );
    fs::remove_file(app.join("a/link.lua")).unwrap();
    nix::unistd::mkfifo(&app.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(place.fails(&source).0, ErrorKind::Refused);
    fs::remove_file(app.join("pipe")).unwrap();
    write(&app, &[("b\\c", "x")]);
    assert_eq!(place.fails(&source).0, ErrorKind::Refused);
}

#[test]
fn no_folder_and_no_files() {
    let place = Place::new();
    let app = place.folder.path().join("app");
    let source = app.display().to_string();
    assert_eq!(place.fails(&source).0, ErrorKind::NotFound);
    write(&app, &[(".git/config", "x")]);
    assert_eq!(place.fails(&source).0, ErrorKind::NotFound);
    write(&app, &[("file", "x")]);
    assert_eq!(
        place.fails(&format!("{source}/file")).0,
        ErrorKind::NotFound
    );
}

#[test]
fn every_limit_is_one() {
    let limits = Limits {
        files: 2,
        file_bytes: 4,
        total_bytes: 6,
        ..Limits::default()
    };
    let place = Place::with(limits, Options::default());
    let app = place.folder.path().join("app");
    let source = app.display().to_string();
    write(&app, &[("a", "1234"), ("b", "12")]);
    run(place.fetch(&source)).unwrap();
    write(&app, &[("b", "123")]);
    assert_eq!(place.fails(&source).0, ErrorKind::TooLarge);
    write(&app, &[("a", "12345"), ("b", "")]);
    assert_eq!(place.fails(&source).0, ErrorKind::TooLarge);
    write(&app, &[("a", ""), ("c", "")]);
    assert_eq!(place.fails(&source).0, ErrorKind::TooLarge);
    for name in ["a", "b", "c"] {
        fs::remove_file(app.join(name)).unwrap();
    }
    for name in ["x/y/z", "v/w"] {
        fs::create_dir_all(app.join(name)).unwrap();
    }
    assert_eq!(place.fails(&source).0, ErrorKind::TooLarge);
}
