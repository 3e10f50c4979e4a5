use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000 + ms)
}

fn kept(memory: &Memory, id: TokenId, expires: Option<Timestamp>) {
    memory.keep("hash".to_owned(), id, Actor::system("x"), at(0), expires);
}

#[test]
fn it_holds_for_a_moment_and_never_beyond_the_token_s_end() {
    let memory = Memory::default();
    kept(&memory, TokenId::new(), None);
    assert_eq!(memory.get("another", at(0)), None);
    assert!(memory.get("hash", at(0)).is_some() && memory.get("hash", at(999)).is_some());
    assert_eq!(memory.get("hash", at(1000)), None);
    assert_eq!(memory.get("hash", at(-1)), None, "a clock that was set back");
    kept(&memory, TokenId::new(), Some(at(10)));
    assert!(memory.get("hash", at(9)).is_some());
    assert_eq!(memory.get("hash", at(10)), None);
}

#[test]
fn what_was_revoked_is_not_kept_by_a_look_up_that_read_it_before() {
    let (memory, id) = (Memory::default(), TokenId::new());
    kept(&memory, id, None);
    memory.forget(id);
    assert_eq!(memory.get("hash", at(0)), None);
    kept(&memory, id, None);
    assert_eq!(memory.get("hash", at(0)), None);
}

#[test]
fn it_stays_bounded() {
    let memory = Memory::default();
    for n in 0..2 * TOKENS_MAX {
        memory.keep(n.to_string(), TokenId::new(), Actor::system("x"), at(0), None);
        memory.forget(TokenId::new());
    }
    let known = memory.lock();
    assert!(known.tokens.len() <= TOKENS_MAX && known.revoked.len() <= REVOKED_MAX);
}
