use std::future::Future;

use super::*;

fn asked(host: HostId) -> Asked {
    Asked { host, tenant: TenantId::new(), instance: InstanceId::new(), kind: StreamKind::Serial }
}

/// Long enough for whatever comes.
const PATIENCE: Duration = Duration::from_secs(30);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it never came")
}

#[tokio::test]
async fn an_agent_hears_of_what_waits_and_brings_its_socket_once() {
    let broker = Broker::<&str>::default();
    let (host, other) = (HostId::new(), HostId::new());
    let what = asked(host);
    let mut place = broker.open(what).unwrap();
    let id = place.id();
    // Not before somebody waits.
    assert!(broker.wanted(host, Duration::ZERO).await.is_empty());
    assert!(broker.take(host, id).is_none());

    // An agent that asked before is woken.
    let asking = {
        let broker = broker.clone();
        tokio::spawn(async move { broker.wanted(host, PATIENCE).await })
    };
    let waiting = tokio::spawn(async move { place.agent().await });
    assert_eq!(soon(asking).await.unwrap(), [(id, what)]);
    assert!(broker.wanted(other, Duration::ZERO).await.is_empty(), "another host's");
    assert!(!broker.is_waiting(other, id) && broker.take(other, id).is_none());
    assert!(broker.is_waiting(host, id));
    broker.take(host, id).unwrap().send("a socket").unwrap();
    assert_eq!(soon(waiting).await.unwrap(), Some("a socket"));
    assert!(broker.take(host, id).is_none(), "once only");
    assert_eq!(broker.count(), 0, "its place went with it");
}

#[tokio::test]
async fn what_nobody_dialled_is_named_again() {
    let broker = Broker::<()>::default();
    let host = HostId::new();
    let mut place = broker.open(asked(host)).unwrap();
    let waiting = place.agent();
    tokio::pin!(waiting);
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    assert_eq!(broker.wanted(host, Duration::ZERO).await.len(), 1);
    assert!(broker.wanted(host, Duration::ZERO).await.is_empty(), "it was just named");
    let asked_at = Instant::now();
    assert_eq!(broker.wanted(host, PATIENCE).await.len(), 1);
    // Named less than that before this began.
    assert!(asked_at.elapsed() > NAME_AGAIN / 2, "{:?}", asked_at.elapsed());
}

#[test]
fn places_are_bounded_and_given_back() {
    let broker = Broker::<()>::default();
    let one = asked(HostId::new());
    let mut places: Vec<_> =
        (0..MAX_STREAMS_PER_INSTANCE).map(|_| broker.open(one).unwrap()).collect();
    let refused = broker.open(one).map(drop).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::QuotaExceeded);
    assert!(refused.message.contains("the instance has 8"), "{}", refused.message);
    places.pop();
    places.push(broker.open(one).unwrap());

    // Its tenant's other instances, on other hosts.
    let more = |n: usize, make: &dyn Fn() -> Asked| {
        (0..n).map(|_| broker.open(make())).collect::<Result<Vec<_>>>()
    };
    let same_tenant = || Asked { tenant: one.tenant, ..asked(HostId::new()) };
    places.extend(more(MAX_STREAMS_PER_TENANT - places.len(), &same_tenant).unwrap());
    assert!(more(1, &same_tenant).map(drop).unwrap_err().message.contains("the tenant has"));
    let host = HostId::new();
    places.extend(more(MAX_STREAMS_PER_HOST, &|| asked(host)).unwrap());
    assert!(more(1, &|| asked(host)).map(drop).unwrap_err().message.contains("the host has"));
    let anybody = || asked(HostId::new());
    places.extend(more(MAX_STREAMS - broker.count(), &anybody).unwrap());
    assert!(more(1, &anybody).map(drop).unwrap_err().message.contains("the server has"));
    drop(places);
    assert_eq!(broker.count(), 0);
}
