use super::*;

const NOW: Timestamp = Timestamp::from_ms(0);

fn key(n: usize) -> Vec<u8> {
    format!("series {n}").into_bytes()
}

fn place(n: usize) -> Option<Place> {
    Some(Place { at: n.try_into().unwrap(), epoch: 0 })
}

fn route(series: impl IntoIterator<Item = usize>) -> Route {
    let (mut keys, mut stops) = (Vec::new(), Vec::new());
    for n in series {
        keys.extend(key(n));
        stops.push(Stop { hash: n as u64, place: place(n), key_end: keys.len() as u32 });
    }
    Route::new(keys, stops)
}

/// Which of these are found on the way, each where it stands, and whether it had better be another.
fn go(mut walk: Walk, series: &[usize]) -> (Vec<usize>, bool) {
    let mut found = Vec::new();
    for n in series {
        if let Some(stop) = walk.find(&key(*n)) {
            assert_eq!((stop.hash, stop.place), (*n as u64, place(*n)));
            found.push(*n);
        }
    }
    (found, walk.is_outdated(series.len()))
}

#[test]
fn series_are_found_where_they_were_the_last_time() {
    let routes = Routes::default();
    let sent: Vec<usize> = (0..100).collect();
    assert_eq!(go(routes.walk(0, NOW), &sent), (vec![], true), "the first of them");
    routes.keep(0, route(0..100), NOW);
    assert_eq!(go(routes.walk(0, NOW), &sent), (sent.clone(), false));
    assert_eq!(go(routes.walk(1, NOW), &sent), (vec![], true), "another sender");
    // Some ended, one began.
    let changed = [&sent[..10], &[1000], &sent[10..50], &sent[53..]].concat();
    let known: Vec<usize> = changed.iter().copied().filter(|n| *n != 1000).collect();
    assert_eq!(go(routes.walk(0, NOW), &changed), (known, false));
    // Too many ended at once: the others aren't sought, and the way is made anew.
    let halved = [&sent[..10], &sent[50..]].concat();
    assert_eq!(go(routes.walk(0, NOW), &halved), (sent[..10].to_vec(), true));
    assert!(!go(routes.walk(1, NOW), &sent[..SERIES_MIN - 1]).1, "too few to be worth it");
}

#[test]
fn only_what_lies_idle_gives_way() {
    let routes = Routes::default();
    let at = |ms| Timestamp::from_ms(ms);
    let kept = |first| routes.walk(first, at(ROUTE_IDLE_MS)).route.is_some();
    let long = || route(0..ROUTES_MAX_BYTES / 100);
    let mut first = 0;
    loop {
        routes.keep(first, long(), NOW);
        if !kept(first) {
            break;
        }
        first += 1;
    }
    assert!(first > 1, "at least two fit");
    // All were asked for just now.
    routes.keep(100, long(), at(ROUTE_IDLE_MS));
    assert!(!kept(100));
    assert!((1..first).all(|n| kept(n)));
    routes.walk(1, at(ROUTE_IDLE_MS + 1));
    routes.keep(100, long(), at(2 * ROUTE_IDLE_MS));
    assert!(kept(100) && kept(1) && (2..first).all(|n| !kept(n)));
}
