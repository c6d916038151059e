//! Names of log files. AWS CloudTrail User Guide, "CloudTrail log file name format".

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::account::Place;
use crate::dice::Dice;

/// What CloudTrail writes side by side.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tree {
    Log,
    Insight,
    Digest,
}

/// The path of a log file that is delivered at this time. The day folders are those of the delivery.
pub(super) fn log_file(out: &Path, place: &Place, delivered: i64, dice: &mut Dice) -> PathBuf {
    path(out, place, delivered, Tree::Log, dice)
}

/// The path of a file of any tree.
pub(super) fn path(out: &Path, place: &Place, delivered: i64, tree: Tree, dice: &mut Dice) -> PathBuf {
    let Place { account, region } = place;
    let at = utc(delivered);
    let folder = match tree {
        Tree::Log => "CloudTrail",
        Tree::Insight => "CloudTrail-Insight",
        Tree::Digest => "CloudTrail-Digest",
    };
    let day = format!("{:04}/{:02}/{:02}", at.year(), at.month(), at.day());
    let date = format!("{:04}{:02}{:02}", at.year(), at.month(), at.day());
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    let name = match tree {
        Tree::Log | Tree::Insight => {
            format!("{account}_{folder}_{region}_{date}T{hour:02}{minute:02}Z_{}.json.gz", unique(dice))
        }
        Tree::Digest => {
            format!("{account}_{folder}_{region}_main_{region}_{date}T{hour:02}{minute:02}{second:02}Z.json.gz")
        }
    };
    out.join("AWSLogs").join(account).join(folder).join(region).join(day).join(name)
}

fn utc(second: i64) -> DateTime {
    TimeZone::UTC.to_datetime(Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Sixteen letters and digits, which keep files of one minute apart.
fn unique(dice: &mut Dice) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..16).filter_map(|_| dice.pick(LETTERS).copied().map(char::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_cloudtrail() {
        let place = Place { account: "111122223333".into(), region: "eu-central-1".into() };
        let path = log_file(Path::new("out"), &place, 1_778_493_600, &mut Dice::new(1, 1));
        let text = path.to_string_lossy().replace('\\', "/");
        let (front, rest) = text.split_at(text.len() - 24);
        assert_eq!(
            front,
            "out/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/05/11/111122223333_CloudTrail_eu-central-1_20260511T1000Z_"
        );
        assert!(rest.ends_with(".json.gz") && rest.chars().take(16).all(|c| c.is_ascii_alphanumeric()), "{rest}");
    }
}
