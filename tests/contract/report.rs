//! `exposure report`: one page that asks for nothing, says what its JSON says, and takes no name for markup.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use exposure_stand_in::gzip;
use exposure_tests::{Ran, account, exposure, files, run, sample};
use serde_json::Value;
use tempfile::tempdir;

/// `exposure report` on an account's folder, with `more` arguments.
fn report(account: &Path, more: &[&str]) -> Ran {
    let mut command = exposure();
    command.arg("report").arg("--trail").arg(account.join("AWSLogs")).arg("--fleet").arg(account.join("fleet.json"));
    command.arg("--warm-pool").arg(account.join("warm-pool.json")).args(more);
    run(&mut command)
}

fn page(account: &Path, more: &[&str]) -> String {
    let ran = report(account, more);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.out
}

fn json(account: &Path, more: &[&str]) -> Value {
    serde_json::from_str(&page(account, &[&["--format", "json"], more].concat())).expect("JSON on standard output")
}

/// The exact values that stand behind the page's numbers.
fn values(page: &str) -> BTreeSet<String> {
    let found = page.split("<data value=\"").skip(1).filter_map(|rest| rest.split('"').next());
    found.map(normal).collect()
}

/// To twelve digits: reading JSON may change the last of seventeen.
fn normal(number: &str) -> String {
    number.parse::<f64>().map_or_else(|_| number.to_owned(), |number| format!("{number:.11e}"))
}

/// The table with a caption.
fn table<'p>(page: &'p str, caption: &str) -> &'p str {
    let caption = format!("<caption>{caption}");
    let start = page.find(&caption).unwrap_or_else(|| panic!("no table {caption}"));
    let end = page[start..].find("</table>").expect("an end");
    &page[start..start + end]
}

fn numbers(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Number(number) => drop(into.insert(normal(&number.to_string()))),
        Value::Array(list) => list.iter().for_each(|value| numbers(value, into)),
        Value::Object(object) => object.values().for_each(|value| numbers(value, into)),
        _ => {}
    }
}

/// An account whose groups belong to stacks of these names.
fn tagged(names: &[&str]) -> tempfile::TempDir {
    let folder = tempdir().expect("a folder");
    let mut fleet = exposure_tests::json(&sample().join("fleet.json"));
    for (place, group) in fleet["AutoScalingGroups"].as_array_mut().expect("groups").iter_mut().enumerate() {
        group["Tags"] = serde_json::json!([{"Key": "Stack", "Value": names[place % names.len()]}]);
    }
    fs::write(folder.path().join("fleet.json"), fleet.to_string()).expect("written");
    folder
}

fn tagged_report(names: &[&str], more: &[&str]) -> String {
    let folder = tagged(names);
    let mut command = exposure();
    command.args(["report", "--trail"]).arg(sample().join("AWSLogs"));
    let ran = run(command.arg("--fleet").arg(folder.path().join("fleet.json")).args(more));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.out
}

#[test]
fn the_page_says_what_the_json_says() {
    let (page, json) = (page(&sample(), &[]), json(&sample(), &[]));
    assert_eq!(json["schema"], "migration-exposure/report/1");
    let (shown, findings) = (values(&page), &json["findings"]);
    for (caption, expected) in [
        ("Migrations per 1,000 instance-hours by stack", of(findings["stacks"].as_array(), &RATE)),
        ("Instance-hours, migrations, and migrations", of(findings["stacks"].as_array(), &["by_hour"])),
        ("Accounts and regions", of(json["coverage"]["sources"].as_array(), &["launched", "baseline_seen"])),
        ("What became of each file and record", of(Some(&vec![json.clone()]), &["accounting"])),
        ("Members by verdict", of(json["stacks"].as_array(), &["members", "exposed", "clean", "unseen"])),
    ] {
        let rows = values(table(&page, caption));
        assert!(expected.len() > 2, "{caption}: {expected:?}");
        let missing: Vec<_> = expected.difference(&rows).collect();
        assert!(missing.is_empty(), "{caption}: the page lacks {missing:?}");
    }
    let parts =
        of(findings["comparisons"].as_array(), &["counts", "rates", "capacity", "timing", "itself", "itself_p"]);
    assert!(!parts.is_empty() && parts.is_subset(&shown), "{:?}", parts.difference(&shown).collect::<Vec<_>>());
    let mut all = BTreeSet::new();
    numbers(&json, &mut all);
    let rates = values(table(&page, "Migrations per 1,000 instance-hours by stack"));
    assert!(rates.is_subset(&all), "{:?}", rates.difference(&all).collect::<Vec<_>>());
    for sentence in findings["summary"].as_array().expect("sentences") {
        let sentence = sentence.as_str().expect("a sentence");
        assert!(page.contains(&escaped(sentence)), "{sentence}");
    }
    for instance in json["exposed"].as_array().expect("instances") {
        assert!(page.contains(instance["instance_id"].as_str().expect("an ID")));
    }
}

