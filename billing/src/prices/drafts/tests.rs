use base::ErrorKind;

use super::*;
use crate::{
    prices::check::Severity,
    testing::{World, at},
};

fn document(w: &World, price: &str) -> Document {
    let text = format!(
        r#"{{"rates":[{{"id":"small","component":"instance.compute",
            "where":{{"flavor":"{}"}},"price":"{price}"}}]}}"#,
        w.small
    );
    serde_json::from_str(&text).unwrap()
}

async fn made(w: &World, document: Option<Document>) -> PriceDraft {
    w.write(async |tx| create(tx, at("00:00"), "ann", w.book, document).await).await.unwrap()
}

#[tokio::test]
async fn a_draft_is_edited_checked_and_published() {
    for w in World::each().await {
        let draft = made(&w, None).await;
        assert_eq!((draft.revision, draft.is_checked), (1, false));
        assert!(draft.document.rates.is_empty(), "the book had no version");

        let edited = w
            .write(async |tx| {
                edit(tx, at("00:01"), "bob", draft.id, 1, &document(&w, "0.36")).await
            })
            .await
            .unwrap();
        assert_eq!((edited.revision, edited.actor.as_str()), (2, "bob"));
        let unchecked = async || {
            w.write(async |tx| publish(tx, at("00:02"), draft.id, Terms::default()).await).await
        };
        let error = unchecked().await.unwrap_err();
        assert!(error.message.contains("was not checked since its last change"), "{error}");

        let checked = w.write(async |tx| check(tx, at("00:02"), draft.id).await).await.unwrap();
        assert!(checked.is_checked && checked.revision == 2);
        let found: Vec<_> = checked.checks.iter().map(|c| (c.severity, c.code.as_str())).collect();
        assert_eq!(found, [(Severity::Warning, "no_price")], "the large flavor");

        let version = unchecked().await.unwrap();
        assert_eq!((version.number, version.document()), (1, document(&w, "0.36")));
        let gone = w.write(async |tx| get(tx, draft.id).await).await.unwrap_err();
        assert_eq!(gone.kind, ErrorKind::NotFound);
        let copy =
            w.write(async |tx| create(tx, at("00:03"), "ann", w.book, None).await).await.unwrap();
        assert_eq!(copy.document, version.document(), "of what is in force");
    }
}

#[tokio::test]
async fn a_change_on_an_older_revision_is_refused() {
    for w in World::each().await {
        let draft = made(&w, Some(document(&w, "0.36"))).await;
        let change = async |price: &str| {
            let document = document(&w, price);
            w.write(async |tx| edit(tx, at("00:01"), "ann", draft.id, 1, &document).await).await
        };
        change("0.4").await.unwrap();
        let error = change("0.5").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.remedy.unwrap().contains("revision 2"));
        let now = w.read(async |conn| get(conn, draft.id).await).await;
        assert_eq!(now.document, document(&w, "0.4"));
    }
}

#[tokio::test]
async fn errors_and_edits_keep_a_draft_from_being_published() {
    for w in World::each().await {
        let wrong = document(&w, "-1");
        let draft = made(&w, Some(wrong)).await;
        let check_it = async || w.write(async |tx| check(tx, at("00:01"), draft.id).await).await;
        let publish_it = async || {
            w.write(async |tx| publish(tx, at("00:02"), draft.id, Terms::default()).await).await
        };
        assert_eq!(check_it().await.unwrap().checks[0].code, "negative");
        let error = publish_it().await.unwrap_err();
        assert_eq!(error.message, "the price of small is negative");
        w.read(async |conn| get(conn, draft.id).await).await;

        w.write(async |tx| edit(tx, at("00:01"), "a", draft.id, 1, &document(&w, "1")).await)
            .await
            .unwrap();
        assert_eq!(publish_it().await.unwrap_err().kind, ErrorKind::Conflict, "not checked again");
        check_it().await.unwrap();
        publish_it().await.unwrap();
        assert_eq!(publish_it().await.unwrap_err().kind, ErrorKind::NotFound, "once");
    }
}

#[tokio::test]
async fn drafts_are_listed_bounded_and_discarded() {
    for w in World::each().await {
        let first = made(&w, None).await;
        for _ in 1..DRAFTS_MAX {
            made(&w, None).await;
        }
        let one_more = w.write(async |tx| create(tx, at("00:00"), "a", w.book, None).await).await;
        assert_eq!(one_more.unwrap_err().kind, ErrorKind::Conflict);
        w.write(async |tx| discard(tx, first.id).await).await.unwrap();
        let rest = w.read(async |conn| list(conn, w.book).await).await;
        assert_eq!(rest.len(), usize::try_from(DRAFTS_MAX).unwrap() - 1);
        assert!(rest.iter().all(|draft| draft.id != first.id));
    }
}
