//! What is left on the disk when it fills up, fails, or the machine stops at any step.

#[path = "support/faulty.rs"]
mod faulty;
mod support;

use faulty::{Fault, FaultyDisk};
use rille_store::{
    BundlePath, Cancel, Error, ErrorKind, Hash, Keep, Limits, Revision, Source, Store, Version,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::{expected, files};
use tempfile::TempDir;

const OLD: [(&str, &str); 2] = [("index.lua", "return 1"), ("lib/x.lua", "old")];
const NEW: [(&str, &str); 3] = [
    ("api/y.lua", "yy"),
    ("index.lua", "return 2"),
    ("lib/x.lua", "old"),
];

/// A store on a disk that does what it should, and waits for nothing.
fn sound(folder: &Path) -> Arc<Store> {
    let disk = FaultyDisk::new(Fault::Killed { steps: u64::MAX });
    Store::open_on(folder, Limits::default(), Arc::new(disk)).unwrap()
}

fn fill(store: &Arc<Store>, contents: &[(&str, &str)]) -> Result<rille_store::Bundle, Error> {
    let mut writer = store.writer()?;
    for (path, text) in contents {
        writer.add(
            &BundlePath::new(path.as_bytes())?,
            &mut text.as_bytes(),
            &Cancel::default(),
        )?;
    }
    writer.finish()
}

fn version(bundle: Hash, since: u64) -> Version {
    Version {
        bundle,
        since,
        revision: Revision::new(&format!("r{since}")),
        source: Source::parse("./shop").unwrap(),
    }
}

fn deploy(store: &Arc<Store>, contents: &[(&str, &str)], since: u64) -> Result<(), Error> {
    let bundle = fill(store, contents)?;
    store.record("shop", version(bundle.id(), since))?;
    store
        .clean(&Keep {
            versions: 1,
            younger_than: Duration::ZERO,
        })
        .map(drop)
}

/// Deploys a second version on a disk that fails, and looks at what a restart finds. Whether the deploy came to its end.
fn deploy_with(fault: Fault) -> bool {
    let folder = TempDir::new().unwrap();
    deploy(&sound(folder.path()), &OLD, 1).unwrap();
    let disk = FaultyDisk::new(fault);
    let deployed = Store::open_on(folder.path(), Limits::default(), Arc::new(disk.clone()))
        .and_then(|store| deploy(&store, &NEW, 2));
    if disk.has_stopped() {
        disk.lose();
    }

    let store = sound(folder.path());
    let good = store
        .last_good("shop")
        .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
    let contents: &[(&str, &str)] = match good.version.since {
        1 => &OLD,
        _ => &NEW,
    };
    assert_eq!(files(&good.bundle), expected(contents), "{fault:?}");
    assert!(
        good.skipped.is_empty() || good.version.since == 1,
        "{fault:?}: {:?}",
        good.skipped
    );
    assert!(
        deployed.is_err() || good.version.since == 2,
        "{fault:?}: what was acknowledged is lost"
    );
    for entry in fs::read_dir(folder.path().join("bundles")).unwrap() {
        let id = Hash::parse(entry.unwrap().file_name().to_str().unwrap()).unwrap();
        store
            .bundle(id)
            .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
    }
    assert_eq!(
        fs::read_dir(folder.path().join("tmp")).unwrap().count(),
        0,
        "{fault:?}"
    );
    drop(good);
    deploy(&store, &NEW, 3).unwrap();
    assert_eq!(
        files(&store.last_good("shop").unwrap().bundle),
        expected(&NEW)
    );
    deployed.is_ok()
}

fn at_every_step(fault: impl Fn(u64) -> Fault) {
    let mut steps = 0;
    while !deploy_with(fault(steps)) {
        steps += 1;
        assert!(steps < 1000);
    }
    assert!(steps > 30, "only {steps} steps");
}

#[test]
fn killed_at_any_step_there_is_the_old_version_or_the_new() {
    at_every_step(|steps| Fault::Killed { steps });
}

#[test]
fn without_power_at_any_step_there_is_the_old_version_or_the_new() {
    at_every_step(|steps| Fault::PowerFailed { steps });
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    deploy(&sound(folder.path()), &OLD, 1).unwrap();
    let (mut bytes, mut recorded) = (0, false);
    loop {
        let disk = FaultyDisk::new(Fault::Full { bytes });
        let store = Store::open_on(folder.path(), Limits::default(), Arc::new(disk)).unwrap();
        let Err(error) = deploy(&store, &NEW, 2) else {
            break;
        };
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert!(error.to_string().contains("make room"), "{error}");
        assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
        let good = store.last_good("shop").unwrap();
        let is_new = good.version.since == 2;
        assert_eq!(
            files(&good.bundle),
            expected(if is_new { &NEW } else { &OLD })
        );
        // Once it is recorded only the cleaning may fail.
        assert!(is_new || !recorded);
        recorded = is_new;
        bytes += 1;
    }
    assert!(bytes > 100 && recorded);
}

#[test]
fn what_was_changed_on_the_disk_is_found_and_written_again() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path(), Limits::default()).unwrap();
    let id = fill(&store, &OLD).unwrap().id();
    let place = folder.path().join("bundles").join(id.to_string());
    type Change = Box<dyn Fn(&Path)>;
    let changes: Vec<(&str, Change)> = vec![
        (
            "file \"index.lua\" has been changed",
            Box::new(|place| fs::write(place.join("files/index.lua"), "return 9").unwrap()),
        ),
        (
            "file \"index.lua\" has been changed",
            Box::new(|place| {
                fs::write(place.join("files/index.lua"), "return 1 and more").unwrap()
            }),
        ),
        (
            "file \"lib/x.lua\" is missing",
            Box::new(|place| fs::remove_file(place.join("files/lib/x.lua")).unwrap()),
        ),
        (
            "file \"lib/more.lua\" does not belong there",
            Box::new(|place| fs::write(place.join("files/lib/more.lua"), "").unwrap()),
        ),
        (
            "file \"more\" does not belong there",
            Box::new(|place| fs::create_dir(place.join("files/more")).unwrap()),
        ),
        (
            "file \"index.lua\" is missing",
            Box::new(|place| {
                fs::remove_file(place.join("files/index.lua")).unwrap();
                std::os::unix::fs::symlink("../index", place.join("files/index.lua")).unwrap();
            }),
        ),
        (
            "its index has been changed",
            Box::new(|place| fs::write(place.join("index"), "rille-bundle 1\n").unwrap()),
        ),
        (
            "its index cannot be read",
            Box::new(|place| fs::remove_file(place.join("index")).unwrap()),
        ),
    ];
    for (words, change) in changes {
        let bundle = store.bundle(id).unwrap();
        change(&place);
        let error = store.bundle(id).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let text = error.to_string();
        assert!(
            text.contains(words) && text.contains(&id.to_string()),
            "{text}"
        );
        if words.starts_with("file \"index.lua\"") {
            let path = BundlePath::new(b"index.lua").unwrap();
            assert_eq!(bundle.read(&path).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        assert_eq!(files(&fill(&store, &OLD).unwrap()), expected(&OLD));
    }
    assert_eq!(
        store.bundle(Hash::of(b"")).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn a_corrupt_version_is_passed_over() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path(), Limits::default()).unwrap();
    let keep = Keep {
        versions: 2,
        younger_than: Duration::ZERO,
    };
    for (since, contents) in [(1, OLD.as_slice()), (2, NEW.as_slice())] {
        let id = fill(&store, contents).unwrap().id();
        store.record("shop", version(id, since)).unwrap();
        assert!(store.clean(&keep).unwrap().is_empty());
    }
    let newest = store.versions("shop").unwrap()[0].bundle;
    fs::write(
        folder
            .path()
            .join(format!("bundles/{newest}/files/index.lua")),
        "x",
    )
    .unwrap();
    let good = store.last_good("shop").unwrap();
    assert_eq!(good.version.since, 1);
    assert_eq!(good.skipped.len(), 1);
    assert!(good.skipped[0].to_string().contains(&newest.to_string()));
}

#[test]
fn cleaning_keeps_what_is_needed_held_or_new() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path(), Limits::default()).unwrap();
    let bundle = |text: &str| fill(&store, &[("a", text)]).unwrap();
    let [old, newer, newest] = ["1", "2", "3"].map(|text| bundle(text).id());
    for (since, id) in [(1, old), (2, newer), (3, newest), (4, newest)] {
        store.record("shop", version(id, since)).unwrap();
    }
    assert_eq!(store.versions("shop").unwrap().len(), 3);
    let held = bundle("held");
    let unused = bundle("unused").id();
    assert!(
        store
            .clean(&Keep {
                versions: 2,
                younger_than: Duration::from_secs(600)
            })
            .unwrap()
            .is_empty()
    );
    let now = Keep {
        versions: 2,
        younger_than: Duration::ZERO,
    };
    let mut gone = vec![old, unused];
    gone.sort();
    assert_eq!(store.clean(&now).unwrap(), gone);
    assert_eq!(store.bundle(old).unwrap_err().kind(), ErrorKind::NotFound);
    for id in [newer, newest, held.id()] {
        store.bundle(id).unwrap();
    }
    let id = held.id();
    drop(held);
    assert_eq!(store.clean(&now).unwrap(), [id]);
    store.forget("shop").unwrap();
    assert_eq!(store.clean(&now).unwrap().len(), 2);
    assert_eq!(
        store.last_good("shop").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(store.apps().unwrap(), Vec::<String>::new());
}