const RATE: [&str; 5] = ["migrations", "hours", "assumed_hours", "rate", "dispersion"];

/// The numbers of some members of each of a list's objects.
fn of(list: Option<&Vec<Value>>, members: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for object in list.expect("a list") {
        for member in members {
            numbers(&object[*member], &mut found);
        }
    }
    found
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What a page must not have, whatever was fed to it.
fn asks_for_nothing(page: &str) {
    let lower = page.to_lowercase();
    for bad in [
        "http:",
        "https:",
        "src=",
        "srcset",
        "@import",
        "url(",
        "<script",
        "<link",
        "<img",
        "<iframe",
        "<object",
        "javascript:",
    ] {
        assert!(!lower.contains(bad), "{bad}: {}", &page[lower.find(bad).unwrap_or(0)..][..80]);
    }
    assert!(lower.contains("content-security-policy") && lower.contains("default-src 'none'"));
}

#[test]
fn the_page_asks_for_nothing_from_outside() {
    asks_for_nothing(&page(&sample(), &["--time-zone", "Europe/Berlin"]));
}

#[test]
fn a_name_from_outside_is_text_and_turns_no_line_around() {
    let long = "n".repeat(128);
    let names = [
        "</script></style><script>document.title='x'</script>",
        "\u{202e}gnp.exe \u{2066}x",
        "\"><img src=x onerror=alert(1)> 'q' &amp;",
        "🌙夜",
        &long,
    ];
    let page = tagged_report(&names, &["--stack-rule", "^</pre><script>=\u{202e}$(reboot) 'x'"]);
    let lower = page.to_lowercase();
    for bad in ["<script", "<img", "\u{202e}", "\u{2066}"] {
        assert!(!lower.contains(bad), "{bad:?}");
    }
    assert_eq!(lower.matches("</style>").count(), 1);
    assert!(page.contains("&lt;script&gt;document.title") && page.contains("🌙夜"));
    assert!(page.contains(r"\u{202e}gnp.exe") && page.contains(r"$'^&lt;/pre&gt;&lt;script&gt;=\U0000202e"));
    let json: Value = serde_json::from_str(&tagged_report(&names, &["--format", "json"])).expect("JSON");
    let stacks = json["findings"]["stacks"].as_array().expect("stacks");
    let told: Vec<_> = stacks.iter().filter_map(|stack| stack["stack"].as_str()).collect();
    assert!(told.contains(&names[0]) && told.contains(&names[1]) && told.contains(&long.as_str()), "{told:?}");
}

#[test]
fn every_figure_has_words_and_a_table_for_who_does_not_see_it() {
    let page = page(&sample(), &[]);
    let figures: Vec<&str> = page.split("<figure>").skip(1).filter_map(|rest| rest.split("</figure>").next()).collect();
    assert!(figures.len() >= 5, "{}", figures.len());
    for figure in figures {
        let pictures = figure.matches("role=\"img\"").count();
        assert!(pictures > 0 && figure.matches("<desc").count() == pictures, "{figure}");
        assert!(figure.contains("<figcaption>") && figure.contains("<details>") && figure.contains("<caption>"));
        assert!(figure.contains("<th scope=\"col\"") && figure.contains("<th scope=\"row\""));
    }
    let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id stands twice");
    for label in page.split("aria-labelledby=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(label.split(' ').all(|id| ids.contains(&id)), "{label} leads nowhere");
    }
    let levels: Vec<u8> = page.match_indices("<h").filter_map(|(at, _)| level(page.as_bytes()[at + 2])).collect();
    assert!(levels.first() == Some(&1) && levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
}

fn level(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

#[test]
fn fifty_stacks_share_figures_and_say_so() {
    let folder = tempdir().expect("a folder");
    let mut fleet = exposure_tests::json(&sample().join("fleet.json"));
    let groups = fleet["AutoScalingGroups"].as_array_mut().expect("groups");
    let first = groups[0].clone();
    let members: Vec<Value> = groups.iter().flat_map(|g| g["Instances"].as_array().expect("a list").clone()).collect();
    *groups = (0..50)
        .map(|number| {
            let (name, old) = (format!("group-{number}"), first["AutoScalingGroupName"].as_str().expect("a name"));
            let arn = first["AutoScalingGroupARN"].as_str().expect("an ARN").replace(old, &name);
            let mut group = first.clone();
            group["AutoScalingGroupName"] = name.into();
            group["AutoScalingGroupARN"] = arn.into();
            group["Tags"] = serde_json::json!([{"Key": "Stack", "Value": format!("Stack {number}")}]);
            group["Instances"] = members.iter().skip(number).step_by(50).cloned().collect();
            group
        })
        .collect();
    fs::write(folder.path().join("fleet.json"), fleet.to_string()).expect("written");
    let mut command = exposure();
    command.args(["report", "--trail"]).arg(sample().join("AWSLogs"));
    let ran = run(command.arg("--fleet").arg(folder.path().join("fleet.json")));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let stacks = table(&ran.out, "Migrations per 1,000 instance-hours by stack").matches("<th scope=\"row\">").count();
    assert!(stacks > 20, "{stacks}");
    assert!(ran.out.contains(&format!("{} others", stacks - 8)), "it does not say what is shown together");
    assert!(ran.out.matches("id=\"clock-").count() <= 2 * 9 + 2, "too many panels");
    assert!(ran.out.len() < 2_000_000, "{}", ran.out.len());
}

#[test]
fn one_stack_and_no_fleet_and_no_migration_are_no_error() {
    let one = tagged_report(&["Only"], &[]);
    assert!(
        one.contains("There are no two stacks to compare") || one.contains("against"),
        "nothing is said of comparing"
    );
    let mut command = exposure();
    let alone = run(command.args(["report", "--stack-rule", ".=All", "--trail"]).arg(sample().join("AWSLogs")));
    assert_eq!(alone.code, Some(0), "{}", alone.err);
    assert!(alone.out.contains("there are no verdicts") && alone.out.contains("not known"));
    let early = page(&sample(), &["--from", "2026-05-11T10:00:00Z", "--to", "2026-05-11T10:40:00Z"]);
    assert!(early.contains("no migration"), "a window without a migration says so");
    for page in [one, alone.out, early] {
        asks_for_nothing(&page);
    }
}

#[test]
fn a_blind_source_is_the_first_thing_on_the_page() {
    let account = account(&["--seed", "3"]);
    let blind = tempdir().expect("a folder");
    for (number, file) in files(&account.path().join("AWSLogs")).iter().enumerate() {
        if !file.to_string_lossy().contains("/CloudTrail/") {
            continue;
        }
        let text = gzip::unpack(&fs::read(file).expect("a file")).expect("gzip");
        let mut log: Value = serde_json::from_slice(&text).expect("JSON");
        log["Records"].as_array_mut().expect("records").retain(|record| record["eventName"] != "Decrypt");
        fs::write(blind.path().join(format!("{number}.json")), log.to_string()).expect("written");
    }
    let mut command = exposure();
    command.args(["report", "--fail-on", "blind", "--trail"]).arg(blind.path());
    let ran = run(command.arg("--fleet").arg(account.path().join("fleet.json")));
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let (banner, main) = (ran.out.find("Blind: 111122223333 eu-central-1"), ran.out.find("<main"));
    assert!(banner.is_some() && banner < main, "it is not said loudly");
    assert!(ran.out.contains("a zero means nothing"));
}

#[test]
fn a_state_alone_gives_the_same_findings_and_stays_as_it_is() {
    let folder = tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    let state_name = state.to_str().expect("UTF-8");
    let fleet = sample().join("fleet.json");
    let analyzed = exposure_tests::analyze(&sample(), &sample().join("AWSLogs"), &["--state", state_name]);
    assert_eq!(analyzed.code, Some(0), "{}", analyzed.err);
    let before = fs::read(&state).expect("a state");
    let whole = json(&sample(), &[]);
    let mut command = exposure();
    command.args(["report", "--format", "json", "--state", state_name, "--fleet"]).arg(&fleet);
    let alone = run(command.arg("--warm-pool").arg(sample().join("warm-pool.json")));
    assert_eq!(alone.code, Some(0), "{}", alone.err);
    let alone: Value = serde_json::from_str(&alone.out).expect("JSON");
    for member in ["findings", "exposed", "stacks", "coverage", "window"] {
        assert_eq!(alone[member], whole[member], "{member}");
    }
    assert!(alone["accounting"].is_null() && whole["accounting"]["records"].as_u64() > Some(0));
    assert_eq!(fs::read(&state).expect("a state"), before, "the state was changed");
    let missing = run(exposure().args(["report", "--state", "/no/such/state.json"]));
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("/no/such/state.json"), "{}", missing.err);
}

#[test]
fn the_analyzers_state_is_reported_on_where_it_lies() {
    let folder = tempdir().expect("a folder");
    let ledger = folder.path().join("ledger.json");
    let more = ["--state", ledger.to_str().expect("UTF-8"), "--fleet-time", "2026-05-13T09:59:59Z"];
    assert_eq!(exposure_tests::analyze(&sample(), &sample().join("AWSLogs"), &more).code, Some(0));
    let ledger = exposure_core::ledger::Ledger::from_json(&fs::read(&ledger).expect("a ledger")).expect("a ledger");
    let through = exposure_core::time::Timestamp::parse("2026-06-01T00:00:00Z").expect("a time");
    let complete = ledger.sources().map(|source| (source.clone(), through)).collect();
    let state = exposure_aws::state::State { ledger, complete, ..Default::default() };
    let path = folder.path().join("state.json");
    fs::write(&path, state.to_json().expect("JSON")).expect("written");
    let url = format!("file://{}", path.display());
    let ran = run(exposure().args(["report", "--format", "json", "--state-url", &url]));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let told: Value = serde_json::from_str(&ran.out).expect("JSON");
    let whole = json(&sample(), &[]);
    assert_eq!(told["exposed"], whole["exposed"]);
    assert!(told["exposed"].as_array().is_some_and(|exposed| !exposed.is_empty()));
}

#[test]
fn usage_errors_exit_with_2_and_say_what_is_wrong() {
    for (arguments, said) in [
        (&["report"][..], "--trail"),
        (&["report", "--trail", ".", "--time-zone", "Mars/Olympus"], "Europe/Berlin"),
        (&["report", "--trail", ".", "--format", "pdf"], "pdf"),
    ] {
        let ran = run(exposure().args(arguments));
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(said) && ran.out.is_empty(), "{arguments:?}: {}", ran.err);
    }
    assert_eq!(report(&sample(), &["--fail-on", "exposed"]).code, Some(3));
    let nowhere = report(&sample(), &["--from", "2031-01-01"]);
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.err.contains("--from"), "{}", nowhere.err);
}

