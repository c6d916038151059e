use super::*;
use crate::evidence::observed::lines::Told;

const STATE: &str = r#"{"event":"state","imds":"known","time":"2026-05-11T23:00:00Z","instance_id":null}"#;
const NAME: &str = "i-0123456789abcdef0";

fn of(text: &[u8], place: &str) -> Result<Batch, String> {
    read(text, place, Limits::default())
}

#[test]
fn a_path_a_stream_or_what_stands_before_a_line_names_the_instance() {
    for (text, named) in [
        ("exportedlogs/5b2c/i-0123456789abcdef0/000000.gz", true),
        ("lifecycle-check/i-0123456789abcdef0", true),
        ("i-0123456789abcdef0-lifecycle", true),
        ("2026-05-11T23:04:11.123Z i-0123456789abcdef0 ", true),
        ("i-0123456789abcdef0/i-0123456789abcdef0.log", true),
        ("i-81e2f56c", true),
        ("i-0123456789abcdef0/i-81e2f56c", false),
        ("web-i-9", false),
        ("i-0123456789abcdef", false),
        ("", false),
    ] {
        assert_eq!(instance_in(text).is_some(), named, "{text}");
    }
    let batch = of(STATE.as_bytes(), &format!("logs/{NAME}/0.log")).unwrap();
    assert!(
        matches!(&batch.lines[..], [(instance, line)] if instance.as_str() == NAME && matches!(line.told, Told::Look(_)))
    );
    assert_eq!(of(STATE.as_bytes(), "logs/0.log").unwrap().malformed.len(), 1);
}

#[test]
fn the_first_member_tells_documents_from_lines() {
    for (text, is) in [
        ("{\"events\": [", "documents"),
        ("{\n    \"searchedLogStreams\": [], \"events\": []}", "documents"),
        ("\u{feff} [\n", "documents"),
        ("{\"event\":\"state\"}", "lines"),
        ("{\"age_seconds\":0,\"results\":[]}", "lines"),
        ("{", "lines"),
        ("@timestamp,@message\n", "table"),
        ("\"@message\",\"@logStream\"\n", "table"),
        ("an @message, {\"event\":1}", "lines"),
        ("", "lines"),
    ] {
        let found = match shape(text.as_bytes()) {
            Shape::Lines => "lines",
            Shape::Documents => "documents",
            Shape::Table => "table",
        };
        assert_eq!(found, is, "{text}");
    }
}

#[test]
fn several_objects_in_a_line_are_several_lines() {
    let batch = of(format!("{STATE}\t{STATE}\n").as_bytes(), NAME).unwrap();
    assert_eq!((batch.lines.len(), batch.total), (2, 2));
}

#[test]
fn nothing_is_unwrapped_twice() {
    let once = serde_json::json!({"message": STATE}).to_string();
    let twice = serde_json::json!({ "message": once }).to_string();
    assert_eq!(of(once.as_bytes(), NAME).unwrap().lines.len(), 1);
    let batch = of(twice.as_bytes(), NAME).unwrap();
    assert_eq!((batch.lines.len(), batch.other), (0, 1));
}

#[test]
fn what_unpacks_to_more_than_it_may_is_refused() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &vec![b'\n'; 1 << 20]).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 20_000);
    let limits = Limits { unpacked: 1 << 19, ..Limits::default() };
    assert!(read(packed.as_slice(), "", limits).unwrap_err().contains("unpacks to too much"));
    assert_eq!(read(packed.as_slice(), "", Limits::default()).unwrap().total, 0);
}

#[test]
fn a_line_without_end_is_skipped_in_bounded_memory() {
    let endless = std::io::repeat(b'{').take(64 << 20);
    let text = endless.chain(b"\n".as_slice()).chain(STATE.as_bytes());
    let batch = read(text, NAME, Limits::default()).unwrap();
    assert_eq!((batch.lines.len(), batch.total), (1, 2));
}
