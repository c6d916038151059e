//! What became of each record, and the command that made the page.

use exposure_core::analysis::{Accounting, StackRow};
use maud::{Markup, html};

use super::super::document::Document;
use super::super::number::count;
use super::super::page::{Section, scrolled};

pub(crate) fn section(document: &Document) -> Section {
    let body = html! {
        @match &document.accounting {
            Some(accounting) => { (scrolled("Accounting", &records(accounting))) },
            None => p { "Made from a state, without reading records." },
        }
        @if document.fleet_known { p { (members(&StackRow::sum("all", &document.stacks))) } }
        h3 { "The command" }
        pre tabindex="0" aria-label="The command that made this page" { code { (document.made_by.command) } }
        p { "exposure " (document.made_by.version) ", schema " code { (document.schema()) }
            ". The same command with " code { "--format json" } " prints every number of this page." }
    };
    Section { id: "made", heading: "The accounting, and how this page was made", link: "Accounting", body }
}

fn records(accounting: &Accounting) -> Markup {
    let Accounting {
        files,
        unreadable_files,
        records,
        sightings,
        causes,
        irrelevant,
        duplicates,
        malformed,
        failed_decrypts,
    } = *accounting;
    let rows = [
        ("Files read", files),
        ("Files that could not be read", unreadable_files),
        ("Records", records),
        ("= sightings: Decrypts of instances' volumes", sightings),
        ("+ causes: what explains one", causes),
        ("+ irrelevant", irrelevant),
        ("+ duplicates", duplicates),
        ("+ malformed", malformed),
        ("Of the irrelevant: Decrypts that failed", failed_decrypts),
    ];
    html! {
        table.short {
            caption { "What became of each file and record" @if !accounting.balances() { " (this does not add up)" } }
            thead { tr { th scope="col" { "Kind" } th.n scope="col" { "Number" } } }
            tbody { @for (name, number) in rows { tr { th scope="row" { (name) } td.n { (count(number)) } } } }
        }
    }
}

fn members(all: &StackRow) -> Markup {
    html! {
        (count(all.members)) " members = " (count(all.exposed)) " exposed + " (count(all.recovered)) " recovered + "
        (count(all.clean)) " clean + " (count(all.unseen)) " unseen + " (count(all.undetermined)) " undetermined."
    }
}
