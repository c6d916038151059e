use super::*;

/// The plainest reading of an object or list: one byte after the other. Its end, its keys, and whether any `u` is escaped.
fn plain(text: &[u8], start: usize) -> Option<Object> {
    let [open, close] = if text[start] == b'[' { *b"[]" } else { *b"{}" };
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    let mut object = Object { start, ..Object::default() };
    for (place, byte) in text.iter().enumerate().skip(start) {
        object.unicode_escapes |= escaped && *byte == b'u';
        match byte {
            b'"' if !escaped => {
                in_string = !in_string;
                for (key, value) in [("\"eventTime\"", &mut object.time), ("\"eventName\"", &mut object.name)] {
                    let behind = text[place..].strip_prefix(key.as_bytes()).unwrap_or_default();
                    let blanks = behind.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                    if in_string && depth == 1 && behind.get(blanks) == Some(&b':') {
                        *value = Some(text.len() - behind.len() + blanks + 1);
                    }
                }
            }
            byte if *byte == open && !in_string => depth += 1,
            byte if *byte == close && !in_string => {
                depth -= 1;
                if depth <= 0 {
                    object.end = place + 1;
                    return Some(object);
                }
            }
            _ => {}
        }
        escaped = *byte == b'\\' && !escaped;
    }
    None
}

