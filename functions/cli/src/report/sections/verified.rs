//! Whether a second Decrypt really means a 404, held against what instances observed.

use maud::html;

use super::super::document::Document;
use super::super::page::Section;

pub(crate) fn section(document: &Document) -> Section {
    let body = match document.verification {
        None | Some(()) => html! {
            p { "Not looked at: no observations of the on-instance check were given. That a second Decrypt is the moment "
                "at which the 404 begins is what this page assumes, not what it shows." }
        },
    };
    Section { id: "verified", heading: "Does a second Decrypt mean a 404?", body }
}
