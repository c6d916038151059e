//! Both stores to one contract: files in a folder of their own, and S3 over HTTP on loopback.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;
use crate::clients::loopback::{Loopback, Reply, Request};

const LIMIT: usize = 1 << 20;

fn time() -> Timestamp {
    Timestamp::parse("2026-05-11T23:05:00Z").expect("a time")
}

/// Enough of S3 for conditional writes, with its objects.
type Objects = Arc<Mutex<BTreeMap<String, (Vec<u8>, u32)>>>;

fn s3(objects: &Objects) -> Loopback {
    let objects = Arc::clone(objects);
    Loopback::start(move |request, _| answer(request, &mut objects.lock().expect("no panic before")))
}

fn answer(request: &Request, objects: &mut BTreeMap<String, (Vec<u8>, u32)>) -> Reply {
    let key = request.path.split('?').next().expect("a path").to_owned();
    let tag = |version: u32| format!("\"{version}\"");
    let error =
        |status: u16, code: &str| Reply::of(status, format!("<Error><Code>{code}</Code><Message>m</Message></Error>"));
    let found = objects.get(&key).cloned();
    match (request.method.as_str(), found) {
        ("GET", Some((body, version))) => Reply::Answer(200, vec![("etag", tag(version))], body),
        ("GET", None) => error(404, "NoSuchKey"),
        ("PUT", found) => {
            if let Some(source) = request.header("x-amz-copy-source") {
                let Some((body, _)) = objects.get(&format!("/{source}")).cloned() else {
                    return error(404, "NoSuchKey");
                };
                objects.insert(key, (body, 1));
                return Reply::of(200, "<CopyObjectResult><ETag>\"1\"</ETag></CopyObjectResult>");
            }
            let version = found.map(|(_, version)| version);
            match (request.header("if-match"), request.header("if-none-match"), version) {
                (None, Some("*"), Some(_)) => return error(412, "PreconditionFailed"),
                (Some(_), None, None) => return error(404, "NoSuchKey"),
                (Some(wanted), None, Some(version)) if wanted != tag(version) => {
                    return error(412, "PreconditionFailed");
                }
                (None, None, _) => return error(400, "Unconditional"),
                _ => {}
            }
            let next = version.unwrap_or(0) + 1;
            objects.insert(key, (request.body.clone(), next));
            Reply::Answer(200, vec![("etag", tag(next))], Vec::new())
        }
        _ => error(405, "MethodNotAllowed"),
    }
}

async fn store_at(server: &Loopback, owner: Option<&str>) -> Store {
    let clients = server.clients().await;
    let owner = owner.map(|text| AccountId::new(text).expect("an account"));
    Location::parse("s3://a-bucket/state/led ger.gz").expect("a location").open(|| clients.s3(), owner)
}

fn file_in(folder: &tempfile::TempDir) -> Store {
    let url = format!("file://{}/ledger.gz", folder.path().display());
    Location::parse(&url).expect("a location").open(|| unreachable!("a file needs no client"), None)
}

/// What every store does.
async fn keeps_the_contract(store: &Store, damage: impl Fn(&[u8])) {
    let nothing = store.load(LIMIT).await.expect("nothing yet");
    assert!(nothing.text.is_none() && nothing.version.is_absent());

    let first = store.save(b"first".to_vec(), &nothing.version).await.expect("saved");
    assert!(!first.version.is_absent() && first.bytes > 0);
    assert_eq!(store.load(LIMIT).await.expect("the first").text.as_deref(), Some(&b"first"[..]));
    assert_eq!(store.load(LIMIT).await.expect("the first").version, first.version);

    // Somebody who has seen nothing, and somebody who has seen an earlier one.
    let late = store.save(b"late".to_vec(), &nothing.version).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    let second = store.save(b"second".to_vec(), &first.version).await.expect("saved");
    let late = store.save(b"late".to_vec(), &first.version).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    assert_eq!(store.load(LIMIT).await.expect("the second").text.as_deref(), Some(&b"second"[..]));

    let bound = store.load(3).await.expect_err("too large").to_string();
    assert!(bound.contains("6 bytes when unpacked, and at most 3"), "{bound}");

    damage(b"\x1f\x8b damaged");
    let error = store.load(LIMIT).await.expect_err("damaged");
    let StoreError::Corrupt { version, .. } = &error else { panic!("{error}") };
    assert!(error.to_string().starts_with(&store.name()), "{error}");
    assert_ne!(*version, second.version);
    let aside = store.set_aside(time()).await.expect("a copy");
    assert_eq!(aside, format!("{}.corrupt-20260511T230500Z", store.name()));
    store.save(b"rebuilt".to_vec(), version).await.expect("saved in its place");
    assert_eq!(store.load(LIMIT).await.expect("rebuilt").text.as_deref(), Some(&b"rebuilt"[..]));
}

#[tokio::test]
async fn an_object_keeps_the_contract() {
    let objects = Objects::default();
    let server = s3(&objects);
    let store = store_at(&server, Some("111122223333")).await;
    let key = "/a-bucket/state/led%20ger.gz";
    let damage = |text: &[u8]| {
        let mut objects = objects.lock().expect("no panic before");
        objects.insert(key.to_owned(), (text.to_vec(), 77));
    };
    keeps_the_contract(&store, damage).await;
    let objects = objects.lock().expect("no panic before");
    let copied = objects.get(&format!("{key}.corrupt-20260511T230500Z")).map(|(body, _)| body.as_slice());
    assert_eq!(copied, Some(&b"\x1f\x8b damaged"[..]));
    for request in server.asked() {
        assert_eq!(request.header("x-amz-expected-bucket-owner"), Some("111122223333"), "{}", request.path);
        let copy = request.header("x-amz-copy-source").is_some();
        assert_eq!(request.header("x-amz-source-expected-bucket-owner").is_some(), copy);
    }
}

