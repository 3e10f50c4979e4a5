use super::*;

#[test]
fn an_address_names_the_engine_and_where_it_is() {
    let address: Address = "victoriametrics+http://127.0.0.1:8428/vm/".parse().unwrap();
    assert_eq!(address.kind, Kind::VictoriaMetrics);
    assert_eq!(address.url, "http://127.0.0.1:8428/vm");
    for wrong in ["http://h:1", "influx+http://h:1", "prometheus+ftp://h:1", "prometheus+h:1", ""] {
        let error = wrong.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("prometheus+http://HOST:PORT"), "{error}");
    }
}

#[test]
fn a_selector_says_every_matcher_and_quotes_its_value() {
    let matchers =
        [Matcher::equal("a", "x\"\\\n"), Matcher::not_regex("b", "c|d").expect("a pattern")];
    assert_eq!(selector(&matchers), r#"{__name__!="",a="x\"\\\n",b!~"c|d"}"#);
}

#[tokio::test]
async fn an_engine_that_is_away_is_named_without_its_password() {
    let address = "prometheus+http://me:secret@127.0.0.1:1".parse().unwrap();
    let store = Outside::open(address).unwrap();
    let all = Select {
        matchers: vec![],
        start_ms: 0,
        end_ms: 1,
        max_samples: 1,
        max_bytes: usize::MAX,
        newest_only: false,
    };
    let error = store.select(all).await.unwrap_err();
    assert!(matches!(error, Error::EngineAway { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("http://127.0.0.1:1/") && !text.contains("secret"), "{text}");
}

fn within(max_bytes: usize) -> Select {
    let (start_ms, end_ms) = (0, i64::MAX);
    Select {
        matchers: vec![],
        start_ms,
        end_ms,
        max_samples: usize::MAX,
        max_bytes,
        newest_only: false,
    }
}

/// An engine at the other end that answers with the head and `parts` of a body, one after another,
/// until nobody takes them any more; and how many bytes of the body it got rid of.
async fn answering(
    product: &str,
    parts: impl Iterator<Item = Vec<u8>> + Send + 'static,
) -> (Outside, tokio::task::JoinHandle<usize>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("{product}+http://{}", listener.local_addr().unwrap());
    let sent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 64 << 10];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").await.unwrap();
        let mut sent = 0;
        for part in parts {
            if stream.write_all(&part).await.is_err() {
                break;
            }
            sent += part.len();
        }
        sent
    });
    (Outside::open(address.parse().unwrap()).unwrap(), sent)
}

/// What stands between two programs when one stops reading: their sockets' buffers.
const BETWEEN_BYTES: usize = 16 << 20;
const MIB: usize = 1 << 20;

async fn refused_early(product: &str, part: Vec<u8>) {
    let (store, sent) = answering(product, std::iter::repeat(part)).await;
    let error = store.select(within(MIB)).await.unwrap_err();
    assert!(matches!(error, Error::TooMuchMemory { limit_bytes: MIB }), "{product}: {error}");
    // It would go on for ever.
    let sent = sent.await.unwrap();
    assert!(sent < MIB + BETWEEN_BYTES, "{product}: {sent}");
}

#[tokio::test]
async fn an_answer_beyond_a_query_s_memory_is_not_read_to_its_end() {
    let line = b"{\"metric\":{\"__name__\":\"m\"},\"values\":[1.5,2.5],\"timestamps\":[1,2]}\n";
    refused_early("victoriametrics", line.repeat(100)).await;
    // One line without an end.
    refused_early("victoriametrics", vec![b'1'; 8 << 10]).await;
    refused_early("prometheus", vec![7; 8 << 10]).await;
}

/// A remote read's answer with so many series of one sample.
fn read_response(series: usize) -> Vec<u8> {
    let batch: Vec<Series> = (0..series)
        .map(|n| Series {
            labels: Labels::metric("m", &[("n", &n.to_string())]),
            samples: vec![base::sample::Sample { at_ms: 1, value: 1.5 }],
        })
        .collect();
    // A write request has its series at the same place as a query's result.
    let packed = wire::write_request(&batch).unwrap();
    let result = snap::raw::Decoder::new().decompress_vec(&packed).unwrap();
    let mut answer = vec![0x0a];
    let mut length = result.len();
    while length >= 0x80 {
        answer.push(length as u8 | 0x80);
        length >>= 7;
    }
    answer.push(length as u8);
    answer.extend_from_slice(&result);
    snap::raw::Encoder::new().compress_vec(&answer).unwrap()
}

#[tokio::test]
async fn a_remote_read_is_bounded_by_what_it_takes_unpacked_and_series_by_series() {
    const SERIES: usize = 1000;
    let packed = read_response(SERIES);
    let plain = snap::raw::decompress_len(&packed).unwrap();
    assert!(packed.len() * 2 < plain, "{} {plain}", packed.len());
    let each = memory::of_labels(Labels::metric("m", &[("n", "999")]).iter());
    let all = plain + SERIES * (each + memory::of_samples(1));
    for (max_bytes, enough) in
        [(packed.len() - 1, false), (plain - 1, false), (all / 2, false), (all, true)]
    {
        let (store, _) = answering("prometheus", std::iter::once(packed.clone())).await;
        match store.select(within(max_bytes)).await {
            Ok(found) => assert!(enough && found.len() == SERIES, "{max_bytes}"),
            Err(Error::TooMuchMemory { limit_bytes }) => {
                assert!(!enough && limit_bytes == max_bytes, "{max_bytes} of {all}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    // Cut in the middle, it is garbled, not empty.
    let cut = snap::raw::Decoder::new().decompress_vec(&packed).unwrap();
    let cut = snap::raw::Encoder::new().compress_vec(&cut[..plain / 2]).unwrap();
    let (store, _) = answering("prometheus", std::iter::once(cut)).await;
    let error = store.select(within(usize::MAX)).await.unwrap_err();
    assert!(error.to_string().contains("can't be read"), "{error}");
}