#[test]
fn names_and_records_are_checked() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path(), Limits::default()).unwrap();
    let id = fill(&store, &OLD).unwrap().id();
    for name in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "-x",
        ".hidden",
        "a\0",
        "ä",
        &"a".repeat(65),
    ] {
        assert_eq!(
            store.record(name, version(id, 1)).unwrap_err().kind(),
            ErrorKind::Source,
            "{name}"
        );
        assert!(store.versions(name).is_err());
    }
    store.record(&"a".repeat(64), version(id, 1)).unwrap();
    let odd = Version {
        source: Source::Folder("a\nb".into()),
        ..version(id, 1)
    };
    assert_eq!(
        store.record("shop", odd).unwrap_err().kind(),
        ErrorKind::Source
    );
    for since in 0..100 {
        let id = Hash::of(&[u8::try_from(since).unwrap()]);
        store.record("shop", version(id, since)).unwrap();
    }
    assert_eq!(
        store.versions("shop").unwrap().len(),
        rille_store::record::MAX_VERSIONS
    );
    fs::write(folder.path().join("apps/shop"), "rille-app 1 x\n").unwrap();
    let error = store.versions("shop").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("apps/shop is corrupt"));
    // As nobody knows what it needs, nothing is removed.
    assert!(
        store
            .clean(&Keep {
                versions: 1,
                younger_than: Duration::ZERO
            })
            .is_err()
    );
    store.bundle(id).unwrap();
}