#[tokio::test]
async fn a_file_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.gz");
    let damage = |text: &[u8]| std::fs::write(&path, text).expect("written");
    keeps_the_contract(&file_in(&folder), damage).await;
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    assert_eq!(names, ["ledger.gz", "ledger.gz.corrupt-20260511T230500Z"], "and nothing half-written");
}

#[tokio::test]
async fn without_an_owner_none_is_checked() {
    let server = s3(&Objects::default());
    store_at(&server, None).await.load(LIMIT).await.expect("nothing yet");
    assert!(server.asked().iter().all(|request| request.header("x-amz-expected-bucket-owner").is_none()));
}

#[tokio::test]
async fn what_s3_refuses_or_leaves_out_is_a_failure_and_never_nothing() {
    let denied = || Reply::of(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
    let table = [
        (denied(), "s3:GetObject: denied: AccessDenied: no"),
        (Reply::of(404, "<Error><Code>NoSuchBucket</Code><Message>m</Message></Error>"), "NoSuchBucket"),
        (Reply::of(404, ""), "s3:GetObject"),
        (Reply::of(200, "{}"), "no ETag"),
        (Reply::Answer(200, vec![("etag", "\"1\"".to_owned())], Vec::new()), "it is empty"),
    ];
    assert!(!table.is_empty());
    for (reply, said) in table {
        let server = Loopback::start(move |_, _| reply.clone());
        let error = store_at(&server, None).await.load(LIMIT).await.expect_err(said).to_string();
        assert!(error.starts_with("s3://a-bucket/state/led ger.gz: ") && error.contains(said), "{error}");
    }
    let server = Loopback::start(move |_, _| denied());
    let error = store_at(&server, None).await.save(b"x".to_vec(), &Version(Stamp::Absent)).await.expect_err("denied");
    assert!(matches!(&error, StoreError::Failed { failure, .. } if failure.class == Class::Denied), "{error}");
}

#[tokio::test]
async fn a_write_under_way_elsewhere_is_a_conflict() {
    let code = "<Error><Code>ConditionalRequestConflict</Code><Message>m</Message></Error>";
    let server = Loopback::start(move |_, _| Reply::of(409, code));
    let done = store_at(&server, None).await.save(b"x".to_vec(), &Version(Stamp::Tag("\"1\"".to_owned()))).await;
    assert!(matches!(done, Err(StoreError::Conflict { .. })), "{done:?}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_damage() {
    let server = Loopback::start(|_, _| Reply::Broken(vec![("etag", "\"1\"".to_owned())]));
    let error = store_at(&server, None).await.load(LIMIT).await.expect_err("half a body");
    assert!(matches!(&error, StoreError::Failed { failure, .. } if failure.class == Class::Unavailable), "{error}");
}

#[tokio::test]
async fn of_many_writers_at_once_one_wins_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = file_in(&folder);
    let mut version = Version(Stamp::Absent);
    for round in 0..20 {
        let writers = (0..4).map(|_| {
            let (store, version) = (store.clone(), version.clone());
            tokio::spawn(async move { store.save(b"x".to_vec(), &version).await })
        });
        let done = futures::future::join_all(writers).await;
        let (won, lost): (Vec<_>, Vec<_>) = done.into_iter().map(|d| d.expect("no panic")).partition(Result::is_ok);
        assert_eq!(won.len(), 1, "round {round}");
        assert!(lost.iter().all(|done| matches!(done, Err(StoreError::Conflict { .. }))), "{lost:?}");
        version = won.into_iter().flatten().next().expect("one").version;
    }
}

#[tokio::test]
async fn who_waits_for_another_writer_sees_what_that_one_wrote() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, other) = (folder.path().join("ledger.gz"), folder.path().join("other"));
    let store = file_in(&folder);
    let first = store.save(b"first".to_vec(), &Version(Stamp::Absent)).await.expect("saved");
    let writing = std::fs::File::open(&path).expect("the first");
    writing.lock().expect("a lock");
    let late = tokio::spawn(async move { store.save(b"late".to_vec(), &first.version).await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    std::fs::write(&other, "{}").expect("written");
    std::fs::rename(&other, &path).expect("replaced");
    drop(writing);
    let done = late.await.expect("no panic");
    assert!(matches!(done, Err(StoreError::Conflict { .. })), "{done:?}");
    assert_eq!(std::fs::read(&path).expect("a file"), b"{}");
}

#[cfg(unix)]
#[tokio::test]
async fn permissions_and_links_are_kept() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("real");
    std::fs::write(&path, "{}").expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("permissions");
    symlink(&path, folder.path().join("ledger.gz")).expect("a link");
    let store = file_in(&folder);
    let loaded = store.load(LIMIT).await.expect("plain text");
    assert_eq!(loaded.text.as_deref(), Some(&b"{}"[..]));
    store.save(b"new".to_vec(), &loaded.version).await.expect("saved");
    assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o640);
    assert!(std::fs::symlink_metadata(folder.path().join("ledger.gz")).expect("a link").is_symlink());
    assert_eq!(store.load(LIMIT).await.expect("the new").text.as_deref(), Some(&b"new"[..]));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_said() {
    let store = Store::File("/nonexistent/ledger.gz".into());
    let error = store.save(b"x".to_vec(), &Version(Stamp::Absent)).await.expect_err("no folder").to_string();
    assert!(error.starts_with("file:///nonexistent/ledger.gz: cannot be written: "), "{error}");
}
