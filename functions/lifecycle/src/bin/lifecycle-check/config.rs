//! The configuration file: the flags of `watch` and `serve` as a JSON object. It is read into the very flags, so that both
//! have one meaning and one check.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use exposure_lifecycle::platform;
use serde_json::{Map, Value};

/// The arguments of this process, those of its configuration file put before those given by hand, which replace them.
pub(crate) fn arguments(given: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>> {
    let given: Vec<OsString> = given.into_iter().collect();
    let Some(path) = named(&given) else { return Ok(given) };
    let mut all: Vec<OsString> = given.iter().take(2).cloned().collect();
    all.extend(read(Path::new(&path))?);
    all.extend(given.into_iter().skip(2));
    Ok(all)
}

/// The last `--config` after the name of the command.
fn named(given: &[OsString]) -> Option<OsString> {
    let mut found = None;
    let mut rest = given.iter().skip(2);
    while let Some(argument) = rest.next() {
        let Some(text) = argument.to_str() else { continue };
        if text == "--config" {
            found = rest.next().cloned();
        } else if let Some(path) = text.strip_prefix("--config=") {
            found = Some(path.into());
        }
    }
    found
}

fn read(path: &Path) -> Result<Vec<OsString>> {
    let real = platform::trusted(path).map_err(anyhow::Error::msg).context("the configuration is refused")?;
    let text = std::fs::read_to_string(&real).with_context(|| format!("{}", path.display()))?;
    let flags: Map<String, Value> =
        serde_json::from_str(&text).with_context(|| format!("{}: not a JSON object", path.display()))?;
    let mut arguments = Vec::new();
    for (name, value) in flags {
        if name == "config" || name.starts_with('-') {
            bail!("{}: {name:?} is not a setting; write flags without their dashes", path.display());
        }
        match value {
            Value::Bool(true) => arguments.push(format!("--{name}").into()),
            Value::Bool(false) | Value::Null => {}
            Value::String(text) => arguments.push(format!("--{name}={text}").into()),
            Value::Number(number) => arguments.push(format!("--{name}={number}").into()),
            // A command.
            Value::Array(_) => arguments.push(format!("--{name}={value}").into()),
            Value::Object(_) => bail!("{}: {name} is an object", path.display()),
        }
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, more: &[&str]) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        std::fs::write(&path, text).expect("a file");
        let path = path.to_str().expect("UTF-8");
        let given =
            ["lifecycle-check", "watch", "--config", path].into_iter().chain(more.iter().copied()).map(OsString::from);
        let arguments = arguments(given)?;
        Ok(arguments.into_iter().map(|a| a.into_string().expect("UTF-8")).filter(|a| a != path).collect())
    }

    #[test]
    fn settings_are_flags_and_flags_given_by_hand_come_later() {
        let text = r#"{"interval": "5s", "on-terminating": ["/opt/drain", "-x"], "put-metric-data": true, "imds-ipv6": false}"#;
        let expected = [
            "lifecycle-check",
            "watch",
            "--imds-ipv6",
            "--interval=5s",
            "--on-terminating=[\"/opt/drain\",\"-x\"]",
            "--put-metric-data",
            "--config",
            "--interval=1s",
        ];
        let mut found = with(text, &["--interval=1s"]).expect("sound");
        found.sort();
        let mut expected: Vec<&str> = expected.into_iter().filter(|flag| *flag != "--imds-ipv6").collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
        for bad in ["[]", "{", r#"{"--interval": "5s"}"#, r#"{"config": "x"}"#, r#"{"interval": {}}"#] {
            assert!(with(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_configuration_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        std::fs::write(&path, "{}").expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("ours");
        let given = ["lifecycle-check", "watch", &format!("--config={}", path.display())].map(OsString::from);
        let error = arguments(given).expect_err("others can write it");
        assert!(format!("{error:#}").contains("everybody can write it"), "{error:#}");
    }
}