/// The plainest way along a list of objects.
fn plain_list(text: &[u8], mut start: usize) -> (Vec<Object>, Stopped) {
    let mut objects = Vec::new();
    while let Some(object) = plain(text, start) {
        objects.push(object);
        let blank = |from: usize| from + text[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let comma = blank(object.end);
        let next = blank(comma + usize::from(text.get(comma) == Some(&b',')));
        if text.get(comma) != Some(&b',') || text.get(next) != Some(&b'{') {
            return (objects, Stopped::Behind(object.end));
        }
        start = next;
    }
    (objects, Stopped::Before(start))
}

fn list(set: InstructionSet, text: &[u8], start: usize) -> (Vec<Object>, Stopped) {
    let mut objects = Vec::new();
    let stopped = set.records(text, start, |object| {
        objects.push(*object);
        true
    });
    (objects, stopped)
}

/// Checks the list of objects that the first brace of a text begins, or its first list, and then the next behind its end.
fn check(text: &[u8]) {
    for set in InstructionSet::available() {
        let mut from = 0;
        while let Some(bracket) = text[from..].iter().position(|byte| matches!(byte, b'{' | b'[')) {
            let start = from + bracket;
            let shown = || format!("{set:?} from {start}: {}", String::from_utf8_lossy(text));
            let end = plain(text, start).map(|object| object.end);
            assert_eq!(set.end(text, start), end, "{}", shown());
            if text[start] == b'{' {
                let (mut expected, stopped) = plain_list(text, start);
                let (found, found_stopped) = list(set, text, start);
                assert_eq!((found.len(), found_stopped), (expected.len(), stopped), "{}", shown());
                for (found, expected) in found.iter().zip(&mut expected) {
                    // The blocks that hold its ends are looked at as a whole.
                    assert!(found.unicode_escapes || !expected.unicode_escapes, "{}", shown());
                    expected.unicode_escapes = found.unicode_escapes;
                    assert_eq!(found, expected, "{}", shown());
                }
                assert_stops_where_it_is_told_to(set, text, start, &found);
                let Stopped::Behind(end) = stopped else { break };
                from = end;
                continue;
            }
            let Some(end) = end else { break };
            from = end;
        }
    }
}

fn assert_stops_where_it_is_told_to(set: InstructionSet, text: &[u8], start: usize, objects: &[Object]) {
    let Some(middle) = objects.get(objects.len() / 2) else { return };
    let mut taken = 0;
    let stopped = set.records(text, start, |object| {
        taken += 1;
        object.start < middle.start
    });
    assert_eq!((taken, stopped), (objects.len() / 2 + 1, Stopped::Behind(middle.end)), "{set:?}");
}

#[test]
fn a_key_is_one_of_the_object_itself() {
    for (text, found) in [
        (r#"{"eventTime":1}"#, true),
        (r#"{"b":{"eventTime":1},"eventTime" : 2}"#, true),
        (r#"{"b":{"eventTime":1}}"#, false),
        (r#"{"b":"\"eventTime\":1"}"#, false),
        (r#"{"b":["eventTime"]}"#, false),
        (r#"{"b":"eventTime"}"#, false),
        (r#"{"b":"eventTime","eventTime":1}"#, true),
        (r#"{"b":1},{"eventTime":1}"#, false),
        (r#"{"{eventTime":1}"#, false),
        (r#"{"b\"eventTime":1}"#, false),
        (r#"{"b":"x"eventTime":1,"c":"}"#, false),
    ] {
        check(text.as_bytes());
        for set in InstructionSet::available() {
            let (objects, _) = list(set, text.as_bytes(), 0);
            assert_eq!(objects[0].time.is_some(), found, "{set:?}: {text}");
        }
    }
}

#[test]
fn escapes_that_may_hide_text_are_noted() {
    let long = format!(r#"{{"a":"{}\u0041"}}"#, " ".repeat(57));
    let longer = format!(r#"{{"a":"{}\u0041{}"}}"#, " ".repeat(570), " ".repeat(570));
    let far = format!(r#"{{"a":"{0}\u0041{0}"}},{{"a":1{0}}}"#, " ".repeat(300));
    for set in InstructionSet::available() {
        for (text, expected) in [
            (r#"{"a":"\\u0041"}"#, [false].as_slice()),
            (r#"{"a":"\u0041"}"#, &[true]),
            ("{\"a\":\"\\n\nu\"}", &[false]),
            (&*long, &[true]),
            (&*longer, &[true]),
            (&*far, &[true, false]),
        ] {
            let (objects, _) = list(set, text.as_bytes(), 0);
            let found: Vec<bool> = objects.iter().map(|object| object.unicode_escapes).collect();
            assert_eq!(found, expected, "{set:?}: {text}");
        }
    }
}

#[test]
fn strings_escapes_and_nesting_do_not_deceive() {
    for text in [
        "{}",
        r#"{"a":[1,{"b":"}"}],"c":"\"}"} {"#,
        r#"{"a":"\\"}"#,
        r#"{"a":"\\\"}{\\"}"#,
        r#"{"a":"{\"eventName\":\"Decrypt\"}"}x"#,
        r#"{"unclosed": "}"#,
        "{",
        "",
    ] {
        check(text.as_bytes());
    }
}

/// Numbers that look random and are the same each time.
fn dice(mut seed: u64) -> impl FnMut(u64) -> usize {
    move |sides| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % sides).unwrap()
    }
}

#[test]
fn every_instruction_set_agrees_on_any_text() {
    let alphabet = br#""\{}[]mu:, "#;
    let mut dice = dice(0x2545_f491_4f6c_dd1d);
    for round in 0..4_000_usize {
        let mut text = vec![b'{'];
        for _ in 0..round % 400 {
            match dice(40) {
                0 => text.extend_from_slice(br#""eventTime":"#),
                1 => text.extend_from_slice(br#""eventName" :"#),
                2 => text.extend_from_slice(b"},{"),
                other => text.push(alphabet[other % alphabet.len()]),
            }
        }
        check(&text);
        // Long runs of backslashes across blocks.
        let mut text = br#"{"a":""#.to_vec();
        text.extend(std::iter::repeat_n(b'\\', dice(140)));
        text.extend_from_slice(br#""}"}]}"#);
        check(&text);
    }
}

/// Texts long enough for the loop over uneventful blocks, and with so little in them that it goes on for long.
#[test]
fn every_instruction_set_agrees_on_long_lists() {
    let pieces = [
        r#""eventTime":"2026-05-18T06:16:59Z","#,
        r#""eventName" : "Decrypt","#,
        r#""eventName":1,"#,
        r#""a":"eventTime","#,
        r#""a":{"eventName":"x","b":{}},"#,
        r#""a":{"b":{"c":{"d":[{},{"eventTime":1}]}}},"#,
        r#""a":"\"}{","#,
        r#""a":"\\","#,
        r#""a":"\u0041","#,
        r#""a":"C:\\\\\"{\"","#,
        r#""a":"}}}}}}}}}","#,
        r#""a":[],"#,
        "},{",
        "}\r\n\t, {",
        "}",
        "{",
        "\"",
        r#""attempt":"item","#,
    ];
    let mut dice = dice(0x9e37_79b9_7f4a_7c15);
    let mut taken = 0;
    for round in 0..600 {
        let mut text = b"{".to_vec();
        // Most lists are whole; braces and quotes alone break them.
        let known = pieces.len() - if round % 4 == 0 { 0 } else { 4 };
        for _ in 0..round % 150 {
            text.extend_from_slice(pieces[dice(u64::try_from(known).unwrap())].as_bytes());
            let quiet = dice(300) * usize::from(dice(3) == 0);
            text.extend(std::iter::repeat_n(b' ', quiet));
        }
        text.push(b'}');
        check(&text);
        taken += plain_list(&text, 0).0.len();
    }
    assert!(taken > 600, "{taken} objects");
}

#[test]
fn more_objects_than_there_is_room_for_marks_are_all_taken() {
    let one = format!(r#"{{"eventTime":1,"a":"{}","eventName":2}},"#, "x".repeat(500));
    let text = format!("{}{{}}]", one.repeat(100));
    check(text.as_bytes());
    for set in InstructionSet::available() {
        let (objects, stopped) = list(set, text.as_bytes(), 0);
        assert_eq!(objects.len(), 101, "{set:?}");
        assert_eq!(stopped, Stopped::Behind(text.len() - 1), "{set:?}");
        assert!(objects[..100].iter().all(|object| object.time.is_some() && object.name.is_some()), "{set:?}");
    }
}

#[test]
fn an_escape_is_noted_whatever_the_place_of_its_mark() {
    let one = |text: &str| format!(r#"{{"eventTime":1,"a":"{}{text}","eventName":2}},"#, "x".repeat(300));
    for escaped in 0..150 {
        let objects: String = (0..150).map(|at| one(if at == escaped { r"\u0041" } else { "yyyyyy" })).collect();
        let text = format!("{objects}{{}}]");
        for set in InstructionSet::available() {
            let (objects, _) = list(set, text.as_bytes(), 0);
            assert!(objects[escaped].unicode_escapes, "{set:?}: {escaped}");
            // What shares a block with it may be suspected too.
            let others = objects.iter().filter(|object| object.unicode_escapes).count();
            assert!(others <= 2, "{set:?}: {escaped}: {others}");
        }
    }
}

#[test]
fn this_machine_has_more_than_the_portable_way_or_says_so() {
    assert!(InstructionSet::available().contains(&InstructionSet::detect()));
}