#[test]
fn another_process_keeps_what_it_is_writing() {
    let folder = TempDir::new().unwrap();
    let first = Store::open(folder.path(), Limits::default()).unwrap();
    let mut writer = first.writer().unwrap();
    let path = BundlePath::new(b"a").unwrap();
    writer
        .add(&path, &mut "x".as_bytes(), &Cancel::default())
        .unwrap();
    let second = Store::open(folder.path(), Limits::default()).unwrap();
    let ours = writer.finish().unwrap();
    // Both write the same bundle, and there is one.
    assert_eq!(fill(&second, &[("a", "x")]).unwrap().id(), ours.id());
    drop((first, second));
    fs::create_dir(folder.path().join("tmp/left")).unwrap();
    Store::open(folder.path(), Limits::default()).unwrap();
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_cancelled_writer_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path(), Limits::default()).unwrap();
    let mut writer = store.writer().unwrap();
    let cancel = Cancel::default();
    cancel.cancel();
    let path = BundlePath::new(b"a").unwrap();
    let error = writer.add(&path, &mut "x".as_bytes(), &cancel).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    drop(writer);
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
    assert_eq!(
        fs::read_dir(folder.path().join("bundles")).unwrap().count(),
        0
    );
}

/// Deploys one version after the other until it is killed.
#[test]
#[ignore = "runs for ever: it is what the next test kills"]
fn deploy_until_killed() {
    let Some(folder) = std::env::var_os("RILLE_STORE_TO_KILL") else {
        return;
    };
    let store = Store::open(Path::new(&folder), Limits::default()).unwrap();
    for since in 10.. {
        let text = since.to_string();
        let contents = [("index.lua", text.as_str()), ("lib/x.lua", "old")];
        deploy(&store, &contents, since).unwrap();
    }
}

#[test]
fn a_process_that_is_killed_leaves_whole_bundles() {
    let folder = TempDir::new().unwrap();
    let mut last = 1;
    deploy(&sound(folder.path()), &OLD, last).unwrap();
    for round in 0..20_u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "deploy_until_killed", "--ignored"])
            .env("RILLE_STORE_TO_KILL", folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(60 + 7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = sound(folder.path());
        let good = store.last_good("shop").unwrap();
        assert!(good.skipped.is_empty(), "{:?}", good.skipped);
        for entry in fs::read_dir(folder.path().join("bundles")).unwrap() {
            let id = Hash::parse(entry.unwrap().file_name().to_str().unwrap()).unwrap();
            store.bundle(id).unwrap();
        }
        last = last.max(good.version.since);
    }
    assert!(last > 10, "nothing was deployed before the kills");
}
