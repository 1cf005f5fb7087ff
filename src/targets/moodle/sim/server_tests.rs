//! The site as a plain HTTP client meets it.

use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::Value;

use super::*;

fn client() -> Client {
    // Another test may have been first; either way a provider is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

async fn post(sim: &MoodleSim, fields: &[(&str, &str)]) -> reqwest::Result<Response> {
    let mut all = vec![("wstoken", sim.token()), ("moodlewsrestformat", "json")];
    all.extend(fields);
    client().post(format!("{}{SERVICE}", sim.base_url())).form(&all).send().await
}

const INFO: [(&str, &str); 1] = [("wsfunction", "core_webservice_get_site_info")];

async fn json(response: Response) -> Value {
    response.json().await.unwrap()
}

#[tokio::test]
async fn a_form_is_answered_with_json_and_the_site_s_own_address() {
    let sim = MoodleSim::start(SitePlan::default()).await.unwrap();
    let response = post(&sim, &INFO).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
        (200, "application/json")
    );
    assert_eq!(json(response).await["siteurl"], sim.base_url());
    let other =
        MoodleSim::start(SitePlan { site_url: Some("https://other.example".into()), ..SitePlan::default() }).await;
    assert_eq!(json(post(&other.unwrap(), &INFO).await.unwrap()).await["siteurl"], "https://other.example");
}

#[tokio::test]
async fn a_token_in_a_header_and_a_json_body_are_not_read() {
    let sim = MoodleSim::start(SitePlan::default()).await.unwrap();
    let url = format!("{}{SERVICE}", sim.base_url());
    let form = [("wsfunction", "core_webservice_get_site_info"), ("moodlewsrestformat", "json")];
    let bearer = client().post(&url).bearer_auth(sim.token()).form(&form).send().await.unwrap();
    assert_eq!(json(bearer).await["errorcode"], "invalidtoken");
    let body = serde_json::json!({"wstoken": sim.token(), "wsfunction": form[0].1, "moodlewsrestformat": "json"});
    let text = client().post(&url).json(&body).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("<ERRORCODE>invalidtoken</ERRORCODE>"), "{text}");
    let query = format!("{url}?wstoken={}&wsfunction={}&moodlewsrestformat=json", sim.token(), form[0].1);
    assert_eq!(json(client().get(query).send().await.unwrap()).await["userid"], 3);
}

#[tokio::test]
async fn a_cut_connection_tells_nothing_of_what_was_done() {
    let sim = MoodleSim::start(SitePlan::default()).await.unwrap();
    let create = [
        ("wsfunction", "core_user_create_users"),
        ("users[0][username]", "kari"),
        ("users[0][firstname]", "Kari"),
        ("users[0][lastname]", "Nordmann"),
        ("users[0][email]", "kari@example.invalid"),
        ("users[0][auth]", "oidc"),
    ];
    sim.faults().next(1, None, Fault::Refuse);
    assert!(post(&sim, &create).await.is_err());
    assert!(sim.world().user("kari").is_none());
    sim.faults().next(1, None, Fault::CutAfter);
    assert!(post(&sim, &create).await.is_err());
    assert!(sim.world().user("kari").is_some());
    assert_eq!(json(post(&sim, &INFO).await.unwrap()).await["userid"], 3, "and it goes on");
}

#[tokio::test]
async fn pages_from_in_front_of_moodle_have_their_status_and_headers() {
    let sim = MoodleSim::start(SitePlan::default()).await.unwrap();
    for (fault, status, retry) in [
        (Fault::TooManyRequests(RetryAfter::Seconds(3)), 429, Some("3")),
        (Fault::Maintenance(502), 502, Some("300")),
        (Fault::Html(500), 500, None),
        (Fault::Empty500, 500, None),
        (Fault::GatewayTimeout(Duration::ZERO), 504, None),
        (Fault::HtmlOk, 200, None),
    ] {
        sim.faults().next(1, None, fault);
        let response = post(&sim, &INFO).await.unwrap();
        let sent = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((response.status().as_u16(), sent.as_deref()), (status, retry));
        assert_eq!(response.headers()["content-type"], "text/html");
    }
    sim.faults().next(1, None, Fault::TruncatedBody);
    let text = post(&sim, &INFO).await.unwrap().text().await.unwrap();
    assert!(text.starts_with('{') && serde_json::from_str::<Value>(&text).is_err());
    let large = "x".repeat(1 << 20);
    assert_eq!(post(&sim, &[("wsfunction", &large)]).await.unwrap().status().as_u16(), 413);
    let lost = client().post(format!("{}/nowhere", sim.base_url())).form(&INFO).send().await.unwrap();
    assert_eq!(lost.status().as_u16(), 404);
}

#[tokio::test]
async fn the_log_in_is_served_and_a_stopped_site_refuses() {
    let sim = MoodleSim::start(SitePlan::default()).await.unwrap();
    let form = [("username", "svc-reconcile"), ("password", "Simulated-1"), ("service", "reconcile")];
    let url = format!("{}{LOG_IN}", sim.base_url());
    let token = json(client().post(&url).form(&form).send().await.unwrap()).await;
    assert_eq!(token["token"], sim.token());
    sim.shutdown().await;
    assert!(client().post(&url).form(&form).send().await.unwrap_err().is_connect());
}
