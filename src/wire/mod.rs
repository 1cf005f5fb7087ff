//! Transports that sources and targets share. Pace, retry, breaker and trace act here, once per request, so that no target
//! has to remember them.
//!
//! What an answer means is not known here: a target hands over a judge that turns a [`Reply`] into its
//! own value or a [`TargetError`](crate::model::TargetError). What is known here is whether a failed
//! request can have had an effect, and only a request that certainly had none is sent again.

pub mod body;
pub mod breaker;
pub mod http;
pub mod ldap;
pub mod pace;
pub mod retry;
pub mod setting;
pub mod tls;

pub use body::Body;
pub use breaker::Breaker;
pub use http::{HttpClient, HttpSettings, Purpose, Reply, Request, judge_status};
pub use pace::{Pace, PaceConfig, Permit};
pub use retry::RetryConfig;
pub use setting::SettingError;
