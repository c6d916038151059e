//! What the function remembers, read as any JSON would be.

use serde_json::Value;

use crate::account::Stage;

/// The variables of a function that keeps its state in S3.
pub(crate) fn variables(stage: &Stage, source: &str) -> Vec<(&'static str, String)> {
    let mut variables = stage.variables(source);
    variables.retain(|(name, _)| *name != "STATE_URL");
    variables.push(("STATE_URL", "s3://state/state.json.gz".to_owned()));
    variables
}

/// The state in S3.
pub(crate) fn remembered(stage: &Stage) -> Value {
    let packed = stage.stand_in.object("state", "state.json.gz").expect("a state");
    let size = packed.last_chunk::<4>().map(|size| u32::from_le_bytes(*size)).expect("a size");
    let mut text = vec![0; usize::try_from(size).expect("a size")];
    libdeflater::Decompressor::new().gzip_decompress(&packed, &mut text).expect("gzip");
    serde_json::from_slice(&text).expect("JSON")
}
