//! The command that made a report, as it can be given to a shell again.

use std::fmt::Write;

use crate::text::is_unprintable;

/// The command of this process, each argument quoted where a shell asks for it.
pub(crate) fn line() -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| quoted(&argument.to_string_lossy()));
    std::iter::once("exposure".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// An argument as a shell reads it back. What cannot be shown is written as an escape, in the quotes of bash and zsh
/// that know them.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if argument.chars().any(is_unprintable) {
        let mut text = String::from("$'");
        for character in argument.chars() {
            match character {
                '\'' | '\\' => text.extend(['\\', character]),
                // Writing to a string does not fail.
                _ if is_unprintable(character) => drop(write!(text, "\\U{:08x}", u32::from(character))),
                _ => text.push(character),
            }
        }
        text + "'"
    } else if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_shell_reads_back_what_was_quoted() {
        let table = [
            "--trail",
            "",
            "two words",
            "it's",
            "^night-=Nighttime",
            "$(reboot) `reboot` \"x\" !! \\",
            "line\nfeed\ttab\u{1b}[2J",
            "夜\u{202e}gnp.exe ' \\",
            "</script><img src=x>",
            "~",
            "*?[a]{b,c}#;&|<>",
        ];
        for argument in table {
            let quoted = quoted(argument);
            assert!(!quoted.contains(['\n', '\u{1b}', '\u{202e}']), "{quoted}");
            let mut shell = std::process::Command::new("bash");
            shell.env("LC_ALL", "C.UTF-8").args(["-c", &format!("printf %s {quoted}")]);
            let said = shell.output().expect("bash runs").stdout;
            assert_eq!(String::from_utf8(said).expect("UTF-8"), argument, "{quoted}");
        }
    }
}
