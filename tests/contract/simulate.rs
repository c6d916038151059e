//! `exposure simulate`.

use std::fs;

use exposure_tests::{account, exposure, files, run, sample};

#[test]
fn the_sample_is_what_simulate_makes() {
    let again = account(&["--days", "1"]);
    let names = |folder: &std::path::Path| -> Vec<_> {
        files(folder).iter().map(|file| file.strip_prefix(folder).expect("below").to_path_buf()).collect()
    };
    assert_eq!(names(again.path()), names(&sample()));
    for name in names(&sample()) {
        let (made, shipped) = (fs::read(again.path().join(&name)), fs::read(sample().join(&name)));
        assert!(made.expect("made") == shipped.expect("shipped"), "{} differs", name.display());
    }
}

#[test]
fn a_folder_with_something_in_it_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("precious"), "data").expect("written");
    let ran = run(exposure().arg("simulate").arg(folder.path()));
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains(&*folder.path().to_string_lossy()), "{}", ran.err);
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn nonsense_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, said) in [
        (["--time-zone", "Mars/Olympus"], "Mars/Olympus"),
        (["--instances", "0"], "1 instance"),
        (["--days", "0"], "days"),
        (["--gzip-level", "99"], "99"),
    ] {
        let ran = run(exposure().arg("simulate").arg(folder.path().join("out")).args(arguments));
        assert_eq!(ran.code, Some(1), "{arguments:?}");
        assert!(ran.err.contains(said), "{arguments:?}: {}", ran.err);
    }
}
