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

/// Which of these are found on the way, each where it stands.
fn go(mut walk: Walk, series: &[usize]) -> Vec<usize> {
    let mut found = Vec::new();
    for n in series {
        if let Some(stop) = walk.find(&key(*n)) {
            assert_eq!((stop.hash, stop.place), (*n as u64, place(*n)));
            found.push(*n);
        }
    }
    found
}

#[test]
fn series_are_found_where_they_were_the_last_time() {
    let routes = Routes::default();
    let sent: Vec<usize> = (0..100).collect();
    assert_eq!(go(routes.walk(0, NOW), &sent), [0; 0], "the first of them");
    routes.keep(0, route(0..100), NOW);
    assert_eq!(go(routes.walk(0, NOW), &sent), sent);
    assert_eq!(go(routes.walk(1, NOW), &sent), [0; 0], "another sender");
    // Some ended, one began.
    let changed = [&sent[..10], &[1000], &sent[10..50], &sent[53..]].concat();
    let known: Vec<usize> = changed.iter().copied().filter(|n| *n != 1000).collect();
    assert_eq!(go(routes.walk(0, NOW), &changed), known);
    // Many ended at once: the others aren't sought.
    let halved = [&sent[..10], &sent[50..]].concat();
    assert_eq!(go(routes.walk(0, NOW), &halved), sent[..10]);
}

#[test]
fn a_way_is_made_anew_where_it_is_worth_it() {
    assert!(is_outdated(100, 7) && is_outdated(SERIES_MIN, 2));
    assert!(!is_outdated(100, 6) && !is_outdated(SERIES_MIN - 1, SERIES_MIN - 1));
}

#[test]
fn only_what_lies_idle_gives_way() {
    let routes = Routes::default();
    let at = |ms| Timestamp::from_ms(ms);
    let kept = |first| routes.all.lock().unwrap().contains_key(&first);
    // A key and its stop are between 31 and 36 bytes.
    let long = |part| route(0..ROUTES_MAX_BYTES / 36 / part);
    for first in 0..4 {
        routes.keep(first, long(4), NOW);
    }
    assert!((0..4).all(kept));
    routes.keep(4, long(4), at(ROUTE_IDLE_MS - 1));
    assert!(!kept(4), "the others are used");
    routes.keep(0, long(2), at(ROUTE_IDLE_MS - 1));
    assert_eq!(routes.walk(0, NOW).route.unwrap().stops.len(), ROUTES_MAX_BYTES / 36 / 4);
    routes.keep(4, route(0..ROUTES_MAX_BYTES / 24), at(ROUTE_IDLE_MS));
    assert!((0..4).all(kept), "one that can never fit drives out nobody");
    routes.walk(1, at(ROUTE_IDLE_MS));
    routes.keep(4, long(4), at(ROUTE_IDLE_MS));
    assert_eq!((0..5).filter(|first| kept(*first)).collect::<Vec<_>>(), [1, 4]);
}
