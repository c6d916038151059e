//! One run in one account and region: causes first, then sightings by the cheapest plan, then with what is spared late
//! events and the past.

use super::super::{Batch, PlaceMemory, intake};
use super::client::LookupClient;
use super::planner::Plan;
use super::reader::Stop;
use super::stream::Attribute;
use super::visit::Visit;
use super::{present, spare};
use crate::failure::{Class, Failure};

/// Reads what is new, and of the rest what the budget allows.
pub(super) async fn run<C: LookupClient>(mut visit: Visit<'_, C>) -> Result<Batch, Failure> {
    visit.reader.limit = visit.budget;
    present::read_calls(&mut visit).await;
    let population = visit.population();
    visit.reader.memory.prune(&population, visit.ask.now);
    let plan = present::choose(&mut visit, &population).await;
    present::read_sightings(&mut visit, &plan, &population).await;
    spare::spend(&mut visit, &plan.streams(), &population).await;
    finish(visit, &plan)
}

fn finish<C: LookupClient>(mut visit: Visit<'_, C>, plan: &Plan) -> Result<Batch, Failure> {
    let blind = blind(&visit, plan);
    let batch = &mut visit.reader.batch;
    for kind in &blind {
        let text = format!("grants are seen without their Decrypts: {} shows no sightings", kind.as_str());
        intake::problem(batch, text);
    }
    match visit.stop.take() {
        Some(Stop::Place(failure)) => {
            let fatal = matches!(failure.class, Class::Denied | Class::Disabled);
            let idle = batch.work.done == 0 && batch.accounting.records == 0;
            if fatal || idle || batch.requests.made == batch.requests.throttled {
                return Err(failure);
            }
            intake::problem(batch, failure.to_string());
        }
        Some(Stop::Deadline) => {
            intake::problem(batch, "lookups: the time ran out; the next run goes on".to_owned());
        }
        _ => {}
    }
    let (done, planned, budget) = (batch.work.done, batch.work.planned, visit.budget);
    if done < planned && batch.requests.made >= budget {
        let text = format!(
            "lookups: the budget of {budget} requests ran out with {} of {planned} planned requests not made; the next \
             run goes on with the oldest, or choose SOURCE=queue or SOURCE=logs",
            planned - done
        );
        intake::problem(batch, text);
    }
    let causes = visit.causes_through();
    let sightings = visit.reader.memory.sightings_through.filter(|_| plan.complete && blind.is_empty());
    let before = visit.ask.memory;
    let mut batch = visit.reader.batch;
    batch.complete_through = causes.zip(sightings).map(|(causes, sightings)| causes.min(sightings));
    let (objects, files) = (before.objects.clone(), before.files.clone());
    batch.memory = PlaceMemory { lookup: visit.reader.memory, objects, files };
    Ok(batch)
}

/// The kinds of streams that a plan relies on and that do not show what they should.
fn blind<C: LookupClient>(visit: &Visit<'_, C>, plan: &Plan) -> Vec<Attribute> {
    let relied = [
        (Attribute::EventName, plan.decrypts),
        (Attribute::ResourceName, !plan.keys.is_empty()),
        (Attribute::Username, !plan.instances.is_empty()),
    ];
    let kinds = relied.into_iter().filter(|(_, relied)| *relied).map(|(kind, _)| kind);
    kinds.filter(|kind| visit.reader.memory.is_blind(*kind)).collect()
}
