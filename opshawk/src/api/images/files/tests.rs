use super::*;

fn header(version: u32, backing: u64, features: u64) -> Vec<u8> {
    let mut head = b"QFI\xfb".to_vec();
    head.extend_from_slice(&version.to_be_bytes());
    head.extend_from_slice(&backing.to_be_bytes());
    head.resize(72, 0);
    head.extend_from_slice(&features.to_be_bytes());
    head
}

fn names(files: &Files) -> Vec<String> {
    let entries = std::fs::read_dir(files.dir()).unwrap();
    entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_file_gets_its_name_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::open_dir(dir.path().join("images")).unwrap();
    let taken = files.receive(Body::from("abc"), false).await.unwrap();
    assert_eq!(taken.bytes, 3);
    assert_eq!(taken.sha256, base::secret::sha256_hex("abc"));
    assert_eq!(names(&files), [taken.sha256.as_str()]);
    assert!(files.open(&taken.sha256).await.is_ok());

    let broken = futures::stream::iter([Ok(Bytes::from("ab")), Err(io::Error::other("gone"))]);
    let error = files.receive(Body::from_stream(broken), false).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(files.receive(Body::empty(), false).await.is_err());
    assert_eq!(names(&files).len(), 1, "nothing half is left");
}

#[tokio::test]
async fn what_a_crash_left_goes_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".upload-1"), "half").unwrap();
    std::fs::write(dir.path().join("aa"), "whole").unwrap();
    let files = Files::open_dir(dir.path().to_owned()).unwrap();
    assert_eq!(names(&files), ["aa"]);
}

#[test]
fn a_qcow2_image_must_stand_alone() {
    assert!(check_qcow2(&header(3, 0, 0)).is_ok());
    assert!(check_qcow2(&header(2, 0, 0)[..72]).is_ok());
    for head in [header(3, 512, 0), header(3, 0, 4), b"PK".to_vec(), header(3, 0, 0)[..40].to_vec()]
    {
        assert_eq!(check_qcow2(&head).unwrap_err().kind, ErrorKind::Invalid);
    }
}
