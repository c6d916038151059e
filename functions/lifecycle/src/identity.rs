//! Who this instance is: from IMDS, or as it is told.

use exposure_core::ids::{InstanceId, Region};

use crate::imds::ImdsClient;

/// What is given by whoever starts the check; IMDS is asked for the rest.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// The instance.
    pub instance: Option<InstanceId>,
    /// Its region.
    pub region: Option<Region>,
}

/// An instance and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The instance.
    pub instance: InstanceId,
    /// Its region.
    pub region: Region,
}

impl Given {
    /// The identity, which IMDS completes. Nothing, if it does not answer; it may later.
    pub async fn complete(&self, imds: &mut ImdsClient) -> Option<Identity> {
        let instance = match self.instance {
            Some(instance) => instance,
            None => InstanceId::new(imds.get("/latest/meta-data/instance-id").await.ok()?.trim_ascii()).ok()?,
        };
        let region = match &self.region {
            Some(region) => region.clone(),
            None => Region::new(imds.get("/latest/meta-data/placement/region").await.ok()?.trim_ascii()).ok()?,
        };
        Some(Identity { instance, region })
    }
}

/// The instance's own tag in IMDS (EC2 User Guide, "View tags for your EC2 instances using instance metadata"), which is
/// absent unless that access is switched on.
pub async fn tag(imds: &mut ImdsClient, key: &str) -> Option<String> {
    // A key that is no path segment cannot be had through IMDS at all: it allows only these characters.
    let is_plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-=.,_:@".contains(&b));
    if !is_plain || key == "." || key == ".." {
        return None;
    }
    let value = imds.get(&format!("/latest/meta-data/tags/instance/{key}")).await.ok()?;
    // A page or a text that goes on is no tag (at most 256 characters).
    let value = value.trim();
    let is_tag = !value.is_empty() && value.chars().count() <= 256 && !value.chars().any(char::is_control);
    is_tag.then(|| value.to_owned())
}
