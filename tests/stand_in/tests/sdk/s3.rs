//! S3: conditional writes, lists, and the trail's log files.

use aws_sdk_s3::Client;
use exposure_stand_in::StandIn;

use super::common::{account, code, config, stand_in};

fn client(stand_in: &StandIn) -> Client {
    Client::new(&config(stand_in))
}

#[tokio::test]
async fn writes_keep_their_conditions() {
    let stand_in = stand_in();
    let client = client(&stand_in);
    let put = |body: &'static [u8]| client.put_object().bucket("state").key("a/ledger").body(body.to_vec().into());
    let first = put(b"one").if_none_match("*").send().await.expect("is new");
    assert_eq!(code(put(b"two").if_none_match("*").send().await), "PreconditionFailed");
    let tag = first.e_tag().expect("has a tag");
    let second = put(b"two").if_match(tag).send().await.expect("matches");
    assert_ne!(second.e_tag(), Some(tag));
    let refused = put(b"three").if_match(tag).send().await.expect_err("is stale");
    assert_eq!(refused.raw_response().map(|response| response.status().as_u16()), Some(412));
    let absent = client.put_object().bucket("state").key("none").if_match(tag).send().await;
    assert_eq!(code(absent), "NoSuchKey");
    let read = client.get_object().bucket("state").key("a/ledger").send().await.expect("is there");
    assert_eq!(read.e_tag(), second.e_tag());
    assert_eq!(read.body.collect().await.expect("arrives").to_vec(), b"two");
    assert_eq!(stand_in.object("state", "a/ledger").as_deref(), Some(b"two".as_slice()));
}

#[tokio::test]
async fn objects_are_read_copied_and_deleted() {
    let stand_in = stand_in();
    let client = client(&stand_in);
    let body = vec![b'x'; 3 << 20];
    let put = client.put_object().bucket("state").key("big one").body(body.clone().into()).metadata("schema", "7");
    put.send().await.expect("is put");
    let head = client.head_object().bucket("state").key("big one").send().await.expect("is there");
    assert_eq!(head.content_length(), Some(3 << 20));
    assert_eq!(head.metadata().and_then(|data| data.get("schema")).map(String::as_str), Some("7"));
    let part = client.get_object().bucket("state").key("big one").range("bytes=1-4").send().await.expect("is there");
    assert_eq!(part.content_range(), Some("bytes 1-4/3145728"));
    let copy = client.copy_object().bucket("state").key("aside").copy_source("state/big%20one");
    let copied = copy.send().await.expect("is copied");
    assert!(copied.copy_object_result().and_then(|result| result.e_tag()).is_some());
    assert_eq!(stand_in.object("state", "aside"), Some(body));
    client.delete_object().bucket("state").key("big one").send().await.expect("is deleted");
    assert_eq!(code(client.get_object().bucket("state").key("big one").send().await), "NoSuchKey");
    let head = client.head_object().bucket("state").key("big one").send().await.expect_err("is gone");
    assert!(head.into_service_error().is_not_found());
}

#[tokio::test]
async fn buckets_have_an_owner_or_are_missing() {
    let stand_in = stand_in();
    let client = client(&stand_in);
    let put = |owner: &str| client.put_object().bucket("state").key("a").expected_bucket_owner(owner).send();
    assert!(put("111122223333").await.is_ok());
    assert_eq!(code(put("999999999999").await), "AccessDenied");
    assert_eq!(code(client.list_objects_v2().bucket("missing-one").send().await), "NoSuchBucket");
    assert_eq!(code(client.put_object().bucket("trail").key("a").send().await), "AccessDenied");
}

#[tokio::test]
async fn log_files_appear_as_they_are_delivered() {
    let stand_in = stand_in();
    let client = client(&stand_in);
    let (first, last) = account().window();
    let prefix = "AWSLogs/111122223333/CloudTrail/eu-central-1/";
    let mut counts = Vec::new();
    for clock in [first, i64::midpoint(first, last), last + 3600] {
        stand_in.set_clock(clock);
        let (mut keys, mut token) = (Vec::new(), None::<String>);
        loop {
            let ask =
                client.list_objects_v2().bucket("trail").prefix(prefix).max_keys(100).set_continuation_token(token);
            let page = ask.send().await.expect("answers");
            assert!(page.contents().len() <= 100);
            assert!(page.contents().iter().all(|row| row.last_modified().expect("has one").secs() <= clock));
            keys.extend(page.contents().iter().filter_map(|row| row.key().map(str::to_owned)));
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        assert!(keys.is_sorted() && keys.iter().all(|key| key.starts_with(prefix)));
        if let Some(key) = keys.get(keys.len() / 2) {
            let after = client.list_objects_v2().bucket("trail").prefix(prefix).start_after(key);
            let after = after.send().await.expect("answers");
            assert_eq!(after.contents().len(), (keys.len() - keys.len() / 2 - 1).min(1000));
            let read = client.get_object().bucket("trail").key(key).send().await.expect("is there");
            let packed = read.body.collect().await.expect("arrives").to_vec();
            assert!(packed.starts_with(&[0x1f, 0x8b]));
        }
        counts.push(keys.len());
    }
    assert!(counts[0] == 0 && counts[0] < counts[1] && counts[1] < counts[2], "{counts:?}");
    let days = client.list_objects_v2().bucket("trail").prefix(format!("{prefix}2026/05/")).delimiter("/");
    let days = days.send().await.expect("answers");
    assert_eq!(days.common_prefixes().len(), 3);
}
