use base::id::InstanceId;

use super::*;

#[test]
fn a_sender_can_t_speak_for_a_tenant_or_another_host() {
    let (tenant, host, other) = (TenantId::new(), HostId::new(), HostId::new());
    let id = InstanceId::new().to_string();
    let labels = || {
        Labels::metric(
            "up",
            &[("tenant", "forged"), (INSTANCE_ID, &id), ("host", "forged"), ("job", "j")],
        )
    };
    let agent = Sender::Agent { host, host_name: "alpha".to_owned() };

    let own = rewrite(labels(), &agent, Some(Owner { tenant, host }));
    assert_eq!(own.get(TENANT), Some(tenant.to_string().as_str()));
    assert_eq!((own.get("host"), own.get("instance")), (Some("alpha"), Some("alpha")));
    assert_eq!((own.get(INSTANCE_ID), own.get("job")), (Some(id.as_str()), Some("j")));

    // Another host's instance, or one that nobody knows.
    for owner in [Some(Owner { tenant, host: other }), None] {
        let foreign = rewrite(labels(), &agent, owner);
        assert_eq!((foreign.get(TENANT), foreign.get(INSTANCE_ID)), (None, None));
    }

    let operator = rewrite(labels(), &Sender::Operator, None);
    assert_eq!((operator.get(TENANT), operator.get("host")), (None, Some("forged")));

    // The same for labels that are borrowed.
    for sender in [&agent, &Sender::Operator] {
        for owner in [Some(Owner { tenant, host }), Some(Owner { tenant, host: other }), None] {
            let spoken = owner.filter(|owner| sender.speaks_of(owner));
            let host_name = matches!(sender, Sender::Agent { .. }).then(|| "alpha".to_owned());
            let owners = spoken.map(|owner| (id.as_bytes().to_vec(), owner.tenant.to_string()));
            let rewritten = Rewrite { owners: owners.into_iter().collect(), host_name };
            let own = labels();
            let mut borrowed: Vec<Label<'_>> =
                own.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            rewritten.relabel(&mut borrowed);
            let expected = rewrite(labels(), sender, owner);
            assert_eq!(timeseries::remote_write::owned(&borrowed), expected);
        }
    }
}
