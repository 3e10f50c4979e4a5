//! "This changed", as server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
};
use base::{
    bus::{Change, Topic},
    id::TenantId,
};
use futures::{Stream, StreamExt};
use serde::Serialize;
use serde_json::json;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};
use utoipa::ToSchema;

use super::{auth::Caller, state::App};

const HEARTBEAT: Duration = Duration::from_secs(15);
/// A stream ends then and the browser comes back, so that a session that has ended, or a token that
/// was revoked, hears no more.
const LIFETIME: Duration = Duration::from_secs(300);

/// The data of a `change` event: read the entity again.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeEvent {
    /// `tenant`, `instance`, `host`, `host_desired`, `server`, `operation`, `money`, `alert`,
    /// `notice`, `image` or `quota`.
    pub topic: String,
    pub id: String,
    pub tenant_id: Option<TenantId>,
}

/// What changes, as it changes (`event: change`). `event: lagged` says that some were lost: read
/// all again. A member hears of its own tenant only.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    responses((status = 200, body = ChangeEvent, content_type = "text/event-stream")))]
pub async fn stream_events(
    State(app): State<App>,
    caller: Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stopping = app.stopping.clone();
    let changes = BroadcastStream::new(app.bus.subscribe());
    let events = changes.filter_map(move |change| {
        let event = match change {
            Ok(change) => visible(&caller, &change).then(|| to_event(&change)),
            Err(BroadcastStreamRecvError::Lagged(_)) => {
                Some(Event::default().event("lagged").data("{}"))
            }
        };
        futures::future::ready(event.map(Ok))
    });
    let ended = async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = tokio::time::sleep(LIFETIME) => {}
        }
    };
    // The first event tells the browser that it listens now.
    let hello = futures::stream::once(async { Ok(Event::default().event("hello").data("{}")) });
    Sse::new(hello.chain(events).take_until(Box::pin(ended)))
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
}

/// A member hears of its own, and of what everybody may use.
fn visible(caller: &Caller, change: &Change) -> bool {
    match (caller.tenant(), change.tenant_id) {
        (None, _) => true,
        (Some(own), Some(owner)) => own == owner,
        (Some(_), None) => change.topic == Topic::Image,
    }
}

fn to_event(change: &Change) -> Event {
    Event::default().event("change").data(json!(change).to_string())
}

#[cfg(test)]
mod tests {
    use identity::{Access, Actor};

    use super::*;

    #[test]
    fn a_member_hears_of_its_own_only() {
        let own = TenantId::new();
        let member = Caller(Actor { access: Access::Member(own), ..Actor::system("x") });
        let operator = Caller(Actor::system("x"));
        let change = |topic, tenant_id| Change { topic, id: "1".to_owned(), tenant_id };
        for (topic, tenant, member_hears) in [
            (Topic::Instance, Some(own), true),
            (Topic::Instance, Some(TenantId::new()), false),
            (Topic::Host, None, false),
            (Topic::Image, None, true),
        ] {
            let change = change(topic, tenant);
            assert_eq!(visible(&member, &change), member_hears, "{change:?}");
            assert!(visible(&operator, &change));
        }
    }
}
