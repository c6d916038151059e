//! Who somebody is, and who they become.

use aws_sdk_sts::Client;
use exposure_stand_in::Switches;

use super::common::{code, config, config_for, stand_in};

#[tokio::test]
async fn an_assumed_role_acts_in_its_account() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let who = client.get_caller_identity().send().await.expect("answers");
    assert_eq!(who.account(), Some("111122223333"));
    let ask = || client.assume_role().role_arn("arn:aws:iam::444455556666:role/exposure").role_session_name("analyzer");
    let role = ask().send().await.expect("answers");
    let key = role.credentials().expect("has some").access_key_id();
    let other = Client::new(&config_for(&stand_in, key, "us-east-1"));
    assert_eq!(other.get_caller_identity().send().await.expect("answers").account(), Some("444455556666"));
    stand_in.switches(Switches { external_id: Some("secret".into()), ..Switches::default() });
    assert_eq!(code(ask().send().await), "AccessDenied");
    assert!(ask().external_id("secret").send().await.is_ok());
}