#[test]
fn a_page_that_cannot_be_written_is_known_before_the_work_and_spoils_nothing() {
    let folder = tempdir().expect("a folder");
    let at = |path: &Path| report(&sample(), &["--out", path.to_str().expect("UTF-8")]);
    for (path, said) in
        [(Path::new("/proc/no/such/page.html"), "cannot write to the folder"), (folder.path(), "no file")]
    {
        let ran = at(path);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(ran.err.contains(said) && ran.err.contains("--out") && ran.out.is_empty(), "{}", ran.err);
    }
    let out = folder.path().join("page.html");
    let ran = at(&out);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.is_empty() && fs::read_to_string(&out).is_ok_and(|page| page.ends_with("</html>")));
    assert_eq!(files(folder.path()), [out], "nothing else is left");
}

#[test]
#[cfg(unix)]
fn a_full_disk_leaves_the_page_as_it_was() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("page.html");
    fs::write(&out, "the old page").expect("written");
    let binary = exposure().get_program().to_owned();
    // No file may grow beyond eight blocks: what a full disk does, without filling one.
    let ran = run(Command::new("sh")
        .args(["-c", "ulimit -f 8; trap '' XFSZ; exec \"$0\" report --trail \"$1\" --stack-rule .=All --out \"$2\""])
        .arg(binary)
        .arg(sample().join("AWSLogs"))
        .arg(&out));
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("cannot be written, and is as it was"), "{}", ran.err);
    assert_eq!(fs::read_to_string(&out).expect("there"), "the old page");
    assert_eq!(files(folder.path()), [out], "nothing half-written is left");
}

#[test]
fn observations_answer_whether_a_decrypt_means_a_404() {
    let whole = json(&sample(), &[]);
    assert!(whole["verification"].is_null());
    assert!(page(&sample(), &[]).contains("Not looked at: no observations"));
    let told = sample().join("observations.jsonl");
    let more = ["--observations", told.to_str().expect("UTF-8")];
    let found = &json(&sample(), &more)["verification"];
    let followed = &found["migrations"]["followed"];
    assert!(followed["part"].as_u64() > Some(0), "{found}");
    let page = page(&sample(), &more);
    let rows = values(table(&page, "Shares"));
    let mut expected = BTreeSet::new();
    numbers(followed, &mut expected);
    assert!(expected.is_subset(&rows), "{expected:?} {rows:?}");
    assert!(page.contains(&escaped(found["sentences"]["verdict"].as_str().expect("a sentence"))));
    let none = report(&sample(), &["--observations", sample().join("fleet.json").to_str().expect("UTF-8")]);
    assert_eq!(none.code, Some(1));
    assert!(none.err.contains("no line of lifecycle-check"), "{}", none.err);
}
