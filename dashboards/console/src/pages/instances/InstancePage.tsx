import { Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { quote } from "../../api/prometheus";
import { instanceQuery } from "../../api/queries";
import type { Instance } from "../../api/types";
import { Copyable } from "../../components/Copyable";
import { Facts, type Fact } from "../../components/Facts";
import { TextLink } from "../../components/links";
import { MetricChart } from "../../components/MetricChart";
import { OperationsTable } from "../../components/OperationsTable";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { Problem } from "../../components/Problem";
import { QueryView } from "../../components/QueryView";
import { useHostName, useImageName, useTenantName } from "../../components/useNames";
import { Instant, Nothing, When } from "../../components/When";
import { ApiError } from "../../api/problem";
import { formatPercent } from "../../format/quantity";
import { useMe } from "../../shell/me";
import { Consoles } from "./Consoles";
import { FlavorFact } from "./FlavorFact";
import { InstanceHeadActions } from "./InstanceActions";
import { InstanceStatus } from "./InstanceStatus";
import { LabelsFact } from "./LabelsFact";

export function InstancePage() {
  const { id } = useParams({ from: "/app/instances/$id" });
  const query = useQuery(instanceQuery(id));
  return <QueryView query={query}>{(instance) => <Details instance={instance} />}</QueryView>;
}

function Details({ instance }: { instance: Instance }) {
  const { t, i18n } = useTranslation();
  const navigate = useNavigate();
  const { id, name, vcpus } = instance;
  const failure =
    instance.error && new ApiError(instance.error_code ?? "unknown", null, instance.error);
  return (
    <>
      <PageHeader
        title={name}
        badge={<InstanceStatus instance={instance} size="lg" />}
        back={{
          label: t("nav.instances"),
          render: (props) => <Link to="/instances" {...props} />,
        }}
        actions={
          <InstanceHeadActions
            instance={instance}
            onDeleted={() => void navigate({ to: "/instances" })}
          />
        }
      />
      <Stack gap="lg">
        {failure && <Problem error={failure} />}
        <Panel title={t("field.details")}>
          <InstanceFacts instance={instance} />
        </Panel>
        <Consoles instance={instance}>
          <MetricChart
            title={t("instance.cpu")}
            query={`rate(libvirt_domain_info_cpu_time_seconds_total{instance_id=${quote(id)}}[1m])`}
            name={() => name}
            // Of all its virtual CPUs.
            scale={1 / vcpus}
            floor={0.05}
            format={(value) => formatPercent(value, i18n.language)}
          />
        </Consoles>
        <Panel title={t("nav.operations")} flush>
          <OperationsTable label={t("operations.of", { name })} targetId={id} />
        </Panel>
      </Stack>
    </>
  );
}

function InstanceFacts({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { isOperator } = useMe();
  const imageName = useImageName();
  const tenantName = useTenantName();
  const hostName = useHostName();
  const { id, addresses, host_id, tenant_id } = instance;
  const facts: Fact[] = [
    [
      t("field.addresses"),
      addresses.length === 0 ? (
        <Nothing />
      ) : (
        addresses.map((address) => (
          <Copyable key={address} value={address} label={t("field.address")} />
        ))
      ),
    ],
    [t("field.flavor"), <FlavorFact instance={instance} />],
    [t("field.image"), imageName(instance.image_id)],
    [t("instance.labels.field"), <LabelsFact instance={instance} />],
    [t("instance.since"), <When at={instance.state_since} />],
    [t("field.created"), <Instant at={instance.created_at} />],
    [t("field.mac"), instance.mac],
    [t("field.id"), <Copyable value={id} label={t("field.id")} />],
  ];
  if (isOperator) {
    facts.push([
      t("field.tenant"),
      <TextLink to="/tenants/$id" params={{ id: tenant_id }} size="sm">
        {tenantName(tenant_id)}
      </TextLink>,
    ]);
    if (host_id) {
      facts.push([
        t("field.host"),
        <TextLink to="/hosts/$id" params={{ id: host_id }} size="sm">
          {hostName(host_id)}
        </TextLink>,
      ]);
    }
  }
  return <Facts facts={facts} />;
}
