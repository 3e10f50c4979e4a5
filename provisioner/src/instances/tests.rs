use super::checked_ssh_key;

#[test]
fn only_an_openssh_public_key_is_taken() {
    for good in ["ssh-ed25519 AAAAC3Nza me@here", " ecdsa-sha2-nistp256 AAAA\n"] {
        assert_eq!(checked_ssh_key(good).unwrap(), good.trim());
    }
    for bad in ["", "ssh-rsa", "hello world", "ssh-rsa AAAA\nssh-rsa BBBB", "-----BEGIN KEY-----"] {
        let error = checked_ssh_key(bad).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("ssh_key"), "{bad:?}");
    }
    assert!(checked_ssh_key(&format!("ssh-rsa {}", "A".repeat(20_000))).is_err());
}
